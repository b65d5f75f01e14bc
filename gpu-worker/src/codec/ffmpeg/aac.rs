//! AAC by libavcodec, with swresample between: whatever comes in leaves as 48 kHz stereo.

use std::ptr::{self, NonNull};

use bytes::Bytes;
use ffmpeg_sys_next as ffi;

use super::AvError;
use super::context::Context;
use super::frame::AvFrame;
use crate::codec::{CodecError, Unit};

const DECODER: &str = "the AAC decoder";
const ENCODER: &str = "the AAC encoder";

/// What this worker's audio renditions sound like when they are not the source's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AudioFormat;

impl AudioFormat {
    /// Samples per second.
    pub(crate) const SAMPLE_RATE: u32 = 48_000;
    /// Left and right.
    pub(crate) const CHANNELS: u32 = 2;
    /// Samples of one AAC-LC frame.
    pub(crate) const FRAME_SAMPLES: usize = 1024;
    /// Silence that the encoder puts before the first sample, in samples.
    pub(crate) const PRIMING_SAMPLES: i64 = 1024;
}

/// Left and right samples at 48 kHz, of equal count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    /// Left, or mono twice.
    pub left: Vec<f32>,
    /// Right.
    pub right: Vec<f32>,
}

/// An open AAC decoder with its resampler.
pub(crate) struct AacDecoder {
    context: Context,
    resampler: Option<Resampler>,
}

impl AacDecoder {
    /// Opens with an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
    pub(crate) fn open(asc: &[u8]) -> Result<Self, CodecError> {
        let codec = Context::decoder(ffi::AVCodecID::AV_CODEC_ID_AAC).ok_or(CodecError::Missing(DECODER))?;
        let open = |source| CodecError::Open {
            codec: DECODER,
            what: format!("a configuration of {} bytes", asc.len()),
            source,
        };
        let mut context = Context::new(codec).map_err(open)?;
        context.set_extradata(asc).map_err(open)?;
        context.fields().thread_count = 1;
        context.open(&[]).map_err(open)?;
        Ok(Self {
            context,
            resampler: None,
        })
    }

    /// The unit's sound; the resampler may keep a few samples until the next.
    pub(crate) fn decode(&mut self, unit: &Unit) -> Result<Samples, CodecError> {
        let corrupt = |source| CodecError::Corrupt {
            codec: DECODER,
            dts: unit.dts,
            source,
        };
        self.context
            .send_unit(Some((&unit.data, unit.pts, unit.dts)))
            .map_err(corrupt)?;
        let mut samples = Samples::default();
        while let Some(frame) = self.context.receive_frame().map_err(corrupt)? {
            let like = self.resampler.as_ref().is_some_and(|r| r.reads(&frame));
            if !like {
                self.resampler = Some(Resampler::for_frame(&frame).map_err(corrupt)?);
            }
            if let Some(resampler) = &mut self.resampler {
                resampler.run(&frame, &mut samples).map_err(corrupt)?;
            }
        }
        Ok(samples)
    }
}

/// Any layout, rate and format to planar float stereo at 48 kHz.
struct Resampler {
    context: NonNull<ffi::SwrContext>,
    rate: i32,
    format: i32,
    channels: i32,
}

// SAFETY: used from one thread at a time; only reached through `&mut`.
unsafe impl Send for Resampler {}

impl Resampler {
    fn for_frame(frame: &AvFrame) -> Result<Self, AvError> {
        let fields = frame.fields();
        let (rate, format, channels) = (fields.sample_rate, fields.format, fields.ch_layout.nb_channels);
        let mut context = ptr::null_mut();
        // SAFETY: the layouts outlive the call, which copies them; the sample format comes from a decoded frame.
        unsafe {
            let mut stereo = std::mem::zeroed::<ffi::AVChannelLayout>();
            ffi::av_channel_layout_default(&mut stereo, AudioFormat::CHANNELS as i32);
            let result = ffi::swr_alloc_set_opts2(
                &mut context,
                &mut stereo,
                ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP,
                AudioFormat::SAMPLE_RATE as i32,
                ptr::from_ref(&fields.ch_layout).cast_mut(),
                std::mem::transmute::<i32, ffi::AVSampleFormat>(format),
                rate,
                0,
                ptr::null_mut(),
            );
            AvError::check(result)?;
            let context = NonNull::new(context).ok_or(AvError::NO_MEMORY)?;
            let resampler = Self {
                context,
                rate,
                format,
                channels,
            };
            AvError::check(ffi::swr_init(context.as_ptr()))?;
            Ok(resampler)
        }
    }

    fn reads(&self, frame: &AvFrame) -> bool {
        let fields = frame.fields();
        (self.rate, self.format, self.channels) == (fields.sample_rate, fields.format, fields.ch_layout.nb_channels)
    }

