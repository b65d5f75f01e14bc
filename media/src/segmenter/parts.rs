//! What a segmenter gives out, and the rule that closes a part.

use bytes::Bytes;

use super::rendition::PARTS_PER_SEGMENT_MAX;
use crate::time::{MediaTime, Round, Timescale};

/// One access unit inside a part, with the times that its `trun` entry needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Coded bytes, as in [`AccessUnit::data`](crate::AccessUnit::data).
    pub data: Bytes,
    /// Ticks of the rendition's timescale; never zero.
    pub duration: u32,
    /// Presentation time minus the time on the segment's clock; negative where B-frames follow. The written offset
    /// is larger by [`Part::decode_lead`].
    pub composition_offset: i32,
    /// A sync sample.
    pub key: bool,
}

/// A finished part: what becomes one CMAF chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Segment it belongs to.
    pub seq: u64,
    /// Counts from 0 within the segment.
    pub index: u32,
    /// Starts with a sync sample.
    pub independent: bool,
    /// In decode order; never empty.
    pub samples: Vec<Sample>,
    /// Start on the segment's clock, ticks of the rendition's timescale: at the segment's first sample, when it is
    /// shown.
    pub decode_time: i64,
    /// How much earlier its samples decode, so that none is shown before it is decoded; `tfdt` is earlier by this.
    pub decode_lead: u32,
    /// By how much its first samples decode faster than they are shown: nothing decodes before time 0, so the first
    /// part of a broadcast gains here the lead that all later ones have. 0 elsewhere.
    pub decode_gain: u32,
    /// Sum of the samples' durations.
    pub duration: u32,
}

/// A finished segment. Its parts came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub seq: u64,
    /// When its first sample is shown, ticks of the rendition's timescale.
    pub start: i64,
    /// Ticks from its start to its end.
    pub duration: u32,
    /// How many parts it has; at least one.
    pub parts: u32,
}

/// Collects samples into parts no longer than the target.
///
/// A part closes *before* a sample that would make it too long, and at once where the next sample, taken to be as
/// long as the last, would: the wait for that sample would be pure delay. The guess may not make a part shorter
/// than 85 % of the target (rfc8216bis §4.4.4.9); a long sample after a short part may, and cannot be helped.
#[derive(Debug)]
pub(super) struct PartRule {
    target: i64,
}

impl PartRule {
    /// For samples in `timescale`.
    pub(super) fn of(timescale: Timescale, part_target_ms: u32) -> Self {
        let target = MediaTime::new(i64::from(part_target_ms), Timescale::MILLIS).to(timescale, Round::Down);
        Self {
            target: target.ticks.max(1),
        }
    }

    /// Whether a part of `len` must close before a sample of `next`.
    pub(super) fn full_before(&self, len: i64, next: i64) -> bool {
        len > 0 && len.saturating_add(next) > self.target
    }

    /// Whether a part of `len` closes at once after a sample of `last`.
    pub(super) fn full_after(&self, len: i64, last: i64) -> bool {
        len.saturating_add(last) > self.target && len.saturating_mul(100) >= self.target.saturating_mul(85)
    }
}

/// Says which samples of one segment start a part, before anything is coded: for an encoder that puts an IDR there.
///
/// It counts as a [`Segmenter`](super::Segmenter) of the same part target does that is given the same durations.
#[derive(Debug)]
pub struct PartStarts {
    rule: PartRule,
    /// Length of the open part, and how many were closed.
    len: i64,
    closed: u32,
}

impl PartStarts {
    /// For samples in `timescale`, and parts of at most `part_target_ms`.
    pub fn new(timescale: Timescale, part_target_ms: u32) -> Self {
        Self {
            rule: PartRule::of(timescale, part_target_ms),
            len: 0,
            closed: 0,
        }
    }

    /// Takes the next sample of the segment, `duration` ticks long. Whether it starts a part.
    pub fn take(&mut self, duration: i64) -> bool {
        self.close(self.rule.full_before(self.len, duration));
        let starts = self.len == 0;
        self.len = self.len.saturating_add(duration);
        self.close(self.rule.full_after(self.len, duration));
        starts
    }

    fn close(&mut self, due: bool) {
        if due && self.closed + 1 < PARTS_PER_SEGMENT_MAX {
            (self.len, self.closed) = (0, self.closed + 1);
        }
    }
}
