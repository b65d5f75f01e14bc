//! Minding the codec child: starting it, feeding it, and replacing it when it dies or hangs.

use std::io;
use std::time::{Duration, Instant};

use headwater_media::segmenter::LatencyMode;
use headwater_media::window::Epoch as Presentation;
use headwater_media::{MediaTime, Timescale, TrackKind};

use super::child::Child;
use super::lag::Lagging;
use super::packager::Packager;
use super::recent::Held;
use super::runner::{Crossing, Next, Runner};
use super::watchdog::Verdict;
use crate::transcoder::wire::{self, from_child, to_child};

/// Children that one stretch of input may crash before encoding is given up: it is the input that kills them.
const STRETCH_CRASHES_MAX: usize = 2;
/// The same on any input, within [`REPLACED_FORGOTTEN_90K`].
const CRASHES_MAX: usize = 5;
/// Children that may be replaced on one stretch whoever is to blame. A hang or a kill may be the machine's fault, which
/// passes; but not for ever.
const STRETCH_REPLACED_MAX: usize = 6;
/// Longer by this each time, before a child is started again on a stretch where one was killed or hung.
const REPLACE_PAUSE: Duration = Duration::from_secs(1);
/// Media after which an earlier replacement no longer counts, 1/90000 s (60 s).
const REPLACED_FORGOTTEN_90K: i64 = 60 * 90_000;

/// A child that had to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    /// From where on the next one was to encode, 1/90000 s: segments start there.
    at_90k: i64,
    /// It crashed, or ran in circles, on what it was given. Else it hung, or was killed from outside.
    crashed: bool,
}

/// What follows when a child was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    /// Another child, after this time.
    Another(Duration),
    /// No child: as many crashes as may be.
    InputKills,
    /// No child: none stays alive here.
    NoneStays,
}

/// What follows the last of `replaced`. A new child starts at a segment, so one that fails there again has failed within a
/// segment, at most `stretch_90k` long, of the last one.
fn follows(replaced: &[Replaced], stretch_90k: i64) -> Follows {
    let Some(last) = replaced.last() else {
        return Follows::Another(Duration::ZERO);
    };
    let here = || replaced.iter().filter(|r| last.at_90k - r.at_90k <= stretch_90k);
    let crashes_here = here().filter(|r| r.crashed).count();
    let crashes = replaced.iter().filter(|r| r.crashed).count();
    if crashes_here >= STRETCH_CRASHES_MAX || crashes >= CRASHES_MAX {
        Follows::InputKills
    } else if here().count() >= STRETCH_REPLACED_MAX {
        Follows::NoneStays
    } else {
        Follows::Another(REPLACE_PAUSE * (here().count() - crashes_here).saturating_sub(1) as u32)
    }
}

impl Runner {
    /// Gives the child its configuration and these units; starts it where there is none.
    pub(super) fn employ(&mut self, from: Option<MediaTime>, keys_at: Vec<i64>, held: &[Held]) {
        if !self.hire(from) {
            return;
        }
        if let (Some(child), Some(packager), Some(config)) = (&mut self.child, &self.packager, &self.child_config) {
            let config = complete(config.clone(), packager, self.latency, self.crossing, from, keys_at);
            order(child, config, held);
        }
    }

    /// Starts a child where there is none, which is to encode from `from` on.
    fn hire(&mut self, from: Option<MediaTime>) -> bool {
        if self.child.is_some() {
            return true;
        }
        match Child::start(&self.tools.transcoder) {
            Ok(child) => {
                self.child = Some(child);
                true
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no codec child starts");
                let crashed = !is_passing(&error);
                self.replace(from.map_or(0, |at| at.ticks_in(Timescale::VIDEO)), crashed);
                // Where one has started after all, it has been told everything.
                false
            }
        }
    }

