//! A farm in memory: workers that beat, answer or refuse, broadcasts that come and go. Plans act on it as they would
//! on the real one.

use std::collections::{BTreeMap, BTreeSet};

use headwater_model::heartbeat::Capacity;
use headwater_model::ladder::{Ladder, Policy, Source, Video, VideoCodec};
use headwater_model::{BroadcastId, BroadcastState, WorkerId};

use crate::plan::*;

/// Heartbeats and looks come this often, milliseconds.
pub(super) const BEAT_MS: i64 = 1_000;
pub(super) const LOOK_MS: i64 = 500;

/// What a 1080p30 publisher at 4.5 Mbit/s gets.
pub(super) fn ladder(policy: &Policy) -> Ladder {
    let video = Video {
        codec: VideoCodec::H264Common,
        width: 1920,
        height: 1080,
        sar_num: 1,
        sar_den: 1,
        fps_milli: 30_000,
        bitrate_bps: 4_500_000,
    };
    Ladder::fit(
        policy,
        &Source {
            video: Some(video),
            audio: true,
        },
    )
}

#[derive(Clone, Default)]
pub(super) struct SimWorker {
    pub(super) capacity: Capacity,
    pub(super) draining: bool,
    pub(super) silent: bool,
    pub(super) refuses: bool,
    pub(super) running: BTreeMap<BroadcastId, u64>,
    /// What its last heartbeat said, and when it was read.
    pub(super) said: BTreeMap<(BroadcastId, u64), RunningView>,
    pub(super) heard_at: Option<Timestamp>,
    pub(super) refused_at: Option<Timestamp>,
}

#[derive(Clone)]
pub(super) struct SimBroadcast {
    pub(super) view: BroadcastView,
    pub(super) edge_down_since: Option<Timestamp>,
    /// What its worker says that it encodes, pixels per second.
    pub(super) encode_px_per_s: u64,
}

#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) hints: HintsView,
    pub(super) workers: BTreeMap<WorkerId, SimWorker>,
    pub(super) broadcasts: BTreeMap<BroadcastId, SimBroadcast>,
    pub(super) ended: BTreeSet<BroadcastId>,
    /// The newest generation that any lease of a broadcast ever had, kept after its end.
    pub(super) generations: BTreeMap<BroadcastId, u64>,
    unclaimed: BTreeMap<(WorkerId, BroadcastId, u64), Timestamp>,
}

impl World {
    pub(super) fn new() -> Self {
        let begun = Timestamp(1_000_000);
        Self {
            now: begun,
            hints: HintsView {
                reachable: true,
                since: Timestamp(0),
            },
            ..Self::default()
        }
    }

    pub(super) fn open(&mut self, id: BroadcastId, wanted: Ladder, window_ms: i64) {
        let view = BroadcastView {
            state: BroadcastState::Live,
            opened_at: self.now,
            edge_url: "http://edge-1".into(),
            wanted,
            window_ms,
            away: None,
            finishing: None,
            lease: None,
        };
        self.broadcasts.insert(
            id,
            SimBroadcast {
                view,
                edge_down_since: None,
                encode_px_per_s: 0,
            },
        );
    }

    pub(super) fn away(&mut self, id: BroadcastId, cause: AwayCause) {
        let now = self.now;
        if let Some(b) = self.broadcasts.get_mut(&id)
            && b.view.state == BroadcastState::Live
        {
            b.view.state = BroadcastState::Reconnecting;
            b.view.away = Some(Away { since: now, cause });
        }
    }

    pub(super) fn back(&mut self, id: BroadcastId) {
        if let Some(b) = self.broadcasts.get_mut(&id)
            && b.view.state == BroadcastState::Reconnecting
        {
            b.view.state = BroadcastState::Live;
            b.view.away = None;
        }
    }

    pub(super) fn finish(&mut self, id: BroadcastId, cause: FinishCause) {
        let now = self.now;
        if let Some(b) = self.broadcasts.get_mut(&id)
            && b.view.state.open()
        {
            b.view.state = BroadcastState::Finishing;
            b.view.away = None;
            b.view.finishing = Some(Finishing { since: now, cause });
        }
    }

    pub(super) fn end(&mut self, id: BroadcastId) {
        self.broadcasts.remove(&id);
        self.ended.insert(id);
    }

    /// Time goes on. Beats are read at whole seconds.
    pub(super) fn advance(&mut self, ms: i64) {
        self.now = Timestamp(self.now.0 + ms);
        if self.now.0 % BEAT_MS == 0 {
            self.beat();
        }
    }

