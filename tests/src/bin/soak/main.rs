//! A long run: minutes of live broadcasts with readers that never stop looking, and then nothing may be left of them.
//!
//! Two films with a flash and a beep each second, one of them at 29.97 frames per second with sound at 44.1 kHz, go on
//! air on a channel of each latency mode. `ffmpeg` reads every channel live as HLS and as DASH from the first moment to the
//! last. Judged are what it shows, the replays, and the process: its memory, its file descriptors and its tasks.
//!
//! usage: `SOAK_MINUTES=5 soak`; `make soak` runs it on the release build.

mod house;
mod picture;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use headwater_tests::channel::{self, Channel};
use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::marks::{self, LiveFilm, Seen};
use headwater_tests::proc;
use tokio_util::sync::CancellationToken;

/// Minutes on air when `SOAK_MINUTES` does not say.
const MINUTES: u32 = 5;
/// With fewer, what fills caches cannot be told from what leaks.
const MINUTES_MIN: u32 = 3;
/// Longest that a channel may take to go on air, or to become a replay.
const STATE_LIMIT: Duration = Duration::from_secs(60);
/// Seconds that a DASH reader leaves out at the end: ffmpeg does not notice that a manifest has become static.
const DASH_REST_S: u32 = 20;
/// What a live manifest and a DVR playlist list at most: they slide for most of the run.
const DVR_S: &str = "60";
/// Short broadcasts before and after the long ones: one file descriptor or task lost with each would show.
const CHURN_ROUNDS: usize = 4;
const CHURN_CHANNELS: usize = 6;
const CHURN_S: u32 = 4;

/// One of the long broadcasts.
struct OnAir {
    latency: &'static str,
    channel: Channel,
    /// Picture stream that the HLS reader watches: the encoded rung, where there is one.
    rung: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let minutes = match std::env::var("SOAK_MINUTES") {
        Ok(minutes) => minutes.parse().context("SOAK_MINUTES wants minutes")?,
        Err(_) => MINUTES,
    };
    ensure!(minutes >= MINUTES_MIN, "SOAK_MINUTES wants {MINUTES_MIN} at least");
    proc::print_conditions()?;
    let mut dev = Dev::start_with(&[], &[("HEADWATER_LOG", "warn"), ("HEADWATER_ORIGIN_DVR_S", DVR_S)]).await?;
    let outcome = soak(&dev, minutes)
        .await
        .with_context(|| format!("log:\n{}", dev.log()));
    ensure!(dev.stop().await?.success(), "it did not stop well: {}", dev.log());
    outcome
}

async fn soak(dev: &Dev, minutes: u32) -> anyhow::Result<()> {
    let seconds = minutes * 60;
    let whole = LiveFilm {
        size: "854:480",
        rate: (30, 1),
        samples_per_s: 48_000,
        seconds,
    };
    let odd = LiveFilm {
        size: "640:360",
        rate: (30_000, 1_001),
        samples_per_s: 44_100,
        seconds,
    };
    // Pools grow and caches fill.
    churn(dev, 1).await?;
    let before = house::at_rest(dev, None).await?;

    let stop = CancellationToken::new();
    let memory = tokio::spawn(house::watch(dev.pid()?, stop.clone()));
    // The picture of one broadcast is encoded as well.
    let (whole, odd) = tokio::try_join!(
        run(dev, "30 fps, 48 kHz", whole, "default"),
        run(dev, "29.97 fps, 44.1 kHz", odd, "source")
    )?;
    let seen = [whole, odd].concat();
    stop.cancel();
    let memory = memory.await?.of_the_first(minutes);
    picture::print(&seen);
    memory.print();
    let rested = house::at_rest(dev, Some(&before)).await?;
    churn(dev, CHURN_ROUNDS).await?;
    let after = house::at_rest(dev, Some(&before)).await?;
    house::print(&[
        ("before", &before),
        ("after the long broadcasts", &rested),
        ("after short ones", &after),
    ]);

    // Everything is printed before anything is held against its limit.
    for sight in &seen {
        sight.check()?;
    }
    memory.check()?;
    println!("\nAll held.");
    Ok(())
}

