//! Whether a broadcast leaves a replay.

use std::fmt;
use std::str::FromStr;

/// What is kept of a channel's broadcasts when they have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Recording {
    /// The replay.
    #[default]
    Record,
    /// Nothing: what was stored for those who watch is removed.
    None,
}

/// Neither `record` nor `none`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recording policy {0:?} is neither \"record\" nor \"none\"")]
pub struct RecordingError(pub String);

impl Recording {
    /// The word used in messages, SQL and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Recording {
    type Err = RecordingError;
    fn from_str(text: &str) -> Result<Self, RecordingError> {
        match text {
            "record" => Ok(Self::Record),
            "none" => Ok(Self::None),
            other => Err(RecordingError(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for policy in [Recording::Record, Recording::None] {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!("NONE".parse::<Recording>(), Err(RecordingError("NONE".into())));
    }
}
