//! FLV tag bodies, legacy and enhanced, as RTMP carries them.
//!
//! [`video`] and [`audio`] take one message's payload apart into tags, one per track in it. Every codec that the
//! formats can name is told apart; which of them can be used is for the caller to say.

use std::fmt;

mod audio;
mod enhanced;
mod metadata;
mod video;

pub use audio::{AudioBody, AudioCodec, AudioTag, audio};
pub use metadata::{ENCODER_CHARS_MAX, Metadata};
pub use video::{VideoBody, VideoCodec, VideoTag, video};

/// Most tracks read from one message.
pub const TRACKS_MAX: usize = 32;

/// Four characters that name a codec.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a tag body cannot be read. The message is dropped; the connection goes on.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlvError {
    /// It ends too early.
    #[error("tag body of {0} bytes ends inside its header")]
    Truncated(usize),
    /// A track longer than the message.
    #[error("track of {length} bytes at byte {at}, beyond the end of the message")]
    TrackOverrun {
        /// Where its bytes begin.
        at: usize,
        /// Its announced length.
        length: usize,
    },
    /// More than [`TRACKS_MAX`].
    #[error("more than {TRACKS_MAX} tracks in a message")]
    TooManyTracks,
    /// A multitrack type that is reserved.
    #[error("multitrack type {0} is reserved")]
    MultitrackType(u8),
}

#[cfg(test)]
mod tests;
