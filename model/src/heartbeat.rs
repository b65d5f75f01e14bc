//! What a worker says of itself every second, kept in Redis for five.
//!
//! A heartbeat is a hint: nothing is decided from one alone that a lease in PostgreSQL does not confirm. About 200
//! bytes and 80 more per broadcast; a worker with 100 broadcasts writes 8 kB/s.

use serde::{Deserialize, Serialize};

use crate::id::{BroadcastId, WorkerId};

/// A worker writes its heartbeat this often, milliseconds.
pub const HEARTBEAT_EVERY_MS: u64 = 1_000;
/// And Redis forgets it after this long, milliseconds.
pub const HEARTBEAT_TTL_MS: u64 = 5_000;
/// Every heartbeat's key starts so; the worker's id follows.
pub const HEARTBEAT_KEY_PREFIX: &str = "hw:worker:";
/// The pub/sub topic that carries playback ids whose state changed.
pub const PLAYBACK_TOPIC: &str = "hw:playback";
/// The pub/sub topic that carries ids of broadcasts that their owners have ended.
pub const BROADCAST_END_TOPIC: &str = "hw:broadcast-end";
/// The pub/sub topic that carries ids of tenants whose signing keys or revocations changed.
pub const TOKEN_RULES_TOPIC: &str = "hw:token-rules";

/// One worker's word about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// This run of the worker.
    pub worker_id: WorkerId,
    /// Where schedulers and origins reach it: `http://host:port`.
    pub url: String,
    /// Unix milliseconds on the worker's own clock. Readers only look whether it changes.
    pub sent_ms: i64,
    /// What it can do at once.
    pub capacity: Capacity,
    /// It takes nothing new.
    #[serde(default)]
    pub draining: bool,
    /// What it runs.
    #[serde(default)]
    pub broadcasts: Vec<Running>,
}

/// What a worker can do at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Pixels per second over all encoded renditions.
    pub encode_px_per_s: u64,
    /// Broadcasts with at least one encoded rendition.
    pub slots: u32,
}

/// A broadcast on a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Which.
    pub broadcast_id: BroadcastId,
    /// Under which lease.
    pub generation: u64,
    /// How long the worker has tried in vain to reach the edge, milliseconds; 0 while the link is up.
    #[serde(default)]
    pub link_down_ms: u64,
    /// Pixels per second that its codec child encodes now, over all renditions; more than its lease's ladder asks for
    /// where the source could not be passed through.
    #[serde(default)]
    pub encode_px_per_s: u64,
}

impl Heartbeat {
    /// Its key in Redis.
    pub fn key(&self) -> String {
        format!("{HEARTBEAT_KEY_PREFIX}{}", self.worker_id)
    }

    /// The text kept in Redis.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a heartbeat has only string keys and finite numbers")
    }

    /// Reads a heartbeat. Fields this version does not know are passed over, so that workers of the next may run
    /// beside it.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_round_trip_and_tolerate_newer_fields() {
        let heartbeat = Heartbeat {
            worker_id: WorkerId::numbered(1),
            url: "http://127.0.0.1:7000".into(),
            sent_ms: 1,
            capacity: Capacity {
                encode_px_per_s: 124_416_000,
                slots: 4,
            },
            draining: false,
            broadcasts: vec![Running {
                broadcast_id: BroadcastId::numbered(2),
                generation: 3,
                link_down_ms: 0,
                encode_px_per_s: 46_771_200,
            }],
        };
        assert_eq!(
            Heartbeat::from_json(&heartbeat.to_json()).expect("its own text"),
            heartbeat
        );
        assert_eq!(heartbeat.key(), "hw:worker:wk_aaaaaaaaaaaaaaaaaaaaaaab");
        let newer = r#"{"worker_id":"wk_aaaaaaaaaaaaaaaaaaaaaaab","url":"u","sent_ms":1,"zone":"b",
            "capacity":{"encode_px_per_s":1,"slots":1,"decode_px_per_s":9}}"#;
        assert!(Heartbeat::from_json(newer).expect("tolerated").broadcasts.is_empty());
        assert!(Heartbeat::from_json("{\"worker_id\":\"x\"}").is_err());
    }
}
