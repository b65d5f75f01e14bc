//! `tkhd` (ISO/IEC 14496-12 §8.3.2): the track header.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader, matrix};

/// Track header. Enabled, in movie and in preview; the matrix is unity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tkhd {
    /// Never 0.
    pub track_id: u32,
    /// Ticks of the movie's timescale; 0 in a live file.
    pub duration: u64,
    /// 8.8 fixed point: 0x0100 for sound, 0 for pictures.
    pub volume: u16,
    /// Pixels as shown, 16.16 fixed point.
    pub width: u32,
    /// Pixels as shown, 16.16 fixed point.
    pub height: u32,
}

const ENABLED_IN_MOVIE_IN_PREVIEW: u32 = 7;

impl Atom for Tkhd {
    const KIND: FourCc = FourCc(*b"tkhd");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, _) = r.full(1)?;
        r.wide(version)?;
        r.wide(version)?;
        let track_id = r.u32()?;
        r.u32()?;
        let duration = r.wide(version)?;
        r.bytes(8 + 2 + 2)?;
        let volume = r.u16()?;
        r.bytes(2 + 36)?;
        Ok(Self {
            track_id,
            duration,
            volume,
            width: r.u32()?,
            height: r.u32()?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let version = u8::from(self.duration > u64::from(u32::MAX));
        out.full(version, ENABLED_IN_MOVIE_IN_PREVIEW);
        out.zeros(if version == 0 { 8 } else { 16 });
        out.u32(self.track_id);
        out.zeros(4);
        if version == 0 {
            out.u32(self.duration as u32)
        } else {
            out.u64(self.duration)
        }
        out.zeros(8 + 2 + 2);
        out.u16(self.volume);
        out.zeros(2);
        matrix(out);
        out.u32(self.width);
        out.u32(self.height);
    }
}
