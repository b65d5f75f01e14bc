//! A broadcast on this edge: from a publisher's first media to the moment its last second is stored.
//!
//! [`Registry`] knows which channel is live here. A [`Publisher`] (one accepted publish, whatever its protocol)
//! joins its channel's [`Broadcast`] with its first media and takes the place of one that was there. When it drops,
//! the broadcast waits for the channel's reconnect window; the next publisher continues it with a new epoch. The
//! `control` task of each broadcast tells the scheduler, as often as it takes: the media waits in the replay buffer.

mod control;
mod pace;
mod publisher;
mod registry;
mod scheduler;
mod swap;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_media::normalise::{Counters, Start};
use headwater_media::{Epoch, EpochCause};
use headwater_model::convert::{epoch_to_proto, track_to_proto};
use headwater_model::proto::scheduler::{OpenBroadcastRequest, OpenBroadcastResponse};
use headwater_model::{BroadcastId, PublishId, health};
use headwater_platform::hints::Entry;
use metrics::counter;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{info, warn};

pub use publisher::{Bounds, Closer, Publisher, Stop};
pub use registry::{Deps, NotNow, Registry};
pub use scheduler::Scheduler;

use crate::health::{Health, Link, RoundTrips};
use crate::key::Grant;
use crate::replay_buffer::{Item, ReplayBuffer};

/// Why the edge ends a publish. `Display` is for the streamer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Close {
    /// A newer publisher has the channel.
    #[error("Another encoder has started publishing with the same stream key and has taken over.")]
    TakenOver,
    /// The scheduler refuses the broadcast.
    #[error("{0}")]
    Refused(String),
    /// The key was revoked, or its owner suspended, while live.
    #[error("{0}")]
    Revoked(String),
    /// Its owner has ended the broadcast.
    #[error("The broadcast was ended by its owner. Start streaming again to begin a new one.")]
    Ended,
    /// The broadcast that this publish continued has been closed elsewhere.
    #[error("The broadcast was closed. Connect again to start a new one.")]
    Superseded,
}

/// How a publish came to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum Leave {
    /// The publisher said goodbye: the broadcast ends.
    Clean,
    /// It is gone, for this reason, and may come back.
    Dropped(String),
    /// It is not to come back, for this reason.
    Ended(String),
}

/// The edge's end of one publish, to close it by.
#[derive(Clone, Debug)]
struct Handle {
    id: PublishId,
    /// What it comes over, where that is a TCP connection.
    link: Option<Link>,
    close: watch::Sender<Option<Close>>,
}

impl Handle {
    fn close(&self, why: Close) {
        self.close.send_if_modified(|close| {
            let first = close.is_none();
            if first {
                *close = Some(why);
            }
            first
        });
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Broadcast {
    grant: Arc<Grant>,
    buffer: Arc<ReplayBuffer>,
    state: Mutex<State>,
    /// Wakes the control task.
    changed: Notify,
    /// The channel's broadcast before this one: its end is told to the scheduler first.
    previous: Mutex<Option<Arc<Broadcast>>>,
    progress: watch::Sender<Progress>,
}

/// How far the scheduler has been told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Progress {
    /// Something has changed since.
    Behind,
    /// Everything.
    Current,
    /// The end, or nobody will tell it any more.
    Concluded,
}

#[derive(Debug)]
struct State {
    id: Option<BroadcastId>,
    /// Unix milliseconds of timeline 0.
    anchor_ms: Option<i64>,
    next_epoch: u32,
    phase: Phase,
    live: Option<Live>,
    /// The scheduler may have closed it: it is to be asked at once.
    doubted: bool,
    /// What to open at the scheduler: the latest publish whose tracks are known.
    to_open: Option<OpenBroadcastRequest>,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Live,
    /// The publisher has dropped; the window is open until then.
    Away {
        until: Instant,
        reason: String,
    },
    Ended {
        at: Instant,
        reason: String,
    },
}

/// The current publisher.
#[derive(Debug)]
struct Live {
    handle: Handle,
    /// From its normaliser's timeline to the broadcast's.
    shift_90k: i64,
    shift_epochs: u32,
    has_epoch: bool,
    last_media: Instant,
    health: Health,
}

impl Broadcast {
    fn new(grant: Arc<Grant>, buffer: Arc<ReplayBuffer>, previous: Option<Arc<Broadcast>>) -> Arc<Self> {
        Arc::new(Self {
            grant,
            buffer,
            state: Mutex::new(State {
                id: None,
                anchor_ms: None,
                next_epoch: 0,
                phase: Phase::Live,
                live: None,
                doubted: false,
                to_open: None,
            }),
            changed: Notify::new(),
            previous: Mutex::new(previous),
            progress: watch::Sender::new(Progress::Current),
        })
    }

