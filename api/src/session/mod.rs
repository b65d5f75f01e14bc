//! Sessions: browsers that a person signed in with.

use chrono::{DateTime, Utc};
use headwater_model::{SessionId, UserId};
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::access::{Environment, Role};
use crate::database::{id, word};
use crate::op::{Actor, Op, Place, Services};
use crate::page::{Order, Page, Paged, instant};
use crate::problem::{Answer, Problem};
use crate::secret::{self, Kind, sha256_hex};

/// How long a session lasts.
pub const LIFETIME_DAYS: i64 = 30;

/// A browser that a person signed in with.
#[derive(Clone, Debug, FromRow)]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// What the browser says it is.
    pub user_agent: String,
    /// From where it signed in.
    pub ip_address: String,
    /// When it signed in.
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

pub(crate) async fn insert(on: &mut PgConnection, op: &Op, user: UserId) -> Answer<(SessionId, String)> {
    let (session, secret) = (SessionId::random(), secret::random(Kind::Session));
    sqlx::query(
        "insert into session (session_id, user_id, secret_sha256, user_agent, ip_address, expires_at) \
         values ($1, $2, $3, $4, $5, now() + make_interval(days => $6))",
    )
    .bind(session.as_str())
    .bind(user.as_str())
    .bind(sha256_hex(&secret))
    .bind(&op.caller().user_agent)
    .bind(op.caller().address())
    .bind(LIFETIME_DAYS as i32)
    .execute(on)
    .await?;
    Ok((session, secret))
}

/// Who sends this cookie, and where they act. `tenant` is the id or slug they chose; without one it is the tenant they joined
/// first. A tenant that they do not belong to leaves the place open.
pub(crate) async fn authenticate(
    services: &Services,
    secret: &str,
    tenant: Option<&str>,
    environment: Environment,
) -> Answer<(Actor, Option<Place>)> {
    let gone = || Problem::unauthenticated("Your session has ended. Sign in again.");
    if !secret::well_formed(Kind::Session, secret) {
        return Err(gone());
    }
    type Row = (String, String, String, Option<String>, Option<String>);
    let row: Option<Row> =
        sqlx::query_as("select session_id, user_id, name, tenant_id, role from session_at_the_door($1, $2)")
            .bind(sha256_hex(secret))
            .bind(tenant)
            .fetch_optional(services.database.pool())
            .await?;
    let (session, user, name, tenant, role) = row.ok_or_else(gone)?;
    let place = tenant.zip(role).map(|(tenant, role)| {
        let (tenant_id, role): (_, Role) = (id(tenant.parse())?, word(role.parse())?);
        Ok::<_, Problem>(Place {
            tenant_id,
            environment,
            role: Some(role),
        })
    });
    let actor = Actor::User {
        user_id: id(user.parse())?,
        session_id: id(session.parse())?,
        name,
    };
    Ok((actor, place.transpose()?))
}

/// Whether the session still stands and, at `place`, the role is still the same.
pub(crate) async fn stands(
    services: &Services,
    user: UserId,
    session: SessionId,
    place: Option<Place>,
) -> Answer<bool> {
    let mut door = services.database.door(Some(user)).await?;
    let role = place.and_then(|place| place.role);
    let stands = sqlx::query_scalar(
        "select exists (select from session where session_id = $1 and revoked_at is null and expires_at > now()) \
         and ($2::text is null or exists (select from member where user_id = $3 and tenant_id = $2 and role = $4))",
    )
    .bind(session.as_str())
    .bind(place.map(|place| place.tenant_id.to_string()))
    .bind(user.as_str())
    .bind(role.map(Role::as_str))
    .fetch_one(&mut *door)
    .await?;
    Ok(stands)
}

/// The sessions of a person that still stand, newest first.
pub async fn list(op: &Op, user: UserId, page: &Page) -> Answer<Paged<Session>> {
    let mut door = op.services().database.door(Some(user)).await?;
    let mut query = QueryBuilder::new(
        "select session_id, user_agent, ip_address, created_at, last_used_at, expires_at from session \
         where revoked_at is null and expires_at > now() and user_id = ",
    );
    query.push_bind(user.to_string());
    page.seek(&mut query, Order::newest("created_at", "session_id"));
    let rows: Vec<Session> = query.build_query_as().fetch_all(&mut *door).await?;
    Ok(Paged::of(rows, page, 0, |row| {
        (instant(row.created_at), row.session_id.clone())
    }))
}

/// Ends one session of the signed-in person, or with `None` every one but this. Returns which.
pub async fn revoke(op: &Op, session: Option<SessionId>) -> Answer<Vec<String>> {
    let user = op.user()?;
    let mut tx = op.services().database.door(Some(user)).await?;
    let ended = match session {
        Some(session) => end(&mut tx, user, session).await?,
        None => revoke_others(&mut tx, op, user).await?,
    };
    tx.commit().await?;
    if session.is_some() && ended.is_empty() {
        return Err(Problem::not_found("id", "session"));
    }
    Ok(ended)
}

/// Ends the session that asks; nothing when there is none.
pub async fn sign_out(op: &Op) -> Answer<bool> {
    let Actor::User {
        user_id, session_id, ..
    } = op.actor()
    else {
        return Ok(false);
    };
    let mut tx = op.services().database.door(Some(*user_id)).await?;
    let ended = end(&mut tx, *user_id, *session_id).await?;
    tx.commit().await?;
    Ok(!ended.is_empty())
}

async fn end(on: &mut PgConnection, user: UserId, session: SessionId) -> Answer<Vec<String>> {
    let ended = sqlx::query_scalar(
        "update session set revoked_at = now() where user_id = $1 and session_id = $2 and revoked_at is null \
         returning session_id",
    )
    .bind(user.as_str())
    .bind(session.as_str())
    .fetch_all(on)
    .await?;
    Ok(ended)
}

pub(crate) async fn revoke_others(on: &mut PgConnection, op: &Op, user: UserId) -> Answer<Vec<String>> {
    let this = match op.actor() {
        Actor::User { session_id, .. } => session_id.to_string(),
        Actor::Token { .. } | Actor::Nobody => String::new(),
    };
    let ended = sqlx::query_scalar(
        "update session set revoked_at = now() where user_id = $1 and session_id <> $2 and revoked_at is null \
         returning session_id",
    )
    .bind(user.as_str())
    .bind(this)
    .fetch_all(on)
    .await?;
    Ok(ended)
}
