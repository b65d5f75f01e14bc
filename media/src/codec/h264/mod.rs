//! H.264 / AVC: the decoder configuration record, parameter sets, access units and levels.
//!
//! [`Config`] is the record (`avcC`) with what its parameter sets say. [`normalise_access_unit`] brings a
//! publisher's access unit, in either framing, to the form that CMAF samples have.

use bytes::{BufMut, Bytes, BytesMut};

mod access_unit;
mod level;
pub mod nal;
mod sps;

pub use access_unit::{NALS_MAX, NormalisedUnit, SEI_BYTES_MAX, UnitError, normalise_access_unit};
pub use level::level_for;
pub use sps::{Colour, SIDE_MAX, SIDE_MIN, Sps, SpsError};

use super::bits::BitReader;

/// Most parameter sets of each kind in one configuration. H.264 knows 32 SPS ids and 256 PPS ids; what publishers
/// send is 1 of each, seldom a handful.
pub const PARAMETER_SETS_MAX: usize = 32;

/// A parsed `avcC` (ISO/IEC 14496-15 §5.3.3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    record: Bytes,
    nal_length_size: usize,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
    parsed: Vec<Sps>,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// It ends too early.
    #[error("avcC ends at byte {0}, inside a field")]
    Truncated(usize),
    /// Only version 1 exists.
    #[error("avcC version {0}; only 1 exists")]
    Version(u8),
    /// It holds none of one kind: the stream may carry them itself.
    #[error("no {0} in the H.264 configuration")]
    Missing(&'static str),
    /// More than [`PARAMETER_SETS_MAX`], or one of more than 65535 bytes.
    #[error("too many or too large parameter sets in the H.264 configuration")]
    TooLarge,
    /// A sequence parameter set cannot be used.
    #[error("sequence parameter set cannot be used")]
    Sps(#[from] SpsError),
    /// Not a picture parameter set.
    #[error("NAL unit type {0} where a picture parameter set (8) belongs")]
    NotPps(u8),
}

impl Config {
    /// Parses an `avcC`. Bytes after the fields that it declares are accepted.
    pub fn parse(record: Bytes) -> Result<Self, ConfigError> {
        let byte = |at: usize| record.get(at).copied().ok_or(ConfigError::Truncated(at));
        if byte(0)? != 1 {
            return Err(ConfigError::Version(byte(0)?));
        }
        let nal_length_size = usize::from(byte(4)? & 3) + 1;
        let mut at = 5;
        let mut sets = |mask: u8| {
            let count = usize::from(byte(at)? & mask);
            at += 1;
            if count > PARAMETER_SETS_MAX {
                return Err(ConfigError::TooLarge);
            }
            let mut out = Vec::with_capacity(count);
            for _ in 0..count {
                let length = usize::from(byte(at)?) << 8 | usize::from(byte(at + 1)?);
                at += 2;
                if length > record.len() - at {
                    return Err(ConfigError::Truncated(at));
                }
                if length > 0 {
                    out.push(record.slice(at..at + length));
                }
                at += length;
            }
            Ok(out)
        };
        let (sps, pps) = (sets(0x1f)?, sets(0xff)?);
        let parsed = check(&sps, &pps)?;
        let samples = if nal_length_size == 4 {
            record.clone()
        } else {
            write_record(&sps, &pps, &parsed[0])?
        };
        Ok(Self {
            record: samples,
            nal_length_size,
            sps,
            pps,
            parsed,
        })
    }

    /// A configuration for parameter sets found in a bitstream (NAL units with their header byte).
    pub fn from_parameter_sets(sps: &[Bytes], pps: &[Bytes]) -> Result<Self, ConfigError> {
        let parsed = check(sps, pps)?;
        let record = write_record(sps, pps, &parsed[0])?;
        Ok(Self {
            record,
            nal_length_size: 4,
            sps: sps.to_vec(),
            pps: pps.to_vec(),
            parsed,
        })
    }

    /// This configuration with parameter sets from the bitstream, which replace those of the same id.
    pub fn updated_by(&self, sps: &[Bytes], pps: &[Bytes]) -> Result<Self, ConfigError> {
        let mut all_sps = self.sps.clone();
        let mut all_pps = self.pps.clone();
        sps.iter().for_each(|set| replace(&mut all_sps, set, sps_id));
        pps.iter().for_each(|set| replace(&mut all_pps, set, pps_id));
        let mut updated = Self::from_parameter_sets(&all_sps, &all_pps)?;
        updated.nal_length_size = self.nal_length_size;
        Ok(updated)
    }

    /// The record for a sample entry. Its samples have 4-byte lengths, whatever the publisher's have.
    pub fn record(&self) -> &Bytes {
        &self.record
    }

    /// Bytes of each NAL length in the publisher's own units.
    pub fn nal_length_size(&self) -> usize {
        self.nal_length_size
    }

    /// `avc1.PPCCLL` from the record's own profile, compatibility and level bytes.
    pub fn codec_string(&self) -> String {
        let hex: String = self.record.iter().skip(1).take(3).map(|b| format!("{b:02x}")).collect();
        format!("avc1.{hex}")
    }

    /// What the first sequence parameter set says.
    pub fn sps(&self) -> &Sps {
        &self.parsed[0]
    }

    /// The sequence parameter sets, NAL units with their header byte.
    pub fn sps_nals(&self) -> &[Bytes] {
        &self.sps
    }

    /// The picture parameter sets, NAL units with their header byte.
    pub fn pps_nals(&self) -> &[Bytes] {
        &self.pps
    }

    /// All parameter sets as the NAL units of an access unit, with 4-byte lengths.
    pub fn in_band(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        for set in self.sps.iter().chain(&self.pps) {
            out.put_u32(set.len() as u32);
            out.put_slice(set);
        }
        out.freeze()
    }

    /// Whether a decoder and a screen could not tell the difference: bit rate, buffer and timing declarations,
    /// order and repetition of parameter sets may differ.
    pub fn same_meaning(&self, other: &Self) -> bool {
        if self.record == other.record {
            return true;
        }
        let covers = |a: &Self, b: &Self| {
            a.parsed.iter().all(|x| b.parsed.iter().any(|y| x.same_meaning(y)))
                && a.pps.iter().all(|x| b.pps.contains(x))
        };
        covers(self, other) && covers(other, self)
    }
}

fn check(sps: &[Bytes], pps: &[Bytes]) -> Result<Vec<Sps>, ConfigError> {
    if sps.is_empty() {
        return Err(ConfigError::Missing("sequence parameter set"));
    }
    if pps.is_empty() {
        return Err(ConfigError::Missing("picture parameter set"));
    }
    let too_large = |sets: &[Bytes]| sets.len() > PARAMETER_SETS_MAX || sets.iter().any(|s| s.len() > 0xffff);
    if too_large(sps) || too_large(pps) {
        return Err(ConfigError::TooLarge);
    }
    if let Some(header) = pps
        .iter()
        .filter_map(|s| s.first())
        .find(|&b| b & 0x1f != nal::kind::PPS)
    {
        return Err(ConfigError::NotPps(header & 0x1f));
    }
    sps.iter()
        .map(|set| Sps::parse(set).map_err(ConfigError::from))
        .collect()
}

fn write_record(sps: &[Bytes], pps: &[Bytes], first: &Sps) -> Result<Bytes, ConfigError> {
    let mut out = BytesMut::with_capacity(64);
    let profile = sps[0].get(1..4).ok_or(SpsError::Truncated("its profile"))?;
    out.put_u8(1);
    out.put_slice(profile);
    out.put_u8(0xff);
    let mut put = |mask: u8, sets: &[Bytes]| {
        out.put_u8(mask | sets.len() as u8);
        for set in sets {
            out.put_u16(set.len() as u16);
            out.put_slice(set);
        }
    };
    // 31 is the field's own bound for sequence parameter sets.
    put(0xe0, &sps[..sps.len().min(31)]);
    put(0, pps);
    if matches!(first.profile, 100 | 110 | 122 | 144) {
        out.put_slice(&[
            0xfc | first.chroma,
            0xf8 | (first.bit_depth - 8),
            0xf8 | (first.bit_depth_chroma - 8),
            0,
        ]);
    }
    Ok(out.freeze())
}

fn replace(sets: &mut Vec<Bytes>, set: &Bytes, id: fn(&[u8]) -> Option<u32>) {
    match sets.iter_mut().find(|old| id(old) == id(set)) {
        Some(old) => *old = set.clone(),
        None => sets.push(set.clone()),
    }
}

fn sps_id(nal: &[u8]) -> Option<u32> {
    BitReader::of_nal(nal.get(4..)?).ue().ok()
}

fn pps_id(nal: &[u8]) -> Option<u32> {
    BitReader::of_nal(nal.get(1..)?).ue().ok()
}

#[cfg(test)]
mod tests;
