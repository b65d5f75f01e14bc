//! What an origin knows about one broadcast: plain data, from which every playlist and manifest is rendered.
//!
//! A [`Window`] is filled by a worker's events while the broadcast runs, and by a listing of object keys
//! ([`Window::rebuild`]) when nobody remembers it: the keys of [`key`] carry rendition, number, generation, decode
//! time and duration, so the object store alone can rebuild the index.
//!
//! Two rules make it safe to apply whatever arrives. The higher generation wins, for each rendition and number. And
//! a generation that has been replaced adds nothing: what it still writes is never listed.
//!
//! Memory: about 100 bytes for a segment and 60 for a part; four hours of 2 s segments in six renditions are 5 MB.

mod edit;
pub mod key;
mod rebuild;
pub mod still;
mod view;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::segmenter::LatencyMode;
use crate::time::{MediaTime, Round, Timescale};
use crate::unit::TrackKind;

pub use edit::{EPOCHS_MAX, PARTS_KEPT_TARGETS, RENDITIONS_MAX, SEGMENTS_MAX, Trim, WindowError};
pub use rebuild::{Description, Index, RebuildError};
pub use view::{Slot, SlotKind, View};

/// One rendition as an epoch describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// `source`, `720p`, `audio`, …
    pub name: String,
    /// Pictures or sound.
    pub kind: Kind,
    /// Ticks per second of its times.
    pub timescale: u32,
    /// RFC 6381, from the init segment's own configuration record.
    pub codecs: String,
    /// Peak, bits/s, of this rendition alone.
    pub bandwidth_bps: u32,
    /// Average, bits/s, of this rendition alone.
    pub average_bandwidth_bps: u32,
    /// Coded size; 0 for sound.
    #[serde(default)]
    pub width: u32,
    /// Coded size; 0 for sound.
    #[serde(default)]
    pub height: u32,
    /// Frames per second × 1000; 0 where unknown.
    #[serde(default)]
    pub fps_milli: u32,
    /// Hz; 0 for pictures.
    #[serde(default)]
    pub sample_rate: u32,
    /// 0 for pictures.
    #[serde(default)]
    pub channels: u32,
    /// BCP 47; empty where the publisher does not say.
    #[serde(default)]
    pub language: String,
    /// Sample aspect ratio; 0 means square.
    #[serde(default)]
    pub sar_num: u32,
    /// Sample aspect ratio; 0 means square.
    #[serde(default)]
    pub sar_den: u32,
    /// Its init segment, where it is at hand. Stored as an object of its own, so never part of a description.
    #[serde(skip)]
    pub init: Bytes,
}

impl Rendition {
    /// Scale of its times; 90 000 where the description says zero.
    pub fn scale(&self) -> Timescale {
        Timescale::new(self.timescale).unwrap_or(Timescale::VIDEO)
    }

    /// Size at which its pictures are shown, with square pixels.
    pub fn display_size(&self) -> (u32, u32) {
        if self.sar_num == 0 || self.sar_den == 0 || self.sar_num == self.sar_den {
            return (self.width, self.height);
        }
        let wide = u64::from(self.width) * u64::from(self.sar_num);
        let width = (wide + u64::from(self.sar_den) / 2) / u64::from(self.sar_den);
        (u32::try_from(width).unwrap_or(u32::MAX), self.height)
    }
}

/// Pictures or sound, as written in messages and descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl Kind {
    /// `video` or `audio`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

impl From<TrackKind> for Kind {
    fn from(kind: TrackKind) -> Self {
        match kind {
            TrackKind::Video => Self::Video,
            TrackKind::Audio => Self::Audio,
        }
    }
}

/// The presentation from `first_seq` on, until the next epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counts up within the broadcast.
    pub index: u32,
    /// Its first segment; names its init segments.
    pub first_seq: u64,
    /// Its start on the broadcast timeline, 1/90000 s.
    pub start_90k: i64,
    /// Unix milliseconds of `start_90k`.
    pub wallclock_ms: i64,
    /// Video first, highest first.
    pub renditions: Vec<Rendition>,
}

impl Epoch {
    /// Its rendition of that name.
    pub fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions.iter().find(|r| r.name == name)
    }

    /// Unix milliseconds of a time on the broadcast timeline.
    pub fn wallclock_ms_at(&self, at: MediaTime) -> i64 {
        let since = at
            .to(Timescale::VIDEO, Round::Nearest)
            .ticks
            .saturating_sub(self.start_90k);
        self.wallclock_ms
            .saturating_add(MediaTime::video(since).to(Timescale::MILLIS, Round::Nearest).ticks)
    }
}

