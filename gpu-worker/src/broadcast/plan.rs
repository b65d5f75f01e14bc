//! What a presentation epoch is made of: which renditions, each from the source's own units or from the codec child.

use bytes::Bytes;
use headwater_media::cmaf::init_segment;
use headwater_media::codec::{aac, h264};
use headwater_media::segmenter::{LatencyMode, Mode};
use headwater_media::window::{Kind, Rendition};
use headwater_media::{CodecConfig, Epoch, Timescale, Track, TrackId, TrackKind};
use headwater_model::ladder::{AUDIO_RENDITION, SOURCE_RUNG};
use headwater_model::proto::worker::Rung;

use crate::pipeline::fps_under;
use crate::transcoder::wire;

/// Assumed where neither parameter sets nor units tell, frames/s × 1000.
const FPS_UNKNOWN_MILLI: u32 = 30_000;
/// Assumed of a passed-through source whose rate nobody measured, bits/s.
const SOURCE_UNKNOWN_BPS: u32 = 6_000_000;
/// Bits per second per pixel of an encoded source rung whose rate nobody chose: 5 Mbit/s at 1080p30.
const SOURCE_BITS_PER_PIXEL: f64 = 0.08;

/// Where a rendition's units come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The source's own units of this track.
    Source(TrackId),
    /// The codec child's rung of this index.
    Rung(u32),
    /// The codec child's audio.
    Audio,
}

/// One rendition of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Where its units come from.
    pub input: Input,
    /// Its description; init segment and codec string are empty until the child has told its records.
    pub rendition: Rendition,
    /// Parameter sets of pictures, as they stand in an access unit; empty as long as the init segment.
    pub in_band: Bytes,
}

/// A presentation epoch's renditions, and the child's part in it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Video first, as the ladder has it.
    pub lines: Vec<Line>,
    /// Who decides about boundaries.
    pub mode: Mode,
    /// The track that boundaries are read from.
    pub lead: TrackId,
    /// What the child is to make; `None` needs no child.
    pub child: Option<wire::Config>,
}

/// What is wanted of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The ladder as the scheduler assigned it.
    pub ladder: &'a [Rung],
    /// Segment lengths, and how much delay encoders may add.
    pub latency: LatencyMode,
    /// x264 preset.
    pub preset: &'a str,
    /// Bits/s of encoded audio.
    pub audio_bps: u32,
    /// The source may be passed through, as far as its units went so far.
    pub passthrough: bool,
    /// The child may be used: it has not crashed on this input too often.
    pub encode: bool,
    /// Rungs that are not encoded, because the machine cannot.
    pub shed: &'a [String],
    /// Frames/s × 1000 as the units say; 0 when unknown.
    pub fps_milli: u32,
}

impl Plan {
    /// `None` when nothing can be made of these tracks.
    pub(crate) fn of(source: &Epoch, wish: &Wish<'_>) -> Option<Self> {
        let video = source.tracks.iter().find(|t| t.config.kind() == TrackKind::Video);
        let audio = source.tracks.iter().find(|t| t.config.kind() == TrackKind::Audio);
        let mut plan = Self {
            lines: Vec::new(),
            mode: Mode::Grid,
            lead: video.or(audio)?.id,
            child: None,
        };
        let mut child = wire::Config::default();
        if let Some(track) = video {
            plan.video(track, wish, &mut child);
        }
        if let Some(track) = audio {
            plan.audio(track, wish, &mut child);
        }
        if plan.lines.first().is_some_and(|l| l.rendition.kind == Kind::Audio) {
            plan.lead = audio?.id;
        }
        plan.child = (child.video.is_some() || child.audio.is_some()).then_some(child);
        (!plan.lines.is_empty()).then_some(plan)
    }

