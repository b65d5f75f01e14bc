//! One rendition, cut at the boundaries it is told.

use std::collections::VecDeque;

use super::error::SegmentError;
use super::parts::{Part, PartRule, Sample, Segment};
use crate::time::{MediaTime, Timescale};
use crate::unit::{AccessUnit, TrackKind};

/// Audio units that may wait for the video's watermark: a minute and a half of AAC.
pub const HELD_UNITS_MAX: usize = 4_096;
/// Boundaries that may be announced ahead of the units.
pub const BOUNDARIES_AHEAD_MAX: usize = 1_024;
/// Parts of one segment. Numbers of CMAF chunks are built on it; the rest of a longer segment is one last part.
pub const PARTS_PER_SEGMENT_MAX: u32 = 256;

/// Something finished, in order: the parts of a segment, then the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Becomes one CMAF chunk.
    Part(Part),
    /// Its parts came before.
    Segment(Segment),
}

/// Cuts access units of one rendition into parts and segments. Holds no socket, file, task or clock.
///
/// Video is cut where a unit is a sync sample presented exactly at the announced boundary; other sync samples are
/// ordinary. Times inside a segment are counted on a clock that starts when its first sample is shown; parts say by
/// how much decoding leads that clock. Audio is cut by the start of each frame, and held until the watermark has passed it. Only the very first
/// boundary is lenient: the first sync sample at or after it starts the first segment, and units before are dropped.
#[derive(Debug)]
pub struct Segmenter {
    kind: TrackKind,
    timescale: Timescale,
    rule: PartRule,
    boundaries: VecDeque<(u64, MediaTime)>,
    last_boundary: Option<(u64, MediaTime)>,
    last_dts: Option<MediaTime>,
    watermark: Option<MediaTime>,
    held: VecDeque<AccessUnit>,
    open: Option<Open>,
    started: bool,
    dropped: u64,
    cuts: VecDeque<Cut>,
    finished: bool,
}

#[derive(Debug)]
struct Open {
    seq: u64,
    start: i64,
    /// Added to every decode time of this segment.
    shift: i64,
    /// How much of the shift decode times are written earlier by; the rest is gained within a part.
    lead: i64,
    /// End of the last sample whose duration is known.
    cursor: i64,
    last_duration: i64,
    parts: u32,
    samples: Vec<Sample>,
    part_start: i64,
    /// The newest unit where its duration is not known yet, with its decode time.
    pending: Option<(Sample, i64)>,
}

impl Segmenter {
    /// A segmenter of units in `timescale`, whose parts are at most `part_target_ms` long.
    pub fn new(kind: TrackKind, timescale: Timescale, part_target_ms: u32) -> Self {
        Self {
            kind,
            timescale,
            rule: PartRule::of(timescale, part_target_ms),
            boundaries: VecDeque::new(),
            last_boundary: None,
            last_dts: None,
            watermark: None,
            held: VecDeque::new(),
            open: None,
            started: false,
            dropped: 0,
            cuts: VecDeque::new(),
            finished: false,
        }
    }

    /// Announces that segment `seq` starts at `at`. Must be told before the unit that starts there.
    pub fn boundary(&mut self, seq: u64, at: MediaTime) -> Result<(), SegmentError> {
        if self.finished {
            return Err(SegmentError::Finished);
        }
        if let Some((last_seq, last_at)) = self.last_boundary
            && (seq <= last_seq || at <= last_at)
        {
            return Err(SegmentError::BoundaryOrder {
                seq,
                at,
                last_seq,
                last_at,
            });
        }
        if self.boundaries.len() >= BOUNDARIES_AHEAD_MAX {
            return Err(SegmentError::TooManyBoundaries {
                boundaries: self.boundaries.len(),
            });
        }
        self.last_boundary = Some((seq, at));
        self.boundaries.push_back((seq, at));
        match self.kind {
            TrackKind::Video => self.close_if_reached(),
            TrackKind::Audio => self.release(),
        }
        Ok(())
    }

    /// Says that every boundary not yet announced lies after `at`. Audio waits for this; video does not care.
    pub fn watermark(&mut self, at: MediaTime) {
        if self.watermark.is_none_or(|w| at > w) {
            self.watermark = Some(at);
            self.release();
        }
    }

