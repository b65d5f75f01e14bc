//! The thread of the audio side: any AAC to AAC-LC, 48 kHz, stereo, on the source's own timeline.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::{AudioPlan, CORRUPT_UNITS_MAX, Output, QUEUE_UNITS_MAX, Sink};
use crate::codec::ffmpeg::{AacDecoder, AacEncoder, AudioFormat, Samples};
use crate::codec::{CodecError, Unit};

/// Drift between the samples' count and the source's stamps that is left alone, in samples at 48 kHz (40 ms).
const DRIFT_SAMPLES_MAX: i64 = 1_920;
/// Longest gap that is filled with silence, in samples at 48 kHz (10 s); a longer one is a jump of the timeline.
const SILENCE_SAMPLES_MAX: i64 = 480_000;

const FRAME: i64 = AudioFormat::FRAME_SAMPLES as i64;

/// A running audio transcoder.
pub(super) struct Audio {
    units: SyncSender<Unit>,
    thread: JoinHandle<()>,
}

impl Audio {
    pub(super) fn start(plan: &AudioPlan, sink: &Sink, record: &mut Option<Bytes>) -> Result<Self, CodecError> {
        let mut line = Line {
            decoder: AacDecoder::open(&plan.config)?,
            encoder: AacEncoder::open(plan.bitrate_bps)?,
            timescale: plan.timescale.max(1),
            pending: Pending::default(),
            first: None,
        };
        *record = Some(line.encoder.record());
        let (units, pending) = sync_channel(QUEUE_UNITS_MAX);
        let sink = sink.clone();
        let thread = std::thread::Builder::new()
            .name("audio".into())
            .spawn(move || run(&mut line, &pending, &sink))
            .expect("a thread starts unless the machine is out of memory");
        Ok(Self { units, thread })
    }

    pub(super) fn push(&self, unit: Unit) -> bool {
        self.units.send(unit).is_ok()
    }

    pub(super) fn finish(self) {
        drop(self.units);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

fn run(line: &mut Line, units: &Receiver<Unit>, sink: &Sink) {
    let give = |frames: Vec<(i64, Bytes)>| {
        for (pts, data) in frames {
            let duration = Some(AudioFormat::FRAME_SAMPLES as u32);
            let unit = Unit {
                dts: pts,
                pts,
                duration,
                key: true,
                data,
            };
            sink(Output::Audio { unit });
        }
    };
    let mut corrupt_in_a_row = 0;
    for unit in units {
        match line.push(&unit) {
            Ok(frames) => {
                corrupt_in_a_row = 0;
                give(frames);
            }
            Err(error) if error.is_corrupt_input() && corrupt_in_a_row + 1 < CORRUPT_UNITS_MAX => {
                corrupt_in_a_row += 1;
                sink(Output::Corrupt(error));
            }
            Err(error) => return sink(Output::Failed(error)),
        }
    }
    match line.finish() {
        Ok(frames) => give(frames),
        Err(error) => sink(Output::Failed(error)),
    }
}

/// Decoder, timeline and encoder.
struct Line {
    decoder: AacDecoder,
    encoder: AacEncoder,
    timescale: u32,
    pending: Pending,
    /// Presentation time of the first sample, 1/48000 s.
    first: Option<i64>,
}

/// Samples that do not fill a frame yet.
#[derive(Default)]
struct Pending {
    /// Time of the first pending sample, 1/48000 s.
    pts: i64,
    left: VecDeque<f32>,
    right: VecDeque<f32>,
}

impl Line {
    fn push(&mut self, unit: &Unit) -> Result<Vec<(i64, Bytes)>, CodecError> {
        let samples = self.decoder.decode(unit)?;
        if samples.left.is_empty() {
            return Ok(Vec::new());
        }
        let at = rescale(unit.pts, self.timescale);
        if self.first.is_none() {
            // Frames start at multiples of their length, so that whoever continues this cuts frames at the same places.
            let aligned = at.div_euclid(FRAME) * FRAME;
            self.first = Some(aligned);
            self.pending.pts = aligned;
            self.pending.silence((at - aligned) as usize);
        }
        self.pending.append(at, samples);
        self.encode_full_frames()
    }

    fn encode_full_frames(&mut self) -> Result<Vec<(i64, Bytes)>, CodecError> {
        let mut out = Vec::new();
        while let Some((pts, left, right)) = self.pending.frame() {
            out.extend(self.encoder.encode(pts, &left, &right)?);
        }
        self.drop_priming(&mut out);
        Ok(out)
    }

    fn finish(&mut self) -> Result<Vec<(i64, Bytes)>, CodecError> {
        let missing = AudioFormat::FRAME_SAMPLES - self.pending.left.len() % AudioFormat::FRAME_SAMPLES;
        if missing < AudioFormat::FRAME_SAMPLES {
            self.pending.silence(missing);
        }
        let mut out = self.encode_full_frames()?;
        if self.first.is_some() {
            out.extend(self.encoder.finish()?);
        }
        self.drop_priming(&mut out);
        Ok(out)
    }

    /// The encoder's frame of silence lies before the first sample and would overlap what came before.
    fn drop_priming(&self, frames: &mut Vec<(i64, Bytes)>) {
        if let Some(first) = self.first {
            frames.retain(|(pts, _)| *pts > first - AudioFormat::PRIMING_SAMPLES);
        }
    }
}

impl Pending {
    /// Appends samples that belong at `at`: small drift is ignored, a gap is filled, an overlap cut.
    fn append(&mut self, at: i64, samples: Samples) {
        let end = self.pts + self.left.len() as i64;
        let gap = at - end;
        let mut skip = 0;
        if gap > DRIFT_SAMPLES_MAX && gap <= SILENCE_SAMPLES_MAX {
            self.silence(gap as usize);
        } else if gap < -DRIFT_SAMPLES_MAX {
            skip = usize::try_from(-gap).unwrap_or(usize::MAX).min(samples.left.len());
        }
        self.left.extend(&samples.left[skip..]);
        self.right.extend(&samples.right[skip..]);
    }

    fn silence(&mut self, count: usize) {
        self.left.extend(std::iter::repeat_n(0.0, count));
        self.right.extend(std::iter::repeat_n(0.0, count));
    }

    fn frame(&mut self) -> Option<(i64, Vec<f32>, Vec<f32>)> {
        let size = AudioFormat::FRAME_SAMPLES;
        if self.left.len() < size {
            return None;
        }
        let pts = self.pts;
        self.pts += size as i64;
        Some((
            pts,
            self.left.drain(..size).collect(),
            self.right.drain(..size).collect(),
        ))
    }
}

/// Ticks of `timescale` as samples at 48 kHz, rounded to the nearest.
fn rescale(ticks: i64, timescale: u32) -> i64 {
    let (num, den) = (
        i128::from(ticks) * i128::from(AudioFormat::SAMPLE_RATE),
        i128::from(timescale),
    );
    ((2 * num + den).div_euclid(2 * den)) as i64
}
