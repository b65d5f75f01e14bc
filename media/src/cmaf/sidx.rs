//! `sidx` (ISO/IEC 14496-12 §8.16.3): where subsegments lie. Read from others; live segments need none.

use super::atom::{Atom, BoxError, FourCc, Put, Reader};

/// An index of subsegments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidx {
    /// Track.
    pub reference_id: u32,
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks.
    pub earliest_presentation_time: u64,
    /// Bytes from the end of this box to the first subsegment.
    pub first_offset: u64,
    /// In order.
    pub references: Vec<Reference>,
}

/// One subsegment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Points at another index, not at media.
    pub index: bool,
    /// Bytes; 31 bits.
    pub size: u32,
    /// Ticks.
    pub duration: u32,
    /// starts_with_SAP, SAP_type and SAP_delta_time as they stand.
    pub sap: u32,
}

impl Atom for Sidx {
    const KIND: FourCc = FourCc(*b"sidx");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, _) = r.full(1)?;
        let (reference_id, timescale) = (r.u32()?, r.u32()?);
        let (earliest_presentation_time, first_offset) = (r.wide(version)?, r.wide(version)?);
        let count = r.u32()? & 0xffff;
        let mut references = Vec::with_capacity((count as usize).min(r.left() / 12));
        for _ in 0..count {
            let size = r.u32()?;
            let (duration, sap) = (r.u32()?, r.u32()?);
            references.push(Reference {
                index: size >> 31 == 1,
                size: size & 0x7fff_ffff,
                duration,
                sap,
            });
        }
        Ok(Self {
            reference_id,
            timescale,
            earliest_presentation_time,
            first_offset,
            references,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let count = self.references.len().min(usize::from(u16::MAX));
        out.full(1, 0);
        out.u32(self.reference_id);
        out.u32(self.timescale);
        out.u64(self.earliest_presentation_time);
        out.u64(self.first_offset);
        out.u16(0);
        out.u16(count as u16);
        for reference in &self.references[..count] {
            out.u32(u32::from(reference.index) << 31 | reference.size & 0x7fff_ffff);
            out.u32(reference.duration);
            out.u32(reference.sap);
        }
    }
}
