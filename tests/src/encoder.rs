//! ffmpeg and ffprobe as independent encoder, player and judge.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// A running `ffmpeg` that pushes. Dropping it kills it.
pub struct Encoder {
    child: Child,
    frames: watch::Receiver<u64>,
}

/// What to push.
#[derive(Clone, Debug)]
pub struct Source {
    /// `WIDTHxHEIGHT`.
    pub size: &'static str,
    /// Frames per second.
    pub fps: u32,
    /// Frames between keyframes.
    pub gop: u32,
    /// Consecutive B-frames.
    pub b_frames: u32,
    /// Seconds to push, or without end.
    pub seconds: Option<f64>,
    /// Video, sound, or both.
    pub video: bool,
    /// Video, sound, or both.
    pub audio: bool,
    /// Media seconds for each second.
    pub speed: &'static str,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            size: "640x360",
            fps: 30,
            gop: 30,
            b_frames: 0,
            seconds: None,
            video: true,
            audio: true,
            speed: "1",
        }
    }
}

impl Source {
    fn arguments(&self) -> Vec<String> {
        let mut a: Vec<String> = ["-hide_banner", "-loglevel", "error", "-nostdin"]
            .map(String::from)
            .to_vec();
        if self.video {
            a.extend(["-readrate", self.speed, "-f", "lavfi", "-i"].map(String::from));
            a.push(format!("testsrc2=size={}:rate={}", self.size, self.fps));
        }
        if self.audio {
            a.extend(["-readrate", self.speed, "-f", "lavfi", "-i"].map(String::from));
            a.push("sine=frequency=440:sample_rate=48000".into());
        }
        if self.video {
            a.extend(
                [
                    "-c:v",
                    "libx264",
                    "-preset",
                    "ultrafast",
                    "-pix_fmt",
                    "yuv420p",
                    "-b:v",
                    "1500k",
                ]
                .map(String::from),
            );
            a.extend(["-maxrate", "1500k", "-bufsize", "750k", "-sc_threshold", "0"].map(String::from));
            a.extend([
                "-g".into(),
                self.gop.to_string(),
                "-keyint_min".into(),
                self.gop.to_string(),
            ]);
            a.extend(["-bf".into(), self.b_frames.to_string()]);
        }
        if self.audio {
            a.extend(["-c:a", "aac", "-b:a", "96k", "-ac", "2"].map(String::from));
        }
        if let Some(seconds) = self.seconds {
            a.extend(["-t".into(), seconds.to_string()]);
        }
        a
    }

    /// Starts pushing to `url`.
    pub fn push(&self, url: &str) -> anyhow::Result<Encoder> {
        let mut command = Command::new("ffmpeg");
        command.args(self.arguments());
        launch(command, &["-f", "flv", url])
    }
}

/// Starts an `ffmpeg` that has its inputs and encoders already.
pub(crate) fn launch(mut command: Command, output: &[&str]) -> anyhow::Result<Encoder> {
    command
        .args(["-progress", "pipe:1", "-stats_period", "0.1"])
        .args(output)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("cannot start ffmpeg")?;
    let (tell, frames) = watch::channel(0);
    let progress = child.stdout.take().context("ffmpeg has no standard output")?;
    tokio::spawn(count(progress, tell));
    Ok(Encoder { child, frames })
}

/// Reads how many frames were sent so far, until ffmpeg ends.
async fn count(progress: ChildStdout, tell: watch::Sender<u64>) {
    let mut lines = BufReader::new(progress).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(frames) = line.strip_prefix("frame=").and_then(|n| n.trim().parse().ok()) {
            tell.send_replace(frames);
        }
    }
}

/// Starts pushing a file as it is, at the speed at which it plays.
pub fn push_file(file: &Path, url: &str) -> anyhow::Result<Encoder> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-i"]);
    command.arg(file).args(["-c", "copy"]);
    launch(command, &["-f", "flv", url])
}

