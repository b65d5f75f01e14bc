//! What the application forgets, PostgreSQL refuses.

use headwater_tests::front::Front;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Outcome;
use crate::house::furnish;
use crate::needs::READABLE;

/// No statement in the api's roles reaches another tenant's rows.
#[tokio::test]
async fn the_roles_of_the_api_cannot_see_past_row_level_security() -> Outcome {
    let front = Front::fresh().await?;
    let house = furnish(&front, "Ada").await?;
    let neighbour = furnish(&front, "Neighbour").await?;
    let mut connection = PgConnection::connect(front.database.url.reveal()).await?;
    let free: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles where rolname like 'headwater\\_%' and (rolsuper or rolbypassrls or rolcanlogin)",
    )
    .fetch_all(&mut connection)
    .await?;
    assert!(free.is_empty(), "{free:?} bypass row-level security or log in");
    let open: Vec<String> = sqlx::query_scalar(
        "select c.table_name::text from information_schema.columns c \
         join pg_class t on t.relname = c.table_name and t.relnamespace = 'public'::regnamespace \
         where c.table_schema = 'public' and c.column_name = 'tenant_id' and not t.relrowsecurity",
    )
    .fetch_all(&mut connection)
    .await?;
    assert!(open.is_empty(), "{open:?} have tenants and no row-level security");

    sqlx::query("set role headwater_tenant")
        .execute(&mut connection)
        .await?;
    sqlx::query("select set_config('headwater.tenant_id', $1, false)")
        .bind(&neighbour.tenant)
        .execute(&mut connection)
        .await?;
    for table in READABLE {
        let count = format!("select count(*) from {table} where tenant_id = $1");
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .bind(&house.tenant)
            .fetch_one(&mut connection)
            .await?;
        assert_eq!(seen, 0, "{table} shows another tenant's rows");
    }
    let written = sqlx::query("update channel set title = 'mine' where tenant_id = $1")
        .bind(&house.tenant)
        .execute(&mut connection)
        .await?;
    assert_eq!(written.rows_affected(), 0);
    let moved = sqlx::query("update channel set tenant_id = $1 where tenant_id = $2")
        .bind(&house.tenant)
        .bind(&neighbour.tenant)
        .execute(&mut connection)
        .await;
    assert!(moved.is_err(), "a row was given to another tenant");
    let people: i64 = sqlx::query_scalar("select count(*) from user_account")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(people, 1, "a tenant sees its own people alone");
    for forbidden in [
        "select 1 from session",
        "select 1 from mail",
        "select 1 from account_link",
        "select 1 from second_factor",
        "select 1 from recovery_code",
        "select 1 from sign_in_challenge",
        "select 1 from user_identity",
        "select 1 from seal_check",
        "select password_hash from user_account",
        "delete from audit_entry",
    ] {
        assert!(
            sqlx::query(forbidden).execute(&mut connection).await.is_err(),
            "{forbidden}"
        );
    }
    Ok(())
}
