//! One track's RTMP timestamps as one unwrapped, advancing count of milliseconds.

use super::issue::{Issue, Sink};
use crate::unit::TrackKind;

/// Within this of the top of 2^24 or 2^31, and of zero on the other side, a step back counts as a wrap.
const WRAP_WINDOW_MS: i64 = 10_000;
/// Furthest that unwrapping counts, so that no arithmetic on it overflows.
const UNWRAPPED_MS_MAX: i64 = 1 << 52;
/// Equal timestamps in a row after which the clock counts as standing.
const STANDING_AFTER: u32 = 4;
/// Made-up times follow arrival once they are this far from it.
const STANDING_SLACK_MS: i64 = 250;
/// Frames in a row that must agree before the publisher's unit counts as wrong.
const UNIT_FRAMES: u32 = 16;
/// Ratio to milliseconds that means 90 kHz.
const UNIT_RATIO: std::ops::RangeInclusive<i64> = 60..=120;

/// Unwraps one track's timestamps.
#[derive(Default)]
pub(super) struct TrackClock {
    /// Last timestamp as sent, and what it was unwrapped to.
    last: Option<(u32, i64)>,
    equal: u32,
    /// Arrival and value at which the clock stopped, and the last value made up.
    standing: Option<(i64, i64, i64)>,
    unit: UnitCheck,
}

/// Looks for timestamps that count 1/90000 s.
#[derive(Default)]
struct UnitCheck {
    agreeing: u32,
    since: Option<(i64, i64)>,
    frames: u32,
}

impl TrackClock {
    /// The last unwrapped value.
    pub fn last_ms(&self) -> Option<i64> {
        self.last.map(|(_, ms)| ms)
    }

    /// The unwrapped time of a timestamp. `other` is the other track's clock, so that both count the same wraps;
    /// `nominal_ms` is what a unit should last.
    pub fn take(
        &mut self,
        kind: TrackKind,
        timestamp: u32,
        now_ms: i64,
        other: Option<i64>,
        nominal_ms: i64,
        sink: &mut Sink,
    ) -> i64 {
        let unwrapped = match self.last {
            // After a hundred thousand years of wraps the count begins again, which is one more jump.
            Some((_, ms)) if ms.abs() > UNWRAPPED_MS_MAX => i64::from(timestamp),
            Some((last, ms)) => ms + step(last, timestamp),
            // Nearest to the other track; on its own, as it stands.
            None => other.map_or(i64::from(timestamp), |ms| {
                ms + i64::from(timestamp.wrapping_sub(ms as u32) as i32)
            }),
        };
        let delta = self.last.map(|(_, ms)| unwrapped - ms);
        self.last = Some((timestamp, unwrapped));
        if let Some(delta) = delta {
            self.check_unit(kind, delta, unwrapped, now_ms, nominal_ms, sink);
        }
        if delta == Some(0) {
            self.equal += 1;
        } else {
            self.equal = 0;
            self.standing = None;
        }
        if self.equal < STANDING_AFTER {
            return unwrapped;
        }
        let (since, base, made) = *self.standing.get_or_insert_with(|| {
            sink.issue(Issue::ConstantTimes(kind));
            (now_ms, unwrapped, unwrapped)
        });
        let arrival = base + (now_ms - since);
        let next = made + nominal_ms.max(1);
        let made = if (next - arrival).abs() <= STANDING_SLACK_MS {
            next
        } else {
            arrival.max(made + 1)
        };
        self.standing = Some((since, base, made));
        made
    }

