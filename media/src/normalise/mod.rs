//! From a publisher's tags and clock to access units on one timeline.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::flv::Metadata;
use crate::unit::{AccessUnit, Epoch, EpochCause};

mod issue;

pub use issue::{Counters, Issue};

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
    start: Start,
    output: VecDeque<Output>,
    counters: Counters,
}

impl Normaliser {
    /// A normaliser for one publish.
    pub fn new(start: Start) -> Self {
        Self {
            start,
            output: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes the publisher's hints.
    pub fn metadata(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// Takes an FLV video tag body with its RTMP timestamp.
    pub fn video(&mut self, now_ms: i64, timestamp: u32, payload: Bytes) {
        let _ = (now_ms, timestamp, payload);
    }

    /// Takes an FLV audio tag body with its RTMP timestamp.
    pub fn audio(&mut self, now_ms: i64, timestamp: u32, payload: Bytes) {
        let _ = (now_ms, timestamp, payload);
    }

    /// When to call [`Self::tick`] at the latest, if nothing arrives before.
    pub fn deadline_ms(&self) -> Option<i64> {
        None
    }

    /// Lets time pass without media: ends a wait for tracks that do not come.
    pub fn tick(&mut self, now_ms: i64) {
        let _ = now_ms;
    }

    /// The publisher has left: gives out what was still held.
    pub fn finish(&mut self) {}

    /// The next output; call until `None` after every input.
    pub fn poll(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Where a successor takes up the timeline after a reconnect.
    pub fn successor(&self) -> Start {
        Start {
            cause: EpochCause::Reconnect,
            ..self.start
        }
    }

    /// End of the timeline given out so far, 1/90000 s.
    pub fn end_90k(&self) -> i64 {
        self.start.end_90k
    }

    /// Frames per second, exact once the grid is known.
    pub fn frame_rate(&self) -> Option<(u32, u32)> {
        None
    }

    /// How often each kind of issue has come up.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
