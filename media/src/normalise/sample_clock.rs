//! Audio time by counting samples, held to the publisher's clock.
//!
//! Timestamps in milliseconds jitter; a pure count drifts when packets are lost (or the audio clock is off). So
//! units are placed by the count, and the count is set anew when the clock has gone away from it: at once beyond
//! the larger of 100 ms and 3 frames, and otherwise once it has stayed more than 0.6 frames away for a while.

/// Units over which a deviation must last to count.
const WINDOW: usize = 16;

/// Where an audio unit goes, in ticks of the sample rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudioPlace {
    /// Decode and presentation time.
    At(i64),
    /// The same, after nothing for as many ticks.
    AfterGap(i64, i64),
    /// There is no time left for it.
    Overlap,
}

pub(super) struct SampleClock {
    rate: i64,
    frame: i64,
    next: Option<i64>,
    deviations: [i64; WINDOW],
    seen: usize,
}

impl SampleClock {
    /// `frame` is the ticks per unit.
    pub fn new(rate: u32, frame: u32) -> Self {
        Self {
            rate: i64::from(rate),
            frame: i64::from(frame),
            next: None,
            deviations: [0; WINDOW],
            seen: 0,
        }
    }

    /// Takes the time that the publisher's clock says.
    pub fn place(&mut self, raw: i64) -> AudioPlace {
        let next = *self.next.get_or_insert(raw);
        let deviation = raw - next;
        let limit = (self.rate / 10).max(3 * self.frame);
        self.deviations[self.seen % WINDOW] = deviation;
        self.seen += 1;
        let lasting = self.frame * 3 / 5;
        let steady =
            |away: fn(i64, i64) -> bool| self.seen >= WINDOW && self.deviations.iter().all(|&d| away(d, lasting));
        let move_by = if deviation > limit {
            deviation
        } else if steady(|d, lasting| d > lasting) {
            self.deviations.iter().copied().min().unwrap_or(0)
        } else if deviation < -limit || steady(|d, lasting| d < -lasting) {
            self.seen = 0;
            return AudioPlace::Overlap;
        } else {
            0
        };
        let at = next + move_by;
        self.next = Some(at + self.frame);
        if move_by == 0 {
            return AudioPlace::At(at);
        }
        self.seen = 0;
        AudioPlace::AfterGap(at, move_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u32 = 1_024;

    /// Feeds units whose clock says `ms`, and gives where they went.
    fn run(clock: &mut SampleClock, ms: impl Iterator<Item = i64>) -> Vec<(i64, AudioPlace)> {
        ms.map(|ms| (ms * 48, clock.place(ms * 48))).collect()
    }

    fn at(place: AudioPlace) -> Option<i64> {
        match place {
            AudioPlace::At(at) | AudioPlace::AfterGap(at, _) => Some(at),
            AudioPlace::Overlap => None,
        }
    }

    #[test]
    fn p005_jitter_does_not_move_the_count() {
        let mut clock = SampleClock::new(48_000, FRAME);
        let jittered = (0..2_000).map(|i| i * 1_024 / 48 + [0, 12, -9, 30, -4][i as usize % 5]);
        for (i, (_, place)) in run(&mut clock, jittered).into_iter().enumerate() {
            assert_eq!(place, AudioPlace::At(i as i64 * 1_024));
        }
    }

    #[test]
    fn p005_six_hours_with_one_percent_lost_stay_within_50_ms() {
        let mut clock = SampleClock::new(48_000, FRAME);
        let sent = (0..1_012_500i64)
            .filter(|i| (i * 2_654_435_761) % 1_000 >= 10)
            .map(|i| i * 1_024 / 48);
        let (mut last, mut worst) = (i64::MIN, 0);
        for (raw, place) in run(&mut clock, sent) {
            let at = at(place).expect("nothing overlaps");
            assert!(at > last);
            last = at;
            worst = worst.max((at - raw).abs());
        }
        assert!(worst < 48 * 50, "{} ms", worst / 48);
    }

    #[test]
    fn h9_a_fast_audio_clock_loses_a_frame_now_and_then() {
        let mut clock = SampleClock::new(48_000, FRAME);
        // 200 ppm more frames than time for them
        let places = run(
            &mut clock,
            (0..100_000).map(|i| (i as f64 * 21.333_333 * 0.999_8) as i64),
        );
        let dropped = places.iter().filter(|(_, p)| *p == AudioPlace::Overlap).count();
        assert!((18..=22).contains(&dropped), "{dropped}");
        let worst = places.iter().filter_map(|(raw, p)| Some((at(*p)? - raw).abs())).max();
        assert!(worst < Some(48 * 50));
    }

    #[test]
    fn h6_a_gap_moves_the_count_at_once() {
        let mut clock = SampleClock::new(48_000, FRAME);
        clock.place(0);
        assert_eq!(clock.place(48_000), AudioPlace::AfterGap(48_000, 48_000 - 1_024));
        assert_eq!(clock.place(49_024), AudioPlace::At(49_024));
        assert_eq!(clock.place(10), AudioPlace::Overlap);
    }
}
