//! A running epoch: where its units go on the timeline.

use std::collections::VecDeque;

use super::grid::{FrameGrid, Rate};
use super::issue::{Issue, Sink};
use super::sample_clock::{AudioPlace, SampleClock};
use super::tracks::Coded;
use super::{FORWARD_MS_MAX, GAP_MS, MEDIUM_BACK_MS_MAX, Output, SMALL_BACK_MS_MAX};
use crate::codec::aac;
use crate::time::{MediaTime, Round, Timescale};
use crate::unit::{AccessUnit, EpochCause, TrackId, TrackKind};

/// How near two tracks' corrections must be, in milliseconds and in time, to be one and the same.
const SAME_STEP_MS: i64 = 100;
const SAME_STEP_WITHIN_MS: i64 = 2_000;
/// How far arrival and timestamps may differ over a pause that is only a pause.
const PAUSE_SLACK_MS: i64 = 2_000;
/// Length assumed of a frame when nothing tells: 1/30 s.
const FRAME_90K: i64 = 3_000;

/// The publisher's clock as a track shows it.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Last time, corrections included, and its arrival.
    pub last: Option<(i64, i64)>,
    /// Correction added to the track's times.
    pub adjust: i64,
}

pub(super) struct VideoRun {
    pub pace: Pace,
    grid: FrameGrid,
    /// How much earlier than sent units are decoded, so that none is shown before.
    shift_90k: i64,
    last_dts: Option<i64>,
}

pub(super) struct AudioRun {
    pub pace: Pace,
    clock: SampleClock,
    rate: Timescale,
    frame: u32,
}

pub(super) struct Run {
    pub start_90k: i64,
    /// Timeline position of the publisher's time 0.
    origin_90k: i64,
    pub video: Option<VideoRun>,
    pub audio: Option<AudioRun>,
    /// A new epoch is due at the next key frame.
    pub wanted: Option<EpochCause>,
    /// Audio whose time lies elsewhere than the pictures', until it is clear which of the two has jumped.
    pub foreign: VecDeque<Coded>,
    /// The last correction: by how much, and when.
    retimed: Option<(i64, i64)>,
}

/// What a unit's time means for the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Goes,
    /// The epoch ends here: by how many milliseconds time jumped.
    Jump(i64),
    Foreign,
}

impl Run {
    pub fn new(start_90k: i64, origin_90k: i64) -> Self {
        let foreign = VecDeque::new();
        Self {
            start_90k,
            origin_90k,
            video: None,
            audio: None,
            wanted: None,
            foreign,
            retimed: None,
        }
    }

    pub fn with_video(mut self, hint: Option<Rate>, shift_90k: i64) -> Self {
        let pace = Pace { last: None, adjust: 0 };
        self.video = Some(VideoRun {
            pace,
            grid: FrameGrid::new(hint),
            shift_90k,
            last_dts: None,
        });
        self
    }

    pub fn with_audio(mut self, config: &aac::Config, adjust: i64) -> Self {
        // A rate of 0 does not parse.
        let rate = Timescale::new(config.output_rate()).unwrap_or(Timescale::VIDEO);
        let frame = config.frame_samples();
        let clock = SampleClock::new(rate.get(), frame);
        self.audio = Some(AudioRun {
            pace: Pace { last: None, adjust },
            clock,
            rate,
            frame,
        });
        self
    }

    pub fn frame_rate(&self) -> Option<Rate> {
        self.video.as_ref().and_then(|v| v.grid.rate())
    }

    /// Length of a video frame in milliseconds, as well as it is known.
    pub fn nominal_ms(&self) -> i64 {
        self.video
            .as_ref()
            .and_then(|v| v.grid.frame_90k())
            .unwrap_or(FRAME_90K)
            / 90
    }

    /// Judges a video unit's time and corrects medium steps back.
    pub fn judge_video(&mut self, unit: &Coded, sink: &mut Sink) -> Verdict {
        let nominal = self.nominal_ms();
        let Some(video) = &mut self.video else {
            return Verdict::Goes;
        };
        let Some((last, last_now)) = video.pace.last else {
            return Verdict::Goes;
        };
        let delta = unit.ms + video.pace.adjust - last;
        if delta < -MEDIUM_BACK_MS_MAX {
            return Verdict::Jump(delta);
        }
        if delta > FORWARD_MS_MAX {
            let time = unit.ms + video.pace.adjust;
            let with_audio = self.audio.as_ref().and_then(|a| a.pace.last);
            let only_a_pause = match with_audio {
                Some((audio, _)) => (time - audio).abs() <= FORWARD_MS_MAX,
                None => (delta - (unit.now_ms - last_now)).abs() <= PAUSE_SLACK_MS,
            };
            if !only_a_pause {
                return Verdict::Jump(delta);
            }
        }
        let needed = step_back(TrackKind::Video, delta, nominal, unit.now_ms, &mut self.retimed, sink);
        video.pace.adjust += needed;
        if delta > GAP_MS {
            sink.issue(Issue::Gap {
                kind: TrackKind::Video,
                by_ms: delta,
            });
        }
        Verdict::Goes
    }

