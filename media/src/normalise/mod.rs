//! From a publisher's tags and clock to access units on one timeline.
//!
//! [`Normaliser`] settles, for one publish, what encoders get wrong: timestamps that wrap, jump, stand still or count
//! in the wrong unit; tracks that come late; headers repeated or changed; frames before the first key frame; framing.
//! What it settles it counts ([`Counters`]) and tells ([`Issue`]).
//!
//! Rules of the timeline:
//! - An epoch begins with an IDR wherever there are pictures. Its `start_90k` is that picture's *decode* time, so no
//!   unit lies before it; the picture is shown its reorder delay later, and sound from before that moment is cut.
//!   Without pictures it begins with the first audio unit.
//! - Within an epoch video decode times strictly increase and keep to the exact grid of the frame rate where there is
//!   one; audio times count samples. Neither strays from the publisher's clock, so nothing drifts.
//! - A later epoch begins at the later of the end of the timeline and the arrival of its first unit after the anchor.

use bytes::Bytes;

use crate::flv::{self, Metadata};
use crate::unit::{AccessUnit, Epoch, EpochCause, TrackKind};

mod clock;
mod grid;
mod issue;
mod run;
mod sample_clock;
mod timeline;
mod tracks;

pub use grid::TOLERANCE_90K;
pub use issue::{Counters, Issue};
pub use tracks::{COMPOSITION_MS_MAX, CONFIG_WAIT_MS};

use clock::TrackClock;
use issue::Sink;
use timeline::{Timeline, Tracks};
use tracks::{AudioTrack, Coded, VideoTrack};

/// Longest wait for a second track when the metadata does not rule one out, in milliseconds.
pub const TRACK_WAIT_MS: i64 = 2_000;
/// Longest wait for a second track when the metadata announces only one, in milliseconds.
pub const ONE_KIND_WAIT_MS: i64 = 300;
/// Longest wait for a key frame before sound goes ahead alone, in milliseconds.
pub const KEY_WAIT_MS: i64 = 10_000;
/// Most units and bytes held while waiting for a track or a key frame.
pub const HOLD_UNITS_MAX: usize = 4_096;
/// See [`HOLD_UNITS_MAX`].
pub const HOLD_BYTES_MAX: usize = 16 << 20;
/// Steps back up to this are bumped over, in milliseconds.
pub const SMALL_BACK_MS_MAX: i64 = 250;
/// Steps back up to this are corrected; longer ones begin a new epoch. In milliseconds.
pub const MEDIUM_BACK_MS_MAX: i64 = 2_000;
/// Steps forward beyond this begin a new epoch, in milliseconds.
pub const FORWARD_MS_MAX: i64 = 10_000;
/// Steps forward beyond this are told as gaps, in milliseconds.
pub const GAP_MS: i64 = 1_000;
/// How long sound may keep to another clock than the pictures before it is aligned by arrival, in milliseconds.
pub const FOREIGN_MS: i64 = 2_000;
/// Media this late after a silence this long is left out, to be live again, in milliseconds.
pub const BACKLOG_MS: i64 = 10_000;

/// Where a normaliser takes up the broadcast's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Index of the first epoch it makes.
    pub epoch_index: u32,
    /// The timeline is used up to here, 1/90000 s.
    pub end_90k: i64,
    /// Clock reading (see [`Normaliser`]) of timeline 0; `None` before a broadcast's first unit.
    pub anchor_ms: Option<i64>,
    /// Why its first epoch begins.
    pub cause: EpochCause,
}

impl Start {
    /// A new broadcast.
    pub const FIRST: Self = Self {
        epoch_index: 0,
        end_90k: 0,
        anchor_ms: None,
        cause: EpochCause::Start,
    };
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A new epoch; the units that follow belong to it. The first video unit in it is an IDR.
    Epoch(Epoch),
    /// The next unit, in decode order within its track. Times are on the broadcast timeline.
    Unit(AccessUnit),
    /// Something was settled that the streamer should know of.
    Issue(Issue),
}

/// Settles clocks, headers and tracks of one publisher.
///
/// `now_ms` is Unix milliseconds from a clock that only moves forward: take the wall clock once per process and
/// add monotonic time to it.
pub struct Normaliser {
    timeline: Timeline,
    video: VideoTrack,
    audio: AudioTrack,
    video_clock: TrackClock,
    audio_clock: TrackClock,
    /// Units of one message, kept for its allocation.
    units: Vec<Coded>,
    sink: Sink,
}