impl Encoder {
    /// Waits for its end and returns the pictures that it sent; an error holds what it printed.
    pub async fn finished(mut self) -> anyhow::Result<u64> {
        let output = self.child.wait_with_output().await?;
        if !output.status.success() {
            bail!(
                "ffmpeg ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        while self.frames.changed().await.is_ok() {}
        Ok(*self.frames.borrow())
    }

    /// Waits for a failure and returns what it printed.
    pub async fn refused(self) -> anyhow::Result<String> {
        let output = self.child.wait_with_output().await?;
        if output.status.success() {
            bail!("ffmpeg was not refused");
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Ends it in the middle of whatever it does: the connection drops without a word.
    pub async fn cut(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill ffmpeg")
    }

    /// Stops it as an operator would: it sends what it holds and says goodbye. Returns the pictures that it sent.
    pub async fn stop(mut self) -> anyhow::Result<u64> {
        let pid = self.child.id().context("ffmpeg has ended")?;
        crate::dev::signal(pid, "INT").await?;
        self.child.wait().await?;
        // The counter ends with the process, after its last line.
        while self.frames.changed().await.is_ok() {}
        Ok(*self.frames.borrow())
    }

    /// Makes it hang: its connection stays, and nothing comes.
    pub async fn freeze(&self) -> anyhow::Result<()> {
        crate::dev::signal(self.child.id().context("ffmpeg has ended")?, "STOP").await
    }

    /// Lets it go on after [`Self::freeze`].
    pub async fn thaw(&self) -> anyhow::Result<()> {
        crate::dev::signal(self.child.id().context("ffmpeg has ended")?, "CONT").await
    }

    /// How many pictures it has sent so far, as it goes on.
    pub fn frames(&self) -> watch::Receiver<u64> {
        self.frames.clone()
    }

    /// Waits until it has sent `frames` more pictures.
    pub async fn sends(&mut self, frames: u64) -> anyhow::Result<()> {
        let target = *self.frames.borrow() + frames;
        self.frames
            .wait_for(|sent| *sent >= target)
            .await
            .context("ffmpeg ended before it had sent them all")?;
        Ok(())
    }
}

/// One packet as ffprobe sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    /// Presentation time, seconds.
    pub pts: f64,
    /// Decode time, seconds.
    pub dts: f64,
    /// Whether a decoder may start here.
    pub key: bool,
}

/// Packets of one stream (`v:0`, `a:0`, ...) of a file or address, in file order.
pub async fn packets(input: &str, stream: &str) -> anyhow::Result<Vec<Packet>> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            stream,
            "-show_entries",
            "packet=pts_time,dts_time,flags",
        ])
        .args(["-of", "json", input])
        .output()
        .await
        .context("cannot start ffprobe")?;
    if !output.status.success() {
        bail!("ffprobe {input}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let parsed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let number = |v: &serde_json::Value| v.as_str().and_then(|s| s.parse().ok()).unwrap_or(f64::NAN);
    Ok(parsed["packets"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|p| Packet {
            pts: number(&p["pts_time"]),
            dts: number(&p["dts_time"]),
            key: p["flags"].as_str().is_some_and(|f| f.starts_with('K')),
        })
        .collect())
}

/// Entries of one stream as ffprobe prints them, with commas between.
pub async fn stream_entry(input: &str, stream: &str, entries: &str) -> anyhow::Result<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_entries"])
        .args([&format!("stream={entries}"), "-of", "csv=p=0", input])
        .output()
        .await
        .context("cannot start ffprobe")?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Adaptive inputs list a stream once per program and once more alone.
    let line = text.lines().find(|l| !l.trim().is_empty());
    Ok(line.unwrap_or_default().trim().trim_end_matches(',').to_owned())
}

/// Frames that really decode, of one stream; fails when the decoder complains.
pub async fn decoded_frames(input: &str, stream: &str) -> anyhow::Result<u64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", stream])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", input])
        .output()
        .await
        .context("cannot start ffprobe")?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !complaints.trim().is_empty() {
        bail!("ffprobe {input}: {complaints}");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Adaptive inputs list a stream once per program and once more alone: the first count is the stream's.
    text.lines()
        .find_map(|l| l.trim().trim_end_matches(',').parse().ok())
        .with_context(|| format!("no count in {text:?}"))
}

/// Copies an address to a file without transcoding, for up to `seconds`; returns what ffmpeg printed.
pub async fn record(input: &str, to: &Path, seconds: f64) -> anyhow::Result<String> {
    let output = Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-loglevel",
            "warning",
            "-nostdin",
            "-y",
            "-i",
            input,
            "-t",
            &seconds.to_string(),
        ])
        .args(["-c", "copy"])
        .arg(to)
        .output()
        .await
        .context("cannot start ffmpeg")?;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("ffmpeg -i {input}: {printed}");
    }
    Ok(printed)
}
