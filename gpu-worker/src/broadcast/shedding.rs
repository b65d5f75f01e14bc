//! Going without rungs that the machine cannot encode in time.
//!
//! At a boundary the presentation epoch ends and one with fewer renditions begins. What comes before the boundary is still
//! encoded in full: the child goes through all of it, then is told of the smaller ladder and goes on with that. Meanwhile
//! there are two epochs: the new one, in which what needs no codec goes on without a pause, and the *retiring* one, to which
//! belongs what the child gives out until it has reported the drain.

use std::time::Instant;

use headwater_media::segmenter::Boundaries;
use headwater_media::window::Kind;
use headwater_media::{MediaTime, Timescale};

use super::lag::{self, Lagging};
use super::packager::Packager;
use super::plan::{Input, px_per_s};
use super::runner::Runner;
use crate::storage::upload::Job;
use crate::transcoder::wire::{self, to_child};

/// An epoch that has ended for the source but not for the child.
pub(super) struct Retiring {
    pub(super) packager: Packager,
    /// What the child makes of it.
    pub(super) config: wire::Config,
    /// The segment that the next epoch begins with.
    seq: u64,
    /// Where that starts.
    pub(super) at: MediaTime,
}

impl Retiring {
    /// How the child is asked to end it.
    pub(super) fn flush(&self) -> wire::Flush {
        wire::Flush {
            until: Some(self.at.ticks_in(Timescale::VIDEO)),
        }
    }
}

impl Runner {
    /// Looks how far encoding lies behind, and decides to go without rungs. To be called often.
    pub(super) fn look_at_lag(&mut self) {
        let changing = self.retiring.is_some() || self.draining.is_some() || self.unfit_at.is_some();
        let Some(packager) = self.packager.as_mut().filter(|p| self.told && p.uses_child()) else {
            return;
        };
        let (taken_90k, given_90k) = (packager.end_90k(), packager.encoded_90k());
        metrics::histogram!("worker_encode_lag_seconds").record((taken_90k - given_90k).max(0) as f64 / 90_000.0);
        if changing || !self.encode || !self.shedding.is_empty() {
            self.lagging = Lagging::default();
            return;
        }
        let look = self.lagging.look(Instant::now(), taken_90k, given_90k, self.latency);
        let Some(speed_milli) = look else { return };
        let plan = packager.plan(None);
        let costs: Vec<_> = plan.encoded().map(|r| (r.name.as_str(), px_per_s(r))).collect();
        let watchable = plan
            .lines
            .iter()
            .any(|line| line.rendition.kind == Kind::Video && matches!(line.input, Input::Source(_)));
        let gone = lag::shed(&costs, speed_milli, watchable);
        let (lag_ms, speed) = ((taken_90k - given_90k) / 90, speed_milli as f64 / 1_000.0);
        if gone.is_empty() {
            if !std::mem::replace(&mut self.behind_told, true) {
                metrics::counter!("worker_behind_broadcasts_total").increment(1);
                tracing::warn!(
                    "encoding lies {lag_ms} ms behind, goes at {speed} of real time, and no rung can be spared: media waits here \
                     and then at the edge"
                );
            }
            return;
        }
        metrics::counter!("worker_shed_rungs_total").increment(gone.len() as u64);
        tracing::warn!(
            renditions = gone.join(","),
            "encoding lies {lag_ms} ms behind and goes at {speed} of real time: {} ends at the next segment",
            gone.join(", ")
        );
        self.shedding = gone;
        packager.switch_at_boundary();
    }

    /// All that belongs before segment `seq`, which starts at `at`, has come: the epoch goes on without the rungs.
    pub(super) fn shed_at(&mut self, seq: u64, at: MediaTime) {
        self.unfit_at = None;
        self.shed.append(&mut self.shedding);
        let (Some(mut old), Some(config)) = (self.packager.take(), self.child_config.clone()) else {
            return;
        };
        old.finish_sources(seq, at);
        self.pass_told(&mut old);
        let plan = old.plan(Some(config.clone())).without(&self.shed);
        let retiring = Retiring {
            packager: old,
            config,
            seq,
            at,
        };
        // Without a child, the next one is told when it starts.
        if let Some(child) = &mut self.child {
            child.say(to_child::Kind::Flush(retiring.flush()));
        }
        self.retiring = Some(retiring);
        let boundaries = Boundaries::resume(self.boundary_config(plan.mode, self.next_index), at, seq, at);
        let epoch = self.new_epoch(seq, at.ticks_in(Timescale::VIDEO));
        self.begin(plan, epoch, boundaries, Some(at));
        self.pump();
    }

    /// The child has given out all of the retiring epoch, or never will.
    pub(super) fn retired(&mut self) {
        let Some(Retiring {
            mut packager, seq, at, ..
        }) = self.retiring.take()
        else {
            return;
        };
        let (_, end_90k) = packager.finish(Some((seq, at)));
        self.pass_told(&mut packager);
        self.uploads.push(Job::Finished {
            epoch: packager.epoch.index,
            end_90k,
        });
        self.lagging = Lagging::default();
        if self.child_config.is_none() {
            self.child = None;
        }
        // Where the new epoch needs the child as well, its own drain is still to be reported.
        let encoded = self.packager.as_ref().is_some_and(Packager::uses_child);
        if let Some(next) = self.draining.take_if(|_| !encoded) {
            self.drained(next);
        }
    }

    /// Passes on what an epoch that followers know of has made.
    fn pass_told(&mut self, packager: &mut Packager) {
        for made in packager.drain() {
            self.publish(&packager.epoch, made);
        }
    }

    /// Takes what the child made of the retiring epoch; gives it back where there is none.
    pub(super) fn retiring_encoded(&mut self, encoded: wire::Encoded) -> Option<wire::Encoded> {
        let Some(mut retiring) = self.retiring.take() else {
            return Some(encoded);
        };
        retiring.packager.encoded(encoded);
        self.pass_told(&mut retiring.packager);
        self.retiring = Some(retiring);
        None
    }
}
