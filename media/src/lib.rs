//! Media bytes without I/O: what publishers send, what players read, and the cuts between.
//!
//! Everything here is a function of its arguments. There is no socket, file, task, clock, log line or
//! `unsafe`; time comes in as an argument, so hours of video are tested in seconds.
//!
//! The way through: [`rtmp`] turns a publisher's bytes into messages, [`flv`] reads their tags, [`normalise`]
//! settles clocks and headers and gives out [`AccessUnit`]s on one timeline, [`segmenter`] cuts them into parts
//! and segments, [`cmaf`] writes those as boxes, and [`hls`] and [`dash`] render playlists and manifests from a
//! [`window`] of segments.

pub mod cmaf;
pub mod codec;
pub mod dash;
pub mod flv;
#[doc(hidden)]
pub mod fuzz;
pub mod hls;
pub mod normalise;
pub mod rtmp;
pub mod segmenter;
pub mod time;
pub mod unit;
pub mod window;

pub use time::{MediaTime, Timescale};
pub use unit::{AccessUnit, CodecConfig, Epoch, EpochCause, Track, TrackId, TrackKind};
