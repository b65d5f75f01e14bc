//! Manifests, word for word where words matter.

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
        average_bandwidth_bps: 1,
        width: if video { 1_920 } else { 0 },
        height: if video { 1_080 } else { 0 },
        fps_milli: if video { 29_970 } else { 0 },
        sample_rate: if video { 0 } else { 48_000 },
        channels: if video { 0 } else { 2 },
        language: String::new(),
        sar_num: 1,
        sar_den: 1,
        init: bytes::Bytes::new(),
    }
}

/// Segments 0 to 9 of 2 s, a new epoch at 6 after ten seconds of silence, audio without 3 and 4, and 10 open.
fn window() -> Window {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    let epoch = |index, first_seq, start_90k: i64| Epoch {
        index,
        first_seq,
        start_90k,
        wallclock_ms: 1_771_035_200_000 + start_90k / 90,
        renditions: vec![rendition("source", Kind::Video), rendition("audio", Kind::Audio)],
    };
    window
        .apply_presentation(1, vec![epoch(0, 0, 0), epoch(1, 6, 22 * 90_000)])
        .expect("the first");
    let at_s = |seq: u64| i64::try_from(if seq < 6 { seq * 2 } else { seq * 2 + 10 }).expect("small");
    for (name, scale) in [("source", 90_000u32), ("audio", 48_000)] {
        for seq in (0..10).filter(|seq| name == "source" || ![3, 4].contains(seq)) {
            let decode_time = at_s(seq) * i64::from(scale);
            let duration = scale * 2;
            let segment = Segment {
                seq,
                generation: 1,
                decode_time,
                duration,
                size_bytes: 1,
                parts: Vec::new(),
            };
            window.apply_segment(name, segment).expect("known");
        }
        let decode_time = at_s(10) * i64::from(scale);
        let part = Part {
            index: 0,
            generation: 1,
            decode_time,
            duration: scale / 3,
            independent: true,
        };
        window.apply_part(name, 10, part).expect("in order");
    }
    window
}

const LIVE: ManifestOptions<'_> = ManifestOptions {
    base: "br_x/",
    time_url: "/time",
    keep_ms: Some(60_000),
    objects: false,
};

#[test]
fn a_live_manifest_has_a_period_for_each_epoch_and_the_open_segment() {
    let text = manifest(&window(), &LIVE).expect("has segments");
    for piece in [
        "type=\"dynamic\" availabilityStartTime=\"2026-02-14T02:13:20.000Z\" publishTime=\"2026-02-14T02:13:50.000Z\"",
        "minimumUpdatePeriod=\"PT1S\" timeShiftBufferDepth=\"PT60S\" suggestedPresentationDelay=\"PT3S\"",
        "<Latency target=\"3000\" min=\"1500\" max=\"6000\" referenceId=\"0\"/>",
        "<Period id=\"p0\" start=\"PT0S\" duration=\"PT12S\">",
        "<Period id=\"p6\" start=\"PT22S\">",
        "timescale=\"90000\" presentationTimeOffset=\"1980000\" availabilityTimeOffset=\"1.65\" \
         availabilityTimeComplete=\"false\" initialization=\"br_x/$RepresentationID$/init-6.mp4\" \
         media=\"br_x/$RepresentationID$/t$Time$.m4s\"",
        "<SegmentTimeline><S t=\"1980000\" d=\"180000\" r=\"4\"/></SegmentTimeline>",
        // What audio lacks is counted, and said to be missing.
        "<FailoverContent valid=\"false\"><FCS t=\"288000\" d=\"192000\"/></FailoverContent>\
         <SegmentTimeline><S t=\"0\" d=\"96000\" r=\"2\"/><S d=\"96000\" r=\"1\"/><S d=\"96000\"/></SegmentTimeline>",
        "frameRate=\"30000/1001\" sar=\"1:1\"",
        "<ProducerReferenceTime id=\"0\" inband=\"true\" type=\"encoder\" wallClockTime=\"2026-02-14T02:13:42.000Z\" \
         presentationTime=\"1056000\">",
        "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"/time\"/></MPD>",
    ] {
        assert!(text.contains(piece), "{piece}\n{text}");
    }
    assert_eq!(text.matches("<Period").count(), 2);
}

