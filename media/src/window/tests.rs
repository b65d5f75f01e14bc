//! Names, rebuilding, trimming, refusals.

use super::key::{Key, PublicName, SegmentName, rendition_name};
use super::*;

fn rendition(name: &str, kind: Kind, timescale: u32) -> Rendition {
    Rendition {
        name: name.into(),
        kind,
        timescale,
        codecs: "x".into(),
        bandwidth_bps: 1,
        average_bandwidth_bps: 1,
        width: 0,
        height: 0,
        fps_milli: 0,
        sample_rate: 0,
        channels: 0,
        language: String::new(),
        sar_num: 0,
        sar_den: 0,
        init: Bytes::new(),
    }
}

fn epoch(first_seq: u64) -> Epoch {
    let renditions = vec![
        rendition("source", Kind::Video, 90_000),
        rendition("audio", Kind::Audio, 48_000),
    ];
    Epoch {
        index: 0,
        first_seq,
        start_90k: 0,
        wallclock_ms: 0,
        renditions,
    }
}

fn segment(seq: u64, generation: u64) -> Segment {
    let decode_time = seq as i64 * 180_000;
    Segment {
        seq,
        generation,
        decode_time,
        duration: 180_000,
        size_bytes: 9,
        parts: Vec::new(),
    }
}

fn part(index: u32, generation: u64) -> Part {
    Part {
        index,
        generation,
        decode_time: i64::from(index) * 30_000,
        duration: 30_000,
        independent: index == 0,
    }
}

fn window() -> Window {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    window.apply_presentation(1, vec![epoch(0)]).expect("the first");
    window
}

#[test]
fn every_name_has_one_spelling() {
    let name = SegmentName {
        seq: 7,
        generation: 2,
        decode_time: 1_260_000,
        duration: 180_000,
    };
    assert_eq!(name.to_string(), "7-2-1260000-180000.m4s");
    for key in [
        Key::Segment {
            rendition: "720p60",
            name,
        },
        Key::Init {
            rendition: "audio",
            first_seq: 0,
        },
        Key::Epoch { first_seq: 12 },
        Key::Index,
    ] {
        assert_eq!(Key::parse(&key.to_string()), key);
    }
    for name in [
        PublicName::Init { first_seq: 3 },
        PublicName::Segment { seq: 3, generation: 1 },
        PublicName::AnySegment { seq: u64::MAX },
        PublicName::Part {
            seq: 3,
            generation: 1,
            index: 0,
        },
    ] {
        assert_eq!(PublicName::parse(&name.to_string()), Some(name));
    }
    for other in [
        "",
        "7.mp4",
        "07.m4s",
        "+7.m4s",
        "7-.m4s",
        "7-1-.m4s",
        "-1.m4s",
        "7-1.x.m4s",
        "7-1.1.1.m4s",
        "init-.mp4",
    ] {
        assert_eq!(PublicName::parse(other), None, "{other:?}");
    }
    for other in [
        "main.m3u8",
        "source/index.m3u8",
        "source/7-2-1-0.m4s",
        "source/7-2--1-5.m4s",
        "source/7-2-1.m4s",
        "source/7-2-1-1-1.m4s",
        "../7-2-1-1.m4s",
        "a/b/7-2-1-1.m4s",
        "epoch-01.json",
        "Source/init-0.mp4",
    ] {
        assert_eq!(Key::parse(other), Key::Other, "{other:?}");
    }
    assert!(rendition_name("720p60") && !rendition_name("") && !rendition_name("a/b") && !rendition_name("a.b"));
}

#[test]
fn a_listing_rebuilds_the_window() {
    let description = |generation| Description {
        latency_mode: "low".into(),
        generation,
        epoch: epoch(0),
    };
    let json = serde_json::to_string(&description(1)).expect("plain data");
    assert_eq!(
        serde_json::from_str::<Description>(&json).expect("its own words"),
        description(1)
    );
    let keys = [
        "epoch-0.json",
        "source/init-0.mp4",
        "source/0-1-0-180000.m4s",
        "source/1-1-180000-180000.m4s",
        // Generation 2 took over at segment 1 …
        "source/1-2-180000-180000.m4s",
        "audio/0-1-0-96256.m4s",
        "audio/1-2-96256-95232.m4s",
        // … and what generation 1 wrote after that is not listed.
        "source/2-1-360000-180000.m4s",
        "audio/2-1-191488-96256.m4s",
        "nobody/2-1-191488-96256.m4s",
        "source/index.m3u8",
    ];
    let window = Window::rebuild(vec![description(1)], keys.map(|k| (k, 5))).expect("described");
    let listed = |name| -> Vec<_> {
        window
            .track(name)
            .expect("listed")
            .segments()
            .iter()
            .map(|s| (s.seq, s.generation))
            .collect()
    };
    assert_eq!(listed("source"), [(0, 1), (1, 2)]);
    assert_eq!(listed("audio"), [(0, 1), (1, 2)]);
    assert_eq!(window.generation(), 2);
    assert!(window.track("nobody").is_none());
    assert_eq!(
        Window::rebuild(Vec::new(), keys.map(|k| (k, 5))),
        Err(RebuildError::NoEpoch)
    );
    let odd = Description {
        latency_mode: "none".into(),
        ..description(1)
    };
    assert!(matches!(
        Window::rebuild(vec![odd], []),
        Err(RebuildError::LatencyMode { .. })
    ));
}

