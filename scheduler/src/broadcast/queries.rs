//! SQL of broadcasts and publishes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use headwater_model::ladder::{Policy, Source};
use headwater_model::{BroadcastId, BroadcastState, ChannelId, Ladder, PlaybackId, PublishId, TenantId, WorkerId};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Row as _};

use super::{Error, Finished, Open, Opened};
use crate::clock::{from_utc, to_utc};
use crate::database::{DatabaseError, id, word};
use crate::plan::{Acked, Away, AwayCause, BroadcastView, FinishCause, Finishing, LeaseView, Timestamp};

type Result<T> = std::result::Result<T, DatabaseError>;

pub(super) async fn lock_channel(on: &mut PgConnection, channel: ChannelId) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(channel.as_str())
        .execute(on)
        .await?;
    Ok(())
}

/// A channel's settings as a broadcast takes them over.
pub(super) struct Channel {
    pub(super) ladder: Policy,
    latency_mode: String,
    reconnect_window_s: i32,
    recording: String,
}

pub(super) async fn channel(on: &mut PgConnection, open: &Open) -> Result<Option<Channel>> {
    let row: Option<(Json<Policy>, String, i32, String)> = sqlx::query_as(
        "select ladder, latency_mode, reconnect_window_s, recording from channel where channel_id = $1 and tenant_id = $2",
    )
    .bind(open.channel_id.as_str())
    .bind(open.tenant_id.as_str())
    .fetch_optional(on)
    .await?;
    Ok(
        row.map(|(Json(ladder), latency_mode, reconnect_window_s, recording)| Channel {
            ladder,
            latency_mode,
            reconnect_window_s,
            recording,
        }),
    )
}

/// A publish that was opened before.
#[derive(FromRow)]
pub(super) struct KnownPublish {
    broadcast_id: String,
    channel_id: String,
    current_publish_id: String,
    state: String,
    anchor_ms: i64,
    number: i32,
}

impl KnownPublish {
    /// The answer that was given, if it still holds.
    pub(super) fn answer(self, open: &Open) -> std::result::Result<Opened, Error> {
        let state: BroadcastState = word(self.state.parse())?;
        if self.channel_id != open.channel_id.as_str() {
            return Err(Error::Elsewhere(open.publish_id));
        }
        if self.current_publish_id != open.publish_id.as_str() {
            return Err(Error::TakenOver(open.publish_id));
        }
        if !state.open() {
            return Err(Error::Over(open.publish_id));
        }
        Ok(Opened {
            broadcast_id: id(BroadcastId::parse(&self.broadcast_id))?,
            continued: self.number > 0,
            anchor_ms: self.anchor_ms,
            number: self.number.unsigned_abs(),
            fresh: false,
        })
    }
}

pub(super) async fn of_publish(on: &mut PgConnection, publish: PublishId) -> Result<Option<KnownPublish>> {
    Ok(sqlx::query_as(
        "select b.broadcast_id, b.channel_id, b.publish_id as current_publish_id, b.state, b.anchor_ms, p.number \
         from publish p join broadcast b on b.broadcast_id = p.broadcast_id where p.publish_id = $1",
    )
    .bind(publish.as_str())
    .fetch_optional(on)
    .await?)
}

/// A channel's open broadcast.
pub(super) struct Current {
    pub(super) broadcast_id: BroadcastId,
    pub(super) anchor_ms: i64,
    pub(super) source: Source,
    away_at: Option<DateTime<Utc>>,
    reconnect_window_s: i32,
}

#[derive(FromRow)]
struct CurrentRow {
    broadcast_id: String,
    anchor_ms: i64,
    source: Json<Source>,
    away_at: Option<DateTime<Utc>>,
    reconnect_window_s: i32,
}

impl Current {
    /// Whether its publisher has been away for too long to come back.
    pub(super) fn window_over(&self, now: Timestamp) -> bool {
        self.away_at
            .is_some_and(|at| now.ms_since(from_utc(at)) > i64::from(self.reconnect_window_s) * 1_000)
    }
}

pub(super) async fn open_of_channel(on: &mut PgConnection, channel: ChannelId) -> Result<Option<Current>> {
    let row: Option<CurrentRow> = sqlx::query_as(
        "select broadcast_id, anchor_ms, source, away_at, reconnect_window_s from broadcast \
         where channel_id = $1 and state in ('connecting', 'live', 'reconnecting') for update",
    )
    .bind(channel.as_str())
    .fetch_optional(on)
    .await?;
    row.map(|row| {
        Ok(Current {
            broadcast_id: id(BroadcastId::parse(&row.broadcast_id))?,
            anchor_ms: row.anchor_ms,
            source: row.source.0,
            away_at: row.away_at,
            reconnect_window_s: row.reconnect_window_s,
        })
    })
    .transpose()
}

