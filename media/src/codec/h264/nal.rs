//! Walking NAL units in both framings: length prefixes (ISO/IEC 14496-15) and start codes (H.264 Annex B).

use std::ops::Range;

/// `nal_unit_type` values that matter here.
pub mod kind {
    /// A slice of a picture that is not an IDR.
    pub const SLICE: u8 = 1;
    /// First of three data partition types (2, 3, 4).
    pub const PARTITION_A: u8 = 2;
    /// A slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// End of sequence.
    pub const END_OF_SEQUENCE: u8 = 10;
    /// End of stream.
    pub const END_OF_STREAM: u8 = 11;
    /// Filler data.
    pub const FILLER: u8 = 12;
    /// Sequence parameter set extension.
    pub const SPS_EXTENSION: u8 = 13;
}

/// The bytes do not divide into NAL units.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("NAL unit of {length} bytes at byte {at}, beyond the end")]
pub struct Overrun {
    /// Where its length stands.
    pub at: usize,
    /// What the length says.
    pub length: usize,
}

/// Positions of the NAL units behind `length_size`-byte lengths (1 to 4). Empty units are skipped; trailing bytes
/// too few for a length end the walk when they are zero.
pub fn by_length(data: &[u8], length_size: usize) -> impl Iterator<Item = Result<Range<usize>, Overrun>> + '_ {
    let mut at = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        while !failed && at < data.len() {
            let Some(prefix) = data.get(at..at + length_size) else {
                failed = true;
                let rest = &data[at..];
                return if rest.iter().all(|&b| b == 0) {
                    None
                } else {
                    Some(Err(Overrun { at, length: rest.len() }))
                };
            };
            let length = prefix.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
            let start = at + length_size;
            if length > data.len() - start {
                failed = true;
                return Some(Err(Overrun { at, length }));
            }
            at = start + length;
            if length > 0 {
                return Some(Ok(start..at));
            }
        }
        None
    })
}

/// Positions of the NAL units between start codes, without trailing zero bytes. Empty units are skipped.
pub fn by_start_code(data: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut next = find_start_code(data, 0).map(|(_, after)| after);
    std::iter::from_fn(move || {
        while let Some(start) = next {
            let found = find_start_code(data, start);
            next = found.map(|(_, after)| after);
            let mut end = found.map_or(data.len(), |(before, _)| before);
            while end > start && data[end - 1] == 0 {
                end -= 1;
            }
            if end > start {
                return Some(start..end);
            }
        }
        None
    })
}

/// Whether the bytes begin like Annex B rather than like a length.
pub fn looks_like_start_code(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// The next `00 00 01` at or after `from`: where it begins and where it ends.
fn find_start_code(data: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from + 2;
    while let Some(&byte) = data.get(at) {
        match byte {
            0 => at += 1,
            1 if data[at - 1] == 0 && data[at - 2] == 0 => return Some((at - 2, at + 1)),
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e6_length_sizes_one_to_four() {
        for size in 1..=4 {
            let mut data = Vec::new();
            for nal in [&[0x65u8, 1, 2][..], &[], &[0x41]] {
                data.extend_from_slice(&(nal.len() as u32).to_be_bytes()[4 - size..]);
                data.extend_from_slice(nal);
            }
            let nals: Vec<_> = by_length(&data, size)
                .map(|r| data[r.expect("fits")].to_vec())
                .collect();
            assert_eq!(nals, [vec![0x65, 1, 2], vec![0x41]], "length size {size}");
        }
    }

    #[test]
    fn e6_length_beyond_the_tag_is_an_error_once() {
        let data = [0, 0, 0, 1, 0x41, 0, 0, 0, 9, 1];
        let all: Vec<_> = by_length(&data, 4).collect();
        assert_eq!(all, [Ok(4..5), Err(Overrun { at: 5, length: 9 })]);
    }

    #[test]
    fn e5_trailing_zeros_are_not_a_unit() {
        assert_eq!(by_length(&[0, 0, 0, 1, 0x41, 0, 0], 4).collect::<Vec<_>>(), [Ok(4..5)]);
    }

    #[test]
    fn e7_start_codes_of_three_and_four_bytes() {
        let data = [
            0, 0, 0, 1, 0x67, 9, 0, 0, 1, 0x68, 0, 0, 0, 0, 1, 0, 0, 1, 0x65, 1, 0, 0,
        ];
        let nals: Vec<_> = by_start_code(&data).map(|r| data[r].to_vec()).collect();
        assert_eq!(nals, [vec![0x67, 9], vec![0x68], vec![0x65, 1]]);
        assert_eq!(by_start_code(&[0, 0, 1]).count(), 0);
        assert_eq!(by_start_code(&[]).count(), 0);
    }
}
