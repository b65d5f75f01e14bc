//! Capped, jittered, exponential waiting between attempts. Each call site states its own bound.

use std::time::Duration;

use rand::Rng;

/// Waits that double from `first` to `cap`, each drawn from its upper half.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// Starts at `first`, never waits longer than `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            next: first,
            first,
            cap,
        }
    }

    /// How long to wait before the next attempt.
    pub fn delay(&mut self) -> Duration {
        let ceiling = self.next.min(self.cap);
        self.next = (ceiling * 2).min(self.cap);
        ceiling.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Waits [`Self::delay`].
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.delay()).await;
    }

    /// After a success: begin again at `first`.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_the_cap() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<_> = (0..8).map(|_| backoff.delay()).collect();
        assert!(waits[0] >= Duration::from_millis(50) && waits[0] <= Duration::from_millis(100));
        assert!(waits.iter().all(|w| *w <= Duration::from_secs(1)));
        assert!(waits[7] >= Duration::from_millis(500));
    }
}
