//! `prft` (ISO/IEC 14496-12 §8.16.5): when the media of the chunk that follows was there.

use super::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Producer reference time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prft {
    /// What the time is the time of; 24 says: at a small constant offset from real time.
    pub flags: u32,
    /// Track whose clock `media_time` counts.
    pub track_id: u32,
    /// NTP, 32.32 seconds from 1900.
    pub ntp: u64,
    /// Ticks of the track's timescale.
    pub media_time: u64,
}

impl Prft {
    /// Arbitrary but consistent, and close to real time.
    pub const CONSISTENT_REAL_TIME: u32 = 24;
}

impl Atom for Prft {
    const KIND: FourCc = FourCc(*b"prft");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, flags) = r.full(1)?;
        Ok(Self {
            flags,
            track_id: r.u32()?,
            ntp: r.u64()?,
            media_time: r.wide(version)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.full(1, self.flags);
        out.u32(self.track_id);
        out.u64(self.ntp);
        out.u64(self.media_time);
    }
}
