//! The bytes of a followed broadcast: init segments, and the parts of the newest segments.
//!
//! A segment is its parts in a row, so nothing is kept twice. Memory is the caller's to bound with [`Media::trim`].

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use bytes::Bytes;

use crate::limits::WATCHED_SEGMENTS;

/// What a part is called within its rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartName {
    pub seq: u64,
    pub generation: u64,
    pub part: u32,
}

/// The bytes of one segment as one generation made it.
#[derive(Debug, Default)]
pub(crate) struct SegmentBytes {
    /// In order and without a hole.
    pub parts: Vec<Bytes>,
    /// Whether these are all of them.
    pub complete: bool,
    /// For each part: Unix microseconds at which its last access unit arrived at the edge; 0 once it was served.
    arrivals_us: Vec<AtomicI64>,
}

impl SegmentBytes {
    pub(crate) fn len_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// The part, and when it had arrived at the edge if this is the first time that it is taken.
    pub(crate) fn take_part(&self, part: u32) -> Option<(Bytes, Option<i64>)> {
        let bytes = self.parts.get(part as usize)?.clone();
        // A segment that came whole has no arrivals.
        let arrival_us = self
            .arrivals_us
            .get(part as usize)
            .map_or(0, |arrival| arrival.swap(0, Ordering::Relaxed));
        Some((bytes, (arrival_us > 0).then_some(arrival_us)))
    }
}

/// The parts that a whole segment was put together from: each part is one CMAF chunk and ends with its `mdat`
/// (ISO/IEC 23000-19 §7.3.2.3). Bytes that are no boxes are one part.
pub(crate) fn chunks(whole: &Bytes) -> Vec<Bytes> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some((size, kind)) = box_at(whole, at) {
        at += size;
        if &kind == b"mdat" {
            parts.push(whole.slice(start..at));
            start = at;
        }
    }
    match parts.last_mut() {
        Some(last) if start < whole.len() => *last = whole.slice(start - last.len()..),
        Some(_) => {}
        None => parts.push(whole.clone()),
    }
    parts
}

/// Size (with header) and type of the box at `at`; `None` where none fits.
fn box_at(bytes: &[u8], at: usize) -> Option<(usize, [u8; 4])> {
    let header = bytes.get(at..at.checked_add(8)?)?;
    let (size, kind) = header.split_at(4);
    let kind: [u8; 4] = kind.try_into().ok()?;
    let size = match u32::from_be_bytes(size.try_into().ok()?) {
        1 => u64::from_be_bytes(bytes.get(at + 8..at + 16)?.try_into().ok()?)
            .try_into()
            .ok()?,
        size => size as usize,
    };
    (size >= 8 && at.checked_add(size)? <= bytes.len()).then_some((size, kind))
}

/// The bytes of all renditions.
#[derive(Debug, Default)]
pub(crate) struct Media {
    renditions: HashMap<String, Rendition>,
    size_bytes: u64,
}

#[derive(Debug, Default)]
struct Rendition {
    /// By the first segment they configure.
    inits: BTreeMap<u64, Bytes>,
    /// By sequence and generation.
    segments: BTreeMap<(u64, u64), SegmentBytes>,
    /// Counts down with the segments since somebody asked for media.
    watched: AtomicU32,
}

impl Rendition {
    /// Bytes of the segments before `first_seq`, which are gone.
    fn forget_before(&mut self, first_seq: u64) -> u64 {
        let kept = self.segments.split_off(&(first_seq, 0));
        let old = std::mem::replace(&mut self.segments, kept);
        old.values().map(SegmentBytes::len_bytes).sum()
    }

    fn is_asked_for(&self) {
        self.watched.store(WATCHED_SEGMENTS, Ordering::Relaxed);
    }
}

impl Media {
    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(crate) fn put_init(&mut self, rendition: &str, first_seq: u64, init: Bytes) {
        let added = init.len() as u64;
        let before = self.rendition_mut(rendition).inits.insert(first_seq, init);
        self.size_bytes += added;
        self.size_bytes -= before.map_or(0, |bytes| bytes.len() as u64);
    }

