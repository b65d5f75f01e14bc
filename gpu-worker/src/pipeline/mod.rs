//! Decode once, scale in a cascade, encode every rung.
//!
//! ```text
//! units -> decode -> [1] -> scale: 1080 -> 720 -> 480 -> 360
//!                              |       |      |      |
//!                             [1]     [1]    [1]    [1]   frames, shared and never copied
//!                              v       v      v      v
//!                            encode  encode encode encode -> sink
//! ```
//!
//! Decoding, scaling and each encoder have a thread of their own with a queue of [`QUEUE_FRAMES_MAX`] frame before
//! it. A full queue blocks what feeds it, back to whoever calls [`Pipeline::video`]: nothing is dropped here but
//! frames above a rung's rate. Memory is bounded by the queues and the encoders' lookahead: about 12 pictures of
//! each size, 120 MiB for a ladder of four rungs under 1080p.
//!
//! The same units give the same bytes: nothing here depends on the time of day or on which thread is quicker.

mod audio;
mod frame_rate;
mod keys;
mod parts;
#[cfg(test)]
mod tests;
mod video;

use std::sync::Arc;

use bytes::Bytes;
use headwater_media::codec::h264::Colour;
use headwater_media::segmenter::Grid;

use crate::codec::{Backend, CodecError, Delay, Unit};

/// Frames that wait before the scaler and before each encoder.
pub(crate) const QUEUE_FRAMES_MAX: usize = 1;
/// Coded units that wait before the decoder.
pub(crate) const QUEUE_UNITS_MAX: usize = 16;
/// Rungs of one ladder.
pub(crate) const RUNGS_MAX: usize = 16;
/// Units in a row that the decoder may refuse before the pipeline gives up.
pub(crate) const CORRUPT_UNITS_MAX: u32 = 50;

/// What to make of one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The video, where there is any to encode.
    pub video: Option<VideoPlan>,
    /// The audio, where it is not passed through.
    pub audio: Option<AudioPlan>,
}

/// The video part of a [`Plan`].
#[derive(Clone, Debug)]
pub(crate) struct VideoPlan {
    /// The source's `avcC`.
    pub avcc: Bytes,
    /// Source size in luma samples, and its rate in frames/s × 1000 (0: unknown).
    pub source: (u32, u32, u32),
    /// What to make.
    pub rungs: Vec<Rung>,
    /// How much delay encoders may add.
    pub delay: Delay,
    /// x264 preset.
    pub preset: String,
    /// Where IDR pictures are forced; `None`: only at units that are marked.
    pub grid: Option<Grid>,
    /// Frames before this lead the decoder there and are not encoded, 1/90000 s.
    pub from: i64,
    /// IDR pictures beside those of grid and marks: at the first frame at or after each, 1/90000 s.
    pub keys_at: Vec<i64>,
    /// Every part of the first segment starts with an IDR, parts being at most this long; 0: only the segment does.
    pub part_target_ms: u32,
    /// Colour description to write.
    pub colour: Colour,
}

/// One rendition to encode.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rung {
    /// Even, luma samples.
    pub width: u32,
    /// Even, luma samples.
    pub height: u32,
    /// Average, bits/s.
    pub bitrate_bps: u32,
    /// Ceiling, frames/s × 1000; 0: none.
    pub fps_max_milli: u32,
}

/// The audio part of a [`Plan`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AudioPlan {
    /// The source's AudioSpecificConfig.
    pub config: Bytes,
    /// Ticks per second of the units that come in.
    pub timescale: u32,
    /// Average, bits/s.
    pub bitrate_bps: u32,
}

/// What leaves a pipeline. Units of one rendition come in decode order; renditions are not ordered among themselves.
#[derive(Debug)]
pub(crate) enum Output {
    /// An encoded unit of the rung with this index in the plan.
    Video {
        /// Index into [`VideoPlan::rungs`].
        rung: usize,
        /// Times in 1/90000 s.
        unit: Unit,
    },
    /// An encoded audio frame.
    Audio {
        /// Times in 1/48000 s.
        unit: Unit,
    },
    /// A unit could not be decoded; the pipeline carries on.
    Corrupt(CodecError),
    /// The pipeline has given up.
    Failed(CodecError),
}

/// Where outputs go; called from the pipeline's threads.
pub(crate) type Sink = Arc<dyn Fn(Output) + Send + Sync>;

/// The running threads of one epoch.
pub(crate) struct Pipeline {
    video: Option<video::Video>,
    audio: Option<audio::Audio>,
    records: Records,
}

/// Configuration records of what a pipeline makes, known as soon as it is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Records {
    /// `avcC` of each rung, in the plan's order.
    pub video: Vec<Bytes>,
    /// AudioSpecificConfig, where audio is made.
    pub audio: Option<Bytes>,
}

impl Pipeline {
    /// Opens all codecs and starts the threads. On `Err` nothing runs.
    pub(crate) fn start(backend: Arc<dyn Backend>, plan: &Plan, sink: &Sink) -> Result<Self, CodecError> {
        let mut records = Records::default();
        let video = match &plan.video {
            Some(plan) => Some(video::Video::start(backend.as_ref(), plan, sink, &mut records.video)?),
            None => None,
        };
        let audio = match &plan.audio {
            Some(plan) => Some(audio::Audio::start(plan, sink, &mut records.audio)?),
            None => None,
        };
        Ok(Self { video, audio, records })
    }

    /// Configuration records of everything that comes out.
    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Takes a video unit in decode order; with `force_idr` its picture becomes an IDR in every rung. Blocks while
    /// the queue is full. `false` when the pipeline has given up.
    pub(crate) fn video(&self, unit: Unit, force_idr: bool) -> bool {
        self.video.as_ref().is_none_or(|v| v.push(unit, force_idr))
    }

    /// Takes an audio unit. Blocks while the queue is full. `false` when the pipeline has given up.
    pub(crate) fn audio(&self, unit: Unit) -> bool {
        self.audio.as_ref().is_none_or(|a| a.push(unit))
    }

    /// Drains every codec into the sink and ends the threads. Frames that the decoder still holds are encoded only
    /// where they come before `until`, 1/90000 s.
    pub(crate) fn finish(self, until: Option<i64>) {
        if let Some(video) = self.video {
            video.finish(until);
        }
        if let Some(audio) = self.audio {
            audio.finish();
        }
    }
}

/// The rate of a rung under a ceiling, all in frames/s × 1000; a ceiling of 0 is none.
pub(crate) fn fps_under(source_milli: u32, max_milli: u32) -> u32 {
    frame_rate::Thin::new(source_milli, max_milli).fps_milli(source_milli)
}

/// Threads for one encoder: one as long as that keeps real time, because a second thread costs memory and work.
fn encoder_threads(rung: &Rung, fps_milli: u32, preset: &str) -> u32 {
    /// Luma samples per second that one thread encodes at veryfast with a third to spare (1080p30 is 62 million).
    const PIXELS_PER_THREAD: u64 = 75_000_000;
    let effort = match preset {
        "ultrafast" | "superfast" => 1,
        "veryfast" | "faster" => 2,
        "fast" => 3,
        "medium" => 4,
        _ => 8,
    };
    let rate = u64::from(rung.width) * u64::from(rung.height) * u64::from(fps_milli) / 1000;
    (rate * effort).div_ceil(PIXELS_PER_THREAD * 2).clamp(1, 16) as u32
}
