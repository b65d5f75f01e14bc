//! Presentation epochs: how they begin, continue, change and end.

use std::sync::atomic::Ordering;

use headwater_media::segmenter::{Boundaries, Config as BoundaryConfig, Mode, UnfitCause};
use headwater_media::window::{Epoch as Presentation, Kind};
use headwater_media::{MediaTime, Timescale, TrackKind};

use super::lag::Lagging;
use super::packager::Packager;
use super::plan::{Input, Line, Plan, Wish};
use super::recent::Held;
use super::runner::{Crossing, Next, Runner};
use crate::storage::upload::Job;
use crate::transcoder::wire::to_child;

impl Runner {
    fn wish(&self, fps_milli: u32) -> Wish<'_> {
        Wish {
            ladder: &self.shared.assignment.ladder,
            latency: self.latency,
            preset: &self.tools.preset,
            audio_bps: self.tools.audio_bps,
            passthrough: self.passthrough,
            encode: self.encode,
            shed: &self.shed,
            fps_milli,
        }
    }

    /// Begins a presentation epoch with the lead unit at hand, or continues the stored one.
    pub(super) fn open(&mut self, first: &Held) {
        let Some(source) = self.source.clone() else { return };
        let fps_milli = match first.unit.duration {
            Some(ticks) if first.kind == TrackKind::Video => fps_milli(first.unit.dts.scale, ticks),
            _ => 0,
        };
        let later =
            |(epoch, at_90k): &(Presentation, i64)| source.start_90k > epoch.start_90k && source.start_90k >= *at_90k;
        let stored = self.stored.take().filter(|stored| !later(stored));
        let continued = stored.clone().and_then(|(epoch, at_90k)| {
            // The stored epoch's source rung says whether its boundaries were the source's.
            for passthrough in [true, false] {
                let wish = Wish {
                    passthrough: passthrough && self.passthrough,
                    ..self.wish(fps_milli)
                };
                let plan = Plan::of(&source, &wish)?;
                if continues(&plan, &epoch) {
                    return Some((plan, epoch, at_90k));
                }
            }
            None
        });
        if let Some((plan, epoch, at_90k)) = continued {
            self.continuing = Some((epoch.clone(), at_90k));
            let config = self.boundary_config(plan.mode, epoch.index);
            let at = MediaTime::video(at_90k);
            let boundaries = Boundaries::resume(config, MediaTime::video(epoch.start_90k), self.next_seq, at);
            self.next_index = epoch.index + 1;
            return self.begin(plan, epoch, boundaries, None);
        }
        if let Some((epoch, _)) = &stored {
            // Made for another ladder. Where its boundaries were ours, no picture of the source need start the next one.
            let wish = Wish {
                passthrough: true,
                ..self.wish(fps_milli)
            };
            self.passthrough &= Plan::of(&source, &wish).is_some_and(|plan| passed_in(&plan, epoch));
        }
        let Some(plan) = Plan::of(&source, &self.wish(fps_milli)) else {
            tracing::error!("nothing can be made of this source: no rung of the ladder and no sound fits it");
            self.recent.clear();
            return;
        };
        let config = self.boundary_config(plan.mode, self.next_index);
        if let Some((_, at_90k)) = stored {
            tracing::info!(
                segment.seq = self.next_seq,
                "the stored epoch was made for another ladder; a new one begins"
            );
            let (epoch, at) = (self.new_epoch(self.next_seq, at_90k), MediaTime::video(at_90k));
            let boundaries = Boundaries::resume(config, at, self.next_seq, at);
            return self.begin(plan, epoch, boundaries, None);
        }
        let start_90k = first.unit.pts.ticks_in(Timescale::VIDEO);
        let epoch = self.new_epoch(self.next_seq, start_90k);
        self.begin(plan, epoch, Boundaries::new(config, self.next_seq), None);
    }

    pub(super) fn boundary_config(&self, mode: Mode, epoch: u32) -> BoundaryConfig {
        BoundaryConfig {
            mode,
            latency: self.latency,
            epoch,
        }
    }

    pub(super) fn new_epoch(&mut self, first_seq: u64, start_90k: i64) -> Presentation {
        let source = self.source.as_ref();
        let wallclock_ms = source.map_or(0, |s| s.wallclock_ms + (start_90k - s.start_90k) / 90);
        let index = self.next_index;
        self.next_index += 1;
        Presentation {
            index,
            first_seq,
            start_90k,
            wallclock_ms,
            renditions: Vec::new(),
        }
    }

    /// Starts a packager and the child, and gives them every recent unit, or those that are needed from `at` on.
    pub(super) fn begin(&mut self, plan: Plan, epoch: Presentation, boundaries: Boundaries, at: Option<MediaTime>) {
        self.told = false;
        self.untold.clear();
        self.child_config = plan.child.clone();
        self.shared.encodes(Some(&plan));
        self.shared.health.makes(Some(&plan), &self.shed);
        let mut packager = Packager::new(&plan, epoch, boundaries, self.latency);
        self.lagging = Lagging::default();
        self.behind_told = false;
        let mut held = at.map_or_else(|| self.recent.replay(), |at| self.recent.replay_from(at));
        for held in &mut held {
            held.force_idr = packager.push(held).force_idr;
            if held.force_idr {
                self.recent.mark(held.unit.dts);
            }
        }
        let from = packager.needed_from();
        if let (Crossing::Awaited, Some(from)) = (self.crossing, from) {
            self.crossing = Crossing::At(from.ticks_in(Timescale::VIDEO));
        }
        self.packager = Some(packager);
        match (&plan.child, &self.retiring, &self.child) {
            (None, None, _) => self.child = None,
            // It goes on with the retiring epoch; a child that is yet to start is told of both then.
            (None, Some(_), _) | (Some(_), Some(_), None) => {}
            (Some(_), _, _) => self.employ(from, Vec::new(), &held),
        }
    }

    /// The source cannot be passed through any longer: everything is encoded from segment `seq` on.
    pub(super) fn unfit(&mut self, seq: u64, at: MediaTime, cause: UnfitCause) {
        let name = match cause {
            UnfitCause::NoKeyframe => "no keyframe came in time",
            UnfitCause::Gap => "its pictures stopped, and came back without a keyframe in time",
        };
        metrics::counter!("worker_unfit_sources_total").increment(1);
        tracing::warn!(
            segment.seq = seq,
            "the source is not passed through from segment {seq} on: {name}"
        );
        self.passthrough = false;
        self.shedding.clear();
        if let Some(packager) = &mut self.packager {
            packager.stop_at(at);
        }
        self.unfit_at = Some((seq, at));
    }

    /// Ends the epoch at a boundary and begins another there, with the renditions that are still wanted. The source's
    /// boundaries go on as they were.
    pub(super) fn switch(&mut self, seq: u64, at: MediaTime, held: &Held) {
        let Some(mut old) = self.packager.take() else { return };
        let idle = Boundaries::new(self.boundary_config(Mode::Source, self.next_index), seq);
        let boundaries = old.take_boundaries(idle);
        self.close(old, Some((seq, at)));
        let Some(source) = self.source.clone() else { return };
        let Some(plan) = Plan::of(&source, &self.wish(0)) else {
            return;
        };
        let epoch = self.new_epoch(seq, at.ticks_in(Timescale::VIDEO));
        self.told = false;
        self.child_config = None;
        let mut packager = Packager::new(&plan, epoch, boundaries, self.latency);
        packager.boundary(seq, at);
        packager.take(held);
        self.packager = Some(packager);
    }

    /// Asks the child for all it holds; `next` follows when it has given it.
    pub(super) fn drain(&mut self, next: Next) {
        if matches!(next, Next::End(_)) {
            self.shared.ending.store(true, Ordering::Relaxed);
        }
        if let Some(pending) = &mut self.draining {
            *pending = next;
            return;
        }
        let encoded = self.packager.as_ref().is_some_and(Packager::uses_child);
        match &mut self.child {
            Some(child) if encoded => {
                child.say(to_child::Kind::Flush(next.flush()));
                self.draining = Some(next);
            }
            None if encoded && self.replace_at.is_some() => self.draining = Some(next),
            _ if self.retiring.is_some() => self.draining = Some(next),
            _ => self.drained(next),
        }
    }

    pub(super) fn drained(&mut self, next: Next) {
        self.draining = None;
        self.unfit_at = None;
        self.shedding.clear();
        let until = match &next {
            Next::Grid(seq, at) => Some((*seq, *at)),
            _ => None,
        };
        if let Some(packager) = self.packager.take() {
            self.close(packager, until);
        }
        match next {
            Next::Grid(seq, at) => self.grid(seq, at),
            Next::Epoch(epoch) => {
                let repeated = self.source.as_ref().is_some_and(|s| s.index == epoch.index);
                if !repeated {
                    self.seen.clear();
                    self.passthrough = true;
                    self.shed.clear();
                }
                self.recent.clear();
                self.source = Some(*epoch);
            }
            Next::Idle => {
                self.shared.health.makes(None, &[]);
                self.recent.clear();
            }
            Next::End(reason) => self.ended = Some(reason),
        }
    }

    /// Begins an epoch in which everything is encoded, at `at`.
    pub(super) fn grid(&mut self, seq: u64, at: MediaTime) {
        let Some(source) = self.source.clone() else { return };
        let Some(plan) = Plan::of(&source, &self.wish(0)) else {
            tracing::error!("nothing can be made of this source any longer");
            return;
        };
        let config = self.boundary_config(plan.mode, self.next_index);
        let epoch = self.new_epoch(seq, at.ticks_in(Timescale::VIDEO));
        self.begin(plan, epoch, Boundaries::resume(config, at, seq, at), None);
        self.pump();
    }

    /// Ends a presentation epoch and passes on what it still made.
    fn close(&mut self, mut packager: Packager, next: Option<(u64, MediaTime)>) {
        let (next_seq, end_90k) = packager.finish(next);
        let made = packager.drain();
        self.pass(&packager, made);
        if !self.told {
            // Nobody ever learnt of this epoch: its renditions were never described, so nothing of it can be listed.
            tracing::warn!(
                "an epoch of {} ms ended before its codecs were open",
                (end_90k - packager.epoch.start_90k) / 90
            );
            return;
        }
        self.uploads.push(Job::Finished {
            epoch: packager.epoch.index,
            end_90k,
        });
        self.next_seq = next_seq;
        self.end_90k = end_90k;
    }

    /// The encoders of this build do not make what the stored epoch describes: another begins where it was to go on.
    pub(super) fn discontinue(&mut self, at_90k: i64) {
        tracing::info!(
            segment.seq = self.next_seq,
            "the stored epoch was made by other encoders; a new one begins"
        );
        let Some(source) = self.source.clone() else { return };
        let Some(plan) = Plan::of(&source, &self.wish(0)) else {
            return;
        };
        let (config, at) = (
            self.boundary_config(plan.mode, self.next_index),
            MediaTime::video(at_90k),
        );
        let epoch = self.new_epoch(self.next_seq, at_90k);
        self.child = None;
        self.begin(plan, epoch, Boundaries::resume(config, at, self.next_seq, at), None);
    }
}

/// Whether a plan makes what a stored epoch describes, as far as its init segments are known.
fn continues(plan: &Plan, epoch: &Presentation) -> bool {
    plan.lines.len() == epoch.renditions.len()
        && plan.lines.iter().zip(&epoch.renditions).all(|(line, stored)| {
            let planned = &line.rendition;
            planned.name == stored.name
                && (planned.width, planned.height) == (stored.width, stored.height)
                && (planned.init.is_empty() || planned.init == stored.init)
        })
}

/// Whether the source's own video is among what a stored epoch describes.
fn passed_in(plan: &Plan, epoch: &Presentation) -> bool {
    let passed = |line: &&Line| matches!(line.input, Input::Source(_)) && line.rendition.kind == Kind::Video;
    plan.lines.iter().filter(passed).any(|line| {
        let stored = epoch.rendition(&line.rendition.name);
        stored.is_some_and(|stored| stored.init == line.rendition.init)
    })
}

fn fps_milli(scale: Timescale, ticks: u32) -> u32 {
    (u64::from(scale.get()) * 1_000 / u64::from(ticks.max(1))) as u32
}
