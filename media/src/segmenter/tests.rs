//! Both machines against made-up sources: every frame rate, jitter, B-frames, short and long GOPs, resumed runs.

mod properties;

use bytes::Bytes;

use super::*;
use crate::time::{MediaTime, Timescale};
use crate::unit::{AccessUnit, TrackId, TrackKind};

const AUDIO: Timescale = match Timescale::new(48_000) {
    Some(scale) => scale,
    None => panic!("not zero"),
};

fn video(dts: i64, pts: i64, duration: Option<u32>, key: bool) -> AccessUnit {
    AccessUnit {
        track: TrackId::VIDEO,
        dts: MediaTime::video(dts),
        pts: MediaTime::video(pts),
        duration,
        key,
        data: Bytes::from(vec![dts as u8; 3]),
    }
}

fn audio(start: i64) -> AccessUnit {
    let at = MediaTime::new(start, AUDIO);
    AccessUnit {
        track: TrackId::AUDIO,
        dts: at,
        pts: at,
        duration: Some(1_024),
        key: true,
        data: Bytes::from("a"),
    }
}

/// `frames` pictures with `frame` ticks each, an IDR every `gop` frames, and `b` B-frames between references.
fn pictures(frames: i64, frame: i64, gop: i64, b: i64, hint: bool) -> Vec<AccessUnit> {
    let mut out = Vec::new();
    let delay = if b > 0 { frame } else { 0 };
    for start in (0..frames).step_by(gop as usize) {
        let end = (start + gop).min(frames);
        let mut order = vec![start];
        let mut next = start + 1;
        while next < end {
            let reference = (next + b).min(end - 1);
            order.push(reference);
            order.extend(next..reference);
            next = reference + 1;
        }
        for (i, shown) in order.into_iter().enumerate() {
            let dts = (start + i as i64) * frame;
            out.push(video(
                dts,
                shown * frame + delay,
                hint.then_some(frame as u32),
                shown == start,
            ));
        }
    }
    out
}

fn sound(from: i64, until: i64) -> Vec<AccessUnit> {
    (0..)
        .map(|i| from + i * 1_024)
        .take_while(|t| *t < until)
        .map(audio)
        .collect()
}

fn config(mode: Mode) -> Config {
    Config {
        mode,
        latency: LatencyMode::Low,
        epoch: 1,
    }
}

#[derive(Debug, Default, PartialEq)]
struct Run {
    boundaries: Vec<(u64, MediaTime)>,
    video: Vec<Cut>,
    audio: Vec<Cut>,
    unfit: Option<(u64, MediaTime, UnfitCause)>,
}

/// Feeds both tracks, interleaved by decode time, through the machines as a worker does.
fn run(mut boundaries: Boundaries, units: &[AccessUnit], part_target_ms: u32) -> Run {
    let mut run = Run::default();
    let mut v = Segmenter::new(TrackKind::Video, Timescale::VIDEO, part_target_ms);
    let mut a = Segmenter::new(TrackKind::Audio, AUDIO, part_target_ms);
    let mut end = MediaTime::ZERO;
    let tell = |run: &mut Run, boundaries: &mut Boundaries, v: &mut Segmenter, a: &mut Segmenter| {
        while let Some(event) = boundaries.poll() {
            match event {
                Event::Boundary { seq, at } => {
                    run.boundaries.push((seq, at));
                    v.boundary(seq, at).expect("in order");
                    a.boundary(seq, at).expect("in order");
                }
                Event::Watermark { at } => a.watermark(at),
                Event::Unfit { seq, at, cause } => {
                    run.unfit = Some((seq, at, cause));
                    a.boundary(seq, at).expect("in order");
                    v.finish(Some(at));
                }
            }
        }
    };
    for unit in units {
        end = end.max(unit.pts.plus(i64::from(unit.duration.unwrap_or(0))));
        if unit.track == TrackId::VIDEO {
            boundaries.push(unit);
            tell(&mut run, &mut boundaries, &mut v, &mut a);
            if run.unfit.is_none() {
                v.push(unit.clone()).expect("cut where told");
            }
        } else {
            a.push(unit.clone()).expect("within limits");
        }
        run.video.extend(std::iter::from_fn(|| v.poll()));
        run.audio.extend(std::iter::from_fn(|| a.poll()));
    }
    boundaries.finish(end);
    tell(&mut run, &mut boundaries, &mut v, &mut a);
    v.finish(None);
    a.finish(None);
    run.video.extend(std::iter::from_fn(|| v.poll()));
    run.audio.extend(std::iter::from_fn(|| a.poll()));
    run
}

