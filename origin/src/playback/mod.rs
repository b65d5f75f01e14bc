//! What viewers can be shown: playback ids, the broadcasts behind them, and their bytes.

mod apply;
pub(crate) mod broadcast;
pub(crate) mod download;
pub(crate) mod fetch;
mod follow;
pub(crate) mod media;
pub(crate) mod objects;
mod replay;
pub(crate) mod resolve;
pub(crate) mod thumbnail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_platform::rpc::Streams;
use headwater_platform::{Process, retry::Backoff};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::limits::{FOLLOW_IDLE, LAST_LOOK, LIVE_ANSWER, REPLAYS_MAX, STATE_HOLD};
use crate::lock;
use crate::telemetry::Meters;
use broadcast::{Broadcast, Scope, Waiting};
use follow::End;
use objects::Objects;
use replay::ReplayError;
use resolve::{Past, Playback, ResolveError, Resolved, Resolver};

/// A replay still being written is read anew after this long, one without its index after the longer.
const UNSETTLED_REPLAY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// What followers and readers share.
pub(crate) struct Context {
    pub resolver: Arc<Resolver>,
    pub objects: Arc<Objects>,
    pub waiting: Arc<Waiting>,
    /// The subscriptions to workers.
    pub streams: Streams,
    pub dvr: Duration,
    pub stop: CancellationToken,
    pub meters: Arc<Meters>,
}

/// Why a playback id shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FindError {
    /// There is no such id, or it never showed this broadcast.
    #[error("no such broadcast")]
    Unknown,
    /// The channel has not broadcast anything.
    #[error("nothing has been broadcast here")]
    Offline,
    /// The api or the store does not answer, and nothing remembered can stand in.
    #[error("what is needed to show this does not answer")]
    Unavailable,
}

impl From<ResolveError> for FindError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Unknown => Self::Unknown,
            ResolveError::Unavailable => Self::Unavailable,
        }
    }
}

/// The broadcasts in memory: those followed, and replays read lately.
pub(crate) struct Broadcasts {
    context: Arc<Context>,
    process: Process,
    entries: Mutex<HashMap<String, Entry>>,
}

#[derive(Clone)]
enum Entry {
    /// Followed, or followed to its end.
    Followed(Arc<Broadcast>),
    Replay {
        cell: Arc<OnceCell<Arc<Broadcast>>>,
        read: Instant,
    },
}

/// What a playback id shows at this moment.
pub(crate) struct Shown {
    pub now: Arc<Resolved>,
    pub broadcast: Arc<Broadcast>,
}

impl Broadcasts {
    pub(crate) fn new(context: Arc<Context>, process: Process) -> Arc<Self> {
        Arc::new(Self {
            context,
            process,
            entries: Mutex::default(),
        })
    }

    /// What `playback` shows: its newest broadcast, or the one that is named, if it is or was one of its own.
    pub(crate) async fn find(self: &Arc<Self>, playback: &str, broadcast: Option<&str>) -> Result<Shown, FindError> {
        let (playback, now) = self.context.resolver.resolve(playback).await?;
        let id = broadcast.unwrap_or(&now.broadcast);
        if id.is_empty() {
            return Err(FindError::Offline);
        }
        let past = playback.shown(id).ok_or(FindError::Unknown)?;
        match id == now.broadcast {
            true => {}
            // It has ended, and whoever watches it has not quite.
            false if past.is_unrecorded && self.is_followed(id) => {}
            false => self.still_shown(&past, &now).await?,
        }
        let runs = now.broadcast == id && now.state.is_running();
        let broadcast = match self.known(id, &now) {
            Some(broadcast) => broadcast,
            None if runs => self.follow(&past, playback, &now),
            None => self.replay(&past, &now).await?,
        };
        broadcast.note_asked();
        Ok(Shown { now, broadcast })
    }

    /// Whether a broadcast that a playback id has shown may still be seen under it: not when its replay was deleted or never was
    /// to be, nor when it has become more private than the id. While the api is silent, what plays goes on.
    async fn still_shown(&self, past: &Past, now: &Resolved) -> Result<(), FindError> {
        if past.is_unrecorded {
            return Err(FindError::Unknown);
        }
        if past.replay_playback_id.is_empty() {
            return Ok(());
        }
        match self.context.resolver.resolve(&past.replay_playback_id).await {
            Ok((_, own)) if own.is_signed && !now.is_signed => Err(FindError::Unknown),
            Ok(_) | Err(ResolveError::Unavailable) => Ok(()),
            Err(ResolveError::Unknown) => Err(FindError::Unknown),
        }
    }

