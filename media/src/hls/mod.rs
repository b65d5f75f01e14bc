//! HLS playlists (draft-pantos-hls-rfc8216bis), rendered purely from a [`Window`](crate::window::Window).

mod directives;

pub use directives::{DirectiveError, Directives, Reload, Skip, reload_decision};
