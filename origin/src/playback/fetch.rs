//! Finding the bytes behind a name: in memory, in the store, or still to come.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};
use headwater_media::hls;
use headwater_media::time::{MediaTime, Round};
use headwater_media::window::key::{self, Key, SegmentName};
use headwater_media::window::{Kind, Window};

use super::broadcast::{Broadcast, Line, State, WaitError};
use super::media::{PartName, chunks};
use super::objects::{Objects, ReadError};
use crate::http::body::BodyError;

/// Why bytes cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// Nothing has this name, or had it lately.
    #[error("no such media")]
    Unknown,
    /// It did not come in time, or too many wait for it.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The store does not answer.
    #[error("the object store does not answer")]
    Unavailable,
}

impl From<ReadError> for FetchError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound => Self::Unknown,
            ReadError::Unavailable => Self::Unavailable,
        }
    }
}

/// A segment's bytes.
pub(crate) enum Found {
    /// All of them, in pieces.
    Whole(Vec<Bytes>),
    /// The segment is being made: see [`open_segment`].
    Open {
        /// Its number.
        seq: u64,
    },
}

/// How far another origin may be ahead of this one, in target durations of a segment.
const AHEAD_SEGMENTS: i64 = 2;

enum Place {
    Memory(Vec<Bytes>),
    Open,
    Store(String),
}

/// What `rendition` is, in the newest epoch that has it.
pub(crate) fn kind_of(window: &Window, rendition: &str) -> Option<Kind> {
    window
        .epochs()
        .iter()
        .rev()
        .find_map(|epoch| epoch.rendition(rendition))
        .map(|found| found.kind)
}

impl Broadcast {
    /// The line of `rendition`, once an epoch describes it; what a newly followed broadcast consists of is told first.
    pub(crate) async fn line_of(&self, rendition: &str) -> Result<Arc<Line>, FetchError> {
        if let Some(line) = self.line(rendition) {
            return Ok(line);
        }
        self.wait_for(self.all(), |state| (!state.window.epochs().is_empty()).then_some(()))
            .await?;
        self.line(rendition).ok_or(FetchError::Unknown)
    }

    /// An init segment.
    pub(crate) async fn init(
        &self,
        objects: &Arc<Objects>,
        rendition: &str,
        first_seq: u64,
    ) -> Result<Bytes, FetchError> {
        self.line_of(rendition).await?;
        {
            let state = self.read();
            if let Some(init) = state.media.init(rendition, first_seq) {
                return Ok(init);
            }
            let known = state
                .window
                .epochs()
                .iter()
                .any(|e| e.first_seq == first_seq && e.rendition(rendition).is_some());
            if !known {
                return Err(FetchError::Unknown);
            }
        }
        let key = format!(
            "{}{}",
            key::prefix(&self.tenant, &self.id),
            Key::Init { rendition, first_seq }
        );
        Ok(objects.get(&key).await?)
    }

    /// A part, waited for if it is the one that playlists hint at; and when it had arrived at the edge, the first time.
    pub(crate) async fn part(
        &self,
        objects: &Arc<Objects>,
        rendition: &str,
        name: PartName,
    ) -> Result<(Bytes, Option<i64>), FetchError> {
        let line = self.line_of(rendition).await?;
        let place = self.wait_for(&line, |state| {
            if let Some((bytes, arrival_us)) = state.media.part(rendition, name) {
                return Some(Ok((bytes, arrival_us)));
            }
            match self.stored(state, rendition, name.seq, Some(name.generation)) {
                Some(key) => Some(Err(Ok(key))),
                None if !state.is_synced || is_hinted(&state.window, rendition, name) => None,
                None => Some(Err(Err(FetchError::Unknown))),
            }
        });
        match place.await? {
            Ok(found) => Ok(found),
            Err(Err(error)) => Err(error),
            Err(Ok(key)) => {
                let whole = objects.get(&key).await?;
                let part = chunks(&whole).into_iter().nth(name.part as usize);
                part.map(|bytes| (bytes, None)).ok_or(FetchError::Unknown)
            }
        }
    }

    /// The segment of that number and generation.
    pub(crate) async fn segment(
        &self,
        objects: &Arc<Objects>,
        rendition: &str,
        seq: u64,
        generation: u64,
    ) -> Result<Found, FetchError> {
        let line = self.line_of(rendition).await?;
        let place = self.wait_for(&line, |state| {
            let known = self.place(state, rendition, seq, Some(generation));
            known.or_else(|| state.is_synced.then_some(Err(FetchError::Unknown)))
        });
        found(place.await??, seq, objects).await
    }

    /// The segment that begins at `decode_time` (the rendition's timescale), of the highest generation. Waits for the
    /// next one to begin, if that may be meant: another origin has heard of it before us.
    pub(crate) async fn segment_at(
        &self,
        objects: &Arc<Objects>,
        rendition: &str,
        decode_time: i64,
    ) -> Result<Found, FetchError> {
        let line = self.line_of(rendition).await?;
        let place = self.wait_for(&line, |state| {
            let track = state.window.track(rendition);
            if let Some(seq) = track.and_then(|track| track.seq_at(decode_time)) {
                let known = self.place(state, rendition, seq, None);
                return known.map(|known| known.map(|place| (place, seq)));
            }
            let comes = !state.is_synced || may_begin(&state.window, rendition, decode_time);
            (!comes).then_some(Err(FetchError::Unknown))
        });
        let (place, seq) = place.await??;
        found(place, seq, objects).await
    }

