//! Films whose pictures carry their number and whose seconds start with a flash and a beep; and what a reader sees
//! and hears of them, as ffmpeg decodes it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::encoder::{self, Encoder};

/// Longest that making or reading a film may take.
const FFMPEG_LIMIT: Duration = Duration::from_secs(90);
/// Pictures are read back as this many cells: a row of bits, and below it the flash.
const COLUMNS: usize = 16;
const ROWS: usize = 9;
/// How long flash and beep last, seconds.
const MARK_S: f64 = 0.1;
/// Samples/s at which sound is read back.
const RATE: usize = 48_000;

/// Numbered pictures of so many frames per second (a fraction), with a flash at the start of each "second" of as many
/// frames as the rate has, rounded up.
fn pictures((num, den): (u32, u32), size: &str) -> String {
    let second = num.div_ceil(den);
    let flash = f64::from(second) * MARK_S;
    let bit = "if(mod(floor(N/pow(2,X)),2),235,16)";
    let lum = format!("if(lt(Y,3),{bit},if(lt(mod(N,{second}),{flash}),235,16))");
    let cells = format!("color=size={COLUMNS}x{ROWS}:rate={num}/{den},format=yuv444p,geq=lum='{lum}':cb=128:cr=128");
    format!("{cells},scale={size}:flags=neighbor,format=yuv420p,setsar=1")
}

/// Sound that beeps with the flashes of [`pictures`].
fn beeps((num, den): (u32, u32), samples_per_s: u32) -> String {
    let second = f64::from(num.div_ceil(den)) * f64::from(den) / f64::from(num);
    format!("aevalsrc='0.7*sin(6283*t)*lt(mod(t,{second}),{MARK_S})':s={samples_per_s}")
}

/// A film that is made while it is pushed.
#[derive(Clone, Copy, Debug)]
pub struct LiveFilm {
    /// `WIDTH:HEIGHT`
    pub size: &'static str,
    /// Frames per second, a fraction.
    pub rate: (u32, u32),
    /// Samples per second.
    pub samples_per_s: u32,
    /// Seconds.
    pub seconds: u32,
}

impl LiveFilm {
    /// Starts pushing it to every one of `urls`.
    pub fn push(&self, urls: &[String]) -> anyhow::Result<Encoder> {
        let seconds = self.seconds.to_string();
        let mut command = ffmpeg("error");
        command.args([
            "-re",
            "-f",
            "lavfi",
            "-t",
            &seconds,
            "-i",
            &pictures(self.rate, self.size),
        ]);
        let beeps = beeps(self.rate, self.samples_per_s);
        command.args(["-re", "-f", "lavfi", "-t", &seconds, "-i", &beeps]);
        command.args("-map 0:v -map 1:a -c:v libx264 -preset ultrafast -sc_threshold 0 -g 30 -bf 0".split(' '));
        command.args("-b:v 1200k -maxrate 1200k -bufsize 600k".split(' '));
        command.args("-c:a aac -b:a 96k -ac 2 -flags +global_header".split(' '));
        let outputs: Vec<String> = urls.iter().map(|url| format!("[f=flv]{url}")).collect();
        encoder::launch(command, &["-f", "tee", &outputs.join("|")])
    }
}

/// What to film.
#[derive(Clone, Debug)]
pub struct Film {
    /// `WIDTH:HEIGHT`; none films no picture.
    pub size: Option<&'static str>,
    /// Frames per second.
    pub fps: u32,
    /// Seconds.
    pub seconds: u32,
    /// Encoder options of the picture.
    pub video: &'static str,
    /// Further filters of the picture, each after a comma.
    pub filters: &'static str,
    /// Encoder options of the sound; none records no sound.
    pub audio: Option<&'static str>,
}

impl Default for Film {
    fn default() -> Self {
        Self {
            size: Some("640:360"),
            fps: 30,
            seconds: 6,
            video: "-g 30 -bf 0",
            filters: "",
            audio: Some("-ac 2"),
        }
    }
}

