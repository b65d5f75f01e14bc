//! One presentation epoch being made: boundaries from the lead track, and every rendition cut at them.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_media::segmenter::{Boundaries, Event, LatencyMode, Mode, SegmentError, UnfitCause};
use headwater_media::window::Epoch;
use headwater_media::{AccessUnit, MediaTime, Timescale, TrackId};

use super::line::{Line, LineMade};
use super::plan::{Input, Plan};
use super::recent::Held;
use crate::transcoder::wire;

/// Arrival times kept for units that are inside the child.
const ARRIVALS_MAX: usize = 4_096;

/// What a packager has made, in an order in which it can be told and stored.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// A segment starts in every rendition.
    Boundary {
        /// Its number.
        seq: u64,
        /// Its start, 1/90000 s.
        at_90k: i64,
    },
    /// Of the rendition with this index.
    Line(usize, LineMade),
}

/// What pushing a unit has led to, beside what was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pushed {
    /// The unit starts a segment: an IDR in every rung.
    pub force_idr: bool,
    /// The epoch cannot go on: another starts with this segment, there.
    pub unfit: Option<(u64, MediaTime, UnfitCause)>,
    /// The boundary at which [`Packager::switch_at_boundary`] was waiting. The unit was not taken.
    pub switch: Option<(u64, MediaTime)>,
}

/// One presentation epoch.
pub(crate) struct Packager {
    /// Its description; renditions in the order of the lines.
    pub(crate) epoch: Epoch,
    lines: Vec<Line>,
    boundaries: Boundaries,
    mode: Mode,
    lead: TrackId,
    made: Vec<Made>,
    /// Arrival of source units by presentation time (1/90000 s), for units that come back from the child.
    arrivals: BTreeMap<i64, i64>,
    switch: bool,
    refused: u64,
    end_90k: i64,
}

impl Packager {
    /// Starts an epoch; `epoch.renditions` is filled from the plan.
    pub(crate) fn new(plan: &Plan, mut epoch: Epoch, boundaries: Boundaries, latency: LatencyMode) -> Self {
        epoch.renditions = plan.lines.iter().map(|l| l.rendition.clone()).collect();
        Self {
            lines: plan
                .lines
                .iter()
                .map(|l| Line::new(l.clone(), latency, epoch.index > 0))
                .collect(),
            mode: plan.mode,
            lead: plan.lead,
            end_90k: epoch.start_90k,
            epoch,
            boundaries,
            made: Vec::new(),
            arrivals: BTreeMap::new(),
            switch: false,
            refused: 0,
        }
    }

    /// Fills in the child's records. `false` where one cannot be read.
    pub(crate) fn opened(&mut self, opened: &wire::Opened) -> bool {
        let mut planned: Vec<_> = self.lines.iter().map(|l| l.planned.clone()).collect();
        let good = Plan::opened(&mut planned, opened);
        self.epoch.renditions = planned.iter().map(|l| l.rendition.clone()).collect();
        for (line, planned) in self.lines.iter_mut().zip(planned) {
            line.describe(planned);
        }
        good
    }

    /// Whether every rendition's init segment is known, so that the epoch can be described.
    pub(crate) fn described(&self) -> bool {
        self.epoch.renditions.iter().all(|r| !r.init.is_empty())
    }

    /// Takes the next source unit.
    pub(crate) fn push(&mut self, held: &Held) -> Pushed {
        let unit = &held.unit;
        let mut pushed = Pushed::default();
        if unit.track == self.lead {
            self.boundaries.push(unit);
            while let Some(event) = self.boundaries.poll() {
                match event {
                    Event::Boundary { seq, at } if self.switch && seq > self.epoch.first_seq => {
                        pushed.switch = Some((seq, at));
                        return pushed;
                    }
                    Event::Boundary { seq, at } => {
                        pushed.force_idr |= self.mode == Mode::Source && at == unit.pts;
                        self.boundary(seq, at);
                    }
                    Event::Watermark { at } => self.lines.iter_mut().for_each(|l| l.watermark(at)),
                    Event::Unfit { seq, at, cause } => {
                        pushed.unfit = Some((seq, at, cause));
                        return pushed;
                    }
                }
            }
        }
        self.take(held);
        pushed
    }

