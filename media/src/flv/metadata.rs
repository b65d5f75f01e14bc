//! `onMetaData`: what the publisher announces. Hints only; the bitstream decides.

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