impl Film {
    /// Pictures that it has.
    pub fn frames(&self) -> u64 {
        u64::from(self.fps) * u64::from(self.seconds)
    }

    /// Encodes it into a file.
    pub async fn shoot(&self, to: &Path) -> anyhow::Result<()> {
        let mut command = ffmpeg("error");
        let seconds = self.seconds.to_string();
        if let Some(size) = self.size {
            let pictures = pictures((self.fps, 1), size) + self.filters;
            command.args(["-f", "lavfi", "-t", &seconds, "-i", &pictures]);
        }
        if self.audio.is_some() {
            command.args(["-f", "lavfi", "-t", &seconds, "-i", &beeps((self.fps, 1), 48_000)]);
        }
        if self.size.is_some() {
            command.args([
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-sc_threshold",
                "0",
                "-b:v",
                "1200k",
            ]);
            command.args(["-maxrate", "1200k", "-bufsize", "600k"]);
            command.args(self.video.split_whitespace());
        }
        if let Some(options) = self.audio {
            command
                .args(["-c:a", "aac", "-b:a", "96k"])
                .args(options.split_whitespace());
        }
        command.args(["-f", "flv"]).arg(to);
        run(command).await.map(drop)
    }
}

/// One picture as it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// When it is shown, seconds.
    pub at: f64,
    /// The number in it.
    pub number: u32,
    /// The second starts.
    pub flash: bool,
}

/// What a reader saw and heard.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// In the order in which they are shown.
    pub pictures: Vec<Picture>,
    /// When beeps start, seconds.
    pub beeps: Vec<f64>,
}

impl Seen {
    /// When flashes start, seconds. One that began before the first picture does not count.
    pub fn flashes(&self) -> Vec<f64> {
        let starts = self.pictures.windows(2).filter(|w| !w[0].flash && w[1].flash);
        starts.map(|w| w[1].at).collect()
    }

