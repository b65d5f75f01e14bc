//! `mvhd` (ISO/IEC 14496-12 §8.2.2): the movie header.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader, matrix};

/// Movie header. Rate and volume are 1.0, the matrix is unity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mvhd {
    /// Ticks per second of the durations here and in `tkhd`.
    pub timescale: u32,
    /// 0 in a live file.
    pub duration: u64,
    /// Higher than every track_ID.
    pub next_track_id: u32,
}

impl Atom for Mvhd {
    const KIND: FourCc = FourCc(*b"mvhd");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, _) = r.full(1)?;
        r.wide(version)?;
        r.wide(version)?;
        let (timescale, duration) = (r.u32()?, r.wide(version)?);
        r.bytes(4 + 2 + 10 + 36 + 24)?;
        Ok(Self {
            timescale,
            duration,
            next_track_id: r.u32()?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let version = u8::from(self.duration > u64::from(u32::MAX));
        out.full(version, 0);
        out.zeros(if version == 0 { 8 } else { 16 });
        out.u32(self.timescale);
        if version == 0 {
            out.u32(self.duration as u32)
        } else {
            out.u64(self.duration)
        }
        out.u32(0x0001_0000);
        out.u16(0x0100);
        out.zeros(10);
        matrix(out);
        out.zeros(24);
        out.u32(self.next_track_id);
    }
}
