//! Which frames become IDR pictures: decided once per source frame, in presentation order, for all rungs.

use std::collections::BTreeSet;

use headwater_media::MediaTime;
use headwater_media::segmenter::Grid;

/// Marks the pictures at which every rung starts anew.
pub(super) struct Keys {
    /// Nothing before this is shown; it only leads the decoder there.
    from: i64,
    grid: Option<Grid>,
    /// Presentation times of marked units whose frame has not come.
    marked: BTreeSet<i64>,
    first: bool,
}

/// Marked units whose frames may be outstanding: more than any decoder reorders.
const MARKS_MAX: usize = 64;

impl Keys {
    /// Shows frames from `from` on, all times in 1/90000 s. `marks` are IDRs beside those of the grid.
    pub(super) fn new(from: i64, grid: Option<Grid>, marks: &[i64]) -> Self {
        Self {
            from,
            grid,
            marked: marks.iter().copied().take(MARKS_MAX).collect(),
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

    /// Whether the next frame becomes an IDR; `None` where it is not to be encoded at all. A marked frame that was
    /// lost hands its mark to the next one.
    pub(super) fn take(&mut self, pts: i64) -> Option<bool> {
        if pts < self.from {
            return None;
        }
        let mut key = std::mem::take(&mut self.first);
        while self.marked.first().is_some_and(|mark| *mark <= pts) {
            self.marked.pop_first();
            key = true;
        }
        if let Some(grid) = &mut self.grid {
            grid.present(MediaTime::video(pts), |at| key |= at == MediaTime::video(pts));
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_frame_on_or_after_each_line() {
        let mut keys = Keys::new(
            1_000,
            Some(Grid::new(
                MediaTime::video(1_000),
                MediaTime::video(1_000),
                180_000,
                396_000,
            )),
            &[],
        );
        let at: Vec<i64> = (0..400)
            .map(|n| 1_000 + n * 3_003)
            .filter(|pts| keys.take(*pts) == Some(true))
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
        let mut keys = Keys::new(0, None, &[]);
        assert_eq!(keys.take(-1), None, "only leads to the start");
        assert_eq!(keys.take(0), Some(true));
        keys.mark(9_000);
        assert_eq!(keys.take(6_000), Some(false));
        assert_eq!(keys.take(12_000), Some(true), "the frame at 9000 was never decoded");
        assert_eq!(keys.take(15_000), Some(false));
    }
}
