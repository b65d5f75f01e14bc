//! What a broadcast's task does.
//!
//! Units come from the edge one at a time. Each goes to the packager (which says where segments start) and, where
//! renditions are encoded, to the codec child; what the child gives back goes to the packager as well. A change of
//! the source (a new epoch, a pause, the end, an unfit source) first drains the child, then ends the presentation
//! epoch, then goes on: meanwhile nothing more is taken from the edge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use headwater_media::segmenter::LatencyMode;
use headwater_media::window::Epoch as Presentation;
use headwater_media::{AccessUnit, Epoch, MediaTime, Timescale, TrackId, TrackKind};
use headwater_model::convert::{epoch_from_proto, unit_from_proto};
use headwater_model::proto::edge::{PullEvent, pull_event};
use headwater_platform::retry::Backoff;
use tonic::{Code, Status};

use super::child::Child;
use super::lag::Lagging;
use super::link::Link;
use super::minding::{Replaced, encodes, wire_unit};
use super::packager::{Made, Packager};
use super::playable::Playable;
use super::recent::{Held, Recent};
use super::shedding::Retiring;
use super::stills::Stills;
use super::watchdog::WATCH_EVERY;
use super::{Broadcast, Tools, finish, messages};
use crate::storage::resume::{self, Resume};
use crate::storage::upload::Uploads;
use crate::transcoder::wire::{self, from_child, to_child};

/// Waits between attempts to reach the edge or the store.
const REDIAL_FIRST: Duration = Duration::from_millis(50);
/// See [`REDIAL_FIRST`].
const REDIAL_CAP: Duration = Duration::from_secs(2);

/// How a broadcast's task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The replay is stored, and the scheduler knows.
    Finished,
    /// A higher generation runs it, or the scheduler took it back.
    Replaced,
    /// It cannot be continued here.
    GaveUp(String),
}

/// What comes after the child is drained.
#[derive(Clone, Debug)]
pub(super) enum Next {
    /// The source is unfit for passthrough from segment `.0` on, at `.1`.
    Grid(u64, MediaTime),
    /// The source's next epoch.
    Epoch(Box<Epoch>),
    /// Nothing until the source's next epoch.
    Idle,
    /// The end.
    End(String),
}

impl Next {
    /// How the child is asked to drain before it.
    pub(super) fn flush(&self) -> wire::Flush {
        match self {
            Self::Grid(_, at) => wire::Flush {
                until: Some(at.ticks_in(Timescale::VIDEO)),
            },
            _ => wire::Flush { until: None },
        }
    }
}

/// How viewers come over from another worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crossing {
    /// There was none, or none watched it.
    Never,
    /// In the first segment that is made here.
    Awaited,
    /// In the segment that starts there, 1/90000 s.
    At(i64),
}

/// A broadcast's task: all it knows.
pub(super) struct Runner {
    pub(super) shared: Arc<Broadcast>,
    pub(super) tools: Tools,
    pub(super) latency: LatencyMode,
    pub(super) uploads: Uploads,
    pub(super) stills: Stills,
    pub(super) source: Option<Epoch>,
    pub(super) packager: Option<Packager>,
    /// The current presentation epoch has been told.
    pub(super) told: bool,
    /// Whether the scheduler knows that it can be watched.
    pub(super) playable: Playable,
    /// What was made before it could be told.
    pub(super) untold: Vec<Made>,
    pub(super) child: Option<Child>,
    pub(super) recent: Recent,
    /// Decode time of the newest unit of each track, against repeats after a redial.
    pub(super) seen: Vec<(TrackId, MediaTime)>,
    pub(super) draining: Option<Next>,
    /// Where the epoch ends because the source is unfit or rungs are left out; what comes before still belongs to it.
    pub(super) unfit_at: Option<(u64, MediaTime)>,
    pub(super) next_seq: u64,
    pub(super) next_index: u32,
    /// A stored epoch that may be continued.
    pub(super) stored: Option<(Presentation, i64)>,
    pub(super) passthrough: bool,
    pub(super) encode: bool,
    /// Rungs that this source epoch goes without, because the machine cannot encode them in time.
    pub(super) shed: Vec<String>,
    /// Those that it goes without from the next boundary on.
    pub(super) shedding: Vec<String>,
    /// The epoch before that boundary, while the child works on it.
    pub(super) retiring: Option<Retiring>,
    pub(super) lagging: Lagging,
    /// It has been said that this broadcast cannot be encoded in time.
    pub(super) behind_told: bool,
    /// What the child makes of this epoch; where it starts is filled in each time.
    pub(super) child_config: Option<wire::Config>,
    /// The stored epoch that goes on, until the child has shown that it makes the same.
    pub(super) continuing: Option<(Presentation, i64)>,
    /// Viewers may be in the middle of another worker's segment.
    pub(super) crossing: Crossing,
    /// Where the last epoch ended.
    pub(super) end_90k: i64,
    /// The children that were replaced lately.
    pub(super) replaced: Vec<Replaced>,
    /// When a child is started in the place of one that is gone.
    pub(super) replace_at: Option<Instant>,
    pub(super) acked_90k: i64,
    /// What the replay lacks, in words.
    pub(super) harm: String,
    pub(super) ended: Option<String>,
}