/// How many publishes a broadcast has had: the number of the next.
pub(super) async fn publishes(on: &mut PgConnection, broadcast: BroadcastId) -> Result<i32> {
    Ok(
        sqlx::query_scalar("select coalesce(max(number) + 1, 0) from publish where broadcast_id = $1")
            .bind(broadcast.as_str())
            .fetch_one(on)
            .await?,
    )
}

/// The next publish goes on where the last one stopped; `refit` is its ladder where that differs.
pub(super) async fn carry_on(
    on: &mut PgConnection,
    current: &Current,
    open: &Open,
    refit: Option<&Ladder>,
    number: i32,
    now: Timestamp,
) -> Result<()> {
    insert_publish(&mut *on, open, current.broadcast_id, number, now).await?;
    sqlx::query(
        "update broadcast set state = case when playable_at is null then 'connecting' else 'live' end, \
                away_at = null, away_cause = null, publish_id = $2, edge_url = $3, \
                source = case when $4::jsonb is null then source else $5 end, ladder = coalesce($4::jsonb, ladder) \
         where broadcast_id = $1",
    )
    .bind(current.broadcast_id.as_str())
    .bind(open.publish_id.as_str())
    .bind(&open.edge_url)
    .bind(refit.map(Json))
    .bind(Json(&open.source))
    .execute(on)
    .await?;
    Ok(())
}

/// A broadcast to write.
pub(super) struct New<'a> {
    pub(super) broadcast_id: BroadcastId,
    pub(super) playback_id: PlaybackId,
    pub(super) anchor_ms: i64,
    pub(super) channel: &'a Channel,
    pub(super) ladder: &'a Ladder,
}