    /// Keeps a part. `false` where it is not the next of its segment: a repetition, or one after a hole.
    pub(crate) fn put_part(&mut self, rendition: &str, name: PartName, bytes: Bytes, arrival_us: i64) -> bool {
        let added = bytes.len() as u64;
        let segment = self
            .rendition_mut(rendition)
            .segments
            .entry((name.seq, name.generation))
            .or_default();
        if segment.complete || segment.parts.len() != name.part as usize {
            return false;
        }
        segment.parts.push(bytes);
        segment.arrivals_us.push(AtomicI64::new(arrival_us));
        self.size_bytes += added;
        true
    }

    /// Ends a segment of `parts` parts: either all of them were put before, or `whole` is all of its bytes. A segment
    /// with neither is forgotten, and must be read from the object store.
    pub(crate) fn finish(&mut self, rendition: &str, (seq, generation): (u64, u64), parts: u32, whole: Bytes) {
        let segments = &mut self.rendition_mut(rendition).segments;
        let segment = segments.entry((seq, generation)).or_default();
        if segment.complete {
            return;
        }
        if segment.parts.len() == parts as usize && parts > 0 {
            segment.complete = true;
            return;
        }
        let dropped = segment.len_bytes();
        let added = whole.len() as u64;
        if whole.is_empty() {
            segments.remove(&(seq, generation));
        } else {
            *segment = SegmentBytes {
                parts: chunks(&whole),
                complete: true,
                arrivals_us: Vec::new(),
            };
        }
        self.size_bytes = self.size_bytes + added - dropped;
    }

    pub(crate) fn init(&self, rendition: &str, first_seq: u64) -> Option<Bytes> {
        self.renditions.get(rendition)?.inits.get(&first_seq).cloned()
    }

    /// The part, and when it had arrived at the edge if nobody has taken it before.
    pub(crate) fn part(&self, rendition: &str, name: PartName) -> Option<(Bytes, Option<i64>)> {
        let rendition = self.renditions.get(rendition)?;
        rendition.is_asked_for();
        rendition
            .segments
            .get(&(name.seq, name.generation))?
            .take_part(name.part)
    }

    /// The segment of that generation, or of the highest that has any bytes of it.
    pub(crate) fn segment(&self, rendition: &str, seq: u64, generation: Option<u64>) -> Option<(u64, &SegmentBytes)> {
        let rendition = self.renditions.get(rendition)?;
        rendition.is_asked_for();
        let segments = &rendition.segments;
        let (low, high) = generation.map_or((0, u64::MAX), |generation| (generation, generation));
        let ((_, generation), segment) = segments.range((seq, low)..=(seq, high)).next_back()?;
        Some((*generation, segment))
    }

    /// Forgets segments before `watched_seq`, those of renditions that nobody watches before `unwatched_seq`. Called once
    /// per segment.
    pub(crate) fn trim(&mut self, watched_seq: u64, unwatched_seq: u64) {
        let mut dropped = 0;
        for rendition in self.renditions.values_mut() {
            let watched = rendition.watched.get_mut();
            *watched = watched.saturating_sub(1);
            let first_seq = if *watched > 0 { watched_seq } else { unwatched_seq };
            dropped += rendition.forget_before(first_seq);
        }
        self.size_bytes -= dropped;
    }

    /// Forgets what nobody watches before `stored_seq`: whoever comes for it finds it in the store.
    pub(crate) fn release(&mut self, stored_seq: u64) {
        let mut dropped = 0;
        for rendition in self.renditions.values_mut() {
            if *rendition.watched.get_mut() == 0 {
                dropped += rendition.forget_before(stored_seq);
            }
        }
        self.size_bytes -= dropped;
    }

