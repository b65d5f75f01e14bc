//! Bringing a source down to a rung's frame rate by leaving out every second, third, ... frame.

/// Keeps one frame of `n`, counted anew from every IDR so that IDR frames are always kept and all rungs of one
/// divisor show the same frames.
#[derive(Clone, Debug)]
pub(super) struct Thin {
    keep_one_of: u32,
    since_key: u32,
}

impl Thin {
    /// For a source of `source_milli` and a ceiling of `max_milli` frames/s × 1000; 0 means unknown or no ceiling. A
    /// source up to two percent above the ceiling is left alone (60 against 59.94).
    pub(super) fn new(source_milli: u32, max_milli: u32) -> Self {
        let room = u64::from(max_milli) * 102 / 100;
        let keep_one_of = if room == 0 {
            1
        } else {
            u64::from(source_milli).div_ceil(room).max(1)
        };
        Self {
            keep_one_of: keep_one_of as u32,
            since_key: 0,
        }
    }

    /// The rung's own rate.
    pub(super) fn fps_milli(&self, source_milli: u32) -> u32 {
        source_milli / self.keep_one_of
    }

    /// Whether this frame stays.
    pub(super) fn keep(&mut self, key: bool) -> bool {
        if key {
            self.since_key = 0;
        }
        let keep = self.since_key == 0;
        self.since_key = (self.since_key + 1) % self.keep_one_of;
        keep
    }
}

#[cfg(test)]
mod tests {
    use super::Thin;

    #[test]
    fn divides_exactly_and_never_drops_an_idr() {
        for (source, max, divisor) in [
            (30_000, 30_000, 1),
            (60_000, 30_000, 2),
            (59_940, 30_000, 2),
            (60_000, 59_940, 1),
            (50_000, 30_000, 2),
            (120_000, 60_000, 2),
            (120_000, 30_000, 4),
            (0, 30_000, 1),
            (60_000, 0, 1),
        ] {
            let mut thin = Thin::new(source, max);
            assert_eq!(thin.fps_milli(source), source / divisor, "{source} under {max}");
            let kept = (0..120).filter(|n| thin.keep(n % 61 == 0)).count() as u32;
            assert!(kept >= 120 / divisor && kept <= 120 / divisor + 2);
            assert!(thin.keep(true));
        }
    }
}
