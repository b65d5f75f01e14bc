//! Group I: clocks that wrap, jump, stand still or count in the wrong unit.

use super::*;

fn video_ms(got: &Got) -> Vec<i64> {
    got.video().iter().map(|u| u.dts.ticks / 90).collect()
}

#[test]
fn i1_any_first_timestamp() {
    for offset in [
        0i64,
        5_000,
        1_700_000_000_000,
        (1 << 31) - 1_000,
        (1 << 32) - 1_000,
        (1 << 24) - 1_000,
    ] {
        let mut p = Publisher::new();
        (p.video_offset, p.audio_offset) = (offset, offset);
        let got = p.headers().run(4_000).done();
        assert_eq!(got.causes(), [EpochCause::Start], "from {offset}");
        assert_eq!(got.video().len(), 120, "from {offset}");
        assert_eq!(got.video()[119].dts.ticks, 119 * 3_000, "from {offset}");
        assert!(got.issues.is_empty(), "from {offset}: {:?}", got.issues);
    }
}

#[test]
fn i4_audio_and_video_wrap_at_different_moments() {
    let mut p = Publisher::new();
    (p.video_offset, p.audio_offset) = ((1 << 32) - 1_000, (1 << 32) - 950);
    let got = p.headers().run(4_000).done();
    assert_eq!(got.causes(), [EpochCause::Start]);
    assert!(got.issues.is_empty(), "{:?}", got.issues);
}

#[test]
fn i5_small_steps_back_keep_every_unit() {
    let mut p = Publisher::new();
    p.headers().run(1_000);
    (p.video_offset, p.audio_offset) = (-100, -100);
    let got = p.run(1_000).done();
    assert_eq!((got.causes(), got.video().len()), (vec![EpochCause::Start], 60));
    assert!(got.has(|i| matches!(i, Issue::SmallStepBack { .. })));
}

#[test]
fn i5_medium_steps_back_are_corrected_for_both_tracks_alike() {
    let mut p = Publisher::new();
    p.headers().run(1_000);
    (p.video_offset, p.audio_offset) = (-1_500, -1_500);
    let got = p.run(9_000).done();
    assert_eq!((got.causes(), got.video().len()), (vec![EpochCause::Start], 300));
    assert!(got.has(|i| matches!(i, Issue::Retimed { .. })));
    let (video, audio) = (got.video()[299].dts, got.audio().last().expect("sound").dts);
    let apart = (video.millis() - audio.millis()).abs();
    assert!(apart < 60, "sound and picture are {apart} ms apart");
}

#[test]
fn i5_i6_i7_large_jumps_begin_a_new_epoch_at_the_next_key_frame() {
    for by in [-3_000i64, -3_600_000, 11_000, 3_600_000, 86_400_000] {
        let mut p = Publisher::new();
        (p.video_offset, p.audio_offset) = (10_000_000, 10_000_000);
        p.headers().run(1_500);
        (p.video_offset, p.audio_offset) = (10_000_000 + by, 10_000_000 + by);
        let got = p.run(3_000).done();
        assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Jump], "by {by}");
        assert!(got.has(|i| matches!(i, Issue::Jump { .. })), "by {by}");
        assert_eq!(got.video().len(), 45 + 75, "by {by}: half a GOP is left out");
        let start = got.epochs[1].start_90k;
        assert!((2_000 * 90 - start).abs() < 9_000, "by {by}: {start}");
        let late = got.audio().last().expect("sound").dts.ticks_in(crate::Timescale::VIDEO);
        assert!(late > start + 180_000, "by {by}: sound goes on");
    }
}

#[test]
fn i6_forward_steps_up_to_ten_seconds_are_gaps() {
    let mut p = Publisher::new();
    p.headers().run(1_000);
    (p.video_offset, p.audio_offset) = (8_000, 8_000);
    let got = p.run(1_000).done();
    assert_eq!(got.causes(), [EpochCause::Start]);
    assert_eq!(video_ms(&got)[30], 9_000);
    assert!(got.has(|i| matches!(
        i,
        Issue::Gap {
            kind: TrackKind::Video,
            ..
        }
    )));
}

#[test]
fn h6_sound_that_pauses_for_a_minute_is_a_gap() {
    let mut p = Publisher::new();
    p.headers().run(2_000);
    p.audio = false;
    p.run(60_000);
    p.audio = true;
    let got = p.run(2_000).done();
    assert_eq!(got.causes(), [EpochCause::Start]);
    assert!(got.has(|i| matches!(
        i,
        Issue::Gap {
            kind: TrackKind::Audio,
            ..
        }
    )));
    assert!((got.audio().last().expect("sound").dts.millis() - 63_970).abs() < 50);
}

