//! Groups E, G, H and K as they reach the normaliser: which tracks there are, and what configures them.

use super::*;

fn pictures(got: &Got) -> Vec<u32> {
    let width = |e: &Epoch| match &e.tracks[0].config {
        CodecConfig::H264(c) => Some(c.sps().width),
        _ => None,
    };
    got.epochs.iter().filter_map(width).collect()
}

#[test]
fn both_tracks_begin_at_once_and_together() {
    let got = Publisher::new().headers_and_run(2_000);
    assert_eq!(got.causes(), [EpochCause::Start]);
    assert_eq!(got.epochs[0].start_90k, 0);
    assert_eq!(got.epochs[0].wallclock_ms, START);
    let kinds: Vec<TrackId> = got.epochs[0].tracks.iter().map(|t| t.id).collect();
    assert_eq!(kinds, [TrackId::VIDEO, TrackId::AUDIO]);
    assert_eq!(got.video().len(), 60);
    assert_eq!((got.video()[0].dts.ticks, got.video()[59].dts.ticks), (0, 59 * 3_000));
    assert_eq!(got.audio()[0].dts.ticks, 0);
    assert!(got.audio().windows(2).all(|w| w[1].dts.ticks - w[0].dts.ticks == 1_024));
    assert!(got.audio().iter().all(|u| u.duration == Some(1_024)));
    assert!(got.issues.is_empty(), "{:?}", got.issues);
}

impl Publisher {
    fn headers_and_run(&mut self, ms: i64) -> Got {
        self.headers().run(ms).done()
    }
}

#[test]
fn sound_before_the_first_picture_is_cut_off() {
    let mut p = Publisher::new();
    p.headers();
    p.frame = 1; // the first key frame comes a second later
    let got = p.run(3_000).done();
    let first = got.video()[0];
    assert_eq!((first.dts.ticks, got.audio()[0].dts >= first.pts), (0, true));
    assert!(got.audio()[0].dts.ticks_in(crate::Timescale::VIDEO) < 3_000);
    assert!(got.has(|i| *i == Issue::BeforeKeyFrame));
    assert_eq!(got.causes(), [EpochCause::Start]);
}

#[test]
fn c12_k6_discovery_waits_are_bounded() {
    let metadata = |video, audio| Metadata {
        video,
        audio,
        ..Metadata::default()
    };
    let cases = [
        ("no metadata", Metadata::default(), TRACK_WAIT_MS),
        (
            "both announced, one comes",
            metadata(Some(true), Some(true)),
            TRACK_WAIT_MS,
        ),
        ("one announced", metadata(Some(true), None), ONE_KIND_WAIT_MS),
        ("other denied", metadata(Some(true), Some(false)), ONE_KIND_WAIT_MS),
    ];
    for (name, metadata, wait) in cases {
        let mut p = Publisher::new();
        p.audio = false;
        p.n.metadata(&metadata);
        p.video_header(&avc(80)).run(100);
        assert_eq!(p.n.deadline_ms(), Some(START + wait), "{name}");
        p.run(wait - 200);
        assert!(p.got.epochs.is_empty(), "{name}: held until the wait is over");
        let got = p.run(200).done();
        assert_eq!(got.causes(), [EpochCause::Start], "{name}");
        assert_eq!(got.video()[0].dts.ticks, 0, "{name}: nothing held is lost");
        assert_eq!(got.epochs[0].wallclock_ms, START, "{name}");
    }
}

#[test]
fn k1_audio_only() {
    let mut p = Publisher::new();
    p.video = false;
    let got = p.audio_header(&AAC_44K).run(5_000).done();
    assert_eq!(got.causes(), [EpochCause::Start]);
    assert_eq!(got.epochs[0].tracks[0].timescale.get(), 44_100);
    assert_eq!(got.audio()[0].dts.ticks, 0);
}

#[test]
fn a_wait_ends_also_when_nothing_arrives() {
    let mut p = Publisher::new();
    p.audio = false;
    let got = { p.video_header(&avc(80)).run(500).pause(2_000) }.done();
    assert_eq!((got.epochs.len(), got.video().len()), (1, 15));
}

#[test]
fn l8_a_publish_shorter_than_the_wait_is_not_lost() {
    let mut p = Publisher::new();
    p.audio = false;
    let got = p.video_header(&avc(80)).run(500).done();
    assert_eq!((got.epochs.len(), got.video().len()), (1, 15));
}

#[test]
fn k3_late_audio_begins_a_new_epoch_at_the_next_key_frame() {
    let mut p = Publisher::new();
    p.audio = false;
    p.headers().run(5_500);
    p.audio = true;
    let got = p.run(3_000).done();
    assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Track]);
    assert_eq!(got.video().len(), 255, "no picture is lost");
    let first = got
        .units
        .iter()
        .find(|(e, u)| *e == 1 && u.track == TrackId::VIDEO)
        .expect("pictures");
    assert!(first.1.key);
    assert_eq!(got.epochs[1].tracks.len(), 2);
}

#[test]
fn k4_late_video_begins_a_new_epoch_at_its_first_key_frame() {
    let mut p = Publisher::new();
    p.video = false;
    p.headers().run(5_000);
    p.video = true;
    let got = p.run(2_000).done();
    assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Track]);
    assert_eq!(got.epochs[1].tracks.len(), 2);
}

#[test]
fn j10_no_key_frame_lets_sound_go_ahead_after_the_wait() {
    let mut p = Publisher::new();
    (p.gop, p.frame) = (u32::MAX, 1);
    let got = p.headers().run(12_000).done();
    assert!(got.has(|i| *i == Issue::NoKeyFrame));
    assert_eq!(got.epochs.len(), 1);
    assert!(got.video().is_empty() && !got.audio().is_empty());
}

