//! Which channels are live on this edge.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use headwater_media::normalise::Start;
use headwater_model::heartbeat::BROADCAST_END_TOPIC;
use headwater_model::{BroadcastId, ChannelId};
use headwater_platform::hints::{Entry, SharedHints};
use metrics::counter;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, warn};

use super::swap::SwapGuard;
use super::{Broadcast, Handle, Progress, Scheduler, control};
use crate::clock::MediaClock;
use crate::health::RoundTrips;
use crate::key::Grant;
use crate::replay_buffer::{Budget, Limits, ReplayBuffer, Stats};

/// A publisher without media this long is no reason to refuse another.
const SENDING: Duration = Duration::from_secs(3);
/// At shutdown, the scheduler has this long to hear that the publishers are gone.
const TELL_MAX: Duration = Duration::from_secs(1);
/// Channels remembered beyond their broadcasts, for the swap guard.
const IDLE_CHANNELS_MAX: usize = 1_024;

/// Why a channel does not take another publisher now. `Display` is for the streamer.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotNow {
    /// Encoders have fought for it, and the winner is left alone for a while.
    #[error("Another encoder is live with this stream key. Stop it, wait a minute, and start again.")]
    Held,
    /// It has been started too often of late.
    #[error("This stream key was used to start publishing too often. Wait a minute and start again.")]
    TooOften,
}

/// What every broadcast needs.
pub struct Deps {
    /// Bounds of each replay buffer.
    pub limits: Limits,
    /// Bound of all of them together.
    pub budget: Arc<Budget>,
    /// Told of every broadcast.
    pub scheduler: Scheduler,
    /// The timeline's clock.
    pub clock: MediaClock,
    /// Between two questions whether a broadcast still takes media. Redis tells at once where it can.
    pub recheck: Duration,
}

/// See the [module](self).
pub struct Registry {
    pub(super) deps: Deps,
    channels: Mutex<Channels>,
    /// The broadcasts' control tasks.
    tasks: TaskTracker,
    /// Ends the control tasks, whatever is left to tell.
    pub(super) closing: CancellationToken,
}

#[derive(Default)]
struct Channels {
    slots: HashMap<ChannelId, Slot>,
    broadcasts: HashMap<BroadcastId, Arc<Broadcast>>,
}

#[derive(Default)]
struct Slot {
    current: Option<Arc<Broadcast>>,
    swaps: SwapGuard,
}

impl Registry {
    /// No channel is live yet.
    pub fn new(deps: Deps) -> Arc<Self> {
        Arc::new(Self {
            deps,
            channels: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }

    /// The broadcast that a worker asks for.
    pub fn find(&self, id: &BroadcastId) -> Option<Arc<Broadcast>> {
        self.lock().broadcasts.get(id).cloned()
    }

    /// Hears of broadcasts that may have been ended, until `stop` fires.
    pub(crate) async fn hear(self: Arc<Self>, hints: SharedHints, stop: CancellationToken) {
        let mut told = hints.subscribe(BROADCAST_END_TOPIC);
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => return,
                message = told.next() => message,
            };
            let Some(message) = message else { return };
            let id = BroadcastId::parse(&message).ok();
            if let Some(broadcast) = id.and_then(|id| self.find(&id)) {
                broadcast.doubt();
            }
        }
    }

    /// Figures of every broadcast.
    pub fn stats(&self) -> Vec<Stats> {
        self.all().iter().map(|broadcast| broadcast.buffer.stats()).collect()
    }

    /// Looks how every publish does; `tenant broadcast` of those whose issues have changed.
    pub(crate) fn look(&self, now: Instant, trips: &mut RoundTrips) -> (Vec<Entry>, Vec<String>) {
        let now_ms = self.deps.clock.now_ms();
        let looks = self
            .all()
            .into_iter()
            .filter_map(|broadcast| broadcast.look(now, now_ms, trips));
        let (entries, turned): (Vec<_>, Vec<_>) = looks.unzip();
        (entries, turned.into_iter().flatten().collect())
    }