    /// What the child said; `None` when it has ended.
    pub(super) async fn heard(&mut self, said: Option<from_child::Kind>) {
        match said {
            Some(from_child::Kind::Encoded(encoded)) => {
                let media_ms = u64::from(encoded.duration) / if encoded.rendition == wire::AUDIO { 48 } else { 90 };
                metrics::counter!("worker_encoded_media_ms_total").increment(media_ms);
                let encoded = self.retiring_encoded(encoded);
                if let (Some(packager), Some(encoded)) = (&mut self.packager, encoded) {
                    packager.encoded(encoded);
                }
                self.pump();
            }
            // Its records are known: it is being made again.
            Some(from_child::Kind::Opened(_)) if self.retiring.is_some() => {}
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
            Some(from_child::Kind::Flushed(_)) if self.retiring.is_some() => self.retired(),
            Some(from_child::Kind::Flushed(_)) => {
                if let Some(next) = self.draining.take() {
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
            Some(from_child::Kind::Progress(_) | from_child::Kind::Still(_)) => {}
            None => self.end_child("it ended", false).await,
        }
    }

    /// To be called every [`WATCH_EVERY`](super::watchdog::WATCH_EVERY).
    pub(super) async fn watch(&mut self) {
        metrics::histogram!("worker_recent_bytes").record(self.recent.bytes() as f64);
        self.look_at_lag();
        let made_90k = self
            .packager
            .as_ref()
            .map_or(self.end_90k, |packager| packager.encoded_90k());
        let durable_90k = self.uploads.standing().durable_90k;
        self.shared.health.unstored((made_90k - durable_90k).max(0) / 90);
        if self.replace_at.take_if(|at| *at <= Instant::now()).is_some() {
            return self.employ_again();
        }
        let Some(child) = &mut self.child else { return };
        let verdict = child.look(self.tools.stall);
        let silent_ms = child.silent().as_millis();
        match verdict {
            Some(Verdict::Hung) => self.end_child("it neither works nor wants to", false).await,
            Some(Verdict::Spinning) => self.end_child("it computes without end", true).await,
            Some(Verdict::Starved) => {
                metrics::counter!("worker_starved_children_total").increment(1);
                tracing::warn!("the codec child has given nothing out for {silent_ms} ms: the machine is overloaded");
            }
            Some(Verdict::Fine) | None => {}
        }
    }

    /// Ends a child that died, hangs or runs in circles, and begins again with what it had not finished.
    async fn end_child(&mut self, why: &str, spun: bool) {
        let Some(child) = self.child.take() else { return };
        let ending = child.end().await;
        metrics::counter!("worker_child_restarts_total").increment(1);
        tracing::error!("the codec child is replaced, because {why} ({})", ending.words);
        let Some((from, _)) = self.working_on().and_then(Packager::restart) else {
            // Nothing is owed: the next epoch starts its own.
            if let Some(next) = self.draining.take() {
                self.drained(next);
            }
            return;
        };
        self.replace(from.ticks_in(Timescale::VIDEO), ending.crashed || spun);
    }

    /// A child that was to encode from `at_90k` on is gone, or did not even start.
    fn replace(&mut self, at_90k: i64, crashed: bool) {
        self.replaced
            .retain(|earlier| at_90k - earlier.at_90k <= REPLACED_FORGOTTEN_90K);
        self.replaced.push(Replaced { at_90k, crashed });
        match follows(&self.replaced, self.latency.segment_max_90k()) {
            Follows::Another(Duration::ZERO) => self.employ_again(),
            Follows::Another(pause) => self.replace_at = Some(Instant::now() + pause),
            Follows::InputKills => self.give_up_encoding("the video killed codec processes"),
            Follows::NoneStays => self.give_up_encoding("no codec process stayed alive"),
        }
    }

    /// The epoch that the child works on.
    fn working_on(&self) -> Option<&Packager> {
        let retiring = self.retiring.as_ref().map(|retiring| &retiring.packager);
        retiring.or(self.packager.as_ref())
    }

    /// Starts a child in the place of one that is gone, and gives it what that had not finished.
    fn employ_again(&mut self) {
        self.lagging = Lagging::default();
        if let Some(retiring) = &self.retiring
            && let Some((from, keys_at)) = retiring.packager.restart()
        {
            // What is shown before the next epoch decodes before it.
            let mut held = self.recent.replay_from(from);
            held.retain(|held| held.unit.dts < retiring.at);
            let (config, flush) = (retiring.config.clone(), retiring.flush());
            let config = complete(
                config,
                &retiring.packager,
                self.latency,
                self.crossing,
                Some(from),
                keys_at,
            );
            if !self.hire(Some(from)) {
                return;
            }
            if let Some(child) = &mut self.child {
                order(child, config, &held);
                child.say(to_child::Kind::Flush(flush));
            }
        }
        let Some(packager) = self.packager.as_ref().filter(|p| p.uses_child()) else {
            return;
        };
        if let Some((from, keys_at)) = packager.restart() {
            let held = self.recent.replay_from(from);
            self.employ(Some(from), keys_at, &held);
        }
        if let (Some(next), Some(child)) = (&self.draining, &mut self.child) {
            child.say(to_child::Kind::Flush(next.flush()));
        }
    }

    /// From the next boundary on only what needs no codec is made.
    fn give_up_encoding(&mut self, why: &str) {
        let id = &self.shared.assignment.broadcast_id;
        tracing::error!(
            broadcast.id = %id,
            "{id} lost {} codec children, because {why}: only what needs no codec is made from now on",
            self.replaced.len()
        );
        metrics::counter!("worker_quarantined_total").increment(1);
        (self.encode, self.child, self.replace_at) = (false, None, None);
        self.shared.encodes(None);
        let grid = self.packager.as_ref().is_some_and(|p| p.grid_origin().is_some());
        let passes = self.passthrough && !grid;
        if let Some(packager) = self.working_on().filter(|p| p.uses_child()) {
            self.harm = harm(packager, passes, why);
        }
        self.shedding.clear();
        self.retired();
        if !self.told
            && let Some(packager) = self.packager.take()
        {
            // Nobody has seen anything of this epoch: it is made anew, without the child.
            self.continuing = None;
            self.grid(packager.epoch.first_seq, MediaTime::video(packager.epoch.start_90k));
        }
        if let Some(next) = self.draining.take() {
            return self.drained(next);
        }
        let Some(packager) = self.packager.as_mut().filter(|p| p.uses_child()) else {
            return;
        };
        if passes {
            return packager.switch_at_boundary();
        }
        // Without the child there are no pictures; sound goes on in an epoch of its own.
        self.drain(Next::Idle);
        self.grid(self.next_seq, MediaTime::video(self.end_90k));
    }
}

/// What the replay lacks once encoding is given up.
fn harm(packager: &Packager, passes: bool, why: &str) -> String {
    if !passes {
        return format!("{why}, and the picture was left out");
    }
    let names: Vec<&str> = packager.encoded_names().collect();
    format!("{why}, and these renditions were left out: {}", names.join(", "))
}

/// Whether a process may start in a moment that does not start now: the machine has no memory or no process to spare.
fn is_passing(error: &anyhow::Error) -> bool {
    let kind = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock))
}

