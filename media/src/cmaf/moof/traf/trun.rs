//! `trun` (ISO/IEC 14496-12 §8.8.8): the samples of a fragment.

use crate::cmaf::atom::{Atom, BoxError, FourCc, Put, Reader};

/// What a decoder may know of a sample without decoding it (ISO/IEC 14496-12 §8.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleFlags(pub u32);

impl SampleFlags {
    /// Depends on nothing: an IDR, or any audio frame.
    pub const SYNC: Self = Self(0x0200_0000);
    /// Depends on others.
    pub const DELTA: Self = Self(0x0101_0000);

    /// Of a sync sample or another.
    pub const fn of(key: bool) -> Self {
        if key { Self::SYNC } else { Self::DELTA }
    }

    /// Whether decoding may start here.
    pub const fn is_sync(self) -> bool {
        self.0 & 0x0001_0000 == 0
    }
}

/// One sample. What is `None` comes from the run's first-sample flags or the defaults of `tfhd` and `trex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Ticks.
    pub duration: Option<u32>,
    /// Bytes.
    pub size: Option<u32>,
    /// What it depends on.
    pub flags: Option<SampleFlags>,
    /// Presentation minus decode time; `None` is 0. Version 0 of the box has no negative ones.
    pub composition_offset: Option<i32>,
}

/// A run of samples that lie behind one another. In one run all samples state the same fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trun {
    /// From the first byte of the `moof` to the first sample.
    pub data_offset: Option<i32>,
    /// Flags of the first sample.
    pub first_flags: Option<SampleFlags>,
    /// In decode order.
    pub entries: Vec<Entry>,
}

pub(in crate::cmaf) const DATA_OFFSET: u32 = 0x1;
pub(in crate::cmaf) const FIRST_FLAGS: u32 = 0x4;
pub(in crate::cmaf) const DURATION: u32 = 0x100;
pub(in crate::cmaf) const SIZE: u32 = 0x200;
pub(in crate::cmaf) const FLAGS: u32 = 0x400;
pub(in crate::cmaf) const COMPOSITION: u32 = 0x800;

/// Samples in one run where no field is stated for any: nothing else bounds what a reader makes of four bytes.
pub const BARE_SAMPLES_MAX: u32 = 1 << 16;

impl Atom for Trun {
    const KIND: FourCc = FourCc(*b"trun");

    fn decode_body(r: &mut Reader<'_>) -> Result<Self, BoxError> {
        let (version, flags) = r.full(1)?;
        let count = r.u32()?;
        let data_offset = if flags & DATA_OFFSET != 0 {
            Some(r.u32()? as i32)
        } else {
            None
        };
        let first_flags = if flags & FIRST_FLAGS != 0 {
            Some(SampleFlags(r.u32()?))
        } else {
            None
        };
        let width = (flags & (DURATION | SIZE | FLAGS | COMPOSITION)).count_ones() as usize * 4;
        let room = r.left().checked_div(width).unwrap_or(BARE_SAMPLES_MAX as usize);
        if count as usize > room {
            return Err(r.bad("sample_count", u64::from(count)));
        }
        let mut entries = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let mut entry = Entry::default();
            for (flag, slot) in [(DURATION, &mut entry.duration), (SIZE, &mut entry.size)] {
                if flags & flag != 0 {
                    *slot = Some(r.u32()?);
                }
            }
            if flags & FLAGS != 0 {
                entry.flags = Some(SampleFlags(r.u32()?));
            }
            if flags & COMPOSITION != 0 {
                let raw = r.u32()?;
                let signed = if version == 0 {
                    i32::try_from(raw).unwrap_or(i32::MAX)
                } else {
                    raw as i32
                };
                entry.composition_offset = Some(signed);
            }
            entries.push(entry);
        }
        Ok(Self {
            data_offset,
            first_flags,
            entries,
        })
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let first = self.entries.first().copied().unwrap_or_default();
        let mut flags = 0;
        for (flag, stated) in [
            (DATA_OFFSET, self.data_offset.is_some()),
            (FIRST_FLAGS, self.first_flags.is_some()),
            (DURATION, first.duration.is_some()),
            (SIZE, first.size.is_some()),
            (FLAGS, first.flags.is_some()),
            (COMPOSITION, first.composition_offset.is_some()),
        ] {
            flags |= if stated { flag } else { 0 };
        }
        out.full(1, flags);
        out.u32(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        if let Some(offset) = self.data_offset {
            out.u32(offset as u32);
        }
        if let Some(first) = self.first_flags {
            out.u32(first.0);
        }
        for entry in &self.entries {
            for (flag, value) in [
                (DURATION, entry.duration),
                (SIZE, entry.size),
                (FLAGS, entry.flags.map(|f| f.0)),
                (COMPOSITION, entry.composition_offset.map(|o| o as u32)),
            ] {
                if flags & flag != 0 {
                    out.u32(value.unwrap_or(0));
                }
            }
        }
    }
}