#[test]
fn e3_p1_g19_repeated_headers_change_nothing() {
    let mut p = Publisher::new();
    p.headers();
    for _ in 0..5 {
        p.run(1_000).headers();
    }
    assert_eq!(p.done().causes(), [EpochCause::Start]);
}

#[test]
fn p2_another_size_begins_a_new_epoch_with_its_key_frame() {
    let mut p = Publisher::new();
    p.headers().run(2_000).video_header(&avc(40));
    p.frame = 25; // five frames without a key frame first
    let got = p.run(1_000).done();
    assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Config]);
    assert_eq!(pictures(&got), [1_280, 640]);
    assert!(got.has(|i| *i == Issue::BeforeKeyFrame));
}

#[test]
fn h3_p5_another_audio_configuration_restarts_both_together() {
    let mut p = Publisher::new();
    p.headers().run(1_500).audio_header(&AAC_44K);
    let got = p.run(2_000).done();
    assert_eq!(got.causes(), [EpochCause::Start, EpochCause::Config]);
    assert_eq!(got.epochs[1].tracks[1].timescale.get(), 44_100);
    assert_eq!(got.video().len(), 105, "no picture is lost");
}

#[test]
fn e3_in_band_parameter_sets_stand_in_for_a_missing_header() {
    let config = crate::codec::h264::Config::parse(avc(80).into()).expect("valid");
    let unit = |columns: u8| {
        let config = crate::codec::h264::Config::parse(avc(columns).into()).expect("valid");
        let nals = [&config.sps_nals()[0][..], &config.pps_nals()[0], &[0x65, 1, 2]];
        let body: Vec<u8> = nals
            .iter()
            .flat_map(|n| [&(n.len() as u32).to_be_bytes()[..], n].concat())
            .collect();
        Bytes::from([&[0x17, 1, 0, 0, 0][..], &body].concat())
    };
    let mut n = Normaliser::new(Start::FIRST);
    let mut got = Got::default();
    for (i, columns) in [80, 80, 40].into_iter().enumerate() {
        n.video(START, i as u32 * 40, unit(columns));
    }
    n.finish();
    drain(&mut n, &mut got);
    assert_eq!(pictures(&got), [640], "while waiting, the last configuration counts");
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, unit(80));
    n.tick(START + TRACK_WAIT_MS);
    n.video(START + 2_040, 40, unit(80));
    n.video(START + 2_080, 80, unit(40));
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert_eq!(
        (got.causes(), pictures(&got)),
        (vec![EpochCause::Start, EpochCause::Config], vec![1_280, 640])
    );
    assert_eq!(
        got.video()[0].data,
        [0, 0, 0, 3, 0x65, 1, 2][..],
        "parameter sets are not in samples"
    );
    assert_eq!(config.sps().width, 1_280);
}

#[test]
fn e1_e11_unsupported_codecs_refuse_their_track_only() {
    let mut n = Normaliser::new(Start::FIRST);
    n.video(START, 0, Bytes::from_static(&[0x14, 1, 2]));
    n.audio(START, 0, audio_config(&AAC_48K));
    n.audio(START, 0, sound());
    n.tick(START + TRACK_WAIT_MS);
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert_eq!(got.issues, [Issue::UnsupportedVideo(flv::VideoCodec::Legacy(4))]);
    assert_eq!(got.audio().len(), 1);
    n.audio(START, 0, Bytes::from_static(&[0x2f, 1, 2]));
    drain(&mut n, &mut got);
    assert!(got.has(|i| *i == Issue::UnsupportedAudio(flv::AudioCodec::Mp3)));
}

#[test]
fn e13_audio_before_its_header_is_held_then_given_up() {
    let mut p = Publisher::new();
    p.video_header(&avc(80)).run(1_000).audio_header(&AAC_48K);
    let got = p.run(1_000).done();
    assert_eq!(got.causes(), [EpochCause::Start]);
    assert_eq!(got.audio()[0].dts.ticks, 0, "held, not dropped");
    let got = Publisher::new().video_header(&avc(80)).run(7_000).done();
    assert!(got.audio().is_empty() && got.has(|i| *i == Issue::NoConfig(TrackKind::Audio)));
}

#[test]
fn e14_adts_frames_configure_the_track() {
    let adts = Bytes::from_static(&[0xaf, 1, 0xff, 0xf1, 0x4c, 0x80, 0x01, 0x3f, 0xfc, 0x21, 0x10]);
    let mut n = Normaliser::new(Start::FIRST);
    n.audio(START, 0, adts);
    n.finish();
    let mut got = Got::default();
    drain(&mut n, &mut got);
    assert_eq!(got.audio()[0].data, [0x21, 0x10][..]);
    assert!(got.has(|i| *i == Issue::AdtsHeaders));
}

#[test]
fn p136_a_reconnect_continues_the_timeline() {
    let mut first = Publisher::new();
    first.headers().run(10_000);
    let start = first.n.successor();
    assert_eq!((start.epoch_index, start.anchor_ms), (1, Some(START)));
    let mut second = Publisher::resumed(start, START + 13_000);
    let got = second.headers().run(1_000).done();
    assert_eq!(got.epochs[0].cause, EpochCause::Reconnect);
    assert_eq!((got.epochs[0].index, got.epochs[0].start_90k), (1, 13_000 * 90));
    assert_eq!(got.epochs[0].wallclock_ms, START + 13_000);
    let mut early = Publisher::resumed(start, START + 5_000);
    let got = early.headers().run(1_000).done();
    assert_eq!(
        got.epochs[0].start_90k, start.end_90k,
        "never before what was given out"
    );
}
