//! `stsd` (ISO/IEC 14496-12 §8.5.2): sample descriptions, one entry for each way that samples are coded.

mod avc1;
mod mp4a;
mod shape;

pub use avc1::Avc1;
pub use mp4a::{Esds, Mp4a};
pub use shape::{Btrt, Colr, Pasp};

use bytes::Bytes;

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader, wrap};

/// Sample descriptions; `sample_description_index` counts them from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stsd {
    /// In order.
    pub entries: Vec<SampleEntry>,
}

/// One way that samples are coded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleEntry {
    /// H.264, parameter sets in the entry.
    Avc1(Avc1),
    /// MPEG-4 audio.
    Mp4a(Mp4a),
    /// Any other, kept as it stands.
    Other {
        /// Its letters.
        kind: FourCc,
        /// All after its header.
        body: Bytes,
    },
}

impl Atom for Stsd {
    const KIND: FourCc = FourCc(*b"stsd");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.full(1)?;
        let count = r.u32()?;
        let mut entries = Vec::new();
        while let Some(mut child) = r.child()? {
            entries.push(match child.kind() {
                Avc1::KIND => SampleEntry::Avc1(Avc1::decode_body(&mut child)?),
                Mp4a::KIND => SampleEntry::Mp4a(Mp4a::decode_body(&mut child)?),
                kind => SampleEntry::Other {
                    kind,
                    body: Bytes::copy_from_slice(child.rest()),
                },
            });
        }
        if entries.len() != count as usize {
            return Err(r.bad("entry_count", u64::from(count)));
        }
        Ok(Self { entries })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.full(0, 0);
        out.u32(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        for entry in &self.entries {
            match entry {
                SampleEntry::Avc1(entry) => entry.encode(out),
                SampleEntry::Mp4a(entry) => entry.encode(out),
                SampleEntry::Other { kind, body } => wrap(out, *kind, |out| out.extend_from_slice(body)),
            }
        }
    }
}
