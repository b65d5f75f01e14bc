//! Thousands of clients waiting on one blocking reload.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use headwater_tests::dev::Dev;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::clip;

const CLIENTS: usize = 5_000;

/// Prints one paragraph.
pub async fn run() -> anyhow::Result<()> {
    let clip = clip::source().await?;
    let mut dev = Dev::start_with(&["--demo-ladder", "source", "--log", "warn"], &[]).await?;
    let publisher = clip::push(&clip, &dev.push_url(), &[])?;
    dev.wait_for_state(&["live"], Duration::from_secs(20)).await?;
    let multivariant = headwater_tests::http::get(&dev.play("main.m3u8")).await?.text();
    let media = multivariant
        .lines()
        .find(|l| !l.starts_with('#') && !l.is_empty())
        .context("no variant")?
        .to_string();
    let host = dev
        .running
        .origin_url
        .strip_prefix("http://")
        .context("http")?
        .to_string();
    let path = format!("/{}/{media}", dev.running.playback_id);
    let mut sockets = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        sockets.push(TcpStream::connect(&host).await?);
    }
    let mut spreads = Vec::new();
    for _ in 0..5 {
        let playlist = headwater_tests::http::get(&dev.play(&media)).await?.text();
        let first: u64 = playlist
            .lines()
            .find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))
            .context("no sequence")?
            .parse()?;
        let next = first + playlist.matches("#EXTINF").count() as u64 + 1;
        let request = format!("GET {path}?_HLS_msn={next}&_HLS_part=1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut tasks = Vec::with_capacity(CLIENTS);
        for mut socket in sockets.drain(..) {
            let request = request.clone();
            tasks.push(tokio::spawn(async move {
                socket.write_all(request.as_bytes()).await?;
                let mut buffer = vec![0u8; 16 * 1024];
                let mut held = 0;
                let at = loop {
                    let n = socket.read(&mut buffer[held..]).await?;
                    anyhow::ensure!(n > 0, "closed");
                    held += n;
                    let text = String::from_utf8_lossy(&buffer[..held]);
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let length: usize = head
                        .lines()
                        .find_map(|l| {
                            l.to_ascii_lowercase()
                                .strip_prefix("content-length:")?
                                .trim()
                                .parse()
                                .ok()
                        })
                        .context("no length")?;
                    if body.len() >= length {
                        break Instant::now();
                    }
                };
                anyhow::Ok((at, socket))
            }));
        }
        let mut times = Vec::with_capacity(CLIENTS);
        for task in tasks {
            let (at, socket) = task.await??;
            times.push(at);
            sockets.push(socket);
        }
        let (first, last) = (times.iter().min().context("none")?, times.iter().max().context("none")?);
        spreads.push(last.duration_since(*first).as_secs_f64() * 1e3);
    }
    spreads.sort_by(f64::total_cmp);
    println!("### {CLIENTS} clients waiting on one blocking reload\n");
    println!(
        "From the first complete answer to the last, client and server on the same two cores: median {:.0} ms, worst {:.0} ms of {} rounds.\n",
        spreads[spreads.len() / 2],
        spreads[spreads.len() - 1],
        spreads.len()
    );
    drop(publisher);
    dev.stop().await?;
    Ok(())
}
