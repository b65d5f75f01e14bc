//! Counters of the origin. Handles are made once: nothing is looked up per request.

use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Multivariant,
    Playlist,
    Manifest,
    Part,
    Segment,
    Init,
    Download,
    State,
    Thumbnail,
    Player,
    Other,
}

impl Class {
    const ALL: [Self; 11] = [
        Self::Multivariant,
        Self::Playlist,
        Self::Manifest,
        Self::Part,
        Self::Segment,
        Self::Init,
        Self::Download,
        Self::State,
        Self::Thumbnail,
        Self::Player,
        Self::Other,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Multivariant => "multivariant",
            Self::Playlist => "playlist",
            Self::Manifest => "manifest",
            Self::Part => "part",
            Self::Segment => "segment",
            Self::Init => "init",
            Self::Download => "download",
            Self::State => "state",
            Self::Thumbnail => "thumbnail",
            Self::Player => "player",
            Self::Other => "other",
        }
    }
}

const STATUSES: [u16; 14] = [200, 204, 206, 304, 400, 404, 405, 413, 414, 416, 431, 500, 503, 0];

/// Every meter of the process.
pub(crate) struct Meters {
    requests: Vec<[Counter; STATUSES.len()]>,
    /// Requests waiting for media now.
    pub waiting: Gauge,
    /// Broadcasts followed now.
    pub followed: Gauge,
    /// Bytes of live media in memory.
    pub live_bytes: Gauge,
    /// Objects answered from memory.
    pub cache_hits: Counter,
    /// Reads that joined one in progress.
    pub cache_joins: Counter,
    /// Requests to the object store.
    pub store_reads: Counter,
    /// Of them, failed.
    pub store_errors: Counter,
    /// Subscriptions to workers begun.
    pub subscriptions: Counter,
    /// Questions to the api.
    pub resolves: Counter,
    /// Of them, unanswered.
    pub resolve_errors: Counter,
    /// Seconds from the arrival of a part's last access unit at the edge to the part's first answer here.
    pub part_delay_s: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        let by_status = |class: Class| {
            STATUSES.map(|status| {
                let status = if status == 0 {
                    "other".to_string()
                } else {
                    status.to_string()
                };
                counter!("origin_requests_total", "class" => class.name(), "status" => status)
            })
        };
        Self {
            requests: Class::ALL.map(by_status).into(),
            waiting: gauge!("origin_waiting_requests"),
            followed: gauge!("origin_followed_broadcasts"),
            live_bytes: gauge!("origin_live_media_bytes"),
            cache_hits: counter!("origin_cache_hits_total"),
            cache_joins: counter!("origin_cache_joined_reads_total"),
            store_reads: counter!("origin_store_reads_total"),
            store_errors: counter!("origin_store_errors_total"),
            subscriptions: counter!("origin_subscriptions_total"),
            resolves: counter!("origin_resolves_total"),
            resolve_errors: counter!("origin_resolve_errors_total"),
            part_delay_s: histogram!("origin_part_delay_seconds"),
        }
    }
}

impl Meters {
    /// Counts an answered request.
    pub(crate) fn answered(&self, class: Class, status: StatusCode) {
        let column = STATUSES
            .iter()
            .position(|known| *known == status.as_u16())
            .unwrap_or(STATUSES.len() - 1);
        self.requests[class as usize][column].increment(1);
    }
}