    fn rendition_mut(&mut self, name: &str) -> &mut Rendition {
        if !self.renditions.contains_key(name) {
            self.renditions.insert(name.to_string(), Rendition::default());
        }
        self.renditions.get_mut(name).expect("it was just put there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(seq: u64, generation: u64, part: u32) -> PartName {
        PartName { seq, generation, part }
    }

    #[test]
    fn a_segment_is_its_parts() {
        let mut media = Media::default();
        assert!(media.put_part("v", name(0, 1, 0), "ab".into(), 5));
        assert!(
            !media.put_part("v", name(0, 1, 0), "ab".into(), 5),
            "a repetition changes nothing"
        );
        assert!(
            !media.put_part("v", name(0, 1, 2), "xx".into(), 5),
            "a part after a hole cannot be used"
        );
        assert!(media.put_part("v", name(0, 1, 1), "cd".into(), 5));
        media.finish("v", (0, 1), 2, Bytes::new());
        let (generation, segment) = media.segment("v", 0, None).expect("it was put");
        assert_eq!(
            (generation, segment.complete, segment.parts.concat()),
            (1, true, b"abcd".to_vec())
        );
        assert_eq!(media.part("v", name(0, 1, 1)), Some(("cd".into(), Some(5))));
        assert_eq!(
            media.part("v", name(0, 1, 1)),
            Some(("cd".into(), None)),
            "counted once"
        );
        assert_eq!(media.size_bytes(), 4);
    }

    #[test]
    fn a_segment_with_a_hole_needs_its_whole_bytes() {
        let mut media = Media::default();
        media.put_part("v", name(3, 1, 0), "ab".into(), 5);
        media.finish("v", (3, 1), 2, Bytes::new());
        assert!(media.segment("v", 3, None).is_none());
        media.finish("v", (4, 1), 2, "abcd".into());
        assert_eq!(media.segment("v", 4, Some(1)).map(|(_, s)| s.len_bytes()), Some(4));
        assert_eq!(media.size_bytes(), 4);
    }

    #[test]
    fn a_whole_segment_comes_apart_at_its_chunks() {
        let atom =
            |kind: &str, size: usize| [&(size as u32 + 8).to_be_bytes()[..], kind.as_bytes(), &vec![7; size]].concat();
        let parts = [
            [atom("styp", 4), atom("prft", 9), atom("moof", 20), atom("mdat", 100)].concat(),
            [atom("prft", 9), atom("moof", 20), atom("mdat", 0)].concat(),
            [atom("moof", 20), atom("mdat", 3)].concat(),
        ];
        let whole = Bytes::from(parts.concat());
        assert_eq!(chunks(&whole), parts);
        for (torn, expected) in [("", vec![""]), ("not a box at all", vec!["not a box at all"])] {
            assert_eq!(chunks(&Bytes::from(torn)), expected);
        }
        let torn = whole.slice(..whole.len() - 1);
        assert_eq!(chunks(&torn).concat(), torn, "no byte is lost");

        let mut media = Media::default();
        media.finish("v", (0, 1), 3, whole);
        assert_eq!(
            media.part("v", name(0, 1, 2)).map(|(bytes, _)| bytes.to_vec()),
            Some(parts[2].clone())
        );
        assert!(media.part("v", name(0, 1, 3)).is_none());
    }

    #[test]
    fn the_highest_generation_is_found_and_the_others_by_name() {
        let mut media = Media::default();
        media.put_part("v", name(7, 1, 0), "old".into(), 5);
        media.put_part("v", name(7, 3, 0), "new".into(), 5);
        assert_eq!(media.segment("v", 7, None).map(|(generation, _)| generation), Some(3));
        assert_eq!(
            media.part("v", name(7, 1, 0)).map(|(bytes, _)| bytes),
            Some("old".into())
        );
        assert!(media.segment("v", 7, Some(2)).is_none());
    }

    #[test]
    fn trimming_gives_the_bytes_back() {
        let mut media = Media::default();
        for seq in 0..10 {
            media.finish("v", (seq, 1), 1, vec![0; 10].into());
        }
        media.put_init("v", 0, "init".into());
        media.trim(5, 8);
        assert_eq!(media.size_bytes(), 24, "nobody watches");
        assert!(media.segment("v", 7, None).is_none());
        assert!(media.segment("v", 8, None).is_some() && media.init("v", 0).is_some());
        media.trim(5, 9);
        assert_eq!(media.size_bytes(), 24, "somebody has asked");
        for _ in 0..WATCHED_SEGMENTS {
            media.trim(5, 9);
        }
        assert_eq!(media.size_bytes(), 14, "and has gone");
        media.release(9);
        assert_eq!(media.size_bytes(), 14, "the store lacks it");
        assert!(media.segment("v", 9, None).is_some(), "somebody asks again");
        media.release(10);
        assert_eq!(media.size_bytes(), 14, "it is watched");
        for _ in 0..WATCHED_SEGMENTS {
            media.trim(5, 9);
        }
        media.release(10);
        assert_eq!(media.size_bytes(), 4, "stored, and nobody watches");
    }
}
