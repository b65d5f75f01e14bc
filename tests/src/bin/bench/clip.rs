//! The source that publishers push: 1080p30 H.264 High at 4.5 Mbit/s, GOP 2 s, 2 B-frames, and AAC at 128 kbit/s.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

/// Makes the clip once and keeps it in the temporary folder.
pub async fn source() -> anyhow::Result<PathBuf> {
    let path = std::env::temp_dir().join("headwater-bench-1080p30.flv");
    if path.is_file() {
        return Ok(path);
    }
    eprintln!("making the source clip (20 s of 1080p30)");
    let part = path.with_extension("part.flv");
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args([
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=1920x1080:rate=30,noise=alls=12:allf=t",
        ])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "20"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-profile:v",
            "high",
            "-pix_fmt",
            "yuv420p",
        ])
        .args([
            "-b:v",
            "4500k",
            "-maxrate",
            "4500k",
            "-bufsize",
            "4500k",
            "-g",
            "60",
            "-keyint_min",
            "60",
        ])
        .args([
            "-sc_threshold",
            "0",
            "-bf",
            "2",
            "-c:a",
            "aac",
            "-b:a",
            "128k",
            "-ac",
            "2",
        ])
        .arg(&part)
        .output()
        .await
        .context("cannot start ffmpeg")?;
    if !output.status.success() {
        bail!("ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// Pushes the clip in a loop, in real time, untouched.
pub fn push(clip: &Path, url: &str, options: &[&str]) -> anyhow::Result<Child> {
    Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-nostdin",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
        ])
        .arg(clip)
        .args(["-c", "copy", "-f", "flv"])
        .args(options)
        .arg(url)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start ffmpeg")
}
