//! Random worlds from a printed seed: whatever happens, what must never happen does not.

use std::collections::{BTreeMap, BTreeSet};

use headwater_model::heartbeat::Capacity;
use headwater_model::ladder::{Cost, Policy};
use headwater_model::{BroadcastId, WorkerId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::world::{LOOK_MS, SimWorker, World, ladder};
use crate::plan::*;

/// Seeds that once found something stay here.
const KEPT_SEEDS: [u64; 3] = [1, 7, 42];
const STEPS: usize = 400;

#[test]
fn whatever_happens_what_must_not_happen_does_not() {
    let fresh = std::env::var("PLAN_SEED").ok().and_then(|seed| seed.parse().ok());
    let fresh = fresh.unwrap_or_else(|| rand::rng().random());
    println!("PLAN_SEED={fresh}");
    for seed in KEPT_SEEDS.into_iter().chain([fresh]).chain(1_000..1_015) {
        live_through(seed);
    }
}

fn live_through(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut world = World::new();
    for n in 1..=dice.random_range(1..6) {
        hire(&mut world, n, &mut dice);
    }
    for step in 0..STEPS {
        disturb(&mut world, &mut dice);
        let view = world.view();
        let made = plan(&view, world.now);
        assert_eq!(
            made,
            plan(&view, world.now),
            "seed {seed} step {step}: not a function of the view"
        );
        check(&view, &made, world.now, &format!("seed {seed} step {step}"));
        // Half-done plans are a matter of course.
        let kept = if dice.random_ratio(1, 10) {
            dice.random_range(0..=made.actions.len())
        } else {
            made.actions.len()
        };
        let mut done = made;
        done.actions.truncate(kept);
        world.apply(&done);
        world.advance(LOOK_MS);
    }
    settle(&mut world, seed);
}

fn hire(world: &mut World, number: u64, dice: &mut StdRng) {
    let capacity = Capacity {
        encode_px_per_s: dice.random_range(0..200) * 1_000_000,
        slots: dice.random_range(0..6),
    };
    world.workers.insert(
        WorkerId::numbered(number),
        SimWorker {
            capacity,
            ..SimWorker::default()
        },
    );
    world.beat();
}

fn disturb(world: &mut World, dice: &mut StdRng) {
    let policies = [Policy::Default, Policy::Source, Policy::Encoded];
    let policy = &policies[dice.random_range(0..policies.len())];
    let broadcasts: Vec<BroadcastId> = world.broadcasts.keys().copied().collect();
    let some = broadcasts.get(dice.random_range(0..broadcasts.len().max(1))).copied();
    let workers: Vec<WorkerId> = world.workers.keys().copied().collect();
    let worker = workers[dice.random_range(0..workers.len())];
    match dice.random_range(0..24) {
        0..4 => {
            let id = BroadcastId::numbered(world.generations.len() as u64 + world.broadcasts.len() as u64 * 1_000 + 1);
            if !world.broadcasts.contains_key(&id) && !world.ended.contains(&id) {
                world.open(id, ladder(policy), dice.random_range(0..20) * 1_000);
            }
        }
        4 => world.workers.get_mut(&worker).expect("there").silent ^= true,
        5 => world.workers.get_mut(&worker).expect("there").refuses ^= true,
        6 => world.workers.get_mut(&worker).expect("there").draining ^= true,
        7 if dice.random_ratio(1, 3) => {
            world.hints = HintsView {
                reachable: !world.hints.reachable,
                since: world.now,
            };
        }
        8 => hire(world, workers.len() as u64 + 1, dice),
        9 => world.workers.get_mut(&worker).expect("there").running.clear(),
        10 => some.into_iter().for_each(|id| world.away(id, AwayCause::Publisher)),
        11 => some.into_iter().for_each(|id| world.back(id)),
        12 => some.into_iter().for_each(|id| world.finish(id, FinishCause::Publisher)),
        13 => some.into_iter().for_each(|id| world.end(id)),
        14 => {
            let now = world.now;
            if let Some(b) = some.and_then(|id| world.broadcasts.get_mut(&id)) {
                b.edge_down_since = b.edge_down_since.is_none().then_some(now);
            }
        }
        15 => {
            if let Some(b) = some.and_then(|id| world.broadcasts.get_mut(&id)) {
                b.view.wanted = ladder(policy);
            }
        }
        16 => {
            if let Some(b) = some.and_then(|id| world.broadcasts.get_mut(&id)) {
                b.view.edge_url = format!("http://edge-{}", dice.random_range(1..4));
            }
        }
        _ => {}
    }
}

/// What no plan may do.
fn check(view: &FarmView, plan: &Plan, now: Timestamp, at: &str) {
    let silent = |id: &WorkerId| {
        let heard = view
            .workers
            .get(id)
            .is_some_and(|worker| now.ms_since(worker.heard_at) <= SILENT_AFTER_MS);
        view.hints.reachable && now.ms_since(view.hints.since) > SILENT_AFTER_MS && !heard
    };
    let mut leases: BTreeMap<BroadcastId, (WorkerId, Cost)> = BTreeMap::new();
    for (id, broadcast) in &view.broadcasts {
        if let Some(lease) = &broadcast.lease {
            leases.insert(*id, (lease.worker, lease.ladder.cost()));
        }
    }
    let mut granted = BTreeSet::new();
    for action in &plan.actions {
        let Action::Grant {
            broadcast,
            generation,
            worker,
            ladder,
            replaces,
            why,
        } = action
        else {
            continue;
        };
        let lease = view.broadcasts[broadcast].lease.as_ref();
        assert!(
            granted.insert(*broadcast),
            "{at}: two leases for {broadcast} in one plan"
        );
        assert_eq!(
            lease.map(|lease| lease.generation),
            *replaces,
            "{at}: fences by what it saw"
        );
        assert_eq!(
            replaces.unwrap_or(0) + 1,
            *generation,
            "{at}: a generation is one more than the last"
        );
        assert!(!view.workers[worker].draining, "{at}: {worker} drains");
        assert!(!silent(worker), "{at}: {worker} is silent");
        assert!(!ladder.video.is_empty(), "{at}: no picture left");
        if *why == Why::Silent {
            assert!(
                lease.is_some_and(|lease| silent(&lease.worker)),
                "{at}: moved from a worker that may live"
            );
        }
        leases.insert(*broadcast, (*worker, ladder.cost()));
    }
    for (id, worker) in &view.workers {
        let mine = leases.values().filter(|(holder, _)| holder == id).map(|(_, cost)| cost);
        let (px, slots) = mine.fold((0, 0), |(px, slots), cost| {
            (px + cost.encode_px_per_s, slots + cost.slots)
        });
        let took_encoded = plan.actions.iter().any(
            |action| matches!(action, Action::Grant { worker, ladder, .. } if worker == id && ladder.cost().slots > 0),
        );
        if took_encoded {
            assert!(px <= worker.capacity.encode_px_per_s, "{at}: {id} is over its pixels");
            assert!(slots <= worker.capacity.slots, "{at}: {id} is over its slots");
        }
    }
    for id in &plan.unplaced {
        let has_passthrough = view.broadcasts[id].wanted.video.iter().any(|rung| rung.passthrough);
        let somebody = view.workers.iter().any(|(id, worker)| {
            let refused = worker.refused_at.is_some_and(|at| now.ms_since(at) < REFUSED_FOR_MS);
            !silent(id) && !worker.draining && !refused
        });
        assert!(
            !(has_passthrough && somebody),
            "{at}: a passthrough was refused while a worker lives"
        );
    }
}

/// When everything works again, everything runs, once, and the planner rests.
fn settle(world: &mut World, seed: u64) {
    world.hints = HintsView {
        reachable: true,
        since: world.now,
    };
    for worker in world.workers.values_mut() {
        let capacity = Capacity {
            encode_px_per_s: 10_000_000_000,
            slots: 10_000,
        };
        *worker = SimWorker {
            silent: false,
            refuses: false,
            draining: false,
            capacity,
            ..worker.clone()
        };
    }
    for broadcast in world.broadcasts.values_mut() {
        broadcast.edge_down_since = None;
    }
    for _ in 0..400 {
        world.advance(LOOK_MS);
        let view = world.view();
        let made = plan(&view, world.now);
        check(&view, &made, world.now, &format!("seed {seed} settling"));
        world.apply(&made);
    }
    world.beat();
    let rest = plan(&world.view(), world.now);
    assert_eq!(rest, Plan::default(), "seed {seed}: the planner does not come to rest");
    for (id, broadcast) in &world.broadcasts {
        let lease = broadcast.view.lease.as_ref().expect("everything has a lease");
        let running: Vec<_> = world
            .workers
            .iter()
            .filter(|(_, worker)| worker.running.contains_key(id))
            .collect();
        assert_eq!(running.len(), 1, "seed {seed}: {id} runs once");
        assert_eq!(*running[0].0, lease.worker, "seed {seed}: {id} runs where its lease is");
        assert_eq!(
            running[0].1.running[id], lease.generation,
            "seed {seed}: under its newest lease"
        );
    }
}
