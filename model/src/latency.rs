//! The coarse knob between delay and quality.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a channel trades delay for quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyMode {
    /// Segments of about 2 s with parts of about 1/3 s: two to three seconds from encoder to screen.
    #[default]
    Low,
    /// Segments of about 6 s, B-frames and look-ahead: eight to fifteen seconds, the best quality per bit.
    Standard,
}

/// The lengths that follow from a latency mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Where a segment should end, milliseconds.
    pub segment_target_ms: u32,
    /// EXT-X-TARGETDURATION, seconds; constant for a broadcast.
    pub target_duration_s: u32,
    /// EXT-X-PART-INF PART-TARGET, milliseconds; constant for a broadcast.
    pub part_target_ms: u32,
}

/// Neither `low` nor `standard`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("latency mode {0:?} is neither \"low\" nor \"standard\"")]
pub struct LatencyModeError(pub String);

impl LatencyMode {
    /// The word used in messages, SQL and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Standard => "standard",
        }
    }

    /// Segment and part lengths.
    pub const fn timing(self) -> Timing {
        match self {
            Self::Low => Timing {
                segment_target_ms: 2_000,
                target_duration_s: 4,
                part_target_ms: 350,
            },
            Self::Standard => Timing {
                segment_target_ms: 6_000,
                target_duration_s: 8,
                part_target_ms: 1_000,
            },
        }
    }
}

impl fmt::Display for LatencyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LatencyMode {
    type Err = LatencyModeError;
    fn from_str(text: &str) -> Result<Self, LatencyModeError> {
        match text {
            "low" => Ok(Self::Low),
            "standard" => Ok(Self::Standard),
            other => Err(LatencyModeError(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for mode in [LatencyMode::Low, LatencyMode::Standard] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
            assert_eq!(serde_json::to_string(&mode).expect("a word"), format!("\"{mode}\""));
        }
        assert_eq!("Low".parse::<LatencyMode>(), Err(LatencyModeError("Low".into())));
    }

    #[test]
    fn a_segment_at_its_target_never_exceeds_the_target_duration() {
        for mode in [LatencyMode::Low, LatencyMode::Standard] {
            let timing = mode.timing();
            assert!(timing.segment_target_ms <= timing.target_duration_s * 1_000);
            assert!(timing.part_target_ms * 3 <= timing.segment_target_ms);
        }
    }
}
