//! SQL of tenants.

use headwater_model::TenantId;

use super::{Error, Tenant};
use crate::database::{Database, DatabaseError, id};

type Row = (String, String, String, bool);

fn tenant((tenant_id, slug, name, suspended): Row) -> Result<Tenant, DatabaseError> {
    Ok(Tenant {
        id: id(TenantId::parse(&tenant_id))?,
        slug,
        name,
        suspended,
    })
}

pub(super) async fn insert(database: &Database, tenant: &Tenant) -> Result<(), Error> {
    sqlx::query("insert into tenant (tenant_id, slug, name) values ($1, $2, $3)")
        .bind(tenant.id.as_str())
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .execute(database.pool())
        .await
        .map_err(|error| Error::of_write(error, &tenant.slug))?;
    Ok(())
}

pub(super) async fn by_slug(database: &Database, slug: &str) -> Result<Option<Tenant>, DatabaseError> {
    let row: Option<Row> =
        sqlx::query_as("select tenant_id, slug, name, suspended_at is not null from tenant where slug = $1")
            .bind(slug)
            .fetch_optional(database.pool())
            .await?;
    row.map(tenant).transpose()
}

pub(super) async fn set_suspended(database: &Database, tenant: TenantId, suspended: bool) -> Result<(), Error> {
    let done = sqlx::query(
        "update tenant set suspended_at = case when $2 then coalesce(suspended_at, now()) end where tenant_id = $1",
    )
    .bind(tenant.as_str())
    .bind(suspended)
    .execute(database.pool())
    .await
    .map_err(DatabaseError::from)?;
    if done.rows_affected() == 0 {
        return Err(Error::Unknown(tenant));
    }
    Ok(())
}
