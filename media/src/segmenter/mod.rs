//! Access units in, parts and segments out.
//!
//! Two machines share the work. [`Boundaries`] looks at the lead track alone (video where there is one) and says
//! where segments start; [`Segmenter`] cuts one rendition at those places. Both are functions of the media: the
//! same units give the same numbers, times and durations, whoever cuts them and wherever the run was resumed
//! (a resumed run starts at a segment boundary, where neither machine remembers anything but the number and time).
//!
//! ```text
//! source units ─► Boundaries ─► Boundary{seq, at}, Watermark, Unfit
//!                                   │
//! rendition units ─────────────► Segmenter ─► Cut::Part …, Cut::Segment
//! ```
//!
//! Memory: a segmenter holds one open part (some hundred kilobytes at most) and, for audio, what lies past the
//! video's watermark: at most [`HELD_UNITS_MAX`] units.

mod boundaries;
mod error;
mod grid;
mod parts;
mod rendition;
mod timing;

pub use boundaries::{Boundaries, Config, Event, Mode, UnfitCause};
pub use error::SegmentError;
pub use grid::Grid;
pub use parts::{Part, PartStarts, Sample, Segment};
pub use rendition::{BOUNDARIES_AHEAD_MAX, Cut, HELD_UNITS_MAX, PARTS_PER_SEGMENT_MAX, Segmenter};
pub use timing::LatencyMode;

#[cfg(test)]
mod tests;
