//! Looking at the farm: heartbeats, remembered as long as they are of use, and the unfinished broadcasts beside them.

use std::collections::BTreeMap;

use headwater_model::heartbeat::Heartbeat;
use headwater_model::{BroadcastId, WorkerId};
use headwater_platform::hints::HintsError;

use crate::broadcast::Unfinished;
use crate::plan::{FarmView, HintsView, RunningView, Timestamp, WorkerView};

/// A worker unheard of for this long is forgotten, milliseconds.
const FORGET_AFTER_MS: i64 = 10 * 60_000;
/// Workers remembered at most; further ones are not placed on.
const WORKERS_MAX: usize = 20_000;
/// Broadcasts that one heartbeat may name; the rest is cut off.
const NAMED_MAX: usize = 10_000;

/// What a leading scheduler remembers from one look to the next. Starts empty: whoever is not heard within a few
/// seconds of its beginning is taken for gone, and nobody before.
pub(crate) struct Memory {
    hints: HintsView,
    workers: BTreeMap<WorkerId, Seen>,
    unclaimed: BTreeMap<(WorkerId, BroadcastId, u64), Timestamp>,
}

struct Seen {
    heartbeat: Heartbeat,
    heard_at: Timestamp,
    refused_at: Option<Timestamp>,
}

impl Memory {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            hints: HintsView {
                reachable: false,
                since: now,
            },
            workers: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
        }
    }

    /// Takes in what a scan of the heartbeats gave. A heartbeat counts as new when its stamp differs from the last
    /// one's, whatever the worker's clock says.
    pub(crate) fn heard(&mut self, scan: Result<Vec<(String, String)>, HintsError>, now: Timestamp) {
        let reachable = scan.is_ok();
        if self.hints.reachable != reachable {
            match &scan {
                Ok(_) => tracing::info!("heartbeats can be read"),
                Err(error) => tracing::warn!("heartbeats cannot be read, so nobody is taken for dead: {error}"),
            }
            self.hints = HintsView { reachable, since: now };
        }
        for (key, text) in scan.unwrap_or_default() {
            match Heartbeat::from_json(&text) {
                Ok(heartbeat) if heartbeat.key() == key => self.heard_one(heartbeat, now),
                Ok(heartbeat) => {
                    tracing::warn!("passed over a heartbeat of {} under the key {key}", heartbeat.worker_id);
                }
                Err(error) => tracing::warn!("passed over a heartbeat that cannot be read, under {key}: {error}"),
            }
        }
        self.workers
            .retain(|_, seen| now.ms_since(seen.heard_at) < FORGET_AFTER_MS);
    }

    fn heard_one(&mut self, mut heartbeat: Heartbeat, now: Timestamp) {
        heartbeat.broadcasts.truncate(NAMED_MAX);
        if let Some(seen) = self.workers.get_mut(&heartbeat.worker_id) {
            if seen.heartbeat.sent_ms != heartbeat.sent_ms {
                seen.heard_at = now;
                seen.heartbeat = heartbeat;
            }
            return;
        }
        if self.workers.len() >= WORKERS_MAX {
            tracing::error!(
                "{} is not placed on: {WORKERS_MAX} workers are known already",
                heartbeat.worker_id
            );
            return;
        }
        tracing::info!(worker.id = %heartbeat.worker_id, "heard of {} at {}", heartbeat.worker_id, heartbeat.url);
        self.workers.insert(
            heartbeat.worker_id,
            Seen {
                heartbeat,
                heard_at: now,
                refused_at: None,
            },
        );
    }

    /// A worker could not be dialled.
    pub(crate) fn refused(&mut self, worker: WorkerId, now: Timestamp) {
        if let Some(seen) = self.workers.get_mut(&worker) {
            seen.refused_at = Some(now);
        }
    }

    /// A worker answered.
    pub(crate) fn answered(&mut self, worker: WorkerId) {
        if let Some(seen) = self.workers.get_mut(&worker) {
            seen.refused_at = None;
        }
    }

    /// Where a worker says that it is reached.
    pub(crate) fn url(&self, worker: WorkerId) -> Option<&str> {
        self.workers.get(&worker).map(|seen| seen.heartbeat.url.as_str())
    }

    /// The farm as it looks now.
    pub(crate) fn view(&mut self, unfinished: &Unfinished, now: Timestamp) -> FarmView {
        let claimed = |broadcast: &BroadcastId| {
            unfinished.known.contains_key(broadcast) || unfinished.unreadable.contains(broadcast.as_str())
        };
        let mut unclaimed = BTreeMap::new();
        let mut workers = BTreeMap::new();
        for (id, seen) in &self.workers {
            let mut running = BTreeMap::new();
            for named in &seen.heartbeat.broadcasts {
                let unclaimed_since = (!claimed(&named.broadcast_id)).then(|| {
                    let key = (*id, named.broadcast_id, named.generation);
                    let since = self.unclaimed.get(&key).copied().unwrap_or(now);
                    unclaimed.insert(key, since);
                    since
                });
                let view = RunningView {
                    link_down_ms: named.link_down_ms,
                    encode_px_per_s: named.encode_px_per_s,
                    unclaimed_since,
                };
                running.insert((named.broadcast_id, named.generation), view);
            }
            let view = WorkerView {
                url: seen.heartbeat.url.clone(),
                capacity: seen.heartbeat.capacity,
                draining: seen.heartbeat.draining,
                heard_at: seen.heard_at,
                refused_at: seen.refused_at,
                running,
            };
            workers.insert(*id, view);
        }
        self.unclaimed = unclaimed;
        let broadcasts = unfinished
            .known
            .iter()
            .map(|(id, known)| (*id, known.view.clone()))
            .collect();
        FarmView {
            hints: self.hints,
            workers,
            broadcasts,
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_model::heartbeat::{Capacity, Running};

    use super::*;

    fn beat(worker: u64, sent_ms: i64, broadcasts: Vec<Running>) -> (String, String) {
        let heartbeat = Heartbeat {
            worker_id: WorkerId::numbered(worker),
            url: format!("http://worker-{worker}:7004"),
            sent_ms,
            capacity: Capacity {
                encode_px_per_s: 1,
                slots: 1,
            },
            draining: false,
            broadcasts,
        };
        (heartbeat.key(), heartbeat.to_json())
    }

    fn down() -> Result<Vec<(String, String)>, HintsError> {
        Err(HintsError {
            operation: "scan",
            source: "told to fail".into(),
        })
    }

    #[test]
    fn a_stale_heartbeat_is_not_news() {
        let mut memory = Memory::new(Timestamp(0));
        let nothing = Unfinished::default();
        memory.heard(Ok(vec![beat(1, 77, vec![])]), Timestamp(100));
        memory.heard(Ok(vec![beat(1, 77, vec![])]), Timestamp(3_000));
        let view = memory.view(&nothing, Timestamp(3_000));
        assert_eq!(view.workers[&WorkerId::numbered(1)].heard_at, Timestamp(100));
        memory.heard(Ok(vec![beat(1, 76, vec![])]), Timestamp(4_000));
        let view = memory.view(&nothing, Timestamp(4_000));
        assert_eq!(
            view.workers[&WorkerId::numbered(1)].heard_at,
            Timestamp(4_000),
            "a clock set back still ticks"
        );
    }

    #[test]
    fn an_outage_of_the_hints_starts_the_patience_anew() {
        let mut memory = Memory::new(Timestamp(0));
        let nothing = Unfinished::default();
        memory.heard(Ok(vec![]), Timestamp(10));
        memory.heard(Ok(vec![]), Timestamp(20));
        assert_eq!(
            memory.view(&nothing, Timestamp(20)).hints,
            HintsView {
                reachable: true,
                since: Timestamp(10)
            }
        );
        memory.heard(down(), Timestamp(30));
        assert!(!memory.view(&nothing, Timestamp(30)).hints.reachable);
        memory.heard(Ok(vec![]), Timestamp(90));
        assert_eq!(
            memory.view(&nothing, Timestamp(90)).hints,
            HintsView {
                reachable: true,
                since: Timestamp(90)
            }
        );
    }

    #[test]
    fn heartbeats_that_lie_or_make_no_sense_are_passed_over() {
        let mut memory = Memory::new(Timestamp(0));
        let (_, of_two) = beat(2, 1, vec![]);
        let under_one = beat(1, 1, vec![]).0;
        let scan = vec![(under_one, of_two), ("hw:worker:x".into(), "{".into())];
        memory.heard(Ok(scan), Timestamp(1));
        assert!(memory.view(&Unfinished::default(), Timestamp(1)).workers.is_empty());
    }

    #[test]
    fn what_nobody_claims_is_counted_from_when_it_was_first_seen() {
        let mut memory = Memory::new(Timestamp(0));
        let broadcast_id = BroadcastId::numbered(5);
        let running = vec![Running {
            broadcast_id,
            generation: 2,
            link_down_ms: 0,
            encode_px_per_s: 0,
        }];
        let mut nothing = Unfinished::default();
        let since = |memory: &mut Memory, unfinished: &Unfinished, now| {
            memory.view(unfinished, now).workers[&WorkerId::numbered(1)].running[&(broadcast_id, 2)].unclaimed_since
        };
        memory.heard(Ok(vec![beat(1, 1, running)]), Timestamp(1));
        assert_eq!(since(&mut memory, &nothing, Timestamp(10)), Some(Timestamp(10)));
        assert_eq!(since(&mut memory, &nothing, Timestamp(20)), Some(Timestamp(10)));
        nothing.unreadable.insert(broadcast_id.to_string());
        assert_eq!(
            since(&mut memory, &nothing, Timestamp(30)),
            None,
            "a row that cannot be read is a claim"
        );
    }
}
