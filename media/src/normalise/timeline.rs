//! When epochs begin and end, and what waits for them.

use std::collections::VecDeque;

use super::grid::{self, Rate};
use super::issue::{Issue, Sink};
use super::run::{Run, Verdict};
use super::tracks::{AudioTrack, Coded, VideoTrack};
use super::{
    BACKLOG_MS, FOREIGN_MS, FORWARD_MS_MAX, HOLD_BYTES_MAX, HOLD_UNITS_MAX, KEY_WAIT_MS, ONE_KIND_WAIT_MS, Output,
    Start, TRACK_WAIT_MS,
};
use crate::time::Timescale;
use crate::unit::{CodecConfig, Epoch, EpochCause, Track, TrackId, TrackKind};

/// A publisher counts as caught up this near to where its clock should be, in milliseconds.
const CAUGHT_UP_MS: i64 = 1_000;
/// Arrival time over which the speed of a backlog is measured, and the longest that one is waited out.
const SPEED_WINDOW_MS: i64 = 1_000;
const BACKLOG_WAIT_MS: i64 = 60_000;

pub(super) struct Timeline {
    next_index: u32,
    pub end_90k: i64,
    anchor_ms: Option<i64>,
    /// What the publisher announced.
    pub announced: (Option<bool>, Option<bool>),
    pub rate_hint: Option<Rate>,
    state: State,
    hold: VecDeque<Coded>,
    hold_bytes: usize,
    audio_adjust: i64,
    /// Units to be looked at, in order.
    queue: VecDeque<Coded>,
}

enum State {
    /// Waits for a key frame and for tracks.
    Starting(Starting),
    Running(Box<Run>),
    /// Passes over media that piled up while the publisher paused.
    Backlog(Backlog),
}

struct Starting {
    cause: EpochCause,
    since_ms: Option<i64>,
    /// Tracks worth waiting for.
    video: bool,
    audio: bool,
    /// Pictures came, but no key frame.
    no_key: bool,
}

struct Backlog {
    kind: TrackKind,
    tracks: (bool, bool),
    /// The clock before the pause: time and arrival.
    before: (i64, i64),
    window: Option<(i64, i64)>,
    since_ms: i64,
}

/// The tracks' configurations, lent for one call.
pub(super) struct Tracks<'a> {
    pub video: &'a mut VideoTrack,
    pub audio: &'a mut AudioTrack,
}

impl Timeline {
    pub fn new(start: Start) -> Self {
        let state = Starting {
            cause: start.cause,
            since_ms: None,
            video: true,
            audio: true,
            no_key: false,
        };
        Self {
            next_index: start.epoch_index,
            end_90k: start.end_90k,
            anchor_ms: start.anchor_ms,
            announced: (None, None),
            rate_hint: None,
            state: State::Starting(state),
            hold: VecDeque::new(),
            hold_bytes: 0,
            audio_adjust: 0,
            queue: VecDeque::new(),
        }
    }

    pub fn successor(&self) -> Start {
        let (epoch_index, end_90k, anchor_ms) = (self.next_index, self.end_90k, self.anchor_ms);
        Start {
            epoch_index,
            end_90k,
            anchor_ms,
            cause: EpochCause::Reconnect,
        }
    }

