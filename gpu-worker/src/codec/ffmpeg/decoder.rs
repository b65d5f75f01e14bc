//! H.264 decoding by libavcodec.

use ffmpeg_sys_next as ffi;

use super::context::Context;
use super::frame::AvFrame;
use super::{AvError, Picture};
use crate::codec::{CodecError, Decoder, FRAME_PIXELS_MAX, Frame, Unit};

const CODEC: &str = "the H.264 decoder";

/// An open H.264 decoder. Frames leave with strictly rising pts: one that comes late is left out.
pub(super) struct H264Decoder {
    context: Context,
    last_pts: Option<i64>,
}

impl H264Decoder {
    pub(super) fn open(avcc: &[u8], threads: u32) -> Result<Self, CodecError> {
        let codec = Context::decoder(ffi::AVCodecID::AV_CODEC_ID_H264).ok_or(CodecError::Missing(CODEC))?;
        let open = |source| CodecError::Open {
            codec: CODEC,
            what: format!("an avcC of {} bytes", avcc.len()),
            source,
        };
        let mut context = Context::new(codec).map_err(open)?;
        context.set_extradata(avcc).map_err(open)?;
        let fields = context.fields();
        fields.thread_count = threads as i32;
        fields.thread_type = ffi::FF_THREAD_FRAME;
        fields.max_pixels = FRAME_PIXELS_MAX;
        fields.pkt_timebase = ffi::AVRational { num: 1, den: 90_000 };
        context.open(&[]).map_err(open)?;
        Ok(Self {
            context,
            last_pts: None,
        })
    }

    fn drain(&mut self, dts: i64) -> Result<Vec<Frame>, CodecError> {
        let mut frames = Vec::new();
        loop {
            match self.context.receive_frame() {
                Ok(Some(frame)) => frames.extend(self.keep(frame)),
                Ok(None) => return Ok(frames),
                // The frames before the damage are good; the caller hears of the damage with the next unit if it lasts.
                Err(_) if !frames.is_empty() => return Ok(frames),
                Err(source) => {
                    return Err(CodecError::Corrupt {
                        codec: CODEC,
                        dts,
                        source,
                    });
                }
            }
        }
    }

    fn keep(&mut self, frame: AvFrame) -> Option<Frame> {
        let fields = frame.fields();
        let pts = match fields.pts {
            ffi::AV_NOPTS_VALUE => fields.best_effort_timestamp,
            pts => pts,
        };
        if pts == ffi::AV_NOPTS_VALUE || self.last_pts.is_some_and(|last| pts <= last) {
            return None;
        }
        self.last_pts = Some(pts);
        Some(Frame {
            pts,
            picture: super::super::Picture::Host(Picture::from(frame)),
        })
    }
}

impl Decoder for H264Decoder {
    fn decode(&mut self, unit: &Unit) -> Result<Vec<Frame>, CodecError> {
        let corrupt = |source| CodecError::Corrupt {
            codec: CODEC,
            dts: unit.dts,
            source,
        };
        match self.context.send_unit(Some((&unit.data, unit.pts, unit.dts))) {
            Ok(()) => self.drain(unit.dts),
            // Frames are always drained before the next unit, so the decoder cannot be full.
            Err(e) if e == AvError::NO_MEMORY => Err(CodecError::Failed {
                codec: CODEC,
                pts: unit.pts,
                source: e,
            }),
            Err(e) => Err(corrupt(e)),
        }
    }

    fn finish(&mut self) -> Result<Vec<Frame>, CodecError> {
        let dts = self.last_pts.unwrap_or(0);
        match self.context.send_unit(None) {
            Ok(()) => self.drain(dts),
            Err(e) if e.is_end() => Ok(Vec::new()),
            Err(source) => Err(CodecError::Failed {
                codec: CODEC,
                pts: dts,
                source,
            }),
        }
    }
}
