//! Rendered text, word for word, and directives.

use super::*;
use crate::segmenter::LatencyMode;
use crate::window::{Epoch, Kind, Part, Rendition, Segment, Settings, Window};

fn rendition(name: &str, kind: Kind) -> Rendition {
    let video = kind == Kind::Video;
    Rendition {
        name: name.into(),
        kind,
        timescale: if video { 90_000 } else { 48_000 },
        codecs: if video { "avc1.640028" } else { "mp4a.40.2" }.into(),
        bandwidth_bps: if video { 5_000_000 } else { 130_000 },
        average_bandwidth_bps: if video { 4_500_000 } else { 128_000 },
        width: if video { 1_440 } else { 0 },
        height: if video { 1_080 } else { 0 },
        fps_milli: if video { 29_970 } else { 0 },
        sample_rate: 48_000,
        channels: 2,
        language: "de".into(),
        sar_num: 4,
        sar_den: 3,
        init: bytes::Bytes::new(),
    }
}

/// Two segments of each rendition, a discontinuity at 8, an open segment 9.
fn window(latency: LatencyMode) -> Window {
    let mut window = Window::new(Settings { latency });
    let epoch = |index, first_seq, start_90k, wallclock_ms| Epoch {
        index,
        first_seq,
        start_90k,
        wallclock_ms,
        renditions: vec![rendition("source", Kind::Video), rendition("audio", Kind::Audio)],
    };
    let epochs = vec![
        epoch(0, 0, 0, 1_771_035_200_000),
        epoch(1, 8, 1_800_000, 1_771_035_260_000),
    ];
    window.apply_presentation(3, epochs).expect("the first");
    for (name, scale) in [("source", 90_000u32), ("audio", 48_000)] {
        for (seq, at_s) in [(7, 14), (8, 20)] {
            let part = |index, duration| Part {
                index,
                generation: 3,
                decode_time: i64::from(at_s * scale + index * scale),
                duration,
                independent: index == 0,
            };
            let (decode_time, duration) = (i64::from(at_s * scale), scale * 2);
            let parts = if seq == 8 {
                vec![part(0, scale / 3), part(1, scale / 3)]
            } else {
                Vec::new()
            };
            let segment = Segment {
                seq,
                generation: 3,
                decode_time,
                duration,
                size_bytes: 1,
                parts,
            };
            window.apply_segment(name, segment).expect("known");
        }
        let decode_time = i64::from(22 * scale);
        let part = Part {
            index: 0,
            generation: 3,
            decode_time,
            duration: scale / 3,
            independent: true,
        };
        window.apply_part(name, 9, part).expect("in order");
    }
    window
}

#[test]
fn a_low_latency_playlist_reads_like_this() {
    let text = media_playlist(&window(LatencyMode::Low), "source", &MediaOptions::LIVE).expect("has segments");
    let expected = "\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.05,HOLD-BACK=12.0,CAN-SKIP-UNTIL=24.0
#EXT-X-PART-INF:PART-TARGET=0.35
#EXT-X-MEDIA-SEQUENCE:8
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:34.000Z
#EXTINF:2.00000,
7-3.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-8.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:14:20.000Z
#EXT-X-PART:DURATION=0.33333,URI=\"8-3.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI=\"8-3.1.m4s\"
#EXTINF:2.00000,
8-3.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:14:22.000Z
#EXT-X-PART:DURATION=0.33333,URI=\"9-3.0.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9-3.1.m4s\"
#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN=10,LAST-PART=0
";
    assert_eq!(text, expected);
}

#[test]
fn a_standard_playlist_reads_like_this() {
    let text = media_playlist(&window(LatencyMode::Standard), "audio", &MediaOptions::DVR).expect("has segments");
    let expected = "\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:8
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=24.0,CAN-SKIP-UNTIL=48.0
#EXT-X-MEDIA-SEQUENCE:8
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:34.000Z
#EXTINF:2.00000,
7-3.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-8.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:14:20.000Z
#EXTINF:2.00000,
8-3.m4s
";
    assert_eq!(text, expected);
}