    fn all(&self) -> Vec<Arc<Broadcast>> {
        let channels = self.lock();
        channels
            .slots
            .values()
            .filter_map(|slot| slot.current.clone())
            .collect()
    }

    /// Whether the channel takes another publisher now.
    pub fn admit(&self, channel: ChannelId, now: Instant) -> Result<(), NotNow> {
        let mut channels = self.lock();
        channels.forget_idle(now);
        let slot = channels.slots.entry(channel).or_default();
        let last_media = slot.current.as_ref().and_then(|broadcast| broadcast.last_media());
        if slot.swaps.holds(now) && last_media.is_some_and(|at| now < at + SENDING) {
            return Err(NotNow::Held);
        }
        if slot.swaps.publish(now) {
            Ok(())
        } else {
            Err(NotNow::TooOften)
        }
    }

    /// The channel's broadcast, continued or new, with `handle` as its publisher.
    pub(super) fn join(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        handle: &Handle,
        bitrate_max_bps: u64,
        now: Instant,
    ) -> (Arc<Broadcast>, Start) {
        let mut channels = self.lock();
        let slot = channels.slots.entry(grant.channel_id).or_default();
        if let Some(current) = &slot.current
            && let Some((start, replaced)) = current.join(handle.clone(), bitrate_max_bps, now)
        {
            if replaced.is_some_and(|last_media| now < last_media + SENDING) {
                counter!("ingest_takeovers_total").increment(1);
                if slot.swaps.swapped(now) {
                    warn!(channel.id = %grant.channel_id,
                        "encoders fight for channel {}: the newest stays for a minute", grant.channel_id);
                }
            }
            return (current.clone(), start);
        }
        let buffer = ReplayBuffer::new(self.deps.limits, self.deps.budget.clone());
        let broadcast = Broadcast::new(grant.clone(), buffer, slot.current.take());
        slot.current = Some(broadcast.clone());
        drop(channels);
        broadcast.join(handle.clone(), bitrate_max_bps, now);
        self.tasks
            .spawn(control::run(broadcast.clone(), self.clone()).in_current_span());
        (broadcast, Start::FIRST)
    }

    /// Lets workers find the broadcast.
    pub(super) fn index(&self, id: BroadcastId, broadcast: &Arc<Broadcast>) {
        self.lock().broadcasts.insert(id, broadcast.clone());
    }

    pub(super) fn remove(&self, broadcast: &Arc<Broadcast>) {
        let id = broadcast.lock().id;
        let mut channels = self.lock();
        if let Some(id) = id
            && channels
                .broadcasts
                .get(&id)
                .is_some_and(|indexed| Arc::ptr_eq(indexed, broadcast))
        {
            channels.broadcasts.remove(&id);
        }
        if let Some(slot) = channels.slots.get_mut(&broadcast.grant.channel_id)
            && slot
                .current
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, broadcast))
        {
            slot.current = None;
        }
    }

    /// Publishers are gone: gives workers `take_max` to take what is still held, and then the scheduler [`TELL_MAX`] to
    /// hear of it.
    pub async fn drain(&self, take_max: Duration) {
        join_all(self.all().into_iter().map(|broadcast| async move {
            // What is not taken or told in time is lost with this process.
            let _ = timeout(take_max, broadcast.buffer.caught_up()).await;
            let mut progress = broadcast.progress.subscribe();
            let _ = timeout(TELL_MAX, progress.wait_for(|progress| *progress != Progress::Behind)).await;
        }))
        .await;
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channels {
    fn forget_idle(&mut self, now: Instant) {
        if self.slots.len() > self.broadcasts.len() + IDLE_CHANNELS_MAX {
            self.slots
                .retain(|_, slot| slot.current.is_some() || !slot.swaps.is_idle(now));
        }
    }
}
