//! The CPU backend: libavcodec's H.264 and AAC, libx264, swscale and swresample.
//!
//! Every pointer of the libraries is owned by one small type here that frees it when dropped. Errors of the
//! libraries are numbers; [`AvError`] gives them their words.

mod aac;
mod context;
mod decoder;
mod frame;
pub(crate) mod jpeg;
mod scaler;
mod x264;

use std::ffi::CStr;
use std::fmt;

use ffmpeg_sys_next as ffi;

pub(crate) use aac::{AacDecoder, AacEncoder, AudioFormat, Samples};
pub(crate) use frame::Picture;

use super::{Backend, CodecError, Decoder, Encoder, Scaler, VideoSettings};

/// The backend of machines without a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ffmpeg {
    decode_threads: u32,
}

impl Ffmpeg {
    /// `decode_threads` above 1 cost delay and memory: for sources that one core cannot decode in time.
    pub(crate) fn new(decode_threads: u32) -> Self {
        // SAFETY: sets an integer inside the library; allowed at any time.
        unsafe { ffi::av_log_set_level(ffi::AV_LOG_FATAL) };
        Self {
            decode_threads: decode_threads.clamp(1, 16),
        }
    }
}

impl Backend for Ffmpeg {
    fn decoder(&self, avcc: &[u8]) -> Result<Box<dyn Decoder>, CodecError> {
        Ok(Box::new(decoder::H264Decoder::open(avcc, self.decode_threads)?))
    }

    fn scaler(&self, width: u32, height: u32) -> Result<Box<dyn Scaler>, CodecError> {
        Ok(Box::new(scaler::SwScaler::new(width, height)?))
    }

    fn encoder(&self, settings: &VideoSettings) -> Result<Box<dyn Encoder>, CodecError> {
        Ok(Box::new(x264::X264::open(settings)?))
    }
}

/// A negative number that a library returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AvError(i32);

impl AvError {
    /// `Err` for negative results.
    fn check(result: i32) -> Result<i32, Self> {
        if result < 0 { Err(Self(result)) } else { Ok(result) }
    }

    /// Whether the codec merely wants more input, or room for output.
    fn is_again(self) -> bool {
        self.0 == ffi::AVERROR(libc::EAGAIN)
    }

    /// Whether everything was drained.
    fn is_end(self) -> bool {
        self.0 == ffi::AVERROR_EOF
    }

    /// Some error, for codecs that only pretend.
    #[cfg(test)]
    pub(crate) fn for_probe() -> Self {
        Self(ffi::AVERROR_INVALIDDATA)
    }

    const NO_MEMORY: Self = Self(-libc::ENOMEM);
}

impl fmt::Display for AvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0 as libc::c_char; 128];
        // SAFETY: the library writes at most 128 bytes, the last of them zero.
        let text = unsafe {
            ffi::av_strerror(self.0, text.as_mut_ptr(), text.len());
            CStr::from_ptr(text.as_ptr())
        };
        write!(f, "{} ({})", text.to_string_lossy(), self.0)
    }
}
impl fmt::Debug for AvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl std::error::Error for AvError {}
