//! One rendition being cut: its segmenter, its chunk writer, and when its units arrived.

use std::collections::VecDeque;

use bytes::Bytes;
use headwater_media::cmaf::{ChunkWriter, ntp_of_unix_us};
use headwater_media::segmenter::{Cut, LatencyMode, SegmentError, Segmenter};
use headwater_media::window::Kind;
use headwater_media::{AccessUnit, MediaTime, TrackKind};

use super::plan::{Input, Line as Planned};

/// A part of a rendition, as bytes.
#[derive(Clone, Debug)]
pub(crate) struct PartMade {
    /// Segment.
    pub seq: u64,
    /// Number within it.
    pub index: u32,
    /// Ticks of the rendition.
    pub decode_time: i64,
    /// Ticks of the rendition.
    pub duration: u32,
    /// Starts with a sync sample.
    pub independent: bool,
    /// One CMAF chunk.
    pub data: Bytes,
    /// When its last unit reached the edge, Unix microseconds.
    pub arrival_us: i64,
    /// The source's units that it ends with, as they came; none where they were encoded.
    pub units: Vec<Bytes>,
}

/// A whole segment of a rendition.
#[derive(Clone, Debug)]
pub(crate) struct SegmentMade {
    /// Its number.
    pub seq: u64,
    /// Ticks of the rendition.
    pub decode_time: i64,
    /// Ticks of the rendition.
    pub duration: u32,
    /// Its parts' bytes, in order.
    pub body: Vec<Bytes>,
}

/// What a line has made.
#[derive(Clone, Debug)]
pub(crate) enum LineMade {
    /// A part.
    Part(PartMade),
    /// A segment, after its parts.
    Segment(SegmentMade),
}

/// A rendition being cut.
pub(crate) struct Line {
    pub(crate) planned: Planned,
    repeat: bool,
    segmenter: Segmenter,
    writer: ChunkWriter,
    /// Arrival of each unit that is not in a part yet.
    arrivals: VecDeque<i64>,
    body: Vec<Bytes>,
    /// Boundaries that no unit has started yet.
    ahead: VecDeque<MediaTime>,
    /// Start of the segment being made; of the first, before any.
    start: Option<MediaTime>,
    last_dts: Option<MediaTime>,
    /// The latest that anything taken is shown or heard.
    last_pts: Option<MediaTime>,
    /// By how much decoding leads showing in the open segment, ticks.
    lead: i64,
    /// Nothing at or after this belongs here any more.
    limit: Option<MediaTime>,
    finished: bool,
}

impl Line {
    /// With `repeat`, segments carry their parameter sets: the epoch is not the broadcast's first, and readers of whole
    /// files may know nothing but what that one began with.
    pub(crate) fn new(planned: Planned, latency: LatencyMode, repeat: bool) -> Self {
        let kind = match planned.rendition.kind {
            Kind::Video => TrackKind::Video,
            Kind::Audio => TrackKind::Audio,
        };
        let mut line = Self {
            repeat,
            segmenter: Segmenter::new(kind, planned.rendition.scale(), latency.part_target_ms()),
            writer: ChunkWriter::new(kind),
            arrivals: VecDeque::new(),
            body: Vec::new(),
            ahead: VecDeque::new(),
            start: None,
            last_dts: None,
            last_pts: None,
            lead: 0,
            limit: None,
            finished: false,
            planned: planned.clone(),
        };
        line.describe(planned);
        line
    }

    /// What is known of it by now.
    pub(crate) fn describe(&mut self, planned: Planned) {
        if self.repeat {
            self.writer = self.writer.clone().repeating(planned.in_band.clone());
        }
        self.planned = planned;
    }

    /// Whether its units come from the child.
    pub(crate) fn encoded(&self) -> bool {
        !matches!(self.planned.input, Input::Source(_))
    }

    /// The latest presentation time of any unit taken.
    pub(crate) fn last_pts(&self) -> Option<MediaTime> {
        self.last_pts
    }

    /// The end of what was taken, in the order of showing; of what was to be made before, while nothing was.
    pub(crate) fn given(&self) -> Option<MediaTime> {
        self.last_pts.or(self.start)
    }

    /// Start of the segment being made.
    pub(crate) fn start(&self) -> Option<MediaTime> {
        self.start
    }

    pub(crate) fn boundary(&mut self, seq: u64, at: MediaTime) -> Result<(), SegmentError> {
        self.start.get_or_insert(at);
        self.ahead.push_back(at);
        self.segmenter.boundary(seq, at)
    }

    pub(crate) fn watermark(&mut self, at: MediaTime) {
        self.segmenter.watermark(at);
    }

