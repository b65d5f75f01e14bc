//! SQL of people.

use chrono::{DateTime, Utc};
use headwater_model::UserId;
use sqlx::{FromRow, PgConnection};

use crate::database::{DatabaseError, id};
use crate::problem::{Answer, Code, Problem};

/// A person.
#[derive(Clone, Debug, FromRow)]
pub struct User {
    /// Its id.
    pub user_id: String,
    /// As typed.
    pub email: String,
    /// For people.
    pub name: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When they showed that the address is theirs.
    pub email_verified_at: Option<DateTime<Utc>>,
}

/// A place in a tenant.
#[derive(Clone, Debug, FromRow)]
pub struct Membership {
    /// Of the tenant.
    pub tenant_id: String,
    /// Of the tenant.
    pub slug: String,
    /// Of the tenant.
    pub name: String,
    /// What the person is there.
    pub role: String,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

pub(super) async fn insert(
    on: &mut PgConnection,
    user: UserId,
    email: &str,
    name: &str,
    password_hash: &str,
) -> Answer<()> {
    let done = sqlx::query(
        "insert into user_account (user_id, email, email_key, name, password_hash) values ($1, $2, lower($2), $3, $4)",
    )
    .bind(user.as_str())
    .bind(email)
    .bind(name)
    .bind(password_hash)
    .execute(on)
    .await
    .map_err(DatabaseError::from);
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.constraint() == Some("user_account_email_key") => {
            let sentence = "Somebody signed up with this address already. Sign in, or use another address.";
            Err(Problem::mend(Code::Taken, "email", sentence))
        }
        Err(error) if error.constraint() == Some("user_account_email_form") => {
            Err(Problem::mend(Code::Invalid, "email", "This is not an e-mail address."))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn password_of(on: &mut PgConnection, email_key: &str) -> Answer<Option<(UserId, Option<String>)>> {
    let row: Option<(String, Option<String>)> =
        sqlx::query_as("select user_id, password_hash from user_account where email_key = $1")
            .bind(email_key)
            .fetch_optional(on)
            .await?;
    row.map(|(user, hash)| Ok((id(UserId::parse(&user))?, hash)))
        .transpose()
}

pub(super) async fn password_of_id(on: &mut PgConnection, user: UserId) -> Answer<Option<String>> {
    let row: Option<Option<String>> = sqlx::query_scalar("select password_hash from user_account where user_id = $1")
        .bind(user.as_str())
        .fetch_optional(on)
        .await?;
    Ok(row.flatten())
}

pub(super) async fn set_password(on: &mut PgConnection, user: UserId, hash: &str) -> Answer<()> {
    sqlx::query("update user_account set password_hash = $2 where user_id = $1")
        .bind(user.as_str())
        .bind(hash)
        .execute(&mut *on)
        .await?;
    // Whoever signs in with the old one at this moment does not get further.
    sqlx::query("delete from sign_in_challenge where user_id = $1")
        .bind(user.as_str())
        .execute(on)
        .await?;
    Ok(())
}

pub(super) async fn set_name(on: &mut PgConnection, user: UserId, name: &str) -> Answer<()> {
    sqlx::query("update user_account set name = $2 where user_id = $1")
        .bind(user.as_str())
        .bind(name)
        .execute(on)
        .await?;
    Ok(())
}

pub(super) async fn by_id(on: &mut PgConnection, user: UserId) -> Answer<Option<User>> {
    let row = sqlx::query_as(
        "select user_id, email, name, created_at, email_verified_at from user_account where user_id = $1",
    )
    .bind(user.as_str())
    .fetch_optional(on)
    .await?;
    Ok(row)
}

pub(super) async fn memberships(on: &mut PgConnection, user: UserId) -> Answer<Vec<Membership>> {
    let rows = sqlx::query_as(
        "select t.tenant_id, t.slug, t.name, m.role, m.joined_at from member m join tenant t on t.tenant_id = m.tenant_id \
         where m.user_id = $1 order by m.joined_at, m.member_id limit 200",
    )
    .bind(user.as_str())
    .fetch_all(on)
    .await?;
    Ok(rows)
}