    /// Sound: each step against the frame's own length. Pictures: time against arrival.
    fn check_unit(&mut self, kind: TrackKind, delta: i64, ms: i64, now_ms: i64, nominal_ms: i64, sink: &mut Sink) {
        let check = &mut self.unit;
        if kind == TrackKind::Audio {
            let agrees = UNIT_RATIO.contains(&(delta / nominal_ms.max(1)));
            check.agreeing = if agrees { check.agreeing + 1 } else { 0 };
            if check.agreeing == UNIT_FRAMES {
                sink.issue(Issue::WrongTimeUnit(90));
            }
            return;
        }
        let (since_ms, since_now) = *check.since.get_or_insert((ms, now_ms));
        check.frames += 1;
        if check.frames < 2 * UNIT_FRAMES {
            return;
        }
        let (media, arrival) = (ms - since_ms, now_ms - since_now);
        let slide_show = media / i64::from(check.frames) > 400;
        if slide_show && arrival >= 500 && UNIT_RATIO.contains(&(media / arrival)) {
            sink.issue(Issue::WrongTimeUnit(90));
        }
        *check = UnitCheck::default();
    }
}

/// From one timestamp to the next: 32 bits wrap; 31 and 24 bits do where the next is near zero and the last was
/// near the top.
fn step(last: u32, next: u32) -> i64 {
    let plain = i64::from(next.wrapping_sub(last) as i32);
    for bits in [31, 24] {
        let top = 1i64 << bits;
        let near_top = (top - WRAP_WINDOW_MS..top).contains(&i64::from(last));
        if near_top && i64::from(next) < WRAP_WINDOW_MS {
            return i64::from(next) + top - i64::from(last);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(timestamps: &[u32]) -> Vec<i64> {
        let (mut clock, mut sink) = (TrackClock::default(), Sink::default());
        timestamps
            .iter()
            .enumerate()
            .map(|(i, &t)| clock.take(TrackKind::Video, t, i as i64 * 40, None, 40, &mut sink))
            .collect()
    }

    #[test]
    fn i1_i3_every_wrap_is_unwrapped() {
        for start in [0u32, 0x7fff_ffb0, 0xffff_ffb0, 0x00ff_ffb0, 12_345] {
            let stamps: Vec<u32> = (0..5).map(|i| start.wrapping_add(i * 40)).collect();
            let expected: Vec<i64> = (0..5).map(|i| i64::from(start) + i * 40).collect();
            assert_eq!(run(&stamps), expected, "32 bits from {start:#x}");
        }
        for (bits, start) in [(24, 0x00ff_ffb0u32), (31, 0x7fff_ffb0)] {
            let stamps: Vec<u32> = (0..5).map(|i| (start + i * 40) & ((1u32 << bits) - 1)).collect();
            let expected: Vec<i64> = (0..5).map(|i| i64::from(start) + i * 40).collect();
            assert_eq!(run(&stamps), expected, "{bits} bits");
        }
    }

    #[test]
    fn i4_the_second_track_counts_the_wraps_of_the_first() {
        let mut sink = Sink::default();
        let mut audio = TrackClock::default();
        let other = (1i64 << 32) + 10;
        assert_eq!(
            audio.take(TrackKind::Audio, 0xffff_fff0, 0, Some(other), 21, &mut sink),
            (1 << 32) - 16
        );
        assert_eq!(
            audio.take(TrackKind::Audio, 5, 0, Some(other), 21, &mut sink),
            (1 << 32) + 5
        );
    }

    #[test]
    fn i10_standing_clocks_are_driven_by_arrival() {
        let times = run(&[0; 30]);
        assert!(times[5..].windows(2).all(|w| w[1] - w[0] == 40), "{times:?}");
    }

    #[test]
    fn i12_90_khz_timestamps_are_told() {
        for (kind, nominal, each) in [(TrackKind::Audio, 21, 1_920), (TrackKind::Video, 33, 3_000)] {
            let (mut clock, mut sink) = (TrackClock::default(), Sink::default());
            (0..100).for_each(|i| {
                clock.take(kind, i * each, i64::from(i) * nominal, None, nominal, &mut sink);
            });
            assert!(sink.counters.of(&Issue::WrongTimeUnit(0)) > 0, "{kind:?}");
        }
        // faster than real time is not the wrong unit
        let (mut clock, mut sink) = (TrackClock::default(), Sink::default());
        (0..1_000).for_each(|i| {
            clock.take(TrackKind::Video, i * 33, i64::from(i) / 3, None, 33, &mut sink);
        });
        assert_eq!(sink.counters.of(&Issue::WrongTimeUnit(0)), 0);
    }
}