/// Whether a child with this configuration makes something of such units.
pub(super) fn encodes(config: &wire::Config, kind: TrackKind) -> bool {
    match kind {
        TrackKind::Video => config.video.is_some(),
        TrackKind::Audio => config.audio.is_some(),
    }
}

/// Whether the epochs' renditions have the same init segments, one by one.
fn same_inits(a: &Presentation, b: &Presentation) -> bool {
    a.renditions.len() == b.renditions.len() && a.renditions.iter().zip(&b.renditions).all(|(a, b)| a.init == b.init)
}

/// Fills in where the child begins and where its IDR pictures lie.
fn complete(
    mut config: wire::Config,
    packager: &Packager,
    latency: LatencyMode,
    crossing: Crossing,
    from: Option<MediaTime>,
    keys_at: Vec<i64>,
) -> wire::Config {
    let Some(video) = &mut config.video else { return config };
    let from_90k = from.map_or(0, |at| at.ticks_in(Timescale::VIDEO));
    video.from = from_90k;
    video.keys_at = keys_at;
    video.grid = packager.grid_origin().map(|origin| wire::Grid {
        origin: origin.ticks_in(Timescale::VIDEO),
        start: from_90k,
        target: latency.segment_target_90k(),
        max: latency.segment_max_90k(),
    });
    if from.is_some() && crossing == Crossing::At(from_90k) {
        video.part_target_ms = latency.part_target_ms();
    }
    config
}

/// Gives a child something to do, and the units for it.
fn order(child: &mut Child, config: wire::Config, held: &[Held]) {
    let wanted: Vec<_> = held.iter().filter(|held| encodes(&config, held.kind)).collect();
    child.say(to_child::Kind::Config(config));
    for held in wanted {
        child.say(to_child::Kind::Unit(wire_unit(held)));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_kills_children_is_given_up_soon() {
        let after = |replaced: &[(i64, bool)]| {
            let replaced: Vec<_> = replaced
                .iter()
                .map(|(at_s, crashed)| Replaced {
                    at_90k: at_s * 90_000,
                    crashed: *crashed,
                })
                .collect();
            follows(&replaced, LatencyMode::Low.segment_max_90k())
        };
        let (crash, hang) = (true, false);
        let another = |pause_s| Follows::Another(Duration::from_secs(pause_s));
        assert_eq!(after(&[(8, crash)]), another(0));
        assert_eq!(after(&[(8, crash), (12, crash)]), Follows::InputKills, "one stretch");
        assert_eq!(after(&[(8, crash), (14, crash)]), another(0), "another stretch");
        let everywhere = [(0, crash), (10, crash), (20, crash), (30, crash), (40, crash)];
        assert_eq!(after(&everywhere), Follows::InputKills);
        assert_eq!(after(&everywhere[1..]), another(0));
        assert_eq!(after(&[(8, hang)]), another(0), "at once, once");
        assert_eq!(after(&[(8, hang); 4]), another(3), "then less and less often");
        assert_eq!(after(&[(8, hang); 6]), Follows::NoneStays);
        assert_eq!(
            after(&[(8, hang), (8, hang), (8, crash)]),
            another(1),
            "it may have been the machine"
        );
        let far_apart: Vec<_> = (0..12).map(|n| (n * 5, hang)).collect();
        assert_eq!(after(&far_apart), another(0), "each got further than the last");
    }
}
