//! From what was measured to a look at each issue. Pure.

use std::collections::VecDeque;

use headwater_model::health::{Issue, Look};

use super::meter::{Facts, Gops, Settled};

/// Looks that are remembered: half a minute.
const FACTS_MAX: usize = 30;
/// Key frames further apart than this are too far apart, milliseconds; up to the second it is well.
const GOP_LONG_MS: (i64, i64) = (4_250, 4_000);
/// Key frames closer together than this are too close, milliseconds.
const GOP_SHORT_MS: (i64, i64) = (500, 750);
/// Bits for a pixel, in thousandths, below which pictures fall apart.
const BITS_PER_PIXEL_MILLI: (i64, i64) = (10, 15);
/// Pictures per second × 1000 below which nothing looks like motion, where the encoder does not say what it means to send.
const FPS_MILLI: (i64, i64) = (10_000, 12_000);
/// Distance of sound and pictures, milliseconds.
const OFFSET_MS: (i64, i64) = (700, 400);
/// Pixels of a picture's longer and shorter side that players show at most, and of the shorter at least.
const SIDES_PX: (i64, i64, i64) = (4_096, 2_304, 96);
/// Time without a worker, milliseconds.
const AWAY_MS: i64 = 5_000;

/// What the publisher has announced, and may do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Setting {
    /// The epoch has pictures.
    pub video: bool,
    /// The epoch has sound.
    pub audio: bool,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Fields, not frames.
    pub interlaced: bool,
    /// What the encoder says that it sends, frames per second × 1000; 0 where it does not.
    pub fps_milli: u32,
    /// Bits/s above which it is disconnected.
    pub bitrate_max_bps: u64,
}

/// The newest facts.
#[derive(Debug)]
pub struct Window {
    facts: VecDeque<Facts>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            facts: VecDeque::with_capacity(FACTS_MAX),
        }
    }
}

/// Facts of several looks together.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    span_ms: i64,
    video_bytes: u64,
    audio_bytes: u64,
    frames: i64,
    missing: i64,
    advance_ms: i64,
    video_advance_ms: i64,
    gops: Gops,
    offset_ms: i64,
    offsets: i64,
    held: i64,
    looks: i64,
    settled: Settled,
}

impl Window {
    /// Takes the newest facts.
    pub fn push(&mut self, facts: Facts) {
        if self.facts.len() == FACTS_MAX {
            self.facts.pop_front();
        }
        self.facts.push_back(facts);
    }

    /// The newest looks that cover `span_ms`, or all there are.
    fn over(&self, span_ms: i64) -> Sum {
        let mut sum = Sum::default();
        for facts in self.facts.iter().rev() {
            if sum.span_ms >= span_ms {
                break;
            }
            sum.looks += 1;
            sum.span_ms += facts.span_ms;
            sum.video_bytes += facts.video_bytes;
            sum.audio_bytes += facts.audio_bytes;
            sum.frames += i64::from(facts.frames);
            sum.missing += i64::from(facts.missing);
            sum.advance_ms += facts.advance_ms;
            sum.video_advance_ms += facts.video_advance_ms;
            sum.gops.add(facts.gops);
            if let Some(offset) = facts.offset_ms {
                sum.offset_ms += offset;
                sum.offsets += 1;
            }
            sum.held += i64::from(facts.held);
            sum.settled.clock += facts.settled.clock;
            sum.settled.open_gops += facts.settled.open_gops;
            sum.settled.video += facts.settled.video;
            sum.settled.audio += facts.settled.audio;
        }
        sum
    }

