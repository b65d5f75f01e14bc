//! `hdlr` (ISO/IEC 14496-12 §8.4.3): pictures or sound.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hdlr {
    /// `vide` or `soun`.
    pub handler: FourCc,
}

impl Hdlr {
    /// Pictures.
    pub const VIDEO: Self = Self {
        handler: FourCc(*b"vide"),
    };
    /// Sound.
    pub const AUDIO: Self = Self {
        handler: FourCc(*b"soun"),
    };
}

impl Atom for Hdlr {
    const KIND: FourCc = FourCc(*b"hdlr");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.full(0)?;
        r.u32()?;
        let handler = FourCc(r.array()?);
        r.rest();
        Ok(Self { handler })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.full(0, 0);
        out.zeros(4);
        out.extend(self.handler.0);
        out.zeros(12);
        out.extend_from_slice(b"Headwater\0");
    }
}
