//! `traf` (ISO/IEC 14496-12 §8.8.6): one track's share of a fragment.

mod tfdt;
mod tfhd;
mod trun;

pub use tfdt::Tfdt;
pub use tfhd::Tfhd;
pub use trun::{Entry, SampleFlags, Trun};

use crate::cmaf::atom::{Atom, BoxError, FourCc, Reader};

/// A track fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traf {
    /// Track and defaults.
    pub header: Tfhd,
    /// Decode time of the first sample; CMAF always has it.
    pub decode_time: Option<Tfdt>,
    /// Samples; CMAF has one run.
    pub runs: Vec<Trun>,
}

impl Atom for Traf {
    const KIND: FourCc = FourCc(*b"traf");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (mut header, mut decode_time, mut runs) = (None, None, Vec::new());
        while let Some(mut child) = r.child()? {
            match child.kind() {
                Tfhd::KIND => r.once(&mut header, &mut child)?,
                Tfdt::KIND => r.once(&mut decode_time, &mut child)?,
                Trun::KIND => runs.push(Trun::decode_body(&mut child)?),
                _ => {}
            }
        }
        Ok(Self {
            header: r.found(header)?,
            decode_time,
            runs,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        if let Some(decode_time) = &self.decode_time {
            decode_time.encode(out);
        }
        for run in &self.runs {
            run.encode(out);
        }
    }
}