    /// Its media.
    pub fn buffer(&self) -> &Arc<ReplayBuffer> {
        &self.buffer
    }

    /// A worker has acknowledged: when everything is stored, an ended broadcast may go.
    pub fn acknowledged(&self) {
        if self.buffer.is_settled() {
            self.changed.notify_one();
        }
    }

    /// Has the scheduler asked whether it still takes media.
    pub(crate) fn doubt(&self) {
        self.lock().doubted = true;
        self.changed.notify_one();
    }

    /// Has the control task look again.
    fn touch(&self) {
        self.set_progress(Progress::Behind);
        self.changed.notify_one();
    }

    /// The conclusion is final.
    fn set_progress(&self, to: Progress) {
        self.progress.send_if_modified(|progress| {
            let moves = *progress != Progress::Concluded && *progress != to;
            if moves {
                *progress = to;
            }
            moves
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `handle` the publisher. Returns where its timeline starts, and when the publisher that it replaces last
    /// sent media; `None` when the broadcast is over.
    fn join(&self, handle: Handle, bitrate_max_bps: u64, now: Instant) -> Option<(Start, Option<Instant>)> {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Ended { .. }) {
            return None;
        }
        state.phase = Phase::Live;
        let live = Live {
            handle,
            shift_90k: 0,
            shift_epochs: 0,
            has_epoch: false,
            last_media: now,
            health: Health::new(bitrate_max_bps, now),
        };
        let replaced = state.live.replace(live).map(|old| {
            old.handle.close(Close::TakenOver);
            old.last_media
        });
        let start = Start {
            epoch_index: state.next_epoch,
            end_90k: self.buffer.end_90k(),
            anchor_ms: state.anchor_ms,
            cause: if state.next_epoch == 0 {
                EpochCause::Start
            } else {
                EpochCause::Reconnect
            },
        };
        Some((start, replaced))
    }

    /// When the current publisher last sent media.
    fn last_media(&self) -> Option<Instant> {
        self.lock().live.as_ref().map(|live| live.last_media)
    }

    /// Appends what `publish` sent. False when it is no longer the publisher.
    fn append(&self, publish: PublishId, news: &mut Vec<News>, now: Instant) -> bool {
        let mut state = self.lock();
        let State {
            live,
            anchor_ms,
            next_epoch,
            to_open,
            ..
        } = &mut *state;
        let Some(live) = live.as_mut().filter(|live| live.handle.id == publish) else {
            return false;
        };
        live.last_media = now;
        let mut opens = false;
        let end_90k = self.buffer.end_90k();
        let lost = self.buffer.append(news.drain(..).map(|item| match item {
            News::Unit(mut unit, arrival_us) => {
                if live.shift_90k != 0 {
                    let shift = headwater_media::MediaTime::video(live.shift_90k).ticks_in(unit.pts.scale);
                    unit.dts = unit.dts.plus(shift);
                    unit.pts = unit.pts.plus(shift);
                }
                live.health.unit(&unit);
                Item::Unit(unit, arrival_us)
            }
            News::Epoch(mut epoch, hints) => {
                live.health.epoch(&epoch, hints.fps_milli);
                if !live.has_epoch {
                    // The one before may have sent on until this one's tracks were known.
                    let behind = end_90k - (epoch.start_90k + live.shift_90k);
                    live.shift_90k += behind.max(0);
                    epoch.wallclock_ms += behind.max(0) / 90;
                    let request = open_request(&self.grant, publish, &epoch, hints);
                    *to_open = Some(request);
                    (live.has_epoch, opens) = (true, true);
                }
                epoch.start_90k += live.shift_90k;
                epoch.index += live.shift_epochs;
                *next_epoch = epoch.index + 1;
                anchor_ms.get_or_insert(epoch.wallclock_ms - epoch.start_90k / 90);
                Item::Epoch(epoch_to_proto(&epoch))
            }
        }));
        live.health.read();
        let id = state.id;
        drop(state);
        if lost > 0 {
            counter!("ingest_gops_lost_total").increment(lost);
            warn!(channel.id = %self.grant.channel_id, broadcast.id = ?id,
                "replay buffer full: lost {lost} GOPs of channel {} that no worker had pulled", self.grant.channel_id);
        }
        if opens {
            self.touch();
        }
        true
    }

    /// What the normaliser of `publish` has counted so far, and whether it was held back of late.
    fn note(&self, publish: PublishId, counters: &Counters, held: bool) {
        let mut state = self.lock();
        if let Some(live) = state.live.as_mut().filter(|live| live.handle.id == publish) {
            live.health.note(counters, held);
        }
    }

    /// Looks how the publish does; `None` where nobody publishes, or the broadcast has no name yet.
    /// With it `tenant broadcast` where its issues have changed.
    fn look(&self, now: Instant, now_ms: i64, trips: &mut RoundTrips) -> Option<(Entry, Option<String>)> {
        let pulled = self.buffer.has_reader();
        let mut state = self.lock();
        let (id, live) = (state.id?, state.live.as_mut()?);
        let round_trip = live.handle.link.and_then(|link| trips.of(link));
        let report = live.health.look(now, now_ms, pulled, round_trip);
        let turned = live.health.turned();
        drop(state);
        let tenant = self.grant.tenant_id;
        let entry = Entry {
            key: health::Source::Edge.key(tenant, id),
            topic: health::topic(tenant, id),
            value: report.to_json(),
        };
        Some((entry, turned.then(|| format!("{tenant} {id}"))))
    }

    /// `publish` is over. Nothing happens when another has taken its place.
    fn leave(&self, publish: PublishId, how: Leave, now: Instant) {
        let mut state = self.lock();
        if state.live.as_ref().is_none_or(|live| live.handle.id != publish) {
            return;
        }
        state.live = None;
        let window = self.grant.reconnect_window;
        match how {
            Leave::Dropped(reason) if state.next_epoch > 0 && !window.is_zero() => {
                self.buffer.append([Item::Paused]);
                state.phase = Phase::Away {
                    until: now + window,
                    reason,
                };
            }
            Leave::Dropped(reason) | Leave::Ended(reason) => self.end(&mut state, reason, now),
            Leave::Clean => self.end(&mut state, "the publisher ended the broadcast".into(), now),
        }
        drop(state);
        self.touch();
    }

    /// Ends the broadcast when the reconnect window has run out.
    fn expire(&self, now: Instant) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Away { until, .. } if until <= now) {
            self.end(&mut state, "the publisher did not come back".into(), now);
        }
    }

