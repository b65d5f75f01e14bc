use super::*;

fn video(width: u32, height: u32, fps_milli: u32, bitrate_bps: u64) -> Video {
    Video {
        codec: VideoCodec::H264Common,
        width,
        height,
        sar_num: 1,
        sar_den: 1,
        fps_milli,
        bitrate_bps,
    }
}

fn show(policy: &Policy, video: Video) -> String {
    let ladder = Ladder::fit(
        policy,
        &Source {
            video: Some(video),
            audio: true,
        },
    );
    let rung = |r: &Rung| {
        let kbit = r.bitrate_bps / 1_000;
        format!(
            "{} {}x{} {kbit}k {}",
            r.name,
            r.width,
            r.height,
            (r.fps_max_milli + 500) / 1_000
        )
    };
    ladder.video.iter().map(rung).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_default_ladder_by_source() {
    let full_hd = "source 1920x1080 4500k 30, 720p 1280x720 2800k 30, 480p 854x480 1400k 30, 360p 640x360 800k 30";
    for (what, source, expected) in [
        ("1080p30", video(1920, 1080, 30_000, 4_500_000), full_hd),
        (
            "unknown rate and bits",
            video(1920, 1080, 0, 0),
            "source 1920x1080 5000k 30, 720p 1280x720 2800k 30, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (
            "59.94",
            video(1920, 1080, 59_940, 6_000_000),
            "source 1920x1080 6000k 60, 720p60 1280x720 3500k 60, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (
            "a rich source keeps the step of its own size",
            video(1920, 1080, 30_000, 12_000_000),
            "source 1920x1080 12000k 30, 1080p 1920x1080 5000k 30, 720p 1280x720 2800k 30, 480p 854x480 1400k 30, \
             360p 640x360 800k 30",
        ),
        (
            "4K",
            video(3840, 2160, 30_000, 18_000_000),
            "source 3840x2160 18000k 30, 1080p 1920x1080 5000k 30, 720p 1280x720 2800k 30, 480p 854x480 1400k 30, \
             360p 640x360 800k 30",
        ),
        (
            "4K beyond what viewers follow",
            video(3840, 2160, 30_000, 40_000_000),
            "1080p 1920x1080 5000k 30, 720p 1280x720 2800k 30, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (
            "120 is halved and so not passed through",
            video(1280, 720, 120_000, 6_000_000),
            "720p60 1280x720 3500k 60, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (
            "portrait, by its shorter side",
            video(1080, 1920, 30_000, 4_500_000),
            "source 1080x1920 4500k 30, 720p 720x1280 2800k 30, 480p 480x854 1400k 30, 360p 360x640 800k 30",
        ),
        (
            "odd sizes",
            video(853, 481, 25_000, 1_200_000),
            "source 852x480 1200k 25, 360p 640x360 800k 25",
        ),
        (
            "smaller than the lowest step",
            video(426, 240, 30_000, 400_000),
            "source 426x240 400k 30",
        ),
        (
            "thin: rungs with the source's bits or more are left out",
            video(1920, 1080, 30_000, 1_300_000),
            "source 1920x1080 1300k 30, 360p 640x360 800k 30",
        ),
        (
            "thin: the lowest stays, with fewer bits",
            video(1280, 720, 30_000, 800_000),
            "source 1280x720 800k 30, 360p 640x360 640k 30",
        ),
        (
            "a still picture's bit rate says nothing",
            video(1920, 1080, 30_000, 90_000),
            "source 1920x1080 5000k 30, 720p 1280x720 2800k 30, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
    ] {
        assert_eq!(show(&Policy::Default, source), expected, "{what}");
    }
}

#[test]
fn other_policies() {
    let hd = video(1280, 720, 30_000, 3_000_000);
    let unfit = Video {
        codec: VideoCodec::Other,
        ..hd
    };
    let steps = vec![
        Step {
            short_side: 240,
            bitrate_bps: 300_000,
            bitrate_high_fps_bps: 400_000,
            fps_max_milli: 30_000,
        },
        Step {
            short_side: 540,
            bitrate_bps: 1_500_000,
            bitrate_high_fps_bps: 2_000_000,
            fps_max_milli: 60_000,
        },
    ];
    let custom = |passthrough| Policy::Custom {
        passthrough,
        steps: steps.clone(),
    };
    for (policy, source, expected) in [
        (Policy::Source, hd, "source 1280x720 3000k 30"),
        (Policy::Source, unfit, "720p 1280x720 2800k 30"),
        (
            Policy::Encoded,
            hd,
            "720p 1280x720 2800k 30, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (
            Policy::Default,
            unfit,
            "720p 1280x720 2800k 30, 480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (
            custom(true),
            hd,
            "source 1280x720 3000k 30, 540p 960x540 1500k 30, 240p 426x240 300k 30",
        ),
        (custom(false), hd, "540p 960x540 1500k 30, 240p 426x240 300k 30"),
        (
            Policy::Encoded,
            video(1600, 900, 30_000, 4_000_000),
            "900p 1600x900 3803k 30, 720p 1280x720 2800k 30, \
            480p 854x480 1400k 30, 360p 640x360 800k 30",
        ),
        (Policy::Encoded, video(320, 180, 30_000, 0), "180p 320x180 282k 30"),
    ] {
        assert_eq!(show(&policy, source), expected, "{policy:?}");
    }
}

#[test]
fn pixels_that_are_not_square() {
    for (width, height, sar, expected) in [
        (1440, 1080, (4, 3), (1920, 1080)),
        (720, 576, (16, 15), (768, 576)),
        (720, 480, (8, 9), (720, 540)),
        (1920, 1080, (0, 0), (1920, 1080)),
        (1920, 1080, (1, 0), (1920, 1080)),
        (1920, 1080, (1, 1_000), (1920, 1080)),
        (1081, 1921, (1, 1), (1080, 1920)),
    ] {
        let video = Video {
            sar_num: sar.0,
            sar_den: sar.1,
            ..video(width, height, 30_000, 0)
        };
        assert_eq!(video.display_size(), expected, "{width}x{height} {sar:?}");
    }
    let pal = Video {
        sar_num: 64,
        sar_den: 45,
        ..video(720, 576, 25_000, 3_000_000)
    };
    assert_eq!(
        show(&Policy::Default, pal),
        "source 1024x576 3000k 25, 480p 854x480 1400k 25, 360p 640x360 800k 25"
    );
}

#[test]
fn sound_alone_has_no_video_rungs() {
    let ladder = Ladder::fit(
        &Policy::Default,
        &Source {
            video: None,
            audio: true,
        },
    );
    assert_eq!(
        ladder,
        Ladder {
            video: vec![],
            audio: true
        }
    );
    assert_eq!(ladder.cost(), Cost::default());
    assert_eq!(ladder.trimmed(), None);
}

#[test]
fn every_ladder_is_valid() {
    let policies = [Policy::Default, Policy::Source, Policy::Encoded];
    for width in (16..4_200).step_by(37) {
        for (height, sar, fps, bits) in [
            (width * 9 / 16, (1, 1), 30_000, 0),
            (width * 2, (4, 3), 144_000, 900_000),
            (2_160, (3, 4), 50_000, 9_000_000),
            (17, (10, 11), 23_976, 5_000),
        ] {
            let video = Video {
                sar_num: sar.0,
                sar_den: sar.1,
                ..video(width, height.max(16), fps, bits)
            };
            let (display_width, display_height) = video.display_size();
            for policy in &policies {
                let ladder = Ladder::fit(
                    policy,
                    &Source {
                        video: Some(video),
                        audio: false,
                    },
                );
                assert!(!ladder.video.is_empty(), "{policy:?} {video:?}");
                for (n, rung) in ladder.video.iter().enumerate() {
                    assert!(
                        rung.width % 2 == 0 && rung.height % 2 == 0 && rung.width > 0 && rung.height > 0,
                        "{rung:?}"
                    );
                    assert!(
                        rung.width <= display_width && rung.height <= display_height,
                        "{rung:?} {video:?}"
                    );
                    assert!(rung.fps_max_milli <= 60_500 && rung.bitrate_bps > 0, "{rung:?}");
                    assert!(!rung.passthrough || n == 0, "{ladder:?}");
                    assert!(
                        ladder.video[..n].iter().all(|other| other.name != rung.name),
                        "{ladder:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn cost_counts_only_what_is_encoded() {
    let source = Source {
        video: Some(video(1920, 1080, 30_000, 4_500_000)),
        audio: true,
    };
    let ladder = Ladder::fit(&Policy::Default, &source);
    let px = (1280 * 720 + 854 * 480 + 640 * 360) * 30;
    assert_eq!(
        ladder.cost(),
        Cost {
            encode_px_per_s: px,
            slots: 1
        }
    );
    let names = |l: &Ladder| l.video.iter().map(|r| r.name.clone()).collect::<Vec<_>>().join(" ");
    let once = ladder.trimmed().expect("three encoded rungs");
    assert_eq!(names(&once), "source 480p 360p");
    let source_only = once.trimmed().and_then(|l| l.trimmed()).expect("two more");
    assert_eq!(
        (names(&source_only).as_str(), source_only.cost()),
        ("source", Cost::default())
    );
    assert_eq!(source_only.trimmed(), None);
    let encoded = Ladder::fit(&Policy::Encoded, &source);
    let last = std::iter::successors(Some(encoded), Ladder::trimmed)
        .last()
        .expect("at least itself");
    assert_eq!(names(&last), "360p");
}

#[test]
fn policies_are_checked_and_stored_as_json() {
    for (policy, json) in [
        (Policy::Default, r#"{"kind":"default"}"#.to_owned()),
        (Policy::Source, r#"{"kind":"source"}"#.to_owned()),
        (
            Policy::Custom { passthrough: true, steps: vec![DEFAULT_STEPS[1]] },
            r#"{"kind":"custom","passthrough":true,"steps":[{"short_side":720,"bitrate_bps":2800000,"bitrate_high_fps_bps":3500000,"fps_max_milli":60000}]}"#.to_owned(),
        ),
    ] {
        assert_eq!(serde_json::to_string(&policy).expect("plain data"), json);
        assert_eq!(serde_json::from_str::<Policy>(&json).expect("its own text"), policy);
        assert_eq!(policy.validate(), Ok(()));
    }
    let custom = |steps| Policy::Custom {
        passthrough: true,
        steps,
    };
    assert_eq!(custom(vec![]).validate(), Err(PolicyError::Steps(0)));
    assert_eq!(
        custom(vec![DEFAULT_STEPS[0]; 2]).validate(),
        Err(PolicyError::Twice(1080))
    );
    let slow = Step {
        fps_max_milli: 0,
        ..DEFAULT_STEPS[0]
    };
    assert!(matches!(
        custom(vec![slow]).validate(),
        Err(PolicyError::Range {
            field: "fps_max_milli",
            ..
        })
    ));
    assert!(serde_json::from_str::<Policy>(r#"{"kind":"best"}"#).is_err());
}

#[test]
fn sources_that_nothing_can_be_made_of() {
    let with = |video| Source {
        video: Some(video),
        audio: true,
    };
    assert_eq!(with(video(1920, 1080, 0, 0)).validate(), Ok(()));
    assert_eq!(
        with(video(0, 1080, 0, 0)).validate(),
        Err(SourceError::Size { width: 0, height: 1080 })
    );
    assert_eq!(
        with(video(9_000, 1080, 0, 0)).validate(),
        Err(SourceError::Size {
            width: 9_000,
            height: 1080
        })
    );
    assert_eq!(Source::default().validate(), Err(SourceError::Nothing));
}

#[test]
fn sources_are_read_from_their_configurations() {
    use headwater_media::codec::h264;
    use headwater_media::{CodecConfig, Timescale, Track, TrackId};

    // x264, 1280x720 at 30, High, 4:2:0, 8 bits: `ffmpeg -f lavfi -i testsrc2=s=1280x720:r=30 -c:v libx264 -pix_fmt yuv420p`.
    let avcc = "0164001fffe1001a6764001facd9405005bb0110000003001000000303c0f183196001000668ebe3cb22c0fdf8f800";
    let record: Vec<u8> = (0..avcc.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&avcc[at..at + 2], 16).expect("hex"))
        .collect();
    let track = Track {
        id: TrackId::VIDEO,
        timescale: Timescale::VIDEO,
        config: CodecConfig::H264(h264::Config::parse(record.into()).expect("a captured avcC")),
        language: None,
    };
    let expected = video(1280, 720, 30_000, 2_000_000);
    assert_eq!(
        Source::of_tracks(std::slice::from_ref(&track), 2_000_000, 0),
        Source {
            video: Some(expected),
            audio: false
        }
    );
    let measured = Source::of_tracks(&[track], 0, 29_970).video.expect("a picture");
    assert_eq!(
        (measured.fps_milli, measured.bitrate_bps),
        (29_970, 0),
        "a measured rate goes before the header's"
    );
}
