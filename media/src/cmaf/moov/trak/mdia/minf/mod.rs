//! `minf`, `vmhd`, `smhd`, `dinf` (ISO/IEC 14496-12 §8.4.4, §8.4.5, §8.7.1): where the media is (here), and how its
//! samples are described.

mod stbl;

pub use stbl::{Avc1, Btrt, Colr, Esds, Mp4a, Pasp, SampleEntry, Stbl, Stsd};

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader, wrap};

/// Media information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minf {
    /// Which of the two headers.
    pub header: MediaHeader,
    /// Sample table.
    pub table: Stbl,
}

/// The media's own header; neither kind says anything that is not fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaHeader {
    /// `vmhd`
    Video,
    /// `smhd`
    Audio,
}

const VMHD: FourCc = FourCc(*b"vmhd");
const SMHD: FourCc = FourCc(*b"smhd");

impl Atom for Minf {
    const KIND: FourCc = FourCc(*b"minf");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (mut header, mut table) = (None, None);
        while let Some(mut child) = r.child()? {
            match child.kind() {
                VMHD => header = Some(MediaHeader::Video),
                SMHD => header = Some(MediaHeader::Audio),
                Stbl::KIND => r.once(&mut table, &mut child)?,
                _ => {}
            }
        }
        let missing = BoxError::Missing {
            parent: Self::KIND,
            child: VMHD,
            at: r.at(),
        };
        Ok(Self {
            header: header.ok_or(missing)?,
            table: r.found(table)?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        match self.header {
            MediaHeader::Video => wrap(out, VMHD, |out| {
                out.full(0, 1);
                out.zeros(8);
            }),
            MediaHeader::Audio => wrap(out, SMHD, |out| {
                out.full(0, 0);
                out.zeros(4);
            }),
        }
        wrap(out, FourCc(*b"dinf"), |out| {
            wrap(out, FourCc(*b"dref"), |out| {
                out.full(0, 0);
                out.u32(1);
                // Flag 1: the media is in this very file.
                wrap(out, FourCc(*b"url "), |out| out.full(0, 1));
            });
        });
        self.table.encode(out);
    }
}
