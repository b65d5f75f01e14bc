//! How a broadcast does, as the edge and the worker say it about every second, kept in Redis for a quarter of an hour.
//!
//! Health is a hint and stands beside the lifecycle: nothing is decided from it. Each source says what it measures itself, and
//! which issues it sees: [`Latches`] opens and closes them, so that a figure that wavers about its bound tells once. A report is
//! some 200 bytes; the list of one broadcast is two times [`REPORTS_KEPT`] of them, 360 kB.

mod issue;
mod latch;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{BroadcastId, TenantId};

pub use issue::{Issue, Severity};
pub use latch::{Latches, Look, Open, Turn};

/// A source reports this often.
pub const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Reports of one source that are kept.
pub const REPORTS_KEPT: usize = 900;
/// A list that nobody adds to is kept this long.
pub const REPORTS_TTL: Duration = Duration::from_secs(900);
/// A source that has said nothing for this long, milliseconds, is not believed any more.
pub const STALE_AFTER_MS: i64 = 5_000;

/// Who reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// What the publisher sends.
    Edge,
    /// What is made of it.
    Worker,
}

impl Source {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Edge, Self::Worker];

    /// The word in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Worker => "worker",
        }
    }

    /// The list of its reports about a broadcast.
    pub fn key(self, tenant: TenantId, broadcast: BroadcastId) -> String {
        format!("{}:{}", topic(tenant, broadcast), self.as_str())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The pub/sub topic on which is told that a broadcast's issues have changed: `tenant broadcast`.
pub const HEALTH_CHANGED_TOPIC: &str = "hw:health-changed";

/// The pub/sub topic on which every report about a broadcast is told.
pub fn topic(tenant: TenantId, broadcast: BroadcastId) -> String {
    format!("hw:health:{tenant}:{broadcast}")
}

/// What one source says at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Unix milliseconds on the source's clock.
    pub at_ms: i64,
    /// Who says it; `true` for the worker.
    #[serde(default)]
    pub worker: bool,
    /// What it measured since its last report.
    #[serde(default)]
    pub sample: Sample,
    /// The issues that it sees now.
    #[serde(default)]
    pub issues: Vec<Open>,
    /// What the worker makes; nothing from an edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub making: Option<Making>,
}

impl Report {
    /// Who says it.
    pub fn source(&self) -> Source {
        if self.worker { Source::Worker } else { Source::Edge }
    }

    /// The text kept in Redis.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report has only string keys, and JSON writes what is not finite as null")
    }

    /// Reads a report. Fields and issues that this version does not know are passed over.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// What was measured within about a second; nothing where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// As it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_bitrate_bps: Option<u64>,
    /// As it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_bitrate_bps: Option<u64>,
    /// Pictures per second × 1000, by the publisher's own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps_milli: Option<u32>,
    /// Between the last two key frames, or since the last where that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframe_interval_ms: Option<u32>,
    /// How far the sound that has arrived reaches beyond the pictures; negative where it lags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub av_offset_ms: Option<i32>,
    /// Pictures missing from the publisher's own frame rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped_frames: Option<u32>,
    /// From arrival at the edge to the part that viewers can load, in the slowest rendition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
    /// Of the publisher's connection, to the nearest: 0 is less than half a millisecond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u32>,
}

/// What a worker makes of a broadcast at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Making {
    /// What it takes.
    pub class: WorkerClass,
    /// Names of the renditions that are made.
    #[serde(default)]
    pub renditions: Vec<String>,
    /// Names of those that are left out because they cannot be made in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shed: Vec<String>,
}

/// What making a broadcast's renditions takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerClass {
    /// Nothing is coded anew.
    #[default]
    Passthrough,
    /// Encoders on the CPU.
    Cpu,
    /// Encoders on a GPU.
    Gpu,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_round_trip_in_few_bytes_and_tolerate_what_is_newer() {
        let report = Report {
            at_ms: 1_763_760_000_000,
            worker: false,
            sample: Sample {
                video_bitrate_bps: Some(6_000_000),
                audio_bitrate_bps: Some(160_000),
                fps_milli: Some(59_940),
                keyframe_interval_ms: Some(2_000),
                av_offset_ms: Some(-12),
                dropped_frames: Some(0),
                latency_ms: None,
                rtt_ms: None,
            },
            issues: vec![Open {
                issue: Issue::GopLong,
                since_ms: 1,
                figure: Some(10_000),
            }],
            making: None,
        };
        let text = report.to_json();
        assert!(text.len() < 300, "{} bytes: {text}", text.len());
        assert_eq!(Report::from_json(&text).expect("its own text"), report);
        let newer = r#"{"at_ms":1,"sample":{"jitter_ms":3},"issues":[{"issue":"gop_round","since_ms":1}],"moon":1}"#;
        let read = Report::from_json(newer).expect("tolerated");
        assert_eq!((read.issues[0].issue, read.source()), (Issue::Unknown, Source::Edge));
        assert!(Report::from_json("{}").is_err());
    }

    #[test]
    fn keys_name_tenant_broadcast_and_source() {
        let (tenant, broadcast) = (TenantId::numbered(1), BroadcastId::numbered(2));
        assert_eq!(
            Source::Worker.key(tenant, broadcast),
            "hw:health:ten_aaaaaaaaaaaaaaaaaaaaaaab:br_aaaaaaaaaaaaaaaaaaaaaaac:worker"
        );
    }
}