    /// Announces a boundary to every rendition.
    pub(crate) fn boundary(&mut self, seq: u64, at: MediaTime) {
        self.made.push(Made::Boundary {
            seq,
            at_90k: at.ticks_in(Timescale::VIDEO),
        });
        for i in 0..self.lines.len() {
            if let Err(error) = self.lines[i].boundary(seq, at) {
                self.refuse(i, &error);
            }
            self.poll(i);
        }
    }

    /// Gives a source unit to the renditions made of its track.
    pub(crate) fn take(&mut self, held: &Held) {
        let unit = &held.unit;
        let end = unit.pts.plus(i64::from(unit.duration.unwrap_or(0)));
        self.end_90k = self.end_90k.max(end.ticks_in(Timescale::VIDEO));
        if self.lines.iter().any(Line::encoded) {
            self.arrivals
                .insert(unit.pts.ticks_in(Timescale::VIDEO), held.arrival_us);
            while self.arrivals.len() > ARRIVALS_MAX {
                self.arrivals.pop_first();
            }
        }
        for i in 0..self.lines.len() {
            if self.lines[i].planned.input == Input::Source(unit.track) {
                self.feed(i, unit.clone(), held.arrival_us);
            } else {
                self.poll(i);
            }
        }
    }

    /// Takes a unit that the child has encoded.
    pub(crate) fn encoded(&mut self, encoded: wire::Encoded) {
        let input = match encoded.rendition {
            wire::AUDIO => Input::Audio,
            rung => Input::Rung(rung),
        };
        let Some(i) = self.lines.iter().position(|l| l.planned.input == input) else {
            return;
        };
        let scale = self.lines[i].planned.rendition.scale();
        let unit = AccessUnit {
            track: if input == Input::Audio {
                TrackId::AUDIO
            } else {
                TrackId::VIDEO
            },
            dts: MediaTime::new(encoded.dts, scale),
            pts: MediaTime::new(encoded.pts, scale),
            duration: Some(encoded.duration).filter(|d| *d > 0),
            key: encoded.key,
            data: encoded.data,
        };
        let at_90k = unit.pts.ticks_in(Timescale::VIDEO);
        let arrival_us = self.arrivals.range(..=at_90k).next_back().map_or(0, |(_, us)| *us);
        self.feed(i, unit, arrival_us);
    }

    fn feed(&mut self, i: usize, unit: AccessUnit, arrival_us: i64) {
        if let Err(error) = self.lines[i].push(unit, arrival_us) {
            self.refuse(i, &error);
        }
        self.poll(i);
    }

    fn refuse(&mut self, i: usize, error: &SegmentError) {
        self.refused += 1;
        metrics::counter!("worker_units_refused_total").increment(1);
        if self.refused.is_power_of_two() {
            let name = &self.lines[i].planned.rendition.name;
            let error = error as &dyn std::error::Error;
            tracing::warn!(
                error,
                rendition.name = %name,
                refused = self.refused,
                "rendition {name} refused a unit"
            );
        }
    }

    fn poll(&mut self, i: usize) {
        let made = self.lines[i].poll();
        self.made.extend(made.into_iter().map(|m| Made::Line(i, m)));
    }

