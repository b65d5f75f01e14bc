//! Init segments: `ftyp` and `moov` of one track.

use bytes::Bytes;

use super::atom::{Atom, FourCc};
use super::chunk::{AUDIO_TRACK_ID, VIDEO_TRACK_ID};
use super::ftyp::Ftyp;
use super::moov::{
    Avc1, Btrt, Colr, Esds, Hdlr, Mdhd, Mdia, MediaHeader, Minf, Moov, Mp4a, Mvex, Mvhd, Pasp, SampleEntry, Stbl, Stsd,
    Tkhd, Trak, Trex,
};
use crate::codec::{aac, h264};
use crate::unit::{CodecConfig, Track, TrackKind};

/// Bit rates that a sample entry states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitrate {
    /// Bits/s.
    pub max_bps: u32,
    /// Bits/s.
    pub average_bps: u32,
}

impl From<Bitrate> for Btrt {
    fn from(rate: Bitrate) -> Self {
        Self {
            buffer_size: 0,
            max_bitrate: rate.max_bps,
            average_bitrate: rate.average_bps,
        }
    }
}

/// The init segment of one track: track_ID 1 for pictures, 2 for sound. The same track gives the same bytes.
pub fn init_segment(track: &Track) -> Bytes {
    init_segment_with(track, None)
}

/// The same, stating bit rates.
pub fn init_segment_with(track: &Track, bitrate: Option<Bitrate>) -> Bytes {
    let kind = track.config.kind();
    let (entry, shown) = match &track.config {
        CodecConfig::H264(config) => avc1(config, bitrate),
        CodecConfig::Aac(config) => (mp4a(config, track.timescale.get(), bitrate), (0, 0)),
    };
    let track_id = if kind == TrackKind::Video {
        VIDEO_TRACK_ID
    } else {
        AUDIO_TRACK_ID
    };
    let (handler, header, volume) = match kind {
        TrackKind::Video => (Hdlr::VIDEO, MediaHeader::Video, 0),
        TrackKind::Audio => (Hdlr::AUDIO, MediaHeader::Audio, 0x0100),
    };
    let moov = Moov {
        header: Mvhd {
            timescale: track.timescale.get(),
            duration: 0,
            next_track_id: track_id + 1,
        },
        traks: vec![Trak {
            header: Tkhd {
                track_id,
                duration: 0,
                volume,
                width: shown.0 << 16,
                height: shown.1 << 16,
            },
            media: Mdia {
                header: Mdhd {
                    timescale: track.timescale.get(),
                    duration: 0,
                    language: language(track.language.as_deref()),
                },
                handler,
                info: Minf {
                    header,
                    table: Stbl {
                        descriptions: Stsd { entries: vec![entry] },
                    },
                },
            },
        }],
        extends: Mvex {
            tracks: vec![trex(track_id)],
        },
    };
    let mut out = Vec::with_capacity(1_024);
    brands(kind, &moov).encode(&mut out);
    moov.encode(&mut out);
    out.into()
}

/// Defaults that every chunk overrides or does not need.
pub(super) fn trex(track_id: u32) -> Trex {
    Trex {
        track_id,
        default_sample_description_index: 1,
        default_duration: 0,
        default_size: 0,
        default_flags: 0,
    }
}

/// CMAF's structural brands, and the media profile where the track meets one (ISO/IEC 23000-19 Annex A).
fn brands(kind: TrackKind, moov: &Moov) -> Ftyp {
    // Not `cmf2`: it wants the first sample shown as it decodes, which takes negative offsets (see `Part::decode_lead`).
    let mut compatible = [*b"iso6", *b"mp41", *b"cmfc", *b"dash"].map(FourCc).to_vec();
    let small = |trak: &Trak| (trak.header.width >> 16) <= 1_920 && (trak.header.height >> 16) <= 1_080;
    match kind {
        TrackKind::Video if moov.traks.iter().all(small) => compatible.push(FourCc(*b"cfhd")),
        TrackKind::Video => {}
        TrackKind::Audio => compatible.push(FourCc(*b"caac")),
    }
    Ftyp {
        major: FourCc(*b"cmfc"),
        minor: 0,
        compatible,
    }
}

fn avc1(config: &h264::Config, bitrate: Option<Bitrate>) -> (SampleEntry, (u32, u32)) {
    let sps = config.sps();
    let (num, den) = sps.sample_aspect;
    let square = num == den || num == 0 || den == 0;
    let unspecified = [sps.colour.primaries, sps.colour.transfer, sps.colour.matrix] == [2, 2, 2];
    let entry = SampleEntry::Avc1(Avc1 {
        width: u16::try_from(sps.width).unwrap_or(u16::MAX),
        height: u16::try_from(sps.height).unwrap_or(u16::MAX),
        record: config.record().clone(),
        colour: (!unspecified).then(|| Colr {
            primaries: sps.colour.primaries.into(),
            transfer: sps.colour.transfer.into(),
            matrix: sps.colour.matrix.into(),
            full_range: sps.colour.full_range,
        }),
        aspect: (!square).then_some(Pasp {
            h_spacing: num,
            v_spacing: den,
        }),
        bitrate: bitrate.map(Btrt::from),
    });
    let width = if square {
        sps.width
    } else {
        let wide = (u64::from(sps.width) * u64::from(num) + u64::from(den) / 2) / u64::from(den);
        u32::try_from(wide).unwrap_or(u32::MAX)
    };
    (entry, (width.min(0xffff), sps.height.min(0xffff)))
}

fn mp4a(config: &aac::Config, timescale: u32, bitrate: Option<Bitrate>) -> SampleEntry {
    SampleEntry::Mp4a(Mp4a {
        channels: config.channels().map_or(2, u16::from),
        sample_rate: u16::try_from(timescale).unwrap_or(0),
        stream: Esds {
            max_bitrate: bitrate.map_or(0, |b| b.max_bps),
            average_bitrate: bitrate.map_or(0, |b| b.average_bps),
            record: config.record().clone(),
        },
        bitrate: bitrate.map(Btrt::from),
    })
}

/// The three letters of `mdhd` for a BCP 47 tag: where its language has three, those; for the common ones with two,
/// their ISO 639-2/T code; else `und`.
fn language(tag: Option<&str>) -> [u8; 3] {
    let primary = tag
        .and_then(|tag| tag.split('-').next())
        .unwrap_or("")
        .to_ascii_lowercase();
    let three = match primary.as_str() {
        "ar" => "ara",
        "cs" => "ces",
        "da" => "dan",
        "de" => "deu",
        "el" => "ell",
        "en" => "eng",
        "es" => "spa",
        "fi" => "fin",
        "fr" => "fra",
        "he" => "heb",
        "hi" => "hin",
        "hu" => "hun",
        "id" => "ind",
        "it" => "ita",
        "ja" => "jpn",
        "ko" => "kor",
        "nl" => "nld",
        "no" | "nb" => "nor",
        "pl" => "pol",
        "pt" => "por",
        "ro" => "ron",
        "ru" => "rus",
        "sv" => "swe",
        "th" => "tha",
        "tr" => "tur",
        "uk" => "ukr",
        "vi" => "vie",
        "zh" => "zho",
        other => other,
    };
    match three.as_bytes() {
        letters @ &[a, b, c] if letters.iter().all(u8::is_ascii_lowercase) => [a, b, c],
        _ => Mdhd::UNDETERMINED,
    }
}
