//! The ladder: which renditions a broadcast gets.
//!
//! [`Ladder::fit`] is a pure function of a channel's [`Policy`] and of what the publisher sends ([`Source`]). A
//! ladder that exists is a valid one: video rungs from the top down, the passthrough rung first where there is one,
//! even sizes of square pixels, none larger than the source, no two with one name.

mod fit;
mod source;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use source::{Source, SourceError, Video, VideoCodec};

/// Name of the passthrough rung.
pub const SOURCE_RUNG: &str = "source";
/// Name of the audio rendition.
pub const AUDIO_RENDITION: &str = "audio";
/// Steps a custom policy may have.
pub const STEPS_MAX: usize = 10;

/// What a channel wants made of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Policy {
    /// The source as it is, and the service's own steps below it.
    #[default]
    Default,
    /// The source as it is and nothing else; where it cannot be passed through, one encode of its size.
    Source,
    /// The service's own steps, every one encoded.
    Encoded,
    /// The channel's own steps.
    Custom {
        /// Whether the source is passed through where it can be.
        passthrough: bool,
        /// In any order.
        steps: Vec<Step>,
    },
}

/// One wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Pixels of the picture's shorter side.
    pub short_side: u32,
    /// Bits/s up to 30 frames per second.
    pub bitrate_bps: u32,
    /// Bits/s above 30 frames per second.
    pub bitrate_high_fps_bps: u32,
    /// Most frames per second × 1000.
    pub fps_max_milli: u32,
}

/// A custom policy that no ladder can follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Too many or none.
    #[error("a ladder has 1 to {STEPS_MAX} steps, not {0}")]
    Steps(usize),
    /// A figure outside its range.
    #[error("{field} of step {step} is {value}; it lies between {min} and {max}")]
    Range {
        /// Which step, from 0.
        step: usize,
        /// Which figure.
        field: &'static str,
        /// What it was.
        value: u32,
        /// Least.
        min: u32,
        /// Most.
        max: u32,
    },
    /// Two steps of one size.
    #[error("two steps have {0} lines")]
    Twice(u32),
    /// No policy's short name.
    #[error("{0:?} is no ladder; there are default, source and encoded")]
    Name(String),
}

/// The service's own steps: a choice, from no standard.
pub const DEFAULT_STEPS: [Step; 4] = [
    Step {
        short_side: 1080,
        bitrate_bps: 5_000_000,
        bitrate_high_fps_bps: 6_000_000,
        fps_max_milli: 60_000,
    },
    Step {
        short_side: 720,
        bitrate_bps: 2_800_000,
        bitrate_high_fps_bps: 3_500_000,
        fps_max_milli: 60_000,
    },
    Step {
        short_side: 480,
        bitrate_bps: 1_400_000,
        bitrate_high_fps_bps: 1_750_000,
        fps_max_milli: 30_000,
    },
    Step {
        short_side: 360,
        bitrate_bps: 800_000,
        bitrate_high_fps_bps: 1_000_000,
        fps_max_milli: 30_000,
    },
];

impl Policy {
    /// Refuses custom steps that no ladder can follow. Call where a policy comes in; `fit` itself clamps.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let Self::Custom { steps, .. } = self else {
            return Ok(());
        };
        if steps.is_empty() || steps.len() > STEPS_MAX {
            return Err(PolicyError::Steps(steps.len()));
        }
        for (step, s) in steps.iter().enumerate() {
            for (field, value, min, max) in [
                ("short_side", s.short_side, 96, 4_320),
                ("bitrate_bps", s.bitrate_bps, 50_000, 100_000_000),
                ("bitrate_high_fps_bps", s.bitrate_high_fps_bps, 50_000, 100_000_000),
                ("fps_max_milli", s.fps_max_milli, 1_000, 60_000),
            ] {
                if !(min..=max).contains(&value) {
                    return Err(PolicyError::Range {
                        step,
                        field,
                        value,
                        min,
                        max,
                    });
                }
            }
            if steps[..step].iter().any(|other| other.short_side == s.short_side) {
                return Err(PolicyError::Twice(s.short_side));
            }
        }
        Ok(())
    }
}

/// The short names of the command line.
impl FromStr for Policy {
    type Err = PolicyError;
    fn from_str(name: &str) -> Result<Self, PolicyError> {
        match name {
            "default" => Ok(Self::Default),
            "source" => Ok(Self::Source),
            "encoded" => Ok(Self::Encoded),
            other => Err(PolicyError::Name(other.to_owned())),
        }
    }
}

/// One video rendition to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// `source`, `720p`, `720p60`.
    pub name: String,
    /// The coded video untouched; the figures below are then those of an encode that takes its place when the GOP
    /// turns out unfit.
    pub passthrough: bool,
    /// Square pixels, even.
    pub width: u32,
    /// Square pixels, even.
    pub height: u32,
    /// Average and, over a second, most bits/s.
    pub bitrate_bps: u32,
    /// Most frames per second × 1000.
    pub fps_max_milli: u32,
}

/// Every rendition of a broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// Video, the best first; empty for sound alone.
    pub video: Vec<Rung>,
    /// Whether there is an audio rendition, which stands beside every video rung.
    pub audio: bool,
}

/// What a ladder asks of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Pixels per second over all encoded rungs.
    pub encode_px_per_s: u64,
    /// 1 when anything is encoded, else 0.
    pub slots: u32,
}

impl Rung {
    /// Pixels per second to encode; 0 for a passthrough rung.
    pub fn encode_px_per_s(&self) -> u64 {
        if self.passthrough {
            return 0;
        }
        u64::from(self.width) * u64::from(self.height) * u64::from(self.fps_max_milli) / 1_000
    }
}

impl Ladder {
    /// What it asks of a worker.
    pub fn cost(&self) -> Cost {
        let encode_px_per_s = self.video.iter().map(Rung::encode_px_per_s).sum();
        Cost {
            encode_px_per_s,
            slots: u32::from(encode_px_per_s > 0),
        }
    }

    /// Names of the video rungs that `other` has not.
    pub fn lacking(&self, other: &Self) -> Vec<String> {
        let has = |name: &str| other.video.iter().any(|rung| rung.name == name);
        let lacking = self.video.iter().filter(|rung| !has(&rung.name));
        lacking.map(|rung| rung.name.clone()).collect()
    }

    /// The same ladder without its most costly encoded rung; `None` when nothing could be left out without leaving
    /// the broadcast no picture at all.
    pub fn trimmed(&self) -> Option<Self> {
        let top = self.video.iter().position(|rung| !rung.passthrough)?;
        if self.video.len() == 1 {
            return None;
        }
        let mut less = self.clone();
        less.video.remove(top);
        Some(less)
    }

    /// The rungs as an assignment carries them.
    pub fn to_proto(&self) -> Vec<crate::proto::worker::Rung> {
        let rung = |rung: &Rung| crate::proto::worker::Rung {
            name: rung.name.clone(),
            passthrough: rung.passthrough,
            width: rung.width,
            height: rung.height,
            bitrate_bps: rung.bitrate_bps,
            fps_max_milli: rung.fps_max_milli,
        };
        self.video.iter().map(rung).collect()
    }
}
