//! Broadcasts: opened, continued, reported on and finished. Every write is one transaction that looks first.

mod error;
mod queries;

use headwater_model::ladder::{Ladder, Source, Video};
use headwater_model::{BroadcastId, ChannelId, PlaybackId, PublishId, StreamKeyId, TenantId};
use sqlx::{PgConnection, PgPool};

pub use error::Error;
pub(crate) use queries::{
    Known, Unfinished, end_as_asked, finishing, give_up, mark_away, playback_ids, returned, unfinished,
};

use crate::plan::{FinishCause, Timestamp};

/// Publishes that one broadcast is continued by at most; a further one opens another.
pub const PUBLISHES_MAX: i32 = 10_000;
/// Each publish numbers its epochs from its own multiple of this, so that no two publishes share a number however
/// often either's clock jumps.
pub const EPOCHS_PER_PUBLISH: u32 = 65_536;
/// An edge's word on when the first unit came counts within this span before now, milliseconds: as long as a replay
/// buffer may hold media while no scheduler answers.
const ANCHOR_PAST_MAX_MS: i64 = 3_600_000;
/// And this span after, milliseconds.
const ANCHOR_FUTURE_MAX_MS: i64 = 5_000;

/// A publisher that wants to be on air.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) tenant_id: TenantId,
    pub(crate) channel_id: ChannelId,
    pub(crate) publish_id: PublishId,
    pub(crate) edge_url: String,
    /// By which key; an older edge does not say.
    pub(crate) stream_key_id: Option<StreamKeyId>,
    pub(crate) source: Source,
    /// Unix milliseconds of the first unit as the edge's clock tells it; 0 when it does not.
    pub(crate) start_wallclock_ms: i64,
    pub(crate) traceparent: String,
}

/// The broadcast that a publish belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) broadcast_id: BroadcastId,
    pub(crate) continued: bool,
    pub(crate) anchor_ms: i64,
    /// Counts the broadcast's publishes from 0.
    pub(crate) number: u32,
    /// Whether anything was written: `false` for a question asked twice.
    pub(crate) fresh: bool,
}

/// Opens a broadcast, or continues the channel's open one. Asking again for the same publish gives the same answer.
pub(crate) async fn open(pool: &PgPool, open: &Open, now: Timestamp) -> Result<Opened, Error> {
    let mut transaction = pool.begin().await?;
    let opened = open_in(&mut transaction, open, now).await?;
    transaction.commit().await?;
    Ok(opened)
}

async fn open_in(to: &mut PgConnection, open: &Open, now: Timestamp) -> Result<Opened, Error> {
    // Two publishes of one channel wait for each other; other channels do not.
    queries::lock_channel(to, open.channel_id).await?;
    if let Some(known) = queries::of_publish(to, open.publish_id).await? {
        return known.answer(open);
    }
    let channel = queries::channel(to, open)
        .await?
        .ok_or(Error::UnknownChannel(open.channel_id))?;
    let ladder = Ladder::fit(&channel.ladder, &open.source);
    if let Some(current) = queries::open_of_channel(to, open.channel_id).await? {
        let number = queries::publishes(to, current.broadcast_id).await?;
        if !current.window_over(now) && number < PUBLISHES_MAX {
            // A measured rate differs a little every time; the ladder changes only with the picture.
            let refit = !same_picture(&current.source, &open.source);
            queries::carry_on(to, &current, open, refit.then_some(&ladder), number, now).await?;
            return Ok(Opened {
                broadcast_id: current.broadcast_id,
                continued: true,
                anchor_ms: current.anchor_ms,
                number: number.unsigned_abs(),
                fresh: true,
            });
        }
        finishing(&mut *to, current.broadcast_id, None, FinishCause::Window, now).await?;
    }
    let new = queries::New {
        broadcast_id: BroadcastId::random(),
        playback_id: PlaybackId::random(),
        anchor_ms: anchor(open.start_wallclock_ms, now),
        channel: &channel,
        ladder: &ladder,
    };
    queries::insert(to, open, &new, now).await?;
    Ok(Opened {
        broadcast_id: new.broadcast_id,
        continued: false,
        anchor_ms: new.anchor_ms,
        number: 0,
        fresh: true,
    })
}

