//! What the planner is shown: the farm at one moment, as plain data.

use std::collections::BTreeMap;

use headwater_model::heartbeat::Capacity;
use headwater_model::{BroadcastId, BroadcastState, Ladder, WorkerId};

/// A moment: Unix milliseconds on a clock that never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` to here; 0 when `earlier` is later.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }
}

/// The farm at one moment.
#[derive(Clone, Debug, Default)]
pub struct FarmView {
    /// Whether heartbeats can be read at all.
    pub hints: HintsView,
    /// Every worker that was heard lately.
    pub workers: BTreeMap<WorkerId, WorkerView>,
    /// Every broadcast that has not ended.
    pub broadcasts: BTreeMap<BroadcastId, BroadcastView>,
}

/// Whether heartbeats can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HintsView {
    /// They can be now.
    pub reachable: bool,
    /// Since when this has been so without a break.
    pub since: Timestamp,
}

/// One worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerView {
    /// Where it is reached.
    pub url: String,
    /// What it offers.
    pub capacity: Capacity,
    /// It takes nothing new.
    pub draining: bool,
    /// When its last new heartbeat was read.
    pub heard_at: Timestamp,
    /// When it last could not be dialled, unless it answered since.
    pub refused_at: Option<Timestamp>,
    /// What it says it runs, by broadcast and generation.
    pub running: BTreeMap<(BroadcastId, u64), RunningView>,
}

/// A broadcast that a worker says it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunningView {
    /// How long the worker has tried in vain to reach the edge, milliseconds; 0 while the link is up.
    pub link_down_ms: u64,
    /// Pixels per second that the worker encodes of it, over all renditions.
    pub encode_px_per_s: u64,
    /// Since when this worker has named a broadcast that is not among the unfinished ones.
    pub unclaimed_since: Option<Timestamp>,
}

/// One broadcast that has not ended.
#[derive(Clone, Debug)]
pub struct BroadcastView {
    /// Live, reconnecting or finishing.
    pub state: BroadcastState,
    /// When it began.
    pub opened_at: Timestamp,
    /// Where workers pull from.
    pub edge_url: String,
    /// The whole ladder that fits its source.
    pub wanted: Ladder,
    /// How long its publisher may be away, milliseconds.
    pub window_ms: i64,
    /// Set while reconnecting.
    pub away: Option<Away>,
    /// Set while finishing.
    pub finishing: Option<Finishing>,
    /// Who may write it.
    pub lease: Option<LeaseView>,
}

/// The publisher is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Since when.
    pub since: Timestamp,
    /// Who said so.
    pub cause: AwayCause,
}

/// Who said that a publisher is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwayCause {
    /// The edge: its connection broke.
    Publisher,
    /// The worker: it cannot reach the edge.
    Link,
}

/// No publisher may continue the broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finishing {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub cause: FinishCause,
}

/// Why a broadcast is finishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishCause {
    /// The edge said that the publisher ended it: the edge also ends the media link.
    Publisher,
    /// The reconnect window ran out here; whether an edge still holds the broadcast is unknown.
    Window,
}

/// The right to write a broadcast.
#[derive(Clone, Debug)]
pub struct LeaseView {
    /// Counts this broadcast's leases from 1.
    pub generation: u64,
    /// Who holds it.
    pub worker: WorkerId,
    /// What the worker was given.
    pub ladder: Ladder,
    /// The whole ladder at that time.
    pub wanted: Ladder,
    /// What the worker has confirmed.
    pub acked: Option<Acked>,
}

/// A worker's confirmation of a lease.
#[derive(Clone, Debug)]
pub struct Acked {
    /// The edge it was sent to.
    pub edge_url: String,
    /// When it confirmed.
    pub at: Timestamp,
}
