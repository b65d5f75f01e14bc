//! Made-up publishers, second by second.

use std::time::Duration;

use bytes::Bytes;
use headwater_media::{MediaTime, Timescale, TrackId};
use headwater_model::health::Open;

use super::*;

const VIDEO_BYTES: usize = 12_500;

/// A publisher that sends what its settings say: 720p30 of 3 Mbit/s with a GOP of 2 s, and sound.
struct Made {
    health: Health,
    settled: Counts,
    now: Instant,
    now_ms: i64,
    video_90k: i64,
    audio: i64,
    frame: i64,
    /// Pictures from key frame to key frame.
    gop: i64,
    /// Key frames a second and three seconds apart.
    irregular: bool,
    fps: i64,
    video_bytes: usize,
    video: bool,
    audio_on: bool,
    /// Every so many pictures one is missing.
    drop_every: i64,
    /// Media seconds for each second, in thousandths.
    speed_milli: i64,
    held: bool,
    pulled: bool,
    audio_lead_ms: i64,
}

#[derive(Default)]
struct Counts {
    clock: u64,
    open_gops: u64,
    video: u64,
    audio: u64,
}

impl Made {
    fn new() -> Self {
        let now = Instant::now();
        let mut health = Health::new(6_000_000, now);
        health.setting = Setting {
            video: true,
            audio: true,
            width: 1_280,
            height: 720,
            interlaced: false,
            fps_milli: 30_000,
            bitrate_max_bps: 6_000_000,
        };
        Self {
            health,
            settled: Counts::default(),
            now,
            now_ms: 1_000_000,
            video_90k: 0,
            audio: 0,
            frame: 0,
            gop: 60,
            irregular: false,
            fps: 30,
            video_bytes: VIDEO_BYTES,
            video: true,
            audio_on: true,
            drop_every: 0,
            speed_milli: 1_000,
            held: false,
            pulled: true,
            audio_lead_ms: 0,
        }
    }

    /// One second of it; returns the report.
    fn second(&mut self) -> Report {
        let step = 90_000 / self.fps;
        for _ in 0..self.fps * self.speed_milli / 1_000 {
            let key = match self.irregular {
                true => [0, 30].contains(&(self.frame % 120)),
                false => self.frame % self.gop == 0,
            };
            let dropped = self.drop_every > 0 && self.frame % self.drop_every == self.drop_every - 1 && !key;
            if self.video && !dropped {
                self.health.unit(&AccessUnit {
                    track: TrackId::VIDEO,
                    dts: MediaTime::video(self.video_90k),
                    pts: MediaTime::video(self.video_90k),
                    duration: Some(step as u32),
                    key,
                    data: Bytes::from(vec![0; self.video_bytes]),
                });
            }
            self.frame += 1;
            self.video_90k += step;
        }
        let rate = Timescale::new(48_000).expect("a rate");
        let reach = MediaTime::video(self.video_90k + self.audio_lead_ms * 90).ticks_in(rate);
        while self.audio < reach {
            if self.audio_on {
                self.health.unit(&AccessUnit {
                    track: TrackId::AUDIO,
                    dts: MediaTime::new(self.audio, rate),
                    pts: MediaTime::new(self.audio, rate),
                    duration: Some(1_024),
                    key: true,
                    data: Bytes::from_static(&[0; 256]),
                });
            }
            self.audio += 1_024;
        }
        self.health.read();
        self.health.meter.settle(
            self.settled.clock,
            self.settled.open_gops,
            self.settled.video,
            self.settled.audio,
        );
        self.health.meter.hold(self.held);
        self.now += Duration::from_secs(1);
        self.now_ms += 1_000;
        self.health.look(self.now, self.now_ms, self.pulled, None)
    }

    fn open(&mut self, seconds: usize) -> Vec<Issue> {
        let mut last = Vec::new();
        for _ in 0..seconds {
            last = self.second().issues;
        }
        last.iter().map(|open: &Open| open.issue).collect()
    }

    /// Seconds until the issue is open, or closed.
    fn until(&mut self, issue: Issue, open: bool) -> i64 {
        for second in 1..=90 {
            if self.second().issues.iter().any(|o| o.issue == issue) == open {
                return second;
            }
        }
        panic!("{issue:?} is never {}", if open { "open" } else { "closed" });
    }
}

#[test]
fn a_healthy_publisher_is_measured_and_has_no_issue() {
    let mut made = Made::new();
    for second in 0..120 {
        let report = made.second();
        assert!(report.issues.is_empty(), "second {second}: {:?}", report.issues);
        let sample = report.sample;
        assert_eq!(sample.video_bitrate_bps, Some(3_000_000));
        if second > 0 {
            assert_eq!(sample.fps_milli, Some(30_000));
        }
        if second > 2 {
            assert_eq!(sample.keyframe_interval_ms, Some(2_000));
        }
        assert!(sample.av_offset_ms.is_some_and(|ms| ms.abs() < 60), "{sample:?}");
        assert_eq!((sample.dropped_frames, sample.latency_ms), (Some(0), None));
    }
}

/// What makes an issue, what mends it, and within how many seconds it opens and closes.
type Case = (Issue, fn(&mut Made), fn(&mut Made), i64, i64);

