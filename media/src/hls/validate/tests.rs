//! The validator finds what it should: each rule broken once.

use super::*;

const GOOD: &str = "\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0,CAN-SKIP-UNTIL=24.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-MEDIA-SEQUENCE:266
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI=\"init.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:36.106Z
#EXTINF:4.00000,
s266.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:40.106Z
#EXT-X-PART:DURATION=1.00000,URI=\"s267.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI=\"s267.1.m4s\"
#EXT-X-PART:DURATION=0.50000,URI=\"s267.2.m4s\"
#EXTINF:2.50000,
s267.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:42.606Z
#EXT-X-PART:DURATION=1.00000,URI=\"s268.0.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s268.1.m4s\"
#EXT-X-RENDITION-REPORT:URI=\"../720/index.m3u8\",LAST-MSN=268,LAST-PART=0
";

fn rules(text: &str) -> Vec<&'static str> {
    match MediaPlaylist::parse(text) {
        Ok(playlist) => playlist.check(33_000).into_iter().map(|f| f.rule).collect(),
        Err(finding) => vec![finding.rule],
    }
}

#[test]
fn a_good_playlist_is_found_good() {
    assert_eq!(rules(GOOD), Vec::<&str>::new());
    let playlist = MediaPlaylist::parse(GOOD).expect("good");
    assert_eq!((playlist.first_msn(), playlist.last_msn()), (266, Some(267)));
    assert_eq!(playlist.segment(267).map(|s| s.parts.len()), Some(3));
    assert_eq!(playlist.segments[0].date_ms, Some(1_771_035_216_106));
    assert_eq!(playlist.open.parts.len(), 1);
    assert_eq!(playlist.reports[0].last_part, Some(0));
}

#[test]
fn each_rule_is_enforced() {
    for (was, is, rule) in [
        ("#EXTM3U\n", "", "EXTM3U is the first line"),
        ("#EXT-X-TARGETDURATION:4\n", "", "TARGETDURATION is required"),
        (
            "#EXTINF:4.00000,",
            "#EXTINF:4.60000,",
            "EXTINF rounds to TARGETDURATION at most",
        ),
        ("#EXTINF:4.00000,", "#EXTINF:0.00000,", "EXTINF is longer than nothing"),
        ("#EXTINF:4.00000,", "#EXTINF:-1.0,", "EXTINF is a decimal number"),
        ("#EXTINF:2.50000,", "#EXTINF:2.40000,", "parts add up to EXTINF"),
        ("02:13:40.106Z", "02:13:40.206Z", "dates advance by EXTINF"),
        ("02:13:40.106Z", "02:13:40Z", "a date has milliseconds and a zone"),
        (
            "DURATION=1.00000,URI=\"s267.1",
            "DURATION=1.00001,URI=\"s267.1",
            "a part is PART-TARGET long at most",
        ),
        (
            "DURATION=1.00000,URI=\"s267.1",
            "DURATION=0.84000,URI=\"s267.1",
            "a part is 85 % of PART-TARGET at least",
        ),
        (
            "PART-HOLD-BACK=3.0",
            "PART-HOLD-BACK=2.9",
            "PART-HOLD-BACK is at least three parts",
        ),
        (
            "CAN-SKIP-UNTIL=24.0",
            "CAN-SKIP-UNTIL=23",
            "CAN-SKIP-UNTIL is at least six target durations",
        ),
        ("#EXT-X-MAP:URI=\"init.mp4\"\n", "", "MAP precedes media"),
        ("s267.m4s", "s266.m4s", "addresses differ"),
        (
            "URI=\"s268.1.m4s\"",
            "URI=\"s268.0.m4s\"",
            "a hinted part is not listed yet",
        ),
        ("../720", "https://a/720", "a report's address is relative"),
        (
            "#EXT-X-MEDIA-SEQUENCE:266",
            "#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-PLAYLIST-TYPE:EVENT",
            "a sliding playlist has no type",
        ),
        (
            "#EXT-X-PRELOAD",
            "#EXT-X-ENDLIST\n#EXT-X-PRELOAD",
            "nothing is hinted after the end",
        ),
        ("#EXT-X-VERSION:9", "#EXT-X-VERSION:5", "MAP needs version 6"),
        ("LAST-PART=0\n", "LAST-PART=0,\n", "an attribute list is well formed"),
    ] {
        let broken = GOOD.replacen(was, is, 1);
        assert_ne!(broken, GOOD, "{was:?} is there");
        assert!(rules(&broken).contains(&rule), "{rule}: {:?}", rules(&broken));
    }
}

