//! How broadcasts do, in the schema.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use headwater_model::health::{Issue, Open, Sample, Severity as Gravity};
use headwater_model::{BroadcastId, TenantId};

use super::common::{Instant, Long};
use crate::health::{self, At, Newest, Status, Verdict};
use crate::op::Op;
use crate::problem::Problem;

/// Samples of one answer at most: all that are kept.
const SAMPLES_MAX: i32 = headwater_model::health::REPORTS_KEPT as i32;
/// And where nothing is said.
const SAMPLES_DEFAULT: i32 = 300;

/// How grave an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Gravity")]
pub enum Severity {
    /// Worth knowing; viewers see no difference.
    Info,
    /// Some viewers see or hear it.
    Warning,
    /// Viewers lose picture or sound, or will.
    Error,
}

/// What can be wrong with a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum HealthIssueCode {
    /// Key frames are too far apart.
    GopLong,
    /// Key frames are too close together.
    GopShort,
    /// Some key frames are no place to begin.
    GopOpen,
    /// Key frames come at changing distances.
    GopIrregular,
    /// The stream is close to the limit of its channel or the service.
    BitrateHigh,
    /// The picture has few bits for its size.
    BitrateLow,
    /// Fewer pictures per second than the encoder says.
    FramerateLow,
    /// Pictures are missing.
    FramesDropped,
    /// Media arrives more slowly than it plays.
    Starved,
    /// Media arrives faster than it plays, and is slowed down.
    FasterThanRealtime,
    /// Timestamps jumped or stood still.
    ClockJump,
    /// Sound and pictures arrive far apart.
    AvDrift,
    /// The picture has a size that many players cannot show.
    ResolutionUnsupported,
    /// The video is left out, for its codec is not taken.
    VideoCodecUnsupported,
    /// The sound is left out, for its codec is not taken.
    AudioCodecUnsupported,
    /// There is no sound.
    AudioMissing,
    /// There are no pictures.
    VideoMissing,
    /// The video is interlaced.
    Interlaced,
    /// No worker has taken the stream.
    WorkerLost,
    /// Renditions are left out for want of room.
    RungsReduced,
    /// Recording lies behind.
    StoreDelayed,
}

impl HealthIssueCode {
    /// Nothing for what a newer edge or worker sees.
    fn of(issue: Issue) -> Option<Self> {
        Some(match issue {
            Issue::GopLong => Self::GopLong,
            Issue::GopShort => Self::GopShort,
            Issue::GopOpen => Self::GopOpen,
            Issue::GopIrregular => Self::GopIrregular,
            Issue::BitrateHigh => Self::BitrateHigh,
            Issue::BitrateLow => Self::BitrateLow,
            Issue::FramerateLow => Self::FramerateLow,
            Issue::FramesDropped => Self::FramesDropped,
            Issue::Starved => Self::Starved,
            Issue::FasterThanRealtime => Self::FasterThanRealtime,
            Issue::ClockJump => Self::ClockJump,
            Issue::AvDrift => Self::AvDrift,
            Issue::ResolutionUnsupported => Self::ResolutionUnsupported,
            Issue::VideoCodecUnsupported => Self::VideoCodecUnsupported,
            Issue::AudioCodecUnsupported => Self::AudioCodecUnsupported,
            Issue::AudioMissing => Self::AudioMissing,
            Issue::VideoMissing => Self::VideoMissing,
            Issue::Interlaced => Self::Interlaced,
            Issue::WorkerLost => Self::WorkerLost,
            Issue::RungsReduced => Self::RungsReduced,
            Issue::StoreDelayed => Self::StoreDelayed,
            Issue::Unknown => return None,
        })
    }
}

/// Something that is wrong with a broadcast now.
#[derive(SimpleObject)]
pub struct HealthIssue {
    code: HealthIssueCode,
    severity: Severity,
    /// What is the case, with figures.
    message: String,
    /// What to do about it.
    advice: String,
    /// Where the code is explained.
    docs_url: String,
    since: Instant,
}

/// What was measured within about a second; null where it is not known.
#[derive(SimpleObject)]
pub struct HealthSample {
    at: Instant,
    /// As it arrived.
    video_bitrate_bps: Option<Long>,
    /// As it arrived.
    audio_bitrate_bps: Option<Long>,
    /// Pictures per second, by the encoder's own clock.
    framerate: Option<f64>,
    /// Between the last two key frames, or since the last where that is longer.
    keyframe_interval_ms: Option<i32>,
    /// How far the sound that has arrived reaches beyond the pictures; negative where it lags.
    av_offset_ms: Option<i32>,
    /// Pictures missing from the encoder's own frame rate within this second.
    dropped_frames: Option<i32>,
    /// From arrival to the part that viewers can load, in the slowest rendition.
    latency_ms: Option<i32>,
    /// Round trip of the encoder's connection, where the protocol tells it.
    rtt_ms: Option<i32>,
}