fn interleave(mut units: Vec<AccessUnit>) -> Vec<AccessUnit> {
    units.sort_by_key(|u| u.dts);
    units
}

fn segments(cuts: &[Cut]) -> Vec<Segment> {
    cuts.iter()
        .filter_map(|c| if let Cut::Segment(s) = c { Some(*s) } else { None })
        .collect()
}

fn parts(cuts: &[Cut]) -> Vec<&Part> {
    cuts.iter()
        .filter_map(|c| if let Cut::Part(p) = c { Some(p) } else { None })
        .collect()
}

/// What holds for every output, whatever went in.
fn check(cuts: &[Cut], scale: Timescale, target_ms: i64) {
    let mut open: Vec<&Part> = Vec::new();
    let mut last: Option<Segment> = None;
    let target = MediaTime::new(target_ms, Timescale::MILLIS);
    for cut in cuts {
        match cut {
            Cut::Part(part) => {
                assert_eq!(part.index as usize, open.len(), "parts count from 0 without holes");
                assert!(open.iter().all(|p| p.seq == part.seq));
                assert!(!part.samples.is_empty() && part.samples.iter().all(|s| s.duration > 0));
                assert_eq!(
                    part.samples.iter().map(|s| u64::from(s.duration)).sum::<u64>(),
                    u64::from(part.duration)
                );
                assert_eq!(part.independent, part.samples[0].key);
                if part.samples.len() > 1 {
                    assert!(MediaTime::new(part.duration.into(), scale) <= target, "{part:?}");
                }
                if let Some(before) = open.last() {
                    assert_eq!(before.decode_time + i64::from(before.duration), part.decode_time);
                }
                open.push(part);
            }
            Cut::Segment(segment) => {
                assert_eq!(segment.parts as usize, open.len());
                assert!(open.iter().all(|p| p.seq == segment.seq));
                assert_eq!(open.first().map(|p| p.decode_time), Some(segment.start));
                let sum: u64 = open.iter().map(|p| u64::from(p.duration)).sum();
                assert_eq!(sum, u64::from(segment.duration), "parts add up to their segment");
                assert!(open[0].independent);
                if let Some(last) = last {
                    assert!(segment.seq > last.seq);
                    assert_eq!(
                        last.start + i64::from(last.duration),
                        segment.start,
                        "decode times run on"
                    );
                }
                open.clear();
                last = Some(*segment);
            }
        }
    }
    assert!(open.is_empty(), "the last segment was closed");
}

#[test]
fn source_idrs_are_taken_where_they_fit() {
    // (frames per GOP at 30 fps, expected segment durations in frames)
    for (gop, expected) in [
        (60, vec![60, 60, 60]), // 2 s
        (30, vec![60, 60, 60]), // 1 s: every second IDR
        (15, vec![60, 60, 60]), // half a second
        (120, vec![120, 120]),  // 4 s: the longest that low latency takes
        (45, vec![90, 90]),     // 1.5 s: 1.5 is too short, 3 is not
        (75, vec![75, 75]),     // 2.5 s
        (57, vec![57, 57, 57]), // 1.9 s counts as 2
    ] {
        let units = pictures(300, 3_000, gop, 0, true);
        let run = run(Boundaries::new(config(Mode::Source), 7), &units, 350);
        check(&run.video, Timescale::VIDEO, 350);
        let frames: Vec<_> = segments(&run.video).iter().map(|s| s.duration / 3_000).collect();
        assert!(frames.starts_with(&expected), "GOP {gop}: {frames:?}");
        assert_eq!(run.boundaries[0], (7, MediaTime::ZERO));
        assert_eq!(run.unfit, None);
    }
}