#[test]
fn an_ended_manifest_is_static() {
    let mut window = window();
    window.finish();
    let text = manifest(&window, &ManifestOptions { keep_ms: None, ..LIVE }).expect("has segments");
    assert!(
        text.contains("type=\"static\" mediaPresentationDuration=\"PT30S\""),
        "{text}"
    );
    for absent in [
        "availability",
        "minimumUpdatePeriod",
        "UTCTiming",
        "Latency",
        "publishTime",
    ] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(
        text.contains("<S t=\"1980000\" d=\"180000\" r=\"3\"/>"),
        "nothing is open"
    );
}

#[test]
fn a_stored_manifest_names_its_objects_and_leaves_gaps_out() {
    let mut window = window();
    window.finish();
    let options = ManifestOptions {
        base: "",
        keep_ms: None,
        objects: true,
        ..LIVE
    };
    let text = manifest(&window, &options).expect("has segments");
    assert!(
        text.contains("<Initialization sourceURL=\"audio/init-0.mp4\"/>"),
        "{text}"
    );
    assert!(
        text.contains("<S t=\"0\" d=\"96000\" r=\"2\"/><S t=\"480000\" d=\"96000\"/>"),
        "{text}"
    );
    assert!(text.contains("<SegmentURL media=\"audio/5-1-480000-96000.m4s\"/>"));
    assert!(!text.contains("FailoverContent") && !text.contains("$Time$"));
    assert_eq!(text.matches("<SegmentURL").count(), 10 + 8);
}

#[test]
fn a_manifest_says_the_same_however_often_it_is_asked() {
    let window = window();
    assert_eq!(manifest(&window, &LIVE), manifest(&window, &LIVE));
    assert_eq!(manifest(&Window::new(window.settings()), &LIVE), None);
}

/// One epoch of two renditions that begins at `first_seq`.
fn begin(window: &mut Window, first_seq: u64) {
    let epoch = Epoch {
        index: u32::from(first_seq > 0),
        first_seq,
        start_90k: i64::try_from(first_seq).expect("small") * 180_000,
        wallclock_ms: 1_771_035_200_000 + i64::try_from(first_seq).expect("small") * 2_000,
        renditions: vec![rendition("source", Kind::Video), rendition("audio", Kind::Audio)],
    };
    window.apply_presentation(1, vec![epoch]).expect("in order");
}

fn finish(window: &mut Window, name: &str, scale: u32, seq: u64) {
    let segment = Segment {
        seq,
        generation: 1,
        decode_time: i64::try_from(seq).expect("small") * i64::from(scale) * 2,
        duration: scale * 2,
        size_bytes: 1,
        parts: Vec::new(),
    };
    window.apply_segment(name, segment).expect("known");
}

#[test]
fn a_period_is_listed_with_all_its_renditions() {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    let periods = |window: &Window| manifest(window, &LIVE).map(|text| text.matches("<Period ").count());
    let mut step = |change: &mut dyn FnMut(&mut Window), listed: Option<usize>| {
        change(&mut window);
        assert_eq!(periods(&window), listed);
        assert_eq!(is_playable(&window), listed.is_some());
    };
    step(&mut |w| begin(w, 0), None);
    step(&mut |w| finish(w, "source", 90_000, 0), None);
    let part = |seq: u64| Part {
        index: 0,
        generation: 1,
        decode_time: i64::try_from(seq).expect("small") * 96_000,
        duration: 16_000,
        independent: true,
    };
    step(&mut |w| w.apply_part("audio", 0, part(0)).expect("known"), Some(1));
    step(&mut |w| finish(w, "audio", 48_000, 0), Some(1));
    step(&mut |w| begin(w, 1), Some(1));
    step(&mut |w| finish(w, "source", 90_000, 1), Some(1));
    // Sound that does not come is not waited for after four seconds.
    step(&mut |w| finish(w, "source", 90_000, 2), Some(2));
}