    /// Judges an audio unit's time and corrects medium steps back.
    pub fn judge_audio(&mut self, unit: &Coded, sink: &mut Sink) -> Verdict {
        let Some(audio) = &mut self.audio else {
            return Verdict::Goes;
        };
        let time = unit.ms + audio.pace.adjust;
        let delta = audio.pace.last.map(|(last, _)| time - last);
        let video = self.video.as_ref().and_then(|v| v.pace.last).map(|(video, _)| video);
        let near_video = video.is_none_or(|video| (time - video).abs() <= FORWARD_MS_MAX);
        match delta {
            // As far from the pictures as it likes, as long as it goes on from itself.
            Some(by) if (-MEDIUM_BACK_MS_MAX..=FORWARD_MS_MAX).contains(&by) => {}
            Some(by) if video.is_none() => return Verdict::Jump(by),
            Some(FORWARD_MS_MAX..) | None if near_video => {}
            _ => return Verdict::Foreign,
        }
        let nominal = i64::from(audio.frame) * 1_000 / i64::from(audio.rate.get());
        let needed = step_back(
            TrackKind::Audio,
            delta.unwrap_or(0),
            nominal,
            unit.now_ms,
            &mut self.retimed,
            sink,
        );
        audio.pace.adjust += needed;
        Verdict::Goes
    }

    /// Gives audio on a clock of its own the place that its arrival has among the pictures.
    pub fn align_foreign(&mut self, sink: &mut Sink) {
        let (Some(audio), Some(first)) = (&mut self.audio, self.foreign.front()) else {
            return;
        };
        let Some((video, video_now)) = self.video.as_ref().and_then(|v| v.pace.last) else {
            return;
        };
        let by_arrival = video - (video_now - first.now_ms);
        let target = audio.pace.last.map_or(by_arrival, |(last, _)| by_arrival.max(last + 1));
        let by_ms = target - (first.ms + audio.pace.adjust);
        audio.pace.adjust += by_ms;
        sink.issue(Issue::OffsetAudio { by_ms });
    }

    /// Places a video unit. Gives the end of the timeline that it reaches.
    pub fn emit_video(&mut self, unit: Coded, sink: &mut Sink) -> i64 {
        let Some(video) = &mut self.video else {
            return self.start_90k;
        };
        let time = unit.ms + video.pace.adjust;
        let equal = video.pace.last.is_some_and(|(last, _)| last == time);
        video.pace.last = Some((time, unit.now_ms));
        let raw = time * 90 + self.origin_90k;
        let place = video.grid.place(raw);
        let mut pts = video.grid.present(raw, place.dts, i64::from(unit.composition_ms) * 90);
        let mut dts = place.dts - video.shift_90k;
        if pts < dts {
            sink.issue(Issue::ShownBeforeDecoded);
            video.shift_90k += dts - pts;
            dts = pts;
        }
        let mut duration = place.duration;
        if let Some(last) = video.last_dts.filter(|&last| dts <= last) {
            if equal {
                sink.issue(Issue::EqualTimes);
            }
            dts = last + 1;
            duration = None;
        }
        // Never before the epoch: a step back right after its start ends here.
        dts = dts.max(self.start_90k);
        pts = pts.max(dts);
        let length = duration
            .map(i64::from)
            .or(video.grid.frame_90k())
            .or(video.last_dts.map(|last| (dts - last).min(90_000)))
            .unwrap_or(FRAME_90K);
        video.last_dts = Some(dts);
        sink.output.push_back(Output::Unit(AccessUnit {
            track: TrackId::VIDEO,
            dts: MediaTime::video(dts),
            pts: MediaTime::video(pts),
            duration,
            key: unit.key,
            data: unit.data,
        }));
        pts + length
    }

    /// Places an audio unit. Gives the end of the timeline that it reaches.
    pub fn emit_audio(&mut self, unit: Coded, sink: &mut Sink) -> i64 {
        let Some(audio) = &mut self.audio else {
            return self.start_90k;
        };
        let time = unit.ms + audio.pace.adjust;
        let raw = MediaTime::video(time * 90 + self.origin_90k);
        if raw.ticks < self.start_90k {
            sink.issue(Issue::AudioOverlap);
            return self.start_90k;
        }
        audio.pace.last = Some((time, unit.now_ms));
        let at = match audio.clock.place(raw.to(audio.rate, Round::Up).ticks) {
            AudioPlace::At(at) => at,
            AudioPlace::AfterGap(at, by) => {
                let by_ms = MediaTime::new(by, audio.rate).millis();
                sink.issue(Issue::Gap {
                    kind: TrackKind::Audio,
                    by_ms,
                });
                at
            }
            AudioPlace::Overlap => {
                sink.issue(Issue::AudioOverlap);
                return self.start_90k;
            }
        };
        let at = MediaTime::new(at, audio.rate);
        sink.output.push_back(Output::Unit(AccessUnit {
            track: TrackId::AUDIO,
            dts: at,
            pts: at,
            duration: Some(audio.frame),
            key: true,
            data: unit.data,
        }));
        at.plus(i64::from(audio.frame)).to(Timescale::VIDEO, Round::Up).ticks
    }
}

/// What a step back calls for: nothing when it is small, else a correction after which time goes on by `nominal`.
/// The second track of a common step is corrected like the first, so that sound and picture stay together.
fn step_back(
    kind: TrackKind,
    delta: i64,
    nominal: i64,
    now_ms: i64,
    retimed: &mut Option<(i64, i64)>,
    sink: &mut Sink,
) -> i64 {
    if delta >= 0 {
        return 0;
    }
    if delta >= -SMALL_BACK_MS_MAX {
        sink.issue(Issue::SmallStepBack { kind, by_ms: -delta });
        return 0;
    }
    sink.issue(Issue::Retimed { kind, by_ms: -delta });
    let needed = nominal - delta;
    match retimed.take() {
        Some((by, at)) if now_ms - at <= SAME_STEP_WITHIN_MS && (by - needed).abs() <= SAME_STEP_MS => by,
        _ => {
            *retimed = Some((needed, now_ms));
            needed
        }
    }
}
