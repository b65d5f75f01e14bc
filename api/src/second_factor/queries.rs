//! SQL of second factors.

use chrono::{DateTime, Utc};
use headwater_model::UserId;
use sqlx::{FromRow, PgConnection};

use super::{CHALLENGE_CODES_MAX, CHALLENGE_MINUTES, Status};
use crate::problem::Answer;

#[derive(FromRow)]
pub(super) struct Factor {
    pub(super) secret: Vec<u8>,
    pub(super) confirmed_at: Option<DateTime<Utc>>,
    pub(super) last_step: i64,
}

pub(super) async fn status(on: &mut PgConnection, user: UserId) -> Answer<Status> {
    let row: Option<(Option<DateTime<Utc>>, i64, bool)> = sqlx::query_as(
        "select f.confirmed_at, \
                (select count(*) from recovery_code r where r.user_id = u.user_id and r.used_at is null), \
                u.password_hash is not null \
         from user_account u left join second_factor f on f.user_id = u.user_id where u.user_id = $1",
    )
    .bind(user.as_str())
    .fetch_optional(on)
    .await?;
    let (enabled_at, recovery_codes_left, has_password) = row.unwrap_or_default();
    Ok(Status {
        enabled_at,
        recovery_codes_left,
        has_password,
    })
}

/// Whoever checks a code holds the row until the code is used: nobody else uses it meanwhile.
pub(super) async fn factor(on: &mut PgConnection, user: UserId) -> Answer<Option<Factor>> {
    let found =
        sqlx::query_as("select secret, confirmed_at, last_step from second_factor where user_id = $1 for update")
            .bind(user.as_str())
            .fetch_optional(on)
            .await?;
    Ok(found)
}

pub(super) async fn begin(on: &mut PgConnection, user: UserId, sealed: &[u8]) -> Answer<()> {
    sqlx::query(
        "insert into second_factor as f (user_id, secret) values ($1, $2) on conflict on constraint second_factor_pkey \
         do update set secret = excluded.secret, created_at = now(), last_step = 0 where f.confirmed_at is null",
    )
    .bind(user.as_str())
    .bind(sealed)
    .execute(on)
    .await?;
    Ok(())
}

pub(super) async fn switch_on(on: &mut PgConnection, user: UserId, step: i64) -> Answer<()> {
    sqlx::query("update second_factor set confirmed_at = now(), last_step = $2 where user_id = $1")
        .bind(user.as_str())
        .bind(step)
        .execute(on)
        .await?;
    Ok(())
}

pub(super) async fn remove(on: &mut PgConnection, user: UserId) -> Answer<()> {
    for statement in [
        "delete from second_factor where user_id = $1",
        "delete from recovery_code where user_id = $1",
        "delete from sign_in_challenge where user_id = $1",
    ] {
        sqlx::query(statement).bind(user.as_str()).execute(&mut *on).await?;
    }
    Ok(())
}

pub(super) async fn use_step(on: &mut PgConnection, user: UserId, step: i64) -> Answer<bool> {
    let done = sqlx::query("update second_factor set last_step = $2 where user_id = $1 and last_step < $2")
        .bind(user.as_str())
        .bind(step)
        .execute(on)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn use_recovery_code(on: &mut PgConnection, user: UserId, hash: &str) -> Answer<bool> {
    let done = sqlx::query(
        "update recovery_code set used_at = now() where user_id = $1 and code_sha256 = $2 and used_at is null",
    )
    .bind(user.as_str())
    .bind(hash)
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn replace_recovery_codes(on: &mut PgConnection, user: UserId, hashes: &[String]) -> Answer<()> {
    sqlx::query("delete from recovery_code where user_id = $1")
        .bind(user.as_str())
        .execute(&mut *on)
        .await?;
    sqlx::query("insert into recovery_code (user_id, code_sha256) select $1, unnest($2::text[])")
        .bind(user.as_str())
        .bind(hashes)
        .execute(on)
        .await?;
    Ok(())
}

pub(super) async fn insert_challenge(on: &mut PgConnection, user: UserId, hash: &str) -> Answer<()> {
    sqlx::query(
        "insert into sign_in_challenge (secret_sha256, user_id, expires_at) \
         values ($1, $2, now() + make_interval(mins => $3))",
    )
    .bind(hash)
    .bind(user.as_str())
    .bind(CHALLENGE_MINUTES)
    .execute(on)
    .await?;
    Ok(())
}

pub(super) async fn count_attempt(on: &mut PgConnection, hash: &str) -> Answer<Option<String>> {
    let user = sqlx::query_scalar(
        "update sign_in_challenge set attempts = attempts + 1 \
         where secret_sha256 = $1 and used_at is null and expires_at > now() and attempts < $2 returning user_id",
    )
    .bind(hash)
    .bind(CHALLENGE_CODES_MAX)
    .fetch_optional(on)
    .await?;
    Ok(user)
}

pub(super) async fn use_challenge(on: &mut PgConnection, hash: &str) -> Answer<bool> {
    let done = sqlx::query("update sign_in_challenge set used_at = now() where secret_sha256 = $1 and used_at is null")
        .bind(hash)
        .execute(on)
        .await?;
    Ok(done.rows_affected() == 1)
}
