//! Issues that open and close with hysteresis. Pure: time comes in.

use serde::{Deserialize, Serialize};

use super::Issue;

/// What one look says of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is there; the figure that shows it, in the unit of [`Issue::words`].
    Ill(i64),
    /// Between the bounds, or not to be told: neither opens nor closes anything.
    Unsure,
    /// It is not there.
    Well,
}

/// An issue that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Which.
    pub issue: Issue,
    /// Unix milliseconds.
    pub since_ms: i64,
    /// The newest figure that showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<i64>,
}

/// What a look has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Open from now on.
    Opened,
    /// Closed from now on.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Latch {
    /// Since when it is open, and the newest figure.
    open: Option<(i64, i64)>,
    /// Since when looks have said otherwise without a break.
    turning_since: Option<i64>,
}

impl Latch {
    fn look(&mut self, issue: Issue, look: Look, now_ms: i64) -> Option<Turn> {
        let holds = issue.holds();
        match (self.open, look) {
            (None, Look::Ill(figure)) => {
                let since = *self.turning_since.get_or_insert(now_ms);
                if now_ms - since < holds.ill_ms {
                    return None;
                }
                *self = Self {
                    open: Some((since, figure)),
                    turning_since: None,
                };
                Some(Turn::Opened)
            }
            (Some(_), Look::Well) => {
                let since = *self.turning_since.get_or_insert(now_ms);
                if now_ms - since < holds.well_ms {
                    return None;
                }
                *self = Self::default();
                Some(Turn::Closed)
            }
            (Some((since, _)), Look::Ill(figure)) => {
                self.open = Some((since, figure));
                self.turning_since = None;
                None
            }
            (_, Look::Unsure) | (None, Look::Well) => {
                self.turning_since = None;
                None
            }
        }
    }
}

/// The issues of one source. Give it a look at each of them about every second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latches([Latch; Issue::ALL.len()]);

impl Latches {
    /// Takes a look. An issue opens when looks have said so for as long as it asks for, and closes likewise.
    pub fn look(&mut self, issue: Issue, look: Look, now_ms: i64) -> Option<Turn> {
        let at = Issue::ALL.iter().position(|known| *known == issue)?;
        self.0[at].look(issue, look, now_ms)
    }

    /// What is open, in the order of [`Issue::ALL`].
    pub fn open(&self) -> impl Iterator<Item = Open> + '_ {
        let latches = Issue::ALL.into_iter().zip(&self.0);
        latches.filter_map(|(issue, latch)| {
            let (since_ms, figure) = latch.open?;
            Some(Open {
                issue,
                since_ms,
                figure: Some(figure),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    #[test]
    fn every_issue_opens_and_closes() {
        for issue in Issue::ALL {
            let (mut latches, holds) = (Latches::default(), issue.holds());
            assert!(holds.ill_ms >= 0 && holds.well_ms >= 3_000, "{issue:?}");
            let first = latches.look(issue, Look::Ill(1), 1_000);
            assert_eq!(first.is_some(), holds.ill_ms == 0, "{issue:?}");
            if first.is_none() {
                let early = latches.look(issue, Look::Ill(2), 999 + holds.ill_ms);
                assert_eq!(early, None, "{issue:?}");
                let due = latches.look(issue, Look::Ill(3), 1_000 + holds.ill_ms);
                assert_eq!(due, Some(Turn::Opened), "{issue:?}");
            }
            let open: Vec<_> = latches.open().collect();
            assert_eq!((open[0].issue, open[0].since_ms, open.len()), (issue, 1_000, 1));
            let now = 100_000;
            assert_eq!(latches.look(issue, Look::Well, now), None);
            assert_eq!(latches.look(issue, Look::Well, now + holds.well_ms - 1), None);
            let closed = latches.look(issue, Look::Well, now + holds.well_ms);
            assert_eq!(closed, Some(Turn::Closed), "{issue:?}");
            assert_eq!(latches.open().count(), 0);
        }
    }

    #[test]
    fn what_lies_between_the_bounds_turns_nothing() {
        let (mut latches, issue) = (Latches::default(), Issue::Starved);
        let holds = issue.holds();
        latches.look(issue, Look::Ill(1), 0);
        latches.look(issue, Look::Unsure, 500);
        assert_eq!(latches.look(issue, Look::Ill(1), holds.ill_ms + 1), None, "begun anew");
        assert_eq!(
            latches.look(issue, Look::Ill(9), 2 * holds.ill_ms + 1),
            Some(Turn::Opened)
        );
        for n in 0..1_000 {
            assert_eq!(latches.look(issue, Look::Unsure, 100_000 + n * 1_000), None);
        }
        assert_eq!(latches.open().next().and_then(|open| open.figure), Some(9));
    }

    /// Whatever the looks say, an issue stays open, and closed, for at least as long as it asks for.
    #[test]
    fn nothing_flaps() {
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let (mut latches, mut now) = (Latches::default(), 0_i64);
            let mut turned: Vec<Option<(i64, Turn)>> = vec![None; Issue::ALL.len()];
            // From wavering to nearly steady.
            let steadiness = random.random_range(0.5..0.99);
            let mut look = Look::Well;
            for _ in 0..2_000 {
                now += random.random_range(200..2_000);
                if !random.random_bool(steadiness) {
                    look = [Look::Ill(7), Look::Unsure, Look::Well][random.random_range(0..3)];
                }
                for (at, issue) in Issue::ALL.into_iter().enumerate() {
                    let Some(turn) = latches.look(issue, look, now) else {
                        continue;
                    };
                    let holds = issue.holds();
                    if let Some((last, was)) = turned[at] {
                        assert_ne!(was, turn, "seed {seed}: {issue:?} turns the same way twice");
                        let least = if turn == Turn::Closed {
                            holds.well_ms
                        } else {
                            holds.ill_ms
                        };
                        assert!(
                            now - last >= least,
                            "seed {seed}: {issue:?} {turn:?} after {} ms",
                            now - last
                        );
                    }
                    turned[at] = Some((now, turn));
                }
            }
        }
    }
}
