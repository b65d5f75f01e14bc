//! Where segments start, from the lead track alone.

use std::collections::VecDeque;

use super::grid::Grid;
use super::timing::LatencyMode;
use crate::time::{MediaTime, Round, Timescale};
use crate::unit::AccessUnit;

/// Units kept while their presentation order settles; deeper than any codec reorders.
const REORDER_UNITS_MAX: usize = 64;
/// A source that decodes no picture for longer is silent: an encoder drops pictures when its uplink is full, or has
/// nothing new to show. An IDR after the silence starts a segment however long it was.
const SILENCE_90K: i64 = 90_000;
/// The first segments of a broadcast may be this short, so that viewers see the first picture soon.
const EARLY_90K: i64 = 81_000;
/// How many segments may be.
const EARLY_SEGMENTS: u64 = 2;

/// Who decides where an IDR is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The source does (a passthrough rendition exists): cuts only at its IDRs.
    Source,
    /// We do: cuts on a grid, with an IDR forced there in every rendition; also for audio without video.
    Grid,
}

/// How one presentation epoch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who decides.
    pub mode: Mode,
    /// Segment length and limits.
    pub latency: LatencyMode,
    /// Presentation epoch; only the first one starts with short segments.
    pub epoch: u32,
}

/// Why a source cannot be passed through any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfitCause {
    /// No IDR before a segment reached its longest.
    NoKeyframe,
    /// Its pictures stopped, and came back without an IDR before the segment reached its longest.
    Gap,
}

/// What [`Boundaries`] has to say. Every time lies on the broadcast timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Segment `seq` starts at `at`, which is the presentation time of the unit that starts it. Told before any
    /// watermark that passes it.
    Boundary {
        /// Its number.
        seq: u64,
        /// Its start.
        at: MediaTime,
    },
    /// Every boundary that is still to come lies after `at`.
    Watermark {
        /// What starts at or before this is settled.
        at: MediaTime,
    },
    /// The source cannot be passed through from here on. The open segment ends at `at`; a new presentation epoch
    /// in [`Mode::Grid`] starts there with segment `seq`. Nothing follows.
    Unfit {
        /// First segment of the new presentation epoch.
        seq: u64,
        /// Its start.
        at: MediaTime,
        /// Why.
        cause: UnfitCause,
    },
}

/// Decides where segments start within one presentation epoch.
#[derive(Debug)]
pub struct Boundaries {
    config: Config,
    /// Number of the open segment, or of the first while none is open.
    seq: u64,
    origin: Option<MediaTime>,
    open: Option<Open>,
    events: VecDeque<Event>,
    watermark: Option<MediaTime>,
    done: bool,
}

#[derive(Debug)]
struct Open {
    start: MediaTime,
    /// Presentation of the newest IDR at or after `start`.
    last_key: MediaTime,
    /// The latest presentation time of any picture taken.
    latest: MediaTime,
    /// Presentation minus decode time at `start`; `None` until its unit came (after a resume).
    shift: Option<i64>,
    last_dts: Option<MediaTime>,
    grid: Grid,
    /// Presentation times not yet known to be in order, ascending.
    ahead: Vec<MediaTime>,
}

impl Boundaries {
    /// Starts an epoch whose first segment is `first_seq`, at the lead track's first IDR.
    pub fn new(config: Config, first_seq: u64) -> Self {
        Self {
            config,
            seq: first_seq,
            origin: None,
            open: None,
            events: VecDeque::new(),
            watermark: None,
            done: false,
        }
    }

    /// Continues an epoch that started at `origin` with segment `seq`, which starts at `start`. Gives out that
    /// boundary again, then the same events as the run that was interrupted. Units before `start` are ignored.
    pub fn resume(config: Config, origin: MediaTime, seq: u64, start: MediaTime) -> Self {
        let mut this = Self::new(config, seq);
        this.origin = Some(origin);
        this.open_at(start, None);
        this
    }

    /// Takes the next unit of the lead track, in decode order.
    pub fn push(&mut self, unit: &AccessUnit) {
        if self.done {
            return;
        }
        match &self.open {
            None if !unit.key => return,
            None => self.open_at(unit.pts, Some(unit)),
            Some(open) if open.last_dts.is_none() && unit.pts < open.start => return,
            Some(_) => match self.config.mode {
                Mode::Source => self.push_source(unit),
                Mode::Grid => self.push_grid(unit),
            },
        }
        if let Some(open) = &mut self.open {
            open.last_dts = Some(unit.dts);
            open.latest = open.latest.max(unit.pts);
            let settled = unit.dts.max(self.earliest().plus(-1));
            self.settle(settled);
        }
    }