    /// Takes the next unit in decode order. One that was taken before (from a child that was restarted) is passed
    /// over.
    pub(crate) fn push(&mut self, mut unit: AccessUnit, arrival_us: i64) -> Result<(), SegmentError> {
        let seen = self.last_dts.is_some_and(|last| unit.dts <= last);
        if seen || self.limit.is_some_and(|limit| unit.dts.plus(self.lead) >= limit) {
            return Ok(());
        }
        if unit.key && self.planned.rendition.kind == Kind::Video {
            self.settle_key(&mut unit);
        }
        if self.planned.rendition.kind == Kind::Audio {
            while self.ahead.front().is_some_and(|at| *at <= unit.pts) {
                self.start = self.ahead.pop_front();
            }
        }
        let (dts, pts, before) = (unit.dts, unit.pts, self.segmenter.dropped());
        self.segmenter.push(unit)?;
        self.last_dts = Some(dts);
        self.last_pts = self.last_pts.max(Some(pts));
        if self.segmenter.dropped() == before {
            self.arrivals.push_back(arrival_us);
        }
        Ok(())
    }

    /// The source's picture at a boundary may be lost; the next one then became the IDR. It is shown from the
    /// boundary on, which is a frame or two too early, and keeps every rendition's segments at the same times.
    fn settle_key(&mut self, unit: &mut AccessUnit) {
        let exact = self.ahead.contains(&unit.pts);
        if !exact
            && self.last_dts.is_some()
            && let Some(at) = self.ahead.front().filter(|at| **at < unit.pts)
        {
            let at = MediaTime::new(at.ticks_in(unit.pts.scale), unit.pts.scale);
            let earlier = unit.dts.plus(at.ticks - unit.pts.ticks);
            let dts = self.last_dts.map_or(earlier, |last| earlier.max(last.plus(1)));
            if dts <= at {
                (unit.dts, unit.pts, unit.duration) = (dts, at, None);
            }
        }
        while self.ahead.front().is_some_and(|at| *at <= unit.pts) {
            self.start = self.ahead.pop_front();
            self.lead = if self.encoded() {
                unit.pts.ticks - unit.dts.ticks
            } else {
                0
            };
        }
    }

    /// Nothing at or after `limit` is taken any more: an encoder may give out what lies past the end of the epoch.
    pub(crate) fn stop_at(&mut self, limit: MediaTime) {
        self.limit = Some(limit);
    }

    /// Ends the line; with `next`, segment `next.0` of another epoch starts at `next.1` and nothing of it is made here. A
    /// line that has ended makes nothing more.
    pub(crate) fn finish(&mut self, next: Option<(u64, MediaTime)>) -> Result<Vec<LineMade>, SegmentError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(Vec::new());
        }
        if let Some((seq, at)) = next.filter(|_| self.planned.rendition.kind == Kind::Audio) {
            self.segmenter.boundary(seq, at)?;
        }
        self.segmenter.finish(next.map(|(_, at)| at));
        let mut made = self.poll();
        if let Some((next, _)) = next {
            made.retain(|m| match m {
                LineMade::Part(part) => part.seq < next,
                LineMade::Segment(segment) => segment.seq < next,
            });
        }
        Ok(made)
    }

    /// What is finished since the last call.
    pub(crate) fn poll(&mut self) -> Vec<LineMade> {
        let mut made = Vec::new();
        while let Some(cut) = self.segmenter.poll() {
            made.push(match cut {
                Cut::Part(part) => {
                    let count = part.samples.len().min(self.arrivals.len());
                    let first = self.arrivals.front().copied().unwrap_or(0);
                    let arrival_us = self.arrivals.drain(..count).next_back().unwrap_or(first);
                    let ntp = (first > 0).then(|| ntp_of_unix_us(first));
                    let data = self.writer.write(&part, ntp);
                    let units = match self.planned.input {
                        Input::Source(_) => part.samples.into_iter().map(|sample| sample.data).collect(),
                        _ => Vec::new(),
                    };
                    self.body.push(data.clone());
                    LineMade::Part(PartMade {
                        seq: part.seq,
                        index: part.index,
                        decode_time: part.decode_time,
                        duration: part.duration,
                        independent: part.independent,
                        data,
                        arrival_us,
                        units,
                    })
                }
                Cut::Segment(segment) => LineMade::Segment(SegmentMade {
                    seq: segment.seq,
                    decode_time: segment.start,
                    duration: segment.duration,
                    body: std::mem::take(&mut self.body),
                }),
            });
        }
        made
    }
}
