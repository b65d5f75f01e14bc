//! `tfdt` (ISO/IEC 14496-12 §8.8.12): decode time of a fragment's first sample.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Track fragment decode time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tfdt {
    /// Ticks of the track's timescale: the sum of all durations before.
    pub base_media_decode_time: u64,
}

impl Atom for Tfdt {
    const KIND: FourCc = FourCc(*b"tfdt");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, _) = r.full(1)?;
        Ok(Self {
            base_media_decode_time: r.wide(version)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.full(1, 0);
        out.u64(self.base_media_decode_time);
    }
}