    pub fn run(&self) -> Option<&Run> {
        match &self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    pub fn push(&mut self, unit: Coded, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        self.queue.push_back(unit);
        // Held units come back through the queue when an epoch begins, so nothing here recurses.
        while let Some(unit) = self.queue.pop_front() {
            match &mut self.state {
                State::Starting(_) => self.hold_unit(unit, tracks, sink),
                State::Running(_) => self.run_unit(unit, tracks, sink),
                State::Backlog(_) => self.skip_unit(unit, sink),
            }
        }
    }

    /// When something held has waited long enough.
    pub fn deadline_ms(&self) -> Option<i64> {
        let State::Starting(starting) = &self.state else {
            return None;
        };
        let since = starting.since_ms?;
        if !starting.no_key {
            return (!self.hold.is_empty()).then_some(since + self.wait_ms());
        }
        Some(since + KEY_WAIT_MS)
    }

    /// `force` ends the wait whatever the time.
    pub fn tick(&mut self, now_ms: i64, force: bool, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        if matches!(self.state, State::Starting(_)) {
            self.try_begin(now_ms, force, tracks, sink);
            if let Some(unit) = self.queue.pop_front() {
                self.queue_again(unit, tracks, sink);
            }
        }
    }

    fn queue_again(&mut self, unit: Coded, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        let rest = std::mem::take(&mut self.queue);
        for unit in std::iter::once(unit).chain(rest) {
            self.push(unit, tracks, sink);
        }
    }

    fn wait_ms(&self) -> i64 {
        let (video, audio) = (self.announced.0 == Some(true), self.announced.1 == Some(true));
        if video != audio {
            ONE_KIND_WAIT_MS
        } else {
            TRACK_WAIT_MS
        }
    }

    fn has(&self, kind: TrackKind) -> bool {
        self.hold.iter().any(|u| u.kind == kind)
    }

    fn keep(&mut self, unit: Coded) {
        self.hold_bytes += unit.data.len();
        self.hold.push_back(unit);
    }

    fn discard(&mut self, kind: TrackKind) {
        self.hold.retain(|u| u.kind != kind);
        self.hold_bytes = self.hold.iter().map(|u| u.data.len()).sum();
    }

    fn hold_is_full(&self) -> bool {
        self.hold.len() >= HOLD_UNITS_MAX || self.hold_bytes >= HOLD_BYTES_MAX
    }

    fn hold_unit(&mut self, unit: Coded, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        let (kind, now_ms) = (unit.kind, unit.now_ms);
        let changed = match kind {
            TrackKind::Video => std::mem::take(&mut tracks.video.changed),
            TrackKind::Audio => std::mem::take(&mut tracks.audio.changed),
        };
        let last = self.hold.iter().rev().find(|u| u.kind == kind).map(|u| u.ms);
        let jumped = last.is_some_and(|last| (unit.ms - last).abs() > FORWARD_MS_MAX);
        if changed || (jumped && (kind == TrackKind::Video || !self.has(TrackKind::Video))) {
            self.discard(kind);
        }
        let first_picture = kind == TrackKind::Video && !self.has(TrackKind::Video);
        let State::Starting(starting) = &mut self.state else {
            return;
        };
        starting.since_ms.get_or_insert(now_ms);
        if first_picture && !unit.key {
            starting.no_key = true;
            sink.issue(Issue::BeforeKeyFrame);
        } else {
            starting.no_key &= kind != TrackKind::Video;
            self.keep(unit);
        }
        let full = self.hold_is_full();
        if full {
            sink.issue(Issue::HoldOverflow);
        }
        self.try_begin(now_ms, full, tracks, sink);
    }

    fn try_begin(&mut self, now_ms: i64, force: bool, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        let (video, audio, wait_ms) = (self.has(TrackKind::Video), self.has(TrackKind::Audio), self.wait_ms());
        let State::Starting(starting) = &mut self.state else {
            return;
        };
        let Some(since) = starting.since_ms else { return };
        let cause = starting.cause;
        let elapsed = now_ms.saturating_sub(since);
        let missing = (starting.video && !video) || (starting.audio && !audio);
        let ready = (video || audio) && !missing;
        if ready || (video && (force || elapsed >= wait_ms)) {
            self.begin(cause, audio, tracks, sink);
        } else if starting.no_key && !force && elapsed < KEY_WAIT_MS {
            // Pictures are there; they only need their key frame.
        } else if starting.no_key && (force || elapsed >= KEY_WAIT_MS) && !audio {
            sink.issue(Issue::NoKeyFrame);
            starting.since_ms = Some(now_ms);
        } else if audio && (force || elapsed >= wait_ms) {
            if starting.no_key {
                sink.issue(Issue::NoKeyFrame);
            }
            self.begin(cause, true, tracks, sink);
        }
    }

    /// Begins an epoch with what is held: the first held picture is a key frame. The units go back to the queue.
    fn begin(&mut self, cause: EpochCause, with_audio: bool, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        let mut held = std::mem::take(&mut self.hold);
        self.hold_bytes = 0;
        let picture = held.iter().find(|u| u.kind == TrackKind::Video).cloned();
        let Some(first) = picture.as_ref().or(held.front()) else {
            return;
        };
        let anchor_ms = *self.anchor_ms.get_or_insert(first.now_ms);
        let start_90k = self
            .end_90k
            .max(first.now_ms.saturating_sub(anchor_ms).saturating_mul(90));
        let mut list = Vec::new();
        let mut shift_90k = 0;
        let mut hint = None;
        if let (Some(picture), Some(config)) = (&picture, &tracks.video.config) {
            let sps = config.sps();
            hint = sps.frame_rate.or(self.rate_hint);
            shift_90k = decode_ahead(picture.composition_ms, sps.max_num_reorder, hint);
            let config = CodecConfig::H264(config.clone());
            list.push(Track {
                id: TrackId::VIDEO,
                timescale: Timescale::VIDEO,
                config,
                language: None,
            });
        }
        if cause == EpochCause::Jump {
            self.audio_adjust = 0;
        }
        let adjust = if picture.is_some() { self.audio_adjust } else { 0 };
        let mut run = Run::new(start_90k, start_90k + shift_90k - first.ms * 90);
        if !list.is_empty() {
            run = run.with_video(hint, shift_90k);
        }
        if let Some(config) = tracks.audio.config.as_ref().filter(|_| with_audio) {
            run = run.with_audio(config, adjust);
            let timescale = Timescale::new(config.output_rate()).unwrap_or(Timescale::VIDEO);
            let config = CodecConfig::Aac(config.clone());
            list.push(Track {
                id: TrackId::AUDIO,
                timescale,
                config,
                language: None,
            });
        }
        if let Some(picture) = &picture {
            // Sound before the first picture is cut off, so that both begin together.
            let shown = picture.ms + i64::from(picture.composition_ms.max(0));
            let before = |u: &Coded| (shown - FORWARD_MS_MAX..shown).contains(&(u.ms + adjust));
            held.retain(|u| u.kind == TrackKind::Video || !before(u));
        }
        tracks.video.changed = false;
        tracks.audio.changed = false;
        sink.output.push_back(Output::Epoch(Epoch {
            index: self.next_index,
            start_90k,
            wallclock_ms: anchor_ms + start_90k / 90,
            tracks: list,
            cause,
        }));
        self.next_index += 1;
        self.end_90k = start_90k;
        self.state = State::Running(Box::new(run));
        held.into_iter().rev().for_each(|u| self.queue.push_front(u));
    }

    fn run_unit(&mut self, unit: Coded, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        if let Some(backlog) = self.backlog_before(&unit) {
            self.state = State::Backlog(backlog);
            self.hold.clear();
            self.queue.push_front(unit);
            return;
        }
        match unit.kind {
            TrackKind::Video => self.run_video(unit, tracks, sink),
            TrackKind::Audio => self.run_audio(unit, tracks, sink),
        }
    }

    fn run_video(&mut self, unit: Coded, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        let State::Running(run) = &mut self.state else { return };
        let due = match (&run.video, tracks.video.changed) {
            (None, _) => Some(EpochCause::Track),
            (Some(_), true) => Some(EpochCause::Config),
            (Some(_), false) => run.wanted.filter(|_| unit.key),
        };
        if let Some(cause) = due {
            if !unit.key {
                sink.issue(Issue::BeforeKeyFrame);
                return;
            }
            let with_audio = run.audio.is_some() || self.has(TrackKind::Audio);
            self.keep(unit);
            self.begin(cause, with_audio, tracks, sink);
            return;
        }
        match run.judge_video(&unit, sink) {
            Verdict::Jump(by_ms) => self.jump(unit, by_ms, sink),
            _ => {
                let end = run.emit_video(unit, sink);
                self.end_90k = self.end_90k.max(end);
            }
        }
    }

    fn run_audio(&mut self, unit: Coded, tracks: &mut Tracks<'_>, sink: &mut Sink) {
        let State::Running(run) = &mut self.state else { return };
        let due = match (&run.audio, tracks.audio.changed) {
            (None, _) => Some(EpochCause::Track),
            (Some(_), true) => Some(EpochCause::Config),
            _ => None,
        };
        if let Some(cause) = due {
            let pictures = run.video.is_some();
            run.wanted = run.wanted.or(Some(cause));
            if self.hold_is_full() {
                sink.issue(Issue::HoldOverflow);
                let dropped = self.hold.pop_front().map_or(0, |u| u.data.len());
                self.hold_bytes -= dropped;
            }
            self.keep(unit);
            if !pictures {
                self.begin(cause, true, tracks, sink);
            }
            return;
        }
        match run.judge_audio(&unit, sink) {
            Verdict::Goes => {
                run.foreign.clear();
                let end = run.emit_audio(unit, sink);
                self.end_90k = self.end_90k.max(end);
            }
            Verdict::Jump(by_ms) => self.jump(unit, by_ms, sink),
            Verdict::Foreign => {
                run.foreign.push_back(unit);
                let waited = run
                    .foreign
                    .front()
                    .zip(run.foreign.back())
                    .map_or(0, |(a, b)| b.now_ms - a.now_ms);
                if waited >= FOREIGN_MS || run.foreign.len() >= HOLD_UNITS_MAX {
                    run.align_foreign(sink);
                    self.audio_adjust = run.audio.as_ref().map_or(0, |a| a.pace.adjust);
                    let mut aligned = std::mem::take(&mut run.foreign);
                    // The first is where it was put; the others are judged by it.
                    if let Some(first) = aligned.pop_front() {
                        let end = run.emit_audio(first, sink);
                        self.end_90k = self.end_90k.max(end);
                    }
                    aligned.into_iter().rev().for_each(|u| self.queue.push_front(u));
                }
            }
        }
    }

    /// Ends the epoch: `unit` lies where its clock has jumped to.
    fn jump(&mut self, unit: Coded, by_ms: i64, sink: &mut Sink) {
        let State::Running(run) = &mut self.state else { return };
        sink.issue(Issue::Jump { kind: unit.kind, by_ms });
        let tracks = (run.video.is_some(), run.audio.is_some());
        let foreign = std::mem::take(&mut run.foreign);
        self.restart(tracks, unit.now_ms);
        self.queue.push_front(unit);
        foreign.into_iter().rev().for_each(|u| self.queue.push_front(u));
    }

    fn restart(&mut self, tracks: (bool, bool), now_ms: i64) {
        self.hold.clear();
        self.hold_bytes = 0;
        let (video, audio) = tracks;
        let since_ms = Some(now_ms);
        self.state = State::Starting(Starting {
            cause: EpochCause::Jump,
            since_ms,
            video,
            audio,
            no_key: false,
        });
    }

    /// A long silence after which media is that much late: what piled up is about to come.
    fn backlog_before(&self, unit: &Coded) -> Option<Backlog> {
        let run = self.run()?;
        let video = run
            .video
            .as_ref()
            .and_then(|v| v.pace.last.map(|(ms, now)| (ms - v.pace.adjust, now)));
        let audio = run
            .audio
            .as_ref()
            .and_then(|a| a.pace.last.map(|(ms, now)| (ms - a.pace.adjust, now)));
        let latest = video.into_iter().chain(audio).map(|(_, now)| now).max()?;
        let before = match unit.kind {
            TrackKind::Video => video,
            TrackKind::Audio => audio,
        }?;
        let silence = unit.now_ms - latest;
        let late = (unit.now_ms - before.1) - (unit.ms - before.0);
        if silence < BACKLOG_MS || late < BACKLOG_MS {
            return None;
        }
        let tracks = (run.video.is_some(), run.audio.is_some());
        Some(Backlog {
            kind: unit.kind,
            tracks,
            before,
            window: None,
            since_ms: unit.now_ms,
        })
    }

    fn skip_unit(&mut self, unit: Coded, sink: &mut Sink) {
        let State::Backlog(backlog) = &mut self.state else {
            return;
        };
        let waited = unit.now_ms - backlog.since_ms;
        let mut over = waited >= BACKLOG_WAIT_MS;
        if unit.kind == backlog.kind {
            let (ms, now) = backlog.before;
            over |= (ms + unit.now_ms - now) - unit.ms <= CAUGHT_UP_MS;
            let (window_ms, window_now) = *backlog.window.get_or_insert((unit.ms, unit.now_ms));
            let arrival = unit.now_ms - window_now;
            if arrival >= SPEED_WINDOW_MS {
                // Slower than one and a half times real time: the publisher had nothing piled up.
                over |= (unit.ms - window_ms) * 2 < arrival * 3;
                backlog.window = Some((unit.ms, unit.now_ms));
            }
        }
        if over {
            let left_out = unit.ms - backlog.before.0;
            let tracks = backlog.tracks;
            if unit.kind == backlog.kind {
                sink.issue(Issue::BacklogDropped(left_out));
            }
            self.restart(tracks, unit.now_ms);
            self.queue.push_front(unit);
        }
    }
}

/// How much earlier than sent the first picture is decoded, 1/90000 s, so that none that follows is shown before it
/// is decoded: publishers that reorder and still send composition times from zero upwards are told by their SPS.
fn decode_ahead(composition_ms: i32, reorder: Option<u32>, rate: Option<Rate>) -> i64 {
    match (composition_ms, reorder, rate) {
        (i32::MIN..0, ..) => -i64::from(composition_ms) * 90,
        (0, Some(frames), Some(rate)) => grid::offset(rate, i64::from(frames)),
        _ => 0,
    }
}
