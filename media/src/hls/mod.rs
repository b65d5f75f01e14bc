//! HLS playlists (draft-pantos-hls-rfc8216bis), rendered purely from a [`Window`](crate::window::Window).

mod directives;
mod media;
mod multivariant;
pub(crate) mod text;
pub mod validate;

pub use directives::{DirectiveError, Directives, Reload, Skip, reload_decision};
pub use media::{MediaOptions, Names, media_playlist};
pub use multivariant::{MultivariantOptions, multivariant};

#[cfg(test)]
mod tests;
