//! Real media for the tests: pictures and sound that ffmpeg encodes once, cut and packaged by `media` as a worker does.

use std::process::Command;
use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use headwater_media::cmaf::{ChunkWriter, init_segment};
use headwater_media::codec::{aac, h264};
use headwater_media::segmenter::{self, Boundaries, Cut, Event, LatencyMode, Mode, Segmenter};
use headwater_media::window::key::{Key, SegmentName};
use headwater_media::window::{Description, Epoch, Index, Kind, Rendition};
use headwater_media::{AccessUnit, CodecConfig, MediaTime, Timescale, Track, TrackId, TrackKind};
use headwater_model::proto::worker::live_event::Kind as EventKind;
use headwater_model::proto::worker::{self as proto, LiveEvent};

/// Seconds that ffmpeg encodes; longer broadcasts repeat them.
const SOURCE_S: i64 = 4;
const FPS: i64 = 30;
const AUDIO_HZ: u32 = 48_000;

struct Source {
    video: Track,
    audio: Track,
    pictures: Vec<(Bytes, bool)>,
    sounds: Vec<Bytes>,
}

/// Everything a worker has to say about a broadcast of some length.
pub struct Made {
    pub presentation: proto::Presentation,
    /// Parts and segments of all renditions, in the order in which they are finished.
    pub events: Vec<LiveEvent>,
}

/// One broadcast (or a stretch of it) to make.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub latency: LatencyMode,
    pub seconds: i64,
    pub generation: u64,
    /// Wall clock at which each epoch begins, on the timeline: (seconds, Unix milliseconds).
    pub second_epoch_at_s: Option<i64>,
}

impl Recipe {
    pub fn low(seconds: i64) -> Self {
        Self {
            latency: LatencyMode::Low,
            seconds,
            generation: 1,
            second_epoch_at_s: None,
        }
    }

    pub fn generation(self, generation: u64) -> Self {
        Self { generation, ..self }
    }
}

/// Makes the broadcast with a passed-through picture ("source") and its sound ("audio").
pub fn make(tenant: &str, broadcast: &str, recipe: Recipe) -> Made {
    let source = source();
    let mut epochs = Vec::new();
    let mut events = Vec::new();
    let mut first_seq = 0;
    let split = recipe.second_epoch_at_s.unwrap_or(recipe.seconds);
    for (index, (from_s, to_s)) in [(0, split), (split, recipe.seconds)].into_iter().enumerate() {
        if from_s == to_s {
            continue;
        }
        epochs.push(epoch(source, index as u32, first_seq, from_s));
        first_seq = cut(source, recipe, index as u32, first_seq, from_s, to_s, &mut events);
    }
    let presentation = proto::Presentation {
        tenant_id: tenant.into(),
        broadcast_id: broadcast.into(),
        generation: recipe.generation,
        target_duration_s: recipe.latency.target_duration_s(),
        part_target_ms: recipe.latency.part_target_ms(),
        latency_mode: recipe.latency.as_str().into(),
        epochs,
    };
    Made { presentation, events }
}

pub fn event(kind: EventKind) -> LiveEvent {
    LiveEvent { kind: Some(kind) }
}

impl Made {
    /// (key below the broadcast's prefix, bytes) of everything a worker stores until the end.
    pub fn objects(&self) -> Vec<(String, Bytes)> {
        let mut objects = Vec::new();
        for epoch in &self.presentation.epochs {
            for rendition in &epoch.renditions {
                let key = Key::Init {
                    rendition: &rendition.name,
                    first_seq: epoch.first_seq,
                };
                objects.push((key.to_string(), rendition.init.clone()));
            }
            let json = serde_json::to_vec(&self.description(epoch)).expect("plain data");
            objects.push((
                Key::Epoch {
                    first_seq: epoch.first_seq,
                }
                .to_string(),
                json.into(),
            ));
        }
        for (rendition, name, bytes) in self.segments() {
            objects.push((
                Key::Segment {
                    rendition: &rendition,
                    name,
                }
                .to_string(),
                bytes,
            ));
        }
        objects
    }

