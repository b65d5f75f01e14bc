//! Which worker runs what.

use std::collections::BTreeMap;

use headwater_model::ladder::Cost;
use headwater_model::{BroadcastId, Ladder, WorkerId};

use super::{
    Action, BroadcastView, DIAL_AGAIN_AFTER_MS, FarmView, LeaseView, NAMED_WITHIN_MS, Plan, REFUSED_FOR_MS, Timestamp,
    Vitality, Why, WorkerView,
};

/// What a worker's leases ask of it.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    encode_px_per_s: u64,
    slots: u32,
    broadcasts: u32,
}

impl Load {
    fn add(&mut self, cost: Cost) {
        self.encode_px_per_s += cost.encode_px_per_s;
        self.slots += cost.slots;
        self.broadcasts += 1;
    }

    fn remove(&mut self, cost: Cost) {
        self.encode_px_per_s = self.encode_px_per_s.saturating_sub(cost.encode_px_per_s);
        self.slots = self.slots.saturating_sub(cost.slots);
        self.broadcasts = self.broadcasts.saturating_sub(1);
    }
}

struct Floor<'a> {
    view: &'a FarmView,
    candidates: BTreeMap<WorkerId, &'a WorkerView>,
    loads: BTreeMap<WorkerId, Load>,
}

pub(super) fn plan(view: &FarmView, now: Timestamp, plan: &mut Plan) {
    let mut floor = Floor::of(view, now);
    let mut waiting = Vec::new();
    for (id, broadcast) in &view.broadcasts {
        match due(view, *id, broadcast, now) {
            Due::Nothing => {}
            Due::Tell(lease) => plan.actions.push(Action::Assign {
                broadcast: *id,
                generation: lease.generation,
                worker: lease.worker,
            }),
            Due::Place(why) => waiting.push((why == Why::New, broadcast.opened_at, *id, why)),
        }
    }
    // Those that were on air come first, then the longest waiting.
    waiting.sort_unstable_by_key(|(new, opened_at, id, _)| (*new, *opened_at, *id));
    for (_, _, id, why) in waiting {
        let broadcast = &view.broadcasts[&id];
        match floor.place(id, broadcast, why) {
            Some((worker, ladder)) => {
                let replaces = broadcast.lease.as_ref().map(|lease| lease.generation);
                let generation = replaces.unwrap_or(0) + 1;
                plan.actions.push(Action::Grant {
                    broadcast: id,
                    generation,
                    worker,
                    ladder,
                    replaces,
                    why,
                });
                plan.actions.push(Action::Assign {
                    broadcast: id,
                    generation,
                    worker,
                });
            }
            None if broadcast.lease.is_none() => plan.unplaced.push(id),
            // A lease with nowhere to go stays where it is: its worker may come back.
            None => plan.actions.extend(still_told(view, id, broadcast, now)),
        }
    }
}

/// What a broadcast needs.
enum Due<'a> {
    Nothing,
    Tell(&'a LeaseView),
    Place(Why),
}

fn due<'a>(view: &FarmView, id: BroadcastId, broadcast: &'a BroadcastView, now: Timestamp) -> Due<'a> {
    let Some(lease) = &broadcast.lease else {
        return Due::Place(Why::New);
    };
    if view.vitality(lease.worker, now) == Vitality::Silent {
        return Due::Place(Why::Silent);
    }
    if lease.wanted != broadcast.wanted {
        return Due::Place(Why::Refit);
    }
    let named = view.running(id, lease).is_some();
    let worker = view.workers.get(&lease.worker);
    let refused = worker.and_then(|worker| worker.refused_at).is_some();
    if refused && !named && lease.acked.is_none() {
        return Due::Place(Why::Refused);
    }
    match needs_telling(view, id, broadcast, lease, now) {
        true => Due::Tell(lease),
        false => Due::Nothing,
    }
}

/// Whether the holder of the lease has yet to confirm it, or where to pull from, or has lost it since.
fn needs_telling(
    view: &FarmView,
    id: BroadcastId,
    broadcast: &BroadcastView,
    lease: &LeaseView,
    now: Timestamp,
) -> bool {
    let Some(worker) = view.workers.get(&lease.worker) else {
        // It was told before this scheduler began, and is given time to be heard.
        return false;
    };
    if worker
        .refused_at
        .is_some_and(|at| now.ms_since(at) < DIAL_AGAIN_AFTER_MS)
    {
        return false;
    }
    match &lease.acked {
        None => true,
        Some(acked) if acked.edge_url != broadcast.edge_url => true,
        Some(acked) => {
            let heard_later = worker.heard_at.0.saturating_sub(acked.at.0) > NAMED_WITHIN_MS;
            heard_later && view.running(id, lease).is_none()
        }
    }
}

