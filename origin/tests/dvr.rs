//! A broadcast that grows past what may be sought back to.

mod support;

use http::StatusCode;
use support::client::get;
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, TENANT};
use support::media::{Recipe, make};

const DVR_S: i64 = 60;
/// Media sequence number of segment 0.
const FIRST_MSN: u64 = 1;
/// Of each segment.
const SEGMENT_S: i64 = 2;

fn url(file: &str) -> String {
    format!("/{CHANNEL}/{BROADCAST}/{file}")
}

/// First segment, counted from 0, and seconds of what a playlist lists.
fn listed(playlist: &str) -> (u64, f64) {
    let first = playlist
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    let durations = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
    let seconds = durations.filter_map(|rest| rest.trim_end_matches(',').parse::<f64>().ok());
    let first: u64 = first.expect("a number").parse().expect("a number");
    (first - FIRST_MSN, seconds.sum())
}

/// Seconds in the first timeline of a manifest, by its `S` elements.
fn timeline_s(manifest: &str) -> f64 {
    let attribute = |element: &str, name: &str| -> Option<f64> {
        let value = element.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
        value.parse().ok()
    };
    let start = manifest.find("<SegmentTemplate").expect("a template");
    let (template, rest) = manifest[start..].split_once("<SegmentTimeline>").expect("a timeline");
    let timeline = rest.split_once("</SegmentTimeline>").expect("an end").0;
    let scale = attribute(template, "timescale").expect("a scale");
    let of = |element| attribute(element, "d").expect("a duration") * (attribute(element, "r").unwrap_or(0.0) + 1.0);
    timeline.split("<S").skip(1).map(of).sum::<f64>() / scale
}

#[tokio::test]
async fn what_lies_behind_the_dvr_window_is_listed_no_more() {
    let made = make(TENANT, BROADCAST, Recipe::low(150));
    let mut said = made.through_segment(9);
    let farm = Farm::start_with(&["--origin-dvr-s", &DVR_S.to_string()]).await;
    let worker = FakeWorker::start_with(&made, said).await;
    farm.goes_live(&worker, 1);
    let manifest_url = format!("/{CHANNEL}/manifest.mpd");
    // Below, at and beyond the limit: the window grows, then moves.
    let mut told = 0;
    for (newest, first) in [(9u64, 0u64), (29, 0), (30, 1), (44, 15), (69, 40)] {
        // A reload may wait for the next segment and no further.
        for seq in told..=newest {
            let until = made.through_segment(seq).max(said);
            worker.say_all(&made.events[said..until]);
            said = until;
            let waits = url(&format!("source/dvr.m3u8?_HLS_msn={}", seq + FIRST_MSN));
            assert_eq!(get(farm.origin, &waits).await.status, StatusCode::OK, "{waits}");
        }
        told = newest + 1;
        let dvr = get(farm.origin, &url("source/dvr.m3u8")).await;
        let (listed_first, seconds) = listed(dvr.text());
        let whole_s = ((newest + 1) as i64 * SEGMENT_S).min(DVR_S);
        assert!(
            listed_first.abs_diff(first) <= 1,
            "{listed_first} instead of {first}:\n{}",
            dvr.text()
        );
        assert!(
            (seconds - whole_s as f64).abs() <= SEGMENT_S as f64,
            "{seconds} s instead of {whole_s}:\n{}",
            dvr.text()
        );
        let live = get(farm.origin, &url("source/index.m3u8")).await;
        assert!(listed(live.text()).0 >= listed_first, "the live window lies within");
        let manifest = get(farm.origin, &manifest_url).await.text().to_owned();
        assert!(manifest.contains("timeShiftBufferDepth=\"PT60S\""), "{manifest}");
        // The open segment stands in it too.
        let seconds = timeline_s(&manifest);
        assert!(
            (seconds - whole_s as f64).abs() <= 2.0 * SEGMENT_S as f64,
            "{seconds} s instead of {whole_s}:\n{manifest}"
        );
    }
}

/// Players measure a DASH window in one go, so it is half an hour at most, however long HLS may seek back.
#[tokio::test]
async fn a_dash_window_is_half_an_hour_at_most() {
    let made = make(TENANT, BROADCAST, Recipe::low(8));
    let farm = Farm::start_with(&["--origin-dvr-s", "14400"]).await;
    let worker = FakeWorker::start_with(&made, made.through_segment(2)).await;
    farm.goes_live(&worker, 1);
    let manifest = get(farm.origin, &format!("/{CHANNEL}/manifest.mpd")).await;
    let manifest = manifest.text();
    assert!(manifest.contains("timeShiftBufferDepth=\"PT1800S\""), "{manifest}");
}
