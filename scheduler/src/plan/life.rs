//! When a broadcast goes from one state to the next, and what workers must let go of.

use headwater_model::BroadcastState;

use super::{
    Action, Away, AwayCause, BroadcastView, FarmView, FinishCause, GIVE_UP_AFTER_MS, LINK_DOWN_AFTER_MS,
    RELEASE_AFTER_MS, RunningView, Timestamp, UNCLAIMED_AFTER_MS, Vitality, WINDOW_GRACE_MS,
};

/// Moves between states.
pub(super) fn plan(view: &FarmView, now: Timestamp, actions: &mut Vec<Action>) {
    for (id, broadcast) in &view.broadcasts {
        let alive = broadcast
            .lease
            .as_ref()
            .is_some_and(|l| view.vitality(l.worker, now) == Vitality::Alive);
        let running = broadcast
            .lease
            .as_ref()
            .and_then(|lease| view.running(*id, lease))
            .filter(|_| alive);
        let action = match broadcast.state {
            BroadcastState::Connecting | BroadcastState::Live => live(running).then_some(Action::Away(*id)),
            BroadcastState::Reconnecting => reconnecting(broadcast, running, now).map(|to| match to {
                BroadcastState::Live => Action::Return(*id),
                _ => Action::Finish(*id),
            }),
            BroadcastState::Finishing => given_up(view, broadcast, running, now).then_some(Action::GiveUp(*id)),
            BroadcastState::Ended => None,
        };
        actions.extend(action);
    }
}

/// Whether the edge of a live broadcast is gone.
fn live(running: Option<&RunningView>) -> bool {
    running.is_some_and(|running| running.link_down_ms >= LINK_DOWN_AFTER_MS)
}

/// Where a reconnecting broadcast goes, if anywhere.
fn reconnecting(broadcast: &BroadcastView, running: Option<&RunningView>, now: Timestamp) -> Option<BroadcastState> {
    let Away { since, cause } = broadcast.away?;
    if cause == AwayCause::Link && running.is_some_and(|running| running.link_down_ms == 0) {
        return Some(BroadcastState::Live);
    }
    (now.ms_since(since) > broadcast.window_ms + WINDOW_GRACE_MS).then_some(BroadcastState::Finishing)
}

/// Whether a finishing broadcast has waited long enough for somebody to finish it.
fn given_up(view: &FarmView, broadcast: &BroadcastView, running: Option<&RunningView>, now: Timestamp) -> bool {
    view.hints.reachable
        && running.is_none()
        && broadcast
            .finishing
            .is_some_and(|finishing| now.ms_since(finishing.since) > GIVE_UP_AFTER_MS)
}

/// What workers run and should not, or should bring to an end.
pub(super) fn releases(view: &FarmView, now: Timestamp, actions: &mut Vec<Action>) {
    for (worker, state) in &view.workers {
        if view.vitality(*worker, now) != Vitality::Alive {
            continue;
        }
        for ((broadcast, generation), running) in &state.running {
            let (broadcast, generation, worker) = (*broadcast, *generation, *worker);
            let finish = match view.broadcasts.get(&broadcast) {
                None if running
                    .unclaimed_since
                    .is_some_and(|at| now.ms_since(at) > UNCLAIMED_AFTER_MS) =>
                {
                    false
                }
                None => continue,
                Some(known) => match &known.lease {
                    Some(lease) if lease.worker == worker && lease.generation == generation => {
                        if !brought_to_an_end(known, running, now) {
                            continue;
                        }
                        true
                    }
                    // Its holder learns of the newer lease by being told of that one.
                    Some(lease) if lease.worker == worker => continue,
                    // Under a lease that another has replaced. One that is newer than what this scheduler has read
                    // was granted since by its successor, and is none of our business.
                    Some(lease) if generation <= lease.generation => false,
                    _ => continue,
                },
            };
            actions.push(Action::Release {
                broadcast,
                generation,
                worker,
                finish,
            });
        }
    }
}

/// Whether a finishing broadcast's worker waits for an edge that will not speak again.
fn brought_to_an_end(broadcast: &BroadcastView, running: &RunningView, now: Timestamp) -> bool {
    let Some(finishing) = broadcast.finishing else {
        return false;
    };
    match finishing.cause {
        FinishCause::Publisher => running.link_down_ms >= LINK_DOWN_AFTER_MS,
        FinishCause::Window => running.link_down_ms > 0 || now.ms_since(finishing.since) > RELEASE_AFTER_MS,
    }
}
