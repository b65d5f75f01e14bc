//! How a publish does: measured where its units pass, judged once a second, told to Redis.
//!
//! [`meter`] adds up, [`judge`] looks, [`Latches`] opens and closes. A publish costs some 6 KiB and a few additions per unit; all
//! publishes of an edge together cost one pipeline to Redis each second. Without Redis, reports are lost and nothing else.

mod judge;
mod meter;
mod round_trip;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use headwater_media::normalise::Counters;
use headwater_media::{AccessUnit, CodecConfig, Epoch, TrackKind};
use headwater_model::health::{
    HEALTH_CHANGED_TOPIC, Issue, Latches, REPORT_EVERY, REPORTS_KEPT, REPORTS_TTL, Report, Sample, Turn,
};
use headwater_platform::hints::SharedHints;
use metrics::counter;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::broadcast::Registry;
use judge::{Setting, Window};
use meter::{Facts, Meter};
pub use round_trip::{Link, RoundTrips};

/// Reports that travel in one round trip.
const REPORTS_AT_ONCE: usize = 500;

/// The health of one publish.
#[derive(Debug)]
pub struct Health {
    meter: Meter,
    setting: Setting,
    window: Window,
    latches: Latches,
    looked: Instant,
    /// An issue has opened or closed since that was asked last.
    turned: bool,
    /// When a worker last pulled.
    pulled: Instant,
}

impl Health {
    /// Of a publish that begins now and may send this many bits per second.
    pub fn new(bitrate_max_bps: u64, now: Instant) -> Self {
        Self {
            meter: Meter::default(),
            setting: Setting {
                bitrate_max_bps,
                ..Setting::default()
            },
            window: Window::default(),
            latches: Latches::default(),
            looked: now,
            turned: false,
            pulled: now,
        }
    }

    /// An epoch begins. `fps_milli`: what the encoder says that it sends; 0 where it does not.
    pub fn epoch(&mut self, epoch: &Epoch, fps_milli: u32) {
        self.meter.epoch();
        let of = |kind| epoch.tracks.iter().any(|track| track.config.kind() == kind);
        self.setting = Setting {
            video: of(TrackKind::Video),
            audio: of(TrackKind::Audio),
            fps_milli,
            ..self.setting
        };
        for track in &epoch.tracks {
            if let CodecConfig::H264(config) = &track.config {
                let sps = config.sps();
                (self.setting.width, self.setting.height) = (sps.width, sps.height);
                self.setting.interlaced = sps.interlaced;
            }
        }
    }

    /// A unit has come.
    pub fn unit(&mut self, unit: &AccessUnit) {
        self.meter.unit(unit);
    }

    /// What a read brought is taken.
    pub fn read(&mut self) {
        self.meter.read();
    }

    /// What the normaliser has counted so far, and whether the publisher was held back of late.
    pub fn note(&mut self, counters: &Counters, held: bool) {
        self.meter.note(counters, held);
    }

    /// Looks at what has come since the last look. `now_ms`: Unix milliseconds; `pulled`: a worker pulls at this moment;
    /// `round_trip`: of the publisher's connection, where it is known.
    pub fn look(&mut self, now: Instant, now_ms: i64, pulled: bool, round_trip: Option<Duration>) -> Report {
        let span_ms = millis(self.looked, now).max(1);
        self.looked = now;
        if pulled {
            self.pulled = now;
        }
        let away_ms = millis(self.pulled, now);
        let facts = self.meter.take(span_ms);
        self.window.push(facts);
        for issue in Issue::ALL {
            let look = self.window.look(issue, &self.setting, away_ms);
            let turn = self.latches.look(issue, look, now_ms);
            self.turned |= turn.is_some();
            match turn {
                Some(Turn::Opened) => {
                    counter!("ingest_health_issues_total", "issue" => issue.as_str()).increment(1);
                    info!("stream health: {} begins", issue.as_str());
                }
                Some(Turn::Closed) => info!("stream health: {} is over", issue.as_str()),
                None => {}
            }
        }
        Report {
            at_ms: now_ms,
            worker: false,
            sample: Sample {
                rtt_ms: round_trip.map(whole_ms),
                ..sample(&facts, &self.setting)
            },
            issues: self.latches.open().collect(),
            making: None,
        }
    }
}

impl Health {
    /// Whether an issue has opened or closed since the last call.
    pub fn turned(&mut self) -> bool {
        std::mem::take(&mut self.turned)
    }
}

/// To the nearest: 0 is less than half a millisecond.
fn whole_ms(round_trip: Duration) -> u32 {
    u32::try_from((round_trip.as_micros() + 500) / 1_000).unwrap_or(u32::MAX)
}

fn millis(from: Instant, to: Instant) -> i64 {
    i64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(i64::MAX / 1_000)
}

fn sample(facts: &Facts, setting: &Setting) -> Sample {
    let rate = |bytes: u64| bytes * 8_000 / facts.span_ms.unsigned_abs();
    let whole = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    let fps_milli = match facts.video_advance_ms {
        0 => 0,
        advance => i64::from(facts.frames) * 1_000_000 / advance,
    };
    Sample {
        video_bitrate_bps: setting.video.then(|| rate(facts.video_bytes)),
        audio_bitrate_bps: setting.audio.then(|| rate(facts.audio_bytes)),
        // With a single picture there is no step to measure.
        fps_milli: (setting.video && (facts.frames == 0 || fps_milli > 0)).then(|| whole(fps_milli)),
        keyframe_interval_ms: facts.gop_ms.map(whole),
        av_offset_ms: facts.offset_ms.and_then(|ms| i32::try_from(ms).ok()),
        dropped_frames: setting.video.then_some(facts.missing),
        latency_ms: None,
        rtt_ms: None,
    }
}

/// Reports every publish of the edge about every second until `stop` fires.
pub(crate) async fn report(registry: Arc<Registry>, hints: SharedHints, stop: CancellationToken) {
    let mut every = interval(REPORT_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    let mut trips = RoundTrips::open();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let (reports, turned) = registry.look(Instant::now(), &mut trips);
        for some in reports.chunks(REPORTS_AT_ONCE) {
            match hints.append(some.to_vec(), REPORTS_KEPT, REPORTS_TTL).await {
                Ok(()) => failing = false,
                Err(error) => {
                    counter!("ingest_health_reports_lost_total").increment(some.len() as u64);
                    if !std::mem::replace(&mut failing, true) {
                        debug!("stream health is not told: {error}");
                    }
                }
            }
        }
        for broadcast in turned.into_iter().filter(|_| !failing) {
            // Lost with Redis, like the report itself.
            let _ = hints.publish(HEALTH_CHANGED_TOPIC, broadcast).await;
        }
    }
}