impl Normaliser {
    /// A normaliser for one publish.
    pub fn new(start: Start) -> Self {
        Self {
            timeline: Timeline::new(start),
            video: VideoTrack::default(),
            audio: AudioTrack::default(),
            video_clock: TrackClock::default(),
            audio_clock: TrackClock::default(),
            units: Vec::new(),
            sink: Sink::default(),
        }
    }

    /// Takes the publisher's hints. They shorten waits and name a frame rate to try; nothing is believed.
    pub fn metadata(&mut self, metadata: &Metadata) {
        self.timeline.announced = (metadata.video, metadata.audio);
        self.timeline.rate_hint = metadata.frame_rate.and_then(grid::nearest_rate);
    }

    /// Takes an FLV video tag body with its RTMP timestamp.
    pub fn video(&mut self, now_ms: i64, timestamp: u32, payload: Bytes) {
        match flv::video(payload) {
            Ok(tags) => tags.into_iter().for_each(|tag| self.video_tag(now_ms, timestamp, tag)),
            Err(error) => self.sink.issue(Issue::BrokenTag(TrackKind::Video, error)),
        }
    }

    /// Takes a video tag that was parsed already.
    pub fn video_tag(&mut self, now_ms: i64, timestamp: u32, tag: flv::VideoTag) {
        let timed = tag.track == 0 && matches!(tag.body, flv::VideoBody::Frame { .. });
        let ms = if timed {
            let nominal = self.timeline.run().map_or(33, |run| run.nominal_ms());
            let other = self.audio_clock.last_ms();
            self.video_clock
                .take(TrackKind::Video, timestamp, now_ms, other, nominal, &mut self.sink)
        } else {
            0
        };
        if let Some(unit) = self.video.take(tag, ms, now_ms, &mut self.sink) {
            let mut tracks = Tracks {
                video: &mut self.video,
                audio: &mut self.audio,
            };
            self.timeline.push(unit, &mut tracks, &mut self.sink);
        }
    }

    /// Takes an FLV audio tag body with its RTMP timestamp.
    pub fn audio(&mut self, now_ms: i64, timestamp: u32, payload: Bytes) {
        match flv::audio(payload) {
            Ok(tags) => tags.into_iter().for_each(|tag| self.audio_tag(now_ms, timestamp, tag)),
            Err(error) => self.sink.issue(Issue::BrokenTag(TrackKind::Audio, error)),
        }
    }

    /// Takes an audio tag that was parsed already.
    pub fn audio_tag(&mut self, now_ms: i64, timestamp: u32, tag: flv::AudioTag) {
        let timed = tag.track == 0 && matches!(tag.body, flv::AudioBody::Frame(_));
        let ms = if timed {
            let nominal = self.audio.nominal_ms();
            let other = self.video_clock.last_ms();
            self.audio_clock
                .take(TrackKind::Audio, timestamp, now_ms, other, nominal, &mut self.sink)
        } else {
            0
        };
        self.audio.take(tag, ms, now_ms, &mut self.units, &mut self.sink);
        let mut units = std::mem::take(&mut self.units);
        let mut tracks = Tracks {
            video: &mut self.video,
            audio: &mut self.audio,
        };
        for unit in units.drain(..) {
            self.timeline.push(unit, &mut tracks, &mut self.sink);
        }
        self.units = units;
    }

    /// When to call [`Self::tick`] at the latest, if nothing arrives before.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.timeline.deadline_ms()
    }

    /// Lets time pass without media: ends a wait for tracks that do not come.
    pub fn tick(&mut self, now_ms: i64) {
        let mut tracks = Tracks {
            video: &mut self.video,
            audio: &mut self.audio,
        };
        self.timeline.tick(now_ms, false, &mut tracks, &mut self.sink);
    }

    /// The publisher has left: gives out what was still held, as far as it can be decoded.
    pub fn finish(&mut self) {
        let mut tracks = Tracks {
            video: &mut self.video,
            audio: &mut self.audio,
        };
        self.timeline.tick(i64::MIN, true, &mut tracks, &mut self.sink);
    }

    /// The next output; call until `None` after every input.
    pub fn poll(&mut self) -> Option<Output> {
        self.sink.output.pop_front()
    }

    /// Where a successor takes up the timeline after a reconnect.
    pub fn successor(&self) -> Start {
        self.timeline.successor()
    }

    /// End of the timeline given out so far, 1/90000 s.
    pub fn end_90k(&self) -> i64 {
        self.timeline.end_90k
    }

    /// Frames per second (numerator, denominator), exact once the grid is known.
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        self.timeline.run().and_then(|run| run.frame_rate())
    }

    /// How often each kind of issue has come up.
    pub fn counters(&self) -> &Counters {
        &self.sink.counters
    }
}

#[cfg(test)]
mod tests;
