//! Which frames become IDR pictures: decided once per source frame, in presentation order, for all rungs.

use std::collections::BTreeSet;

/// A fixed grid of boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Where the epoch starts, 1/90000 s.
    pub start: i64,
    /// Distance of boundaries, 1/90000 s; above 0.
    pub period: i64,
}

/// Marks the pictures at which every rung starts anew.
pub(super) struct Keys {
    grid: Option<Grid>,
    /// Grid line of the newest IDR.
    line: Option<i64>,
    /// Presentation times of marked units whose frame has not come.
    marked: BTreeSet<i64>,
    first: bool,
}

/// Marked units whose frames may be outstanding: more than any decoder reorders.
const MARKS_MAX: usize = 64;

impl Keys {
    pub(super) fn new(grid: Option<Grid>) -> Self {
        Self {
            grid: grid.filter(|g| g.period > 0),
            line: None,
            marked: BTreeSet::new(),
            first: true,
        }
    }

    /// The frame at `pts` is to be an IDR.
    pub(super) fn mark(&mut self, pts: i64) {
        self.marked.insert(pts);
        while self.marked.len() > MARKS_MAX {
            self.marked.pop_first();
        }
    }

    /// Whether this frame becomes an IDR. A marked frame that was lost hands its mark to the next one.
    pub(super) fn take(&mut self, pts: i64) -> bool {
        let mut key = std::mem::take(&mut self.first);
        while self.marked.first().is_some_and(|mark| *mark <= pts) {
            self.marked.pop_first();
            key = true;
        }
        if let Some(grid) = self.grid {
            let line = (pts - grid.start).div_euclid(grid.period);
            key |= self.line.is_some_and(|last| line > last);
            self.line = Some(self.line.map_or(line, |last| last.max(line)));
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_frame_on_or_after_each_line() {
        let mut keys = Keys::new(Some(Grid {
            start: 1_000,
            period: 180_000,
        }));
        let at: Vec<i64> = (0..400)
            .map(|n| 1_000 + n * 3_003)
            .filter(|pts| keys.take(*pts))
            .collect();
        assert_eq!(
            at,
            [
                1_000,
                1_000 + 60 * 3_003,
                1_000 + 120 * 3_003,
                1_000 + 180 * 3_003,
                1_000 + 240 * 3_003,
                1_000 + 300 * 3_003,
                1_000 + 360 * 3_003
            ]
        );
    }

    #[test]
    fn a_lost_picture_hands_its_mark_on() {
        let mut keys = Keys::new(None);
        assert!(keys.take(0));
        keys.mark(9_000);
        assert!(!keys.take(6_000));
        assert!(keys.take(12_000), "the frame at 9000 was never decoded");
        assert!(!keys.take(15_000));
    }
}