    /// Takes one access unit in decode order. On `Err`, nothing has changed.
    pub fn push(&mut self, unit: AccessUnit) -> Result<(), SegmentError> {
        if self.finished {
            return Err(SegmentError::Finished);
        }
        if unit.dts.scale != self.timescale || unit.pts.scale != self.timescale {
            return Err(SegmentError::Timescale {
                at: unit.dts,
                want: self.timescale.get(),
            });
        }
        if let Some(last) = self.last_dts
            && unit.dts <= last
        {
            return Err(SegmentError::NotRising { dts: unit.dts, last });
        }
        let dts = unit.dts;
        match self.kind {
            TrackKind::Video => self.push_video(unit)?,
            TrackKind::Audio => {
                if self.held.len() >= HELD_UNITS_MAX {
                    return Err(SegmentError::TooManyHeld { units: self.held.len() });
                }
                self.held.push_back(unit);
                self.release();
            }
        }
        self.last_dts = Some(dts);
        Ok(())
    }

    /// Ends the rendition: what is held is cut, and the open segment closed. `end` is where its last video sample
    /// stops, where that is known; else the sample lasts as long as the one before it.
    pub fn finish(&mut self, end: Option<MediaTime>) {
        if self.finished {
            return;
        }
        self.watermark = Some(MediaTime::new(i64::MAX, self.timescale));
        self.release();
        self.finished = true;
        let end = end
            .filter(|_| self.kind == TrackKind::Video)
            .map(|end| end.ticks_in(self.timescale));
        self.close(end);
    }

    /// Returns the next finished part or segment; call until `None` after every `push`, `boundary`, `watermark`
    /// and `finish`.
    pub fn poll(&mut self) -> Option<Cut> {
        self.cuts.pop_front()
    }