    fn place(
        &self,
        state: &State,
        rendition: &str,
        seq: u64,
        generation: Option<u64>,
    ) -> Option<Result<Place, FetchError>> {
        let next = next_seq(&state.window, rendition);
        if let Some((_, segment)) = state.media.segment(rendition, seq, generation) {
            if segment.complete {
                return Some(Ok(Place::Memory(segment.parts.clone())));
            }
            // Before all that is there has come, what seems to be under way may only be half told.
            if seq == next && state.is_synced && !state.window.ended() {
                return Some(Ok(Place::Open));
            }
        }
        let key = self.stored(state, rendition, seq, generation);
        key.map(|key| Ok(Place::Store(key)))
    }

    /// Where the store has a listed segment. A generation before the listed one made the same cut of the same media,
    /// so that its object's name is known, too.
    fn stored(&self, state: &State, rendition: &str, seq: u64, generation: Option<u64>) -> Option<String> {
        let listed = state.window.track(rendition)?.segment(seq)?;
        let generation = generation.unwrap_or(listed.generation);
        if generation > listed.generation {
            return None;
        }
        let name = SegmentName {
            seq,
            generation,
            decode_time: listed.decode_time,
            duration: listed.duration,
        };
        Some(format!(
            "{}{}",
            key::prefix(&self.tenant, &self.id),
            Key::Segment { rendition, name }
        ))
    }
}

async fn found(place: Place, seq: u64, objects: &Arc<Objects>) -> Result<Found, FetchError> {
    match place {
        Place::Memory(pieces) => Ok(Found::Whole(pieces)),
        Place::Open => Ok(Found::Open { seq }),
        Place::Store(key) => Ok(Found::Whole(vec![objects.get(&key).await?])),
    }
}

/// Whether a segment that is not known yet may begin at `decode_time`: where what is known ends, and up to
/// [`AHEAD_SEGMENTS`] further on.
fn may_begin(window: &Window, rendition: &str, decode_time: i64) -> bool {
    let described = window.epoch().and_then(|epoch| epoch.rendition(rendition));
    let (Some(described), false) = (described, window.ended()) else {
        return false;
    };
    let Some(end) = window.track(rendition).and_then(|track| track.end()) else {
        return true;
    };
    let ahead = MediaTime::video(window.settings().latency.segment_target_90k() * AHEAD_SEGMENTS);
    let ahead = ahead.to(described.scale(), Round::Nearest).ticks;
    (end..=end.saturating_add(ahead)).contains(&decode_time)
}

/// The number of the segment being made, or made next.
fn next_seq(window: &Window, rendition: &str) -> u64 {
    let track = window.track(rendition);
    let open = track.and_then(|track| track.open()).map(|open| open.seq);
    let after_last = track.and_then(|track| track.last_seq()).map(|last| last + 1);
    open.or(after_last)
        .unwrap_or_else(|| window.epoch().map_or(0, |epoch| epoch.first_seq))
}

/// Whether playlists hint at this part, or are about to: the next part of the open segment.
fn is_hinted(window: &Window, rendition: &str, name: PartName) -> bool {
    let next = next_seq(window, rendition);
    let open = window
        .track(rendition)
        .and_then(|track| track.open())
        .filter(|open| open.seq == next);
    let made = open.map_or(0, |open| open.parts.len() as u32);
    !window.ended() && name.generation == window.generation() && name.seq == next && name.part == made
}

/// The segment being made, part by part as the parts come. Steps over to a later generation at a part's boundary, where
/// both made the same cut. Fails when the next part does not come in time, and so breaks the answer off.
pub(crate) fn open_segment(
    broadcast: Arc<Broadcast>,
    rendition: String,
    seq: u64,
    generation: Option<u64>,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::try_unfold(0usize, move |at| {
        let (broadcast, rendition) = (broadcast.clone(), rendition.clone());
        async move {
            let line = broadcast.line(&rendition).ok_or(BodyError::Unfinished)?;
            let piece = broadcast.wait_for(&line, |state| match state.media.segment(&rendition, seq, generation) {
                Some((_, segment)) if at < segment.parts.len() => Some(Ok(Some(segment.parts[at].clone()))),
                Some((_, segment)) if segment.complete => Some(Ok(None)),
                _ if state.window.ended() => Some(Err(BodyError::Unfinished)),
                _ => None,
            });
            let piece = piece.await.map_err(|_| BodyError::Unfinished)??;
            Ok(piece.map(|bytes| (bytes, at + 1)))
        }
    })
}

/// Whether a media playlist of `rendition` would list anything, and nothing that we only have yet to hear of is missing.
pub(crate) fn is_listable(state: &State, rendition: &str) -> bool {
    let window = &state.window;
    state.is_synced
        && (window.view(Some(1)).is_some()
            || window.track(rendition).is_some_and(|track| track.open().is_some())
                && hls::media_playlist(window, rendition, &hls::MediaOptions::LIVE).is_some())
}
