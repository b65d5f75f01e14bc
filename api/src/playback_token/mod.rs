//! Who may watch what is signed: a tenant's signing keys, and the tokens that are good no more.
//!
//! Tenants sign tokens themselves, with a key whose public half is kept here, or have them made ([`mint`]). Origins check them: [`rules`] tells them the keys
//! and the revocations of a tenant's environment. A token that may be used once is used up here ([`use_up`]), because only
//! PostgreSQL can say so once and for all.

pub mod key;
pub mod mint;
mod pem;
pub mod revoked;

use headwater_model::TenantId;
use serde_json::json;
use sqlx::FromRow;

use crate::access::{Action, Environment};
use crate::audit;
use crate::database::{Database, DatabaseError};
use crate::op::Op;
use crate::problem::{Answer, Code, Problem, text};

/// Characters of a token's or viewer's id at most.
pub const SUBJECT_CHARS_MAX: usize = 200;
/// Revocations of one tenant in one environment at most, those whose time is over left out.
pub const REVOCATIONS_MAX: i64 = 10_000;

/// What is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "PlaybackRevocationKind")]
pub enum Kind {
    /// The token of an id (`jti`).
    Token,
    /// Every token of a viewer (`viewer_id`) issued before.
    Viewer,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Viewer => "viewer",
        }
    }
}

/// Has origins refuse a token, or all that a viewer has: at once where hints arrive, within a second otherwise.
pub async fn revoke(op: &Op, kind: Kind, field: &'static str, subject: &str) -> Answer<()> {
    let place = op.require(Action::ViewerRevoke)?;
    let subject = text(field, subject, SUBJECT_CHARS_MAX)?;
    let mut change = op.change(place).await?;
    let many: i64 = sqlx::query_scalar(
        "select count(*) from playback_revocation where tenant_id = $1 and environment = $2 \
         and revoked_at > now() - interval '31 days'",
    )
    .bind(place.tenant_id.as_str())
    .bind(place.environment.as_str())
    .fetch_one(change.on())
    .await?;
    if many >= REVOCATIONS_MAX {
        let sentence = "10,000 tokens and viewers were revoked in 31 days. Revoke the signing key instead.";
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    sqlx::query(
        "insert into playback_revocation (tenant_id, environment, kind, subject) values ($1, $2, $3, $4) \
         on conflict on constraint playback_revocation_pkey do update set revoked_at = clock_timestamp()",
    )
    .bind(place.tenant_id.as_str())
    .bind(place.environment.as_str())
    .bind(kind.word())
    .bind(&subject)
    .execute(change.on())
    .await?;
    change
        .record(audit::New {
            action: match kind {
                Kind::Token => "playback_token.revoke",
                Kind::Viewer => "playback_viewer.revoke",
            },
            subject_id: &subject,
            subject_name: &subject,
            before: None,
            after: Some(json!({ "revoked": kind.word() })),
        })
        .await?;
    change.commit().await?;
    tell_origins(op, place.tenant_id).await;
    Ok(())
}

/// Has every origin ask for a tenant's rules again. A hint: without it they do so within a second.
pub(crate) async fn tell_origins(op: &Op, tenant: TenantId) {
    let topic = headwater_model::heartbeat::TOKEN_RULES_TOPIC;
    if let Err(error) = op.services().hints.publish(topic, tenant.to_string()).await {
        tracing::warn!(tenant.id = %tenant, "origins learn of changed token rules at their next look: {error}");
    }
}

/// A public key, as origins need it.
#[derive(Clone, Debug, FromRow)]
pub struct PublicKey {
    /// Its id: the `kid` of tokens.
    pub signing_key_id: String,
    /// `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// SubjectPublicKeyInfo in PEM.
    pub public_key: String,
}

/// One revocation.
#[derive(Clone, Debug, FromRow)]
pub struct Revocation {
    /// `token` or `viewer`.
    pub kind: String,
    /// Id of the token or viewer.
    pub subject: String,
    /// Unix milliseconds.
    pub revoked_ms: i64,
}

/// What decides over the tokens of a tenant's environment.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Changes whenever anything else here does.
    pub version: String,
    /// Keys that count.
    pub keys: Vec<PublicKey>,
    /// Tokens and viewers that do not.
    pub revocations: Vec<Revocation>,
}

/// The rules; `None` when `known` is their version.
pub async fn rules(
    database: &Database,
    tenant: TenantId,
    environment: Environment,
    known: &str,
) -> Result<Option<Rules>, DatabaseError> {
    let mut tx = database.tenant(tenant).await?;
    let version: String = sqlx::query_scalar(
        "select concat_ws('.', k.many, k.newest, r.many, r.newest) from \
         (select count(*) as many, coalesce((extract(epoch from max(greatest(created_at, revoked_at))) * 1e6)::bigint, 0) as newest \
          from signing_key where tenant_id = $1 and environment = $2) k, \
         (select count(*) as many, coalesce((extract(epoch from max(revoked_at)) * 1e6)::bigint, 0) as newest \
          from playback_revocation where tenant_id = $1 and environment = $2) r",
    )
    .bind(tenant.as_str())
    .bind(environment.as_str())
    .fetch_one(&mut *tx)
    .await?;
    if version == known {
        return Ok(None);
    }
    let keys = sqlx::query_as(
        "select signing_key_id, algorithm, public_key from signing_key \
         where tenant_id = $1 and environment = $2 and revoked_at is null",
    )
    .bind(tenant.as_str())
    .bind(environment.as_str())
    .fetch_all(&mut *tx)
    .await?;
    let revocations = sqlx::query_as(
        "select kind, subject, (extract(epoch from revoked_at) * 1000)::bigint as revoked_ms from playback_revocation \
         where tenant_id = $1 and environment = $2 and revoked_at > now() - interval '31 days'",
    )
    .bind(tenant.as_str())
    .bind(environment.as_str())
    .fetch_all(&mut *tx)
    .await?;
    Ok(Some(Rules {
        version,
        keys,
        revocations,
    }))
}

/// Uses a single-use token up. `false`: somebody did before.
pub async fn use_up(
    database: &Database,
    tenant: TenantId,
    environment: Environment,
    token: &str,
) -> Result<bool, DatabaseError> {
    let mut tx = database.tenant(tenant).await?;
    let done = sqlx::query(
        "insert into playback_token_use (tenant_id, environment, token_id) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(environment.as_str())
    .bind(token)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Removes what concerns tokens that have expired anyway.
pub(crate) async fn forget_old(database: &Database) -> Result<(), DatabaseError> {
    let mut door = database.door(None).await?;
    for statement in [
        "delete from playback_revocation where revoked_at < now() - interval '32 days'",
        "delete from playback_token_use where used_at < now() - interval '32 days'",
    ] {
        sqlx::query(statement).execute(&mut *door).await?;
    }
    Ok(door.commit().await?)
}