    fn end(&self, state: &mut State, reason: String, now: Instant) {
        self.buffer.append([Item::End(reason.clone())]);
        state.phase = Phase::Ended { at: now, reason };
    }

    /// Ends the broadcast from the edge's side and closes its publisher.
    fn abandon(&self, close: Close, now: Instant) {
        let mut state = self.lock();
        if let Some(live) = state.live.take() {
            live.handle.close(close.clone());
        }
        if !matches!(state.phase, Phase::Ended { .. }) {
            self.end(&mut state, close.to_string(), now);
        }
    }

    /// The scheduler has opened (or continued) the broadcast. False when it continued another than this one was.
    fn opened(&self, id: BroadcastId, said: &OpenBroadcastResponse) -> bool {
        let mut state = self.lock();
        if let Some(known) = state.id {
            return known == id;
        }
        state.id = Some(id);
        if said.continued {
            let shift_90k =
                (state.anchor_ms.unwrap_or(said.anchor_wallclock_ms) - said.anchor_wallclock_ms).max(0) * 90;
            self.buffer.rebase(shift_90k, said.next_epoch);
            state.anchor_ms = Some(said.anchor_wallclock_ms);
            state.next_epoch += said.next_epoch;
            if let Some(live) = state.live.as_mut() {
                live.shift_90k += shift_90k;
                live.shift_epochs += said.next_epoch;
            }
            info!(broadcast.id = %id, "broadcast {id} continues here from {} s on", shift_90k / 90_000);
        } else if said.anchor_wallclock_ms != 0
            && state
                .anchor_ms
                .is_some_and(|anchor| (anchor - said.anchor_wallclock_ms).abs() > 5_000)
        {
            warn!(broadcast.id = %id, "the scheduler's clock and this edge's differ by more than 5 s");
        }
        true
    }
}

/// What a publisher has for its broadcast, on its normaliser's timeline.
#[derive(Debug)]
enum News {
    Epoch(Epoch, Hints),
    Unit(headwater_media::AccessUnit, i64),
}

/// What is known of a source before its worker has looked at it; 0 where nothing is.
#[derive(Clone, Copy, Debug, Default)]
struct Hints {
    bitrate_bps: u64,
    fps_milli: u32,
}

/// Lacks the edge's own address, which the scheduler's client adds.
fn open_request(grant: &Grant, publish: PublishId, epoch: &Epoch, hints: Hints) -> OpenBroadcastRequest {
    OpenBroadcastRequest {
        tenant_id: grant.tenant_id.to_string(),
        channel_id: grant.channel_id.to_string(),
        publish_id: publish.to_string(),
        edge_url: String::new(),
        tracks: epoch.tracks.iter().map(track_to_proto).collect(),
        source_bitrate_bps: hints.bitrate_bps,
        source_fps_milli: hints.fps_milli,
        start_wallclock_ms: epoch.wallclock_ms,
        stream_key_id: grant.stream_key_id.to_string(),
    }
}
