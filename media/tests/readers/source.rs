//! A source made by `ffmpeg`, read from its FLV tags with as little code as will do.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use headwater_media::codec::{aac, h264};
use headwater_media::{AccessUnit, CodecConfig, MediaTime, Timescale, Track, TrackId, TrackKind};

/// Both tracks of a source of twelve seconds, and their units in file order.
pub struct Source {
    pub video: Track,
    pub audio: Track,
    pub all: Vec<AccessUnit>,
}

impl Source {
    /// 320x180 at 30 frames per second (unless `video` says otherwise) and a stereo tone at 48 kHz.
    pub fn make(dir: &Path, video: &[&str]) -> Self {
        std::fs::create_dir_all(dir).expect("a folder");
        let file = dir.join("source.flv");
        let status = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-y",
                "-f",
                "lavfi",
                "-i",
                "testsrc=size=320x180:rate=30",
                "-f",
                "lavfi",
                "-i",
            ])
            .args([
                "sine=frequency=440:sample_rate=48000",
                "-t",
                "12",
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
            ])
            .args(["-pix_fmt", "yuv420p", "-sc_threshold", "0", "-c:a", "aac", "-ac", "2"])
            .args(video)
            .arg(&file)
            .status()
            .expect("ffmpeg is installed");
        assert!(status.success());
        Self::read(&std::fs::read(&file).expect("ffmpeg wrote it"))
    }

    pub fn units(&self, kind: TrackKind) -> impl Iterator<Item = &AccessUnit> {
        let id = if kind == TrackKind::Video {
            TrackId::VIDEO
        } else {
            TrackId::AUDIO
        };
        self.all.iter().filter(move |u| u.track == id)
    }

    fn read(flv: &[u8]) -> Self {
        let (mut avc, mut asc, mut all) = (None, None, Vec::new());
        let mut sounds = 0;
        let mut rest = &flv[13..];
        while rest.len() > 11 {
            let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
            let ms = i64::from(u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]));
            let body = &rest[11..11 + size];
            match (rest[0], body) {
                (9, [_, 0, _, _, _, record @ ..]) => avc = Some(Bytes::copy_from_slice(record)),
                (9, [head, 1, a, b, c, data @ ..]) => {
                    let offset = i64::from(i32::from_be_bytes([*a, *b, *c, 0]) >> 8);
                    all.push(AccessUnit {
                        track: TrackId::VIDEO,
                        dts: MediaTime::video(ms * 90),
                        pts: MediaTime::video((ms + offset) * 90),
                        duration: None,
                        key: head >> 4 == 1,
                        data: Bytes::copy_from_slice(data),
                    });
                }
                (8, [_, 0, record @ ..]) => asc = Some(Bytes::copy_from_slice(record)),
                (8, [_, 1, data @ ..]) => {
                    // Milliseconds are too coarse: frames of sound follow one another on their own grid.
                    let at = MediaTime::new(sounds * 1_024, Timescale::new(48_000).expect("not zero"));
                    sounds += 1;
                    all.push(AccessUnit {
                        track: TrackId::AUDIO,
                        dts: at,
                        pts: at,
                        duration: Some(1_024),
                        key: true,
                        data: Bytes::copy_from_slice(data),
                    });
                }
                _ => {}
            }
            rest = &rest[11 + size + 4..];
        }
        // Decoding the first picture starts the timeline; sound starts when it is shown.
        let first = all.iter().find(|u| u.track == TrackId::VIDEO);
        let (zero, shown) = first.map_or((0, 0), |u| (u.dts.ticks, u.pts.ticks));
        for unit in &mut all {
            let by = match unit.track {
                TrackId::VIDEO => -zero,
                _ => (shown - zero) * 48_000 / 90_000,
            };
            (unit.dts, unit.pts) = (unit.dts.plus(by), unit.pts.plus(by));
        }
        let avc = h264::Config::parse(avc.expect("a header")).expect("x264 writes sound ones");
        let asc = aac::Config::parse(asc.expect("a header")).expect("ffmpeg writes sound ones");
        let track = |id, timescale, config| Track {
            id,
            timescale,
            config,
            language: None,
        };
        Self {
            video: track(TrackId::VIDEO, Timescale::VIDEO, CodecConfig::H264(avc)),
            audio: track(
                TrackId::AUDIO,
                Timescale::new(48_000).expect("not zero"),
                CodecConfig::Aac(asc),
            ),
            all,
        }
    }
}