    /// Every worker that is not silent is heard, if anybody is.
    pub(super) fn beat(&mut self) {
        if !self.hints.reachable {
            return;
        }
        let now = self.now;
        let down_ms = |id: &BroadcastId| {
            let since = self.broadcasts.get(id).and_then(|b| b.edge_down_since);
            since.map_or(0, |since| now.ms_since(since).unsigned_abs())
        };
        for worker in self.workers.values_mut().filter(|worker| !worker.silent) {
            worker.heard_at = Some(now);
            let said = worker.running.iter().map(|(id, generation)| {
                let view = RunningView {
                    link_down_ms: down_ms(id),
                    encode_px_per_s: self.broadcasts.get(id).map_or(0, |b| b.encode_px_per_s),
                    unclaimed_since: None,
                };
                ((*id, *generation), view)
            });
            worker.said = said.collect();
        }
    }

    pub(super) fn view(&mut self) -> FarmView {
        let mut workers = BTreeMap::new();
        let mut unclaimed = BTreeMap::new();
        for (id, worker) in &self.workers {
            let Some(heard_at) = worker.heard_at else { continue };
            let mut running = worker.said.clone();
            for ((broadcast, generation), named) in &mut running {
                if !self.broadcasts.contains_key(broadcast) {
                    let key = (*id, *broadcast, *generation);
                    let since = self.unclaimed.get(&key).copied().unwrap_or(self.now);
                    unclaimed.insert(key, since);
                    named.unclaimed_since = Some(since);
                }
            }
            let view = WorkerView {
                url: format!("http://{id}"),
                capacity: worker.capacity,
                draining: worker.draining,
                heard_at,
                refused_at: worker.refused_at,
                running,
            };
            workers.insert(*id, view);
        }
        self.unclaimed = unclaimed;
        let broadcasts = self.broadcasts.iter().map(|(id, b)| (*id, b.view.clone())).collect();
        FarmView {
            hints: self.hints,
            workers,
            broadcasts,
        }
    }

    /// Does what a plan says, as PostgreSQL and the workers would.
    pub(super) fn apply(&mut self, plan: &Plan) {
        for action in &plan.actions {
            match action {
                Action::Grant {
                    broadcast,
                    generation,
                    worker,
                    ladder,
                    replaces,
                    ..
                } => {
                    let known = self.broadcasts.get_mut(broadcast).expect("planned from this world");
                    assert_eq!(
                        known.view.lease.as_ref().map(|lease| lease.generation),
                        *replaces,
                        "the fence holds"
                    );
                    let newest = self.generations.insert(*broadcast, *generation).unwrap_or(0);
                    assert!(
                        *generation > newest,
                        "generation {generation} of {broadcast} after {newest}"
                    );
                    known.view.lease = Some(LeaseView {
                        generation: *generation,
                        worker: *worker,
                        ladder: ladder.clone(),
                        wanted: known.view.wanted.clone(),
                        acked: None,
                    });
                }
                Action::Assign {
                    broadcast,
                    generation,
                    worker,
                } => self.assign(*broadcast, *generation, *worker),
                Action::Release {
                    broadcast,
                    generation,
                    worker,
                    finish,
                } => {
                    self.release(*broadcast, *generation, *worker, *finish);
                }
                Action::Away(id) => self.away(*id, AwayCause::Link),
                Action::Return(id) => self.back(*id),
                Action::Finish(id) => self.finish(*id, FinishCause::Window),
                Action::GiveUp(id) => self.end(*id),
            }
        }
    }

    fn assign(&mut self, id: BroadcastId, generation: u64, worker: WorkerId) {
        let now = self.now;
        let Some(sim) = self.workers.get_mut(&worker) else {
            return;
        };
        if sim.refuses {
            sim.refused_at = Some(now);
            return;
        }
        sim.refused_at = None;
        let held = sim.running.entry(id).or_default();
        assert!(
            *held <= generation,
            "a worker is never sent back to an older generation"
        );
        *held = generation;
        let lease = self
            .broadcasts
            .get_mut(&id)
            .and_then(|b| Some((b.view.edge_url.clone(), b.view.lease.as_mut()?)));
        if let Some((edge_url, lease)) = lease
            && lease.generation == generation
        {
            lease.acked = Some(Acked { edge_url, at: now });
        }
    }

    fn release(&mut self, id: BroadcastId, generation: u64, worker: WorkerId, finish: bool) {
        let Some(sim) = self.workers.get_mut(&worker) else {
            return;
        };
        if sim.refuses || sim.running.get(&id) != Some(&generation) {
            return;
        }
        sim.running.remove(&id);
        let newest = self
            .broadcasts
            .get(&id)
            .and_then(|b| b.view.lease.as_ref())
            .map(|lease| lease.generation);
        if finish && newest == Some(generation) {
            self.end(id);
        }
    }
}