    /// `index.json`
    pub fn index(&self) -> Bytes {
        let index = Index {
            epochs: self
                .presentation
                .epochs
                .iter()
                .map(|epoch| self.description(epoch))
                .collect(),
            segments: self
                .segments()
                .into_iter()
                .map(|(rendition, name, bytes)| {
                    (
                        Key::Segment {
                            rendition: &rendition,
                            name,
                        }
                        .to_string(),
                        bytes.len() as u64,
                    )
                })
                .collect(),
        };
        serde_json::to_vec(&index).expect("plain data").into()
    }

    /// Every segment: rendition, name, bytes.
    pub fn segments(&self) -> Vec<(String, SegmentName, Bytes)> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                Some(EventKind::Segment(segment)) => Some(segment),
                _ => None,
            })
            .map(|s| {
                let name = SegmentName {
                    seq: s.seq,
                    generation: s.generation,
                    decode_time: s.decode_time,
                    duration: s.duration,
                };
                (
                    s.rendition.clone(),
                    name,
                    self.parts(&s.rendition, s.seq).concat().into(),
                )
            })
            .collect()
    }

    /// The name by which DASH asks for a segment, `t{decode time}.m4s`.
    pub fn timed(&self, rendition: &str, seq: u64) -> String {
        let first = self.events.iter().find_map(|event| match &event.kind {
            Some(EventKind::Part(part)) if part.rendition == rendition && part.seq == seq => Some(part.decode_time),
            _ => None,
        });
        format!("t{}.m4s", first.expect("it has a part"))
    }

    /// The parts of one segment.
    pub fn parts(&self, rendition: &str, seq: u64) -> Vec<Bytes> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                Some(EventKind::Part(part)) if part.rendition == rendition && part.seq == seq => {
                    Some(part.data.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// What is said of the segments with these numbers.
    pub fn of_segments(&self, seqs: std::ops::RangeInclusive<u64>) -> Vec<LiveEvent> {
        let seq = |event: &LiveEvent| match &event.kind {
            Some(EventKind::Part(part)) => Some(part.seq),
            Some(EventKind::Segment(segment)) => Some(segment.seq),
            _ => None,
        };
        let wanted = |event: &&LiveEvent| seq(event).is_some_and(|seq| seqs.contains(&seq));
        self.events.iter().filter(wanted).cloned().collect()
    }

    /// Index of the event that finishes `seq` in every rendition, plus one.
    pub fn through_segment(&self, seq: u64) -> usize {
        let last = self
            .events
            .iter()
            .rposition(|event| matches!(&event.kind, Some(EventKind::Segment(s)) if s.seq == seq));
        last.expect("the broadcast is that long") + 1
    }

    fn description(&self, epoch: &proto::PresentationEpoch) -> Description {
        Description {
            latency_mode: self.presentation.latency_mode.clone(),
            generation: self.presentation.generation,
            epoch: Epoch {
                index: epoch.index,
                first_seq: epoch.first_seq,
                start_90k: epoch.start_90k,
                wallclock_ms: epoch.wallclock_ms,
                renditions: epoch.renditions.iter().map(plain).collect(),
            },
        }
    }
}

fn plain(r: &proto::Rendition) -> Rendition {
    Rendition {
        name: r.name.clone(),
        kind: if r.kind == "video" { Kind::Video } else { Kind::Audio },
        timescale: r.timescale,
        codecs: r.codecs.clone(),
        bandwidth_bps: r.bandwidth_bps,
        average_bandwidth_bps: r.average_bandwidth_bps,
        width: r.width,
        height: r.height,
        fps_milli: r.fps_milli,
        sample_rate: r.sample_rate,
        channels: r.channels,
        language: r.language.clone(),
        sar_num: r.sar_num,
        sar_den: r.sar_den,
        init: Bytes::new(),
    }
}

fn epoch(source: &Source, index: u32, first_seq: u64, from_s: i64) -> proto::PresentationEpoch {
    let video = proto::Rendition {
        name: "source".into(),
        kind: "video".into(),
        timescale: 90_000,
        codecs: source.video.config.codec_string(),
        bandwidth_bps: 600_000,
        average_bandwidth_bps: 500_000,
        width: 320,
        height: 180,
        fps_milli: 30_000,
        init: init_segment(&source.video),
        ..Default::default()
    };
    let audio = proto::Rendition {
        name: "audio".into(),
        kind: "audio".into(),
        timescale: AUDIO_HZ,
        codecs: source.audio.config.codec_string(),
        bandwidth_bps: 70_000,
        average_bandwidth_bps: 64_000,
        sample_rate: AUDIO_HZ,
        channels: 1,
        init: init_segment(&source.audio),
        ..Default::default()
    };
    proto::PresentationEpoch {
        index,
        first_seq,
        start_90k: from_s * 90_000,
        wallclock_ms: 1_767_225_600_000 + from_s * 1_000,
        renditions: vec![video, audio],
    }
}

/// Cuts one epoch; returns the first number after it.
fn cut(
    source: &Source,
    recipe: Recipe,
    epoch: u32,
    first_seq: u64,
    from_s: i64,
    to_s: i64,
    events: &mut Vec<LiveEvent>,
) -> u64 {
    let latency = recipe.latency;
    let config = segmenter::Config {
        mode: Mode::Source,
        latency,
        epoch,
    };
    let mut boundaries = Boundaries::new(config, first_seq);
    let hz = Timescale::new(AUDIO_HZ).expect("not zero");
    let mut video = Line::new("source", TrackKind::Video, Timescale::VIDEO, recipe);
    let mut audio = Line::new("audio", TrackKind::Audio, hz, recipe);
    let mut last_seq = first_seq;
    let mut sounds = (from_s * i64::from(AUDIO_HZ) / 1_024 + 1)..;
    let mut sound = sounds.next();
    for n in from_s * FPS..to_s * FPS {
        let (data, key) = &source.pictures[(n % source.pictures.len() as i64) as usize];
        let at = MediaTime::video(n * 90_000 / FPS);
        let unit = AccessUnit {
            track: TrackId::VIDEO,
            dts: at,
            pts: at,
            duration: Some((90_000 / FPS) as u32),
            key: *key,
            data: data.clone(),
        };
        while let Some(n) = sound.filter(|n| MediaTime::new(n * 1_024, hz) <= at) {
            let at = MediaTime::new(n * 1_024, hz);
            let data = source.sounds[(n % source.sounds.len() as i64) as usize].clone();
            let unit = AccessUnit {
                track: TrackId::AUDIO,
                dts: at,
                pts: at,
                duration: Some(1_024),
                key: true,
                data,
            };
            audio.segmenter.push(unit).expect("in order");
            sound = sounds.next();
        }
        boundaries.push(&unit);
        while let Some(event) = boundaries.poll() {
            match event {
                Event::Boundary { seq, at } => {
                    last_seq = seq;
                    video.segmenter.boundary(seq, at).expect("in order");
                    audio.segmenter.boundary(seq, at).expect("in order");
                }
                Event::Watermark { at } => audio.segmenter.watermark(at),
                Event::Unfit { .. } => panic!("the test source has a steady GOP"),
            }
        }
        video.segmenter.push(unit).expect("in order");
        video.drain(events);
        audio.drain(events);
    }
    video.segmenter.finish(Some(MediaTime::video(to_s * 90_000)));
    audio.segmenter.finish(None);
    video.drain(events);
    audio.drain(events);
    last_seq + 1
}

struct Line {
    name: &'static str,
    segmenter: Segmenter,
    writer: ChunkWriter,
    generation: u64,
    size_bytes: u64,
}

impl Line {
    fn new(name: &'static str, kind: TrackKind, scale: Timescale, recipe: Recipe) -> Self {
        Self {
            name,
            segmenter: Segmenter::new(kind, scale, recipe.latency.part_target_ms()),
            writer: ChunkWriter::new(kind),
            generation: recipe.generation,
            size_bytes: 0,
        }
    }

    fn drain(&mut self, events: &mut Vec<LiveEvent>) {
        while let Some(cut) = self.segmenter.poll() {
            events.push(match cut {
                Cut::Part(part) => {
                    let data = self.writer.write(&part, None);
                    self.size_bytes += data.len() as u64;
                    event(EventKind::Part(proto::Part {
                        rendition: self.name.into(),
                        seq: part.seq,
                        index: part.index,
                        generation: self.generation,
                        decode_time: part.decode_time,
                        duration: part.duration,
                        independent: part.independent,
                        data,
                        arrival_us: 0,
                        durable_seq: 0,
                    }))
                }
                Cut::Segment(segment) => event(EventKind::Segment(proto::Segment {
                    rendition: self.name.into(),
                    seq: segment.seq,
                    generation: self.generation,
                    decode_time: segment.start,
                    duration: segment.duration,
                    size_bytes: std::mem::take(&mut self.size_bytes),
                    parts: segment.parts,
                    data: Bytes::new(),
                    durable_seq: 0,
                })),
            });
        }
    }
}

fn source() -> &'static Source {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let seconds = SOURCE_S.to_string();
        let h264_bytes = ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=30",
            "-t",
            &seconds,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "0",
            "-g",
            "30",
            "-keyint_min",
            "30",
            "-sc_threshold",
            "0",
            "-x264-params",
            "aud=1",
            "-pix_fmt",
            "yuv420p",
            "-f",
            "h264",
            "-",
        ]);
        let adts = ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000",
            "-t",
            &seconds,
            "-c:a",
            "aac",
            "-b:a",
            "64k",
            "-f",
            "adts",
            "-",
        ]);
        let (config, pictures) = pictures(&h264_bytes);
        let audio = aac::Config::new(2, AUDIO_HZ, 1).expect("AAC-LC mono");
        let track = |id, timescale, config| Track {
            id,
            timescale,
            config,
            language: None,
        };
        Source {
            video: track(TrackId::VIDEO, Timescale::VIDEO, CodecConfig::H264(config)),
            audio: track(
                TrackId::AUDIO,
                Timescale::new(AUDIO_HZ).expect("not zero"),
                CodecConfig::Aac(audio),
            ),
            pictures,
            sounds: sounds(&adts),
        }
    })
}