#[test]
fn i8_only_sound_jumps() {
    for by in [-3_600_000i64, -5_000, 3_600_000] {
        let mut p = Publisher::new();
        (p.video_offset, p.audio_offset) = (10_000_000, 10_000_000);
        p.headers().run(2_000);
        p.audio_offset += by;
        let got = p.run(6_000).done();
        assert_eq!(got.causes(), [EpochCause::Start], "by {by}");
        assert!(got.has(|i| matches!(i, Issue::OffsetAudio { .. })), "by {by}");
        assert_eq!(got.video().len(), 240, "by {by}");
        assert!(
            got.audio().len() >= 370,
            "by {by}: {} of 375 audio units",
            got.audio().len()
        );
        let (video, audio) = (
            got.video()[239].dts.millis(),
            got.audio().last().expect("sound").dts.millis(),
        );
        assert!((video - audio).abs() < 100, "by {by}: {video} and {audio}");
    }
}

#[test]
fn i9_equal_times_are_bumped_by_a_tick() {
    let mut n = Normaliser::new(Start::FIRST);
    let mut got = Got::default();
    n.video(START, 0, video_config(&avc(80)));
    for (i, at) in [0u32, 40, 40, 80, 80, 120].into_iter().enumerate() {
        n.video(START + i64::from(at), at, picture(i == 0, 0));
    }
    n.finish();
    drain(&mut n, &mut got);
    let dts: Vec<i64> = got.video().iter().map(|u| u.dts.ticks).collect();
    assert_eq!(dts, [0, 3_600, 3_601, 7_200, 7_201, 10_800]);
    assert!(got.has(|i| *i == Issue::EqualTimes));
}

#[test]
fn i10_timestamps_that_stand_still_are_made_from_arrival() {
    let mut p = Publisher::new();
    p.headers();
    let begin = p.now;
    for i in 0..300i64 {
        let now = begin + i * 1_000 / 30;
        p.n.video(now, 0, picture(i % 30 == 0, 0));
        p.n.audio(now, 0, sound());
    }
    let got = p.done();
    assert!(got.has(|i| matches!(i, Issue::ConstantTimes(TrackKind::Video))));
    assert_eq!(got.video().len(), 300);
    let length = got.video()[299].dts.millis();
    assert!((9_000..10_500).contains(&length), "{length}");
}

#[test]
fn i11_fractional_rates_come_out_exact_for_hours() {
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, video_config(&hex(AVC_2997)));
    n.metadata(&Metadata {
        video: Some(true),
        ..Metadata::default()
    });
    let mut wrong = 0;
    let mut count = 0i64;
    for i in 0..100_000i64 {
        // two frames of reordering, as x264 sends it
        let ms = (i * 1_001 * 2 / 30 + 1) / 2;
        let shown = ((i + 2) * 1_001 * 2 / 30 + 1) / 2;
        n.video(START + ms, ms as u32, picture(i % 60 == 0, (shown - ms) as i32));
        while let Some(output) = n.poll() {
            if let Output::Unit(unit) = output {
                wrong += i64::from(unit.dts.ticks != count * 3_003 || unit.pts.ticks != (count + 2) * 3_003);
                wrong += i64::from(count > 1 && unit.duration != Some(3_003));
                count += 1;
            }
        }
    }
    assert_eq!(n.frame_rate(), Some((30_000, 1_001)));
    assert_eq!((wrong, count), (0, 100_000));
}

#[test]
fn i12_wrong_unit_is_fatal() {
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, video_config(&avc(80)));
    n.audio(START, 0, audio_config(&AAC_48K));
    let mut got = Got::default();
    for i in 0..100i64 {
        n.video(START + i * 33, (i * 3_000) as u32, picture(i % 30 == 0, 0));
        n.audio(START + i * 21, (i * 1_920) as u32, sound());
        drain(&mut n, &mut got);
    }
    assert!(got.has(Issue::is_fatal));
}

#[test]
fn i13_pictures_shown_before_they_are_decoded() {
    // Decode times run one frame late: P frames are shown on time, B frames one frame before "decoding".
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, video_config(&avc(80)));
    for i in 0..90u32 {
        let composition = if i % 2 == 1 { 40 } else { -40 };
        n.video(
            START + i64::from(i) * 40,
            i * 40,
            picture(i == 0, if i == 0 { 0 } else { composition }),
        );
    }
    n.finish();
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert!(got.has(|i| *i == Issue::ShownBeforeDecoded));
    let shown: Vec<i64> = got.video().iter().map(|u| u.pts.millis()).collect();
    assert_eq!(&shown[10..14], [360, 480, 440, 560], "presentation times stay");
}

#[test]
fn i20_negative_composition_of_the_first_picture_moves_the_epoch() {
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, video_config(&avc(80)));
    n.video(START, 1_000, picture(true, -80));
    n.video(START, 1_040, picture(false, -80));
    n.finish();
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert_eq!(got.epochs[0].start_90k, 0);
    assert_eq!(got.video()[0].pts.ticks, 0);
    assert!(!got.has(|i| *i == Issue::ShownBeforeDecoded));
}

