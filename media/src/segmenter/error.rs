//! What a segmenter refuses.

use crate::time::MediaTime;

/// Why a unit or boundary was refused. The segmenter is unchanged and may be used on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The encoder made no IDR at a boundary.
    #[error("segment {seq} must start with an IDR at {at:?}, but a unit with decode time {dts:?} came without it")]
    NoKeyframe {
        /// Segment that cannot start.
        seq: u64,
        /// Its boundary.
        at: MediaTime,
        /// Decode time of the unit that came instead.
        dts: MediaTime,
    },
    /// Units are in the rendition's timescale, always.
    #[error("unit at {at:?} is not in the rendition's timescale of {want} ticks per second")]
    Timescale {
        /// Decode time of the unit.
        at: MediaTime,
        /// Ticks per second expected.
        want: u32,
    },
    /// Decode times must rise.
    #[error("decode time {dts:?} does not lie after {last:?}")]
    NotRising {
        /// Of the unit refused.
        dts: MediaTime,
        /// Of the unit before.
        last: MediaTime,
    },
    /// Boundaries must rise in number and time.
    #[error("boundary {seq} at {at:?} does not follow boundary {last_seq} at {last_at:?}")]
    BoundaryOrder {
        /// Number refused.
        seq: u64,
        /// Time refused.
        at: MediaTime,
        /// Number before.
        last_seq: u64,
        /// Time before.
        last_at: MediaTime,
    },
    /// Audio ran this far ahead of the video's watermark.
    #[error("{units} units wait for a watermark; the limit is reached")]
    TooManyHeld {
        /// How many wait.
        units: usize,
    },
    /// Boundaries were announced this far ahead of the units.
    #[error("{boundaries} boundaries wait for units; the limit is reached")]
    TooManyBoundaries {
        /// How many wait.
        boundaries: usize,
    },
    /// Nothing comes after the end.
    #[error("the rendition has ended")]
    Finished,
}