    fn run(&mut self, frame: &AvFrame, out: &mut Samples) -> Result<(), AvError> {
        let fields = frame.fields();
        // SAFETY: the output planes have room for as many samples as the library says it may write, and the
        // vectors grow only by what it says it wrote.
        unsafe {
            let room = AvError::check(ffi::swr_get_out_samples(self.context.as_ptr(), fields.nb_samples))?;
            let before = out.left.len();
            out.left.resize(before + room as usize, 0.0);
            out.right.resize(before + room as usize, 0.0);
            let mut planes = [
                out.left.as_mut_ptr().add(before).cast::<u8>(),
                out.right.as_mut_ptr().add(before).cast(),
            ];
            let written = AvError::check(ffi::swr_convert(
                self.context.as_ptr(),
                planes.as_mut_ptr(),
                room,
                fields.extended_data.cast(),
                fields.nb_samples,
            ));
            let kept = before + written.unwrap_or(0) as usize;
            out.left.truncate(kept);
            out.right.truncate(kept);
            written.map(drop)
        }
    }
}

impl Drop for Resampler {
    fn drop(&mut self) {
        let mut context = self.context.as_ptr();
        // SAFETY: owned by `self` alone and not used again.
        unsafe { ffi::swr_free(&mut context) };
    }
}

/// An open AAC-LC encoder: blocks of 1024 stereo samples in, raw frames out.
pub(crate) struct AacEncoder {
    context: Context,
    record: Bytes,
}

impl AacEncoder {
    /// Opens at an average of `bitrate_bps`.
    pub(crate) fn open(bitrate_bps: u32) -> Result<Self, CodecError> {
        let codec = Context::encoder("aac").ok_or(CodecError::Missing(ENCODER))?;
        let open = |source| CodecError::Open {
            codec: ENCODER,
            what: format!("{bitrate_bps} bit/s"),
            source,
        };
        let mut context = Context::new(codec).map_err(open)?;
        let fields = context.fields();
        fields.bit_rate = i64::from(bitrate_bps);
        fields.sample_rate = AudioFormat::SAMPLE_RATE as i32;
        fields.sample_fmt = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP;
        fields.time_base = ffi::AVRational {
            num: 1,
            den: AudioFormat::SAMPLE_RATE as i32,
        };
        fields.flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        fields.thread_count = 1;
        // SAFETY: writes a plain stereo layout into the context's own field.
        unsafe { ffi::av_channel_layout_default(&mut fields.ch_layout, AudioFormat::CHANNELS as i32) };
        context.open(&[]).map_err(open)?;
        // FFmpeg appends an SBR extension to the record; the first two bytes say all that LC needs.
        let record = match context.extradata() {
            [a, b, ..] => Bytes::copy_from_slice(&[*a, *b]),
            _ => return Err(CodecError::NoParameterSets(ENCODER)),
        };
        Ok(Self { context, record })
    }

    /// The AudioSpecificConfig of what comes out.
    pub(crate) fn record(&self) -> Bytes {
        self.record.clone()
    }

    /// Encodes one block that starts at `pts`. Returns `(pts, frame)`; the very first frames start
    /// [`AudioFormat::PRIMING_SAMPLES`] before the first block.
    pub(crate) fn encode(&mut self, pts: i64, left: &[f32], right: &[f32]) -> Result<Vec<(i64, Bytes)>, CodecError> {
        assert_eq!(
            (left.len(), right.len()),
            (AudioFormat::FRAME_SAMPLES, AudioFormat::FRAME_SAMPLES)
        );
        let failed = |source| CodecError::Failed {
            codec: ENCODER,
            pts,
            source,
        };
        let mut frame = AvFrame::new().map_err(failed)?;
        let fields = frame.fields_mut();
        fields.format = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP as i32;
        fields.nb_samples = AudioFormat::FRAME_SAMPLES as i32;
        fields.sample_rate = AudioFormat::SAMPLE_RATE as i32;
        fields.pts = pts;
        // SAFETY: `av_frame_get_buffer` allocates two planes of 1024 floats; each copy fills one of them.
        unsafe {
            ffi::av_channel_layout_default(&mut fields.ch_layout, AudioFormat::CHANNELS as i32);
            AvError::check(ffi::av_frame_get_buffer(frame.as_mut_ptr(), 0)).map_err(failed)?;
            for (plane, samples) in [(0, left), (1, right)] {
                ptr::copy_nonoverlapping(
                    samples.as_ptr(),
                    frame.fields().data[plane].cast::<f32>(),
                    samples.len(),
                );
            }
        }
        self.context.send_frame(Some(&frame)).map_err(failed)?;
        self.drain(pts)
    }

    /// Drains the encoder's last frames.
    pub(crate) fn finish(&mut self) -> Result<Vec<(i64, Bytes)>, CodecError> {
        match self.context.send_frame(None) {
            Ok(()) => self.drain(0),
            Err(e) if e.is_end() => Ok(Vec::new()),
            Err(source) => Err(CodecError::Failed {
                codec: ENCODER,
                pts: 0,
                source,
            }),
        }
    }

    fn drain(&mut self, pts: i64) -> Result<Vec<(i64, Bytes)>, CodecError> {
        let mut out = Vec::new();
        let failed = |source| CodecError::Failed {
            codec: ENCODER,
            pts,
            source,
        };
        while let Some(unit) = self
            .context
            .receive_unit(|data, pts, _| (pts, Bytes::copy_from_slice(data)))
            .map_err(failed)?
        {
            out.push(unit);
        }
        Ok(out)
    }
}
