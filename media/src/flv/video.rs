//! Video tag bodies.

use bytes::Bytes;

use super::enhanced::{Cursor, TrackBody};
use super::{FlvError, FourCc};

/// A video codec that a tag can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoCodec {
    /// H.264: legacy id 7, or `avc1`.
    H264,
    /// HEVC: `hvc1`, `hev1`, or the unofficial legacy id 12.
    Hevc,
    /// AV1: `av01`, or the unofficial legacy id 13.
    Av1,
    /// VP9.
    Vp9,
    /// VP8.
    Vp8,
    /// VVC.
    Vvc,
    /// Another legacy codec id: 2 H.263, 3 and 6 screen video, 4 and 5 VP6.
    Legacy(u8),
    /// Another FourCC.
    Other(FourCc),
}

/// What one track of a message holds.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoTag {
    /// Track number; 0 is the default one.
    pub track: u8,
    /// Which codec.
    pub codec: VideoCodec,
    /// Its content.
    pub body: VideoBody,
}

/// Content of a video tag.
#[derive(Clone, Debug, PartialEq)]
pub enum VideoBody {
    /// The decoder configuration record.
    Config(Bytes),
    /// One access unit.
    Frame {
        /// Presentation time minus decode time, in milliseconds. As sent: may be negative or absurd.
        composition_ms: i32,
        /// The tag claims a key frame. The bitstream knows better.
        key: bool,
        /// Coded bytes.
        data: Bytes,
    },
    /// The sequence has ended; more may follow.
    End,
    /// Nothing that pictures are made of: commands, metadata, unknown packet types.
    Ignored,
}

const FRAME_KEY: u8 = 1;
const FRAME_COMMAND: u8 = 5;
const MULTITRACK: u8 = 6;

/// Takes a video message apart. An empty one has no tags.
pub fn video(payload: Bytes) -> Result<Vec<VideoTag>, FlvError> {
    let Some(&first) = payload.first() else {
        return Ok(Vec::new());
    };
    let frame_type = first >> 4 & 7;
    let mut cursor = Cursor::new(payload, 1);
    if first & 0x80 == 0 {
        let codec = legacy_codec(first & 0xf);
        let body = if frame_type == FRAME_COMMAND {
            VideoBody::Ignored
        } else {
            legacy(codec, frame_type, cursor)?
        };
        return Ok(vec![VideoTag { track: 0, codec, body }]);
    }
    let packet_type = cursor.packet_type(first & 0xf)?;
    if frame_type == FRAME_COMMAND && packet_type != 4 {
        return Ok(Vec::new());
    }
    let tracks = cursor.tracks(packet_type, MULTITRACK)?;
    tracks
        .into_iter()
        .map(|track| enhanced(track, frame_type == FRAME_KEY))
        .collect()
}

fn legacy(codec: VideoCodec, frame_type: u8, mut cursor: Cursor) -> Result<VideoBody, FlvError> {
    let key = frame_type == FRAME_KEY;
    if matches!(codec, VideoCodec::Legacy(_)) {
        return Ok(VideoBody::Frame {
            composition_ms: 0,
            key,
            data: cursor.rest(),
        });
    }
    let packet_type = cursor.u8()?;
    let composition_ms = signed_24(cursor.number(3)?);
    Ok(match packet_type {
        0 => VideoBody::Config(cursor.rest()),
        1 => VideoBody::Frame {
            composition_ms,
            key,
            data: cursor.rest(),
        },
        2 => VideoBody::End,
        _ => VideoBody::Ignored,
    })
}

fn enhanced(track: TrackBody, key: bool) -> Result<VideoTag, FlvError> {
    let codec = codec_of(track.codec);
    let mut cursor = Cursor::new(track.data, 0);
    let timed = matches!(codec, VideoCodec::H264 | VideoCodec::Hevc | VideoCodec::Vvc);
    let body = match track.packet_type {
        0 => VideoBody::Config(cursor.rest()),
        1 if timed => {
            let composition_ms = signed_24(cursor.number(3)?);
            VideoBody::Frame {
                composition_ms,
                key,
                data: cursor.rest(),
            }
        }
        1 | 3 => VideoBody::Frame {
            composition_ms: 0,
            key,
            data: cursor.rest(),
        },
        2 => VideoBody::End,
        _ => VideoBody::Ignored,
    };
    Ok(VideoTag {
        track: track.track,
        codec,
        body,
    })
}

fn legacy_codec(id: u8) -> VideoCodec {
    match id {
        7 => VideoCodec::H264,
        12 => VideoCodec::Hevc,
        13 => VideoCodec::Av1,
        id => VideoCodec::Legacy(id),
    }
}

fn codec_of(four_cc: FourCc) -> VideoCodec {
    match &four_cc.0 {
        b"avc1" => VideoCodec::H264,
        b"hvc1" | b"hev1" => VideoCodec::Hevc,
        b"av01" => VideoCodec::Av1,
        b"vp09" => VideoCodec::Vp9,
        b"vp08" => VideoCodec::Vp8,
        b"vvc1" => VideoCodec::Vvc,
        _ => VideoCodec::Other(four_cc),
    }
}

fn signed_24(value: u32) -> i32 {
    (value << 8) as i32 >> 8
}