    /// Units dropped because they lay before the first boundary.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Scale of everything that comes out.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    fn push_video(&mut self, unit: AccessUnit) -> Result<(), SegmentError> {
        if let Some(&(seq, at)) = self.boundaries.front() {
            let starts = unit.key && (unit.pts == at || unit.pts > at && (!self.started || self.passed(unit.pts)));
            if starts {
                self.close(Some(at.ticks_in(self.timescale)));
                let mut seq = seq;
                while let Some(&(later, at)) = self.boundaries.front()
                    && at <= unit.pts
                {
                    seq = later;
                    self.boundaries.pop_front();
                }
                let (start, shift) = (unit.pts.ticks, unit.pts.ticks.saturating_sub(unit.dts.ticks));
                self.open(seq, start, shift);
            } else if self.started && (unit.dts > at || self.open.is_none()) {
                return Err(SegmentError::NoKeyframe { seq, at, dts: unit.dts });
            }
        }
        self.feed(unit);
        Ok(())
    }

    /// Whether boundaries lie in a silence that ends with an IDR at `pts`, itself a boundary.
    fn passed(&self, pts: MediaTime) -> bool {
        self.boundaries.iter().any(|(_, at)| *at == pts)
    }

    /// Feeds held audio as far as boundaries and watermark settle it.
    fn release(&mut self) {
        while let Some(start) = self.held.front().map(|u| u.pts) {
            match self.boundaries.front() {
                Some(&(seq, at)) if at <= start => {
                    self.boundaries.pop_front();
                    // Boundaries that pass between two frames leave a segment without audio.
                    if self.boundaries.front().is_none_or(|(_, next)| *next > start) {
                        self.close(None);
                        self.open(seq, start.ticks, 0);
                    }
                    continue;
                }
                Some(_) => {}
                None if self.watermark.is_some_and(|w| start <= w) => {}
                None => break,
            }
            if let Some(unit) = self.held.pop_front() {
                self.feed(unit);
            }
        }
    }

    fn open(&mut self, seq: u64, start: i64, shift: i64) {
        self.started = true;
        self.open = Some(Open {
            seq,
            start,
            shift,
            // Nothing decodes before zero.
            lead: shift.min(start).max(0),
            cursor: start,
            last_duration: 0,
            parts: 0,
            samples: Vec::new(),
            part_start: start,
            pending: None,
        });
    }

    fn feed(&mut self, unit: AccessUnit) {
        let Some(mut open) = self.open.take() else {
            self.dropped = self.dropped.saturating_add(1);
            return;
        };
        let wanted = unit.dts.ticks.saturating_add(open.shift);
        let at = match open.pending.take() {
            Some((sample, at)) => {
                let duration = wanted.saturating_sub(at).max(1);
                self.settle(&mut open, sample, duration);
                open.cursor
            }
            None => open.meet(wanted, self.kind),
        };
        let sample = Sample {
            composition_offset: clamp_i32(unit.pts.ticks.saturating_sub(at)),
            data: unit.data,
            duration: 0,
            key: unit.key,
        };
        match unit.duration {
            Some(duration) if duration > 0 => {
                if open.samples.is_empty() {
                    open.part_start = at;
                }
                open.cursor = at;
                self.settle(&mut open, sample, i64::from(duration));
            }
            _ => open.pending = Some((sample, at)),
        }
        self.open = Some(open);
        if self.kind == TrackKind::Video {
            self.close_if_reached();
        }
    }

    /// Puts a sample, now that its duration is known, into the open part.
    fn settle(&mut self, open: &mut Open, mut sample: Sample, duration: i64) {
        let len = open.cursor.saturating_sub(open.part_start);
        let may_close = open.parts + 1 < PARTS_PER_SEGMENT_MAX;
        if may_close && !open.samples.is_empty() && self.rule.full_before(len, duration) {
            self.close_part(open);
        }
        sample.duration = clamp_u32(duration);
        open.samples.push(sample);
        open.cursor = open.cursor.saturating_add(duration);
        open.last_duration = duration;
        let len = open.cursor.saturating_sub(open.part_start);
        if may_close && self.rule.full_after(len, duration) {
            self.close_part(open);
        }
    }

    /// Closes the open segment at once where the next boundary is known and the samples end right there.
    fn close_if_reached(&mut self) {
        if let (Some(open), Some((_, at))) = (&self.open, self.boundaries.front())
            && open.pending.is_none()
            && open.cursor > open.start
            && MediaTime::new(open.cursor, self.timescale) == *at
        {
            self.close(None);
        }
    }

    /// Closes the open segment. Video ends at the boundary `end`, sound where its last frame ends.
    fn close(&mut self, end: Option<i64>) {
        let Some(mut open) = self.open.take() else { return };
        let end = end.filter(|_| self.kind == TrackKind::Video);
        if let Some((sample, at)) = open.pending.take() {
            let fallback = if open.last_duration > 0 {
                open.last_duration
            } else {
                i64::from(self.timescale.get()) / 50
            };
            let duration = end.map_or(fallback, |end| end.saturating_sub(at)).max(1);
            self.settle(&mut open, sample, duration);
        } else if let (Some(end), Some(last)) = (end, open.samples.last_mut()) {
            let duration = i64::from(last.duration)
                .saturating_add(end.saturating_sub(open.cursor))
                .max(1);
            open.cursor = open
                .cursor
                .saturating_add(duration.saturating_sub(i64::from(last.duration)));
            last.duration = clamp_u32(duration);
        }
        if !open.samples.is_empty() {
            self.close_part(&mut open);
        }
        if open.parts > 0 {
            let stop = end.filter(|end| *end > open.start).unwrap_or(open.cursor);
            self.cuts.push_back(Cut::Segment(Segment {
                seq: open.seq,
                start: open.start,
                duration: clamp_u32(stop.saturating_sub(open.start)),
                parts: open.parts,
            }));
        }
    }

    fn close_part(&mut self, open: &mut Open) {
        let samples = std::mem::take(&mut open.samples);
        let duration = open.cursor.saturating_sub(open.part_start);
        let lack = open.shift.saturating_sub(open.lead).max(0);
        let decode_gain = if duration.saturating_sub(lack) >= samples.len() as i64 {
            lack
        } else {
            0
        };
        self.cuts.push_back(Cut::Part(Part {
            seq: open.seq,
            index: open.parts,
            independent: samples.first().is_some_and(|s| s.key),
            samples,
            decode_time: open.part_start,
            decode_lead: u32::try_from(open.lead).unwrap_or(0),
            decode_gain: u32::try_from(decode_gain).unwrap_or(0),
            duration: clamp_u32(duration),
        }));
        open.lead += decode_gain;
        open.parts += 1;
        open.part_start = open.cursor;
    }
}

impl Open {
    /// Where a sample that wants to decode at `wanted` does, given that the last one ended at the cursor: there, if
    /// the difference is jitter. A longer gap stretches the last sample while its part is open. Behind a closed
    /// part video decodes early (its presentation time stays), and sound leaves a gap.
    fn meet(&mut self, wanted: i64, kind: TrackKind) -> i64 {
        let gap = wanted.saturating_sub(self.cursor);
        if gap.saturating_mul(2) <= self.last_duration {
            return self.cursor;
        }
        if let Some(last) = self.samples.last_mut() {
            last.duration = clamp_u32(i64::from(last.duration).saturating_add(gap));
            self.cursor = wanted;
        } else if kind == TrackKind::Audio {
            self.cursor = wanted;
            self.part_start = wanted;
        }
        self.cursor
    }
}

/// `v` as a duration: at least one tick.
fn clamp_u32(v: i64) -> u32 {
    u32::try_from(v.max(1)).unwrap_or(u32::MAX)
}

fn clamp_i32(v: i64) -> i32 {
    i32::try_from(v).unwrap_or(if v < 0 { i32::MIN } else { i32::MAX })
}