    /// What was made since the last call.
    pub(crate) fn drain(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.made)
    }

    /// The next boundary ends the epoch: [`Self::push`] says where and takes nothing from there on.
    pub(crate) fn switch_at_boundary(&mut self) {
        self.switch = true;
    }

    /// From where on source units may be needed again.
    pub(crate) fn needed_from(&self) -> Option<MediaTime> {
        let encoded = self.lines.iter().filter(|l| l.encoded()).filter_map(Line::start);
        let open = self.boundaries.position().map(|(_, at)| at);
        encoded.chain(open).min()
    }

    /// How a restarted child goes on: the boundary from which it encodes, and where else IDR pictures are needed, so
    /// that each rung's new pictures follow what was published of the old ones.
    pub(crate) fn restart(&self) -> Option<(MediaTime, Vec<i64>)> {
        let video = |l: &&Line| matches!(l.planned.input, Input::Rung(_));
        let from = self
            .lines
            .iter()
            .filter(|l| l.encoded())
            .filter_map(Line::start)
            .min()?;
        let last = self.lines.iter().filter(video).filter_map(Line::last_pts);
        Some((from, last.map(|pts| pts.ticks_in(Timescale::VIDEO) + 1).collect()))
    }

    /// Names of the renditions that a child makes.
    pub(crate) fn encoded_names(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(|line| line.encoded())
            .map(|line| line.planned.rendition.name.as_str())
    }

    /// Whether a child has units to encode for this epoch.
    pub(crate) fn uses_child(&self) -> bool {
        self.lines.iter().any(Line::encoded)
    }

    /// The grid as the child counts it: its origin.
    pub(crate) fn grid_origin(&self) -> Option<MediaTime> {
        (self.mode == Mode::Grid).then(|| self.boundaries.origin()).flatten()
    }

    /// Where the source's own boundaries stand; for an epoch that takes over.
    pub(crate) fn take_boundaries(&mut self, with: Boundaries) -> Boundaries {
        std::mem::replace(&mut self.boundaries, with)
    }

    /// What comes from the child at or after `at` belongs to the next epoch.
    pub(crate) fn stop_at(&mut self, at: MediaTime) {
        self.lines.iter_mut().for_each(|l| l.stop_at(at));
    }

    /// Ends every rendition. With `next`, another epoch's first segment and its start. Returns the number of the next
    /// free segment, and where this epoch ended (1/90000 s).
    pub(crate) fn finish(&mut self, next: Option<(u64, MediaTime)>) -> (u64, i64) {
        let mut end_90k = self.end_90k;
        let mut next_seq = self.epoch.first_seq;
        match next {
            Some((seq, at)) => (next_seq, end_90k) = (seq, at.ticks_in(Timescale::VIDEO)),
            None => {
                self.boundaries.finish(MediaTime::video(end_90k));
                while let Some(event) = self.boundaries.poll() {
                    match event {
                        Event::Boundary { seq, at } => self.boundary(seq, at),
                        Event::Watermark { at } => self.lines.iter_mut().for_each(|l| l.watermark(at)),
                        Event::Unfit { .. } => {}
                    }
                }
                if let Some((seq, _)) = self.boundaries.position() {
                    next_seq = seq + 1;
                }
            }
        }
        for i in 0..self.lines.len() {
            self.finish_line(i, next);
        }
        (next_seq, end_90k)
    }

    /// Ends the renditions that need no child, before segment `seq` of another epoch, which starts at `at`.
    pub(crate) fn finish_sources(&mut self, seq: u64, at: MediaTime) {
        for i in 0..self.lines.len() {
            if !self.lines[i].encoded() {
                self.finish_line(i, Some((seq, at)));
            }
        }
    }

    fn finish_line(&mut self, i: usize, next: Option<(u64, MediaTime)>) {
        match self.lines[i].finish(next) {
            Ok(made) => self.made.extend(made.into_iter().map(|m| Made::Line(i, m))),
            Err(error) => self.refuse(i, &error),
        }
    }

    /// The plan that it follows, with what is known of the renditions by now. `child` is what a child is told for it.
    pub(crate) fn plan(&self, child: Option<wire::Config>) -> Plan {
        Plan {
            lines: self.lines.iter().map(|line| line.planned.clone()).collect(),
            mode: self.mode,
            lead: self.lead,
            child,
        }
    }

    /// The end of the newest source unit, 1/90000 s.
    pub(crate) fn end_90k(&self) -> i64 {
        self.end_90k
    }

    /// Up to where every rendition that a child makes has come, 1/90000 s.
    pub(crate) fn encoded_90k(&self) -> i64 {
        let given = self.lines.iter().filter(|l| l.encoded()).filter_map(Line::given);
        given.min().map_or(self.end_90k, |at| at.ticks_in(Timescale::VIDEO))
    }
}

/// Size of a body.
pub(crate) fn size(body: &[Bytes]) -> u64 {
    body.iter().map(|b| b.len() as u64).sum()
}
