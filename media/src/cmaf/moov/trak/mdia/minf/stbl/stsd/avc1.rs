//! `avc1` with `avcC` (ISO/IEC 14496-15 §5.4.2): H.264 whose parameter sets are all in the entry.

use bytes::Bytes;

use super::shape::{Btrt, Colr, Pasp};
use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader, wrap};

/// An H.264 sample entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Avc1 {
    /// Coded pixels, after cropping.
    pub width: u16,
    /// Coded pixels, after cropping.
    pub height: u16,
    /// The `avcC` record.
    pub record: Bytes,
    /// Where the stream says.
    pub colour: Option<Colr>,
    /// Where pixels are not square.
    pub aspect: Option<Pasp>,
    /// Where known.
    pub bitrate: Option<Btrt>,
}

const AVCC: FourCc = FourCc(*b"avcC");

impl Atom for Avc1 {
    const KIND: FourCc = FourCc(*b"avc1");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.bytes(6 + 2 + 16)?;
        let (width, height) = (r.u16()?, r.u16()?);
        r.bytes(50)?;
        let (mut record, mut colour, mut aspect, mut bitrate) = (None, None, None, None);
        while let Some(mut child) = r.child()? {
            match child.kind() {
                AVCC => record = Some(Bytes::copy_from_slice(child.rest())),
                // A colour in another form (an ICC profile) tells us nothing that we use.
                Colr::KIND => colour = Colr::decode_body(&mut child).ok(),
                Pasp::KIND => r.once(&mut aspect, &mut child)?,
                Btrt::KIND => r.once(&mut bitrate, &mut child)?,
                _ => {}
            }
        }
        let missing = BoxError::Missing {
            parent: Self::KIND,
            child: AVCC,
            at: r.at(),
        };
        Ok(Self {
            width,
            height,
            record: record.ok_or(missing)?,
            colour,
            aspect,
            bitrate,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.zeros(6);
        out.u16(1);
        out.zeros(16);
        out.u16(self.width);
        out.u16(self.height);
        // 72 dpi in both directions, one frame per sample, no name, 24 bits deep, no colour table.
        out.u32(0x0048_0000);
        out.u32(0x0048_0000);
        out.u32(0);
        out.u16(1);
        out.zeros(32);
        out.u16(0x0018);
        out.u16(0xffff);
        wrap(out, AVCC, |out| out.extend_from_slice(&self.record));
        if let Some(colour) = &self.colour {
            colour.encode(out);
        }
        if let Some(aspect) = &self.aspect {
            aspect.encode(out);
        }
        if let Some(bitrate) = &self.bitrate {
            bitrate.encode(out);
        }
    }
}