    /// Ends the epoch. `end` is where its longest track ends: sound that outlasts the picture by more than a
    /// segment is given boundaries of its own.
    pub fn finish(&mut self, end: MediaTime) {
        if self.done {
            return;
        }
        self.done = true;
        let mut boundaries = Vec::new();
        if let Some(open) = &mut self.open {
            if self.config.mode == Mode::Grid {
                for pts in std::mem::take(&mut open.ahead) {
                    open.grid.present(pts, |at| boundaries.push(at));
                }
            }
            let mut start = boundaries.last().copied().unwrap_or(open.start);
            let (target, max) = (
                self.config.latency.segment_target_90k(),
                self.config.latency.segment_max_90k(),
            );
            for _ in 0..Grid::BRIDGED_MAX {
                if end <= MediaTime::video(up_90k(start).saturating_add(max)) {
                    break;
                }
                start = MediaTime::video(up_90k(start).saturating_add(target));
                boundaries.push(start);
            }
        }
        for at in boundaries {
            self.cut(at);
        }
        self.settle(end);
    }

    /// Returns the next event; call until `None` after every `push`.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Number and start of the open segment: where a run can be resumed.
    pub fn position(&self) -> Option<(u64, MediaTime)> {
        self.open.as_ref().map(|open| (self.seq, open.start))
    }

    /// Start of the epoch, once known.
    pub fn origin(&self) -> Option<MediaTime> {
        self.origin
    }

    fn push_source(&mut self, unit: &AccessUnit) {
        let Some(open) = &mut self.open else { return };
        let shift = *open
            .shift
            .get_or_insert_with(|| ticks_90k(unit.pts) - ticks_90k(unit.dts));
        let (target, max) = (
            self.config.latency.segment_target_90k(),
            self.config.latency.segment_max_90k(),
        );
        let start = ticks_90k(open.start);
        let decode = ticks_90k(unit.dts).saturating_add(shift);
        let limit = start.saturating_add(max);
        // A run that was resumed before its first unit was resumed within a silence.
        let resumed = open.last_dts.is_none() && unit.pts > open.start;
        let since = open
            .last_dts
            .map_or(0, |last| ticks_90k(unit.dts).saturating_sub(ticks_90k(last)));
        let silence = resumed || since > SILENCE_90K;
        let elapsed = ticks_90k(unit.pts).saturating_sub(start);
        if unit.key && unit.pts > open.start {
            let last_gop = ticks_90k(unit.pts).saturating_sub(ticks_90k(open.last_key));
            let early = self.config.epoch == 0 && self.seq < EARLY_SEGMENTS && elapsed >= EARLY_90K;
            // Decode times of the open segment run up to the boundary: it must lie after the last of them.
            let after_last = open
                .last_dts
                .is_none_or(|last| ticks_90k(last).saturating_add(shift) < ticks_90k(unit.pts));
            let due = resumed || early || elapsed >= target * 95 / 100 || elapsed.saturating_add(last_gop) > max;
            open.last_key = unit.pts;
            if due && after_last && elapsed <= max {
                self.cut(unit.pts);
                if let Some(open) = &mut self.open {
                    open.shift = Some(ticks_90k(unit.pts) - ticks_90k(unit.dts));
                }
                return;
            }
            if silence
                && after_last
                && let Some(bridge) = open.bridge(unit.pts, target, max)
            {
                bridge.into_iter().for_each(|at| self.cut(at));
                if let Some(open) = &mut self.open {
                    open.shift = Some(ticks_90k(unit.pts) - ticks_90k(unit.dts));
                }
                return;
            }
        }
        if decode >= limit || elapsed >= max {
            // Right after what was taken already: pictures between that and this one refer to this one, and go with it.
            let frame = open.last_dts.map_or(0, |last| ticks_90k(unit.dts) - ticks_90k(last));
            let next = ticks_90k(open.latest).saturating_add(frame);
            // Sound up to the earliest boundary may already be cut, so the epoch cannot end before it.
            let at = decode.min(limit).min(next).max(ticks_90k(self.earliest()));
            let cause = if silence {
                UnfitCause::Gap
            } else {
                UnfitCause::NoKeyframe
            };
            self.unfit(at, cause);
        }
    }