pub(super) async fn insert(on: &mut PgConnection, open: &Open, new: &New<'_>, now: Timestamp) -> Result<()> {
    sqlx::query(
        "insert into broadcast (broadcast_id, tenant_id, channel_id, playback_id, state, latency_mode, \
                reconnect_window_s, publish_id, edge_url, anchor_ms, source, ladder, traceparent, started_at, recording) \
         values ($1, $2, $3, $4, 'connecting', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(new.broadcast_id.as_str())
    .bind(open.tenant_id.as_str())
    .bind(open.channel_id.as_str())
    .bind(new.playback_id.as_str())
    .bind(&new.channel.latency_mode)
    .bind(new.channel.reconnect_window_s)
    .bind(open.publish_id.as_str())
    .bind(&open.edge_url)
    .bind(new.anchor_ms)
    .bind(Json(&open.source))
    .bind(Json(new.ladder))
    .bind(&open.traceparent)
    .bind(to_utc(now))
    .bind(&new.channel.recording)
    .execute(&mut *on)
    .await?;
    insert_publish(on, open, new.broadcast_id, 0, now).await
}

async fn insert_publish(
    on: &mut PgConnection,
    open: &Open,
    broadcast: BroadcastId,
    number: i32,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into publish (publish_id, broadcast_id, tenant_id, number, edge_url, opened_at, stream_key_id) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(open.publish_id.as_str())
    .bind(broadcast.as_str())
    .bind(open.tenant_id.as_str())
    .bind(number)
    .bind(&open.edge_url)
    .bind(to_utc(now))
    .bind(open.stream_key_id.map(|key| key.to_string()))
    .execute(on)
    .await?;
    Ok(())
}

/// Whether a broadcast has ended, and whether it takes no more media; `None` for one that never was.
pub(super) async fn standing(on: &PgPool, broadcast: BroadcastId) -> Result<Option<(bool, bool)>> {
    Ok(sqlx::query_as(
        "select state = 'ended', state in ('finishing', 'ended') \
                or exists (select from broadcast_end e where e.broadcast_id = b.broadcast_id) \
         from broadcast b where broadcast_id = $1",
    )
    .bind(broadcast.as_str())
    .fetch_optional(on)
    .await?)
}

/// It can be watched; an old generation's word does not count.
pub(super) async fn playable(on: &PgPool, broadcast: BroadcastId, generation: u64, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast b set playable_at = $3, state = case when b.state = 'connecting' then 'live' else b.state end \
         from lease l \
         where b.broadcast_id = $1 and l.broadcast_id = b.broadcast_id and l.generation = $2 \
           and b.playable_at is null and b.state <> 'ended'",
    )
    .bind(broadcast.as_str())
    .bind(i64::try_from(generation).unwrap_or(i64::MAX))
    .bind(to_utc(now))
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Those that their owners want to end go no further; their ids.
pub(crate) async fn end_as_asked(on: &mut PgConnection, now: Timestamp) -> Result<Vec<BroadcastId>> {
    let ended: Vec<String> = sqlx::query_scalar(
        "update broadcast b set state = 'finishing', away_at = null, away_cause = null, \
                finishing_at = $1, finishing_cause = 'owner' \
         from broadcast_end e \
         where e.broadcast_id = b.broadcast_id and b.state in ('connecting', 'live', 'reconnecting') \
         returning b.broadcast_id",
    )
    .bind(to_utc(now))
    .fetch_all(on)
    .await?;
    ended.iter().map(|ended| id(BroadcastId::parse(ended))).collect()
}

/// One that was away goes on: its `publish` is back, or, where none is named, the worker has the edge again.
pub(crate) async fn returned(
    on: impl PgExecutor<'_>,
    broadcast: BroadcastId,
    publish: Option<PublishId>,
) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast set state = case when playable_at is null then 'connecting' else 'live' end, \
                away_at = null, away_cause = null \
         where broadcast_id = $1 and state = 'reconnecting' \
           and case when $2::text is null then away_cause = 'link' else publish_id = $2 end",
    )
    .bind(broadcast.as_str())
    .bind(publish.as_ref().map(PublishId::as_str))
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn publisher_away(
    on: &PgPool,
    broadcast: BroadcastId,
    publish: PublishId,
    now: Timestamp,
) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast set state = 'reconnecting', away_at = coalesce(away_at, $3), away_cause = 'publisher' \
         where broadcast_id = $1 and publish_id = $2 \
           and (state in ('connecting', 'live') or (state = 'reconnecting' and away_cause = 'link'))",
    )
    .bind(broadcast.as_str())
    .bind(publish.as_str())
    .bind(to_utc(now))
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nobody may continue it any more: its `publish` has ended, or, where none is named, whichever it has.
pub(crate) async fn finishing(
    on: impl PgExecutor<'_>,
    broadcast: BroadcastId,
    publish: Option<PublishId>,
    cause: FinishCause,
    now: Timestamp,
) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast set state = 'finishing', away_at = null, away_cause = null, \
                finishing_at = $3, finishing_cause = case when $2::text is not null and exists (select from broadcast_end e \
                    where e.broadcast_id = broadcast.broadcast_id) then 'owner' else $4 end \
         where broadcast_id = $1 and ($2::text is null or publish_id = $2) \
           and state in ('connecting', 'live', 'reconnecting')",
    )
    .bind(broadcast.as_str())
    .bind(publish.as_ref().map(PublishId::as_str))
    .bind(to_utc(now))
    .bind(match cause {
        FinishCause::Publisher => "publisher",
        FinishCause::Window => "window",
    })
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The worker has lost the edge. Only a live broadcast can be away.
pub(crate) async fn mark_away(on: &mut PgConnection, broadcast: BroadcastId, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast set state = 'reconnecting', away_at = $2, away_cause = 'link' \
         where broadcast_id = $1 and state in ('connecting', 'live')",
    )
    .bind(broadcast.as_str())
    .bind(to_utc(now))
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nobody has written its replay, and nobody will.
pub(crate) async fn give_up(on: &mut PgConnection, broadcast: BroadcastId, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast set state = 'ended', ended_at = $2, error = 'no worker was there to write the replay' \
         where broadcast_id = $1 and state = 'finishing'",
    )
    .bind(broadcast.as_str())
    .bind(to_utc(now))
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn end(on: &PgPool, finished: &Finished, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(
        "update broadcast b set state = 'ended', away_at = null, away_cause = null, \
                finishing_at = coalesce(b.finishing_at, $3), finishing_cause = coalesce(b.finishing_cause, 'worker'), \
                ended_at = $3, duration_ms = $4, size_bytes = $5, error = $6 \
         from lease l \
         where b.broadcast_id = $1 and l.broadcast_id = b.broadcast_id and l.generation = $2 and b.state <> 'ended'",
    )
    .bind(finished.broadcast_id.as_str())
    .bind(i64::try_from(finished.generation).unwrap_or(i64::MAX))
    .bind(to_utc(now))
    .bind(finished.duration_ms)
    .bind(i64::try_from(finished.size_bytes).unwrap_or(i64::MAX))
    .bind(&finished.error)
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn newest_generation(on: &PgPool, broadcast: BroadcastId) -> Result<Option<u64>> {
    let generation: Option<i64> = sqlx::query_scalar("select generation from lease where broadcast_id = $1")
        .bind(broadcast.as_str())
        .fetch_optional(on)
        .await?;
    Ok(generation.map(i64::unsigned_abs))
}

/// Every public id that shows this broadcast, or may.
pub(crate) async fn playback_ids(on: &PgPool, broadcast: BroadcastId) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select playback_id from broadcast where broadcast_id = $1 \
         union all select p.playback_id from playback_id p join broadcast b on b.channel_id = p.channel_id \
         where b.broadcast_id = $1",
    )
    .bind(broadcast.as_str())
    .fetch_all(on)
    .await?)
}