#[test]
fn a_stored_replay_names_its_objects() {
    let mut window = window(LatencyMode::Low);
    window.finish();
    let text = media_playlist(&window, "audio", &MediaOptions::STORED).expect("has segments");
    let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:8
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:34.000Z
#EXTINF:2.00000,
7-3-672000-96000.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"init-8.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:14:20.000Z
#EXTINF:2.00000,
8-3-960000-96000.m4s
#EXT-X-ENDLIST
";
    assert_eq!(text, expected);
}

#[test]
fn a_multivariant_playlist_reads_like_this() {
    let options = MultivariantOptions {
        base: "br_x/",
        file: "index.m3u8",
        parts_suffice: true,
    };
    let text = multivariant(&window(LatencyMode::Low), &options).expect("has renditions");
    let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio\",LANGUAGE=\"de\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"br_x/audio/index.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=5130000,AVERAGE-BANDWIDTH=4628000,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=1920x1080,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO=\"audio\"
br_x/source/index.m3u8
";
    assert_eq!(text, expected);
}

#[test]
fn nothing_is_rendered_of_nothing() {
    let empty = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    assert_eq!(media_playlist(&empty, "source", &MediaOptions::LIVE), None);
    assert_eq!(
        multivariant(
            &empty,
            &MultivariantOptions {
                base: "",
                file: "index.m3u8",
                parts_suffice: true,
            }
        ),
        None
    );
    assert_eq!(
        media_playlist(&window(LatencyMode::Low), "720p", &MediaOptions::LIVE),
        None
    );
}

#[test]
fn directives_are_read_or_refused() {
    let read = |msn, part, skip| Ok(Directives { msn, part, skip });
    for (query, expected) in [
        ("", read(None, None, None)),
        (
            "token=a&_HLS_msn=12&_HLS_part=0&_HLS_skip=YES",
            read(Some(12), Some(0), Some(Skip::Segments)),
        ),
        ("_HLS_skip=v2", read(None, None, Some(Skip::SegmentsAndDateRanges))),
        ("_HLS_skip=maybe&_HLS_other=1&x", read(None, None, None)),
        ("_HLS_msn=00007", read(Some(7), None, None)),
        ("_HLS_part=3", Err(DirectiveError::PartWithoutMsn)),
        (
            "_HLS_msn=1&_HLS_msn=2",
            Err(DirectiveError::Repeated { name: "_HLS_msn" }),
        ),
        (
            "_HLS_skip=YES&_HLS_skip=YES",
            Err(DirectiveError::Repeated { name: "_HLS_skip" }),
        ),
    ] {
        assert_eq!(Directives::parse(query), expected, "{query}");
    }
    for value in ["", "x", "-1", "+1", "1.0", "18446744073709551616", "%31", "1 "] {
        let result = Directives::parse(&format!("_HLS_msn={value}"));
        assert!(
            matches!(result, Err(DirectiveError::NotANumber { name: "_HLS_msn", .. })),
            "{value:?}"
        );
    }
}

#[test]
fn noise_is_never_more_than_a_refusal() {
    let window = window(LatencyMode::Low);
    let pieces = [
        "_HLS_msn",
        "_HLS_part",
        "_HLS_skip",
        "=",
        "&",
        "9",
        "0",
        "18446744073709551615",
        "YES",
        "\u{0}",
        "%",
    ];
    let mut state = 88_172_645_463_325_252u64;
    for _ in 0..20_000 {
        let mut query = String::new();
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            query.push_str(pieces[(state % pieces.len() as u64) as usize]);
        }
        if let Ok(directives) = Directives::parse(&query) {
            let _ = reload_decision(&window, "source", &directives);
        }
    }
}

