//! H.264 byte streams (ISO/IEC 14496-10 annex B) as encoders write them, into the length-prefixed form of files.

use bytes::{BufMut, Bytes, BytesMut};

const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_AUD: u8 = 9;
const NAL_FILLER: u8 = 12;

/// NAL units of a byte stream, without start codes and trailing zeros.
pub(super) fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = start_code(stream).map_or(&stream[..0], |at| &stream[at + 3..]);
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let (nal, next) = match start_code(rest) {
                Some(at) => (&rest[..at], &rest[at + 3..]),
                None => (rest, &rest[..0]),
            };
            rest = next;
            let end = nal.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
            if end > 0 {
                return Some(&nal[..end]);
            }
        }
    })
}

/// Where the next `00 00 01` begins.
fn start_code(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    // The third byte decides how far the next start code can be: three bytes when it is above 1.
    while at < bytes.len() {
        match bytes[at] {
            0 => at += 1,
            1 if bytes[at - 1] == 0 && bytes[at - 2] == 0 => return Some(at - 2),
            _ => at += 3,
        }
    }
    None
}

/// A picture with 4-byte lengths; parameter sets, delimiters and filler left out.
pub(super) fn to_lengths(stream: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(stream.len() + 16);
    for nal in nal_units(stream) {
        if matches!(nal[0] & 0x1f, NAL_SPS | NAL_PPS | NAL_AUD | NAL_FILLER) {
            continue;
        }
        out.put_u32(nal.len() as u32);
        out.put_slice(nal);
    }
    out.freeze()
}

/// An `avcC` (ISO/IEC 14496-15 §5.3.3.1) of the parameter sets in `stream`; `None` without an SPS and a PPS.
pub(super) fn avcc(stream: &[u8]) -> Option<Bytes> {
    let of = |kind| nal_units(stream).filter(move |n| n[0] & 0x1f == kind);
    let (sps, pps): (Vec<_>, Vec<_>) = (of(NAL_SPS).collect(), of(NAL_PPS).collect());
    let first = sps.first().filter(|s| s.len() >= 4)?;
    if pps.is_empty() || sps.len() > 31 || pps.len() > 255 {
        return None;
    }
    let mut out = BytesMut::new();
    out.put_slice(&[1, first[1], first[2], first[3], 0xff, 0xe0 | sps.len() as u8]);
    for nal in &sps {
        out.put_u16(nal.len() as u16);
        out.put_slice(nal);
    }
    out.put_u8(pps.len() as u8);
    for nal in &pps {
        out.put_u16(nal.len() as u16);
        out.put_slice(nal);
    }
    if matches!(first[1], 100 | 110 | 122 | 144) {
        // 4:2:0 at 8 bits, the only format that the encoders here are given; no SPS extensions.
        out.put_slice(&[0xfc | 1, 0xf8, 0xf8, 0]);
    }
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_both_start_codes_and_strips_zeros() {
        let stream = [
            0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 9, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 1,
        ];
        let nals: Vec<&[u8]> = nal_units(&stream).collect();
        assert_eq!(nals, [&[0x67, 1, 2][..], &[0x68, 9], &[0x65, 0, 0, 3, 1]]);
        assert_eq!(&to_lengths(&stream)[..], &[0, 0, 0, 5, 0x65, 0, 0, 3, 1]);
        assert_eq!(nal_units(&[]).count(), 0);
        assert_eq!(nal_units(&[0, 0, 1]).count(), 0);
        assert_eq!(nal_units(&[1, 2, 3, 4]).count(), 0);
    }

    #[test]
    fn a_record_needs_both_parameter_sets() {
        assert_eq!(avcc(&[0, 0, 1, 0x67, 100, 0, 40, 1]), None);
        let record = avcc(&[0, 0, 1, 0x67, 100, 0, 40, 1, 0, 0, 1, 0x68, 7]).expect("both are there");
        assert_eq!(
            &record[..],
            &[
                1, 100, 0, 40, 0xff, 0xe1, 0, 5, 0x67, 100, 0, 40, 1, 1, 0, 2, 0x68, 7, 0xfd, 0xf8, 0xf8, 0
            ]
        );
    }
}
