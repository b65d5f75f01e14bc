//! Which broadcasts run here, under which generation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_model::health;
use headwater_model::heartbeat::Running;
use headwater_model::proto::worker::Assignment;
use headwater_model::{BroadcastId, TenantId};
use headwater_platform::hints::Entry;
use headwater_platform::{Process, rpc};
use tokio_util::task::TaskTracker;
use tonic::Status;
use tracing::Instrument as _;

use crate::broadcast::{Broadcast, Outcome, Tools};

/// Broadcasts that one worker runs at most, whatever the scheduler thinks.
const BROADCASTS_MAX: usize = 2_048;
/// A finished broadcast stays this long, so that origins learn of its end.
const ENDED_KEPT: Duration = Duration::from_secs(60);

/// The broadcasts of this worker.
pub(crate) struct Broadcasts {
    tools: Tools,
    process: Process,
    tasks: TaskTracker,
    running: Mutex<HashMap<String, Arc<Broadcast>>>,
}

impl Broadcasts {
    pub(crate) fn new(tools: Tools, process: Process) -> Self {
        Self {
            tools,
            process,
            tasks: TaskTracker::new(),
            running: Mutex::new(HashMap::new()),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<Broadcast>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a broadcast, re-points it, or replaces the run of a lower generation.
    pub(crate) fn assign(self: &Arc<Self>, assignment: Assignment) -> Result<(), Status> {
        if assignment.tenant_id.is_empty() || assignment.broadcast_id.is_empty() {
            return Err(Status::invalid_argument("an assignment names a tenant and a broadcast"));
        }
        let id = assignment.broadcast_id.clone();
        let mut running = self.running();
        if let Some(known) = running.get(&id) {
            let held = known.assignment.generation;
            if assignment.generation < held {
                return Err(Status::aborted(format!("{id} runs here under generation {held}")));
            }
            if assignment.generation == held {
                known.move_to(&assignment.edge_url);
                return Ok(());
            }
            known.stop.cancel();
            known.hub.close();
        } else if running.len() >= BROADCASTS_MAX {
            return Err(Status::resource_exhausted(format!(
                "this worker runs {BROADCASTS_MAX} broadcasts already"
            )));
        }
        let broadcast = Broadcast::new(assignment, self.tools.window_ms);
        running.insert(id, broadcast.clone());
        metrics::gauge!("worker_broadcasts").set(running.len() as f64);
        drop(running);
        self.start(broadcast);
        Ok(())
    }

    fn start(self: &Arc<Self>, broadcast: Arc<Broadcast>) {
        let assignment = &broadcast.assignment;
        let span = tracing::info_span!(
            "worker.transcode",
            tenant.id = %assignment.tenant_id,
            channel.id = %assignment.channel_id,
            broadcast.id = %assignment.broadcast_id,
            lease.generation = assignment.generation
        );
        rpc::follow_traceparent(&span, &assignment.traceparent);
        let this = self.clone();
        let shutdown = self.process.shutdown.clone();
        self.tasks.spawn(
            async move {
                let id = broadcast.assignment.broadcast_id.clone();
                tracing::info!(
                    "broadcast {id} starts under generation {}",
                    broadcast.assignment.generation
                );
                let outcome = broadcast.clone().run(this.tools.clone()).await;
                match &outcome {
                    Outcome::GaveUp(why) => tracing::error!("broadcast {id} is given up: {why}"),
                    outcome => tracing::info!("broadcast {id} ends here: {outcome:?}"),
                }
                broadcast.hub.close();
                if outcome == Outcome::Finished {
                    tokio::select! {
                        () = tokio::time::sleep(ENDED_KEPT) => {}
                        () = shutdown.cancelled() => {}
                    }
                }
                let mut running = this.running();
                if running.get(&id).is_some_and(|b| Arc::ptr_eq(b, &broadcast)) {
                    running.remove(&id);
                }
                metrics::gauge!("worker_broadcasts").set(running.len() as f64);
            }
            .instrument(span),
        );
    }

    /// Gives a broadcast up; with `finish`, its replay is written first.
    pub(crate) fn release(&self, id: &str, generation: u64, finish: bool) -> Result<(), Status> {
        let Some(broadcast) = self.find(id) else { return Ok(()) };
        let held = broadcast.assignment.generation;
        if generation < held {
            return Err(Status::aborted(format!("{id} runs here under generation {held}")));
        }
        if finish {
            broadcast.finish.cancel()
        } else {
            broadcast.stop.cancel()
        }
        Ok(())
    }

    /// The broadcast of that id, if it runs here.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Broadcast>> {
        self.running().get(id).cloned()
    }

    /// What the heartbeat says.
    pub(crate) fn list(&self) -> Vec<Running> {
        let running = self.running();
        let say = |b: &Arc<Broadcast>| {
            Some(Running {
                broadcast_id: b.assignment.broadcast_id.parse().ok()?,
                generation: b.assignment.generation,
                link_down_ms: b.link_down_ms(),
                encode_px_per_s: b.encode_px_per_s(),
            })
        };
        running.values().filter_map(say).collect()
    }

    /// What is said of how they do, at this Unix millisecond.
    /// With each `tenant broadcast` where its issues have changed.
    pub(crate) fn reports(&self, now_ms: i64) -> Vec<(Entry, Option<String>)> {
        let running = self.running();
        let say = |b: &Arc<Broadcast>| {
            let tenant: TenantId = b.assignment.tenant_id.parse().ok()?;
            let broadcast: BroadcastId = b.assignment.broadcast_id.parse().ok()?;
            let report = b.health.look(now_ms).filter(|_| !b.ending())?;
            let entry = Entry {
                key: health::Source::Worker.key(tenant, broadcast),
                topic: health::topic(tenant, broadcast),
                value: report.to_json(),
            };
            Some((entry, b.health.turned().then(|| format!("{tenant} {broadcast}"))))
        };
        running.values().filter_map(say).collect()
    }

    /// Broadcasts with a codec child, and followers of all.
    pub(crate) fn load(&self) -> (usize, usize) {
        let running = self.running();
        let encoding = running.values().filter(|b| b.encoding()).count();
        (encoding, running.values().map(|b| b.hub.subscribers()).sum())
    }

    /// Stops every broadcast: what is not stored is still at the edges. One whose source has ended may finish within
    /// `limit`, for nobody else would write its replay before the scheduler notices.
    pub(crate) async fn stop(&self, limit: Duration) {
        let (ending, others): (Vec<_>, Vec<_>) = self.running().values().cloned().partition(|b| b.ending());
        for broadcast in others {
            broadcast.stop.cancel();
            broadcast.hub.close();
        }
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!("{} replays were not written within {} s", ending.len(), limit.as_secs());
            ending.iter().for_each(|b| b.stop.cancel());
        }
    }
}
