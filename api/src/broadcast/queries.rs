//! SQL of broadcasts, read only.

use headwater_model::{BroadcastId, ChannelId, PlaybackId, TenantId};
use sqlx::FromRow;

use super::{Broadcast, Kind, Resolved, Worker};
use crate::database::{Database, DatabaseError, id, word};

#[derive(FromRow)]
struct Row {
    tenant_id: String,
    channel_id: String,
    environment: String,
    policy: String,
    title: String,
    latency_mode: String,
    broadcast_id: Option<String>,
    state: Option<String>,
    replay_playback_id: Option<String>,
    started_ms: Option<i64>,
    unrecorded: Option<bool>,
    traceparent: Option<String>,
    worker_url: Option<String>,
    generation: Option<i64>,
}

/// The live broadcast is the latest; of ended ones, only those that left something to watch count, that nobody deletes, and that
/// are not more private than the playback id. One that was not recorded has been deleted since its end.
pub(super) async fn of_channel(
    database: &Database,
    playback_id: PlaybackId,
) -> Result<Option<Resolved>, DatabaseError> {
    let row: Option<Row> = sqlx::query_as(
        "select c.tenant_id, c.channel_id, c.environment, p.policy, c.title, coalesce(b.latency_mode, c.latency_mode) as latency_mode, \
                b.broadcast_id, b.state, b.playback_id as replay_playback_id, \
                (extract(epoch from b.started_at) * 1000)::bigint as started_ms, b.recording = 'none' as unrecorded, \
                b.traceparent, \
                case when b.state <> 'ended' then l.worker_url end as worker_url, l.generation \
         from playback_id p \
         join channel c on c.channel_id = p.channel_id \
         left join lateral (select o.* from broadcast o left join asset a on a.broadcast_id = o.broadcast_id \
                            where o.channel_id = c.channel_id \
                            and (o.state <> 'ended' or (o.duration_ms > 0 and a.deletes_at is null \
                                 and (p.policy = 'signed' or a.policy is distinct from 'signed'))) \
                            order by o.started_at desc, o.broadcast_id limit 1) b on true \
         left join lease l on l.broadcast_id = b.broadcast_id \
         where p.playback_id = $1",
    )
    .bind(playback_id.as_str())
    .fetch_optional(database.pool())
    .await?;
    row.map(|row| resolved(row, Kind::Channel)).transpose()
}

pub(super) async fn of_replay(database: &Database, playback_id: PlaybackId) -> Result<Option<Resolved>, DatabaseError> {
    let row: Option<Row> = sqlx::query_as(
        "select c.tenant_id, c.channel_id, c.environment, coalesce(a.policy, replay_policy(c.tenant_id, c.channel_id)) as policy, \
                c.title, \
                b.latency_mode, \
                b.broadcast_id, b.state, b.playback_id as replay_playback_id, \
                (extract(epoch from b.started_at) * 1000)::bigint as started_ms, b.recording = 'none' as unrecorded, \
                b.traceparent, \
                case when b.state <> 'ended' then l.worker_url end as worker_url, l.generation \
         from broadcast b \
         join channel c on c.channel_id = b.channel_id \
         left join asset a on a.broadcast_id = b.broadcast_id \
         left join lease l on l.broadcast_id = b.broadcast_id \
         where b.playback_id = $1 and a.deletes_at is null",
    )
    .bind(playback_id.as_str())
    .fetch_optional(database.pool())
    .await?;
    row.map(|row| resolved(row, Kind::Replay)).transpose()
}

fn resolved(row: Row, kind: Kind) -> Result<Resolved, DatabaseError> {
    let broadcast = match (row.broadcast_id, row.state, row.replay_playback_id) {
        (Some(broadcast_id), Some(state), Some(playback_id)) => Some(Broadcast {
            id: id(BroadcastId::parse(&broadcast_id))?,
            state: word(state.parse())?,
            playback_id: id(PlaybackId::parse(&playback_id))?,
            started_ms: row.started_ms.unwrap_or_default(),
            is_unrecorded: row.unrecorded.unwrap_or_default(),
            traceparent: row.traceparent.unwrap_or_default(),
            worker: row.worker_url.zip(row.generation).map(|(url, generation)| Worker {
                url,
                generation: generation.unsigned_abs(),
            }),
        }),
        _ => None,
    };
    Ok(Resolved {
        kind,
        tenant_id: id(TenantId::parse(&row.tenant_id))?,
        channel_id: id(ChannelId::parse(&row.channel_id))?,
        environment: word(row.environment.parse())?,
        is_signed: row.policy != "public",
        title: row.title,
        latency_mode: word(row.latency_mode.parse())?,
        broadcast,
    })
}