    /// What the api says of `playback`: at once, or where `after` names the present [`Resolved::version`] as soon as that
    /// changes, within [`STATE_HOLD`]. Where too many wait already, at once as well.
    pub(crate) async fn state(&self, playback: &str, after: Option<&str>) -> Result<Arc<Resolved>, FindError> {
        let resolver = &self.context.resolver;
        let (playback, mut now) = resolver.resolve(playback).await?;
        let Some(after) = after.filter(|after| *after == now.version()) else {
            return Ok(now);
        };
        let Some(_place) = self.context.waiting.enter() else {
            return Ok(now);
        };
        let deadline = Instant::now() + STATE_HOLD;
        let mut news = playback.news();
        // What changed before we listened is in the next answer.
        while now.version() == after {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => break,
                () = self.context.stop.cancelled() => break,
                _ = news.changed() => {}
                // Hints may be lost.
                () = tokio::time::sleep(2 * LIVE_ANSWER) => {}
            }
            now = resolver.resolve(&playback.id).await?.1;
        }
        Ok(now)
    }

    fn is_followed(&self, id: &str) -> bool {
        matches!(lock(&self.entries).get(id), Some(Entry::Followed(_)))
    }

    fn known(&self, id: &str, now: &Resolved) -> Option<Arc<Broadcast>> {
        let mut entries = lock(&self.entries);
        match entries.get(id)? {
            Entry::Followed(broadcast) => Some(broadcast.clone()),
            Entry::Replay { cell, read } => {
                let broadcast = cell.get()?;
                let settling = now.broadcast == id && now.state.is_settling();
                let keep = if settling {
                    UNSETTLED_REPLAY.0
                } else {
                    UNSETTLED_REPLAY.1
                };
                if broadcast.read().is_final || read.elapsed() < keep {
                    return Some(broadcast.clone());
                }
                entries.remove(id);
                None
            }
        }
    }

    fn follow(self: &Arc<Self>, of: &Past, playback: Arc<Playback>, now: &Resolved) -> Arc<Broadcast> {
        let mut entries = lock(&self.entries);
        if let Some(Entry::Followed(broadcast)) = entries.get(&of.broadcast) {
            return broadcast.clone();
        }
        let context = &self.context;
        let (objects, waiting) = (context.objects.clone(), context.waiting.clone());
        let broadcast = Broadcast::new(of, follow::latency(now), objects, waiting);
        entries.insert(of.broadcast.clone(), Entry::Followed(broadcast.clone()));
        drop(entries);
        let (this, followed) = (self.clone(), broadcast.clone());
        self.process.spawn(async move {
            let end = follow::follow(this.context.clone(), followed.clone(), playback).await;
            match end {
                End::Finished if followed.is_unrecorded => this.last_look().await,
                End::Finished => this.settle(&followed).await,
                End::Abandoned => {}
            }
            // From here on the replay, if anybody asks, comes from the store like any other.
            let mut entries = lock(&this.entries);
            if matches!(entries.get(&followed.id), Some(Entry::Followed(entry)) if Arc::ptr_eq(entry, &followed)) {
                entries.remove(&followed.id);
            }
        });
        broadcast
    }

    /// After the end of what leaves no replay: its last seconds stay for those who are that far behind.
    async fn last_look(&self) {
        tokio::select! {
            () = tokio::time::sleep(LAST_LOOK) => {}
            () = self.context.stop.cancelled() => {}
        }
    }

    /// After the end: puts the replay's whole index in the place of the live window, and stays until nobody watches.
    async fn settle(&self, broadcast: &Arc<Broadcast>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            if !broadcast.read().is_final {
                match replay::load(&self.context.objects, &broadcast.tenant, &broadcast.id).await {
                    Ok((window, is_final)) => broadcast.change(Scope::All, |state| {
                        state.window = window;
                        state.is_final = is_final;
                        // All of it is in the store, and is read from there where somebody still wants it.
                        let first_seq = if is_final { u64::MAX } else { 0 };
                        state.media.trim(first_seq, first_seq);
                    }),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        warn!(error, "the replay of broadcast {} cannot be read yet", broadcast.id);
                    }
                }
            }
            let pause = if broadcast.read().is_final {
                FOLLOW_IDLE
            } else {
                backoff.delay()
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.context.stop.cancelled() => return,
            }
            if broadcast.idle() > FOLLOW_IDLE {
                return;
            }
        }
    }

    async fn replay(&self, of: &Past, now: &Resolved) -> Result<Arc<Broadcast>, FindError> {
        let id = of.broadcast.as_str();
        let cell = {
            let mut entries = lock(&self.entries);
            match entries.get(id) {
                Some(Entry::Followed(broadcast)) => return Ok(broadcast.clone()),
                Some(Entry::Replay { cell, .. }) => cell.clone(),
                None => {
                    make_room(&mut entries);
                    let cell = Arc::<OnceCell<Arc<Broadcast>>>::default();
                    entries.insert(
                        id.to_string(),
                        Entry::Replay {
                            cell: cell.clone(),
                            read: Instant::now(),
                        },
                    );
                    cell
                }
            }
        };
        let context = &self.context;
        let loaded = cell.get_or_try_init(|| async {
            let (window, is_final) = replay::load(&context.objects, &of.tenant, id).await?;
            info!(broadcast.id = id, "read the replay of broadcast {id}");
            let (objects, waiting) = (context.objects.clone(), context.waiting.clone());
            Ok(Broadcast::from_window(of, window, is_final, objects, waiting))
        });
        loaded.await.cloned().map_err(|error: ReplayError| {
            if error.is_transient() {
                return FindError::Unavailable;
            }
            // A broadcast that made no segment, or whose replay was deleted.
            info!(broadcast.id = id, error = &error as &dyn std::error::Error, state = ?now.state, "no replay of {id}");
            FindError::Unknown
        })
    }
}

/// Forgets the replay nobody has wanted for longest where there are too many.
fn make_room(entries: &mut HashMap<String, Entry>) {
    let idle = |entry: &Entry| match entry {
        Entry::Followed(_) => None,
        Entry::Replay { cell, read } => Some(cell.get().map_or(read.elapsed(), |broadcast| broadcast.idle())),
    };
    let replays = entries.values().filter(|entry| idle(entry).is_some()).count();
    if replays < REPLAYS_MAX {
        return;
    }
    let oldest = entries
        .iter()
        .max_by_key(|(_, entry)| idle(entry))
        .map(|(id, _)| id.clone());
    if let Some(id) = oldest {
        entries.remove(&id);
    }
}
