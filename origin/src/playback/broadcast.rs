//! One broadcast as this origin knows it: its window, its newest bytes, who waits for more, and what was rendered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use headwater_media::segmenter::LatencyMode;
use headwater_media::window::{Settings, Window};
use tokio::sync::watch;
use tokio::time::Instant;

use super::media::Media;
use super::objects::Objects;
use super::resolve::Past;
use crate::http::gzip;
use crate::limits::HOLD_TARGETS;
use crate::lock;
use crate::telemetry::Meters;

/// What a broadcast consists of at one moment.
pub(crate) struct State {
    pub window: Window,
    pub media: Media,
    /// The window is the whole of a finished broadcast and will not change any more.
    pub is_final: bool,
    /// The window holds all that the worker knew when we came: what is not listed is not made yet.
    pub is_synced: bool,
}

/// A playlist or manifest as bytes; compressed when somebody first wants it so.
pub(crate) struct Rendered {
    edition: u64,
    pub plain: Bytes,
    gzip: OnceLock<Bytes>,
}

impl Rendered {
    /// The same as a gzip member.
    pub(crate) fn gzip(&self) -> Bytes {
        self.gzip.get_or_init(|| gzip(&self.plain, Compression::fast())).clone()
    }
}

/// Which rendering of a line is meant: an index below [`Line::KINDS`].
pub(crate) type RenderKind = usize;

/// What changes together: one rendition's playlists, or what is made of all renditions.
pub(crate) struct Line {
    /// Counts the changes.
    news: watch::Sender<u64>,
    renderings: [Mutex<Option<Arc<Rendered>>>; Self::KINDS],
}

impl Line {
    /// Live and DVR, each whole and as two kinds of delta.
    pub(crate) const KINDS: usize = 6;

    fn new() -> Arc<Self> {
        Arc::new(Self {
            news: watch::Sender::new(0),
            renderings: Default::default(),
        })
    }
}

/// Whom a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope<'a> {
    /// Readers of every playlist.
    All,
    /// Readers of this rendition's playlists.
    Rendition(&'a str),
    /// No reader: only our own memory.
    Nobody,
}

/// See the module's own words.
pub(crate) struct Broadcast {
    pub tenant: String,
    pub id: String,
    /// It leaves no replay: after its end there is nothing of it but what is in memory, and that not for long.
    pub is_unrecorded: bool,
    state: RwLock<State>,
    all: Arc<Line>,
    lines: Mutex<HashMap<String, Arc<Line>>>,
    born: Instant,
    asked_ms: AtomicU64,
    waiting: Arc<Waiting>,
    objects: Arc<Objects>,
}

impl Broadcast {
    /// Nothing known yet but its names and how far behind it may be.
    pub(crate) fn new(of: &Past, latency: LatencyMode, objects: Arc<Objects>, waiting: Arc<Waiting>) -> Arc<Self> {
        Self::from_window(of, Window::new(Settings { latency }), false, objects, waiting)
    }

