//! The first moments of a broadcast, again and again: players that come as soon as anything is there find all of it, and
//! go on. `STARTS=100 cargo test --test e2e_starts` is a stress.

use std::time::Duration;

use anyhow::Context as _;
use headwater_tests::browser;
use headwater_tests::chain::until;
use headwater_tests::dev::Dev;
use headwater_tests::encoder;
use headwater_tests::http;
use headwater_tests::marks::{self, Film};

/// Broadcasts that are started when `STARTS` does not say how many.
const STARTS: u32 = 2;
/// Longest that reading three seconds from the first moment on may take.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Seconds that each ffmpeg reads.
const READ_S: u32 = 3;

/// Three seconds of one rung, as ffmpeg shows them from the first moment on that there is a manifest.
async fn read(url: &str, rung: usize) -> anyhow::Result<()> {
    let first = first_manifest(url).await?;
    assert_eq!(first.matches("<Representation ").count(), 4, "{first}");
    let seen = tokio::time::timeout(READ_LIMIT, marks::watch(url, rung, Some(READ_S)));
    let seen = match seen.await {
        Ok(seen) => seen.with_context(|| format!("rung {rung} of {url}, which began as {first}"))?,
        Err(_) => {
            let now = http::get(url).await?.text();
            anyhow::bail!("rung {rung} of {url} hangs; it began as {first}\nand is now {now}");
        }
    };
    let numbers = seen.numbers();
    assert!(
        numbers.windows(2).all(|w| w[1] == w[0] + 1),
        "rung {rung} of {url}: {numbers:?}; it began as {first}"
    );
    assert!(numbers.len() >= 80, "rung {rung} of {url}: {numbers:?}");
    Ok(())
}

/// The manifest as it is when it first exists.
async fn first_manifest(url: &str) -> anyhow::Result<String> {
    until("a manifest", async || {
        let answer = http::get(url).await.ok()?;
        (answer.status == 200).then(|| answer.text())
    })
    .await
}

#[tokio::test]
async fn dash_readers_of_the_first_moment_see_it_through() -> anyhow::Result<()> {
    let starts = match std::env::var("STARTS") {
        Ok(count) => count.parse().context("STARTS")?,
        Err(_) => STARTS,
    };
    let mut dev = Dev::start().await?;
    let film = Film {
        size: Some("1280:720"),
        seconds: 16,
        video: "-g 30 -bf 2 -b:v 2000k -minrate 2000k -maxrate 2000k -bufsize 1000k -x264-params nal-hrd=cbr",
        ..Film::default()
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("film.flv");
    film.shoot(&file).await?;
    for start in 0..starts {
        let channel = dev.channel(&[]).await?;
        let url = dev.play_of(&channel, "manifest.mpd");
        let encoder = encoder::push_file(&file, &dev.push_url_of(&channel))?;
        let ffmpeg = async { tokio::try_join!(read(&url, 0), read(&url, 2)) };
        let player = ["dashjs", "shaka"][start as usize % 2];
        let arguments = [
            "--player",
            player,
            "--await",
            "--seconds",
            "3",
            "--min-frames",
            "1",
            "--max-errors",
            "0",
        ];
        let browser = browser::play(&dev.running.origin_url, &channel.playback_id, &arguments);
        tokio::try_join!(ffmpeg, browser).with_context(|| format!("start {start}"))?;
        encoder.finished().await?;
    }
    dev.stop().await?;
    Ok(())
}