/// Runs a broadcast until it is over.
pub(super) async fn run(shared: Arc<Broadcast>, tools: Tools) -> Outcome {
    let assignment = shared.assignment.clone();
    let Some(latency) = LatencyMode::parse(&assignment.latency_mode) else {
        return Outcome::GaveUp(format!("latency mode {:?} is unknown", assignment.latency_mode));
    };
    let mut backoff = Backoff::new(REDIAL_FIRST, REDIAL_CAP);
    let resume = loop {
        let read = resume::read(&tools.store, &assignment.tenant_id, &assignment.broadcast_id);
        tokio::select! {
            () = shared.stop.cancelled() => return Outcome::Replaced,
            read = read => match read {
                Ok(resume) => break resume,
                Err(error) => {
                    let id = &assignment.broadcast_id;
                    tracing::warn!(error = format!("{error:#}"), "what is stored of {id} cannot be read yet; trying again");
                    backoff.wait().await;
                }
            }
        }
    };
    let mut runner = Runner::new(shared, tools, latency, &resume);
    match runner.serve().await {
        Ok((reason, link)) => {
            let (shared, tools) = (runner.shared.clone(), runner.tools.clone());
            tokio::select! {
                () = shared.stop.cancelled() => Outcome::Replaced,
                outcome = async {
                    runner.settle(link.as_ref()).await;
                    finish::finish(&shared, &tools, &reason, &runner.harm).await
                } => outcome,
            }
        }
        Err(outcome) => outcome,
    }
}

impl Runner {
    fn new(shared: Arc<Broadcast>, tools: Tools, latency: LatencyMode, resume: &Resume) -> Self {
        for epoch in &resume.epochs {
            shared.hub.epoch(messages::epoch(epoch));
        }
        let uploads = Uploads::start(
            tools.store.clone(),
            tools.spool.clone(),
            tools.limits,
            resume.seq,
            resume.at_90k,
        );
        if resume.seq > 0 {
            tracing::info!(
                segment.seq = resume.seq,
                "going on with segment {} at {} ms",
                resume.seq,
                resume.at_90k / 90
            );
        }
        // Plain players load whole segments, and the next one is ours from its start.
        let stills = Stills::new(tools.desk.clone(), tools.store.clone(), &shared.assignment);
        let taken_over = latency == LatencyMode::Low && (shared.assignment.generation > 1 || resume.seq > 0);
        let crossing = if taken_over { Crossing::Awaited } else { Crossing::Never };
        Self {
            crossing,
            shared,
            tools,
            latency,
            uploads,
            stills,
            source: None,
            packager: None,
            told: false,
            playable: Playable::default(),
            untold: Vec::new(),
            child: None,
            recent: Recent::default(),
            seen: Vec::new(),
            draining: None,
            unfit_at: None,
            next_seq: resume.seq,
            next_index: resume.epochs.last().map_or(0, |e| e.index + 1),
            stored: resume.epochs.last().map(|e| (e.clone(), resume.at_90k)),
            passthrough: true,
            encode: true,
            shed: Vec::new(),
            shedding: Vec::new(),
            retiring: None,
            lagging: Lagging::default(),
            behind_told: false,
            child_config: None,
            continuing: None,
            end_90k: resume.at_90k,
            replaced: Vec::new(),
            replace_at: None,
            acked_90k: 0,
            harm: String::new(),
            ended: None,
        }
    }

