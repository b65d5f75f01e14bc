//! Init segments.

use bytes::Bytes;

use crate::unit::Track;

/// The init segment (`ftyp` and `moov`) of one track: track_ID 1 for pictures, 2 for sound.
pub fn init_segment(track: &Track) -> Bytes {
    track.config.record().clone()
}
