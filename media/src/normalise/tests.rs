//! A publisher of the tests' own: pictures and sound as FLV tags, with a clock that can be made to misbehave.

use bytes::Bytes;

use super::*;
use crate::unit::{CodecConfig, TrackId};

mod clocks;
mod fuzz;
mod tracks;

/// libx264's record for 1920x1080 at 30000/1001, two B-frames (see `codec::h264::tests`).
const AVC_2997: &str = "01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c65801000468ef8fcbfdf8f800";

fn hex(s: &str) -> Vec<u8> {
    let digits: Vec<u8> = s
        .bytes()
        .filter_map(|b| (b as char).to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
}

/// A Baseline record (no reordering, no VUI) of `columns` macroblocks by 45.
fn avc(columns: u8) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |count: u32, value: u32| bits.extend((0..count).rev().map(|i| value >> i & 1 == 1));
    let ue = |put: &mut dyn FnMut(u32, u32), value: u32| {
        let length = 32 - (value + 1).leading_zeros();
        put(length - 1, 0);
        put(length, value + 1);
    };
    [0, 0, 2, 3].into_iter().for_each(|value| ue(&mut put, value));
    put(1, 0);
    ue(&mut put, u32::from(columns) - 1);
    ue(&mut put, 44);
    // frame_mbs_only, direct_8x8, no cropping, no VUI, stop bit
    put(5, 0b11001);
    bits.resize(bits.len().div_ceil(8) * 8, false);
    let mut sps = vec![0x67, 66, 0xc0, 31];
    sps.extend(
        bits.chunks(8)
            .map(|c| c.iter().fold(0u8, |b, &bit| b << 1 | u8::from(bit))),
    );
    let mut record = vec![1, 66, 0xc0, 31, 0xff, 0xe1, 0, sps.len() as u8];
    record.extend(&sps);
    record.extend([1, 0, 3, 0x68, 0xce, 0x3c]);
    record
}

const AAC_48K: [u8; 2] = [0x11, 0x90];
const AAC_44K: [u8; 2] = [0x12, 0x10];

fn video_config(record: &[u8]) -> Bytes {
    [&[0x17, 0, 0, 0, 0][..], record].concat().into()
}

fn audio_config(record: &[u8]) -> Bytes {
    [&[0xaf, 0][..], record].concat().into()
}

fn picture(key: bool, composition_ms: i32) -> Bytes {
    let [_, a, b, c] = composition_ms.to_be_bytes();
    let nal = if key { 0x65 } else { 0x41 };
    Bytes::from(vec![0x27, 1, a, b, c, 0, 0, 0, 3, nal, 1, 2])
}

fn sound() -> Bytes {
    Bytes::from_static(&[0xaf, 1, 0x21, 0x10])
}

/// What came out of a normaliser.
#[derive(Debug, Default)]
struct Got {
    epochs: Vec<Epoch>,
    /// Units, each with the number of its epoch in `epochs`.
    units: Vec<(usize, AccessUnit)>,
    issues: Vec<Issue>,
}

impl Got {
    fn of(&self, track: TrackId) -> Vec<&AccessUnit> {
        self.units.iter().map(|(_, u)| u).filter(|u| u.track == track).collect()
    }

    fn video(&self) -> Vec<&AccessUnit> {
        self.of(TrackId::VIDEO)
    }

    fn audio(&self) -> Vec<&AccessUnit> {
        self.of(TrackId::AUDIO)
    }

    fn causes(&self) -> Vec<EpochCause> {
        self.epochs.iter().map(|e| e.cause).collect()
    }

    fn has(&self, issue: impl Fn(&Issue) -> bool) -> bool {
        self.issues.iter().any(issue)
    }
}

