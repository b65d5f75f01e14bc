//! The built-in test broadcast: a moving picture with a burned-in clock and a tone, pushed as any encoder would.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use headwater_platform::retry::Backoff;
use tokio_util::sync::CancellationToken;

use super::child::{self, Supervised};

const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf";

/// Pushes until `stop` fires, starting again when the encoder ends.
pub async fn push(url: String, log: std::path::PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
    while !stop.is_cancelled() {
        let mut encoder = start(&url, &log)?;
        tokio::select! {
            () = stop.cancelled() => return encoder.stop("INT", Duration::from_secs(3)).await,
            status = encoder.wait() => {
                tracing::warn!("the demo encoder ended ({}) and is started again; its log is {}", status?, log.display());
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = backoff.wait() => {}
        }
    }
    Ok(())
}

fn start(url: &str, log: &Path) -> anyhow::Result<Supervised> {
    let clock = format!(
        "drawtext=fontfile={FONT}:text='%{{localtime\\:%T}}.%{{eif\\:mod(n,30)\\:d\\:2}}':x=(w-tw)/2:y=h*0.42:\
         fontsize=96:fontcolor=white:box=1:boxcolor=black@0.55:boxborderw=24"
    );
    let mut command = child::command("ffmpeg", "INT", None);
    command
        .args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-re"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"])
        .args([
            "-re",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=330:beep_factor=4:sample_rate=48000",
        ])
        .args([
            "-vf",
            &clock,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
        ])
        .args([
            "-pix_fmt", "yuv420p", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k",
        ])
        .args(["-g", "60", "-keyint_min", "60", "-sc_threshold", "0"])
        .args([
            "-c:a",
            "aac",
            "-b:a",
            "128k",
            "-ac",
            "2",
            "-f",
            "flv",
            "-tcp_nodelay",
            "1",
            url,
        ]);
    child::log_to(&mut command, log)?;
    Supervised::start("the demo encoder", command).context("is ffmpeg installed? `make packages` installs it")
}
