//! Time from outside: the wall clock for stamps, the monotonic clock for everything that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time. Waiting is done with tokio's timers, which never look at the wall clock.
#[derive(Clone, Default)]
pub struct WallClock {
    manual_us: Option<Arc<AtomicI64>>,
}

impl WallClock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `unix_us` until it is moved.
    pub fn manual(unix_us: i64) -> Self {
        Self {
            manual_us: Some(Arc::new(AtomicI64::new(unix_us))),
        }
    }

    /// Microseconds since the Unix epoch.
    pub fn unix_us(&self) -> i64 {
        match &self.manual_us {
            Some(us) => us.load(Ordering::Relaxed),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.as_micros() as i64),
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> i64 {
        self.unix_us() / 1_000
    }

    /// Moves a manual clock by `us`; the machine's clock stays as it is.
    pub fn advance_us(&self, us: i64) {
        if let Some(clock) = &self.manual_us {
            clock.fetch_add(us, Ordering::Relaxed);
        }
    }
}