    /// A finished broadcast; `is_final` when nothing of it is still being written.
    pub(crate) fn from_window(
        of: &Past,
        window: Window,
        is_final: bool,
        objects: Arc<Objects>,
        waiting: Arc<Waiting>,
    ) -> Arc<Self> {
        Arc::new(Self {
            tenant: of.tenant.clone(),
            id: of.broadcast.clone(),
            is_unrecorded: of.is_unrecorded,
            state: RwLock::new(State {
                is_synced: window.ended(),
                window,
                media: Media::default(),
                is_final,
            }),
            all: Line::new(),
            lines: Mutex::default(),
            born: Instant::now(),
            asked_ms: AtomicU64::new(0),
            waiting,
            objects,
        })
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, keeps the account of bytes in memory, and tells those whom it concerns.
    pub(crate) fn change<T>(&self, scope: Scope<'_>, change: impl FnOnce(&mut State) -> T) -> T {
        // A rendition that the newest epoch goes without keeps step with the others, with gaps.
        let mut gone = Vec::new();
        let (outcome, added_bytes) = {
            let mut state: RwLockWriteGuard<'_, State> = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let before = state.media.size_bytes() as i64;
            let outcome = change(&mut state);
            if let (Scope::Rendition(_), Some(epoch)) = (scope, state.window.epoch()) {
                let lines = lock(&self.lines);
                let without = lines.iter().filter(|(name, _)| epoch.rendition(name).is_none());
                gone.extend(without.map(|(_, line)| line.clone()));
            }
            (outcome, state.media.size_bytes() as i64 - before)
        };
        if added_bytes != 0 {
            self.objects.live_bytes_changed(added_bytes);
        }
        let bump = |line: &Line| line.news.send_modify(|edition| *edition += 1);
        match scope {
            Scope::Nobody => return outcome,
            Scope::All => lock(&self.lines).values().for_each(|line| bump(line)),
            Scope::Rendition(name) => {
                if let Some(line) = lock(&self.lines).get(name) {
                    bump(line);
                }
                gone.iter().for_each(|line| bump(line));
            }
        }
        bump(&self.all);
        outcome
    }

    /// Somebody wants this broadcast now.
    pub(crate) fn note_asked(&self) {
        self.asked_ms
            .store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long nobody has wanted it.
    pub(crate) fn idle(&self) -> Duration {
        let asked = Duration::from_millis(self.asked_ms.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(asked)
    }

    /// How long a request may wait for media: three target durations.
    pub(crate) fn hold(&self) -> Duration {
        let target_s = self.read().window.settings().latency.target_duration_s();
        Duration::from_secs(u64::from(target_s * HOLD_TARGETS))
    }

    /// What changes with `rendition`; `None` where the broadcast has no such rendition.
    pub(crate) fn line(&self, rendition: &str) -> Option<Arc<Line>> {
        if let Some(line) = lock(&self.lines).get(rendition) {
            return Some(line.clone());
        }
        let known = self
            .read()
            .window
            .epochs()
            .iter()
            .any(|epoch| epoch.rendition(rendition).is_some());
        known.then(|| {
            lock(&self.lines)
                .entry(rendition.to_string())
                .or_insert_with(Line::new)
                .clone()
        })
    }

    /// What changes with every rendition.
    pub(crate) fn all(&self) -> &Arc<Line> {
        &self.all
    }

    /// Asks `test` now and after every change of `line`, until it answers or [`Self::hold`] is over.
    pub(crate) async fn wait_for<T>(&self, line: &Line, test: impl FnMut(&State) -> Option<T>) -> Result<T, WaitError> {
        self.wait_within(self.hold(), line, test).await
    }

    /// The same until `limit` is over.
    pub(crate) async fn wait_within<T>(
        &self,
        limit: Duration,
        line: &Line,
        mut test: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, WaitError> {
        let mut news = line.news.subscribe();
        if let Some(answer) = test(&self.read()) {
            return Ok(answer);
        }
        let _place = self.waiting.enter().ok_or(WaitError::Crowded)?;
        let deadline = Instant::now() + limit;
        loop {
            match tokio::time::timeout_at(deadline, news.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(WaitError::TimedOut),
            }
            if let Some(answer) = test(&self.read()) {
                return Ok(answer);
            }
        }
    }

    /// What `render` makes of the present state: made once per change, however many ask.
    pub(crate) fn rendered(
        &self,
        line: &Line,
        kind: RenderKind,
        render: impl FnOnce(&State) -> Option<String>,
    ) -> Option<Arc<Rendered>> {
        let mut slot = lock(&line.renderings[kind]);
        // The edition is read before the state: what is rendered is at least as new as it is said to be.
        let edition = *line.news.borrow();
        if let Some(rendered) = slot.as_ref().filter(|rendered| rendered.edition == edition) {
            return Some(rendered.clone());
        }
        let text = render(&self.read())?;
        let rendered = Arc::new(Rendered {
            edition,
            plain: text.into(),
            gzip: OnceLock::new(),
        });
        *slot = Some(rendered.clone());
        Some(rendered)
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        let held = self
            .state
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .media
            .size_bytes();
        self.objects.live_bytes_changed(-(held as i64));
    }
}

/// Why somebody waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WaitError {
    /// The time is over.
    #[error("it did not come in time")]
    TimedOut,
    /// As many wait as may.
    #[error("too many requests are waiting")]
    Crowded,
}

/// The places where requests wait, for the whole process.
pub(crate) struct Waiting {
    taken: AtomicU32,
    places_max: u32,
    meters: Arc<Meters>,
}

impl Waiting {
    pub(crate) fn new(places_max: u32, meters: Arc<Meters>) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicU32::new(0),
            places_max,
            meters,
        })
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.places_max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.meters.waiting.increment(1);
        Some(Place(self.clone()))
    }
}

/// One place, given back when dropped.
pub(crate) struct Place(Arc<Waiting>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.meters.waiting.decrement(1);
    }
}
