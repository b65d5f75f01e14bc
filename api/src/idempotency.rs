//! Idempotency keys: a change asked for twice is made once and answered twice.
//!
//! The key is noted in the transaction of the change itself, so there is no moment in which one exists without the other.
//! The answer follows. It may show a secret, so it is sealed with a key that is made from the caller's credential, of which
//! only a hash is stored: the database alone does not yield it.

use std::sync::atomic::{AtomicBool, Ordering};

use headwater_model::TenantId;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::database::{Database, DatabaseError};
use crate::problem::{Answer, Problem};
use crate::seal;
use crate::secret::{hex, sha256_hex};

/// Characters of a key at most.
pub const KEY_CHARS_MAX: usize = 255;
/// Bytes of an answer that is kept; a longer one is not, and asking again is a conflict.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// One request under a key.
pub struct Repeat {
    tenant: TenantId,
    actor: String,
    key_sha256: String,
    request_sha256: String,
    seal: [u8; 32],
    noted: AtomicBool,
}

impl Repeat {
    /// `actor` is the id of the session or token, `credential` its secret, `request` the body as it came.
    pub(crate) fn new(tenant: TenantId, actor: String, credential: &str, key: &str, request: &[u8]) -> Self {
        let seal = Sha256::new()
            .chain_update(b"headwater idempotent answer\0")
            .chain_update(credential)
            .chain_update(b"\0")
            .chain_update(key)
            .finalize();
        Self {
            tenant,
            actor,
            key_sha256: sha256_hex(key),
            request_sha256: hex(&Sha256::digest(request)),
            seal: seal.into(),
            noted: AtomicBool::new(false),
        }
    }

    /// The answer that was given before; `None` when the key is new.
    pub(crate) async fn answered(&self, database: &Database) -> Answer<Option<Vec<u8>>> {
        let row: Option<(String, Option<Vec<u8>>)> = sqlx::query_as(
            "select request_sha256, answer from idempotency \
             where tenant_id = $1 and actor_id = $2 and key_sha256 = $3 and created_at > now() - interval '24 hours'",
        )
        .bind(self.tenant.as_str())
        .bind(&self.actor)
        .bind(&self.key_sha256)
        .fetch_optional(database.pool())
        .await?;
        let Some((request, answer)) = row else { return Ok(None) };
        if request != self.request_sha256 {
            return Err(Problem::conflict(
                "This idempotency key was used for another request in the last 24 hours.",
            ));
        }
        let opened = answer.and_then(|sealed| self.open(sealed));
        opened.map(Some).ok_or_else(in_progress)
    }

    /// Notes the key as part of a change; the first of a request does it for all.
    pub(crate) async fn note(&self, on: &mut PgConnection) -> Answer<()> {
        if self.noted.load(Ordering::Acquire) {
            return Ok(());
        }
        let done = sqlx::query(
            "insert into idempotency (tenant_id, actor_id, key_sha256, request_sha256) values ($1, $2, $3, $4) \
             on conflict on constraint idempotency_pkey do update \
             set request_sha256 = excluded.request_sha256, created_at = now(), answer = null \
             where idempotency.created_at <= now() - interval '24 hours'",
        )
        .bind(self.tenant.as_str())
        .bind(&self.actor)
        .bind(&self.key_sha256)
        .bind(&self.request_sha256)
        .execute(on)
        .await?;
        if done.rows_affected() == 0 {
            return Err(in_progress());
        }
        Ok(())
    }

    /// The change was made: later ones of this request need not note it again.
    pub(crate) fn committed(&self) {
        self.noted.store(true, Ordering::Release);
    }

    /// Keeps the answer for the next time, if anything was changed.
    pub(crate) async fn keep(&self, database: &Database, answer: &[u8]) -> Result<(), DatabaseError> {
        if !self.noted.load(Ordering::Acquire) || answer.len() > ANSWER_BYTES_MAX {
            return Ok(());
        }
        let mut tx = database.tenant(self.tenant).await?;
        sqlx::query("update idempotency set answer = $4 where tenant_id = $1 and actor_id = $2 and key_sha256 = $3")
            .bind(self.tenant.as_str())
            .bind(&self.actor)
            .bind(&self.key_sha256)
            .bind(self.seal(answer))
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    fn seal(&self, answer: &[u8]) -> Vec<u8> {
        seal::seal(&self.seal, &self.request_sha256, answer)
    }

    fn open(&self, sealed: Vec<u8>) -> Option<Vec<u8>> {
        seal::open(&self.seal, &self.request_sha256, sealed)
    }
}

fn in_progress() -> Problem {
    Problem::conflict("The first request with this idempotency key has not been answered, or its answer was lost.")
}

/// Removes keys whose time is over.
pub(crate) async fn forget_old(database: &Database) -> Result<u64, DatabaseError> {
    let mut door = database.door(None).await?;
    let done = sqlx::query("delete from idempotency where created_at <= now() - interval '24 hours'")
        .execute(&mut *door)
        .await?;
    door.commit().await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(credential: &str) -> Repeat {
        Repeat::new(TenantId::numbered(1), "tok_x".into(), credential, "key", b"body")
    }

    #[test]
    fn an_answer_opens_with_the_callers_credential_alone() {
        let sealed = repeat("hw_live_secret").seal(b"sk_shown_once");
        assert!(!sealed.windows(4).any(|w| w == b"sk_s"), "the answer is not readable");
        assert_eq!(
            repeat("hw_live_secret").open(sealed.clone()).as_deref(),
            Some(&b"sk_shown_once"[..])
        );
        assert_eq!(repeat("hw_live_other").open(sealed), None);
        assert_eq!(repeat("hw_live_secret").open(vec![1, 2]), None);
    }
}
