//! Doing what the plan says. Every write is fenced and every call is safe to repeat, so a plan may be dropped half-way.

use headwater_model::proto::worker::Assignment;
use headwater_model::{BroadcastId, Ladder, WorkerId};
use sqlx::PgConnection;

use crate::announce::Announcer;
use crate::broadcast::{self, Known, Unfinished};
use crate::database::DatabaseError;
use crate::dial::Dialler;
use crate::lease;
use crate::observe::Memory;
use crate::plan::{Action, FinishCause, Plan, Timestamp};

/// One plan in the making.
pub(crate) struct Execution<'a> {
    pub(crate) to: &'a mut PgConnection,
    pub(crate) announcer: &'a Announcer,
    pub(crate) dialler: &'a mut Dialler,
    pub(crate) memory: &'a Memory,
    pub(crate) unfinished: &'a Unfinished,
    pub(crate) now: Timestamp,
}

/// A lease granted by this plan, still to be told to its worker.
struct Granted<'a> {
    broadcast: BroadcastId,
    generation: u64,
    ladder: &'a Ladder,
}

impl Execution<'_> {
    /// Does everything in order. Stops at the first failure of the database; what is fenced is passed over.
    pub(crate) async fn run(&mut self, plan: &Plan) -> Result<(), DatabaseError> {
        let mut granted: Option<Granted<'_>> = None;
        for action in &plan.actions {
            match action {
                Action::Grant {
                    broadcast,
                    generation,
                    ladder,
                    ..
                } => {
                    let written = self.grant(action).await?;
                    granted = written.then_some(Granted {
                        broadcast: *broadcast,
                        generation: *generation,
                        ladder,
                    });
                }
                Action::Assign {
                    broadcast,
                    generation,
                    worker,
                } => {
                    let fresh = granted
                        .take()
                        .filter(|g| g.broadcast == *broadcast && g.generation == *generation);
                    self.assign(*broadcast, *generation, *worker, fresh.map(|g| g.ladder));
                }
                Action::Release {
                    broadcast,
                    generation,
                    worker,
                    finish,
                } => {
                    if let Some(url) = self.memory.url(*worker).map(str::to_owned) {
                        self.dialler
                            .release(*worker, &url, *broadcast, *generation, *finish, self.now);
                    }
                }
                Action::Away(id) => {
                    let changed = broadcast::mark_away(self.to, *id, self.now).await?;
                    self.changed(*id, changed, "lost its edge: it waits for the publisher");
                }
                Action::Return(id) => {
                    let changed = broadcast::returned(&mut *self.to, *id, None).await?;
                    self.changed(*id, changed, "has its edge again");
                }
                Action::Finish(id) => {
                    let changed = broadcast::finishing(&mut *self.to, *id, None, FinishCause::Window, self.now).await?;
                    self.changed(*id, changed, "is finished: its publisher did not come back in time");
                }
                Action::GiveUp(id) => {
                    let changed = broadcast::give_up(self.to, *id, self.now).await?;
                    self.changed(*id, changed, "is given up: no worker was there to write its replay");
                }
            }
        }
        Ok(())
    }

    async fn grant(&mut self, action: &Action) -> Result<bool, DatabaseError> {
        let Action::Grant {
            broadcast,
            generation,
            worker,
            ladder,
            replaces,
            why,
        } = action
        else {
            return Ok(false);
        };
        let (Some(known), Some(url)) = (self.unfinished.known.get(broadcast), self.memory.url(*worker)) else {
            return Ok(false);
        };
        let new = lease::New {
            broadcast: *broadcast,
            generation: *generation,
            replaces: *replaces,
            worker: *worker,
            worker_url: url,
            ladder,
            wanted: &known.view.wanted,
        };
        match lease::grant(self.to, new, self.now).await {
            Ok(()) => {}
            Err(error @ lease::Error::Fenced { .. }) => {
                tracing::warn!(broadcast.id = %broadcast, lease.generation = generation, "did not place {broadcast}: {error}");
                return Ok(false);
            }
            Err(lease::Error::Database(error)) => return Err(error),
        }
        let whole = *ladder == known.view.wanted;
        metrics::counter!("scheduler_placements_total", "why" => why.as_str(), "whole" => whole.to_string())
            .increment(1);
        tracing::info!(
            broadcast.id = %broadcast,
            lease.generation = generation,
            worker.id = %worker,
            "placed {broadcast} on {worker} ({}), generation {generation}, {} of {} rungs",
            why.as_str(),
            ladder.video.len(),
            known.view.wanted.video.len(),
        );
        self.announcer.changed(*broadcast);
        Ok(true)
    }

    fn assign(&mut self, broadcast: BroadcastId, generation: u64, worker: WorkerId, fresh: Option<&Ladder>) {
        let Some(known) = self.unfinished.known.get(&broadcast) else {
            return;
        };
        // A grant that was fenced leaves nothing to tell: the lease in hand is another's.
        let held = known.view.lease.as_ref().filter(|lease| lease.generation == generation);
        let Some(ladder) = fresh.or(held.map(|lease| &lease.ladder)) else {
            return;
        };
        let url = self
            .memory
            .url(worker)
            .map(str::to_owned)
            .or_else(|| known.worker_url.clone());
        let Some(url) = url else { return };
        self.dialler
            .assign(worker, &url, assignment(known, generation, ladder), broadcast, self.now);
    }

    fn changed(&self, broadcast: BroadcastId, changed: bool, what: &str) {
        if changed {
            tracing::info!(broadcast.id = %broadcast, "{broadcast} {what}");
            self.announcer.changed(broadcast);
        }
    }
}

fn assignment(known: &Known, generation: u64, ladder: &Ladder) -> Assignment {
    Assignment {
        tenant_id: known.tenant_id.into(),
        channel_id: known.channel_id.into(),
        broadcast_id: known.id.into(),
        generation,
        edge_url: known.view.edge_url.clone(),
        latency_mode: known.latency_mode.clone(),
        ladder: ladder.to_proto(),
        traceparent: known.traceparent.clone(),
        anchor_wallclock_ms: known.anchor_ms,
        left_out: known.view.wanted.lacking(ladder),
    }
}
