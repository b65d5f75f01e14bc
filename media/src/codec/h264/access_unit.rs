//! A publisher's access unit brought to the form of a CMAF sample.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::nal::{self, kind};

/// Most NAL units in one access unit; more is an attack or damage.
pub const NALS_MAX: usize = 2048;
/// Longest SEI kept, in bytes. Captions and time codes are far below.
pub const SEI_BYTES_MAX: usize = 64 << 10;

/// Bytes beside the kept NAL units that a sample may hold on to rather than be copied: delimiters, parameter sets.
const PINNED_BYTES_MAX: usize = 128;

/// An access unit as a CMAF sample has it, and what was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NormalisedUnit {
    /// NAL units with 4-byte lengths; no delimiter, filler or parameter set. Empty when no slice is left.
    pub data: Bytes,
    /// Holds an IDR picture.
    pub idr: bool,
    /// Holds data partitions (Extended profile), which no player decodes.
    pub partitioned: bool,
    /// Came with start codes instead of lengths.
    pub start_codes: bool,
    /// Sequence parameter sets found, with their header byte.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets found, with their header byte.
    pub pps: Vec<Bytes>,
}

/// Why an access unit is dropped.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitError {
    /// Neither lengths nor start codes make sense.
    #[error("access unit is neither length-prefixed nor Annex B")]
    Framing(#[from] nal::Overrun),
    /// More than [`NALS_MAX`].
    #[error("access unit has more than {NALS_MAX} NAL units")]
    TooMany,
}

/// Brings an access unit to 4-byte lengths without delimiters, filler and parameter sets. SEI stays.
///
/// Lengths of `length_size` bytes (1 to 4) are tried first; bytes that do not fit them and begin with a start code
/// are read as Annex B. Copies only where the kept NAL units are not one stretch with 4-byte lengths already, or would
/// hold on to much that is not kept.
pub fn normalise_access_unit(payload: &Bytes, length_size: usize) -> Result<NormalisedUnit, UnitError> {
    let mut walk = Walk {
        payload,
        unit: NormalisedUnit::default(),
        kept: Vec::with_capacity(8),
        slices: false,
        seen: 0,
    };
    let by_length = nal::by_length(payload, length_size.clamp(1, 4)).try_for_each(|nal| walk.take(nal?));
    let mut in_place = length_size == 4;
    if let Err(error) = by_length {
        if !nal::looks_like_start_code(payload) {
            return Err(error);
        }
        walk = Walk {
            payload,
            unit: NormalisedUnit::default(),
            kept: walk.kept,
            slices: false,
            seen: 0,
        };
        walk.kept.clear();
        nal::by_start_code(payload).try_for_each(|nal| walk.take(nal))?;
        walk.unit.start_codes = true;
        in_place = false;
    }
    let Walk {
        mut unit, kept, slices, ..
    } = walk;
    if slices {
        unit.data = join(payload, &kept, in_place);
    }
    Ok(unit)
}

struct Walk<'a> {
    payload: &'a Bytes,
    unit: NormalisedUnit,
    kept: Vec<Range<usize>>,
    slices: bool,
    seen: usize,
}

impl Walk<'_> {
    fn take(&mut self, nal: Range<usize>) -> Result<(), UnitError> {
        self.seen += 1;
        if self.seen > NALS_MAX {
            return Err(UnitError::TooMany);
        }
        let set = |sets: &mut Vec<Bytes>| {
            let bytes = &self.payload[nal.clone()];
            if sets.len() < super::PARAMETER_SETS_MAX && !sets.iter().any(|set| set == bytes) {
                // Copied, for sets outlive their picture.
                sets.push(Bytes::copy_from_slice(bytes));
            }
        };
        match self.payload[nal.start] & 0x1f {
            kind::SPS => set(&mut self.unit.sps),
            kind::PPS => set(&mut self.unit.pps),
            kind::AUD | kind::FILLER | kind::END_OF_SEQUENCE | kind::END_OF_STREAM | kind::SPS_EXTENSION => {}
            kind::SEI if nal.len() > SEI_BYTES_MAX => {}
            kind => {
                self.unit.idr |= kind == kind::IDR;
                self.unit.partitioned |= (kind::PARTITION_A..kind::IDR).contains(&kind);
                self.slices |= (kind::SLICE..=kind::IDR).contains(&kind);
                self.kept.push(nal);
            }
        }
        Ok(())
    }
}

fn join(payload: &Bytes, kept: &[Range<usize>], in_place: bool) -> Bytes {
    if let ([first, ..], [.., last]) = (kept, kept)
        && in_place
        && kept.windows(2).all(|pair| pair[0].end + 4 == pair[1].start)
    {
        let stretch = first.start - 4..last.end;
        if payload.len() - stretch.len() <= PINNED_BYTES_MAX {
            return payload.slice(stretch);
        }
    }
    let mut out = BytesMut::with_capacity(kept.iter().map(|nal| nal.len() + 4).sum());
    for nal in kept {
        out.put_u32(nal.len() as u32);
        out.put_slice(&payload[nal.clone()]);
    }
    out.freeze()
}
