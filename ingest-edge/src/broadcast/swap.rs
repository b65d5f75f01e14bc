//! Two encoders with one key take the channel from each other for ever; this notices, and keeps the newer one. And one
//! encoder that starts over and over is slowed down.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// This many take-overs…
const SWAPS_MAX: usize = 3;
/// …within this time are a fight.
const SWAPS_WINDOW: Duration = Duration::from_secs(30);
/// How long the winner is left alone.
const HOLD: Duration = Duration::from_secs(60);

/// Publishes of one channel within [`PUBLISHES_WINDOW`]; encoders that reconnect stay below a third of it.
const PUBLISHES_MAX: usize = 30;
const PUBLISHES_WINDOW: Duration = Duration::from_secs(60);

/// Publishes and take-overs of one channel.
#[derive(Debug, Default)]
pub struct SwapGuard {
    publishes: VecDeque<Instant>,
    swaps: VecDeque<Instant>,
    hold_until: Option<Instant>,
}

impl SwapGuard {
    /// Another publish. False when there have been too many of late.
    pub fn publish(&mut self, now: Instant) -> bool {
        while self.publishes.front().is_some_and(|at| *at + PUBLISHES_WINDOW <= now) {
            self.publishes.pop_front();
        }
        let allowed = self.publishes.len() < PUBLISHES_MAX;
        if allowed {
            self.publishes.push_back(now);
        }
        allowed
    }

    /// A publisher that was sending has been replaced by another. True when that made it a fight.
    pub fn swapped(&mut self, now: Instant) -> bool {
        self.swaps.push_back(now);
        while self.swaps.front().is_some_and(|at| *at + SWAPS_WINDOW < now) {
            self.swaps.pop_front();
        }
        if self.swaps.len() < SWAPS_MAX {
            return false;
        }
        self.swaps.clear();
        self.hold_until = Some(now + HOLD);
        true
    }

    /// Whether a publisher that is sending has to be left alone.
    pub fn holds(&self, now: Instant) -> bool {
        self.hold_until.is_some_and(|until| now < until)
    }

    /// Whether forgetting this would change nothing.
    pub fn is_idle(&self, now: Instant) -> bool {
        !self.holds(now)
            && self.swaps.back().is_none_or(|at| *at + SWAPS_WINDOW < now)
            && self.publishes.back().is_none_or(|at| *at + PUBLISHES_WINDOW < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_swap_in_thirty_seconds_keeps_the_winner_for_a_minute() {
        let (mut guard, start) = (SwapGuard::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        assert!(!guard.swapped(at(0)));
        assert!(!guard.swapped(at(10)));
        assert!(!guard.holds(at(10)));
        assert!(guard.swapped(at(20)));
        assert!(guard.holds(at(79)));
        assert!(!guard.holds(at(80)));
    }

    #[test]
    fn publishes_are_budgeted_and_the_budget_comes_back() {
        let (mut guard, start) = (SwapGuard::default(), Instant::now());
        assert_eq!((0..40).filter(|_| guard.publish(start)).count(), PUBLISHES_MAX);
        assert!(guard.publish(start + PUBLISHES_WINDOW));
        let mut patient = SwapGuard::default();
        assert!((0..1_000).all(|n| patient.publish(start + Duration::from_secs(2 * n))));
    }

    #[test]
    fn slow_swaps_are_no_fight() {
        let (mut guard, start) = (SwapGuard::default(), Instant::now());
        for n in 0..20 {
            assert!(!guard.swapped(start + Duration::from_secs(n * 16)));
        }
        assert!(guard.is_idle(start + Duration::from_secs(400)));
    }
}
