//! `trak` (ISO/IEC 14496-12 §8.3.1): one track. Edit lists are neither written nor read: decode times are shifted
//! instead, so none is needed.

mod mdia;
mod tkhd;

pub use mdia::{Avc1, Btrt, Colr, Esds, Hdlr, Mdhd, Mdia, MediaHeader, Minf, Mp4a, Pasp, SampleEntry, Stbl, Stsd};
pub use tkhd::Tkhd;

use crate::cmaf::atom::{Atom, BoxError, FourCc, Reader};

/// One track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trak {
    /// Track header.
    pub header: Tkhd,
    /// Its media.
    pub media: Mdia,
}

impl Atom for Trak {
    const KIND: FourCc = FourCc(*b"trak");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (mut header, mut media) = (None, None);
        while let Some(mut child) = r.child()? {
            match child.kind() {
                Tkhd::KIND => r.once(&mut header, &mut child)?,
                Mdia::KIND => r.once(&mut media, &mut child)?,
                _ => {}
            }
        }
        Ok(Self {
            header: r.found(header)?,
            media: r.found(media)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        self.media.encode(out);
    }
}
