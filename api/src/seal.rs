//! Sealing what must come back in the clear: AES-256-GCM, bound to what it belongs to.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use headwater_platform::{Process, Secret};

use crate::database::{Database, DatabaseError};

/// Seals `plain` so that it opens with `key` and the same `context` alone.
pub(crate) fn seal(key: &[u8; 32], context: &str, plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let nonce = cipher(key)
        .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut sealed)
        .expect("what is sealed here is far shorter than AES-GCM allows");
    [nonce.as_ref().as_slice(), &sealed].concat()
}

/// Opens what [`seal`] made; `None` for another key, another context, or damage.
pub(crate) fn open(key: &[u8; 32], context: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let mut rest = sealed.split_off(NONCE_LEN.min(sealed.len()));
    let nonce = Nonce::try_assume_unique_for_key(&sealed).ok()?;
    let aad = Aad::from(context.as_bytes());
    Some(cipher(key).open_in_place(nonce, aad, &mut rest).ok()?.to_vec())
}

fn cipher(key: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, key).expect("the key has the length of AES-256")
}

/// The installation's keys: the first one seals, every one opens, so that a new one can be put in front.
#[derive(Clone)]
pub struct Seals(Arc<[[u8; 32]]>);

impl Seals {
    /// From the operator's texts, which hold at least 128 random bits each; `fallback` where there are none.
    pub fn new(texts: &[Secret], fallback: &Secret) -> Self {
        let given: Vec<&Secret> = texts.iter().filter(|text| !text.reveal().is_empty()).collect();
        let texts = if given.is_empty() { vec![fallback] } else { given };
        Self(texts.into_iter().map(derive).collect())
    }

    pub(crate) fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        seal(&self.0[0], context, plain)
    }

    /// Whether there are keys that only open.
    pub(crate) fn has_older(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether the first key opens it.
    pub(crate) fn is_newest(&self, context: &str, sealed: &[u8]) -> bool {
        open(&self.0[0], context, sealed.to_vec()).is_some()
    }

    pub(crate) fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().find_map(|key| open(key, context, sealed.to_vec()))
    }
}

/// What is sealed to see later whether the keys still open what was sealed before.
const KNOWN: &str = "headwater seal check";
/// As readiness names it.
const PART: &str = "sealing keys";
/// How long to wait where PostgreSQL cannot be asked.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Ends with an error when the keys do not open what was sealed in this database before: webhooks would stand still, and second
/// factors could not be checked. Otherwise goes on until the process stops. What follows is sealed with the first key.
pub(crate) async fn watch(database: &Database, seals: &Seals, process: &Process) -> anyhow::Result<()> {
    let stop = &process.shutdown;
    process
        .health
        .unready(PART, "PostgreSQL was not asked yet whether they are the right ones");
    loop {
        match check(database, seals).await {
            Ok(true) => break,
            Ok(false) => anyhow::bail!(
                "what is kept sealed in the database does not open with HEADWATER_API_SEALING_KEYS, or, where that is empty, with \
                 HEADWATER_RPC_SECRET: put the key that sealed it, which may be the former HEADWATER_RPC_SECRET, at the end of \
                 HEADWATER_API_SEALING_KEYS"
            ),
            Err(DatabaseError(error)) => tracing::debug!("the sealing keys are checked later: {error}"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(ASK_AGAIN_AFTER) => {}
        }
    }
    process.health.ready(PART);
    stop.cancelled().await;
    Ok(())
}

async fn check(database: &Database, seals: &Seals) -> Result<bool, DatabaseError> {
    let mut door = database.door(None).await?;
    sqlx::query("insert into seal_check (sealed) values ($1) on conflict do nothing")
        .bind(seals.seal(KNOWN, KNOWN.as_bytes()))
        .execute(&mut *door)
        .await?;
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed from seal_check for update")
        .fetch_one(&mut *door)
        .await?;
    if seals.open(KNOWN, &sealed).is_none() {
        return Ok(false);
    }
    // A former key may be taken away only after everything was sealed anew; that the first one is needed shows from now on.
    if open(&seals.0[0], KNOWN, sealed).is_none() {
        sqlx::query("update seal_check set sealed = $1")
            .bind(seals.seal(KNOWN, KNOWN.as_bytes()))
            .execute(&mut *door)
            .await?;
    }
    door.commit().await?;
    Ok(true)
}

fn derive(text: &Secret) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, text.reveal().as_bytes());
    let tag = hmac::sign(&key, b"headwater sealing key");
    tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(texts: &[&str], fallback: &str) -> Seals {
        let texts: Vec<_> = texts.iter().map(|text| Secret::new(*text)).collect();
        Seals::new(&texts, &Secret::new(fallback))
    }

    #[test]
    fn a_new_key_in_front_opens_what_older_ones_sealed() {
        let sealed = seals(&[], "farm").seal("wh_1", b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(
            seals(&[""], "farm").open("wh_1", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(
            seals(&["new", "farm"], "x").open("wh_1", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(
            seals(&["new"], "farm").open("wh_1", &sealed),
            None,
            "given keys stand alone"
        );
        assert_eq!(seals(&[], "farm").open("wh_2", &sealed), None, "moved to another row");
        assert_eq!(seals(&[], "farm").open("wh_1", &[1, 2, 3]), None);
    }
}
