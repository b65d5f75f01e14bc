//! ADTS headers (ISO/IEC 13818-7 §6.2): some publishers put them where raw frames belong.

use bytes::Bytes;

use super::{Config, ConfigError, RATES};

/// Frames taken out of their ADTS headers.
#[derive(Clone, Debug, PartialEq)]
pub struct Adts {
    /// What the first header says.
    pub config: Config,
    /// Raw frames, in order; never empty.
    pub frames: Vec<Bytes>,
}

/// Most frames taken from one payload.
const FRAMES_MAX: usize = 64;

/// Takes raw frames out of ADTS. `None` when the payload is not ADTS: a sync word that a raw frame begins with by
/// chance does not count, because the headers must lead exactly to the payload's end.
pub fn unwrap_adts(payload: &Bytes) -> Option<Result<Adts, ConfigError>> {
    let mut frames = Vec::new();
    let mut first = None;
    let mut at = 0;
    while at < payload.len() {
        let h = payload.get(at..at + 7)?;
        if h[0] != 0xff || h[1] & 0xf6 != 0xf0 || frames.len() == FRAMES_MAX {
            return None;
        }
        let header = if h[1] & 1 == 1 { 7 } else { 9 };
        let length = usize::from(h[3] & 3) << 11 | usize::from(h[4]) << 3 | usize::from(h[5] >> 5);
        if length < header || length > payload.len() - at {
            return None;
        }
        first.get_or_insert((h[2] >> 6, h[2] >> 2 & 0xf, (h[2] & 1) << 2 | h[3] >> 6));
        if length > header {
            frames.push(payload.slice(at + header..at + length));
        }
        at += length;
    }
    let (profile, index, channels) = first?;
    if frames.is_empty() {
        return None;
    }
    let config = match RATES.get(usize::from(index)) {
        Some(&rate) => Config::new(profile + 1, rate, channels),
        None => Err(ConfigError::Rate(0)),
    };
    Some(config.map(|config| Adts { config, frames }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let length = body.len() + 7;
        let mut out = vec![
            0xff,
            0xf1,
            0x4c,
            0x80 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ];
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn e14_adts_is_unwrapped() {
        let payload = Bytes::from([frame(&[1, 2, 3]), frame(&[4])].concat());
        let adts = unwrap_adts(&payload).expect("is ADTS").expect("valid");
        assert_eq!(adts.frames, [Bytes::from_static(&[1, 2, 3]), Bytes::from_static(&[4])]);
        assert_eq!((adts.config.output_rate(), adts.config.channels()), (48_000, Some(2)));
    }

    #[test]
    fn e14_raw_frames_are_left_alone() {
        let mut cut = frame(&[1, 2, 3]);
        cut.pop();
        for raw in [&[][..], &[0x21, 0x10], &[0xff, 0xf1, 0x4c, 0x80, 0, 0, 0], &cut] {
            assert_eq!(unwrap_adts(&Bytes::copy_from_slice(raw)), None);
        }
    }
}
