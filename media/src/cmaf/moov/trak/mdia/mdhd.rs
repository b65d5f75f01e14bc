//! `mdhd` (ISO/IEC 14496-12 §8.4.2): timescale and language.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Media header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mdhd {
    /// Ticks per second of everything in the track.
    pub timescale: u32,
    /// Ticks; 0 in a live file.
    pub duration: u64,
    /// ISO 639-2/T, lower case; `und` where unknown.
    pub language: [u8; 3],
}

impl Mdhd {
    /// `und`
    pub const UNDETERMINED: [u8; 3] = *b"und";
}

impl Atom for Mdhd {
    const KIND: FourCc = FourCc(*b"mdhd");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, _) = r.full(1)?;
        r.wide(version)?;
        r.wide(version)?;
        let (timescale, duration) = (r.u32()?, r.wide(version)?);
        let packed = r.u16()?;
        let letter = |shift: u32| match packed >> shift & 0x1f {
            n @ 1..=26 => Some(n as u8 + 0x60),
            _ => None,
        };
        let language = match (letter(10), letter(5), letter(0)) {
            (Some(a), Some(b), Some(c)) => [a, b, c],
            _ => Self::UNDETERMINED,
        };
        r.u16()?;
        Ok(Self {
            timescale,
            duration,
            language,
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
        let packed = self
            .language
            .iter()
            .fold(0, |packed, b| packed << 5 | u16::from(b & 0x1f));
        out.u16(packed);
        out.zeros(2);
    }
}