    fn video(&mut self, track: &Track, wish: &Wish<'_>, child: &mut wire::Config) {
        let CodecConfig::H264(config) = &track.config else {
            return;
        };
        let sps = config.sps();
        let fps_milli = match (wish.fps_milli, sps.frame_rate) {
            (0, Some((num, den))) => (u64::from(num) * 1_000 / u64::from(den.max(1))) as u32,
            (0, None) => FPS_UNKNOWN_MILLI,
            (told, _) => told,
        };
        let passthrough = wish.passthrough && can_pass(config);
        let mut rungs = Vec::new();
        for rung in wish.ladder {
            if rung.passthrough && passthrough {
                self.mode = Mode::Source;
                self.lines.push(source_line(track, config, rung, fps_milli));
            } else if wish.encode && !wish.shed.contains(&rung.name) {
                let rung = sized(rung, config);
                let mut rendition = blank(&rung.name, Kind::Video, Timescale::VIDEO.get());
                rendition.bandwidth_bps = rung.bitrate_bps.saturating_add(rung.bitrate_bps / 10);
                rendition.average_bandwidth_bps = rung.bitrate_bps;
                (rendition.width, rendition.height) = (rung.width, rung.height);
                rendition.fps_milli = fps_under(fps_milli, rung.fps_max_milli);
                self.lines.push(Line {
                    input: Input::Rung(rungs.len() as u32),
                    rendition,
                    in_band: Bytes::new(),
                });
                rungs.push(wire::Rung {
                    width: rung.width,
                    height: rung.height,
                    bitrate_bps: rung.bitrate_bps,
                    fps_max_milli: rung.fps_max_milli,
                });
            }
        }
        if !rungs.is_empty() {
            child.video = Some(wire::VideoConfig {
                avcc: track.config.record().clone(),
                width: sps.width,
                height: sps.height,
                fps_milli,
                rungs,
                standard_delay: wish.latency == LatencyMode::Standard,
                preset: wish.preset.to_owned(),
                ..wire::VideoConfig::default()
            });
        }
    }

    fn audio(&mut self, track: &Track, wish: &Wish<'_>, child: &mut wire::Config) {
        let CodecConfig::Aac(config) = &track.config else {
            return;
        };
        let mut rendition = blank(AUDIO_RENDITION, Kind::Audio, track.timescale.get());
        rendition.language = track.language.clone().unwrap_or_default();
        (rendition.bandwidth_bps, rendition.average_bandwidth_bps) = (192_000, 128_000);
        if plays_everywhere(config) {
            rendition.codecs = config.codec_string();
            rendition.sample_rate = config.output_rate();
            rendition.channels = config.channels().map_or(2, u32::from);
            rendition.init = init_segment(track);
            self.lines.push(Line {
                input: Input::Source(track.id),
                rendition,
                in_band: Bytes::new(),
            });
        } else if wish.encode {
            (rendition.timescale, rendition.sample_rate, rendition.channels) = (48_000, 48_000, 2);
            (rendition.bandwidth_bps, rendition.average_bandwidth_bps) = (wish.audio_bps / 2 * 3, wish.audio_bps);
            self.lines.push(Line {
                input: Input::Audio,
                rendition,
                in_band: Bytes::new(),
            });
            child.audio = Some(wire::AudioConfig {
                config: track.config.record().clone(),
                timescale: track.timescale.get(),
                bitrate_bps: wish.audio_bps,
            });
        }
    }

    /// The same without these encoded rungs.
    pub(crate) fn without(mut self, names: &[String]) -> Self {
        let mut kept = Vec::new();
        self.lines.retain_mut(|line| match &mut line.input {
            Input::Rung(_) if names.contains(&line.rendition.name) => false,
            Input::Rung(index) => {
                kept.push(*index);
                *index = kept.len() as u32 - 1;
                true
            }
            Input::Source(_) | Input::Audio => true,
        });
        let child = self.child.take().map(|mut child| {
            if let Some(video) = &mut child.video {
                let rung = |index: &u32| video.rungs.get(*index as usize).cloned();
                video.rungs = kept.iter().filter_map(rung).collect();
            }
            child.video.take_if(|video| video.rungs.is_empty());
            child
        });
        self.child = child.filter(|child| child.video.is_some() || child.audio.is_some());
        self
    }

    /// Video renditions that the child makes.
    pub(crate) fn encoded(&self) -> impl Iterator<Item = &Rendition> {
        let rungs = self.lines.iter().filter(|line| matches!(line.input, Input::Rung(_)));
        rungs.map(|line| &line.rendition)
    }

    /// Pixels per second that the child encodes.
    pub(crate) fn encode_px_per_s(&self) -> u64 {
        self.encoded().map(px_per_s).sum()
    }