/// Unix milliseconds of timeline 0. An edge whose clock is far off is not believed.
fn anchor(start_wallclock_ms: i64, now: Timestamp) -> i64 {
    let believed = now.0 - ANCHOR_PAST_MAX_MS..=now.0 + ANCHOR_FUTURE_MAX_MS;
    if believed.contains(&start_wallclock_ms) {
        start_wallclock_ms
    } else {
        now.0
    }
}

/// Whether what a returning publisher sends can go on under the ladder made for what it sent before.
fn same_picture(before: &Source, after: &Source) -> bool {
    let shape = |source: &Source| {
        let video = source.video.map(
            |Video {
                 codec,
                 width,
                 height,
                 sar_num,
                 sar_den,
                 ..
             }| { (codec, width, height, sar_num, sar_den) },
        );
        (video, source.audio)
    };
    let rates = before
        .video
        .map_or(0, |v| v.fps_milli)
        .abs_diff(after.video.map_or(0, |v| v.fps_milli));
    shape(before) == shape(after) && rates <= before.video.map_or(0, |v| v.fps_milli) / 5
}

/// What an edge says of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Live,
    Away,
    Ended,
}

/// What a report came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    /// `false` for reports of a publish that another has taken over from, and for those that come twice.
    pub(crate) changed: bool,
    /// The broadcast has ended: nobody will ask its edge for anything any more.
    pub(crate) over: bool,
    /// It takes no more media.
    pub(crate) closed: bool,
}

/// Takes an edge's word on a publisher.
pub(crate) async fn report(
    pool: &PgPool,
    broadcast: BroadcastId,
    publish: PublishId,
    report: Report,
    now: Timestamp,
) -> Result<Reported, Error> {
    let changed = match report {
        Report::Live => returned(pool, broadcast, Some(publish)).await?,
        Report::Away => queries::publisher_away(pool, broadcast, publish, now).await?,
        Report::Ended => finishing(pool, broadcast, Some(publish), FinishCause::Publisher, now).await?,
    };
    // What has just changed is not over.
    let (over, closed) = match changed {
        true => (false, false),
        false => queries::standing(pool, broadcast)
            .await?
            .ok_or(Error::Unknown(broadcast))?,
    };
    Ok(Reported { changed, over, closed })
}

/// Takes a worker's word that its broadcast can be watched. False where that was known.
pub(crate) async fn playable(
    pool: &PgPool,
    broadcast: BroadcastId,
    generation: u64,
    now: Timestamp,
) -> Result<bool, Error> {
    if queries::playable(pool, broadcast, generation, now).await? {
        return Ok(true);
    }
    match queries::newest_generation(pool, broadcast).await? {
        None => Err(Error::Unknown(broadcast)),
        Some(newest) if newest == generation => Ok(false),
        Some(newest) => Err(Error::Fenced { broadcast, newest }),
    }
}

/// The end of a broadcast as its worker tells it.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) broadcast_id: BroadcastId,
    pub(crate) generation: u64,
    pub(crate) duration_ms: i64,
    pub(crate) size_bytes: u64,
    /// Why the replay is not whole; `None` when it is.
    pub(crate) error: Option<String>,
}

/// Ends a broadcast. Refused with [`Error::Fenced`] unless `generation` is that of its newest lease.
pub(crate) async fn finish(pool: &PgPool, finished: &Finished, now: Timestamp) -> Result<bool, Error> {
    if queries::end(pool, finished, now).await? {
        return Ok(true);
    }
    match queries::newest_generation(pool, finished.broadcast_id).await? {
        None => Err(Error::Unknown(finished.broadcast_id)),
        // It ended before: the worker did not hear the answer the first time.
        Some(newest) if newest == finished.generation => Ok(false),
        Some(newest) => Err(Error::Fenced {
            broadcast: finished.broadcast_id,
            newest,
        }),
    }
}
