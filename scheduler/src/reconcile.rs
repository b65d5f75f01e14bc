//! Look, decide, act, again: woken when something happened and on a timer, and told nothing about what.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use headwater_model::heartbeat::HEARTBEAT_KEY_PREFIX;
use headwater_model::{BroadcastId, BroadcastState};
use headwater_platform::Process;
use headwater_platform::hints::SharedHints;
use headwater_platform::rpc::RpcConfig;
use sqlx::PgConnection;
use tokio::sync::Notify;
use tracing::Instrument as _;

use crate::announce::Announcer;
use crate::broadcast::{self, Unfinished};
use crate::clock::SteadyClock;
use crate::database::{Candidate, Database, DatabaseError};
use crate::dial::{Dialler, Kind, Outcome};
use crate::execute::Execution;
use crate::lease::{self, RENEW_EVERY_MS};
use crate::observe::Memory;
use crate::plan::{self, FarmView, Plan, Timestamp};

/// Longest between two looks.
const TICK: Duration = Duration::from_millis(500);
/// A look that takes longer ends the lead: PostgreSQL is as good as gone.
const TICK_LIMIT: Duration = Duration::from_secs(10);
/// A standby asks for the lead this often.
const STANDBY_EVERY: Duration = Duration::from_millis(500);

/// What the loop and the calls of edges and workers share.
pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) hints: SharedHints,
    pub(crate) clock: SteadyClock,
    pub(crate) announcer: Announcer,
    wake: Notify,
    leads: AtomicBool,
}

impl Shared {
    pub(crate) fn new(database: Database, hints: SharedHints, announcer: Announcer) -> Self {
        Self {
            database,
            hints,
            clock: SteadyClock::new(),
            announcer,
            wake: Notify::new(),
            leads: AtomicBool::new(false),
        }
    }

    /// Something has changed: look now.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether this scheduler is the one that acts.
    pub(crate) fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    fn set_leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::Release);
        metrics::gauge!("scheduler_leader").set(if leads { 1.0 } else { 0.0 });
    }
}

/// Stands by, leads when nobody does, stands by again when the lead is lost; until shutdown.
pub(crate) async fn run(shared: Arc<Shared>, rpc: RpcConfig, process: Process) {
    let mut was_reached = true;
    while !process.shutdown.is_cancelled() {
        let ended = tokio::select! {
            () = process.shutdown.cancelled() => return,
            ended = stand_and_lead(&shared, &rpc, &process) => ended,
        };
        shared.set_leads(false);
        match ended {
            Ok(()) => return,
            Err(DatabaseError(error)) => {
                process
                    .health
                    .unready("leadership", format!("PostgreSQL does not answer: {error}"));
                if was_reached {
                    tracing::warn!("no placing until PostgreSQL answers; running broadcasts go on: {error}");
                }
                was_reached = false;
            }
        }
        tokio::select! {
            () = process.shutdown.cancelled() => return,
            () = tokio::time::sleep(STANDBY_EVERY) => {}
        }
    }
}

async fn stand_and_lead(shared: &Shared, rpc: &RpcConfig, process: &Process) -> Result<(), DatabaseError> {
    let mut candidate = shared.database.candidate().await?;
    let mut said = false;
    while !candidate.try_lead().await? {
        if !said {
            tracing::info!("standing by: another scheduler leads");
            process
                .health
                .unready("leadership", "standing by: another scheduler leads");
        }
        said = true;
        tokio::time::sleep(STANDBY_EVERY).await;
    }
    tracing::info!("leading");
    shared.set_leads(true);
    process.health.ready("leadership");
    let led = lead(shared, &mut candidate, rpc, process).await;
    shared.set_leads(false);
    candidate.close().await;
    led
}

/// Looks and acts until shutdown or until the database fails.
async fn lead(
    shared: &Shared,
    candidate: &mut Candidate,
    rpc: &RpcConfig,
    process: &Process,
) -> Result<(), DatabaseError> {
    let mut dialler = Dialler::new(rpc.clone());
    let mut memory = Memory::new(shared.clock.now());
    let mut renewed_at = Timestamp(0);
    let late = |_| DatabaseError(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
    loop {
        let span = tracing::debug_span!("scheduler.tick");
        let tick = tick(
            shared,
            candidate.connection(),
            &mut dialler,
            &mut memory,
            &mut renewed_at,
        )
        .instrument(span);
        tokio::time::timeout(TICK_LIMIT, tick).await.map_err(late)??;
        let next = tokio::time::sleep(TICK);
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = process.shutdown.cancelled() => return Ok(()),
                () = shared.wake.notified() => break,
                () = &mut next => break,
                outcome = dialler.next() => {
                    if settle(shared, candidate.connection(), &mut memory, outcome).await? {
                        break;
                    }
                }
            }
        }
    }
}

