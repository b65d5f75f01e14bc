//! The fixed grid: where segments start when the encoder may put an IDR anywhere.

use crate::time::{MediaTime, Round, Timescale};

/// Says, frame by frame in *presentation* order, which frames start a segment: the first at or after
/// `origin + k × target`. The codec child uses it to force IDRs, [`Boundaries`](super::Boundaries) to number them;
/// both see the same frames and so agree without talking.
///
/// Where frames stop for longer than a segment may last, boundaries without a frame are put at the grid's own
/// points, and the first frame after the silence starts a segment in any case.
#[derive(Clone, Debug)]
pub struct Grid {
    origin_90k: i64,
    target_90k: i64,
    max_90k: i64,
    /// Start of the open segment.
    start: MediaTime,
    /// Next grid point, 1/90000 s.
    next_90k: i64,
}

impl Grid {
    /// A grid through `origin` (rounded down to 1/90000 s), in the middle of which a segment starts at `start`.
    /// At the start of an epoch both are the first frame. `target_90k` is at least one tick.
    pub fn new(origin: MediaTime, start: MediaTime, target_90k: i64, max_90k: i64) -> Self {
        let mut grid = Self {
            origin_90k: origin.to(Timescale::VIDEO, Round::Down).ticks,
            target_90k: target_90k.max(1),
            max_90k: max_90k.max(target_90k).max(1),
            start,
            next_90k: 0,
        };
        grid.restart(start);
        grid
    }

    /// Takes the next frame in presentation order; `boundary` is called for each segment start at or before it,
    /// in order. Silence is bridged with at most [`Self::BRIDGED_MAX`] boundaries.
    pub fn present(&mut self, pts: MediaTime, mut boundary: impl FnMut(MediaTime)) {
        let late = |start: MediaTime, max: i64| pts > MediaTime::video(ceil_90k(start).saturating_add(max));
        let mut silent = false;
        let mut bridged = 0;
        while late(self.start, self.max_90k) && bridged < Self::BRIDGED_MAX {
            silent = true;
            bridged += 1;
            let at = MediaTime::video(self.next_90k);
            self.restart(at);
            boundary(at);
        }
        if pts > self.start && (silent || pts >= MediaTime::video(self.next_90k)) {
            self.restart(pts);
            boundary(pts);
        }
    }

    /// The earliest place where the next boundary may lie.
    pub fn next(&self) -> MediaTime {
        MediaTime::video(self.next_90k)
    }

    /// Most boundaries that one silence is bridged with; a longer one is a new epoch long before.
    pub const BRIDGED_MAX: u32 = 600;

    fn restart(&mut self, start: MediaTime) {
        let since = start
            .to(Timescale::VIDEO, Round::Down)
            .ticks
            .saturating_sub(self.origin_90k);
        let k = since.div_euclid(self.target_90k).saturating_add(1);
        self.start = start;
        self.next_90k = self.origin_90k.saturating_add(k.saturating_mul(self.target_90k));
    }
}

fn ceil_90k(t: MediaTime) -> i64 {
    t.to(Timescale::VIDEO, Round::Up).ticks
}