#[test]
fn updates_only_append_and_remove() {
    let before = MediaPlaylist::parse(GOOD).expect("good");
    let rules = |text: String| -> Vec<_> {
        let after = MediaPlaylist::parse(&text).expect("readable");
        check_update(&before, &after, 33_000)
            .into_iter()
            .map(|f| f.rule)
            .collect()
    };
    assert_eq!(rules(GOOD.to_owned()), Vec::<&str>::new());
    assert!(rules(GOOD.replace("SEQUENCE:266", "SEQUENCE:265")).contains(&"MEDIA-SEQUENCE never goes back"));
    assert!(rules(GOOD.replace("DURATION:4", "DURATION:5")).contains(&"TARGETDURATION never changes"));
    assert!(rules(GOOD.replace("4.00000", "3.00000")).contains(&"a segment keeps its duration"));
    assert!(
        rules(GOOD.replace("TY-SEQUENCE:0", "TY-SEQUENCE:1")).contains(&"a segment keeps its discontinuity number")
    );
    let fewer = GOOD.replace("#EXT-X-PART:DURATION=1.00000,URI=\"s268.0.m4s\",INDEPENDENT=YES\n", "");
    assert_eq!(rules(fewer), ["listed parts stay"]);
}

#[test]
fn siblings_agree_on_time_and_discontinuities() {
    let one = MediaPlaylist::parse(GOOD).expect("good");
    let late = MediaPlaylist::parse(&GOOD.replace("36.106Z", "36.206Z")).expect("good");
    assert_eq!(check_siblings(&[("a", &one), ("b", &one)], 23_000), []);
    let found = check_siblings(&[("a", &one), ("b", &late)], 23_000);
    assert_eq!(
        found.iter().map(|f| f.rule).collect::<Vec<_>>(),
        ["the same number is the same time"]
    );
}

#[test]
fn multivariant_playlists_are_held_against_the_rules() {
    let good = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",DEFAULT=YES,AUTOSELECT=YES,URI=\"x.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=9,AVERAGE-BANDWIDTH=8,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=16x9,\
        FRAME-RATE=30.000,CLOSED-CAPTIONS=NONE,AUDIO=\"a\"\nv.m3u8\n";
    let rules = |text: &str| -> Vec<_> {
        MultivariantPlaylist::parse(text)
            .expect("readable")
            .check()
            .into_iter()
            .map(|f| f.rule)
            .collect()
    };
    assert_eq!(rules(good), Vec::<&str>::new());
    let playlist = MultivariantPlaylist::parse(good).expect("readable");
    assert_eq!(playlist.playlists().collect::<Vec<_>>(), ["v.m3u8", "x.m3u8"]);
    for (was, is, rule) in [
        (
            "AVERAGE-BANDWIDTH=8",
            "AVERAGE-BANDWIDTH=10",
            "the average is below the peak",
        ),
        ("30.000", "30.00", "FRAME-RATE has three decimals"),
        (",mp4a.40.2", "", "CODECS names those of the group too"),
        ("AUDIO=\"a\"", "AUDIO=\"b\"", "the group exists"),
        ("CLOSED-CAPTIONS=NONE,", "", "CLOSED-CAPTIONS is said, if only NONE"),
    ] {
        assert!(rules(&good.replace(was, is)).contains(&rule), "{rule}");
    }
}
