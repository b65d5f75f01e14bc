//! `onMetaData`: what the publisher announces. Hints only; the bitstream decides.

use crate::rtmp::amf0::Value;

/// Longest encoder name kept, in characters.
pub const ENCODER_CHARS_MAX: usize = 128;

/// Typed hints from `onMetaData`. Nonsense (NaN, negative, text where a number belongs) reads as absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// Kilobits per second.
    pub video_kbps: Option<f64>,
    /// Kilobits per second.
    pub audio_kbps: Option<f64>,
    /// Announces pictures; `None` when it says nothing either way.
    pub video: Option<bool>,
    /// Announces sound; `None` when it says nothing either way.
    pub audio: Option<bool>,
    /// The encoder's name. From the publisher: escape before showing.
    pub encoder: Option<String>,
}

impl Metadata {
    /// Reads the object of `onMetaData`; anything else has no hints.
    pub fn from_amf(value: &Value) -> Self {
        let number = |name: &str| value.property(name)?.as_number().filter(|n| n.is_finite() && *n > 0.0);
        let pixels = |name| number(name).filter(|n| *n <= 65_536.0).map(|n| n as u32);
        Self {
            width: pixels("width"),
            height: pixels("height"),
            frame_rate: number("framerate")
                .or_else(|| number("videoframerate"))
                .filter(|n| (1.0..=300.0).contains(n)),
            video_kbps: number("videodatarate"),
            audio_kbps: number("audiodatarate"),
            video: announced(value, "hasVideo", "videocodecid"),
            audio: announced(value, "hasAudio", "audiocodecid"),
            encoder: value
                .property("encoder")
                .and_then(Value::as_str)
                .map(|s| s.chars().filter(|c| !c.is_control()).take(ENCODER_CHARS_MAX).collect()),
        }
    }
}

/// By an explicit flag, or by a codec id that is a number other than 0 or a name.
fn announced(value: &Value, flag: &str, codec: &str) -> Option<bool> {
    if let Some(Value::Boolean(has)) = value.property(flag) {
        return Some(*has);
    }
    match value.property(codec)? {
        Value::Number(id) => Some(*id != 0.0 && !id.is_nan()),
        Value::String(name) => Some(!name.is_empty() && name != "0"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::amf0::object;

    #[test]
    fn c11_nonsense_reads_as_absent() {
        let metadata = Metadata::from_amf(&object([
            ("width", f64::NAN.into()),
            ("height", (-1.0).into()),
            ("framerate", "29.97".into()),
            ("videodatarate", f64::INFINITY.into()),
            ("encoder", "a\r\nb<script>".into()),
        ]));
        let expected = Metadata {
            frame_rate: Some(29.97),
            encoder: Some("ab<script>".into()),
            ..Metadata::default()
        };
        assert_eq!(metadata, expected);
        assert_eq!(Metadata::from_amf(&Value::Null), Metadata::default());
    }

    #[test]
    fn p033_codec_ids_of_every_kind_announce_a_track() {
        let cases = [
            (Value::Number(7.0), Some(true)),
            (Value::Number(1_635_135_537.0), Some(true)),
            ("avc1".into(), Some(true)),
            (Value::Number(0.0), Some(false)),
            (Value::Null, None),
        ];
        for (id, expected) in cases {
            assert_eq!(
                Metadata::from_amf(&object([("videocodecid", id.clone())])).video,
                expected,
                "{id:?}"
            );
        }
    }

    #[test]
    fn j7_absurd_frame_rates_are_no_hint() {
        for rate in [0.0, 1_000.0, 90_000.0] {
            assert_eq!(
                Metadata::from_amf(&object([("framerate", rate.into())])).frame_rate,
                None
            );
        }
    }
}
