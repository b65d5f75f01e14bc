//! `moof` (ISO/IEC 14496-12 §8.8.4) and `mfhd`: what lies in the `mdat` behind it.

mod traf;

pub use traf::{Entry, SampleFlags, Tfdt, Tfhd, Traf, Trun};

use super::atom::{Atom, BoxError, FourCc, Put, Reader};

/// A movie fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moof {
    /// Its number.
    pub header: Mfhd,
    /// One for each track; CMAF has exactly one.
    pub trafs: Vec<Traf>,
}

/// Fragment number, which rises through a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mfhd {
    /// Rises from fragment to fragment.
    pub sequence_number: u32,
}

impl Atom for Moof {
    const KIND: FourCc = FourCc(*b"moof");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (mut header, mut trafs) = (None, Vec::new());
        while let Some(mut child) = r.child()? {
            match child.kind() {
                Mfhd::KIND => r.once(&mut header, &mut child)?,
                Traf::KIND => trafs.push(Traf::decode_body(&mut child)?),
                _ => {}
            }
        }
        Ok(Self {
            header: r.found(header)?,
            trafs,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        for traf in &self.trafs {
            traf.encode(out);
        }
    }
}

impl Atom for Mfhd {
    const KIND: FourCc = FourCc(*b"mfhd");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.full(0)?;
        Ok(Self {
            sequence_number: r.u32()?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.full(0, 0);
        out.u32(self.sequence_number);
    }
}