#[test]
fn the_first_two_segments_of_a_broadcast_may_be_short() {
    let first = Config {
        epoch: 0,
        ..config(Mode::Source)
    };
    let run = run(Boundaries::new(first, 0), &pictures(300, 3_000, 30, 0, true), 350);
    let frames: Vec<_> = segments(&run.video).iter().map(|s| s.duration / 3_000).collect();
    assert_eq!(frames, [30, 30, 60, 60, 60, 60]);
}

#[test]
fn a_source_without_timely_idrs_is_unfit() {
    let units = pictures(900, 3_000, 600, 0, true);
    let run = run(Boundaries::new(config(Mode::Source), 0), &units, 350);
    let limit = MediaTime::video(LatencyMode::Low.segment_max_90k());
    assert_eq!(run.unfit, Some((1, limit, UnfitCause::NoKeyframe)));
    assert_eq!(
        segments(&run.video),
        [Segment {
            seq: 0,
            start: 0,
            duration: 396_000,
            parts: 14
        }]
    );
}

/// A source of 30 frames/s with an IDR every second that sends nothing of frames `lost`.
fn dropping(lost: std::ops::Range<i64>, b: i64) -> Vec<AccessUnit> {
    let mut units = pictures(600, 3_000, 30, b, false);
    units.retain(|u| !lost.contains(&(u.dts.ticks / 3_000)));
    units
}

#[test]
fn an_encoder_that_drops_pictures_stays_fit() {
    for b in [0, 2] {
        for (lost, starts) in [
            // To the next IDR, as encoders do: within a segment, and beyond its end.
            (40..60, vec![60, 120, 180, 240]),
            (100..150, vec![60, 150, 210, 270]),
            (100..180, vec![60, 180, 240, 300]),
            // Too long for one segment: what lies between has no picture.
            (100..210, vec![60, 120, 210, 270]),
            (100..480, vec![60, 120, 180, 240, 300, 360, 480, 540]),
        ] {
            let run = run(
                Boundaries::new(config(Mode::Source), 0),
                &dropping(lost.clone(), b),
                350,
            );
            assert_eq!(run.unfit, None, "{lost:?}");
            let delay = if b > 0 { 3_000 } else { 0 };
            let got: Vec<i64> = run
                .boundaries
                .iter()
                .map(|(_, at)| (at.ticks - delay) / 3_000)
                .collect();
            let got: Vec<i64> = got.into_iter().filter(|n| *n > 0).take(starts.len()).collect();
            assert_eq!(got, starts, "{lost:?}");
            // A run that is resumed anywhere, the silence included, goes on alike.
            for (i, (seq, at)) in run.boundaries.iter().enumerate() {
                let origin = run.boundaries[0].1;
                let again: Vec<_> = dropping(lost.clone(), b).into_iter().filter(|u| u.pts >= *at).collect();
                let from = again.iter().position(|u| u.key).unwrap_or(0);
                let resumed = super::tests::run(
                    Boundaries::resume(config(Mode::Source), origin, *seq, *at),
                    &again[from..],
                    350,
                );
                assert_eq!(resumed.boundaries, run.boundaries[i..], "{lost:?} from segment {seq}");
            }
        }
    }
}

#[test]
fn pictures_that_come_back_without_an_idr_in_time_are_unfit() {
    let mut units = pictures(300, 3_000, 150, 0, false);
    units.retain(|u| !(40..140).contains(&(u.dts.ticks / 3_000)));
    let run_of = |units: &[AccessUnit]| run(Boundaries::new(config(Mode::Source), 0), units, 350);
    let (seq, at, cause) = run_of(&units).unfit.expect("unfit");
    assert_eq!((seq, cause), (1, UnfitCause::Gap));
    assert_eq!(at, MediaTime::video(LatencyMode::Low.segment_max_90k()));
    // In time, they are not.
    let mut units = pictures(300, 3_000, 120, 0, false);
    units.retain(|u| !(40..75).contains(&(u.dts.ticks / 3_000)));
    assert_eq!(run_of(&units).unfit, None);
}

