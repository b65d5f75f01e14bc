//! What was wrong with a publisher's stream, typed and counted.

use crate::unit::TrackKind;

/// One thing that had to be settled. `Display` is a sentence for the streamer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Issue {
    /// A track cannot be used; the others go on.
    #[error("{kind:?} track refused: {reason}")]
    TrackRefused {
        /// Which kind.
        kind: TrackKind,
        /// Why.
        reason: &'static str,
    },
}

impl Issue {
    /// The stream cannot be used at all: refuse it with the sentence.
    pub fn is_fatal(&self) -> bool {
        false
    }
}

/// How often each kind of issue has come up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tracks refused.
    pub tracks_refused: u64,
}
