//! A broadcast as players see it: made-up media goes through the cutter into a window, and after every single event
//! every playlist is rendered and judged by the validator, alone, against the one before, and beside its siblings.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_media::hls::validate::{MediaPlaylist, MultivariantPlaylist, check_siblings, check_update};
use headwater_media::hls::{
    Directives, MediaOptions, MultivariantOptions, Reload, Skip, media_playlist, multivariant, reload_decision,
};
use headwater_media::segmenter::{Boundaries, Config, Cut, Event, LatencyMode, Mode, Segmenter};
use headwater_media::window::{Epoch, Kind, Part, Rendition, Segment, Settings, Trim, Window};
use headwater_media::{AccessUnit, MediaTime, Timescale, TrackId, TrackKind};
use proptest::prelude::*;

const FRAME_US: u64 = 34_000;
const NAMES: [&str; 3] = ["source", "360p", "audio"];
const START_MS: i64 = 1_771_035_216_106;

fn scale(name: &str) -> Timescale {
    Timescale::new(if name == "audio" { 48_000 } else { 90_000 }).expect("not zero")
}

fn rendition(name: &str) -> Rendition {
    let video = name != "audio";
    let pick = |a: u32, b: u32| if video { a } else { b };
    Rendition {
        name: name.to_owned(),
        kind: if video { Kind::Video } else { Kind::Audio },
        timescale: scale(name).get(),
        codecs: if video { "avc1.64001f" } else { "mp4a.40.2" }.to_owned(),
        bandwidth_bps: if name == "source" {
            4_500_000
        } else {
            pick(800_000, 128_000)
        },
        average_bandwidth_bps: if name == "source" {
            4_000_000
        } else {
            pick(700_000, 128_000)
        },
        width: pick(640, 0),
        height: pick(360, 0),
        fps_milli: pick(30_000, 0),
        sample_rate: pick(0, 48_000),
        channels: pick(0, 2),
        language: String::new(),
        sar_num: 0,
        sar_den: 0,
        init: Bytes::new(),
    }
}

/// Pictures and sound from `start_90k`, in decode order.
fn media(start_90k: i64, frames: i64, gop: i64) -> Vec<AccessUnit> {
    let unit = |track, at: MediaTime, duration, key| AccessUnit {
        track,
        dts: at,
        pts: at,
        duration: Some(duration),
        key,
        data: Bytes::from_static(b"unit"),
    };
    let mut out: Vec<_> = (0..frames)
        .map(|i| {
            unit(
                TrackId::VIDEO,
                MediaTime::video(start_90k + i * 3_000),
                3_000,
                i % gop == 0,
            )
        })
        .collect();
    let first = MediaTime::video(start_90k).ticks_in(scale("audio")) + 300;
    let sounds = frames * 1_600 / 1_024;
    out.extend((0..sounds).map(|i| {
        unit(
            TrackId::AUDIO,
            MediaTime::new(first + i * 1_024, scale("audio")),
            1_024,
            true,
        )
    }));
    out.sort_by_key(|u| u.dts);
    out
}