/// Takes all outputs, and checks what must hold whatever came in.
fn drain(n: &mut Normaliser, got: &mut Got) {
    while let Some(output) = n.poll() {
        match output {
            Output::Epoch(epoch) => {
                if let Some(before) = got.epochs.last() {
                    assert_eq!(epoch.index, before.index + 1);
                    let end = got
                        .units
                        .iter()
                        .map(|(_, u)| u.pts.ticks_in(crate::Timescale::VIDEO))
                        .max();
                    assert!(
                        Some(epoch.start_90k) >= end,
                        "an epoch begins before the one before it ends"
                    );
                }
                assert!(epoch.start_90k >= 0 && !epoch.tracks.is_empty());
                got.epochs.push(epoch);
            }
            Output::Unit(unit) => {
                let number = got.epochs.len().checked_sub(1).expect("an epoch comes before units");
                let epoch = &got.epochs[number];
                let track = epoch
                    .tracks
                    .iter()
                    .find(|t| t.id == unit.track)
                    .expect("the epoch has the track");
                assert_eq!(unit.dts.scale, track.timescale);
                assert!(unit.pts >= unit.dts, "{unit:?}");
                assert!(
                    unit.dts.ticks_in(crate::Timescale::VIDEO) >= epoch.start_90k,
                    "{unit:?} in {epoch:?}"
                );
                let of_track = || got.units.iter().filter(|(e, u)| *e == number && u.track == unit.track);
                match of_track().next_back() {
                    Some((_, last)) => assert!(unit.dts > last.dts, "{unit:?} after {last:?}"),
                    None => assert!(unit.key, "an epoch's first picture is an IDR"),
                }
                assert_ne!(unit.duration, Some(0));
                got.units.push((number, unit));
            }
            Output::Issue(issue) => got.issues.push(issue),
        }
    }
}

/// Sends pictures and sound for a while, interleaved by time as encoders do.
struct Publisher {
    n: Normaliser,
    got: Got,
    /// Arrival, Unix milliseconds.
    now: i64,
    /// The encoder's clock in milliseconds.
    at: f64,
    fps: f64,
    /// Media time per arrival time.
    speed: f64,
    gop: u32,
    frame: u32,
    video: bool,
    audio: bool,
    audio_ms: f64,
    audio_at: f64,
    /// Added to timestamps as they are sent.
    video_offset: i64,
    audio_offset: i64,
}

const START: i64 = 1_700_000_000_000;

impl Publisher {
    fn new() -> Self {
        Self::resumed(Start::FIRST, START)
    }

    fn resumed(start: Start, now: i64) -> Self {
        Self {
            n: Normaliser::new(start),
            got: Got::default(),
            now,
            at: 0.0,
            fps: 30.0,
            speed: 1.0,
            gop: 30,
            frame: 0,
            video: true,
            audio: true,
            audio_ms: 1_024.0 / 48.0,
            audio_at: 0.0,
            video_offset: 0,
            audio_offset: 0,
        }
    }

    fn video_header(&mut self, record: &[u8]) -> &mut Self {
        self.n.video(self.now, 0, video_config(record));
        self
    }

    fn audio_header(&mut self, record: &[u8]) -> &mut Self {
        self.n.audio(self.now, 0, audio_config(record));
        self
    }

    fn headers(&mut self) -> &mut Self {
        self.video_header(&avc(80)).audio_header(&AAC_48K)
    }

    /// Media for as long, arriving as it is made.
    fn run(&mut self, ms: i64) -> &mut Self {
        let end = self.at + ms as f64;
        let begin = (self.now, self.at);
        loop {
            let next_audio = if self.audio { self.audio_at } else { f64::MAX };
            let next_video = if self.video { self.at.max(0.0) } else { f64::MAX };
            let next = next_audio.min(next_video);
            // The sum of frame lengths is not exact.
            if next >= end - 0.001 {
                break;
            }
            self.now = begin.0 + ((next - begin.1) / self.speed) as i64;
            if next_video <= next_audio {
                let key = self.frame.is_multiple_of(self.gop);
                self.n.video(
                    self.now,
                    (next.round() as i64 + self.video_offset) as u32,
                    picture(key, 0),
                );
                self.frame += 1;
                self.at += 1_000.0 / self.fps;
            } else {
                self.n
                    .audio(self.now, (next.round() as i64 + self.audio_offset) as u32, sound());
                self.audio_at += self.audio_ms;
            }
            drain(&mut self.n, &mut self.got);
        }
        self.now = begin.0 + ((end - begin.1) / self.speed) as i64;
        if !self.video {
            self.at = end;
        }
        if !self.audio {
            self.audio_at = end;
        }
        self
    }

    /// Nothing for a while.
    fn pause(&mut self, ms: i64) -> &mut Self {
        self.now += ms;
        self.n.tick(self.now);
        drain(&mut self.n, &mut self.got);
        self
    }

    fn done(&mut self) -> Got {
        self.n.finish();
        drain(&mut self.n, &mut self.got);
        std::mem::take(&mut self.got)
    }
}