async fn tick(
    shared: &Shared,
    to: &mut PgConnection,
    dialler: &mut Dialler,
    memory: &mut Memory,
    renewed_at: &mut Timestamp,
) -> Result<(), DatabaseError> {
    // Heartbeats first: whatever a worker names was leased before, so the rows read after it hold its lease.
    let scan = shared.hints.scan(HEARTBEAT_KEY_PREFIX).await;
    memory.heard(scan, shared.clock.now());
    for ended in broadcast::end_as_asked(to, shared.clock.now()).await? {
        tracing::info!(broadcast.id = %ended, "{ended} is ended by its owner");
        shared.announcer.changed(ended);
    }
    let unfinished = broadcast::unfinished(to).await?;
    let now = shared.clock.now();
    let view = memory.view(&unfinished, now);
    let begun = Instant::now();
    let plan = plan::plan(&view, now);
    metrics::histogram!("scheduler_plan_seconds").record(begun.elapsed().as_secs_f64());
    measure(&view, &plan);
    let mut execution = Execution {
        to,
        announcer: &shared.announcer,
        dialler,
        memory,
        unfinished: &unfinished,
        now,
    };
    execution.run(&plan).await?;
    if now.ms_since(*renewed_at) >= RENEW_EVERY_MS {
        lease::renew(to, &held(&view, &unfinished), now).await?;
        *renewed_at = now;
    }
    Ok(())
}

/// The leases whose holders were heard to hold them.
fn held(view: &FarmView, unfinished: &Unfinished) -> Vec<(BroadcastId, u64)> {
    let leases = unfinished
        .known
        .iter()
        .filter_map(|(id, known)| Some((*id, known.view.lease.as_ref()?)));
    let heard = leases.filter(|(id, lease)| {
        view.workers
            .get(&lease.worker)
            .is_some_and(|worker| worker.running.contains_key(&(*id, lease.generation)))
    });
    heard.map(|(id, lease)| (id, lease.generation)).collect()
}

fn measure(view: &FarmView, plan: &Plan) {
    for state in [
        BroadcastState::Connecting,
        BroadcastState::Live,
        BroadcastState::Reconnecting,
        BroadcastState::Finishing,
    ] {
        let count = view
            .broadcasts
            .values()
            .filter(|broadcast| broadcast.state == state)
            .count();
        metrics::gauge!("scheduler_broadcasts", "state" => state.as_str()).set(count as f64);
    }
    metrics::gauge!("scheduler_workers").set(view.workers.len() as f64);
    metrics::gauge!("scheduler_broadcasts_unplaced").set(plan.unplaced.len() as f64);
    let offered: u64 = view
        .workers
        .values()
        .map(|worker| worker.capacity.encode_px_per_s)
        .sum();
    let leased = view
        .broadcasts
        .values()
        .filter_map(|broadcast| broadcast.lease.as_ref());
    let taken: u64 = leased.map(|lease| lease.ladder.cost().encode_px_per_s).sum();
    metrics::gauge!("scheduler_encode_px_per_s", "what" => "offered").set(offered as f64);
    metrics::gauge!("scheduler_encode_px_per_s", "what" => "taken").set(taken as f64);
}

/// Notes how a call ended. Says whether to look again at once.
async fn settle(
    shared: &Shared,
    to: &mut PgConnection,
    memory: &mut Memory,
    outcome: Outcome,
) -> Result<bool, DatabaseError> {
    let now = shared.clock.now();
    let call = outcome.call;
    let (broadcast, generation, worker) = (call.broadcast, call.generation, call.worker);
    match &outcome.result {
        Ok(()) => memory.answered(worker),
        Err(_) if outcome.unreachable() => memory.refused(worker, now),
        Err(_) => memory.answered(worker),
    }
    match (call.kind, &outcome.result) {
        (Kind::Assign, Ok(())) => {
            match lease::acknowledge(to, broadcast, generation, &outcome.edge_url, now).await {
                Ok(()) => shared.announcer.changed(broadcast),
                Err(lease::Error::Fenced { .. }) => {}
                Err(lease::Error::Database(error)) => return Err(error),
            }
            Ok(false)
        }
        (Kind::Assign, Err(status)) => {
            tracing::warn!(
                broadcast.id = %broadcast, lease.generation = generation, worker.id = %worker,
                "{worker} did not take {broadcast}: {} {}", status.code(), status.message(),
            );
            Ok(outcome.unreachable())
        }
        (Kind::Release { finish }, result) => {
            match result {
                Ok(()) => tracing::info!(
                    broadcast.id = %broadcast, lease.generation = generation, worker.id = %worker,
                    "{worker} lets go of {broadcast}, generation {generation}{}",
                    if finish { ", and writes its replay" } else { "" },
                ),
                Err(status) => tracing::warn!(
                    broadcast.id = %broadcast, lease.generation = generation, worker.id = %worker,
                    "{worker} did not let go of {broadcast}: {} {}", status.code(), status.message(),
                ),
            }
            Ok(false)
        }
    }
}
