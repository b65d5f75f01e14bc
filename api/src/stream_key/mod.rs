//! Stream keys: who may publish to a channel.

mod error;
mod managed;
mod queries;

use std::time::Instant;

use chrono::{DateTime, Utc};
use headwater_model::{ChannelId, LatencyMode, PlaybackId, StreamKey, StreamKeyId, TenantId};

pub use error::{Error, Refusal};
pub use managed::{Key, by_id, create_for, end, lists, rotate, update};
pub(crate) use managed::{revoke_all, tell_edges};
pub(crate) use queries::insert;

use crate::{Database, DatabaseError};

/// A new key for a channel.
#[derive(Debug)]
pub struct New {
    /// Whose channel.
    pub tenant_id: TenantId,
    /// Which channel.
    pub channel_id: ChannelId,
    /// The key itself; only its hash is kept.
    pub key: StreamKey,
    /// The owner's words for it.
    pub label: String,
    /// From when on it lets nobody in; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What the holder of a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose channel.
    pub tenant_id: TenantId,
    /// Which channel.
    pub channel_id: ChannelId,
    /// Which of its keys.
    pub stream_key_id: StreamKeyId,
    /// Where the channel plays; the oldest of its playback ids.
    pub playback_id: PlaybackId,
    /// The channel's setting.
    pub latency_mode: LatencyMode,
    /// Seconds.
    pub reconnect_window_s: u32,
    /// Bits/s over ten seconds; `None`: the edge's own limit.
    pub bitrate_max_bps: Option<u64>,
    /// From when on the key lets nobody in.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Adds a key to a channel. Any number live side by side.
pub async fn create(database: &Database, new: New) -> Result<StreamKeyId, Error> {
    let stream_key_id = StreamKeyId::random();
    insert(database.pool(), stream_key_id, &new).await?;
    tracing::info!(channel.id = %new.channel_id, "created stream key {stream_key_id} of {}", new.channel_id);
    Ok(stream_key_id)
}

/// Lets a key in no more. Revoking twice is once; a key of another tenant is unknown.
pub async fn revoke(database: &Database, tenant: TenantId, key: StreamKeyId) -> Result<(), Error> {
    queries::revoke(database, tenant, key).await?;
    tracing::info!(tenant.id = %tenant, "revoked stream key {key}");
    Ok(())
}

/// Whose key this is and what it allows at `now`. `text` is what the publisher sent; it is never logged.
pub async fn authorize(database: &Database, text: &str, now: DateTime<Utc>) -> Result<Grant, Refusal> {
    let begun = Instant::now();
    let answer = decide(database, text, now).await;
    let outcome = match &answer {
        Ok(_) => "granted",
        Err(refusal) => refusal.code(),
    };
    metrics::histogram!("api_authorize_seconds").record(begun.elapsed().as_secs_f64());
    metrics::counter!("api_authorize_total", "outcome" => outcome).increment(1);
    answer
}

async fn decide(database: &Database, text: &str, now: DateTime<Utc>) -> Result<Grant, Refusal> {
    let key = StreamKey::parse(text).map_err(|_| Refusal::Malformed)?;
    let found = queries::by_hash(database, &key.sha256_hex())
        .await?
        .ok_or(Refusal::Unknown)?;
    if found.revoked {
        return Err(Refusal::Revoked);
    }
    if let Some(at) = found.grant.expires_at.filter(|at| *at <= now) {
        return Err(Refusal::Expired { at });
    }
    if found.suspended {
        return Err(Refusal::Suspended);
    }
    if found.disabled {
        return Err(Refusal::Disabled);
    }
    if found.idle {
        // A note that is lost is made the next time.
        if let Err(DatabaseError(error)) = queries::used(database, found.grant.stream_key_id).await {
            tracing::debug!("the use of a stream key was not noted: {error}");
        }
    }
    Ok(found.grant)
}
