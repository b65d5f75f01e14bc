//! SQL of channels and their playback ids.

use headwater_model::ladder::Policy;
use headwater_model::{ChannelId, PlaybackId, TenantId};
use sqlx::types::Json;

use super::{Created, Error, Found, New};
use crate::database::{Database, DatabaseError, id};
use crate::stream_key;

pub(super) async fn insert(database: &Database, new: &New, created: &Created) -> Result<(), Error> {
    let mut transaction = database.pool().begin().await.map_err(DatabaseError::from)?;
    sqlx::query(
        "insert into channel (channel_id, tenant_id, reference, title, latency_mode, reconnect_window_s, ladder) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(created.channel_id.as_str())
    .bind(new.tenant_id.as_str())
    .bind(&new.reference)
    .bind(&new.title)
    .bind(new.latency_mode.as_str())
    .bind(i32::try_from(new.reconnect_window_s).unwrap_or(i32::MAX))
    .bind(Json(&new.ladder))
    .execute(&mut *transaction)
    .await
    .map_err(|error| Error::of_write(error, new))?;
    sqlx::query("insert into playback_id (playback_id, tenant_id, channel_id) values ($1, $2, $3)")
        .bind(created.playback_id.as_str())
        .bind(new.tenant_id.as_str())
        .bind(created.channel_id.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(DatabaseError::from)?;
    let key = stream_key::New {
        tenant_id: new.tenant_id,
        channel_id: created.channel_id,
        key: created.stream_key.clone(),
        label: "first".to_owned(),
        expires_at: None,
    };
    stream_key::insert(&mut *transaction, created.stream_key_id, &key).await?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

pub(super) async fn by_reference(
    database: &Database,
    tenant: TenantId,
    reference: &str,
) -> Result<Option<Found>, DatabaseError> {
    let row: Option<(String, String)> = sqlx::query_as(
        "select c.channel_id, p.playback_id from channel c join playback_id p on p.channel_id = c.channel_id \
         where c.tenant_id = $1 and c.reference = $2 order by p.created_at, p.playback_id limit 1",
    )
    .bind(tenant.as_str())
    .bind(reference)
    .fetch_optional(database.pool())
    .await?;
    row.map(|(channel, playback)| {
        Ok(Found {
            channel_id: id(ChannelId::parse(&channel))?,
            playback_id: id(PlaybackId::parse(&playback))?,
        })
    })
    .transpose()
}

pub(super) async fn set_ladder(
    database: &Database,
    tenant: TenantId,
    channel: ChannelId,
    ladder: &Policy,
) -> Result<(), Error> {
    let done = sqlx::query("update channel set ladder = $3 where tenant_id = $1 and channel_id = $2")
        .bind(tenant.as_str())
        .bind(channel.as_str())
        .bind(Json(ladder))
        .execute(database.pool())
        .await
        .map_err(DatabaseError::from)?;
    match done.rows_affected() {
        0 => Err(Error::Unknown(channel)),
        _ => Ok(()),
    }
}
