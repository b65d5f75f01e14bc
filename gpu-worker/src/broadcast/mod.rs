//! One broadcast on this worker, from the edge's units to stored segments and live parts.
//!
//! ```text
//! edge ── Link ──► Runner ──► Packager ──► Hub (subscribers), Uploads (store) ──► Ack
//!                    │  ▲
//!                    ▼  │
//!                  Child (codecs)
//! ```
//!
//! A broadcast is one task. What it does in which order: [`runner`]. A panic in it ends that task alone; it is started
//! again from what is stored, a few times.

mod child;
mod epochs;
mod finish;
mod health;
mod hub;
mod lag;
mod line;
mod link;
mod messages;
mod minding;
mod output;
mod packager;
mod plan;
mod playable;
mod recent;
mod runner;
mod shedding;
mod stills;
#[cfg(test)]
mod tests;
mod watchdog;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headwater_media::segmenter::LatencyMode;
use headwater_model::proto::worker::{Assignment, Presentation};
use headwater_platform::clock::WallClock;
use headwater_platform::rpc::{RpcConfig, Streams};
use headwater_platform::store::SharedStore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub(crate) use child::Child;
pub(crate) use health::Health;
pub(crate) use hub::Hub;
pub(crate) use runner::Outcome;

use self::plan::Plan;
use crate::still::Desk;
use crate::storage::spool::Spool;
use crate::storage::upload;

/// Panics of one broadcast's task before it is given up.
const PANICS_MAX: u32 = 3;

/// What every broadcast of a worker shares.
#[derive(Clone)]
pub(crate) struct Tools {
    pub worker_id: String,
    pub store: SharedStore,
    pub spool: Spool,
    pub limits: upload::Limits,
    pub rpc: RpcConfig,
    /// The links to edges.
    pub streams: Arc<Streams>,
    pub scheduler_url: String,
    pub transcoder: PathBuf,
    /// Where thumbnails are made.
    pub desk: Desk,
    pub preset: String,
    pub audio_bps: u32,
    pub window_ms: u64,
    pub stall: Duration,
    pub clock: WallClock,
}

/// A broadcast as the worker's services see it.
pub(crate) struct Broadcast {
    pub(crate) assignment: Assignment,
    pub(crate) hub: Hub,
    /// Ends the task at once.
    pub(crate) stop: CancellationToken,
    /// Ends it in order: store what is left, write the replay.
    pub(crate) finish: CancellationToken,
    /// Where the publisher's edge is; changes when it moves.
    edge_url: watch::Sender<String>,
    /// Milliseconds since `since` at which the link broke, plus one; 0 while it is up.
    link_down: AtomicU64,
    since: Instant,
    /// How it goes.
    pub(crate) health: Health,
    encoding: AtomicBool,
    /// Pixels per second that it encodes.
    encode_px_per_s: AtomicU64,
    /// The source has ended: what is left is to store and to write the replay.
    ending: AtomicBool,
}

impl Broadcast {
    /// Takes an assignment. Nothing runs yet.
    pub(crate) fn new(assignment: Assignment, window_ms: u64) -> Arc<Self> {
        let latency = LatencyMode::parse(&assignment.latency_mode).unwrap_or(LatencyMode::Low);
        let presentation = Presentation {
            tenant_id: assignment.tenant_id.clone(),
            broadcast_id: assignment.broadcast_id.clone(),
            generation: assignment.generation,
            target_duration_s: latency.target_duration_s(),
            part_target_ms: latency.part_target_ms(),
            latency_mode: latency.as_str().to_owned(),
            epochs: Vec::new(),
        };
        Arc::new(Self {
            edge_url: watch::Sender::new(assignment.edge_url.clone()),
            hub: Hub::new(presentation, window_ms),
            health: Health::new(latency, &assignment.left_out),
            assignment,
            stop: CancellationToken::new(),
            finish: CancellationToken::new(),
            link_down: AtomicU64::new(0),
            since: Instant::now(),
            encoding: AtomicBool::new(false),
            encode_px_per_s: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        })
    }

    /// The publisher is at another edge now.
    pub(crate) fn move_to(&self, edge_url: &str) {
        self.edge_url.send_if_modified(|url| {
            let moved = url != edge_url;
            edge_url.clone_into(url);
            moved
        });
    }

    /// How long the edge could not be reached, milliseconds; 0 while the link is up.
    pub(crate) fn link_down_ms(&self) -> u64 {
        match self.link_down.load(Ordering::Relaxed) {
            0 => 0,
            at => (self.since.elapsed().as_millis() as u64 + 1).saturating_sub(at).max(1),
        }
    }

    /// Pixels per second that its codec child encodes, over all renditions.
    pub(crate) fn encode_px_per_s(&self) -> u64 {
        self.encode_px_per_s.load(Ordering::Relaxed)
    }

    /// Whether a codec child runs for it.
    pub(crate) fn encoding(&self) -> bool {
        self.encoding.load(Ordering::Relaxed)
    }

    /// Whether the source has ended, so that only the replay is left to write.
    pub(crate) fn ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// What its codec child is to make from now on.
    fn encodes(&self, plan: Option<&Plan>) {
        let encoding = plan.is_some_and(|plan| plan.child.is_some());
        self.encoding.store(encoding, Ordering::Relaxed);
        self.encode_px_per_s
            .store(plan.map_or(0, Plan::encode_px_per_s), Ordering::Relaxed);
    }

    fn link_is(&self, up: bool) {
        let now = self.since.elapsed().as_millis() as u64 + 1;
        if up {
            self.link_down.store(0, Ordering::Relaxed);
        } else {
            // Keeps the first moment of a longer outage.
            let _ = self
                .link_down
                .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Runs until it is over one way or another.
    pub(crate) async fn run(self: Arc<Self>, tools: Tools) -> Outcome {
        for panics in 1..=PANICS_MAX {
            let task = tokio::spawn(runner::run(self.clone(), tools.clone()).in_current_span());
            match task.await {
                Ok(Outcome::GaveUp(why)) => return self.give_up(&tools, why).await,
                Ok(outcome) => return outcome,
                Err(error) => {
                    let id = &self.assignment.broadcast_id;
                    metrics::counter!("worker_broadcast_panics_total").increment(1);
                    tracing::error!(%error, panics, broadcast.id = %id, "the task of {id} panicked; starting it from what is stored");
                }
            }
        }
        self.give_up(&tools, "the broadcast's task panicked again and again".into())
            .await
    }

    async fn give_up(&self, tools: &Tools, why: String) -> Outcome {
        tokio::select! {
            () = self.stop.cancelled() => Outcome::Replaced,
            () = finish::give_up(self, tools, &why) => Outcome::GaveUp(why),
        }
    }
}
