//! Tenants: the paying accounts.

mod error;
mod queries;
mod settings;

use headwater_model::TenantId;

pub use error::Error;
pub(crate) use settings::found;
pub use settings::{Settings, Summary, create_for, of_op, update};

use crate::Database;

/// A paying account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its short name in addresses and commands.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// It may not publish.
    pub suspended: bool,
}

/// Creates a tenant. Fails with [`Error::SlugTaken`] or for a slug or name out of bounds.
pub async fn create(database: &Database, slug: &str, name: &str) -> Result<Tenant, Error> {
    let tenant = Tenant {
        id: TenantId::random(),
        slug: slug.to_owned(),
        name: name.to_owned(),
        suspended: false,
    };
    queries::insert(database, &tenant).await?;
    tracing::info!(tenant.id = %tenant.id, "created tenant {} ({slug})", tenant.id);
    Ok(tenant)
}

/// The tenant of this slug, created if there is none. An existing one keeps its name.
pub async fn ensure(database: &Database, slug: &str, name: &str) -> Result<Tenant, Error> {
    if let Some(tenant) = queries::by_slug(database, slug).await? {
        return Ok(tenant);
    }
    match create(database, slug, name).await {
        // Somebody else was faster.
        Err(Error::SlugTaken { slug }) => queries::by_slug(database, &slug)
            .await?
            .ok_or(Error::SlugTaken { slug }),
        created => created,
    }
}

/// Stops a tenant from publishing, or lets it again. What is on air stays on air.
pub async fn suspend(database: &Database, tenant: TenantId, suspended: bool) -> Result<(), Error> {
    queries::set_suspended(database, tenant, suspended).await
}