fn instant(unix_ms: i64) -> Instant {
    Instant(DateTime::from_timestamp_millis(unix_ms).unwrap_or_default())
}

fn whole(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl From<At> for HealthSample {
    fn from(At { at_ms, sample }: At) -> Self {
        let Sample {
            video_bitrate_bps,
            audio_bitrate_bps,
            fps_milli,
            keyframe_interval_ms,
            av_offset_ms,
            dropped_frames,
            latency_ms,
            rtt_ms,
        } = sample;
        let long = |n: u64| Long(i64::try_from(n).unwrap_or(i64::MAX));
        Self {
            at: instant(at_ms),
            video_bitrate_bps: video_bitrate_bps.map(long),
            audio_bitrate_bps: audio_bitrate_bps.map(long),
            framerate: fps_milli.map(|fps| f64::from(fps) / 1_000.0),
            keyframe_interval_ms: keyframe_interval_ms.map(whole),
            av_offset_ms,
            dropped_frames: dropped_frames.map(whole),
            latency_ms: latency_ms.map(whole),
            rtt_ms: rtt_ms.map(whole),
        }
    }
}

/// How a broadcast does, beside its lifecycle. A hint: nothing is decided from it, and it is kept for a quarter of an hour.
pub struct BroadcastHealth {
    tenant: TenantId,
    broadcast: BroadcastId,
    newest: Newest,
    verdict: Verdict,
}

impl BroadcastHealth {
    /// What the newest words come to now.
    pub(super) fn of(tenant: TenantId, broadcast: BroadcastId, newest: Newest) -> Self {
        let now_ms = Utc::now().timestamp_millis();
        let verdict = health::verdict(newest.edge.as_ref(), newest.worker.as_ref(), now_ms);
        Self {
            tenant,
            broadcast,
            newest,
            verdict,
        }
    }

    pub(super) fn status_now(&self) -> Status {
        self.verdict.status
    }
}

fn said(op: &Op, open: &Open) -> Option<HealthIssue> {
    let words = open.issue.words(open.figure);
    Some(HealthIssue {
        code: HealthIssueCode::of(open.issue)?,
        severity: open.issue.severity().into(),
        message: words.message,
        advice: words.advice.to_owned(),
        docs_url: op.services().urls.issue_page(open.issue),
        since: instant(open.since_ms),
    })
}

fn samples_cost(first: Option<i32>, child: usize) -> usize {
    1 + usize::try_from(first.unwrap_or(SAMPLES_DEFAULT).clamp(1, SAMPLES_MAX)).unwrap_or(1) / 10 * child
}

#[Object]
impl BroadcastHealth {
    async fn status(&self) -> Status {
        self.verdict.status
    }
    /// What is wrong, the gravest and oldest first.
    async fn issues(&self, ctx: &Context<'_>) -> Vec<HealthIssue> {
        let op = Op::of(ctx);
        self.verdict.issues.iter().filter_map(|open| said(op, open)).collect()
    }
    /// The newest sample, however old it is.
    async fn latest(&self) -> Option<HealthSample> {
        let of = |report: &Option<_>| report.as_slice().to_vec();
        let (edge, worker) = (of(&self.newest.edge), of(&self.newest.worker));
        health::series(&edge, &worker).pop().map(HealthSample::from)
    }
    /// Samples of the last quarter of an hour, about one a second, in the order of time: the newest `first` (1 to 900), of those
    /// after `since` where it is given.
    #[graphql(complexity = "samples_cost(first, child_complexity)")]
    async fn samples(
        &self,
        ctx: &Context<'_>,
        since: Option<Instant>,
        first: Option<i32>,
    ) -> Result<Vec<HealthSample>> {
        let first = first.unwrap_or(SAMPLES_DEFAULT);
        if !(1..=SAMPLES_MAX).contains(&first) {
            return Err(Problem::bad_input(format!("first lies between 1 and {SAMPLES_MAX}.")).into());
        }
        let hints = &Op::of(ctx).services().hints;
        // Redis is away: there are none.
        let mut kept = health::kept(hints, self.tenant, self.broadcast)
            .await
            .unwrap_or_default();
        if let Some(Instant(since)) = since {
            kept.retain(|at| at.at_ms > since.timestamp_millis());
        }
        let newest = kept.len().saturating_sub(first.unsigned_abs() as usize);
        Ok(kept.drain(newest..).map(HealthSample::from).collect())
    }
}
