//! The frame rate behind timestamps that were rounded to milliseconds.
//!
//! Encoders round decode times to milliseconds: 59.94 frames per second arrive 16, 17 and 17 ms apart. While they
//! stay within [`TOLERANCE_90K`] of a steady rate, units are placed on that rate's exact grid; they are never
//! further than that from where the publisher put them, so no drift can build up. Otherwise times stay as sent.

use std::collections::VecDeque;

/// Furthest that a unit is moved, 1/90000 s (1.5 ms).
pub const TOLERANCE_90K: i64 = 135;
/// Spread of rounding errors on a true grid, 1/90000 s: 1 ms and a little.
const SPREAD_90K: i64 = 100;
/// Units that must agree before a rate is taken without a hint.
const AGREE_MIN: usize = 8;
/// Units looked at to tell rates apart.
const HISTORY: usize = 96;

/// Frames per second as a fraction.
pub type Rate = (u32, u32);

const RATES: [Rate; 21] = [
    (24_000, 1_001),
    (24, 1),
    (25, 1),
    (30_000, 1_001),
    (30, 1),
    (50, 1),
    (60_000, 1_001),
    (60, 1),
    (48_000, 1_001),
    (48, 1),
    (15, 1),
    (20, 1),
    (10, 1),
    (12, 1),
    (72, 1),
    (75, 1),
    (90, 1),
    (100, 1),
    (120_000, 1_001),
    (120, 1),
    (144, 1),
];

/// The usual rate that a number means, if it is within 0.02 % of one.
pub(super) fn nearest_rate(fps: f64) -> Option<Rate> {
    let off = |rate: &Rate| (fps * f64::from(rate.1) / f64::from(rate.0) - 1.0).abs();
    RATES.into_iter().find(|rate| off(rate) < 0.000_2)
}

/// Places decode times on a grid where there is one.
pub(super) struct FrameGrid {
    hint: Option<Rate>,
    lock: Option<Lock>,
    history: VecDeque<i64>,
}

#[derive(Clone, Copy)]
struct Lock {
    rate: Rate,
    /// Time of index 0.
    anchor: i64,
    index: i64,
    /// Steps of exactly one, less those of more; low when the rate is a multiple of the true one.
    singles: i32,
}

/// Where a unit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Decode time, 1/90000 s.
    pub dts: i64,
    /// Until the next unit, where the grid is steady.
    pub duration: Option<u32>,
}

impl FrameGrid {
    /// `hint` is a rate that the stream declares, used at once and given up when it does not fit.
    pub fn new(hint: Option<Rate>) -> Self {
        Self {
            hint,
            lock: None,
            history: VecDeque::with_capacity(HISTORY),
        }
    }

    /// The rate, once known.
    pub fn rate(&self) -> Option<Rate> {
        self.lock.filter(|l| l.singles > 0).map(|l| l.rate)
    }

    /// Length of one frame if the rate is known or hinted, 1/90000 s.
    pub fn frame_90k(&self) -> Option<i64> {
        self.lock.map(|l| l.rate).or(self.hint).map(|rate| offset(rate, 1))
    }

    /// Takes the decode time of the next unit.
    pub fn place(&mut self, raw: i64) -> Place {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(raw);
        if self.history.len() == 1 {
            self.lock = self.hint.map(|rate| Lock {
                rate,
                anchor: raw,
                index: 0,
                singles: 0,
            });
            return Place {
                dts: raw,
                duration: None,
            };
        }
        if let Some(place) = self.lock.as_mut().and_then(|lock| lock.step(raw)) {
            if self.lock.is_some_and(|lock| lock.singles > -6) {
                return place;
            }
        } else if self.lock.is_none() && self.history.len() < AGREE_MIN {
            return Place {
                dts: raw,
                duration: None,
            };
        }
        self.relock(raw)
    }

    fn relock(&mut self, raw: i64) -> Place {
        let fitted = |rate: &Rate| fit(&self.history, *rate);
        let hinted = self.hint.as_ref().and_then(fitted);
        let closest = || RATES.iter().filter_map(fitted).min_by_key(|(spread, _)| *spread);
        self.lock = hinted.or_else(closest).map(|(_, lock)| lock);
        let Some(lock) = &self.lock else {
            if self.history.len() > AGREE_MIN {
                self.history.drain(..self.history.len() - AGREE_MIN);
            }
            return Place {
                dts: raw,
                duration: None,
            };
        };
        Place {
            dts: lock.at(lock.index),
            duration: Some(lock.duration()),
        }
    }

    /// Presentation time of a unit placed at `dts` and sent as `raw`, shown `composition` later.
    pub fn present(&self, raw: i64, dts: i64, composition: i64) -> i64 {
        let wanted = raw + composition;
        let Some(lock) = self.lock.filter(|lock| lock.at(lock.index) == dts) else {
            return dts + composition;
        };
        let on_grid = lock.at(lock.nearest(wanted));
        if (on_grid - wanted).abs() <= 2 * TOLERANCE_90K {
            on_grid
        } else {
            dts + composition
        }
    }
}

impl Lock {
    fn at(&self, index: i64) -> i64 {
        self.anchor + offset(self.rate, index)
    }

    fn nearest(&self, time: i64) -> i64 {
        let (num, den) = (i128::from(self.rate.0), i128::from(self.rate.1) * 90_000);
        let scaled = i128::from(time - self.anchor) * num;
        ((2 * scaled + den).div_euclid(2 * den)) as i64
    }