/// A finished part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Counts from 0 within its segment.
    pub index: u32,
    /// Who made it; part of its name.
    pub generation: u64,
    /// Ticks of the rendition's timescale.
    pub decode_time: i64,
    /// Ticks of the rendition's timescale.
    pub duration: u32,
    /// Starts with a sync sample.
    pub independent: bool,
}

/// A finished segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number, the same for the same time range in every rendition.
    pub seq: u64,
    /// Who made it; part of its name.
    pub generation: u64,
    /// Ticks of the rendition's timescale.
    pub decode_time: i64,
    /// Ticks of the rendition's timescale.
    pub duration: u32,
    /// Bytes; 0 where unknown.
    pub size_bytes: u64,
    /// Its parts while they are recent; empty afterwards, and where they were never known.
    pub parts: Vec<Part>,
}

/// The segment being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSegment {
    /// Its number.
    pub seq: u64,
    /// What is finished of it, without holes, in order; never empty.
    pub parts: Vec<Part>,
}

/// Segments of one rendition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    segments: VecDeque<Segment>,
    open: Option<OpenSegment>,
}

impl Track {
    /// Its finished segments, ascending; numbers may be missing.
    pub fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// The segment being made, once it has a part.
    pub fn open(&self) -> Option<&OpenSegment> {
        self.open.as_ref()
    }

    /// The finished segment of that number.
    pub fn segment(&self, seq: u64) -> Option<&Segment> {
        self.segments
            .binary_search_by_key(&seq, |s| s.seq)
            .ok()
            .and_then(|i| self.segments.get(i))
    }

    /// Number of the segment, finished or open, that begins at `decode_time` (the rendition's timescale).
    pub fn seq_at(&self, decode_time: i64) -> Option<u64> {
        let open = self.open.as_ref().filter(|open| {
            let first = open.parts.first();
            first.is_some_and(|part| part.decode_time == decode_time)
        });
        open.map(|open| open.seq).or_else(|| {
            let found = self.segments.binary_search_by_key(&decode_time, |s| s.decode_time);
            found.ok().and_then(|i| self.segments.get(i)).map(|s| s.seq)
        })
    }

    /// Decode time (the rendition's timescale) at which what is known of it ends.
    pub fn end(&self) -> Option<i64> {
        let part = self.open.as_ref().and_then(|open| open.parts.last());
        let part = part.map(|part| part.decode_time + i64::from(part.duration));
        part.or_else(|| self.segments.back().map(|s| s.decode_time + i64::from(s.duration)))
    }

    /// Number of its newest finished segment.
    pub fn last_seq(&self) -> Option<u64> {
        self.segments.back().map(|s| s.seq)
    }
}

/// What stays the same for a whole broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Target and part durations.
    pub latency: LatencyMode,
}

/// One broadcast's live window or replay. See the module's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    settings: Settings,
    generation: u64,
    epochs: Vec<Epoch>,
    tracks: BTreeMap<String, Track>,
    ended: bool,
    version: u64,
}

impl Window {
    /// An empty window.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            generation: 0,
            epochs: Vec::new(),
            tracks: BTreeMap::new(),
            ended: false,
            version: 0,
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Highest generation seen.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Grows with every change: what was rendered from one version is right as long as it stands.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the broadcast is over: playlists end, manifests are static.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Epochs from the broadcast's first, by ascending `first_seq`.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Rank (for discontinuity numbers) and description of the epoch that `seq` belongs to.
    pub fn epoch_of(&self, seq: u64) -> Option<(usize, &Epoch)> {
        let rank = self.epochs.partition_point(|e| e.first_seq <= seq).checked_sub(1)?;
        self.epochs.get(rank).map(|e| (rank, e))
    }

    /// The newest epoch.
    pub fn epoch(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// Segments of one rendition.
    pub fn track(&self, rendition: &str) -> Option<&Track> {
        self.tracks.get(rendition)
    }

    /// Every rendition that has or had segments, by name.
    pub fn tracks(&self) -> impl Iterator<Item = (&str, &Track)> {
        self.tracks.iter().map(|(name, track)| (name.as_str(), track))
    }
}

#[cfg(test)]
mod tests;