#[test]
fn i20_reordering_without_composition_offset_gets_its_delay_from_the_sps() {
    // AVC_2997 declares two reordered frames; the IDR is sent as shown when it is decoded.
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, video_config(&hex(AVC_2997)));
    for (ms, composition) in [(0u32, 0), (33, 67), (67, 0), (100, -67)] {
        n.video(START, ms, picture(ms == 0, composition));
    }
    n.finish();
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert_eq!((got.video()[0].dts.ticks, got.video()[0].pts.ticks), (0, 2 * 3_003));
    assert!(!got.has(|i| *i == Issue::ShownBeforeDecoded), "{:?}", got.issues);
}

#[test]
fn e9_absurd_composition_times_are_left_out() {
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, video_config(&avc(80)));
    n.video(START, 0, picture(true, 0x7f_0000));
    n.finish();
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert_eq!(got.video()[0].pts.ticks, 0);
    assert!(got.has(|i| matches!(i, Issue::AbsurdComposition(_))));
}

#[test]
fn i15_a_backlog_after_a_pause_is_left_out() {
    let mut p = Publisher::new();
    p.headers().run(5_000).pause(60_000);
    // a minute of media in two seconds, then live again
    p.speed = 30.0;
    p.run(60_000);
    p.speed = 1.0;
    let got = p.run(5_000).done();
    assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Jump]);
    assert!(
        got.has(|i| matches!(i, Issue::BacklogDropped(ms) if (55_000..65_000).contains(ms))),
        "{:?}",
        got.issues
    );
    let start = got.epochs[1].start_90k / 90;
    assert!((65_000..69_000).contains(&start), "{start}");
}

#[test]
fn i15_a_pause_of_the_encoders_clock_begins_an_epoch_and_loses_a_second() {
    let mut p = Publisher::new();
    let got = { p.headers().run(5_000).pause(60_000).run(6_000) }.done();
    assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Jump]);
    assert!(got.video().len() >= 150 + 120, "{}", got.video().len());
}

#[test]
fn i14_a_clock_500_ppm_off_for_twelve_hours_changes_nothing_within_an_epoch() {
    for speed in [1.000_5, 0.999_5] {
        let mut p = Publisher::new();
        (p.speed, p.fps, p.gop) = (speed, 1.0, 2);
        p.audio = false;
        p.n.metadata(&Metadata {
            video: Some(true),
            ..Metadata::default()
        });
        p.video_header(&avc(80)).run(12 * 3_600_000);
        assert!(p.got.issues.is_empty(), "{:?}", p.got.issues);
        assert_eq!((p.got.epochs.len(), p.got.units.len()), (1, 12 * 3_600));
        // The next epoch is where its arrival is, though never before the end of what is there.
        p.video_offset = 3_600_000;
        let arrival = p.now - START;
        let got = p.run(4_000).done();
        assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Jump]);
        let start = got.epochs[1].start_90k / 90;
        let due = arrival.max(12 * 3_600_000);
        assert!((start - due).abs() <= 2_000, "at {speed}: {start}, {due}");
    }
}

#[test]
fn i17_slower_than_real_time_is_kept_as_it_is() {
    let mut p = Publisher::new();
    p.speed = 0.5;
    let got = p.headers().run(30_000).done();
    assert_eq!((got.causes(), got.video().len()), (vec![EpochCause::Start], 900));
    assert!(got.issues.is_empty(), "{:?}", got.issues);
    assert_eq!(got.video()[899].dts.ticks, 899 * 3_000);
}

#[test]
fn i16_faster_than_real_time_is_no_fault_of_the_clock() {
    let mut p = Publisher::new();
    p.speed = 50.0;
    let got = p.headers().run(60_000).done();
    assert_eq!((got.causes(), got.video().len()), (vec![EpochCause::Start], 1_800));
    assert!(got.issues.is_empty(), "{:?}", got.issues);
}

#[test]
fn p006_sound_and_picture_stay_together_for_hours() {
    let mut p = Publisher::new();
    p.fps = 60_000.0 / 1_001.0;
    p.gop = 120;
    let mut worst = 0;
    p.headers();
    for _ in 0..200 {
        p.run(10_000);
        let got = std::mem::take(&mut p.got.units);
        let last = |t| {
            got.iter()
                .rev()
                .find(|(_, u)| u.track == t)
                .map(|(_, u)| u.dts.millis())
        };
        let (video, audio) = (
            last(TrackId::VIDEO).expect("pictures"),
            last(TrackId::AUDIO).expect("sound"),
        );
        worst = worst.max((video - audio).abs());
    }
    assert!(worst <= 40, "{worst} ms");
}
