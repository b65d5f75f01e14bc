//! `stbl` (ISO/IEC 14496-12 §8.5.1): the sample table. In a fragmented file all of it but `stsd` is empty.

mod stsd;

pub use stsd::{Avc1, Btrt, Colr, Esds, Mp4a, Pasp, SampleEntry, Stsd};

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader, wrap};

/// Sample table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stbl {
    /// How samples are described.
    pub descriptions: Stsd,
}

impl Atom for Stbl {
    const KIND: FourCc = FourCc(*b"stbl");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let mut descriptions = None;
        while let Some(mut child) = r.child()? {
            if child.kind() == Stsd::KIND {
                r.once(&mut descriptions, &mut child)?;
            }
        }
        Ok(Self {
            descriptions: r.found(descriptions)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.descriptions.encode(out);
        // (box, bytes of zero counts)
        for (kind, counts) in [(*b"stts", 4), (*b"stsc", 4), (*b"stsz", 8), (*b"stco", 4)] {
            wrap(out, FourCc(kind), |out| {
                out.full(0, 0);
                out.zeros(counts);
            });
        }
    }
}