#[test]
fn the_grid_follows_frames_and_never_drifts() {
    for frame in [1_500, 1_501, 3_000, 3_003, 3_600, 3_750, 6_000, 9_000] {
        let units = pictures(90_000 * 20 / frame, frame, 1, 0, true);
        let run = run(Boundaries::new(config(Mode::Grid), 0), &units, 350);
        check(&run.video, Timescale::VIDEO, 350);
        for (seq, at) in &run.boundaries {
            let late = at.ticks - *seq as i64 * 180_000;
            assert!(
                (0..frame).contains(&late),
                "frame {frame}: boundary {seq} is {late} ticks late"
            );
        }
    }
}

#[test]
fn the_grid_bridges_silence_and_starts_a_segment_after_it() {
    let mut units = pictures(30, 3_000, 1, 0, true);
    units.extend(pictures(60, 3_000, 1, 0, true).into_iter().map(|mut u| {
        u.dts = u.dts.plus(1_000_000);
        u.pts = u.pts.plus(1_000_000);
        u
    }));
    let run = run(Boundaries::new(config(Mode::Grid), 0), &units, 350);
    let starts: Vec<_> = run.boundaries.iter().map(|(_, at)| at.ticks).collect();
    assert_eq!(starts, [0, 180_000, 360_000, 540_000, 720_000, 1_000_000, 1_081_000]);
    let made: Vec<_> = segments(&run.video).iter().map(|s| s.seq).collect();
    assert_eq!(made, [0, 5, 6], "numbers without pictures have no segment");
}

#[test]
fn b_frames_show_where_they_should_and_segments_start_at_the_idr() {
    let units = pictures(240, 3_000, 60, 2, false);
    let run = run(Boundaries::new(config(Mode::Source), 0), &units, 350);
    check(&run.video, Timescale::VIDEO, 350);
    let mut shown = Vec::new();
    for part in parts(&run.video) {
        let mut dts = part.decode_time;
        for sample in &part.samples {
            shown.push(dts + i64::from(sample.composition_offset));
            dts += i64::from(sample.duration);
        }
        if part.index == 0 {
            assert_eq!(
                part.samples[0].composition_offset, 0,
                "a segment's clock starts at the IDR's presentation time"
            );
        }
    }
    for part in parts(&run.video) {
        assert_eq!(part.decode_lead, 3_000, "decoded when the source decodes it");
        assert!(part.samples.iter().all(|s| s.composition_offset >= -3_000));
    }
    shown.sort_unstable();
    let wanted: Vec<_> = (0..240).map(|i| i * 3_000 + 3_000).collect();
    assert_eq!(shown, wanted);
}

#[test]
fn parts_close_at_once_where_durations_are_known() {
    let mut v = Segmenter::new(TrackKind::Video, Timescale::VIDEO, 350);
    v.boundary(0, MediaTime::ZERO).expect("first");
    v.boundary(1, MediaTime::video(60_000)).expect("second");
    for i in 0..10 {
        assert_eq!(v.poll(), None);
        v.push(video(i * 3_000, i * 3_000, Some(3_000), i == 0))
            .expect("in order");
    }
    assert!(matches!(v.poll(), Some(Cut::Part(p)) if p.samples.len() == 10 && p.independent));
    for i in 10..20 {
        assert_eq!(v.poll(), None);
        v.push(video(i * 3_000, i * 3_000, Some(3_000), false))
            .expect("in order");
    }
    // The boundary is known, so that even the segment closes without the next unit.
    assert!(matches!(v.poll(), Some(Cut::Part(p)) if p.index == 1 && !p.independent));
    assert!(matches!(v.poll(), Some(Cut::Segment(s)) if s.duration == 60_000));
}

