//! The threads of the video side.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::frame_rate::Thin;
use super::keys::{Key, Keys};
use super::parts::Parts;
use super::{
    CORRUPT_UNITS_MAX, Output, QUEUE_FRAMES_MAX, QUEUE_UNITS_MAX, RUNGS_MAX, Sink, VideoPlan, encoder_threads,
};
use crate::codec::{Backend, CodecError, Decoder, Encoder, Frame, Scaler, Unit, VideoSettings};

/// Rate that encoders are told when the source's is unknown, frames/s × 1000.
const FPS_UNKNOWN_MILLI: u32 = 30_000;

/// A running decoder, scaler and set of encoders.
pub(super) struct Video {
    units: SyncSender<(Unit, bool)>,
    /// Frames from here on are not encoded.
    until: Arc<AtomicI64>,
    threads: Vec<JoinHandle<()>>,
}

/// A frame on its way to the scaler, and what it becomes.
type Shown = (Frame, Key);
/// A frame on its way to an encoder, and whether it becomes an IDR.
type Scaled = (Frame, bool);

/// One rung at the scaler.
struct Step {
    scaler: Box<dyn Scaler>,
    thin: Thin,
    parts: Parts,
    /// The frame that was to be an IDR was left out: the next one is.
    owes_idr: bool,
    queue: SyncSender<Scaled>,
}

impl Video {
    pub(super) fn start(
        backend: &dyn Backend,
        plan: &VideoPlan,
        sink: &Sink,
        records: &mut Vec<Bytes>,
    ) -> Result<Self, CodecError> {
        records.resize(plan.rungs.len(), Bytes::new());
        assert!(plan.rungs.len() <= RUNGS_MAX, "a plan has at most {RUNGS_MAX} rungs");
        let decoder = backend.decoder(&plan.avcc)?;
        let source_fps = if plan.source.2 == 0 {
            FPS_UNKNOWN_MILLI
        } else {
            plan.source.2
        };
        // Each rung is scaled from the next larger one.
        let mut order: Vec<usize> = (0..plan.rungs.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse((plan.rungs[*i].width * plan.rungs[*i].height, *i)));
        let mut steps = Vec::new();
        let mut encoders = Vec::new();
        for index in order {
            let rung = &plan.rungs[index];
            let thin = Thin::new(source_fps, rung.fps_max_milli);
            let fps_milli = thin.fps_milli(source_fps);
            let encoder = backend.encoder(&VideoSettings {
                width: rung.width,
                height: rung.height,
                bitrate_bps: rung.bitrate_bps,
                fps_milli,
                delay: plan.delay,
                preset: plan.preset.clone(),
                threads: encoder_threads(rung, fps_milli, &plan.preset),
                colour: plan.colour,
            })?;
            records[index] = encoder.record();
            let (queue, frames) = sync_channel(QUEUE_FRAMES_MAX);
            steps.push(Step {
                scaler: backend.scaler(rung.width, rung.height)?,
                thin,
                parts: Parts::new(plan.part_target_ms),
                owes_idr: false,
                queue,
            });
            encoders.push((index, encoder, frames));
        }
        let mut threads = Vec::new();
        for (rung, encoder, frames) in encoders {
            let sink = sink.clone();
            threads.push(spawn(format!("encode-{rung}"), move || {
                encode(rung, encoder, &frames, &sink)
            }));
        }
        let (shown, frames) = sync_channel(QUEUE_FRAMES_MAX);
        let (units, pending) = sync_channel(QUEUE_UNITS_MAX);
        let (keys, to_sink) = (Keys::new(plan.from, plan.grid.clone(), &plan.keys_at), sink.clone());
        threads.push(spawn("scale".into(), move || scale(steps, &frames, &to_sink)));
        let to_sink = sink.clone();
        let until = Arc::new(AtomicI64::new(i64::MAX));
        let limit = until.clone();
        threads.push(spawn("decode".into(), move || {
            decode(decoder, keys, &limit, &pending, &shown, &to_sink);
        }));
        Ok(Self { units, until, threads })
    }

    pub(super) fn push(&self, unit: Unit, force_idr: bool) -> bool {
        self.units.send((unit, force_idr)).is_ok()
    }

    /// Closing the first queue drains the threads one after another.
    pub(super) fn finish(self, until: Option<i64>) {
        self.until.store(until.unwrap_or(i64::MAX), Ordering::Release);
        drop(self.units);
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .expect("a thread starts unless the machine is out of memory")
}

fn decode(
    mut decoder: Box<dyn Decoder>,
    mut keys: Keys,
    until: &AtomicI64,
    units: &Receiver<(Unit, bool)>,
    shown: &SyncSender<Shown>,
    sink: &Sink,
) {
    let mut corrupt_in_a_row = 0;
    let show = |keys: &mut Keys, frames: Vec<Frame>| {
        frames.into_iter().all(|frame| {
            match keys
                .take(frame.pts)
                .filter(|_| frame.pts < until.load(Ordering::Acquire))
            {
                Some(key) => shown.send((frame, key)).is_ok(),
                None => true,
            }
        })
    };
    for (unit, force_idr) in units {
        if force_idr {
            keys.mark(unit.pts);
        }
        match decoder.decode(&unit) {
            Ok(frames) => {
                corrupt_in_a_row = 0;
                if !show(&mut keys, frames) {
                    return;
                }
            }
            Err(error) if error.is_corrupt_input() && corrupt_in_a_row + 1 < CORRUPT_UNITS_MAX => {
                corrupt_in_a_row += 1;
                sink(Output::Corrupt(error));
            }
            Err(error) => return sink(Output::Failed(error)),
        }
    }
    match decoder.finish() {
        Ok(frames) => drop(show(&mut keys, frames)),
        Err(error) => sink(Output::Corrupt(error)),
    }
}

fn scale(mut steps: Vec<Step>, frames: &Receiver<Shown>, sink: &Sink) {
    for (source, key) in frames {
        let mut larger = source;
        for step in &mut steps {
            // Only segments set the pace of thinning, or a restarted run would keep other frames than the first did.
            if !step.thin.keep(key == Key::Segment) {
                step.owes_idr |= key == Key::Idr;
                continue;
            }
            let key = match std::mem::take(&mut step.owes_idr) {
                true if key == Key::No => Key::Idr,
                _ => key,
            };
            match step.scaler.scale(&larger) {
                Ok(scaled) => larger = scaled,
                Err(error) => return sink(Output::Failed(error)),
            }
            let due = step.parts.push(larger.clone(), key);
            if !due.into_iter().flatten().all(|frame| step.queue.send(frame).is_ok()) {
                return;
            }
        }
    }
    for step in &mut steps {
        if let Some(frame) = step.parts.finish() {
            // An encoder that is gone has said why.
            let _ = step.queue.send(frame);
        }
    }
}

fn encode(rung: usize, mut encoder: Box<dyn Encoder>, frames: &Receiver<Scaled>, sink: &Sink) {
    let give = |units: Vec<Unit>| {
        for unit in units {
            sink(Output::Video { rung, unit });
        }
    };
    for (frame, key) in frames {
        match encoder.encode(&frame, key) {
            Ok(units) => give(units),
            Err(error) => return sink(Output::Failed(error)),
        }
    }
    match encoder.finish() {
        Ok(units) => give(units),
        Err(error) => sink(Output::Failed(error)),
    }
}