    /// A look at an issue that an edge sees; a worker's is [`Look::Unsure`]. `away_ms`: how long no worker has pulled.
    pub fn look(&self, issue: Issue, setting: &Setting, away_ms: i64) -> Look {
        let newest = self.facts.back();
        match issue {
            Issue::GopLong => match newest.and_then(|facts| facts.gop_ms) {
                Some(ms) => above(ms, GOP_LONG_MS),
                None => Look::Unsure,
            },
            Issue::GopShort => {
                let gops = self.over(10_000).gops;
                match gops.count {
                    0..4 => Look::Well,
                    count => below(gops.sum_ms / i64::from(count), GOP_SHORT_MS),
                }
            }
            Issue::GopOpen => event(self.over(1_000).settled.open_gops),
            Issue::GopIrregular => {
                let gops = self.over(30_000).gops;
                let (min, max) = (gops.min_ms, gops.max_ms);
                match gops.count {
                    0..4 => Look::Unsure,
                    _ if max * 2 > min * 3 && max - min > 500 => Look::Ill(max),
                    _ if max * 4 <= min * 5 || max - min <= 250 => Look::Well,
                    _ => Look::Unsure,
                }
            }
            Issue::BitrateHigh => {
                let sum = self.over(10_000);
                let max = i64::try_from(setting.bitrate_max_bps).unwrap_or(i64::MAX / 10);
                let bps = rate(sum.video_bytes + sum.audio_bytes, sum.span_ms.max(sum.advance_ms));
                match sum.span_ms >= 5_000 {
                    true => above(bps, (max / 10 * 9, max / 10 * 8)),
                    false => Look::Unsure,
                }
            }
            Issue::BitrateLow => self.bitrate_low(setting),
            Issue::FramerateLow => self.framerate_low(setting),
            Issue::FramesDropped => {
                let sum = self.over(10_000);
                match sum.frames + sum.missing {
                    0..20 => Look::Unsure,
                    all => above(sum.missing * 1_000 / all, (20, 5)),
                }
            }
            Issue::Starved => {
                let sum = self.over(5_000);
                match sum.span_ms {
                    0..4_000 => Look::Unsure,
                    span => below(sum.advance_ms * 1_000 / span, (900, 970)),
                }
            }
            Issue::FasterThanRealtime => {
                let sum = self.over(5_000);
                match sum.held {
                    0 => Look::Well,
                    held if held * 2 >= sum.looks => Look::Ill(held),
                    _ => Look::Unsure,
                }
            }
            Issue::ClockJump => event(self.over(1_000).settled.clock),
            Issue::AvDrift => {
                let sum = self.over(5_000);
                match sum.offsets {
                    0..3 => Look::Unsure,
                    n => match above((sum.offset_ms / n).abs(), OFFSET_MS) {
                        Look::Ill(_) => Look::Ill(sum.offset_ms / n),
                        look => look,
                    },
                }
            }
            Issue::ResolutionUnsupported => {
                let sides = (i64::from(setting.width), i64::from(setting.height));
                let (long, short) = (sides.0.max(sides.1), sides.0.min(sides.1));
                let fits = long <= SIDES_PX.0 && (SIDES_PX.2..=SIDES_PX.1).contains(&short);
                given(setting.video && !fits, long)
            }
            Issue::VideoCodecUnsupported => event(self.over(2_000).settled.video),
            Issue::AudioCodecUnsupported => event(self.over(2_000).settled.audio),
            // What cannot be used is an issue of its own.
            Issue::AudioMissing => self.missing(|sum| sum.audio_bytes, |settled| settled.audio),
            Issue::VideoMissing => self.missing(|sum| sum.video_bytes, |settled| settled.video),
            Issue::Interlaced => given(setting.video && setting.interlaced, 1),
            Issue::WorkerLost => match away_ms {
                0 => Look::Well,
                ms if ms > AWAY_MS => Look::Ill(ms),
                _ => Look::Unsure,
            },
            _ => Look::Unsure,
        }
    }

    fn bitrate_low(&self, setting: &Setting) -> Look {
        let sum = self.over(20_000);
        let pixels = i64::from(setting.width) * i64::from(setting.height) * sum.frames / 1_000;
        if sum.span_ms < 15_000 || pixels == 0 {
            return Look::Unsure;
        }
        let bits = i64::try_from(sum.video_bytes * 8).unwrap_or(i64::MAX);
        match below(bits / pixels, BITS_PER_PIXEL_MILLI) {
            Look::Ill(_) => Look::Ill(rate(sum.video_bytes, sum.span_ms)),
            look => look,
        }
    }

    fn framerate_low(&self, setting: &Setting) -> Look {
        let sum = self.over(5_000);
        if sum.span_ms < 4_000 || sum.video_advance_ms < 1_000 {
            return Look::Unsure;
        }
        let fps = sum.frames * 1_000_000 / sum.video_advance_ms;
        match i64::from(setting.fps_milli) {
            0 => below(fps, FPS_MILLI),
            said => below(fps, (said / 100 * 85, said / 100 * 93)),
        }
    }

    /// Whether a kind of media has stayed away while the other came.
    fn missing(&self, bytes: impl Fn(&Sum) -> u64, unusable: impl Fn(&Settled) -> u64) -> Look {
        let sum = self.over(5_000);
        if bytes(&self.over(1_000)) > 0 || unusable(&sum.settled) > 0 {
            return Look::Well;
        }
        let some = sum.video_bytes + sum.audio_bytes > 0;
        match sum.span_ms >= 4_000 && some && bytes(&sum) == 0 {
            true => Look::Ill(sum.span_ms),
            false => Look::Unsure,
        }
    }
}

/// Ill above the first bound, well up to the second.
fn above(value: i64, (ill, well): (i64, i64)) -> Look {
    match value {
        value if value > ill => Look::Ill(value),
        value if value <= well => Look::Well,
        _ => Look::Unsure,
    }
}

/// Ill below the first bound, well from the second on.
fn below(value: i64, (ill, well): (i64, i64)) -> Look {
    match value {
        value if value < ill => Look::Ill(value),
        value if value >= well => Look::Well,
        _ => Look::Unsure,
    }
}

fn event(count: u64) -> Look {
    match i64::try_from(count) {
        Ok(0) => Look::Well,
        count => Look::Ill(count.unwrap_or(i64::MAX)),
    }
}

fn given(is_so: bool, figure: i64) -> Look {
    if is_so { Look::Ill(figure) } else { Look::Well }
}

/// Bits per second.
fn rate(bytes: u64, span_ms: i64) -> i64 {
    let bits = i64::try_from(bytes).unwrap_or(i64::MAX / 8_000) * 8_000;
    bits / span_ms.max(1)
}