fn still_told(view: &FarmView, id: BroadcastId, broadcast: &BroadcastView, now: Timestamp) -> Option<Action> {
    let lease = broadcast.lease.as_ref()?;
    needs_telling(view, id, broadcast, lease, now).then_some(Action::Assign {
        broadcast: id,
        generation: lease.generation,
        worker: lease.worker,
    })
}

/// The room that a lease takes: what its ladder asks for, or what the worker says that it encodes, if that is more. It says
/// less where it sheds rungs that it cannot encode in time: that is no room for others.
fn taken(view: &FarmView, id: BroadcastId, lease: &LeaseView) -> Cost {
    let asked = lease.ladder.cost();
    let told = view.running(id, lease).map_or(0, |running| running.encode_px_per_s);
    Cost {
        encode_px_per_s: asked.encode_px_per_s.max(told),
        slots: asked.slots.max(u32::from(told > 0)),
    }
}

impl<'a> Floor<'a> {
    fn of(view: &'a FarmView, now: Timestamp) -> Self {
        let recently = |at: Timestamp| now.ms_since(at) < REFUSED_FOR_MS;
        let candidates = view
            .workers
            .iter()
            .filter(|(id, worker)| {
                !worker.draining
                    && !worker.refused_at.is_some_and(recently)
                    && view.vitality(**id, now) != Vitality::Silent
            })
            .map(|(id, worker)| (*id, worker))
            .collect();
        let mut loads: BTreeMap<WorkerId, Load> = BTreeMap::new();
        for (id, broadcast) in &view.broadcasts {
            if let Some(lease) = &broadcast.lease {
                loads.entry(lease.worker).or_default().add(taken(view, *id, lease));
            }
        }
        Self {
            view,
            candidates,
            loads,
        }
    }

    /// Finds a place and takes it.
    fn place(&mut self, id: BroadcastId, broadcast: &BroadcastView, why: Why) -> Option<(WorkerId, Ladder)> {
        let old = broadcast.lease.as_ref();
        if let Some(old) = old {
            let taken = taken(self.view, id, old);
            self.loads.entry(old.worker).or_default().remove(taken);
        }
        // Only a new ladder may go back to the worker that had the old one.
        let barred = old.filter(|_| why != Why::Refit).map(|lease| lease.worker);
        let stay = old.filter(|_| why == Why::Refit).map(|lease| lease.worker);
        let placed = std::iter::successors(Some(broadcast.wanted.clone()), Ladder::trimmed)
            .find_map(|ladder| Some((self.best(&ladder, barred, stay)?, ladder)));
        match (&placed, old) {
            (Some((worker, ladder)), _) => self.loads.entry(*worker).or_default().add(ladder.cost()),
            (None, Some(old)) => {
                let taken = taken(self.view, id, old);
                self.loads.entry(old.worker).or_default().add(taken);
            }
            (None, None) => {}
        }
        placed
    }

    /// The worker with room for `ladder` that would have least left; of those that cost nothing, the one with fewest
    /// broadcasts.
    fn best(&self, ladder: &Ladder, barred: Option<WorkerId>, stay: Option<WorkerId>) -> Option<WorkerId> {
        let cost = ladder.cost();
        let rank = |(id, worker): (&WorkerId, &&WorkerView)| {
            let load = self.loads.get(id).copied().unwrap_or_default();
            let left_px = worker
                .capacity
                .encode_px_per_s
                .checked_sub(load.encode_px_per_s + cost.encode_px_per_s);
            let left_slots = worker.capacity.slots.checked_sub(load.slots + cost.slots);
            let moved = stay != Some(*id);
            match (cost.slots, left_px, left_slots) {
                (0, _, _) => Some((moved, u64::from(load.broadcasts), 0, *id)),
                (_, Some(left_px), Some(left_slots)) => Some((moved, left_px, left_slots, *id)),
                _ => None,
            }
        };
        let candidates = self.candidates.iter().filter(|(id, _)| barred != Some(**id));
        candidates.filter_map(rank).min().map(|(.., id)| id)
    }
}
