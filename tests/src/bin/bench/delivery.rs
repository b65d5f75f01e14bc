//! The origin against nginx's static files: the same load generator, the same bytes, back to back.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use headwater_tests::dev::{Dev, free_port};
use headwater_tests::http;
use tokio::process::Command;

use crate::clip;
use headwater_tests::proc::usage;

const SECONDS: u32 = 8;

struct Load {
    requests_per_s: f64,
    p99: String,
    cpu_us_per_request: f64,
}

/// Prints one table.
pub async fn run() -> anyhow::Result<()> {
    println!("### The origin against nginx static\n");
    println!("`wrk -t1 -c32 -d{SECONDS}s`, HTTP/1.1 keep-alive, the same bodies; nginx with one worker, sendfile.\n");
    println!(
        "| body | bytes | origin req/s | p99 | CPU µs/req | nginx req/s | p99 | CPU µs/req | req/s ratio | CPU ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let clip = clip::source().await?;
    let mut dev = Dev::start_with(&["--demo-ladder", "source"], &[("HEADWATER_LOG", "warn")]).await?;
    let publisher = clip::push(&clip, &dev.push_url(), &[])?;
    dev.wait_for_state(&["live"], Duration::from_secs(20)).await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let base = dev.play("");
    let multivariant = http::get(&format!("{base}main.m3u8")).await?.text();
    let media = multivariant
        .lines()
        .find(|l| !l.starts_with('#') && !l.is_empty())
        .context("no variant")?
        .to_string();
    // What the origin held before its first viewer came is listed whole; parts are listed from then on.
    http::get(&format!("{base}{media}")).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let playlist = http::get(&format!("{base}{media}")).await?.text();
    let folder = media.rsplit_once('/').map(|(f, _)| f.to_string()).unwrap_or_default();
    let segment = playlist
        .lines()
        .rfind(|l| l.ends_with(".m4s") && !l.starts_with('#'))
        .context("no segment")?;
    let part = playlist
        .lines()
        .filter(|l| l.starts_with("#EXT-X-PART:"))
        .find_map(|l| l.split("URI=\"").nth(1)?.split('"').next())
        .context("no part")?;
    let bodies = [
        ("segment", format!("{base}{folder}/{segment}")),
        ("part", format!("{base}{folder}/{part}")),
        ("media playlist", format!("{base}{media}")),
        ("multivariant playlist", format!("{base}main.m3u8")),
    ];
    let files = tempfile::tempdir()?;
    let (mut server, port) = nginx(files.path()).await?;
    for (name, url) in bodies {
        let body = http::get(&url).await?;
        if body.status != 200 {
            bail!("{url}: {}", body.status);
        }
        std::fs::write(files.path().join("www/body"), &body.body)?;
        let ours = wrk(&url, dev.pid()?).await?;
        let peer = wrk(
            &format!("http://127.0.0.1:{port}/body"),
            server.id().context("nginx has ended")?,
        )
        .await?;
        println!(
            "| {name} | {} | {:.0} | {} | {:.1} | {:.0} | {} | {:.1} | {:.2} | {:.2} |",
            body.body.len(),
            ours.requests_per_s,
            ours.p99,
            ours.cpu_us_per_request,
            peer.requests_per_s,
            peer.p99,
            peer.cpu_us_per_request,
            ours.requests_per_s / peer.requests_per_s,
            ours.cpu_us_per_request / peer.cpu_us_per_request
        );
    }
    println!();
    drop(publisher);
    // The master takes its worker along only when it is asked to stop.
    headwater_tests::dev::signal(server.id().context("nginx has ended")?, "TERM").await?;
    server.wait().await?;
    dev.stop().await?;
    Ok(())
}

async fn nginx(folder: &Path) -> anyhow::Result<(tokio::process::Child, u16)> {
    let port = free_port()?;
    let root = folder.display();
    std::fs::create_dir(folder.join("www"))?;
    let config = format!(
        "user root; daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log warn;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000;\n\
         server {{ listen 127.0.0.1:{port}; root {root}/www; }} }}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config)?;
    let server = Command::new("nginx")
        .arg("-c")
        .arg(&path)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start nginx")?;
    let mut every = tokio::time::interval(Duration::from_millis(50));
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        every.tick().await;
    }
    Ok((server, port))
}

async fn wrk(url: &str, server: u32) -> anyhow::Result<Load> {
    let before = usage(server);
    let output = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{SECONDS}s"), "--latency", url])
        .output()
        .await
        .context("cannot start wrk")?;
    let after = usage(server);
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |prefix: &str| {
        text.lines()
            .find_map(|l| l.trim().strip_prefix(prefix))
            .map(|v| v.trim().to_string())
    };
    let requests_per_s: f64 = number("Requests/sec:")
        .with_context(|| format!("wrk printed {text}"))?
        .parse()?;
    if text.contains("Non-2xx") {
        bail!("{url}: {text}");
    }
    let total = requests_per_s * f64::from(SECONDS);
    Ok(Load {
        requests_per_s,
        p99: number("99%").unwrap_or_default(),
        cpu_us_per_request: (after.cpu_s - before.cpu_s) * 1e6 / total,
    })
}
