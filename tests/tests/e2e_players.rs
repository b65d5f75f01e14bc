//! Real players in a real browser against the real binary: live, quality switches, seeking, replay.

use std::time::Duration;

use anyhow::Context as _;
use headwater_tests::browser;
use headwater_tests::dev::Dev;
use headwater_tests::encoder::Source;

const LIVE_LIMIT: Duration = Duration::from_secs(20);

/// Runs one browser client on the demo channel.
async fn play(dev: &Dev, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
    let report = browser::play(&dev.running.origin_url, &dev.running.playback_id, arguments).await;
    report.with_context(|| dev.log())
}

#[tokio::test]
async fn every_player_plays_live_and_then_the_replay() -> anyhow::Result<()> {
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
async fn players_go_over_a_change_of_codec_configuration() -> anyhow::Result<()> {
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[]).await?;
    // Passed through for as long as a segment may last; encoded from then on.
    let encoder = Source {
        gop: 1_000,
        seconds: Some(12.0),
        ..Source::default()
    }
    .push(&dev.push_url())?;
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
async fn the_embed_page_waits_for_a_channel_that_is_offline() -> anyhow::Result<()> {
    let mut dev = Dev::start().await?;
    play(
        &dev,
        &[
            "--player",
            "embed",
            "--no-media",
            "--seconds",
            "2",
            "--expect-state",
            "offline",
        ],
    )
    .await?;
    dev.stop().await?;
    Ok(())
}
