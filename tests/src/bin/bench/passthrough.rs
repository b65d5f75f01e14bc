//! N publishers through the whole chain against nginx-rtmp writing plain HLS.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use headwater_tests::dev::{Dev, binary, free_port};
use headwater_tests::http;
use tokio::process::Command;

use crate::clip;
use crate::playlist::Playlist;
use headwater_tests::proc::{self, usage};

/// What the start may take before anything is measured.
const SETTLE: Duration = Duration::from_secs(15);
/// A stream is well when its newest finished segment ended, or its playlist was written, less than so long ago.
const BEHIND_MAX: TimeDelta = TimeDelta::seconds(6);

struct Figure {
    cpu_s_per_stream_minute: f64,
    pss_mib_per_stream: f64,
    healthy: usize,
}

/// Prints one table: each of `counts` publishers, measured for `window` after the start has settled.
pub async fn run(window: Duration, counts: &[usize]) -> anyhow::Result<()> {
    let clip = clip::source().await?;
    println!("### Passthrough of N RTMP publishers (1080p30, 4.6 Mbit/s)\n");
    println!(
        "CPU-seconds per stream-minute, proportional memory (MiB) per stream; whole process trees; {} s each.\n",
        window.as_secs()
    );
    println!("| N | Headwater CPU | MiB | streams well | nginx-rtmp CPU | MiB | streams well | CPU ratio |");
    println!("|---|---|---|---|---|---|---|---|");
    for &count in counts {
        let ours = headwater(&clip, count, window).await?;
        let peer = nginx(&clip, count, window).await?;
        println!(
            "| {count} | {:.2} | {:.1} | {}/{count} | {:.2} | {:.1} | {}/{count} | {:.2} |",
            ours.cpu_s_per_stream_minute,
            ours.pss_mib_per_stream,
            ours.healthy,
            peer.cpu_s_per_stream_minute,
            peer.pss_mib_per_stream,
            peer.healthy,
            ours.cpu_s_per_stream_minute / peer.cpu_s_per_stream_minute
        );
    }
    println!();
    Ok(())
}

/// A channel made with the command that operators use: (stream key, playback id).
pub async fn channel(dev: &Dev, name: &str) -> anyhow::Result<(String, String)> {
    let output = Command::new(binary()?)
        .args(["channel", "create", "--name", name, "--ladder", "source", "--json"])
        .env("HEADWATER_DATABASE_URL", &dev.running.database_url)
        .output()
        .await?;
    if !output.status.success() {
        bail!("headwater channel create: {}", String::from_utf8_lossy(&output.stderr));
    }
    let made: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let field = |name: &str| {
        made[name]
            .as_str()
            .map(String::from)
            .with_context(|| format!("no {name} in {made}"))
    };
    Ok((field("stream_key")?, field("playback_id")?))
}

async fn measure(root: u32, count: usize, window: Duration) -> proc::Usage {
    tokio::time::sleep(SETTLE).await;
    let before = usage(root);
    tokio::time::sleep(window).await;
    let after = usage(root);
    let minutes = count as f64 * window.as_secs_f64() / 60.0;
    proc::Usage {
        cpu_s: (after.cpu_s - before.cpu_s) / minutes,
        pss_mib: after.pss_mib / count as f64,
    }
}

async fn headwater(clip: &Path, count: usize, window: Duration) -> anyhow::Result<Figure> {
    let mut dev = Dev::start_with(&[], &[("HEADWATER_LOG", "warn")]).await?;
    let mut publishers = Vec::new();
    let mut playback = Vec::new();
    for number in 0..count {
        let (key, id) = channel(&dev, &format!("bench {number}")).await?;
        publishers.push(clip::push(clip, &format!("{}/{key}", dev.running.ingest_url), &[])?);
        playback.push(id);
    }
    // One viewer a stream, so that the origin follows each: it asks as a player does, but rarely.
    let origin = dev.running.origin_url.clone();
    let viewers = playback.clone();
    let watching = tokio::spawn(async move {
        loop {
            for id in &viewers {
                let _ = http::get(&format!("{origin}/{id}/main.m3u8")).await;
                let _ = http::get(&format!("{origin}/{id}/manifest.mpd")).await;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
    let usage = measure(dev.pid()?, count, window).await;
    watching.abort();
    let mut healthy = 0;
    for id in &playback {
        let playlist = Playlist::first_of(&format!("{}/{id}", dev.running.origin_url)).await;
        healthy += usize::from(playlist.is_ok_and(|p| p.keeps_up(BEHIND_MAX)));
    }
    drop(publishers);
    dev.stop().await?;
    Ok(Figure {
        cpu_s_per_stream_minute: usage.cpu_s,
        pss_mib_per_stream: usage.pss_mib,
        healthy,
    })
}

async fn nginx(clip: &Path, count: usize, window: Duration) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let root = folder.path().display();
    let mut config = String::new();
    writeln!(config, "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;")?;
    writeln!(
        config,
        "user root; daemon off; master_process on; worker_processes 1; pid {root}/pid; error_log {root}/error.log warn;"
    )?;
    writeln!(config, "events {{ worker_connections 1024; }}")?;
    writeln!(
        config,
        "rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; chunk_size 60000; application live {{ live on; "
    )?;
    writeln!(
        config,
        "hls on; hls_path {root}/hls; hls_fragment 2s; hls_playlist_length 20s; }} }} }}"
    )?;
    std::fs::create_dir(folder.path().join("hls"))?;
    let path = folder.path().join("nginx.conf");
    std::fs::write(&path, config)?;
    let mut server = Command::new("nginx")
        .arg("-c")
        .arg(&path)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start nginx")?;
    let mut every = tokio::time::interval(Duration::from_millis(50));
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        every.tick().await;
    }
    let publishers = (0..count)
        .map(|n| clip::push(clip, &format!("rtmp://127.0.0.1:{port}/live/s{n}"), &[]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let usage = measure(server.id().context("nginx has ended")?, count, window).await;
    let healthy = (0..count)
        .filter(|n| {
            let playlist = std::fs::metadata(folder.path().join(format!("hls/s{n}.m3u8")));
            let written = playlist.and_then(|m| m.modified()).ok();
            written.is_some_and(|at| Utc::now().signed_duration_since(DateTime::<Utc>::from(at)) < BEHIND_MAX)
        })
        .count();
    drop(publishers);
    headwater_tests::dev::signal(server.id().context("nginx has ended")?, "TERM").await?;
    server.wait().await?;
    Ok(Figure {
        cpu_s_per_stream_minute: usage.cpu_s,
        pss_mib_per_stream: usage.pss_mib,
        healthy,
    })
}
