//! One rendition's segments within one period.

use std::collections::VecDeque;

use crate::hls::text;
use crate::time::{MediaTime, Round, Timescale};
use crate::window::key::SegmentName;
use crate::window::{Epoch, Rendition, SlotKind, Track, View, Window};

/// An open segment is expected to last as long as the shortest of so many before it.
const RECENT_SEGMENTS: usize = 3;

/// One `S`, or a run of equal ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) duration: u64,
    /// How many follow the first.
    pub(super) repeats: u64,
    /// Nothing is there, and nothing will be.
    pub(super) missing: bool,
}

/// What a period lists of one rendition.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// Number of the first run's first segment.
    first_seq: u64,
    /// In order, without holes (with `dense`).
    pub(super) runs: Vec<Run>,
    /// Object names, for a list.
    pub(super) objects: Vec<SegmentName>,
    /// Where the last one ends.
    pub(super) end: u64,
}

/// What of the window a period covers.
pub(super) struct Span<'a> {
    pub(super) window: &'a Window,
    pub(super) view: &'a View,
    pub(super) epoch: &'a Epoch,
    /// First number of the epoch that follows.
    pub(super) before: u64,
    /// Expected duration of an open segment that nothing precedes, 1/90000 s; `None` where open segments are not listed.
    pub(super) open_90k: Option<i64>,
    /// What is missing is listed as such: a list has no name for it.
    pub(super) dense: bool,
}

impl Timeline {
    pub(super) fn of(span: &Span<'_>, rendition: &Rendition, track: &Track) -> Self {
        let mut this = Self::default();
        let scale = rendition.scale();
        let ticks = |t: MediaTime, round| u64::try_from(t.to(scale, round).ticks).unwrap_or(0);
        let mut recent = VecDeque::new();
        for (slot, kind) in span.view.listed(span.window, &rendition.name) {
            if slot.seq < span.epoch.first_seq || slot.seq >= span.before {
                continue;
            }
            match kind {
                SlotKind::Segment(s) => {
                    let start = u64::try_from(s.decode_time).unwrap_or(0);
                    this.add(slot.seq, start, u64::from(s.duration), false);
                    recent.truncate(RECENT_SEGMENTS - 1);
                    recent.push_front(u64::from(s.duration));
                    let (seq, generation) = (s.seq, s.generation);
                    let (decode_time, duration) = (s.decode_time, s.duration);
                    this.objects.push(SegmentName {
                        seq,
                        generation,
                        decode_time,
                        duration,
                    });
                }
                // A period need not start with what is missing: it starts later.
                SlotKind::Gap if span.dense && !this.runs.is_empty() => {
                    let start = ticks(slot.start, Round::Nearest).max(this.end);
                    let end = ticks(slot.end, Round::Nearest).max(start + 1);
                    this.add(slot.seq, start, end - start, true);
                }
                SlotKind::Gap => {}
            }
        }
        let next = this.first_seq + this.count();
        let open = track
            .open()
            .filter(|o| o.seq >= span.epoch.first_seq && o.seq < span.before);
        if let (Some(expected), Some(open)) = (span.open_90k, open)
            && (this.runs.is_empty() || open.seq == next)
        {
            let start = open
                .parts
                .first()
                .map_or(0, |p| u64::try_from(p.decode_time).unwrap_or(0));
            let made: u64 = open.parts.iter().map(|p| u64::from(p.duration)).sum();
            // Rather too short than too long: the next segment then begins where this one was said to end or later, and a
            // reader that looks for what follows by that time does not pass it over.
            let shortest = recent.into_iter().min();
            let expected = shortest.unwrap_or_else(|| ticks(MediaTime::video(expected), Round::Nearest));
            this.add(open.seq, start, expected.max(made).max(1), false);
        }
        this
    }

    /// How many segments the runs say.
    fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.repeats + 1).sum()
    }

    fn add(&mut self, seq: u64, start: u64, duration: u64, missing: bool) {
        if self.runs.is_empty() {
            self.first_seq = seq;
        }
        match self.runs.last_mut() {
            Some(run) if start == self.end && run.duration == duration && run.missing == missing => run.repeats += 1,
            _ => self.runs.push(Run {
                start,
                duration,
                repeats: 0,
                missing,
            }),
        }
        self.end = start.saturating_add(duration);
    }

    /// Writes `FailoverContent` (what is missing) and `SegmentTimeline`.
    pub(super) fn write(&self, out: &mut String) {
        if self.runs.iter().any(|run| run.missing) {
            out.push_str("<FailoverContent valid=\"false\">");
            for run in self.runs.iter().filter(|run| run.missing) {
                out.push_str("<FCS t=\"");
                text::int(out, run.start);
                out.push_str("\" d=\"");
                text::int(out, run.duration.saturating_mul(run.repeats + 1));
                out.push_str("\"/>");
            }
            out.push_str("</FailoverContent>");
        }
        out.push_str("<SegmentTimeline>");
        let mut expected = None;
        for run in &self.runs {
            out.push_str("<S");
            if expected != Some(run.start) {
                out.push_str(" t=\"");
                text::int(out, run.start);
                out.push('"');
            }
            out.push_str(" d=\"");
            text::int(out, run.duration);
            if run.repeats > 0 {
                out.push_str("\" r=\"");
                text::int(out, run.repeats);
            }
            out.push_str("\"/>");
            expected = Some(run.start.saturating_add(run.duration.saturating_mul(run.repeats + 1)));
        }
        out.push_str("</SegmentTimeline>");
    }

    /// Where the last segment ends, 1/90000 s, rounded down.
    pub(super) fn end_90k(&self, scale: Timescale) -> i64 {
        let end = MediaTime::new(i64::try_from(self.end).unwrap_or(i64::MAX), scale);
        end.to(Timescale::VIDEO, Round::Down).ticks
    }
}