    /// Takes in and gives out until the source has ended; the reason of the end, and the link to acknowledge on.
    async fn serve(&mut self) -> Result<(String, Option<Link>), Outcome> {
        let mut edge = self.shared.edge_url.subscribe();
        let (stop, finish) = (self.shared.stop.clone(), self.shared.finish.clone());
        let mut backoff = Backoff::new(REDIAL_FIRST, REDIAL_CAP);
        let mut link: Option<Link> = None;
        // Kept across turns of the loop: an attempt takes longer than a tick of the watchdog.
        let mut dialling: Option<BoxFuture<'static, Result<Link, Status>>> = None;
        let mut watch = tokio::time::interval(WATCH_EVERY);
        watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if let Some(reason) = self.ended.take() {
                return Ok((reason, link));
            }
            let behind = self.child.as_ref().is_some_and(Child::behind);
            let open = self.draining.is_none() && !behind && !self.uploads.standing().full;
            if link.is_none() && dialling.is_none() && open {
                dialling = Some(self.dial(edge.borrow_and_update().clone(), backoff.delay()));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Outcome::Replaced),
                () = finish.cancelled(), if self.draining.is_none() => self.drain(Next::End("released".into())),
                Ok(()) = edge.changed() => (link, dialling) = (None, None),
                said = hear(&mut self.child), if self.child.is_some() => self.heard(said).await,
                () = self.uploads.changed() => {
                    self.shared.hub.stored(self.uploads.standing().durable_seq);
                    if let Some(link) = &link {
                        self.ack(link);
                    }
                }
                _ = watch.tick() => self.watch().await,
                event = next(&mut link), if open && link.is_some() => match event {
                    Ok(event) => {
                        backoff.reset();
                        self.event(event);
                    }
                    Err(status) if status.code() == Code::Aborted => return Err(Outcome::Replaced),
                    Err(status) => {
                        self.shared.link_is(false);
                        tracing::warn!(%status, "the media link broke; dialling again");
                        link = None;
                    }
                },
                dialled = answer(&mut dialling), if dialling.is_some() => {
                    dialling = None;
                    self.shared.link_is(dialled.is_ok());
                    match dialled {
                        Ok(dialled) => link = Some(dialled),
                        Err(status) if status.code() == Code::Aborted => return Err(Outcome::Replaced),
                        Err(status) => tracing::debug!(%status, "the edge cannot be reached"),
                    }
                }
            }
        }
    }

    /// Dials the edge after a wait.
    fn dial(&self, url: String, wait: Duration) -> BoxFuture<'static, Result<Link, Status>> {
        let (streams, assignment) = (self.tools.streams.clone(), self.shared.assignment.clone());
        let resume_90k = self.uploads.standing().durable_90k;
        Box::pin(async move {
            tokio::time::sleep(wait).await;
            Link::dial(
                &url,
                &streams,
                &assignment.broadcast_id,
                assignment.generation,
                resume_90k,
            )
            .await
        })
    }

    /// Waits until everything is stored, and says so to the edge.
    async fn settle(&mut self, link: Option<&Link>) {
        loop {
            if let Some(link) = link {
                self.ack(link);
            }
            if self.uploads.settled() {
                return;
            }
            self.uploads.changed().await;
        }
    }

    fn ack(&mut self, link: &Link) {
        let durable_90k = self.uploads.standing().durable_90k;
        if durable_90k > self.acked_90k && link.ack(durable_90k) {
            self.acked_90k = durable_90k;
        }
    }

    fn event(&mut self, event: PullEvent) {
        match event.kind {
            Some(pull_event::Kind::Unit(unit)) => {
                let Some(epoch) = &self.source else { return };
                let arrival_us = unit.arrival_us;
                match unit_from_proto(unit, epoch) {
                    Ok(unit) => self.unit(unit, arrival_us),
                    Err(error) => tracing::warn!(%error, "the edge sent a unit that cannot be used"),
                }
            }
            Some(pull_event::Kind::Epoch(epoch)) => match epoch_from_proto(epoch) {
                Ok(epoch) if self.source.as_ref().is_some_and(|s| s.index == epoch.index) => {}
                Ok(epoch) => self.drain(Next::Epoch(Box::new(epoch))),
                Err(error) => tracing::error!(%error, "the edge began an epoch that cannot be used"),
            },
            Some(pull_event::Kind::Paused(_)) => self.drain(Next::Idle),
            Some(pull_event::Kind::End(end)) => self.drain(Next::End(end.reason)),
            Some(pull_event::Kind::Lost(lost)) => {
                metrics::counter!("worker_media_lost_ms_total")
                    .increment(u64::try_from((lost.to_90k - lost.from_90k) / 90).unwrap_or(0));
                tracing::error!(
                    "media from {} ms to {} ms was lost at the edge",
                    lost.from_90k / 90,
                    lost.to_90k / 90
                );
                if let Some(source) = self.source.clone() {
                    self.drain(Next::Epoch(Box::new(source)));
                }
            }
            None => {}
        }
    }

    /// Takes the next unit of the source.
    fn unit(&mut self, unit: AccessUnit, arrival_us: i64) {
        match self.seen.iter_mut().find(|(track, _)| *track == unit.track) {
            Some((_, last)) if unit.dts <= *last => return,
            Some((_, last)) => *last = unit.dts,
            None => self.seen.push((unit.track, unit.dts)),
        }
        let kind = match self.track_kind(unit.track) {
            Some(kind) => kind,
            None => return,
        };
        let held = Held {
            unit,
            kind,
            arrival_us,
            force_idr: false,
        };
        if self.packager.is_none() && !self.opens(&held) {
            if kind == TrackKind::Audio {
                self.recent.push(held);
            }
            return;
        }
        self.recent.push(held.clone());
        if self.packager.is_none() {
            self.open(&held);
        } else {
            self.feed(held);
        }
        self.pump();
    }

    fn track_kind(&self, track: TrackId) -> Option<TrackKind> {
        let tracks = &self.source.as_ref()?.tracks;
        tracks.iter().find(|t| t.id == track).map(|t| t.config.kind())
    }

    /// Whether a presentation can begin with this unit.
    fn opens(&self, held: &Held) -> bool {
        let Some(source) = &self.source else { return false };
        let video = source.tracks.iter().any(|t| t.config.kind() == TrackKind::Video);
        held.unit.key && (held.kind == TrackKind::Video) == video
    }

    /// Gives a unit to the packager and the child.
    fn feed(&mut self, mut held: Held) {
        if let Some((seq, at)) = self.unfit_at {
            return self.feed_before(&held, seq, at);
        }
        let Some(packager) = &mut self.packager else { return };
        let pushed = packager.push(&held);
        if let Some((seq, at, cause)) = pushed.unfit {
            self.unfit(seq, at, cause);
            return self.feed_before(&held, seq, at);
        }
        if let Some((seq, at)) = pushed.switch {
            if self.shedding.is_empty() {
                return self.switch(seq, at, &held);
            }
            packager.stop_at(at);
            self.unfit_at = Some((seq, at));
            return self.feed_before(&held, seq, at);
        }
        if pushed.force_idr {
            held.force_idr = true;
            self.recent.mark_newest();
        }
        if held.unit.key
            && held.kind == TrackKind::Video
            && let Some(from) = packager.needed_from()
        {
            let retiring = self.retiring.as_ref().and_then(|r| r.packager.needed_from());
            self.recent.trim(retiring.map_or(from, |retiring| retiring.min(from)));
        }
        self.encode(&held);
    }

    /// The epoch ends at `at`: only what is shown or sounds before it is given to it. Once everything that comes was
    /// decoded after it, the next epoch begins.
    fn feed_before(&mut self, held: &Held, seq: u64, at: MediaTime) {
        if held.unit.pts < at {
            if let Some(packager) = &mut self.packager {
                packager.take(held);
            }
            self.encode(held);
        }
        let passed = |(_, dts): &(TrackId, MediaTime)| *dts >= at;
        let long_passed = held.unit.dts >= at.plus(i64::from(at.scale.get()));
        if long_passed || self.seen.iter().all(passed) {
            self.unfit_at = None;
            if self.shedding.is_empty() {
                self.drain(Next::Grid(seq, at));
            } else {
                self.shed_at(seq, at);
            }
        }
    }

    /// Gives a unit to the child, where there is one and it encodes such units.
    fn encode(&mut self, held: &Held) {
        let wanted = self
            .child_config
            .as_ref()
            .is_some_and(|config| encodes(config, held.kind));
        if let Some(child) = self.child.as_mut().filter(|_| wanted) {
            child.say(to_child::Kind::Unit(wire_unit(held)));
        }
    }
}

async fn hear(child: &mut Option<Child>) -> Option<from_child::Kind> {
    match child {
        Some(child) => child.hear().await,
        None => std::future::pending().await,
    }
}

async fn next(link: &mut Option<Link>) -> Result<PullEvent, Status> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

async fn answer(dialling: &mut Option<BoxFuture<'static, Result<Link, Status>>>) -> Result<Link, Status> {
    match dialling {
        Some(dialling) => dialling.await,
        None => std::future::pending().await,
    }
}
