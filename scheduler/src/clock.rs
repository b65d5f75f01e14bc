//! The scheduler's clock: Unix time as it was at the start, carried on by the monotonic clock.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use headwater_platform::clock::WallClock;

use crate::plan::Timestamp;

/// Never goes back and never jumps, whatever happens to the wall clock meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct SteadyClock {
    began: Arc<(i64, Instant)>,
}

impl SteadyClock {
    pub(crate) fn new() -> Self {
        Self {
            began: Arc::new((WallClock::system().unix_ms(), Instant::now())),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let (unix_ms, instant) = *self.began;
        Timestamp(unix_ms.saturating_add(i64::try_from(instant.elapsed().as_millis()).unwrap_or(i64::MAX)))
    }
}

/// For SQL.
pub(crate) fn to_utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}

/// From SQL.
pub(crate) fn from_utc(at: DateTime<Utc>) -> Timestamp {
    Timestamp(at.timestamp_millis())
}
