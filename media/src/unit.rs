//! The small types where every protocol meets: tracks, epochs and access units.

use bytes::Bytes;

use crate::codec::{aac, h264};
use crate::time::{MediaTime, Timescale};

/// A track's number within its broadcast. Video tracks count from 0, audio tracks from 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u32);

impl TrackId {
    /// The first video track.
    pub const VIDEO: Self = Self(0);
    /// The first audio track.
    pub const AUDIO: Self = Self(128);
}

/// What a track shows or sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// A codec with its parsed configuration record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CodecConfig {
    /// H.264 / AVC.
    H264(h264::Config),
    /// AAC.
    Aac(aac::Config),
}

impl CodecConfig {
    /// Whether pictures or sound.
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::H264(_) => TrackKind::Video,
            Self::Aac(_) => TrackKind::Audio,
        }
    }

    /// The record as it stands in the sample entry: avcC or AudioSpecificConfig.
    pub fn record(&self) -> &Bytes {
        match self {
            Self::H264(c) => c.record(),
            Self::Aac(c) => c.record(),
        }
    }

    /// RFC 6381 codec string, from the record itself.
    pub fn codec_string(&self) -> String {
        match self {
            Self::H264(c) => c.codec_string(),
            Self::Aac(c) => c.codec_string(),
        }
    }
}

/// One elementary stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Its number.
    pub id: TrackId,
    /// Scale of its units' times: 90 000 for video, the sample rate for audio.
    pub timescale: Timescale,
    /// Codec and configuration.
    pub config: CodecConfig,
    /// BCP 47, where the publisher says.
    pub language: Option<String>,
}

/// Why an epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochCause {
    /// The broadcast's first.
    Start,
    /// The publisher came back.
    Reconnect,
    /// A codec configuration changed in meaning.
    Config,
    /// The publisher's clock jumped.
    Jump,
    /// A track came or went.
    Track,
}

impl EpochCause {
    /// The word used in messages, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reconnect => "reconnect",
            Self::Config => "config",
            Self::Jump => "jump",
            Self::Track => "track",
        }
    }
}

/// A stretch of the timeline with unchanged tracks and an unbroken clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Counts from 0 within the broadcast.
    pub index: u32,
    /// Where it starts, 1/90000 s. Epoch 0 starts at 0.
    pub start_90k: i64,
    /// Unix milliseconds of `start_90k`.
    pub wallclock_ms: i64,
    /// Its tracks, video first.
    pub tracks: Vec<Track>,
    /// Why it began.
    pub cause: EpochCause,
}

/// The coded bytes of one picture or audio block, in decode order.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessUnit {
    /// Whose.
    pub track: TrackId,
    /// Decode time in the track's timescale; strictly increasing within a track and epoch.
    pub dts: MediaTime,
    /// Presentation time in the track's timescale; never before `dts`.
    pub pts: MediaTime,
    /// Ticks until the track's next unit where the source's grid is steady; `None` when unknown.
    pub duration: Option<u32>,
    /// Video: an IDR picture. Audio: always.
    pub key: bool,
    /// H.264: NAL units with 4-byte lengths; no AUD, filler or parameter sets. AAC: one raw frame.
    pub data: Bytes,
}
