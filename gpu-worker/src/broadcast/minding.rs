//! Minding the codec child: starting it, feeding it, and replacing it when it dies or hangs.

use std::time::{Duration, Instant};

use headwater_media::segmenter::LatencyMode;
use headwater_media::window::Epoch as Presentation;
use headwater_media::{MediaTime, Timescale, TrackKind};

use super::child::Child;
use super::packager::Packager;
use super::recent::Held;
use super::runner::{Crossing, Next, Runner};
use crate::transcoder::wire::{self, from_child, to_child};

/// Longest that a child may take to drain before it is killed.
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// Crashes of the child on one stretch of input before encoding is given up: it is the input that kills it.
const STRETCH_CRASHES_MAX: usize = 2;
/// Crashes on any input, within [`CRASH_FORGOTTEN_90K`], before encoding is given up.
const CRASHES_MAX: usize = 5;
/// What the replay lacks then, where the picture needs a codec.
const HARM: &str = "the video killed codec processes and was left out";
/// Media after which an earlier crash no longer counts, 1/90000 s (60 s).
const CRASH_FORGOTTEN_90K: i64 = 60 * 90_000;

impl Runner {
    /// Gives the child its configuration and these units; starts it where there is none.
    pub(super) fn employ(&mut self, from: Option<MediaTime>, keys_at: Vec<i64>, held: &[Held]) {
        if self.child.is_none() {
            match Child::start(&self.tools.transcoder) {
                Ok(child) => self.child = Some(child),
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "no codec child; only what needs no codec is made"
                    );
                    return self.give_up_encoding();
                }
            }
        }
        let (Some(child), Some(packager), Some(mut config)) =
            (&mut self.child, &self.packager, self.child_config.clone())
        else {
            return;
        };
        complete(&mut config, packager, self.latency, from, keys_at);
        let first = from.map(|at| Crossing::At(at.ticks_in(Timescale::VIDEO)));
        if let Some(video) = config.video.as_mut().filter(|_| first == Some(self.crossing)) {
            video.part_target_ms = self.latency.part_target_ms();
        }
        child.say(to_child::Kind::Config(config));
        for held in held {
            child.say(to_child::Kind::Unit(wire_unit(held)));
        }
    }

    /// What the child said; `None` when it has ended.
    pub(super) async fn heard(&mut self, said: Option<from_child::Kind>) {
        match said {
            Some(from_child::Kind::Encoded(encoded)) => {
                let media_ms = u64::from(encoded.duration) / if encoded.rendition == wire::AUDIO { 48 } else { 90 };
                metrics::counter!("worker_encoded_media_ms_total").increment(media_ms);
                if let Some(packager) = &mut self.packager {
                    packager.encoded(encoded);
                }
                self.pump();
            }
            Some(from_child::Kind::Opened(opened)) => {
                let good = self.packager.as_mut().is_none_or(|p| p.opened(&opened));
                if !good {
                    tracing::error!("the codec child's records cannot be read");
                }
                if let Some((stored, at_90k)) = self.continuing.take()
                    && self.packager.as_ref().is_some_and(|p| !same_inits(&p.epoch, &stored))
                {
                    self.discontinue(at_90k);
                }
                self.pump();
            }
            Some(from_child::Kind::Flushed(_)) => {
                if let Some((next, _)) = self.draining.take() {
                    self.drained(next);
                }
            }
            Some(from_child::Kind::Fault(fault)) if fault.fatal => {
                tracing::error!("the codec child gives up: {}", fault.what);
            }
            Some(from_child::Kind::Fault(fault)) => {
                metrics::counter!("worker_corrupt_units_total").increment(1);
                tracing::debug!("the codec child met damaged input: {}", fault.what);
            }
            Some(from_child::Kind::Progress(_)) => {}
            None => self.restart_child("it ended").await,
        }
    }

    pub(super) async fn watch(&mut self) {
        metrics::histogram!("worker_recent_bytes").record(self.recent.bytes() as f64);
        if self.child.as_ref().is_some_and(|c| c.stalled(self.tools.stall)) {
            return self.restart_child("it took media in and gave none out").await;
        }
        if self
            .draining
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > DRAIN_MAX)
        {
            self.restart_child("it did not give out what it held").await;
        }
    }

    /// Replaces a child that died or hangs, and gives the new one what the old one had not finished.
    async fn restart_child(&mut self, why: &str) {
        let Some(child) = self.child.take() else { return };
        let how = child.end().await;
        metrics::counter!("worker_child_restarts_total").increment(1);
        let restart = self.packager.as_ref().and_then(Packager::restart);
        let Some((from, keys_at)) = restart else {
            // Nothing is owed: the next epoch starts its own.
            if let Some((next, _)) = self.draining.take() {
                self.drained(next);
            }
            return;
        };
        let at_90k = from.ticks_in(Timescale::VIDEO);
        self.crashes_at_90k
            .retain(|earlier| at_90k - earlier <= CRASH_FORGOTTEN_90K);
        self.crashes_at_90k.push(at_90k);
        let crashes = self.crashes_at_90k.len();
        tracing::error!(crashes, "the codec child was replaced, because {why} ({how})");
        // The new child starts at a segment; one that fails there again has failed within a segment of the last one.
        let stretch_90k = self.latency.segment_max_90k();
        let here = self
            .crashes_at_90k
            .iter()
            .filter(|earlier| at_90k - **earlier <= stretch_90k);
        if here.count() >= STRETCH_CRASHES_MAX || crashes >= CRASHES_MAX {
            return self.give_up_encoding();
        }
        let held = self.recent.replay();
        self.employ(Some(from), keys_at, &held);
        if let (Some((next, since)), Some(child)) = (&mut self.draining, &mut self.child) {
            *since = Instant::now();
            child.say(to_child::Kind::Flush(next.flush()));
        }
    }

    /// The input kills children: from the next boundary on only what needs no codec is made.
    pub(super) fn give_up_encoding(&mut self) {
        let id = &self.shared.assignment.broadcast_id;
        tracing::error!(
            broadcast.id = %id,
            "{id} lost {} codec children: only what needs no codec is made from now on",
            self.crashes_at_90k.len()
        );
        metrics::counter!("worker_quarantined_total").increment(1);
        self.encode = false;
        self.shared.encodes(None);
        self.child = None;
        if !self.told
            && let Some(packager) = self.packager.take()
        {
            // Nobody has seen anything of this epoch: it is made anew, without the child.
            self.continuing = None;
            if !self.passthrough || packager.grid_origin().is_some() {
                self.harm = HARM.to_owned();
            }
            self.grid(packager.epoch.first_seq, MediaTime::video(packager.epoch.start_90k));
        }
        if let Some((next, _)) = self.draining.take() {
            return self.drained(next);
        }
        let Some(packager) = self.packager.as_mut().filter(|p| p.uses_child()) else {
            return;
        };
        if self.passthrough && packager.grid_origin().is_none() {
            return packager.switch_at_boundary();
        }
        self.harm = HARM.to_owned();
        // Without the child there are no pictures; sound goes on in an epoch of its own.
        self.drain(Next::Idle);
        self.grid(self.next_seq, MediaTime::video(self.end_90k));
    }
}

/// Whether the epochs' renditions have the same init segments, one by one.
fn same_inits(a: &Presentation, b: &Presentation) -> bool {
    a.renditions.len() == b.renditions.len() && a.renditions.iter().zip(&b.renditions).all(|(a, b)| a.init == b.init)
}

/// Fills in where the child begins and where its IDR pictures lie.
fn complete(
    config: &mut wire::Config,
    packager: &Packager,
    latency: LatencyMode,
    from: Option<MediaTime>,
    keys_at: Vec<i64>,
) {
    let Some(video) = &mut config.video else { return };
    let from = from.map_or(0, |at| at.ticks_in(Timescale::VIDEO));
    video.from = from;
    video.keys_at = keys_at;
    video.grid = packager.grid_origin().map(|origin| wire::Grid {
        origin: origin.ticks_in(Timescale::VIDEO),
        start: from,
        target: latency.segment_target_90k(),
        max: latency.segment_max_90k(),
    });
}

pub(super) fn wire_unit(held: &Held) -> wire::Unit {
    wire::Unit {
        audio: held.kind == TrackKind::Audio,
        dts: held.unit.dts.ticks,
        pts: held.unit.pts.ticks,
        force_idr: held.force_idr,
        data: held.unit.data.clone(),
    }
}
