//! HLS playlists (draft-pantos-hls-rfc8216bis), rendered purely from a [`Window`](crate::window::Window).

mod directives;
mod media;
mod multivariant;
pub(crate) mod text;
pub mod validate;

pub use directives::{DirectiveError, Directives, Reload, Skip, reload_decision};
pub use media::{MediaOptions, Names, media_playlist};
pub use multivariant::{MultivariantOptions, multivariant};

/// Media sequence number of a broadcast's segment 0. Not 0: hls.js 1.7 takes the parts of a segment 0 for absent whenever it
/// looks whether something was evicted, and loads them over and over where a discontinuity follows.
const FIRST_MSN: u64 = 1;

#[cfg(test)]
mod tests;
