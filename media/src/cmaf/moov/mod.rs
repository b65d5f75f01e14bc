//! `moov` (ISO/IEC 14496-12 §8.2.1): everything that configures decoders and holds no media.

mod mvex;
mod mvhd;
mod trak;

pub use mvex::{Mvex, Trex};
pub use mvhd::Mvhd;
pub use trak::{
    Avc1, Btrt, Colr, Esds, Hdlr, Mdhd, Mdia, MediaHeader, Minf, Mp4a, Pasp, SampleEntry, Stbl, Stsd, Tkhd, Trak,
};

use super::atom::{Atom, BoxError, FourCc, Reader};

/// The movie box of a fragmented file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moov {
    /// Movie header.
    pub header: Mvhd,
    /// Tracks.
    pub traks: Vec<Trak>,
    /// Says that fragments follow.
    pub extends: Mvex,
}

impl Atom for Moov {
    const KIND: FourCc = FourCc(*b"moov");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (mut header, mut traks, mut extends) = (None, Vec::new(), None);
        while let Some(mut child) = r.child()? {
            match child.kind() {
                Mvhd::KIND => r.once(&mut header, &mut child)?,
                Trak::KIND => traks.push(Trak::decode_body(&mut child)?),
                Mvex::KIND => r.once(&mut extends, &mut child)?,
                _ => {}
            }
        }
        Ok(Self {
            header: r.found(header)?,
            traks,
            extends: r.found(extends)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        for trak in &self.traks {
            trak.encode(out);
        }
        self.extends.encode(out);
    }
}
