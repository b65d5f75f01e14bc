//! Positions on a media timeline: signed ticks of a stated scale, compared exactly across scales.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;

/// Ticks per second.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timescale(NonZeroU32);

impl Timescale {
    /// 90 000 ticks per second: every video track, and the broadcast timeline itself.
    pub const VIDEO: Self = Self::new_const(90_000);
    /// 1 000 ticks per second: the clock of RTMP.
    pub const MILLIS: Self = Self::new_const(1_000);

    const fn new_const(ticks_per_second: u32) -> Self {
        match NonZeroU32::new(ticks_per_second) {
            Some(n) => Self(n),
            None => panic!("a timescale is never zero"),
        }
    }

    /// `None` for zero.
    pub const fn new(ticks_per_second: u32) -> Option<Self> {
        match NonZeroU32::new(ticks_per_second) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// Ticks per second.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Hz", self.0)
    }
}

/// A position (or a length) in ticks of a scale. Equality and order are by instant, across scales.
#[derive(Clone, Copy)]
pub struct MediaTime {
    /// Signed ticks.
    pub ticks: i64,
    /// What a tick is.
    pub scale: Timescale,
}

/// How a conversion between scales rounds. There is no default: the caller knows which way is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// To the nearest tick, halves up.
    Nearest,
}

impl MediaTime {
    /// `ticks` of `scale`.
    pub const fn new(ticks: i64, scale: Timescale) -> Self {
        Self { ticks, scale }
    }

    /// `ticks` of 1/90000 s.
    pub const fn video(ticks: i64) -> Self {
        Self::new(ticks, Timescale::VIDEO)
    }

    /// Zero on the broadcast timeline.
    pub const ZERO: Self = Self::video(0);

    /// The same instant in another scale. Saturates at the ends of `i64`.
    pub fn to(self, scale: Timescale, round: Round) -> Self {
        if scale == self.scale {
            return self;
        }
        let (num, den) = (
            i128::from(self.ticks) * i128::from(scale.get()),
            i128::from(self.scale.get()),
        );
        let ticks = match round {
            Round::Down => num.div_euclid(den),
            Round::Up => -((-num).div_euclid(den)),
            Round::Nearest => (2 * num + den).div_euclid(2 * den),
        };
        Self::new(ticks.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64, scale)
    }

    /// Ticks of `scale`, rounded to the nearest.
    pub fn ticks_in(self, scale: Timescale) -> i64 {
        self.to(scale, Round::Nearest).ticks
    }

    /// For display and rates only; never for comparing or adding up.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 / f64::from(self.scale.get())
    }

    /// Whole milliseconds, rounded down.
    pub fn millis(self) -> i64 {
        self.to(Timescale::MILLIS, Round::Down).ticks
    }

    /// This position moved by `ticks` of its own scale, saturating.
    pub const fn plus(self, ticks: i64) -> Self {
        Self::new(self.ticks.saturating_add(ticks), self.scale)
    }
}

impl PartialEq for MediaTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for MediaTime {}
impl PartialOrd for MediaTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for MediaTime {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.ticks.cmp(&other.ticks);
        }
        (i128::from(self.ticks) * i128::from(other.scale.get()))
            .cmp(&(i128::from(other.ticks) * i128::from(self.scale.get())))
    }
}
impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ticks, self.scale.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_exact_across_scales() {
        let hz = |n| Timescale::new(n).expect("not zero");
        assert_eq!(MediaTime::new(1, hz(1)), MediaTime::new(90_000, Timescale::VIDEO));
        assert!(MediaTime::new(1_001, hz(30_000)) > MediaTime::new(3_002, Timescale::VIDEO));
        assert!(MediaTime::new(i64::MAX, hz(3)) < MediaTime::new(i64::MAX, hz(2)));
    }

    #[test]
    fn conversion_names_its_rounding() {
        let third = MediaTime::new(1, Timescale::new(3).expect("not zero"));
        for (ticks, down, up, nearest) in [(1, 333, 334, 333), (2, 666, 667, 667), (-1, -334, -333, -333)] {
            let t = MediaTime::new(ticks, third.scale);
            assert_eq!(t.to(Timescale::MILLIS, Round::Down).ticks, down);
            assert_eq!(t.to(Timescale::MILLIS, Round::Up).ticks, up);
            assert_eq!(t.to(Timescale::MILLIS, Round::Nearest).ticks, nearest);
        }
    }
}