/// Something that a worker tells an origin.
#[derive(Clone, Debug)]
enum Told {
    Part(&'static str, u64, Part),
    Segment(&'static str, Segment),
}

/// Everything that a worker of `generation` tells of one epoch.
fn worker(units: &[AccessUnit], mut boundaries: Boundaries, generation: u64) -> Vec<Told> {
    let mut lanes = NAMES.map(|name| {
        let kind = if name == "audio" {
            TrackKind::Audio
        } else {
            TrackKind::Video
        };
        (
            name,
            Segmenter::new(kind, scale(name), LatencyMode::Low.part_target_ms()),
        )
    });
    let mut out = Vec::new();
    let take = |lanes: &mut [(&'static str, Segmenter)], out: &mut Vec<Told>| {
        for (name, segmenter) in lanes {
            while let Some(cut) = segmenter.poll() {
                out.push(match cut {
                    Cut::Part(p) => Told::Part(
                        name,
                        p.seq,
                        Part {
                            index: p.index,
                            generation,
                            decode_time: p.decode_time,
                            duration: p.duration,
                            independent: p.independent,
                        },
                    ),
                    Cut::Segment(s) => Told::Segment(
                        name,
                        Segment {
                            seq: s.seq,
                            generation,
                            decode_time: s.start,
                            duration: s.duration,
                            size_bytes: 1,
                            parts: Vec::new(),
                        },
                    ),
                });
            }
        }
    };
    for unit in units {
        if unit.track == TrackId::VIDEO {
            boundaries.push(unit);
            while let Some(event) = boundaries.poll() {
                for (_, segmenter) in &mut lanes {
                    match event {
                        Event::Boundary { seq, at } => segmenter.boundary(seq, at).expect("in order"),
                        Event::Watermark { at } => segmenter.watermark(at),
                        Event::Unfit { cause, .. } => panic!("{cause:?}"),
                    }
                }
            }
        }
        for (name, segmenter) in &mut lanes {
            if (*name == "audio") == (unit.track == TrackId::AUDIO) {
                segmenter.push(unit.clone()).expect("cut where told");
            }
        }
        take(&mut lanes, &mut out);
    }
    for (_, segmenter) in &mut lanes {
        segmenter.finish(None);
    }
    take(&mut lanes, &mut out);
    out
}

fn epoch(index: u32, first_seq: u64, start_90k: i64) -> Epoch {
    let renditions = NAMES.map(rendition).to_vec();
    Epoch {
        index,
        first_seq,
        start_90k,
        wallclock_ms: START_MS + start_90k / 90,
        renditions,
    }
}

fn boundaries(epoch: u32, first_seq: u64) -> Boundaries {
    Boundaries::new(
        Config {
            mode: Mode::Source,
            latency: LatencyMode::Low,
            epoch,
        },
        first_seq,
    )
}

/// A player that reloads every playlist after every event and finds fault.
#[derive(Default)]
struct Judge {
    last: BTreeMap<&'static str, MediaPlaylist>,
    looked: usize,
}

impl Judge {
    fn look(&mut self, window: &Window) {
        let mut now = Vec::new();
        for name in NAMES {
            let Some(text) = media_playlist(window, name, &MediaOptions::LIVE) else {
                continue;
            };
            let playlist = MediaPlaylist::parse(&text).unwrap_or_else(|f| panic!("{f}\n{text}"));
            assert_eq!(playlist.check(FRAME_US), [], "{name}\n{text}");
            if let Some(last) = self.last.get(name) {
                assert_eq!(check_update(last, &playlist, FRAME_US), [], "{name}\n{text}");
            }
            self.look_at_delta(window, name, &playlist);
            look_at_reloads(window, name, &playlist);
            now.push((name, playlist));
            self.looked += 1;
        }
        let siblings: Vec<_> = now.iter().map(|(name, playlist)| (*name, playlist)).collect();
        assert_eq!(check_siblings(&siblings, 24_000), []);
        for (_, playlist) in &now {
            for report in &playlist.reports {
                let of = report.uri.split('/').nth(1).expect("../name/index.m3u8");
                let other = &now.iter().find(|(name, _)| *name == of).expect("listed").1;
                let next = other.first_msn() + other.segments.len() as u64;
                let expected = match (other.open.parts.len().checked_sub(1), other.segments.last()) {
                    (Some(part), _) => (next, Some(part as u64)),
                    (None, Some(last)) => (next - 1, (last.parts.len() as u64).checked_sub(1)),
                    (None, None) => panic!("a report on nothing"),
                };
                assert_eq!((report.last_msn, report.last_part), (Some(expected.0), expected.1));
            }
        }
        self.last.extend(now);
        if let Some(text) = multivariant(
            window,
            &MultivariantOptions {
                base: "br/",
                file: "index.m3u8",
                parts_suffice: true,
            },
        ) {
            assert_eq!(MultivariantPlaylist::parse(&text).expect("readable").check(), []);
        }
    }

    /// A delta update is the full playlist without its oldest segments.
    fn look_at_delta(&self, window: &Window, name: &str, full: &MediaPlaylist) {
        let options = MediaOptions::LIVE.with_skip(Some(Skip::Segments));
        let text = media_playlist(window, name, &options).expect("the full one exists");
        let delta = MediaPlaylist::parse(&text).expect("readable");
        assert_eq!(delta.check(FRAME_US), [], "{text}");
        assert_eq!(delta.media_sequence, full.media_sequence);
        assert_eq!(
            delta.last_msn().or(delta.media_sequence.checked_sub(1)),
            full.last_msn().or(full.media_sequence.checked_sub(1))
        );
        assert_eq!(delta.open.parts, {
            let lines = full.open.parts.len();
            assert_eq!(delta.open.parts.len(), lines);
            delta.open.parts.clone()
        });
        let kept_us = delta.listed_us();
        assert!(
            delta.skipped == 0 || kept_us >= 24_000_000,
            "what is newer than CAN-SKIP-UNTIL is listed"
        );
        assert!(
            delta.skipped > 0 || full.listed_us() < 30_000_000 || window.ended(),
            "what is older is skipped"
        );
    }
}

/// What is listed is answered at once, what comes next is waited for, and what is too far is refused.
fn look_at_reloads(window: &Window, name: &str, playlist: &MediaPlaylist) {
    let ask = |query: String| reload_decision(window, name, &Directives::parse(&query).expect("sound"));
    let last = playlist.last_msn().unwrap_or(playlist.media_sequence.wrapping_sub(1));
    let (open, made) = (last.wrapping_add(1), playlist.open.parts.len());
    let unless_ended = |reload| if window.ended() { Reload::Now } else { reload };
    assert_eq!(ask("token=x".into()), Reload::Now);
    if open > 0 {
        assert_eq!(ask(format!("_HLS_msn={last}")), Reload::Now);
        assert_eq!(ask(format!("_HLS_msn={last}&_HLS_part=0")), Reload::Now);
    }
    assert_eq!(
        ask("_HLS_msn=0".into()),
        if open > 0 {
            Reload::Now
        } else {
            unless_ended(Reload::Wait)
        }
    );
    assert_eq!(ask(format!("_HLS_msn={open}")), unless_ended(Reload::Wait));
    assert_eq!(
        ask(format!("_HLS_msn={open}&_HLS_part={made}")),
        unless_ended(Reload::Wait)
    );
    if made > 0 {
        assert_eq!(ask(format!("_HLS_msn={open}&_HLS_part={}", made - 1)), Reload::Now);
    }
    assert_eq!(
        ask(format!("_HLS_msn={open}&_HLS_part={}", made + 9)),
        unless_ended(Reload::BadRequest)
    );
    assert_eq!(
        ask(format!("_HLS_msn={}&_HLS_part=0", open + 1)),
        unless_ended(Reload::Wait)
    );
    assert_eq!(ask(format!("_HLS_msn={}", open + 2)), unless_ended(Reload::BadRequest));
}

fn apply(window: &mut Window, told: &Told) {
    match told.clone() {
        Told::Part(name, seq, part) => window.apply_part(name, seq, part).expect("in order"),
        Told::Segment(name, segment) => window.apply_segment(name, segment).expect("in order"),
    }
}

fn last_seq(told: &[Told]) -> u64 {
    told.iter()
        .map(|t| if let Told::Segment(_, s) = t { s.seq } else { 0 })
        .max()
        .unwrap_or(0)
}

#[test]
fn a_broadcast_with_a_reconnection_is_sound_at_every_moment() {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    let mut judge = Judge::default();
    window.apply_presentation(1, vec![epoch(0, 0, 0)]).expect("the first");
    let first = worker(&media(0, 30 * 30, 60), boundaries(0, 0), 1);
    let next = last_seq(&first) + 1;
    for told in &first {
        apply(&mut window, told);
        judge.look(&window);
        window.trim(Trim { keep_ms: 90_000 });
    }
    // The publisher is away for twenty seconds.
    let start = 70 * 90_000;
    window
        .apply_presentation(1, vec![epoch(1, next, start)])
        .expect("the second");
    judge.look(&window);
    for told in &worker(&media(start, 30 * 65, 30), boundaries(1, next), 1) {
        apply(&mut window, told);
        judge.look(&window);
        window.trim(Trim { keep_ms: 90_000 });
    }
    window.finish();
    judge.look(&window);
    assert!(judge.looked > 2_000);
    let source = &judge.last["source"];
    assert!(source.ended && source.media_sequence > 1);
    assert_eq!(
        source.discontinuity_sequence,
        Some(1),
        "the reconnection has left the window"
    );
}

#[test]
fn a_takeover_goes_on_part_by_part() {
    let units = media(0, 30 * 30, 60);
    let all = worker(&units, boundaries(0, 0), 1);
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    let mut judge = Judge::default();
    window.apply_presentation(1, vec![epoch(0, 0, 0)]).expect("the first");
    // The first worker dies in the middle of a segment.
    let dead = all
        .iter()
        .position(|t| matches!(t, Told::Part("source", 9, p) if p.index == 3))
        .expect("made");
    for told in &all[..=dead] {
        apply(&mut window, told);
        judge.look(&window);
    }
    // The second starts at the last boundary that was stored in every rendition.
    window.apply_presentation(2, vec![epoch(0, 0, 0)]).expect("higher");
    let stored = window.track("360p").and_then(|t| t.last_seq()).expect("some");
    let start = match all
        .iter()
        .find(|t| matches!(t, Told::Segment("source", s) if s.seq == stored))
    {
        Some(Told::Segment(_, s)) => MediaTime::video(s.decode_time),
        _ => panic!("told before"),
    };
    let config = Config {
        mode: Mode::Source,
        latency: LatencyMode::Low,
        epoch: 0,
    };
    let resumed = Boundaries::resume(config, MediaTime::ZERO, stored, start);
    let again: Vec<_> = units.iter().filter(|u| u.pts >= start).cloned().collect();
    for told in &worker(&again, resumed, 2) {
        apply(&mut window, told);
        judge.look(&window);
    }
    // What the first still says is refused, and nothing changes.
    let version = window.version();
    for told in &all[dead..] {
        match told.clone() {
            Told::Part(name, seq, part) => assert!(window.apply_part(name, seq, part).is_err()),
            Told::Segment(name, segment) => assert!(window.apply_segment(name, segment).is_err()),
        }
    }
    assert_eq!(window.version(), version);
    window.finish();
    judge.look(&window);
    let whole: u64 = judge.last["source"].segments.iter().map(|s| s.duration_us).sum();
    assert_eq!(whole, 30_000_000);
}

#[test]
fn a_lost_segment_is_a_gap_and_numbers_stay() {
    let all = worker(&media(0, 30 * 40, 60), boundaries(0, 0), 1);
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    let mut judge = Judge::default();
    window.apply_presentation(1, vec![epoch(0, 0, 0)]).expect("the first");
    for told in &all {
        let lost = matches!(told, Told::Part("360p", 5 | 6, _))
            || matches!(told, Told::Segment("360p", s) if s.seq == 5 || s.seq == 6);
        if !lost {
            apply(&mut window, told);
            judge.look(&window);
        }
    }
    let gaps: Vec<_> = judge.last["360p"]
        .numbered()
        .filter(|(_, s)| s.gap)
        .map(|(msn, _)| msn)
        .collect();
    assert_eq!(gaps, [6, 7], "media sequence numbers start with 1");
    assert!(judge.last["source"].segments.iter().all(|s| !s.gap));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the keyframe interval and the lengths of the epochs.
    #[test]
    fn any_broadcast_is_sound(epochs in prop::collection::vec((1i64..120, 20i64..700, 0i64..900_000), 1..4)) {
        let mut window = Window::new(Settings { latency: LatencyMode::Low });
        let mut judge = Judge::default();
        let (mut start, mut first_seq) = (0, 0);
        for (index, (gop, frames, away)) in epochs.into_iter().enumerate() {
            window.apply_presentation(1, vec![epoch(index as u32, first_seq, start)]).expect("higher");
            let told = worker(&media(start, frames, gop), boundaries(index as u32, first_seq), 1);
            for told in &told {
                apply(&mut window, told);
                judge.look(&window);
            }
            first_seq = first_seq.max(last_seq(&told) + 1);
            start += frames * 3_000 + 90_000 + away;
        }
        window.finish();
        judge.look(&window);
    }
}
