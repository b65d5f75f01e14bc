//! What a segmenter gives out, and the rule that closes a part.

use bytes::Bytes;

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
    /// `target` in ticks of the rendition's timescale.
    pub(super) fn new(target: i64) -> Self {
        Self { target: target.max(1) }
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
