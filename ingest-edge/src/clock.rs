//! The edge's one reading of the wall clock: taken at start, carried on by the monotonic clock, so that a step of the
//! machine's clock never moves a timeline.

use headwater_platform::clock::WallClock;
use tokio::time::Instant;

/// Unix time that only moves forward.
#[derive(Clone, Copy, Debug)]
pub struct MediaClock {
    unix_us: i64,
    since: Instant,
}

impl MediaClock {
    /// Reads the wall clock, once.
    pub fn start(wall: &WallClock) -> Self {
        Self {
            unix_us: wall.unix_us(),
            since: Instant::now(),
        }
    }

    /// Unix microseconds now.
    pub fn now_us(&self) -> i64 {
        self.unix_us + i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX / 2)
    }

    /// Unix milliseconds now.
    pub fn now_ms(&self) -> i64 {
        self.now_us() / 1_000
    }

    /// When the clock will show `unix_ms`; now, when it has.
    pub fn instant_of(&self, unix_ms: i64) -> Instant {
        let us = unix_ms.saturating_mul(1_000).saturating_sub(self.unix_us);
        self.since + std::time::Duration::from_micros(u64::try_from(us).unwrap_or(0))
    }
}