fn ffmpeg(args: &[&str]) -> Bytes {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(args)
        .output()
        .expect("ffmpeg is installed");
    assert!(out.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout.into()
}

/// Access units with 4-byte lengths, and whether each is an IDR, of a byte stream with access unit delimiters.
fn pictures(stream: &Bytes) -> (h264::Config, Vec<(Bytes, bool)>) {
    let (mut sps, mut pps) = (Vec::new(), Vec::new());
    let mut units: Vec<(BytesMut, bool)> = Vec::new();
    for range in h264::nal::by_start_code(stream) {
        let nal = stream.slice(range);
        match nal[0] & 0x1f {
            9 => units.push((BytesMut::new(), false)),
            7 if sps.is_empty() => sps.push(nal),
            8 if pps.is_empty() => pps.push(nal),
            6..=8 => {}
            kind => {
                let (unit, key) = units.last_mut().expect("a delimiter comes first");
                unit.put_u32(nal.len() as u32);
                unit.extend_from_slice(&nal);
                *key |= kind == 5;
            }
        }
    }
    let config = h264::Config::from_parameter_sets(&sps, &pps).expect("x264 writes good parameter sets");
    (
        config,
        units.into_iter().map(|(unit, key)| (unit.freeze(), key)).collect(),
    )
}

/// Raw AAC frames of an ADTS stream (ISO/IEC 13818-7 §6.2).
fn sounds(stream: &Bytes) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at + 7 <= stream.len() {
        let header = &stream[at..at + 7];
        let size = (usize::from(header[3] & 3) << 11) | (usize::from(header[4]) << 3) | usize::from(header[5] >> 5);
        let start = if header[1] & 1 == 1 { 7 } else { 9 };
        frames.push(stream.slice(at + start..at + size));
        at += size;
    }
    frames
}
