//! Thousands of clients waiting on one blocking reload.

use std::time::Duration;

use anyhow::Context as _;
use headwater_platform::clock::WallClock;
use headwater_tests::dev::Dev;
use headwater_tests::http;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{clip, playlist};

const CLIENTS: usize = 5_000;
const ROUNDS: usize = 7;
/// Longest answer that is expected, bytes.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// Prints one paragraph.
pub async fn run() -> anyhow::Result<()> {
    let clip = clip::source().await?;
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[("HEADWATER_LOG", "warn")]).await?;
    let publisher = clip::push(&clip, &dev.push_url(), &["-tcp_nodelay", "1"])?;
    dev.wait_for_state(&["live"], Duration::from_secs(20)).await?;
    let variants = playlist::variants(&dev.play("main.m3u8")).await?;
    let media = variants.first().context("no variant")?;
    let host = dev
        .running
        .origin_url
        .strip_prefix("http://")
        .context("http")?
        .to_string();
    let mut sockets = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        sockets.push(TcpStream::connect(&host).await?);
    }
    let (mut since_arrival, mut spread) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let round = round(&dev, &host, media, &mut sockets).await?;
        since_arrival.push((round.last_us - round.arrival_us) as f64 / 1e3);
        spread.push((round.last_us - round.first_us) as f64 / 1e3);
    }
    since_arrival.sort_by(f64::total_cmp);
    spread.sort_by(f64::total_cmp);
    println!("### {CLIENTS} clients waiting on one blocking reload\n");
    println!("{ROUNDS} rounds; clients, publisher and server on the same cores.\n");
    println!("| from | to | median | worst |");
    println!("|---|---|---|---|");
    let (middle, end) = (ROUNDS / 2, ROUNDS - 1);
    println!(
        "| arrival of the part's last access unit at the edge | last answer complete | {:.0} ms | {:.0} ms |",
        since_arrival[middle], since_arrival[end]
    );
    println!(
        "| first answer complete | last answer complete | {:.0} ms | {:.0} ms |\n",
        spread[middle], spread[end]
    );
    drop(publisher);
    dev.stop().await?;
    Ok(())
}

struct Round {
    arrival_us: i64,
    first_us: i64,
    last_us: i64,
}

/// Lets every socket wait for one part of the segment after the open one.
async fn round(dev: &Dev, host: &str, media: &str, sockets: &mut Vec<TcpStream>) -> anyhow::Result<Round> {
    let text = http::get(&dev.play(media)).await?.text();
    let first: u64 = text
        .lines()
        .find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))
        .context("no sequence")?
        .parse()?;
    let next = first + text.matches("#EXTINF").count() as u64 + 1;
    let path = format!("/{}/{media}", dev.running.playback_id);
    let request = format!("GET {path}?_HLS_msn={next}&_HLS_part=1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut tasks = Vec::with_capacity(CLIENTS);
    for mut socket in sockets.drain(..) {
        socket.write_all(request.as_bytes()).await?;
        tasks.push(tokio::spawn(async move {
            answer(&mut socket).await?;
            anyhow::Ok((WallClock::system().unix_us(), socket))
        }));
    }
    let mut times = Vec::with_capacity(CLIENTS);
    for task in tasks {
        let (at, socket) = task.await??;
        times.push(at);
        sockets.push(socket);
    }
    // Nobody has asked for the part itself: its first answer says when it had arrived.
    let folder = media.rsplit_once('/').context("no folder")?.0;
    let text = http::get(&dev.play(media)).await?.text();
    let wanted = format!("/{next}-");
    let part = text
        .lines()
        .filter_map(|l| {
            l.strip_prefix("#EXT-X-PART:")?
                .split("URI=\"")
                .nth(1)?
                .split('"')
                .next()
        })
        .find(|uri| format!("/{uri}").contains(&wanted) && uri.ends_with(".1.m4s"))
        .with_context(|| format!("part 1 of {next} is not listed in {text}"))?;
    let part = http::get(&dev.play(&format!("{folder}/{part}"))).await?;
    let arrival = part.headers.get("headwater-arrival-us").context("no arrival")?;
    Ok(Round {
        arrival_us: arrival.parse()?,
        first_us: *times.iter().min().context("no answers")?,
        last_us: *times.iter().max().context("no answers")?,
    })
}

/// Reads one answer to its end.
async fn answer(socket: &mut TcpStream) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    let mut end = None;
    while end.is_none_or(|end| buffer.len() < end) {
        anyhow::ensure!(socket.read_buf(&mut buffer).await? > 0, "closed");
        anyhow::ensure!(buffer.len() <= ANSWER_MAX_BYTES, "a playlist of {} bytes", buffer.len());
        if end.is_some() {
            continue;
        }
        if let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
            anyhow::ensure!(text.starts_with("http/1.1 200"), "{text}");
            let length = text.lines().find_map(|l| l.strip_prefix("content-length:"));
            end = Some(head + 4 + length.context("no length")?.trim().parse::<usize>()?);
        }
    }
    Ok(())
}
