//! `ftyp` and `styp` (ISO/IEC 14496-12 §4.3, §8.16.2): which rules a file or segment follows.

use super::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Brands of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ftyp {
    /// The best one.
    pub major: FourCc,
    /// Version of it.
    pub minor: u32,
    /// All that it follows.
    pub compatible: Vec<FourCc>,
}

/// Brands of a segment, written like those of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Styp(pub Ftyp);

impl Atom for Ftyp {
    const KIND: FourCc = FourCc(*b"ftyp");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let mut this = Self {
            major: FourCc(r.array()?),
            minor: r.u32()?,
            compatible: Vec::new(),
        };
        while r.left() > 0 {
            this.compatible.push(FourCc(r.array()?));
        }
        Ok(this)
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.extend(self.major.0);
        out.u32(self.minor);
        for brand in &self.compatible {
            out.extend(brand.0);
        }
    }
}

impl Atom for Styp {
    const KIND: FourCc = FourCc(*b"styp");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        Ftyp::decode_body(r).map(Self)
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        self.0.encode_body(out);
    }
}
