//! A whole broadcast, reload by reload, held against rules that were written apart from the renderer.

mod support;

use headwater_media::hls::validate::{Finding, MediaPlaylist, MultivariantPlaylist, check_siblings, check_update};
use headwater_model::proto::worker::live_event::Kind as EventKind;
use http::StatusCode;
use support::client::get;
use support::farm::{BROADCAST, CHANNEL, FakeWorker, Farm, TENANT};
use support::media::{Recipe, make};

/// One picture of the test source, microseconds.
const FRAME_US: u64 = 33_334;

fn good(findings: Vec<Finding>, body: &str) {
    let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{findings:#?}\n{body}");
}

#[tokio::test]
async fn every_reload_of_a_broadcast_follows_the_rules() {
    let recipe = Recipe {
        second_epoch_at_s: Some(30),
        ..Recipe::low(44)
    };
    let made = make(TENANT, BROADCAST, recipe);
    let farm = Farm::start_with(&["--origin-window-s", "24"]).await;
    let begun = made.through_segment(1);
    let worker = FakeWorker::start_with(&made, begun).await;
    farm.goes_live(&worker, 1);
    let main = get(farm.origin, &format!("/{CHANNEL}/main.m3u8")).await;
    let main = MultivariantPlaylist::parse(main.text()).expect("well formed");
    good(main.check(), "");
    assert_eq!(main.playlists().count(), 2);

    let mut before: Option<MediaPlaylist> = None;
    let mut reloads = 0;
    for event in &made.events[begun..] {
        worker.say(event.clone());
        let Some(EventKind::Part(part)) = &event.kind else {
            continue;
        };
        if part.rendition != "source" {
            continue;
        }
        let url = |rendition: &str, query: &str| format!("/{CHANNEL}/{BROADCAST}/{rendition}/index.m3u8{query}");
        let query = format!("?_HLS_msn={}&_HLS_part={}", part.seq + 1, part.index);
        let answer = get(farm.origin, &url("source", &query)).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
        let now = MediaPlaylist::parse(answer.text()).unwrap_or_else(|finding| panic!("{finding}\n{}", answer.text()));
        good(now.check(FRAME_US), answer.text());
        if let Some(before) = &before {
            good(check_update(before, &now, FRAME_US), answer.text());
        }
        let sound = get(farm.origin, &url("audio", "")).await;
        let sound = MediaPlaylist::parse(sound.text()).expect("well formed");
        good(sound.check(21_334), "");
        good(
            check_siblings(&[("source", &now), ("audio", &sound)], 60_000),
            answer.text(),
        );
        before = Some(now);
        reloads += 1;
    }
    assert!(reloads > 100, "{reloads}");
    let last = before.expect("there were many");
    assert!(last.discontinuities().is_some_and(|d| d.last() == Some(&1)), "{last:?}");
}
