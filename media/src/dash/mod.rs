//! DASH manifests (ISO/IEC 23009-1), rendered purely from a [`Window`](crate::window::Window).
//!
//! One manifest for low latency and plain playback: a `SegmentTimeline` with `$Time$` names, one `Period` for each
//! epoch, and the open segment with the duration that it will probably have. At low latency `availabilityTimeOffset` lets
//! players ask for it part by part; at standard latency it is announced, and available like any other once it has ended
//! (ISO/IEC 23009-1 §5.3.9.5.3), which is all that players need that keep to the rules. FFmpeg's reader keeps to none: it reads
//! on where its list ends, and finds its place again only if the list names what it reads. A template cannot
//! name the generation that made a segment, so media is asked for by its decode time as `t{time}.m4s`: the origin serves
//! the highest generation that it knows. Numbers would do as well, but readers built on FFmpeg count segments from the
//! manifest's first one and go astray as soon as a live window moves. The manifest stored beside the objects names each of them (`SegmentList`).
//!
//! Nothing here needs a clock: `publishTime` is the wall clock of the newest listed moment, so every origin with the
//! same window renders the same bytes, and it never goes back.

mod manifest;
mod timeline;

pub use manifest::{ManifestOptions, is_between, is_playable, manifest};

#[cfg(test)]
mod tests;
