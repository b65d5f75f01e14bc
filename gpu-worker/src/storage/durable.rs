//! Up to where the broadcast is stored: what the edge is told, and may then forget.

use std::collections::{BTreeMap, BTreeSet};

/// Follows which segments exist and which are stored, over all renditions and epochs of one run.
///
/// A rendition's segments are made in ascending order, so one that is made settles that no earlier one will come:
/// numbers left out are holes for good.
#[derive(Debug)]
pub(crate) struct Durable {
    lines: BTreeMap<(u32, String), Line>,
    /// Start of each segment that is not durable yet, 1/90000 s.
    starts: BTreeMap<u64, i64>,
    durable: (u64, i64),
    end: Option<i64>,
}

#[derive(Debug)]
struct Line {
    /// Every segment below this is stored, unstored, or will never be.
    next: u64,
    unstored: BTreeSet<u64>,
    finished: bool,
}

impl Durable {
    /// Everything before segment `seq`, which starts at `at_90k`, is stored.
    pub(crate) fn new(seq: u64, at_90k: i64) -> Self {
        Self {
            lines: BTreeMap::new(),
            starts: BTreeMap::new(),
            durable: (seq, at_90k),
            end: None,
        }
    }

    /// A presentation epoch makes these renditions from segment `first_seq` on.
    pub(crate) fn epoch<'a>(&mut self, epoch: u32, first_seq: u64, renditions: impl IntoIterator<Item = &'a str>) {
        for name in renditions {
            let line = Line {
                next: first_seq,
                unstored: BTreeSet::new(),
                finished: false,
            };
            self.lines.insert((epoch, name.to_owned()), line);
        }
        self.end = None;
    }

    /// Segment `seq` starts at `at_90k`.
    pub(crate) fn boundary(&mut self, seq: u64, at_90k: i64) {
        if seq > self.durable.0 {
            self.starts.insert(seq, at_90k);
        }
    }

    /// A segment is whole, and on its way to the store.
    pub(crate) fn made(&mut self, epoch: u32, rendition: &str, seq: u64) {
        if let Some(line) = self.lines.get_mut(&(epoch, rendition.to_owned())) {
            line.unstored.insert(seq);
            line.next = line.next.max(seq + 1);
        }
    }

    /// A segment is in the store.
    pub(crate) fn stored(&mut self, epoch: u32, rendition: &str, seq: u64) {
        if let Some(line) = self.lines.get_mut(&(epoch, rendition.to_owned())) {
            line.unstored.remove(&seq);
        }
        self.settle();
    }

    /// No rendition of this epoch makes another segment; the epoch ended at `end_90k`.
    pub(crate) fn finished(&mut self, epoch: u32, end_90k: i64) {
        for line in self
            .lines
            .iter_mut()
            .filter(|(key, _)| key.0 == epoch)
            .map(|(_, line)| line)
        {
            line.finished = true;
        }
        self.end = Some(end_90k);
        self.settle();
    }

    /// First segment that is not stored in every rendition.
    pub(crate) fn seq(&self) -> u64 {
        self.durable.0
    }

    /// Timeline position up to which every rendition is stored, 1/90000 s. Never falls.
    pub(crate) fn at_90k(&self) -> i64 {
        self.durable.1
    }

    fn settle(&mut self) {
        self.lines.retain(|_, line| !line.finished || !line.unstored.is_empty());
        let missing = |line: &Line| match (line.unstored.first(), line.finished) {
            (Some(seq), _) => Some(*seq),
            (None, true) => None,
            (None, false) => Some(line.next),
        };
        match self.lines.values().filter_map(missing).min() {
            Some(seq) => {
                while let Some((first, at)) = self.starts.first_key_value().map(|(seq, at)| (*seq, *at))
                    && first <= seq
                {
                    self.starts.remove(&first);
                    self.durable = (first, at.max(self.durable.1));
                }
            }
            None => {
                if let Some(end) = self.end {
                    let last = self.starts.last_key_value().map_or(self.durable.0, |(seq, _)| *seq);
                    self.starts.clear();
                    self.durable = (last, end.max(self.durable.1));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_slowest_rendition_counts_and_holes_do_not() {
        let mut durable = Durable::new(0, 0);
        durable.epoch(0, 0, ["source", "audio"]);
        for seq in 0..4 {
            durable.boundary(seq, seq as i64 * 100);
        }
        durable.made(0, "source", 0);
        durable.made(0, "source", 1);
        durable.stored(0, "source", 1);
        assert_eq!(durable.at_90k(), 0);
        durable.stored(0, "source", 0);
        assert_eq!(durable.at_90k(), 0, "no audio yet");
        durable.made(0, "audio", 1);
        durable.stored(0, "audio", 1);
        assert_eq!(
            (durable.seq(), durable.at_90k()),
            (2, 200),
            "segment 0 has no audio and never will"
        );
        durable.finished(0, 250);
        assert_eq!(durable.at_90k(), 250);
        durable.epoch(1, 3, ["audio"]);
        durable.boundary(3, 300);
        durable.made(1, "audio", 3);
        assert_eq!(durable.at_90k(), 250);
        durable.finished(1, 390);
        durable.stored(1, "audio", 3);
        assert_eq!(durable.at_90k(), 390);
    }

    proptest! {
        /// Whatever the order of writes: never ahead of what is stored, never falling, and complete at the end.
        #[test]
        fn never_ahead_and_complete_at_last(order in Just((0..30_usize).collect::<Vec<_>>()).prop_shuffle(), made_first in 0..30_usize) {
            let names = ["a", "b", "c"];
            let mut durable = Durable::new(0, 0);
            durable.epoch(0, 0, names);
            for seq in 0..10 {
                durable.boundary(seq, seq as i64 * 10);
            }
            let mut stored = BTreeSet::new();
            let mut made = BTreeSet::new();
            let mut last = 0;
            for (step, pick) in order.iter().enumerate() {
                // Segments are made in order; writes end in any order once made.
                while made.len() < 30.min(made_first + step + 1) || !made.contains(&(pick % 3, pick / 3)) {
                    let n = made.len();
                    made.insert((n % 3, n / 3));
                    durable.made(0, names[n % 3], (n / 3) as u64);
                }
                stored.insert((pick % 3, pick / 3));
                durable.stored(0, names[pick % 3], (pick / 3) as u64);
                let whole = (0..10).take_while(|seq| (0..3).all(|r| stored.contains(&(r, *seq)))).count() as i64;
                prop_assert!(durable.at_90k() <= whole * 10);
                prop_assert!(durable.at_90k() >= last);
                last = durable.at_90k();
            }
            durable.finished(0, 105);
            prop_assert_eq!(durable.at_90k(), 105);
        }
    }
}