/// An unfinished broadcast: what the planner sees, and what a worker is told beside it.
pub(crate) struct Known {
    pub(crate) id: BroadcastId,
    pub(crate) view: BroadcastView,
    pub(crate) tenant_id: TenantId,
    pub(crate) channel_id: ChannelId,
    pub(crate) latency_mode: String,
    pub(crate) anchor_ms: i64,
    pub(crate) traceparent: String,
    /// Where the holder of the lease was reached when it was granted.
    pub(crate) worker_url: Option<String>,
}

#[derive(FromRow)]
struct Row {
    broadcast_id: String,
    tenant_id: String,
    channel_id: String,
    state: String,
    latency_mode: String,
    reconnect_window_s: i32,
    edge_url: String,
    anchor_ms: i64,
    traceparent: String,
    wanted: Json<Ladder>,
    started_at: DateTime<Utc>,
    away_at: Option<DateTime<Utc>>,
    away_cause: Option<String>,
    finishing_at: Option<DateTime<Utc>>,
    finishing_cause: Option<String>,
    generation: Option<i64>,
    worker_id: Option<String>,
    worker_url: Option<String>,
    leased: Option<Json<Ladder>>,
    leased_wanted: Option<Json<Ladder>>,
    acked_edge_url: Option<String>,
    acked_at: Option<DateTime<Utc>>,
}

/// Every broadcast that has not ended, with its lease.
#[derive(Default)]
pub(crate) struct Unfinished {
    pub(crate) known: BTreeMap<BroadcastId, Known>,
    /// Ids of rows that this build cannot read: left alone, so that one row stops one broadcast and not the farm.
    pub(crate) unreadable: BTreeSet<String>,
}

pub(crate) async fn unfinished(on: &mut PgConnection) -> Result<Unfinished> {
    let rows = sqlx::query(
        "select b.broadcast_id, b.tenant_id, b.channel_id, b.state, b.latency_mode, b.reconnect_window_s, b.edge_url, \
                b.anchor_ms, b.traceparent, b.ladder as wanted, b.started_at, b.away_at, b.away_cause, \
                b.finishing_at, b.finishing_cause, l.generation, l.worker_id, l.worker_url, l.ladder as leased, \
                l.wanted as leased_wanted, l.acked_edge_url, l.acked_at \
         from broadcast b left join lease l on l.broadcast_id = b.broadcast_id where b.state <> 'ended'",
    )
    .fetch_all(on)
    .await?;
    let mut unfinished = Unfinished::default();
    for row in &rows {
        match Row::from_row(row).map_err(DatabaseError).and_then(known) {
            Ok(known) => {
                unfinished.known.insert(known.id, known);
            }
            Err(DatabaseError(error)) => {
                let id: String = row.try_get("broadcast_id")?;
                tracing::error!(
                    broadcast.id = id,
                    "broadcast {id} is left alone: its row cannot be read: {error}"
                );
                unfinished.unreadable.insert(id);
            }
        }
    }
    Ok(unfinished)
}

fn known(row: Row) -> Result<Known> {
    let lease = match (row.generation, row.worker_id, row.leased, row.leased_wanted) {
        (Some(generation), Some(worker), Some(Json(ladder)), Some(Json(wanted))) => Some(LeaseView {
            generation: generation.unsigned_abs(),
            worker: id(WorkerId::parse(&worker))?,
            ladder,
            wanted,
            acked: row.acked_edge_url.zip(row.acked_at).map(|(edge_url, at)| Acked {
                edge_url,
                at: from_utc(at),
            }),
        }),
        _ => None,
    };
    let away = row.away_at.zip(row.away_cause).map(|(at, cause)| Away {
        since: from_utc(at),
        cause: if cause == "link" {
            AwayCause::Link
        } else {
            AwayCause::Publisher
        },
    });
    let finishing = row.finishing_at.zip(row.finishing_cause).map(|(at, cause)| Finishing {
        since: from_utc(at),
        // What its owner has ended waits for its edge as long as what has run out of time.
        cause: if cause == "publisher" {
            FinishCause::Publisher
        } else {
            FinishCause::Window
        },
    });
    Ok(Known {
        id: id(BroadcastId::parse(&row.broadcast_id))?,
        tenant_id: id(TenantId::parse(&row.tenant_id))?,
        channel_id: id(ChannelId::parse(&row.channel_id))?,
        latency_mode: row.latency_mode,
        anchor_ms: row.anchor_ms,
        traceparent: row.traceparent,
        worker_url: row.worker_url,
        view: BroadcastView {
            state: word(row.state.parse())?,
            opened_at: from_utc(row.started_at),
            edge_url: row.edge_url,
            wanted: row.wanted.0,
            window_ms: i64::from(row.reconnect_window_s) * 1_000,
            away,
            finishing,
            lease,
        },
    })
}
