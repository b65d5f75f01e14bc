//! Which frames become IDR pictures: decided once per source frame, in presentation order, for all rungs.

use std::collections::BTreeSet;

use headwater_media::MediaTime;
use headwater_media::segmenter::Grid;

/// What a frame becomes in every rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Whatever the encoder likes.
    No,
    /// An IDR picture within a segment.
    Idr,
    /// The IDR picture that starts a segment.
    Segment,
}

/// Marks the pictures at which every rung starts anew.
pub(super) struct Keys {
    /// Nothing before this is shown; it only leads the decoder there.
    from: i64,
    grid: Option<Grid>,
    /// Presentation times of units that start segments, whose frame has not come.
    marked: BTreeSet<i64>,
    /// Times of IDRs within segments.
    within: BTreeSet<i64>,
    first: bool,
}

/// Marked units whose frames may be outstanding: more than any decoder reorders.
const MARKS_MAX: usize = 64;

impl Keys {
    /// Shows frames from `from` on, all times in 1/90000 s. `within` are IDRs beside those that start segments.
    pub(super) fn new(from: i64, grid: Option<Grid>, within: &[i64]) -> Self {
        Self {
            from,
            grid,
            marked: BTreeSet::new(),
            within: within.iter().copied().take(MARKS_MAX).collect(),
            first: true,
        }
    }

    /// The frame at `pts` starts a segment.
    pub(super) fn mark(&mut self, pts: i64) {
        self.marked.insert(pts);
        while self.marked.len() > MARKS_MAX {
            self.marked.pop_first();
        }
    }

    /// What the next frame becomes; `None` where it is not to be encoded at all. A marked frame that was lost hands
    /// its mark to the next one.
    pub(super) fn take(&mut self, pts: i64) -> Option<Key> {
        if pts < self.from {
            return None;
        }
        let mut segment = std::mem::take(&mut self.first) | pass(&mut self.marked, pts);
        let within = pass(&mut self.within, pts);
        if let Some(grid) = &mut self.grid {
            grid.present(MediaTime::video(pts), |at| segment |= at == MediaTime::video(pts));
        }
        Some(match (segment, within) {
            (true, _) => Key::Segment,
            (false, true) => Key::Idr,
            (false, false) => Key::No,
        })
    }
}

/// Takes out every mark up to `pts`; whether there was one.
fn pass(marks: &mut BTreeSet<i64>, pts: i64) -> bool {
    let before = marks.len();
    while marks.first().is_some_and(|mark| *mark <= pts) {
        marks.pop_first();
    }
    marks.len() < before
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
            .filter(|pts| keys.take(*pts) == Some(Key::Segment))
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
        let mut keys = Keys::new(0, None, &[13_000]);
        assert_eq!(keys.take(-1), None, "only leads to the start");
        assert_eq!(keys.take(0), Some(Key::Segment));
        keys.mark(9_000);
        assert_eq!(keys.take(6_000), Some(Key::No));
        assert_eq!(
            keys.take(12_000),
            Some(Key::Segment),
            "the frame at 9000 was never decoded"
        );
        assert_eq!(keys.take(15_000), Some(Key::Idr));
        assert_eq!(keys.take(18_000), Some(Key::No));
    }
}