#[test]
fn an_index_is_the_whole_window() {
    let epochs = vec![Description {
        latency_mode: "low".into(),
        generation: 4,
        epoch: epoch(0),
    }];
    let index = Index {
        epochs,
        segments: vec![("source/0-4-0-180000.m4s".into(), 9)],
    };
    let json = serde_json::to_string(&index).expect("plain data");
    let window = serde_json::from_str::<Index>(&json)
        .expect("its own words")
        .window()
        .expect("described");
    assert!(window.ended());
    assert_eq!(window.track("source").and_then(Track::last_seq), Some(0));
}

#[test]
fn an_order_of_keys_does_not_matter() {
    let description = Description {
        latency_mode: "standard".into(),
        generation: 3,
        epoch: epoch(0),
    };
    let mut keys: Vec<_> = (0..40)
        .map(|seq| {
            (
                format!(
                    "source/{}",
                    SegmentName {
                        seq,
                        generation: 1 + seq / 20,
                        decode_time: seq as i64,
                        duration: 1
                    }
                ),
                1,
            )
        })
        .collect();
    let build = |keys: &[(String, u64)]| {
        Window::rebuild(vec![description.clone()], keys.iter().map(|(k, n)| (k.as_str(), *n))).expect("described")
    };
    let forward = build(&keys);
    keys.reverse();
    assert_eq!(forward, build(&keys));
}

#[test]
fn trimming_keeps_what_players_need() {
    let mut window = window();
    for seq in 0..50 {
        for index in 0..3 {
            window.apply_part("source", seq, part(index, 1)).expect("in order");
        }
        window.apply_segment("source", segment(seq, 1)).expect("in order");
    }
    let version = window.version();
    assert_eq!(window.trim(Trim { keep_ms: 60_000 }), Some(20));
    assert!(window.version() != version);
    let track = window.track("source").expect("has segments");
    assert_eq!((track.segments().len(), track.segments()[0].seq), (30, 20));
    let with_parts: Vec<_> = track
        .segments()
        .iter()
        .filter(|s| !s.parts.is_empty())
        .map(|s| s.seq)
        .collect();
    assert_eq!(with_parts, [44, 45, 46, 47, 48, 49]);
    let version = window.version();
    window.trim(Trim { keep_ms: 60_000 });
    assert_eq!(window.version(), version, "nothing to do is no change");
    assert_eq!(
        window.trim(Trim { keep_ms: 0 }),
        Some(44),
        "never below three target durations"
    );
}

#[test]
fn a_takeover_replaces_and_never_takes_away() {
    let mut window = window();
    for index in 0..3 {
        window.apply_part("source", 0, part(index, 1)).expect("in order");
    }
    window.apply_presentation(2, Vec::new()).expect("higher");
    assert_eq!(
        window.apply_part("source", 0, part(3, 1)),
        Err(WindowError::Replaced { got: 1, current: 2 })
    );
    window
        .apply_part("source", 0, part(0, 2))
        .expect("again from the start");
    let generations = |w: &Window| -> Vec<_> {
        w.track("source")
            .and_then(Track::open)
            .expect("open")
            .parts
            .iter()
            .map(|p| p.generation)
            .collect()
    };
    assert_eq!(generations(&window), [2, 1, 1]);
    window.apply_part("source", 0, part(1, 2)).expect("goes on");
    window.apply_part("source", 0, part(2, 2)).expect("goes on");
    window.apply_part("source", 0, part(3, 2)).expect("goes on");
    assert_eq!(generations(&window), [2, 2, 2, 2]);
    let version = window.version();
    window.apply_part("source", 0, part(3, 2)).expect("known");
    assert_eq!(window.version(), version);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut window = window();
    window.apply_part("source", 0, part(0, 1)).expect("in order");
    let missing = WindowError::MissingPart {
        name: "source".into(),
        seq: 0,
        index: 2,
        expected: 1,
    };
    assert_eq!(window.apply_part("source", 0, part(2, 1)), Err(missing));
    let unknown = WindowError::UnknownRendition {
        name: "1080p".into(),
        seq: 0,
    };
    assert_eq!(window.apply_segment("1080p", segment(0, 1)), Err(unknown));
    let many = vec![epoch(0); EPOCHS_MAX];
    assert!(matches!(
        window.apply_presentation(1, many),
        Err(WindowError::TooMany { what: "epochs", .. })
    ));
    window.finish();
    assert_eq!(window.apply_segment("source", segment(0, 1)), Err(WindowError::Ended));
    assert!(window.track("source").and_then(Track::open).is_none());
}

#[test]
fn hostile_numbers_cost_nothing() {
    let mut window = window();
    for seq in [0, u64::MAX - 1, u64::MAX] {
        let huge = Segment {
            decode_time: i64::MAX,
            duration: u32::MAX,
            ..segment(1, 1)
        };
        window
            .apply_segment("source", Segment { seq, ..huge })
            .expect("numbers are numbers");
    }
    let view = window.view(None).expect("not empty");
    assert_eq!(view.slots.len(), SEGMENTS_MAX);
    let _ = window.trim(Trim { keep_ms: i64::MAX });
}
