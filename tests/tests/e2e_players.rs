//! Real players in a real browser against the real binary: live, quality switches, seeking, replay.

use std::time::Duration;

use anyhow::Context as _;
use headwater_tests::browser;
use headwater_tests::chain::until;
use headwater_tests::channel;
use headwater_tests::dev::Dev;
use headwater_tests::encoder::Source;
use headwater_tests::http;
use tokio::sync::Mutex;

const LIVE_LIMIT: Duration = Duration::from_secs(20);
/// Pictures that may have been sent when a waiting page shows the first: three seconds.
const START_FRAMES_MAX: u64 = 90;

/// Runs one browser client on the demo channel.
async fn play(dev: &Dev, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
    let report = browser::play(&dev.running.origin_url, &dev.running.playback_id, arguments).await;
    report.with_context(|| dev.log())
}

/// A browser that draws in software and an encoder want the whole machine: one test at a time.
static MACHINE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn every_player_plays_live_and_then_the_replay() -> anyhow::Result<()> {
    let _machine = MACHINE.lock().await;
    let mut dev = Dev::start().await?;
    let encoder = Source {
        size: "854x480",
        gop: 60,
        ..Source::default()
    }
    .push(&dev.push_url())?;
    dev.wait_for_state(&["live"], LIVE_LIMIT).await?;
    let live = [
        "--seconds",
        "8",
        "--expect-live",
        "yes",
        "--min-frames",
        "150",
        "--max-stalls",
        "2",
    ];
    for player in [
        &["--player", "embed", "--expect-state", "live"][..],
        &["--player", "hlsjs"][..],
        &["--player", "shaka", "--format", "hls"][..],
        &["--player", "shaka", "--format", "dash"][..],
        &["--player", "dashjs"][..],
    ] {
        play(&dev, &[player, &live].concat()).await?;
    }
    // Quality by hand, and seeking back into what was already broadcast.
    play(&dev, &["--player", "embed", "--levels", "--seek", "--min-levels", "2"]).await?;
    encoder.stop().await?;
    dev.wait_for_state(&["ended"], Duration::from_secs(30)).await?;
    let replay = ["--seconds", "6", "--expect-live", "no", "--min-frames", "120"];
    for player in [
        &["--player", "embed", "--expect-state", "replay"][..],
        &["--player", "hlsjs"][..],
        &["--player", "shaka", "--format", "dash"][..],
        &["--player", "dashjs"][..],
    ] {
        play(&dev, &[player, &replay].concat()).await?;
    }
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn dash_players_play_standard_latency_live() -> anyhow::Result<()> {
    let _machine = MACHINE.lock().await;
    let mut dev = Dev::start().await?;
    let channel = dev.channel(&["--latency", "standard", "--ladder", "source"]).await?;
    let encoder = Source {
        size: "854x480",
        gop: 60,
        ..Source::default()
    }
    .push(&dev.push_url_of(&channel))?;
    let state = dev.play_of(&channel, "state.json");
    channel::wait_for_state(&state, &["live"], LIVE_LIMIT).await?;
    let live = ["--seconds", "14", "--expect-live", "yes", "--min-frames", "300"];
    for player in [
        &["--player", "shaka", "--format", "dash"][..],
        &["--player", "dashjs"][..],
    ] {
        let arguments = [player, &live, &["--max-stalls", "1"]].concat();
        let report = browser::play(&dev.running.origin_url, &channel.playback_id, &arguments).await;
        report.with_context(|| dev.log())?;
    }
    encoder.stop().await?;
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn players_go_over_a_change_of_codec_configuration() -> anyhow::Result<()> {
    let _machine = MACHINE.lock().await;
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    // Passed through for as long as a segment may last; encoded from then on.
    let encoder = Source {
        gop: 1_000,
        seconds: Some(24.0),
        ..Source::default()
    }
    .push(&dev.push_url())?;
    // From the first segment on, over the change.
    let live = ["--await", "--seconds", "12", "--min-played-s", "9", "--max-stalls", "2"];
    play(&dev, &[&["--player", "hlsjs"], &live[..]].concat()).await?;
    encoder.finished().await?;
    dev.wait_for_state(&["ended"], Duration::from_secs(30)).await?;
    let replay = ["--seconds", "8", "--expect-live", "no", "--min-frames", "180"];
    for player in [
        &["--player", "hlsjs"][..],
        &["--player", "shaka", "--format", "hls"][..],
        &["--player", "dashjs"][..],
    ] {
        play(&dev, &[player, &replay].concat()).await?;
    }
    dev.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_page_that_waits_for_a_broadcast_shows_it_within_three_seconds() -> anyhow::Result<()> {
    let _machine = MACHINE.lock().await;
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    let waiting = [
        "--player",
        "embed",
        "--start-timeout-s",
        "90",
        "--seconds",
        "2",
        "--expect-state",
        "live",
    ];
    let metrics = format!("{}/metrics", dev.running.admin_url);
    let asked = async || {
        let text = http::get(&metrics).await.ok()?.text();
        let answered = "origin_requests_total{class=\"state\",status=\"200\"} ";
        let count = text.lines().find_map(|l| l.strip_prefix(answered))?;
        (count != "0").then_some(())
    };
    // What was sent by when: seconds of media count, because a machine that is slow to show is slow to encode too.
    let mut sent = Vec::new();
    let pushing = async {
        until("the page asks for the state", asked).await?;
        let encoder = Source::default().push(&dev.push_url())?;
        let mut frames = encoder.frames();
        while frames.changed().await.is_ok() {
            sent.push((chrono::Utc::now().timestamp_millis(), *frames.borrow_and_update()));
        }
        anyhow::bail!("the encoder ended")
    };
    let report = tokio::select! {
        report = play(&dev, &waiting) => report?,
        ended = pushing => ended?,
    };
    let states: Vec<&str> = report["states"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s.as_str())
        .collect();
    assert_eq!(states.first(), Some(&"offline"), "{report}");
    let shown_ms = report["firstFrameUnixMs"].as_i64().context("a picture")?;
    let frames = sent
        .iter()
        .rev()
        .find(|(at_ms, _)| *at_ms <= shown_ms)
        .map_or(0, |(_, frames)| *frames);
    assert!(
        frames <= START_FRAMES_MAX,
        "{frames} pictures were sent before the first was shown"
    );
    dev.stop().await?;
    Ok(())
}
