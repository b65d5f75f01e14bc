//! Broadcasts as viewers see them. The scheduler writes them; here they are only read.

mod list;
mod queries;

use headwater_model::{BroadcastId, BroadcastState, ChannelId, LatencyMode, PlaybackId, TenantId};

pub use list::{Entry, Filter, by_id, by_ids, end, list, on_air};

use crate::access::Environment;
use crate::{Database, DatabaseError};

/// What a playback id leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A channel: its live broadcast, or else its latest replay.
    Channel,
    /// One broadcast, live or ended.
    Replay,
}

impl Kind {
    /// The word used in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Replay => "replay",
        }
    }
}

/// What a playback id shows now.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What it leads to.
    pub kind: Kind,
    /// Whose.
    pub tenant_id: TenantId,
    /// Which channel.
    pub channel_id: ChannelId,
    /// Live or test.
    pub environment: Environment,
    /// Nothing is shown without a token.
    pub is_signed: bool,
    /// For people.
    pub title: String,
    /// The broadcast's setting, or the channel's where there is no broadcast.
    pub latency_mode: LatencyMode,
    /// The live broadcast, or else the latest; `None` when there never was one.
    pub broadcast: Option<Broadcast>,
}

/// The broadcast that a playback id shows.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// Its id.
    pub id: BroadcastId,
    /// Its state.
    pub state: BroadcastState,
    /// Its own playback id.
    pub playback_id: PlaybackId,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// Nothing is shown of it after its end.
    pub is_unrecorded: bool,
    /// W3C `traceparent` of its trace; empty when traces are not exported.
    pub traceparent: String,
    /// Where it runs, until it has ended.
    pub worker: Option<Worker>,
}

/// Where a broadcast runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// http://host:port
    pub url: String,
    /// Generation of its lease.
    pub generation: u64,
}

/// What `playback_id` shows; `None` when there is no such id.
pub async fn resolve(database: &Database, playback_id: PlaybackId) -> Result<Option<Resolved>, DatabaseError> {
    match queries::of_channel(database, playback_id).await? {
        Some(resolved) => Ok(Some(resolved)),
        None => queries::of_replay(database, playback_id).await,
    }
}
