//! `colr`, `pasp`, `btrt` (ISO/IEC 14496-12 §12.1.5, §12.1.4, §8.5.2): what a sample entry adds to its codec's record.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Colour by the numbers of ITU-T H.273 (`nclx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colr {
    /// `colour_primaries`
    pub primaries: u16,
    /// `transfer_characteristics`
    pub transfer: u16,
    /// `matrix_coefficients`
    pub matrix: u16,
    /// Full range.
    pub full_range: bool,
}

/// Shape of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pasp {
    /// Width to …
    pub h_spacing: u32,
    /// … height.
    pub v_spacing: u32,
}

/// Bit rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Btrt {
    /// Bytes; 0 where unknown.
    pub buffer_size: u32,
    /// Bits/s.
    pub max_bitrate: u32,
    /// Bits/s.
    pub average_bitrate: u32,
}

const NCLX: [u8; 4] = *b"nclx";

impl Atom for Colr {
    const KIND: FourCc = FourCc(*b"colr");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let form = r.array()?;
        if form != NCLX {
            return Err(r.bad("colour_type", u64::from(u32::from_be_bytes(form))));
        }
        Ok(Self {
            primaries: r.u16()?,
            transfer: r.u16()?,
            matrix: r.u16()?,
            full_range: r.u8()? & 0x80 != 0,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.extend(NCLX);
        out.u16(self.primaries);
        out.u16(self.transfer);
        out.u16(self.matrix);
        out.u8(u8::from(self.full_range) << 7);
    }
}

impl Atom for Pasp {
    const KIND: FourCc = FourCc(*b"pasp");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        Ok(Self {
            h_spacing: r.u32()?,
            v_spacing: r.u32()?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.u32(self.h_spacing);
        out.u32(self.v_spacing);
    }
}

impl Atom for Btrt {
    const KIND: FourCc = FourCc(*b"btrt");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        Ok(Self {
            buffer_size: r.u32()?,
            max_bitrate: r.u32()?,
            average_bitrate: r.u32()?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.u32(self.buffer_size);
        out.u32(self.max_bitrate);
        out.u32(self.average_bitrate);
    }
}
