//! `mvex` and `trex` (ISO/IEC 14496-12 §8.8.1, §8.8.3): fragments follow, and these are their defaults.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Movie extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mvex {
    /// One for each track.
    pub tracks: Vec<Trex>,
}

/// Defaults of one track's fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trex {
    /// Which track.
    pub track_id: u32,
    /// Counts from 1.
    pub default_sample_description_index: u32,
    /// Ticks.
    pub default_duration: u32,
    /// Bytes.
    pub default_size: u32,
    /// See [`SampleFlags`](super::super::SampleFlags).
    pub default_flags: u32,
}

impl Atom for Mvex {
    const KIND: FourCc = FourCc(*b"mvex");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let mut tracks = Vec::new();
        while let Some(mut child) = r.child()? {
            if child.kind() == Trex::KIND {
                tracks.push(Trex::decode_body(&mut child)?);
            }
        }
        Ok(Self { tracks })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        for track in &self.tracks {
            track.encode(out);
        }
    }
}

impl Atom for Trex {
    const KIND: FourCc = FourCc(*b"trex");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        r.full(0)?;
        Ok(Self {
            track_id: r.u32()?,
            default_sample_description_index: r.u32()?,
            default_duration: r.u32()?,
            default_size: r.u32()?,
            default_flags: r.u32()?,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.full(0, 0);
        out.u32(self.track_id);
        out.u32(self.default_sample_description_index);
        out.u32(self.default_duration);
        out.u32(self.default_size);
        out.u32(self.default_flags);
    }
}
