//! A broadcast's life, as kept in PostgreSQL and told to players.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{BroadcastId, TenantId};

/// Where everything of a broadcast lies in the object store; the keys of no other broadcast begin with it.
pub fn store_prefix(tenant: TenantId, broadcast: BroadcastId) -> String {
    headwater_media::window::key::prefix(tenant.as_str(), broadcast.as_str())
}

/// Where a broadcast is in its life. It only moves down this list, except that `Reconnecting` leads back to where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastState {
    /// A publisher sends; nothing can be watched yet.
    Connecting,
    /// A publisher sends.
    Live,
    /// The publisher has gone without saying so; the reconnect window runs.
    Reconnecting,
    /// No publisher may continue it; a worker is storing what is left and writing the replay.
    Finishing,
    /// The replay is whole, or never will be (the broadcast then carries an error).
    Ended,
}

/// Not a state's word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no broadcast state")]
pub struct BroadcastStateError(pub String);

impl BroadcastState {
    /// Every state, in order.
    pub const ALL: [Self; 5] = [
        Self::Connecting,
        Self::Live,
        Self::Reconnecting,
        Self::Finishing,
        Self::Ended,
    ];

    /// The word used in SQL, messages and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Reconnecting => "reconnecting",
            Self::Finishing => "finishing",
            Self::Ended => "ended",
        }
    }

    /// Whether a publisher of the channel continues this broadcast rather than opening another.
    pub const fn open(self) -> bool {
        matches!(self, Self::Connecting | Self::Live | Self::Reconnecting)
    }
}

impl fmt::Display for BroadcastState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BroadcastState {
    type Err = BroadcastStateError;
    fn from_str(text: &str) -> Result<Self, BroadcastStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| BroadcastStateError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for state in BroadcastState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("LIVE".parse::<BroadcastState>().is_err());
    }
}
