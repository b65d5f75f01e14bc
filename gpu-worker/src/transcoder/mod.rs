//! The codec child: access units on stdin, encoded units on stdout, words on stderr, nothing else.
//!
//! One child serves one broadcast, or makes the thumbnails of all. It has no network and no files; a crash in a codec ends it and nothing more. It
//! ends by itself when stdin does, so that no child outlives its agent.

mod still;
pub mod wire;

use std::io::{self, BufWriter, Stdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_media::MediaTime;
use headwater_media::codec::h264::{self, Colour};
use headwater_media::segmenter::Grid;
use wire::{FromChild, ToChild, from_child, to_child};

use crate::codec::ffmpeg::Ffmpeg;
use crate::codec::{CodecError, Delay, Unit};
use crate::pipeline::{AudioPlan, Output, Pipeline, Plan, Rung, Sink, VideoPlan};

/// Exit status when a codec could not go on; the reason was said as a [`wire::Fault`] before.
pub const EXIT_CODEC: i32 = 3;
/// Exit status when the agent wrote something that is not a message.
pub const EXIT_INPUT: i32 = 4;
/// How often figures are reported while units come in.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Luma samples per second that one decoder thread takes without trouble (twice 1080p60).
const DECODE_PIXELS_PER_THREAD: u64 = 250_000_000;

/// Runs until stdin ends; returns the process's exit status.
pub fn transcoder_main() -> i32 {
    let mouth = Arc::new(Mouth::default());
    let mut input = io::BufReader::with_capacity(1 << 18, io::stdin());
    let mut running: Option<Pipeline> = None;
    let mut reported = Instant::now();
    loop {
        let message = match wire::read::<ToChild>(&mut input) {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(error) => {
                eprintln!("transcoder: stdin is not readable: {error}");
                return EXIT_INPUT;
            }
        };
        match message.kind {
            Some(to_child::Kind::Config(config)) => {
                if let Some(pipeline) = running.take() {
                    pipeline.finish(None);
                }
                match start(&config, &mouth) {
                    Ok(pipeline) => {
                        let records = pipeline.records().clone();
                        mouth.say(from_child::Kind::Opened(wire::Opened {
                            video: records.video,
                            audio: records.audio.unwrap_or_default(),
                        }));
                        running = Some(pipeline);
                    }
                    Err(error) => {
                        mouth.fault(true, &error);
                        return EXIT_CODEC;
                    }
                }
            }
            Some(to_child::Kind::Unit(unit)) => {
                mouth.units.fetch_add(1, Ordering::Relaxed);
                let (audio, force_idr) = (unit.audio, unit.force_idr);
                let unit = Unit {
                    dts: unit.dts,
                    pts: unit.pts,
                    duration: None,
                    key: false,
                    data: unit.data,
                };
                if let Some(pipeline) = &running {
                    // A pipeline that has given up said so itself, and the process is about to end.
                    let _ = if audio {
                        pipeline.audio(unit)
                    } else {
                        pipeline.video(unit, force_idr)
                    };
                }
                if reported.elapsed() >= PROGRESS_EVERY {
                    reported = Instant::now();
                    mouth.progress();
                }
            }
            Some(to_child::Kind::Still(ask)) => mouth.say(from_child::Kind::Still(still::make(ask))),
            Some(to_child::Kind::Flush(flush)) => {
                if let Some(pipeline) = running.take() {
                    pipeline.finish(flush.until);
                }
                mouth.say(from_child::Kind::Flushed(wire::Flushed {}));
            }
            None => {}
        }
    }
    if let Some(pipeline) = running {
        pipeline.finish(None);
    }
    0
}

fn start(config: &wire::Config, mouth: &Arc<Mouth>) -> Result<Pipeline, CodecError> {
    let plan = plan(config);
    let threads = plan.video.as_ref().map_or(1, |v| {
        let (width, height, fps) = v.source;
        (u64::from(width) * u64::from(height) * u64::from(fps) / 1000).div_ceil(DECODE_PIXELS_PER_THREAD)
    });
    let mouth = mouth.clone();
    let sink: Sink = Arc::new(move |output| mouth.output(output));
    Pipeline::start(Arc::new(Ffmpeg::new(threads as u32)), &plan, &sink)
}

fn plan(config: &wire::Config) -> Plan {
    let rung = |r: &wire::Rung| Rung {
        width: r.width,
        height: r.height,
        bitrate_bps: r.bitrate_bps,
        fps_max_milli: r.fps_max_milli,
    };
    Plan {
        video: config.video.as_ref().map(|v| VideoPlan {
            avcc: v.avcc.clone(),
            source: (v.width, v.height, v.fps_milli),
            rungs: v.rungs.iter().take(crate::pipeline::RUNGS_MAX).map(rung).collect(),
            delay: if v.standard_delay { Delay::Standard } else { Delay::Low },
            preset: v.preset.clone(),
            grid: v
                .grid
                .map(|g| Grid::new(MediaTime::video(g.origin), MediaTime::video(g.start), g.target, g.max)),
            from: v.from,
            keys_at: v.keys_at.clone(),
            part_target_ms: v.part_target_ms,
            colour: colour(&v.avcc),
        }),
        audio: config.audio.as_ref().map(|a| AudioPlan {
            config: a.config.clone(),
            timescale: a.timescale,
            bitrate_bps: a.bitrate_bps,
        }),
    }
}

/// The colour description in the source's own parameter sets.
fn colour(avcc: &Bytes) -> Colour {
    match h264::Config::parse(avcc.clone()) {
        // Rungs are always of limited range, whatever the source is.
        Ok(config) => Colour {
            full_range: false,
            ..config.sps().colour
        },
        Err(_) => Colour {
            primaries: 2,
            transfer: 2,
            matrix: 2,
            full_range: false,
        },
    }
}

/// Says things on stdout, one message at a time, from any thread.
struct Mouth {
    out: Mutex<BufWriter<Stdout>>,
    units: AtomicU64,
    encoded: AtomicU64,
    corrupt: AtomicU64,
}

impl Default for Mouth {
    fn default() -> Self {
        let out = Mutex::new(BufWriter::with_capacity(1 << 18, io::stdout()));
        Self {
            out,
            units: AtomicU64::new(0),
            encoded: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
        }
    }
}

impl Mouth {
    fn say(&self, kind: from_child::Kind) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = wire::write(&mut *out, &FromChild { kind: Some(kind) }) {
            // Nobody listens any more: the agent is gone, and so is the reason to go on.
            eprintln!("transcoder: stdout is closed: {error}");
            std::process::exit(0);
        }
    }

    fn fault(&self, fatal: bool, error: &CodecError) {
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            what = format!("{what}: {next}");
            cause = next.source();
        }
        self.say(from_child::Kind::Fault(wire::Fault { fatal, what }));
    }

    fn progress(&self) {
        self.say(from_child::Kind::Progress(wire::Progress {
            units: self.units.load(Ordering::Relaxed),
            encoded: self.encoded.load(Ordering::Relaxed),
            corrupt: self.corrupt.load(Ordering::Relaxed),
        }));
    }

    fn output(&self, output: Output) {
        let (rendition, unit) = match output {
            Output::Video { rung, unit } => (rung as u32, unit),
            Output::Audio { unit } => (wire::AUDIO, unit),
            Output::Corrupt(error) => {
                self.corrupt.fetch_add(1, Ordering::Relaxed);
                return self.fault(false, &error);
            }
            Output::Failed(error) => {
                self.fault(true, &error);
                // Other threads may be blocked behind the one that failed; ending the process frees them all.
                std::process::exit(EXIT_CODEC);
            }
        };
        self.encoded.fetch_add(1, Ordering::Relaxed);
        self.say(from_child::Kind::Encoded(wire::Encoded {
            rendition,
            dts: unit.dts,
            pts: unit.pts,
            duration: unit.duration.unwrap_or(0),
            key: unit.key,
            data: unit.data,
        }));
    }
}
