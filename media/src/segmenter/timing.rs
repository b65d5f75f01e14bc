//! The numbers behind the one knob a customer sees.

/// How far behind the encoder a viewer may be. Everything about segment and part lengths follows from it, and
/// none of it ever changes during a broadcast: players break when a target duration moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LatencyMode {
    /// LL-HLS and LL-DASH: 2 s segments, parts of about a third of a second.
    Low,
    /// Plain HLS and DASH: 6 s segments; parts exist inside but are not advertised.
    Standard,
}

impl LatencyMode {
    /// `low` or `standard`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "low" => Some(Self::Low),
            "standard" => Some(Self::Standard),
            _ => None,
        }
    }

    /// The word used in messages and stored descriptions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Standard => "standard",
        }
    }

    /// Wanted segment duration, 1/90000 s.
    pub const fn segment_target_90k(self) -> i64 {
        match self {
            Self::Low => 2 * 90_000,
            Self::Standard => 6 * 90_000,
        }
    }

    /// `EXT-X-TARGETDURATION`, seconds.
    pub const fn target_duration_s(self) -> u32 {
        match self {
            Self::Low => 4,
            Self::Standard => 8,
        }
    }

    /// No segment is longer, 1/90000 s: the longest that still rounds to the target duration, with a margin.
    pub const fn segment_max_90k(self) -> i64 {
        self.target_duration_s() as i64 * 90_000 + 36_000
    }

    /// `PART-TARGET`, milliseconds.
    pub const fn part_target_ms(self) -> u32 {
        match self {
            Self::Low => 350,
            Self::Standard => 1_000,
        }
    }
}
