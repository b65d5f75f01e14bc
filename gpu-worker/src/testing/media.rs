//! Sources made by the FFmpeg command line, and its ffprobe as judge of what we made of them.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use headwater_media::codec::{aac, h264};
use headwater_media::{AccessUnit, CodecConfig, Epoch, EpochCause, MediaTime, Timescale, Track, TrackId};

use super::tool;

/// A source: one epoch and its units in the order in which a publisher sends them.
#[derive(Clone)]
pub(crate) struct Source {
    pub epoch: Epoch,
    pub units: Vec<AccessUnit>,
}

/// What to make.
#[derive(Clone, Copy)]
pub(crate) struct Make<'a> {
    pub size: &'a str,
    pub fps: u32,
    pub seconds: f64,
    pub gop: u32,
    /// More of FFmpeg's options for the video encoder.
    pub video: &'a [&'a str],
    /// FFmpeg's options for the audio encoder; `None` for no sound.
    pub audio: Option<&'a [&'a str]>,
}

impl Default for Make<'_> {
    fn default() -> Self {
        Self {
            size: "320x180",
            fps: 25,
            seconds: 8.0,
            gop: 25,
            video: &["-bf", "2"],
            audio: Some(&[]),
        }
    }
}

impl Make<'_> {
    /// Runs FFmpeg. Video times are exact multiples of the frame, audio times of the AAC frame.
    pub(crate) fn run(&self) -> Source {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("source.flv");
        let path = path.to_str().expect("a plain path");
        let picture = format!("testsrc2=s={}:r={}", self.size, self.fps);
        let (seconds, gop) = (self.seconds.to_string(), self.gop.to_string());
        let mut args = vec!["-v", "error", "-y", "-f", "lavfi", "-i", &picture];
        if self.audio.is_some() {
            args.extend(["-f", "lavfi", "-i", "sine=f=440:r=48000"]);
        }
        args.extend([
            "-t",
            &seconds,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
        ]);
        args.extend(["-g", &gop, "-keyint_min", &gop, "-sc_threshold", "0"]);
        args.extend(self.video);
        if let Some(audio) = self.audio {
            args.extend(["-c:a", "aac", "-ac", "2"]);
            args.extend(audio);
        }
        args.push(path);
        tool("ffmpeg", &args);
        self.read(&std::fs::read(path).expect("FFmpeg wrote it"))
    }

    fn read(&self, file: &[u8]) -> Source {
        let number = |bytes: &[u8]| bytes.iter().fold(0_i64, |n, b| n << 8 | i64::from(*b));
        let (mut tracks, mut units, mut rest) = (Vec::new(), Vec::new(), &file[13..]);
        let (mut rate, mut frames, mut frame_samples) = (48_000, 0, 1_024);
        let ms_to_frame = |ms: i64| (ms * i64::from(self.fps) + 500).div_euclid(1_000) * 90_000 / i64::from(self.fps);
        while rest.len() > 15 {
            let (kind, size) = (rest[0], number(&rest[1..4]) as usize);
            let ms = number(&rest[4..7]);
            let body = &rest[11..11 + size];
            rest = &rest[11 + size + 4..];
            match (kind, body.get(1)) {
                (9, Some(0)) => {
                    let config = h264::Config::parse(Bytes::copy_from_slice(&body[5..])).expect("an avcC of x264");
                    let config = CodecConfig::H264(config);
                    tracks.insert(
                        0,
                        Track {
                            id: TrackId::VIDEO,
                            timescale: Timescale::VIDEO,
                            config,
                            language: None,
                        },
                    );
                }
                (9, Some(1)) => {
                    let shift = number(&body[2..5]) << 40 >> 40;
                    units.push(AccessUnit {
                        track: TrackId::VIDEO,
                        dts: MediaTime::video(ms_to_frame(ms)),
                        pts: MediaTime::video(ms_to_frame(ms + shift)),
                        duration: Some(90_000 / self.fps),
                        key: body[0] >> 4 == 1,
                        data: Bytes::copy_from_slice(&body[5..]),
                    });
                }
                (8, Some(0)) => {
                    let config = aac::Config::parse(Bytes::copy_from_slice(&body[2..])).expect("a config of FFmpeg");
                    rate = config.output_rate();
                    frame_samples = i64::from(config.frame_samples());
                    let timescale = Timescale::new(rate).expect("not zero");
                    let config = CodecConfig::Aac(config);
                    tracks.push(Track {
                        id: TrackId::AUDIO,
                        timescale,
                        config,
                        language: Some("en".into()),
                    });
                }
                (8, Some(1)) => {
                    let at = MediaTime::new(frames * frame_samples, Timescale::new(rate).expect("not zero"));
                    frames += 1;
                    units.push(AccessUnit {
                        track: TrackId::AUDIO,
                        dts: at,
                        pts: at,
                        duration: Some(frame_samples as u32),
                        key: true,
                        data: Bytes::copy_from_slice(&body[2..]),
                    });
                }
                _ => {}
            }
        }
        let epoch = Epoch {
            index: 0,
            start_90k: 0,
            wallclock_ms: 1_700_000_000_000,
            tracks,
            cause: EpochCause::Start,
        };
        Source { epoch, units }
    }
}

impl Source {
    /// Audio units from the first picture on: what comes before it belongs to no segment.
    pub(crate) fn sounds(&self) -> usize {
        let first = self.of(TrackId::VIDEO).map(|u| u.pts).min().unwrap_or(MediaTime::ZERO);
        self.of(TrackId::AUDIO).filter(|u| u.pts >= first).count()
    }

    /// Units of one track.
    pub(crate) fn of(&self, track: TrackId) -> impl Iterator<Item = &AccessUnit> {
        self.units.iter().filter(move |u| u.track == track)
    }
}

/// What ffprobe says of a file: for each frame its presentation time and whether it is a key frame.
pub(crate) struct Probed {
    /// `width`, `height`, `sample_rate`, `codec_name`, ... of the first stream.
    pub stream: BTreeMap<String, String>,
    /// Presentation time in seconds, picture type (`I`, `P`, `B`; `?` for sound), in presentation order.
    pub frames: Vec<(f64, char)>,
}

/// Decodes a file with ffprobe. Fails on any error that the decoder reports.
pub(crate) fn probe(file: &[u8], format: &str) -> Probed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("made");
    std::fs::write(&path, file).expect("room for a file");
    probe_path(&path, format)
}

fn probe_path(path: &Path, format: &str) -> Probed {
    let path = path.to_str().expect("a plain path");
    let strict = ["-v", "error", "-f", format, "-err_detect", "explode"];
    let ask = |args: &[&str]| {
        let args: Vec<&str> = strict.iter().chain(args).chain(&[path]).copied().collect();
        String::from_utf8(tool("ffprobe", &args)).expect("ffprobe writes text")
    };
    let stream = ask(&["-show_streams", "-of", "default=nw=1"]);
    let stream = stream
        .lines()
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let frames = ask(&["-show_entries", "frame=pts_time,pict_type", "-of", "csv=p=0"]);
    let frames = frames
        .lines()
        .filter(|l| !l.is_empty())
        .map(|line| {
            let mut fields = line.split(',');
            let at = fields.next().and_then(|t| t.parse().ok()).unwrap_or(f64::NAN);
            (at, fields.find_map(|f| f.chars().next()).unwrap_or('?'))
        })
        .collect();
    Probed { stream, frames }
}
