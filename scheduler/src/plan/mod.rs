//! Deciding, and nothing else: the same view at the same moment always gives the same plan.
//!
//! The plan narrows the gap between what is and what ought to be; it may be thrown away at any point and made again.
//! Ten thousand workers and a hundred thousand broadcasts are a few passes over sorted maps.
//!
//! Rules, in the order in which they matter:
//!
//! 1. Nobody is taken for dead on missing evidence: only while heartbeats can be read, and have been for
//!    [`SILENT_AFTER_MS`], does a worker's silence count.
//! 2. Every move raises the generation by one, and is made only when there is somewhere to go.
//! 3. A passthrough rung costs nothing and finds a place while any worker lives; encoded rungs are left out from the
//!    top until the rest fits.
//!    What a worker encodes of a broadcast beyond its lease (a source that turned out unfit for passthrough) takes room
//!    as well, as long as the worker says so.
//! 4. Of the workers with room, the one that would have least left takes the broadcast, so that large holes stay.

mod life;
mod place;
mod view;

#[cfg(test)]
mod tests;

use headwater_model::{BroadcastId, Ladder, WorkerId};

pub use view::*;

/// A worker unheard of for longer is taken for dead, milliseconds. Four heartbeats.
pub const SILENT_AFTER_MS: i64 = 4_000;
/// A worker that could not be dialled gets nothing new for this long, milliseconds.
pub const REFUSED_FOR_MS: i64 = 5_000;
/// And is not dialled again for this long, milliseconds.
pub const DIAL_AGAIN_AFTER_MS: i64 = 1_000;
/// A worker that confirmed a lease names it in a heartbeat within this time, or is told again, milliseconds.
pub const NAMED_WITHIN_MS: i64 = 2_500;
/// An edge that a worker cannot reach for longer is taken for gone, milliseconds.
pub const LINK_DOWN_AFTER_MS: u64 = 5_000;
/// An edge closes a broadcast itself when its window has run out; the scheduler waits this much longer, milliseconds.
pub const WINDOW_GRACE_MS: i64 = 5_000;
/// A broadcast whose window ran out while the media link was still up is released after this long, milliseconds.
pub const RELEASE_AFTER_MS: i64 = 60_000;
/// A finishing broadcast that no living worker runs is given up after this long, milliseconds.
pub const GIVE_UP_AFTER_MS: i64 = 15 * 60_000;
/// A worker keeps a broadcast that has ended for its last viewers; after this long it is told to let go, milliseconds.
pub const UNCLAIMED_AFTER_MS: i64 = 60_000;

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which to do it.
    pub actions: Vec<Action>,
    /// Broadcasts that ought to run and for which there is no room at all.
    pub unplaced: Vec<BroadcastId>,
}

/// One thing to do. Each is safe to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write the lease; nothing else may have been written since `replaces`.
    Grant {
        /// For which broadcast.
        broadcast: BroadcastId,
        /// Of which generation.
        generation: u64,
        /// To whom.
        worker: WorkerId,
        /// What of its ladder the worker has room for.
        ladder: Ladder,
        /// The generation that ends with it.
        replaces: Option<u64>,
        /// Why.
        why: Why,
    },
    /// Tell the worker of its lease, or where to pull from now.
    Assign {
        /// Which broadcast.
        broadcast: BroadcastId,
        /// Under which generation.
        generation: u64,
        /// Whom.
        worker: WorkerId,
    },
    /// Tell the worker to let go.
    Release {
        /// Which broadcast.
        broadcast: BroadcastId,
        /// Of which generation.
        generation: u64,
        /// Whom.
        worker: WorkerId,
        /// It writes the replay of what it has first.
        finish: bool,
    },
    /// The worker cannot reach the edge: the reconnect window begins.
    Away(BroadcastId),
    /// The edge was reached again with the same publisher.
    Return(BroadcastId),
    /// The reconnect window has run out.
    Finish(BroadcastId),
    /// Nobody will write the replay.
    GiveUp(BroadcastId),
}

/// Why a lease is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The broadcast has none.
    New,
    /// Its worker has fallen silent.
    Silent,
    /// Its worker could not be told of it.
    Refused,
    /// What the publisher sends has changed, and the ladder with it.
    Refit,
}

impl Why {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Silent => "silent",
            Self::Refused => "refused",
            Self::Refit => "refit",
        }
    }
}

/// Decides and does nothing else.
pub fn plan(view: &FarmView, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    life::plan(view, now, &mut plan.actions);
    place::plan(view, now, &mut plan);
    life::releases(view, now, &mut plan.actions);
    plan
}

/// What is known of a worker's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vitality {
    /// Heard lately.
    Alive,
    /// Heartbeats cannot be read, or not for long enough: nothing is concluded.
    Unknown,
    /// Silent while it could have been heard.
    Silent,
}

impl FarmView {
    fn vitality(&self, worker: WorkerId, now: Timestamp) -> Vitality {
        if !self.hints.reachable {
            return Vitality::Unknown;
        }
        let heard_at = self.workers.get(&worker).map(|worker| worker.heard_at);
        if heard_at.is_some_and(|at| now.ms_since(at) <= SILENT_AFTER_MS) {
            return Vitality::Alive;
        }
        match now.ms_since(self.hints.since) <= SILENT_AFTER_MS {
            true => Vitality::Unknown,
            false => Vitality::Silent,
        }
    }

    /// What the holder of the lease says about it.
    fn running(&self, broadcast: BroadcastId, lease: &LeaseView) -> Option<&RunningView> {
        self.workers
            .get(&lease.worker)?
            .running
            .get(&(broadcast, lease.generation))
    }
}
