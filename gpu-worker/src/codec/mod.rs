//! The seams to codecs: [`Decoder`], [`Scaler`] and [`Encoder`], and what passes through them.
//!
//! `ffmpeg` is the CPU backend (libavcodec, libx264, swscale, swresample). `probe` misbehaves on purpose, so that
//! tests can watch what the pipeline does about it. A seam's method that would lose media if it silently did
//! nothing has no default body.
//!
//! Times are ticks of 1/90000 s for video and of the sample rate for audio. A [`Frame`] is reference counted:
//! cloning one never copies pixels. This module is the only one of the crate with `unsafe` code, all of it in
//! `ffmpeg`.

pub(crate) mod ffmpeg;
#[cfg(test)]
pub(crate) mod probe;

use bytes::Bytes;
use headwater_media::codec::h264::Colour;

/// Largest picture, in luma samples, that a decoder accepts: a little over 8K.
pub(crate) const FRAME_PIXELS_MAX: i64 = 8192 * 4352;

/// Decoded pixels, shared by reference.
#[derive(Clone)]
pub(crate) struct Frame {
    /// Presentation time, 1/90000 s.
    pub pts: i64,
    /// Where the pixels are.
    pub picture: Picture,
}

/// The memory behind a [`Frame`].
#[derive(Clone)]
pub(crate) enum Picture {
    /// Host memory, allocated by libavutil.
    Host(ffmpeg::Picture),
    /// No pixels at all: what `probe` makes.
    #[cfg(test)]
    Blank,
}

impl Picture {
    /// The host memory that a CPU codec reads; `who` is named where it is something else.
    #[cfg_attr(
        not(test),
        expect(clippy::unnecessary_wraps, reason = "other devices' pictures join this enumeration")
    )]
    #[cfg_attr(
        not(test),
        allow(unused_variables, reason = "without tests there is only host memory")
    )]
    fn host(&self, who: &'static str) -> Result<&ffmpeg::Picture, CodecError> {
        match self {
            Self::Host(picture) => Ok(picture),
            #[cfg(test)]
            Self::Blank => Err(CodecError::ForeignPicture(who)),
        }
    }
}

/// One coded picture or audio block as it enters a decoder or leaves an encoder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unit {
    /// Decode time, never after `pts`. The n-th unit of an encoder that reorders by `d` pictures decodes when frame
    /// `n - d` is shown; of one without B pictures, when it is shown itself.
    pub dts: i64,
    /// Presentation time.
    pub pts: i64,
    /// Ticks until the next unit's `dts`, where that is known.
    pub duration: Option<u32>,
    /// Video: an IDR picture.
    pub key: bool,
    /// H.264: NAL units with 4-byte lengths, without parameter sets. AAC: one raw frame.
    pub data: Bytes,
}

/// Opens decoders, scalers and encoders of one kind of device.
pub(crate) trait Backend: Send + Sync {
    /// A decoder for H.264 with this `avcC` (ISO/IEC 14496-15 §5.3.3.1).
    fn decoder(&self, avcc: &[u8]) -> Result<Box<dyn Decoder>, CodecError>;
    /// A scaler to this size. Sources of another shape get black borders.
    fn scaler(&self, width: u32, height: u32) -> Result<Box<dyn Scaler>, CodecError>;
    /// An H.264 encoder.
    fn encoder(&self, settings: &VideoSettings) -> Result<Box<dyn Encoder>, CodecError>;
}

/// One open video decoder.
pub(crate) trait Decoder: Send {
    /// Takes units in decode order; returns frames in presentation order, maybe none yet.
    fn decode(&mut self, unit: &Unit) -> Result<Vec<Frame>, CodecError>;
    /// Drains what is still held for reordering. No default body: an empty one would lose the tail.
    fn finish(&mut self) -> Result<Vec<Frame>, CodecError>;
}

/// Brings frames of any size to one size.
pub(crate) trait Scaler: Send {
    /// A frame of the scaler's size with the pts of `frame`; `frame` itself when nothing is to be done.
    fn scale(&mut self, frame: &Frame) -> Result<Frame, CodecError>;
}

/// One open encoder: `ffmpeg` on a CPU, `probe` in tests.
pub(crate) trait Encoder: Send {
    /// Takes frames in presentation order; returns units in decode order, maybe none yet. With `key` the frame
    /// becomes an IDR picture.
    fn encode(&mut self, frame: &Frame, key: bool) -> Result<Vec<Unit>, CodecError>;
    /// Drains what the encoder still holds. No default body: an empty one would lose the tail.
    fn finish(&mut self) -> Result<Vec<Unit>, CodecError>;
    /// The `avcC` of everything that this encoder returns.
    fn record(&self) -> Bytes;
}

/// How much delay the encoder may add for quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    /// No B pictures, a short lookahead.
    Low,
    /// Two B pictures and a longer lookahead.
    Standard,
}

/// What an H.264 encoder is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VideoSettings {
    /// Even, in luma samples.
    pub width: u32,
    /// Even, in luma samples.
    pub height: u32,
    /// Average, bits/s; the peak is 1.1 times it over a buffer of one second.
    pub bitrate_bps: u32,
    /// Nominal rate for levels and first guesses of the rate control, frames/s × 1000.
    pub fps_milli: u32,
    /// How much delay is allowed.
    pub delay: Delay,
    /// x264 preset.
    pub preset: String,
    /// Encoder threads; 1 is the cheapest per frame.
    pub threads: u32,
    /// Colour description written to the stream.
    pub colour: Colour,
}

/// What went wrong in a codec.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CodecError {
    /// The library has no such codec.
    #[error("the linked FFmpeg has no {0}")]
    Missing(&'static str),
    /// A codec did not open.
    #[error("{codec} did not open with {what}")]
    Open {
        /// Which.
        codec: &'static str,
        /// Its settings in words.
        what: String,
        /// The library's word.
        #[source]
        source: ffmpeg::AvError,
    },
    /// This input is damaged; the next may decode.
    #[error("{codec} refused the unit at dts {dts}")]
    Corrupt {
        /// Which.
        codec: &'static str,
        /// Decode time of the unit.
        dts: i64,
        /// The library's word.
        #[source]
        source: ffmpeg::AvError,
    },
    /// The codec cannot go on.
    #[error("{codec} failed at pts {pts}")]
    Failed {
        /// Which.
        codec: &'static str,
        /// Presentation time of the input.
        pts: i64,
        /// The library's word.
        #[source]
        source: ffmpeg::AvError,
    },
    /// No memory for a picture.
    #[error("no memory for a picture of {width}x{height}")]
    Memory {
        /// Luma samples.
        width: u32,
        /// Luma samples.
        height: u32,
    },
    /// An encoder's parameter sets were not to be found.
    #[error("{0} gave no parameter sets")]
    NoParameterSets(&'static str),
    /// A picture of another device's memory.
    #[cfg(test)]
    #[error("{0} cannot read this picture's memory")]
    ForeignPicture(&'static str),
    /// The probe was told to fail here.
    #[cfg(test)]
    #[error("probe failed as told at {0}")]
    Probe(i64),
}

impl CodecError {
    /// Whether the next unit may well succeed.
    pub(crate) fn is_corrupt_input(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}