    /// How much later than its flash each beep starts, seconds.
    pub fn offsets(&self) -> Vec<f64> {
        let nearest = |flash: f64| {
            let offsets = self.beeps.iter().map(|beep| beep - flash);
            offsets.min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        // A flash at the very end may have lost its beep.
        self.flashes()
            .into_iter()
            .filter_map(nearest)
            .filter(|offset| offset.abs() < 0.5)
            .collect()
    }

    /// Numbers of the pictures.
    pub fn numbers(&self) -> Vec<u32> {
        self.pictures.iter().map(|p| p.number).collect()
    }
}

/// Numbers of the pictures of an input without sound, up to `seconds`.
pub async fn numbers(input: &str, seconds: Option<u32>) -> anyhow::Result<Vec<u32>> {
    let folder = tempfile::tempdir()?;
    let pictures = folder.path().join("pictures");
    let mut command = ffmpeg("info");
    if let Some(seconds) = seconds {
        command.args(["-t", &seconds.to_string()]);
    }
    command.args(["-i", input, "-fps_mode", "passthrough"]);
    command.args([
        "-vf",
        &format!("scale={COLUMNS}:{ROWS}:flags=area,format=gray,showinfo"),
    ]);
    command.args(["-f", "rawvideo"]).arg(&pictures);
    let said = run(command).await?;
    let pictures = read_pictures(
        &std::fs::read(&pictures)?,
        &times(&said, "Parsed_showinfo", "pts_time:"),
    );
    Ok(pictures.iter().map(|p| p.number).collect())
}

/// Decodes picture stream `video` of an input, and its first sound, up to `seconds`.
pub async fn watch(input: &str, video: usize, seconds: Option<u32>) -> anyhow::Result<Seen> {
    watch_within(input, video, seconds, FFMPEG_LIMIT).await
}

/// The same, with a limit of one's own for how long it may take.
pub async fn watch_within(input: &str, video: usize, seconds: Option<u32>, limit: Duration) -> anyhow::Result<Seen> {
    let folder = tempfile::tempdir()?;
    let (pictures, sound) = (folder.path().join("pictures"), folder.path().join("sound"));
    let mut command = ffmpeg("info");
    if let Some(seconds) = seconds {
        command.args(["-t", &seconds.to_string()]);
    }
    command.args(["-i", input, "-map", &format!("0:v:{video}"), "-fps_mode", "passthrough"]);
    command.args([
        "-vf",
        &format!("scale={COLUMNS}:{ROWS}:flags=area,format=gray,showinfo"),
    ]);
    command.args(["-f", "rawvideo"]).arg(&pictures);
    command.args([
        "-map",
        "0:a:0",
        "-af",
        "aresample=48000,aformat=s16:48000:mono,ashowinfo",
    ]);
    command.args(["-f", "s16le"]).arg(&sound);
    let said = run_within(command, limit).await?;
    let seen = Seen {
        pictures: read_pictures(
            &std::fs::read(&pictures)?,
            &times(&said, "Parsed_showinfo", "pts_time:"),
        ),
        beeps: read_beeps(&std::fs::read(&sound)?, &said),
    };
    if seen.pictures.is_empty() {
        bail!("{input} shows nothing: {said}");
    }
    Ok(seen)
}

fn ffmpeg(level: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostats", "-nostdin", "-y", "-loglevel", level]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs to the end; what it printed.
async fn run(command: Command) -> anyhow::Result<String> {
    run_within(command, FFMPEG_LIMIT).await
}

async fn run_within(mut command: Command, limit: Duration) -> anyhow::Result<String> {
    let output = tokio::time::timeout(limit, command.stderr(Stdio::piped()).output())
        .await
        .with_context(|| format!("ffmpeg did not end within {limit:?}: {command:?}"))??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let lines: Vec<&str> = said.lines().filter(|l| !l.contains("Skip (")).collect();
        bail!("{command:?} ended with {}: {}", output.status, lines.join("\n"));
    }
    Ok(said)
}

/// The numbers behind `field` in the lines of a filter.
fn times(said: &str, filter: &str, field: &str) -> Vec<f64> {
    let lines = said.lines().filter(|l| l.contains(filter));
    lines
        .filter_map(|l| l.split_once(field)?.1.split_whitespace().next()?.parse().ok())
        .collect()
}

fn read_pictures(raw: &[u8], times: &[f64]) -> Vec<Picture> {
    let bright = |cell: u8| cell > 125;
    raw.chunks_exact(COLUMNS * ROWS)
        .zip(times)
        .map(|(cells, at)| {
            let row = &cells[COLUMNS..2 * COLUMNS];
            let number = row.iter().rev().fold(0, |n, cell| n * 2 + u32::from(bright(*cell)));
            let flash = bright(cells[6 * COLUMNS + COLUMNS / 2]);
            Picture { at: *at, number, flash }
        })
        .collect()
}

/// A beep starts where sound follows at least a third of a second of silence.
fn read_beeps(raw: &[u8], said: &str) -> Vec<f64> {
    let starts = times(said, "Parsed_ashowinfo", "pts_time:");
    let counts = times(said, "Parsed_ashowinfo", "nb_samples:");
    let mut samples = raw.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]));
    let (mut beeps, mut loud_at) = (Vec::new(), f64::NEG_INFINITY);
    for (start, count) in starts.into_iter().zip(counts) {
        // What came before the first sample is unknown.
        if loud_at == f64::NEG_INFINITY {
            loud_at = start;
        }
        for (i, sample) in samples.by_ref().take(count as usize).enumerate() {
            if sample.unsigned_abs() > 4_000 {
                let at = start + i as f64 / RATE as f64;
                if at - loud_at > 0.33 {
                    beeps.push(at);
                }
                loud_at = at;
            }
        }
    }
    beeps
}
