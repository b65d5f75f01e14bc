//! `mdia` (ISO/IEC 14496-12 §8.4.1): a track's media.

mod hdlr;
mod mdhd;
mod minf;

pub use hdlr::Hdlr;
pub use mdhd::Mdhd;
pub use minf::{Avc1, Btrt, Colr, Esds, MediaHeader, Minf, Mp4a, Pasp, SampleEntry, Stbl, Stsd};

use crate::cmaf::atom::{Atom, BoxError, FourCc, Reader};

/// A track's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mdia {
    /// Timescale and language.
    pub header: Mdhd,
    /// Pictures or sound.
    pub handler: Hdlr,
    /// The rest.
    pub info: Minf,
}

impl Atom for Mdia {
    const KIND: FourCc = FourCc(*b"mdia");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (mut header, mut handler, mut info) = (None, None, None);
        while let Some(mut child) = r.child()? {
            match child.kind() {
                Mdhd::KIND => r.once(&mut header, &mut child)?,
                Hdlr::KIND => r.once(&mut handler, &mut child)?,
                Minf::KIND => r.once(&mut info, &mut child)?,
                _ => {}
            }
        }
        Ok(Self {
            header: r.found(header)?,
            handler: r.found(handler)?,
            info: r.found(info)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        self.handler.encode(out);
        self.info.encode(out);
    }
}