/// One film on a channel of each latency mode, watched to the end and again as replay.
async fn run(dev: &Dev, what: &'static str, film: LiveFilm, ladder: &str) -> anyhow::Result<Vec<picture::Sight>> {
    let mut on_air = Vec::new();
    for (latency, ladder) in [("low", ladder), ("standard", "source")] {
        let options = ["--latency", latency, "--ladder", ladder];
        on_air.push(OnAir {
            latency,
            channel: dev.channel(&options).await?,
            rung: usize::from(ladder == "default"),
        });
    }
    let urls: Vec<String> = on_air.iter().map(|a| dev.push_url_of(&a.channel)).collect();
    let encoder = film.push(&urls)?;
    let readers = futures::future::try_join_all(on_air.iter().map(|a| read(dev, a, &film)));
    let (seen, pushed) = tokio::try_join!(readers, encoder.finished())?;
    let mut sights = Vec::new();
    for (on_air, (hls, dash)) in on_air.iter().zip(seen) {
        let named = |how: &str| format!("{what}, {}, {how}", on_air.latency);
        sights.push(picture::Sight::live(named("HLS live"), hls, pushed));
        sights.push(picture::Sight::live(named("DASH live"), dash, pushed));
        let state =
            channel::wait_for_state(&dev.play_of(&on_air.channel, "state.json"), &["ended"], STATE_LIMIT).await?;
        let url = dev.play_of(&on_air.channel, "main.m3u8");
        let limit = Duration::from_secs(u64::from(film.seconds) + 60);
        let replay = marks::watch_within(&url, on_air.rung, None, limit).await?;
        sights.push(picture::Sight::whole(named("HLS replay"), replay, pushed));
        let broadcast = state["broadcast_id"].as_str().context("a broadcast")?;
        for path in ["manifest.mpd".to_owned(), format!("{broadcast}/download.mp4")] {
            let url = dev.play_of(&on_air.channel, &path);
            let pictures = encoder::packets(&url, "v:0").await?.len() as u64;
            ensure!(
                pictures == pushed,
                "{what}: {path} holds {pictures} pictures of {pushed}"
            );
        }
    }
    Ok(sights)
}

/// Reads HLS and DASH side by side from the first moment on.
async fn read(dev: &Dev, on_air: &OnAir, film: &LiveFilm) -> anyhow::Result<(Seen, Seen)> {
    let state = dev.play_of(&on_air.channel, "state.json");
    channel::wait_for_state(&state, &["live"], STATE_LIMIT).await?;
    let [hls, dash] = ["main.m3u8", "manifest.mpd"].map(|path| dev.play_of(&on_air.channel, path));
    let dash_s = film.seconds.saturating_sub(DASH_REST_S);
    let limit = Duration::from_secs(u64::from(film.seconds) + 120);
    tokio::try_join!(
        marks::watch_within(&hls, on_air.rung, None, limit),
        marks::watch_within(&dash, 0, Some(dash_s), limit)
    )
}

/// Short broadcasts, several at a time, each of them watched.
async fn churn(dev: &Dev, rounds: usize) -> anyhow::Result<()> {
    let mut channels = Vec::new();
    for n in 0..CHURN_CHANNELS {
        let latency = ["low", "standard"][n % 2];
        channels.push(dev.channel(&["--latency", latency, "--ladder", "source"]).await?);
    }
    let film = LiveFilm {
        size: "320:180",
        rate: (30, 1),
        samples_per_s: 48_000,
        seconds: CHURN_S,
    };
    let urls: Vec<String> = channels.iter().map(|c| dev.push_url_of(c)).collect();
    for _ in 0..rounds {
        let encoder = film.push(&urls)?;
        let state = |channel| dev.play_of(channel, "state.json");
        let begun = channels
            .iter()
            .map(|c| async move { channel::wait_for_state(&state(c), &["live", "finishing"], STATE_LIMIT).await });
        futures::future::try_join_all(begun).await?;
        let pushed = encoder.finished().await?;
        for channel in &channels {
            channel::wait_for_state(&state(channel), &["ended"], STATE_LIMIT).await?;
            let pictures = encoder::packets(&dev.play_of(channel, "main.m3u8"), "v:0").await?.len() as u64;
            ensure!(
                pictures == pushed,
                "a short broadcast holds {pictures} pictures of {pushed}"
            );
        }
    }
    Ok(())
}