    fn duration(&self) -> u32 {
        (self.at(self.index + 1) - self.at(self.index)) as u32
    }

    /// Moves on to the unit at `raw`; `None` when that is not on the grid.
    fn step(&mut self, raw: i64) -> Option<Place> {
        let next = self.nearest(raw).max(self.index + 1);
        if (raw - self.at(next)).abs() > TOLERANCE_90K {
            return None;
        }
        let single = next == self.index + 1;
        self.singles = (self.singles + if single { 1 } else { -1 }).clamp(-16, 16);
        self.index = next;
        Some(Place {
            dts: self.at(next),
            duration: (single && self.singles > 0).then(|| self.duration()),
        })
    }
}

/// Time of the `index`th frame, 1/90000 s, rounded down.
pub(super) fn offset(rate: Rate, index: i64) -> i64 {
    (i128::from(index) * 90_000 * i128::from(rate.1)).div_euclid(i128::from(rate.0)) as i64
}

/// A lock on `rate` that explains all the times, with the spread of what remains.
fn fit(times: &VecDeque<i64>, rate: Rate) -> Option<(i64, Lock)> {
    let (&first, &last) = (times.front()?, times.back()?);
    let frame = offset(rate, 1).max(1);
    if times.len() < AGREE_MIN || last <= first {
        return None;
    }
    let (mut index, mut low, mut high, mut singles) = (0i64, 0i64, 0i64, 0usize);
    for (before, time) in times.iter().zip(times.iter().skip(1)) {
        let frames = ((time - before + frame / 2).div_euclid(frame)).max(1);
        singles += usize::from(frames == 1);
        index += frames;
        let rest = time - first - offset(rate, index);
        (low, high) = (low.min(rest), high.max(rest));
        if high - low > SPREAD_90K {
            return None;
        }
    }
    // At a multiple of the true rate hardly a step is one.
    if singles * 4 < (times.len() - 1) * 3 {
        return None;
    }
    let anchor = first + (low + high) / 2;
    Some((
        high - low,
        Lock {
            rate,
            anchor,
            index,
            singles: singles.min(16) as i32,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of a rate as an encoder sends them: milliseconds, rounded to the nearest or down.
    fn stamps(rate: Rate, count: i64, down: bool) -> Vec<i64> {
        let half = if down { 0 } else { i128::from(rate.0) / 2 };
        let ms = |i: i64| ((i128::from(i) * 1_000 * i128::from(rate.1) + half) / i128::from(rate.0)) as i64;
        (0..count).map(|i| ms(i) * 90).collect()
    }

    #[test]
    fn i11_millisecond_rounding_is_undone_at_every_rate() {
        for rate in RATES {
            for hint in [Some(rate), None] {
                for down in [false, true] {
                    let mut grid = FrameGrid::new(hint);
                    let raws = stamps(rate, 20_000, down);
                    let places: Vec<Place> = raws.iter().map(|&raw| grid.place(raw)).collect();
                    let name = format!("{rate:?} hint {hint:?} down {down}");
                    assert_eq!(grid.rate(), Some(rate), "{name}");
                    let drift = raws.iter().zip(&places).map(|(raw, p)| (raw - p.dts).abs()).max();
                    assert!(drift <= Some(TOLERANCE_90K), "{name}: {drift:?}");
                    for pair in places[1_000..].windows(2) {
                        assert_eq!(
                            pair[0].duration.map(i64::from),
                            Some(pair[1].dts - pair[0].dts),
                            "{name}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn c14_a_wrong_hint_is_given_up() {
        let pairs = [
            ((30, 1), (30_000, 1_001)),
            ((60, 1), (30, 1)),
            ((30, 1), (60, 1)),
            ((25, 1), (24_000, 1_001)),
        ];
        for (hint, rate) in pairs {
            let mut grid = FrameGrid::new(Some(hint));
            stamps(rate, 400, false).into_iter().for_each(|raw| {
                let place = grid.place(raw);
                assert!((place.dts - raw).abs() <= TOLERANCE_90K);
            });
            assert_eq!(grid.rate(), Some(rate), "hint {hint:?}");
        }
    }

    #[test]
    fn j9_dropped_frames_stay_on_the_grid() {
        let mut grid = FrameGrid::new(Some((30, 1)));
        for (i, raw) in stamps((30, 1), 300, false).into_iter().enumerate() {
            if i % 7 != 3 && !(100..110).contains(&i) {
                assert_eq!(grid.place(raw).dts, i as i64 * 3_000);
            }
        }
    }

    #[test]
    fn j4_variable_rate_is_left_as_sent() {
        let mut grid = FrameGrid::new(Some((30, 1)));
        let mut raw = 0;
        for i in 0..500i64 {
            raw += 90 * (10 + (i * i * 7) % 90);
            let place = grid.place(raw);
            assert!((place.dts - raw).abs() <= TOLERANCE_90K);
        }
        assert_eq!(grid.rate(), None);
    }

    #[test]
    fn presentation_times_land_on_the_grid() {
        let mut grid = FrameGrid::new(Some((30_000, 1_001)));
        for (i, raw) in stamps((30_000, 1_001), 50, false).into_iter().enumerate() {
            let place = grid.place(raw);
            let true_shown = offset((30_000, 1_001), i as i64 + 2);
            let composition = ((true_shown + 45) / 90) * 90 - raw;
            assert_eq!(grid.present(raw, place.dts, composition), true_shown);
        }
    }
}
