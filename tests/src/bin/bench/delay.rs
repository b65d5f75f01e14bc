//! From the last byte of an access unit arriving at the edge to its part being served at the origin.

use std::time::Duration;

use anyhow::Context as _;
use headwater_platform::clock::WallClock;
use headwater_tests::dev::Dev;
use headwater_tests::http;

use crate::{clip, playlist};

const PARTS: usize = 120;

/// Prints one table.
pub async fn run() -> anyhow::Result<()> {
    println!("### Delay from the edge to the origin\n");
    println!(
        "From the arrival at the edge of the last access unit of a part to the moment when a client that waits on"
    );
    println!(
        "a blocking request has the part's last byte; {PARTS} parts; one broadcast. The part itself lasts 0.35 s at most,"
    );
    println!("so its first access unit is older by up to that much.\n");
    println!("| ladder | rendition | median | p99 |");
    println!("|---|---|---|---|");
    let clip = clip::source().await?;
    for ladder in ["source", "default"] {
        let mut dev = Dev::start_with(&["--demo-ladder", ladder], &[("HEADWATER_LOG", "warn")]).await?;
        let publisher = clip::push(&clip, &dev.push_url(), &["-tcp_nodelay", "1"])?;
        dev.wait_for_state(&["live"], Duration::from_secs(20)).await?;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let variants = playlist::variants(&dev.play("main.m3u8")).await?;
        // The last is the smallest: encoded, where anything is.
        let media = variants.last().context("no variant")?;
        let mut delays = follow(&dev.play(media)).await?;
        delays.sort_by(f64::total_cmp);
        println!(
            "| {ladder} | {} | {:.0} ms | {:.0} ms |",
            media.split('/').nth(1).unwrap_or(media),
            delays[delays.len() / 2] * 1e3,
            delays[(delays.len() * 99) / 100] * 1e3
        );
        drop(publisher);
        dev.stop().await?;
    }
    println!();
    Ok(())
}

/// Asks for each hinted part as soon as it is announced, and takes the time when it is there.
async fn follow(playlist_url: &str) -> anyhow::Result<Vec<f64>> {
    let clock = WallClock::system();
    let base = playlist_url.rsplit_once('/').context("no folder")?.0;
    let mut delays = Vec::new();
    let mut last = String::new();
    while delays.len() < PARTS {
        let playlist = http::get(playlist_url).await?.text();
        let hint = playlist
            .lines()
            .filter(|l| l.starts_with("#EXT-X-PRELOAD-HINT"))
            .find_map(|l| l.split("URI=\"").nth(1)?.split('"').next())
            .context("no preload hint")?
            .to_string();
        if hint == last {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let part = http::get(&format!("{base}/{hint}")).await?;
        let now = clock.unix_us();
        last = hint;
        if let Some(arrival) = part
            .headers
            .get("headwater-arrival-us")
            .and_then(|v| v.parse::<i64>().ok())
        {
            delays.push((now - arrival) as f64 / 1e6);
        }
    }
    Ok(delays)
}