    /// Fills in what the child told of its records. `false` where a record cannot be read.
    pub(crate) fn opened(lines: &mut [Line], opened: &wire::Opened) -> bool {
        lines.iter_mut().all(|line| {
            let config = match line.input {
                Input::Source(_) => return true,
                Input::Rung(index) => opened
                    .video
                    .get(index as usize)
                    .and_then(|record| h264::Config::parse(record.clone()).ok())
                    .map(CodecConfig::H264),
                Input::Audio => aac::Config::parse(opened.audio.clone()).ok().map(CodecConfig::Aac),
            };
            let Some(config) = config else { return false };
            if let CodecConfig::H264(config) = &config {
                line.in_band = config.in_band();
            }
            let rendition = &mut line.rendition;
            rendition.codecs = config.codec_string();
            let language = Some(rendition.language.clone()).filter(|l| !l.is_empty());
            let track = Track {
                id: TrackId(0),
                timescale: rendition.scale(),
                config,
                language,
            };
            rendition.init = init_segment(&track);
            true
        })
    }
}

/// Pixels per second of a rendition.
pub(crate) fn px_per_s(rendition: &Rendition) -> u64 {
    u64::from(rendition.width) * u64::from(rendition.height) * u64::from(rendition.fps_milli) / 1_000
}

/// What every player decodes: progressive 4:2:0 of 8 bits.
fn can_pass(config: &h264::Config) -> bool {
    let sps = config.sps();
    !sps.interlaced && sps.chroma == 1 && sps.bit_depth == 8 && sps.bit_depth_chroma == 8
}

/// AAC-LC of at most two channels at the usual rates.
fn plays_everywhere(config: &aac::Config) -> bool {
    config.object_type() == 2
        && !config.sbr()
        && config.channels().is_some_and(|c| (1..=2).contains(&c))
        && matches!(config.output_rate(), 44_100 | 48_000)
}

fn source_line(track: &Track, config: &h264::Config, rung: &Rung, fps_milli: u32) -> Line {
    let sps = config.sps();
    let mut rendition = blank(&rung.name, Kind::Video, track.timescale.get());
    let average = if rung.bitrate_bps == 0 {
        SOURCE_UNKNOWN_BPS
    } else {
        rung.bitrate_bps
    };
    // Nobody caps a publisher's peaks: a fifth above the average is what encoders set to a constant rate reach.
    rendition.bandwidth_bps = average.saturating_add(average / 5);
    rendition.average_bandwidth_bps = average;
    rendition.codecs = config.codec_string();
    (rendition.width, rendition.height, rendition.fps_milli) = (sps.width, sps.height, fps_milli);
    (rendition.sar_num, rendition.sar_den) = sps.sample_aspect;
    rendition.init = init_segment(track);
    Line {
        input: Input::Source(track.id),
        rendition,
        in_band: config.in_band(),
    }
}

/// The rung with figures of its own: a source rung that has to be encoded may come without.
fn sized(rung: &Rung, config: &h264::Config) -> Rung {
    let sps = config.sps();
    let (num, den) = match sps.sample_aspect {
        (num, den) if num > 0 && den > 0 => (u64::from(num), u64::from(den)),
        _ => (1, 1),
    };
    let mut rung = rung.clone();
    if rung.width == 0 || rung.height == 0 {
        rung.width = (u64::from(sps.width) * num / den) as u32;
        rung.height = sps.height;
    }
    (rung.width, rung.height) = ((rung.width & !1).clamp(16, 8_192), (rung.height & !1).clamp(16, 8_192));
    if rung.bitrate_bps == 0 {
        let pixels_per_s = f64::from(rung.width) * f64::from(rung.height) * 30.0;
        rung.bitrate_bps = (pixels_per_s * SOURCE_BITS_PER_PIXEL) as u32;
    }
    if rung.name.is_empty() {
        SOURCE_RUNG.clone_into(&mut rung.name);
    }
    rung
}

fn blank(name: &str, kind: Kind, timescale: u32) -> Rendition {
    Rendition {
        name: name.to_owned(),
        kind,
        timescale,
        codecs: String::new(),
        bandwidth_bps: 0,
        average_bandwidth_bps: 0,
        width: 0,
        height: 0,
        fps_milli: 0,
        sample_rate: 0,
        channels: 0,
        language: String::new(),
        sar_num: 1,
        sar_den: 1,
        init: Bytes::new(),
    }
}