#[test]
fn without_advertised_parts_a_reload_waits_for_whole_segments() {
    let window = window(LatencyMode::Standard);
    let ask = |query| reload_decision(&window, "source", &Directives::parse(query).expect("sound"));
    assert_eq!(ask("_HLS_msn=9&_HLS_part=40"), Reload::Now);
    assert_eq!(ask("_HLS_msn=10&_HLS_part=0"), Reload::Wait);
    assert_eq!(ask("_HLS_msn=12"), Reload::BadRequest);
}

#[test]
fn a_part_past_the_last_means_the_next_segment() {
    let window = window(LatencyMode::Low);
    let ask = |query| reload_decision(&window, "source", &Directives::parse(query).expect("sound"));
    assert_eq!(ask("_HLS_msn=9&_HLS_part=2"), Reload::Now, "part 0 of 9 is there");
    assert_eq!(ask("_HLS_msn=8&_HLS_part=900"), Reload::Now, "long whole");
}

/// The window, with a rendition that its second epoch goes without; `made` of its two segments before that are there.
fn window_without(made: u64) -> Window {
    let mut window = window(LatencyMode::Low);
    let mut epochs = window.epochs().to_vec();
    epochs[0].renditions.insert(1, rendition("720p", Kind::Video));
    window.apply_presentation(3, epochs).expect("the same generation");
    for seq in 6..6 + made {
        for name in ["source", "720p"] {
            let segment = Segment {
                seq,
                generation: 3,
                decode_time: seq as i64 * 180_000,
                duration: 180_000,
                size_bytes: 1,
                parts: Vec::new(),
            };
            window.apply_segment(name, segment).expect("known");
        }
    }
    window
}

#[test]
fn a_rendition_that_an_epoch_goes_without_keeps_step_with_gaps() {
    let window = window_without(2);
    let text = media_playlist(&window, "720p", &MediaOptions::LIVE).expect("has segments");
    let expected = "\
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:32.000Z
#EXTINF:2.00000,
6-3.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:34.000Z
#EXTINF:2.00000,
7-3.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:14:20.000Z
#EXT-X-GAP
#EXTINF:2.00000,
8-0.m4s
#EXT-X-PART:DURATION=0.33333,URI=\"9-0.0.m4s\",GAP=YES
#EXT-X-RENDITION-REPORT:URI=\"../source/index.m3u8\",LAST-MSN=10,LAST-PART=0
#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN=10,LAST-PART=0
";
    let listed = text.find("#EXT-X-MEDIA-SEQUENCE").map(|at| &text[at..]);
    assert_eq!(listed, Some(expected));
    let ask = |query| reload_decision(&window, "720p", &Directives::parse(query).expect("sound"));
    assert_eq!(ask("_HLS_msn=9&_HLS_part=0"), Reload::Now, "it is known to be missing");
    assert_eq!(ask("_HLS_msn=10&_HLS_part=0"), Reload::Now);
    assert_eq!(ask("_HLS_msn=10&_HLS_part=1"), Reload::Wait, "in step with the others");
    assert_eq!(ask("_HLS_msn=13&_HLS_part=0"), Reload::BadRequest);
    let options = MultivariantOptions {
        base: "",
        file: "index.m3u8",
        parts_suffice: false,
    };
    let text = multivariant(&window, &options).expect("has renditions");
    assert!(!text.contains("720p"), "{text}");
}

#[test]
fn what_a_rendition_has_yet_to_make_is_no_gap() {
    let window = window_without(1);
    let text = media_playlist(&window, "720p", &MediaOptions::LIVE).expect("has a segment");
    assert!(text.contains("6-3.m4s\n") && !text.contains("GAP"), "{text}");
    assert!(text.contains("PRELOAD-HINT:TYPE=PART,URI=\"7-3.0.m4s\""), "{text}");
    let ask = |query| reload_decision(&window, "720p", &Directives::parse(query).expect("sound"));
    assert_eq!(ask("_HLS_msn=8&_HLS_part=0"), Reload::Wait);
}