#[test]
fn at_standard_latency_the_open_segment_is_announced_for_its_end() {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Standard,
    });
    begin(&mut window, 0);
    for (name, scale) in [("source", 90_000), ("audio", 48_000)] {
        for seq in 0..3 {
            finish(&mut window, name, scale, seq);
        }
    }
    let text = |window: &Window| manifest(window, &LIVE).expect("has segments");
    assert!(
        text(&window).contains("<S t=\"0\" d=\"180000\" r=\"2\"/>"),
        "nothing is open"
    );
    let part = Part {
        index: 0,
        generation: 1,
        decode_time: 540_000,
        duration: 90_000,
        independent: true,
    };
    window.apply_part("source", 3, part).expect("in order");
    let open = text(&window);
    assert!(open.contains("<S t=\"0\" d=\"180000\" r=\"3\"/>"), "{open}");
    assert!(
        open.contains("<S t=\"0\" d=\"96000\" r=\"2\"/>"),
        "sound is not: {open}"
    );
    assert!(!open.contains("availabilityTimeOffset"), "{open}");
}

#[test]
fn an_open_segment_is_expected_to_last_as_long_as_the_shortest_of_late_or_as_it_does() {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    begin(&mut window, 0);
    let mut at = 0;
    // The first ones of a broadcast are short.
    for (seq, duration) in [90_000u32, 180_000, 240_000, 360_000].into_iter().enumerate() {
        let segment = Segment {
            seq: seq as u64,
            generation: 1,
            decode_time: at,
            duration,
            size_bytes: 1,
            parts: Vec::new(),
        };
        window.apply_segment("source", segment).expect("in order");
        at += i64::from(duration);
    }
    finish(&mut window, "audio", 48_000, 0);
    for (index, expected) in [(0, 180_000), (1, 200_000), (2, 300_000)] {
        let part = Part {
            index,
            generation: 1,
            decode_time: at + i64::from(index) * 100_000,
            duration: 100_000,
            independent: index == 0,
        };
        window.apply_part("source", 4, part).expect("in order");
        let text = manifest(&window, &LIVE).expect("has segments");
        let newest = format!("<S d=\"{expected}\"/></SegmentTimeline>");
        assert!(text.contains(&newest), "{newest} after {} parts: {text}", index + 1);
    }
}

#[test]
fn between_two_segments_is_until_all_that_keep_up_have_begun_the_next() {
    let mut window = Window::new(Settings {
        latency: LatencyMode::Low,
    });
    let part = |seq: u64, scale: i64| Part {
        index: 0,
        generation: 1,
        decode_time: i64::try_from(seq).expect("small") * scale * 2,
        duration: 16_000,
        independent: true,
    };
    assert!(!is_between(&window), "nothing is known");
    begin(&mut window, 0);
    window.apply_part("source", 0, part(0, 90_000)).expect("in order");
    assert!(!is_between(&window), "nothing is finished");
    finish(&mut window, "source", 90_000, 0);
    assert!(is_between(&window));
    window.apply_part("source", 1, part(1, 90_000)).expect("in order");
    assert!(!is_between(&window), "sound has yet to finish anything");
    finish(&mut window, "audio", 48_000, 0);
    assert!(is_between(&window), "now it is sound's turn");
    window.apply_part("audio", 1, part(1, 48_000)).expect("in order");
    assert!(!is_between(&window));
    // Sound stays away: it is waited for during one segment more.
    finish(&mut window, "audio", 48_000, 1);
    for seq in 1..4 {
        finish(&mut window, "source", 90_000, seq);
        window
            .apply_part("source", seq + 1, part(seq + 1, 90_000))
            .expect("in order");
        assert_eq!(is_between(&window), seq < 3, "{seq}");
    }
    window.finish();
    assert!(!is_between(&window), "nothing follows");
}