    fn push_grid(&mut self, unit: &AccessUnit) {
        let Some(open) = &mut self.open else { return };
        let place = open.ahead.partition_point(|pts| *pts <= unit.pts);
        open.ahead.insert(place, unit.pts);
        // Later units decode after this one and show no earlier than they decode.
        let mut settled = open.ahead.partition_point(|pts| *pts <= unit.dts);
        settled = settled.max(open.ahead.len().saturating_sub(REORDER_UNITS_MAX));
        let mut boundaries = Vec::new();
        for pts in open.ahead.drain(..settled) {
            open.grid.present(pts, |at| boundaries.push(at));
        }
        for at in boundaries {
            self.cut(at);
        }
    }

    fn open_at(&mut self, start: MediaTime, unit: Option<&AccessUnit>) {
        let origin = *self.origin.get_or_insert(start);
        let latency = self.config.latency;
        self.open = Some(Open {
            start,
            last_key: start,
            latest: start,
            shift: unit.map(|u| ticks_90k(u.pts) - ticks_90k(u.dts)),
            last_dts: None,
            grid: Grid::new(origin, start, latency.segment_target_90k(), latency.segment_max_90k()),
            ahead: Vec::new(),
        });
        self.events.push_back(Event::Boundary {
            seq: self.seq,
            at: start,
        });
    }

    fn cut(&mut self, at: MediaTime) {
        self.seq = self.seq.saturating_add(1);
        if let Some(open) = &mut self.open {
            (open.start, open.last_key) = (at, at);
        }
        self.events.push_back(Event::Boundary { seq: self.seq, at });
    }

    fn unfit(&mut self, at_90k: i64, cause: UnfitCause) {
        self.done = true;
        self.open = None;
        self.events.push_back(Event::Unfit {
            seq: self.seq.saturating_add(1),
            at: MediaTime::video(at_90k),
            cause,
        });
    }

    /// The earliest place where the next boundary may lie, whatever the source does.
    fn earliest(&self) -> MediaTime {
        let Some(open) = &self.open else { return MediaTime::ZERO };
        if self.config.mode == Mode::Grid {
            return open.grid.next();
        }
        let (target, max) = (
            self.config.latency.segment_target_90k(),
            self.config.latency.segment_max_90k(),
        );
        let mut least = (target * 95 / 100).min(max / 2);
        if self.config.epoch == 0 && self.seq < EARLY_SEGMENTS {
            least = least.min(EARLY_90K);
        }
        MediaTime::video(ticks_90k(open.start).saturating_add(least))
    }

    fn settle(&mut self, at: MediaTime) {
        if self.watermark.is_none_or(|w| at > w) {
            self.watermark = Some(at);
            self.events.push_back(Event::Watermark { at });
        }
    }
}

impl Open {
    /// Boundaries from a silence too long for one segment to an IDR at `pts`: every target from the segment's start on,
    /// as far as no picture lies there, then the IDR. `None` where a segment would be too long all the same.
    fn bridge(&self, pts: MediaTime, target: i64, max: i64) -> Option<Vec<MediaTime>> {
        let (start, end) = (ticks_90k(self.start), ticks_90k(pts));
        let shown = ticks_90k(self.latest).saturating_sub(start).max(0);
        let mut at = start.saturating_add((shown / target + 1).saturating_mul(target));
        if at > start.saturating_add(max) || at >= end {
            return None;
        }
        let mut boundaries = vec![MediaTime::video(at)];
        while end.saturating_sub(at) > max && boundaries.len() < Grid::BRIDGED_MAX as usize {
            at = at.saturating_add(target);
            boundaries.push(MediaTime::video(at));
        }
        boundaries.push(pts);
        (end.saturating_sub(at) <= max).then_some(boundaries)
    }
}

fn ticks_90k(t: MediaTime) -> i64 {
    t.to(Timescale::VIDEO, Round::Down).ticks
}

fn up_90k(t: MediaTime) -> i64 {
    t.to(Timescale::VIDEO, Round::Up).ticks
}