#[test]
fn audio_waits_for_the_watermark_and_not_longer() {
    let mut a = Segmenter::new(TrackKind::Audio, AUDIO, 350);
    a.boundary(0, MediaTime::ZERO).expect("first");
    for unit in sound(0, 96_000) {
        a.push(unit).expect("within limits");
    }
    assert_eq!(a.poll(), None);
    a.watermark(MediaTime::video(45_000));
    // Frames that start in the first half second: 24, of which one part is full.
    assert!(matches!(a.poll(), Some(Cut::Part(p)) if p.samples.len() == 16 && p.duration == 16 * 1_024));
    assert_eq!(a.poll(), None);
    a.boundary(1, MediaTime::video(90_000)).expect("second");
    let cuts: Vec<_> = std::iter::from_fn(|| a.poll()).collect();
    // 46 × 1024 < 48000 <= 47 × 1024: the frame that starts before the boundary still belongs to segment 0.
    assert_eq!(
        segments(&cuts),
        [Segment {
            seq: 0,
            start: 0,
            duration: 47 * 1_024,
            parts: 3
        }]
    );
    a.finish(None);
    let cuts: Vec<_> = std::iter::from_fn(|| a.poll()).collect();
    assert_eq!(segments(&cuts)[0].start, 47 * 1_024);
}

#[test]
fn audio_alone_is_its_own_lead() {
    let units = sound(480, 48_000 * 10);
    let mut boundaries = Boundaries::new(config(Mode::Grid), 3);
    let mut a = Segmenter::new(TrackKind::Audio, AUDIO, 350);
    for unit in units {
        boundaries.push(&unit);
        while let Some(event) = boundaries.poll() {
            match event {
                Event::Boundary { seq, at } => a.boundary(seq, at).expect("in order"),
                Event::Watermark { at } => a.watermark(at),
                Event::Unfit { .. } => panic!("sound is never unfit"),
            }
        }
        a.push(unit).expect("within limits");
    }
    a.finish(None);
    let cuts: Vec<_> = std::iter::from_fn(|| a.poll()).collect();
    check(&cuts, AUDIO, 350);
    let made = segments(&cuts);
    assert_eq!(made.iter().map(|s| s.seq).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    assert!(
        made.iter()
            .rev()
            .skip(1)
            .all(|s| (93..=95).contains(&(s.duration / 1_024))),
        "{made:?}"
    );
}

#[test]
fn sound_that_outlasts_the_picture_is_still_cut() {
    let units = interleave([pictures(60, 3_000, 30, 0, true), sound(0, 48_000 * 12)].concat());
    let run = run(Boundaries::new(config(Mode::Grid), 0), &units, 350);
    check(&run.audio, AUDIO, 350);
    let longest = segments(&run.audio).iter().map(|s| s.duration).max();
    assert!(longest <= Some(48_000 * 44 / 10), "{longest:?}");
    assert_eq!(segments(&run.video).len(), 1);
}

#[test]
fn refusals_leave_the_segmenter_as_it_was() {
    let mut v = Segmenter::new(TrackKind::Video, Timescale::VIDEO, 350);
    v.boundary(4, MediaTime::ZERO).expect("first");
    assert!(matches!(
        v.boundary(4, MediaTime::video(9)),
        Err(SegmentError::BoundaryOrder { .. })
    ));
    assert!(matches!(v.push(audio(0)), Err(SegmentError::Timescale { .. })));
    v.push(video(0, 0, None, true)).expect("an IDR at the boundary");
    assert!(matches!(
        v.push(video(0, 0, None, false)),
        Err(SegmentError::NotRising { .. })
    ));
    v.boundary(5, MediaTime::video(3_000)).expect("second");
    let late = v.push(video(3_001, 3_001, None, false));
    assert_eq!(
        late,
        Err(SegmentError::NoKeyframe {
            seq: 5,
            at: MediaTime::video(3_000),
            dts: MediaTime::video(3_001)
        })
    );
    v.push(video(3_000, 3_000, None, true)).expect("the IDR after all");
    let mut a = Segmenter::new(TrackKind::Audio, AUDIO, 350);
    for i in 0..HELD_UNITS_MAX as i64 {
        a.push(audio(i * 1_024)).expect("within limits");
    }
    let over = a.push(audio(HELD_UNITS_MAX as i64 * 1_024));
    assert_eq!(over, Err(SegmentError::TooManyHeld { units: HELD_UNITS_MAX }));
    a.finish(None);
    assert_eq!(a.push(audio(i64::MAX - 9)), Err(SegmentError::Finished));
    assert_eq!(a.dropped(), HELD_UNITS_MAX as u64);
}
