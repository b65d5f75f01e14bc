//! SQL of stream keys.

use chrono::{DateTime, Utc};
use headwater_model::{ChannelId, PlaybackId, StreamKeyId, TenantId};
use sqlx::{FromRow, PgExecutor};

use super::{Error, Grant, New};
use crate::database::{Database, DatabaseError, id, word};

/// Also part of creating a channel, in that transaction.
pub(crate) async fn insert(to: impl PgExecutor<'_>, stream_key_id: StreamKeyId, new: &New) -> Result<(), Error> {
    sqlx::query(
        "insert into stream_key (stream_key_id, tenant_id, channel_id, key_sha256, label, expires_at, hint) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(stream_key_id.as_str())
    .bind(new.tenant_id.as_str())
    .bind(new.channel_id.as_str())
    .bind(new.key.sha256_hex())
    .bind(&new.label)
    .bind(new.expires_at)
    .bind(crate::secret::hint(new.key.expose()))
    .execute(to)
    .await
    .map_err(|error| Error::of_write(error, new.channel_id))?;
    Ok(())
}

pub(super) async fn revoke(database: &Database, tenant: TenantId, key: StreamKeyId) -> Result<(), Error> {
    let done = sqlx::query(
        "update stream_key set revoked_at = coalesce(revoked_at, now()) where stream_key_id = $1 and tenant_id = $2",
    )
    .bind(key.as_str())
    .bind(tenant.as_str())
    .execute(database.pool())
    .await
    .map_err(DatabaseError::from)?;
    if done.rows_affected() == 0 {
        return Err(Error::Unknown(key));
    }
    Ok(())
}

pub(super) struct Found {
    pub(super) grant: Grant,
    pub(super) revoked: bool,
    pub(super) suspended: bool,
    pub(super) disabled: bool,
    /// Its last use was not noted within the last minute.
    pub(super) idle: bool,
}

#[derive(FromRow)]
struct Row {
    stream_key_id: String,
    tenant_id: String,
    channel_id: String,
    playback_id: String,
    expires_at: Option<DateTime<Utc>>,
    revoked: bool,
    suspended: bool,
    disabled: bool,
    idle: bool,
    latency_mode: String,
    reconnect_window_s: i32,
    bitrate_max_bps: Option<i64>,
}

pub(super) async fn by_hash(database: &Database, sha256_hex: &str) -> Result<Option<Found>, DatabaseError> {
    let row: Option<Row> = sqlx::query_as(
        "select k.stream_key_id, k.tenant_id, k.channel_id, p.playback_id, k.expires_at, \
                k.revoked_at is not null as revoked, t.suspended_at is not null as suspended, \
                c.disabled_at is not null as disabled, \
                coalesce(k.last_used_at < now() - interval '1 minute', true) as idle, \
                c.latency_mode, c.reconnect_window_s, c.bitrate_max_bps \
         from stream_key k \
         join tenant t on t.tenant_id = k.tenant_id \
         join channel c on c.channel_id = k.channel_id \
         join lateral (select playback_id from playback_id where channel_id = k.channel_id \
                       order by created_at, playback_id limit 1) p on true \
         where k.key_sha256 = $1",
    )
    .bind(sha256_hex)
    .fetch_optional(database.pool())
    .await?;
    row.map(found).transpose()
}

/// Notes that a key let somebody in.
pub(super) async fn used(database: &Database, key: StreamKeyId) -> Result<(), DatabaseError> {
    sqlx::query("update stream_key set last_used_at = now() where stream_key_id = $1")
        .bind(key.as_str())
        .execute(database.pool())
        .await?;
    Ok(())
}

fn found(row: Row) -> Result<Found, DatabaseError> {
    Ok(Found {
        revoked: row.revoked,
        suspended: row.suspended,
        disabled: row.disabled,
        idle: row.idle,
        grant: Grant {
            tenant_id: id(TenantId::parse(&row.tenant_id))?,
            channel_id: id(ChannelId::parse(&row.channel_id))?,
            stream_key_id: id(StreamKeyId::parse(&row.stream_key_id))?,
            playback_id: id(PlaybackId::parse(&row.playback_id))?,
            latency_mode: word(row.latency_mode.parse())?,
            reconnect_window_s: row.reconnect_window_s.unsigned_abs(),
            bitrate_max_bps: row.bitrate_max_bps.map(i64::unsigned_abs),
            expires_at: row.expires_at,
        },
    })
}