const CASES: [Case; 19] = [
    (Issue::GopLong, |m| m.gop = 300, |m| m.gop = 60, 13, 20),
    (Issue::GopShort, |m| m.gop = 10, |m| m.gop = 60, 18, 30),
    (Issue::GopOpen, |m| m.settled.open_gops += 1, |_| {}, 1, 32),
    (
        Issue::GopIrregular,
        |m| m.irregular = true,
        |m| m.irregular = false,
        60,
        60,
    ),
    (
        Issue::BitrateHigh,
        |m| m.video_bytes = 24_000,
        |m| m.video_bytes = VIDEO_BYTES,
        13,
        22,
    ),
    (
        Issue::BitrateLow,
        |m| m.video_bytes = 500,
        |m| m.video_bytes = VIDEO_BYTES,
        40,
        20,
    ),
    (Issue::FramerateLow, |m| m.fps = 15, |m| m.fps = 30, 12, 12),
    (Issue::FramesDropped, |m| m.drop_every = 7, |m| m.drop_every = 0, 10, 22),
    (
        Issue::Starved,
        |m| m.speed_milli = 600,
        |m| m.speed_milli = 1_000,
        6,
        16,
    ),
    (Issue::FasterThanRealtime, |m| m.held = true, |m| m.held = false, 8, 16),
    (Issue::ClockJump, |m| m.settled.clock += 1, |_| {}, 1, 32),
    (
        Issue::AvDrift,
        |m| m.audio_lead_ms = 2_000,
        |m| m.audio_lead_ms = 0,
        10,
        20,
    ),
    (
        Issue::ResolutionUnsupported,
        |m| m.health.setting.width = 5_120,
        |m| m.health.setting.width = 1_280,
        1,
        7,
    ),
    (Issue::VideoCodecUnsupported, |m| m.settled.video += 1, |_| {}, 1, 9),
    (Issue::AudioCodecUnsupported, |m| m.settled.audio += 1, |_| {}, 1, 9),
    (
        Issue::AudioMissing,
        |m| m.audio_on = false,
        |m| m.audio_on = true,
        10,
        5,
    ),
    (Issue::VideoMissing, |m| m.video = false, |m| m.video = true, 10, 5),
    (
        Issue::Interlaced,
        |m| m.health.setting.interlaced = true,
        |m| m.health.setting.interlaced = false,
        1,
        7,
    ),
    (Issue::WorkerLost, |m| m.pulled = false, |m| m.pulled = true, 6, 4),
];

#[test]
fn every_issue_of_an_edge_is_opened_and_closed_by_what_a_publisher_sends() {
    for (issue, breaks, mends, opens_s, closes_s) in CASES {
        let mut made = Made::new();
        assert!(made.open(10).is_empty());
        let mut opened = None;
        for second in 1..=90 {
            if second == 1 {
                breaks(&mut made);
            }
            if made.second().issues.iter().any(|open| open.issue == issue) {
                opened = Some(second);
                break;
            }
        }
        let opened = opened.unwrap_or_else(|| panic!("{issue:?} never opens"));
        assert!(opened <= opens_s, "{issue:?} opens after {opened} s");
        mends(&mut made);
        let closed = made.until(issue, false);
        assert!(closed <= closes_s, "{issue:?} closes after {closed} s");
        assert!(made.open(60).is_empty(), "{issue:?} comes back");
    }
    let told: Vec<Issue> = CASES.iter().map(|(issue, ..)| *issue).collect();
    let others: Vec<Issue> = Issue::ALL.into_iter().filter(|issue| !told.contains(issue)).collect();
    assert_eq!(others, [Issue::RungsReduced, Issue::StoreDelayed], "a worker's");
}

#[test]
fn a_stall_starves_and_is_no_long_gop() {
    let mut made = Made::new();
    made.open(10);
    made.speed_milli = 0;
    assert_eq!(made.open(3), [Issue::Starved]);
    made.speed_milli = 2_000;
    made.open(3);
    made.speed_milli = 1_000;
    assert!(made.open(30).is_empty());
}

#[test]
fn wavering_about_a_bound_tells_once() {
    let mut made = Made::new();
    made.open(10);
    let mut turns = 0;
    let mut was = false;
    for second in 0..240 {
        made.speed_milli = if second % 3 == 0 { 700 } else { 1_000 };
        let is = made.second().issues.iter().any(|open| open.issue == Issue::Starved);
        turns += usize::from(is != was);
        was = is;
    }
    assert_eq!(turns, 1, "between the bounds it stays as it was");
}

#[test]
fn a_round_trip_is_told_to_the_nearest_millisecond_and_nothing_is_not_zero() {
    let mut health = Health::new(6_000_000, Instant::now());
    for (us, ms) in [
        (None, None),
        (Some(36), Some(0)),
        (Some(500), Some(1)),
        (Some(41_499), Some(41)),
    ] {
        let round_trip = us.map(Duration::from_micros);
        let report = health.look(Instant::now(), 0, true, round_trip);
        assert_eq!(report.sample.rtt_ms, ms, "{us:?}");
        let read = headwater_model::health::Report::from_json(&report.to_json()).expect("its own text");
        assert_eq!(read.sample.rtt_ms, ms, "as Redis keeps it");
    }
}
