//! How fast a publisher sends: in media time against real time, and in bits. Pure; time comes in.

use std::time::Duration;

use tokio::time::Instant;

/// An encoder's clock may run this much fast, in thousandths, before it is slowed down.
const DRIFT_ALLOWED_PER_MILLE: i64 = 20;
/// A publisher that fell behind may catch up this much at once, beside the burst.
const CATCH_UP_MAX: Duration = Duration::from_secs(20);
/// Span over which a bit rate is judged.
const RATE_WINDOW: Duration = Duration::from_secs(10);
const RATE_BUCKETS: usize = 10;

/// Lets media run ahead of real time by a burst, and no further. A stall gives its time back to be caught up.
#[derive(Debug)]
pub struct Pace {
    credit_max_90k: i64,
    credit_90k: i64,
    newest_90k: Option<i64>,
    at: Instant,
}

impl Pace {
    /// Starts with the whole burst.
    pub fn new(burst: Duration, now: Instant) -> Self {
        Self {
            credit_max_90k: ticks(burst + CATCH_UP_MAX),
            credit_90k: ticks(burst),
            newest_90k: None,
            at: now,
        }
    }

    /// Media has come up to `position_90k`. A pause as long as the time that has passed costs nothing, however long.
    pub fn advance(&mut self, position_90k: i64, now: Instant) {
        let newest = self.newest_90k.get_or_insert(position_90k);
        let step = (position_90k - *newest).max(0);
        *newest += step;
        self.credit_90k = (self.credit_90k + self.earned(now) - step).min(self.credit_max_90k);
        self.at = now;
    }

    /// How long not to read from the publisher.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let owed = -(self.credit_90k + self.earned(now));
        let owed = u64::try_from(owed).ok().filter(|owed| *owed > 0)?;
        Some(Duration::from_micros(owed * 100 / 9))
    }

    /// What the time since the last media is worth.
    fn earned(&self, now: Instant) -> i64 {
        let passed = ticks(now.saturating_duration_since(self.at));
        passed + passed * DRIFT_ALLOWED_PER_MILLE / 1_000
    }
}

fn ticks(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).map_or(i64::MAX / 2_000, |us| us.saturating_mul(9) / 100)
}

/// Bits per second over the last ten seconds of real or of media time, whichever is longer: a burst that catches up
/// is not a higher bit rate.
#[derive(Debug)]
pub struct BitRate {
    buckets: [(u64, i64); RATE_BUCKETS],
    current: usize,
    since: Instant,
    newest_90k: Option<i64>,
}

impl BitRate {
    /// Nothing sent yet.
    pub fn new(now: Instant) -> Self {
        Self {
            buckets: [(0, 0); RATE_BUCKETS],
            current: 0,
            since: now,
            newest_90k: None,
        }
    }

    /// Counts what came.
    pub fn add(&mut self, bytes: usize, position_90k: Option<i64>, now: Instant) {
        let step = RATE_WINDOW / RATE_BUCKETS as u32;
        let steps = (now.saturating_duration_since(self.since).as_nanos() / step.as_nanos()) as usize;
        for _ in 0..steps.min(RATE_BUCKETS) {
            self.current = (self.current + 1) % RATE_BUCKETS;
            self.buckets[self.current] = (0, 0);
        }
        self.since += step * u32::try_from(steps).unwrap_or(u32::MAX);
        let bucket = &mut self.buckets[self.current];
        bucket.0 += bytes as u64;
        if let Some(position) = position_90k {
            let newest = self.newest_90k.get_or_insert(position);
            bucket.1 += (position - *newest).max(0);
            *newest = position.max(*newest);
        }
    }

    /// Bits per second.
    pub fn bps(&self) -> u64 {
        let (bytes, media_90k) = self
            .buckets
            .iter()
            .fold((0, 0), |(b, m), (bytes, media)| (b + bytes, m + media));
        let span_90k = ticks(RATE_WINDOW).max(media_90k);
        u64::try_from(u128::from(bytes) * 8 * 90_000 / span_90k.unsigned_abs() as u128).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 90_000;

    #[test]
    fn a_file_at_full_speed_gets_its_burst_then_real_time() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(8), start);
        pace.advance(0, start);
        pace.advance(8 * SECOND, start);
        assert_eq!(pace.wait(start), None);
        pace.advance(9 * SECOND, start);
        assert_eq!(pace.wait(start), Some(Duration::from_secs(1)));
        assert_eq!(pace.wait(start + Duration::from_secs(1)), None);
    }

    #[test]
    fn a_stall_may_be_caught_up_and_a_fast_clock_is_let_be() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(8), start);
        for s in 0..36_000 {
            let now = start + Duration::from_secs(s);
            pace.advance((s as i64) * SECOND * 1_005 / 1_000, now);
            assert_eq!(pace.wait(now), None, "an hour of a clock that is 5 per mille fast");
        }
        let now = start + Duration::from_secs(36_020);
        pace.advance(36_020 * SECOND * 1_005 / 1_000, now);
        assert_eq!(
            pace.wait(now),
            None,
            "twenty seconds at once after a stall of twenty seconds"
        );
        pace.advance(36_060 * SECOND * 1_005 / 1_000, now);
        assert!(pace.wait(now).is_some(), "but not a minute");
    }

    #[test]
    fn i15_a_pause_of_any_length_is_not_owed() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(8), start);
        pace.advance(0, start);
        let back = start + Duration::from_secs(1_200);
        assert_eq!(pace.wait(back), None);
        pace.advance(1_200 * SECOND, back);
        assert_eq!(pace.wait(back), None, "the timeline went on for as long as the clock");
        pace.advance(1_240 * SECOND, back);
        assert!(
            pace.wait(back).is_some(),
            "the pause is no licence for more than the burst and what is caught up"
        );
    }

    #[test]
    fn the_rate_is_over_ten_seconds_of_the_longer_clock() {
        let start = Instant::now();
        let mut rate = BitRate::new(start);
        for s in 0..10 {
            rate.add(125_000, Some(s * SECOND), start + Duration::from_secs(s as u64));
        }
        assert_eq!(rate.bps(), 1_000_000);
        let mut burst = BitRate::new(start);
        for s in 0..=20 {
            burst.add(125_000, Some(s * SECOND), start);
        }
        assert_eq!(burst.bps(), 1_050_000, "twenty seconds sent at once");
        rate.add(0, None, start + Duration::from_secs(60));
        assert_eq!(rate.bps(), 0);
    }
}
