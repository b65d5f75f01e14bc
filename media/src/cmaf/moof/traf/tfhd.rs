//! `tfhd` (ISO/IEC 14496-12 §8.8.7): a fragment's track, sample description and defaults.

use super::trun::SampleFlags;
use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// Track fragment header. Offsets count from the `moof` (default-base-is-moof), always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tfhd {
    /// Which track.
    pub track_id: u32,
    /// Where offsets count from, in files that are not CMAF.
    pub base_data_offset: Option<u64>,
    /// Counts from 1 in the track's `stsd`. We always write it, so that segments of several epochs can stand in one
    /// file with nothing but this number changed.
    pub sample_description_index: Option<u32>,
    /// Of samples that state none.
    pub default_duration: Option<u32>,
    /// Of samples that state none.
    pub default_size: Option<u32>,
    /// Of samples that state none.
    pub default_flags: Option<SampleFlags>,
}

const BASE_DATA_OFFSET: u32 = 0x1;
const SAMPLE_DESCRIPTION_INDEX: u32 = 0x2;
const DEFAULT_DURATION: u32 = 0x8;
const DEFAULT_SIZE: u32 = 0x10;
const DEFAULT_FLAGS: u32 = 0x20;
const DEFAULT_BASE_IS_MOOF: u32 = 0x2_0000;

impl Atom for Tfhd {
    const KIND: FourCc = FourCc(*b"tfhd");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (_, flags) = r.full(0)?;
        let mut this = Self {
            track_id: r.u32()?,
            ..Self::default()
        };
        if flags & BASE_DATA_OFFSET != 0 {
            this.base_data_offset = Some(r.u64()?);
        }
        for (flag, slot) in [
            (SAMPLE_DESCRIPTION_INDEX, &mut this.sample_description_index),
            (DEFAULT_DURATION, &mut this.default_duration),
            (DEFAULT_SIZE, &mut this.default_size),
        ] {
            if flags & flag != 0 {
                *slot = Some(r.u32()?);
            }
        }
        if flags & DEFAULT_FLAGS != 0 {
            this.default_flags = Some(SampleFlags(r.u32()?));
        }
        Ok(this)
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let fields = [
            (SAMPLE_DESCRIPTION_INDEX, self.sample_description_index),
            (DEFAULT_DURATION, self.default_duration),
            (DEFAULT_SIZE, self.default_size),
            (DEFAULT_FLAGS, self.default_flags.map(|f| f.0)),
        ];
        let mut flags = DEFAULT_BASE_IS_MOOF;
        if self.base_data_offset.is_some() {
            flags |= BASE_DATA_OFFSET;
        }
        for (flag, value) in fields {
            flags |= if value.is_some() { flag } else { 0 };
        }
        out.full(0, flags);
        out.u32(self.track_id);
        if let Some(offset) = self.base_data_offset {
            out.u64(offset);
        }
        for (_, value) in fields {
            if let Some(value) = value {
                out.u32(value);
            }
        }
    }
}
