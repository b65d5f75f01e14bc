//! Audio tag bodies.

use bytes::Bytes;

use super::enhanced::{Cursor, TrackBody};
use super::{FlvError, FourCc};

/// An audio codec that a tag can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioCodec {
    /// AAC: legacy id 10, or `mp4a`.
    Aac,
    /// MP3: legacy ids 2 and 14, or `.mp3`.
    Mp3,
    /// Opus.
    Opus,
    /// AC-3.
    Ac3,
    /// E-AC-3.
    Eac3,
    /// FLAC.
    Flac,
    /// Another legacy format: 0 and 3 PCM, 1 ADPCM, 4 to 6 Nellymoser, 7 and 8 G.711, 11 Speex, 15 the device's own.
    Legacy(u8),
    /// Another FourCC.
    Other(FourCc),
}

/// What one track of a message holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioTag {
    /// Track number; 0 is the default one.
    pub track: u8,
    /// Which codec.
    pub codec: AudioCodec,
    /// Its content.
    pub body: AudioBody,
}

/// Content of an audio tag.
#[derive(Clone, Debug, PartialEq)]
pub enum AudioBody {
    /// The codec's configuration; for AAC the AudioSpecificConfig. The rate and channels in a legacy tag's first
    /// byte are constants for AAC and mean nothing.
    Config(Bytes),
    /// One block of coded audio.
    Frame(Bytes),
    /// The sequence has ended; more may follow.
    End,
    /// Nothing that sound is made of: silence, channel maps, unknown packet types.
    Ignored,
}

const ENHANCED: u8 = 9;
const MULTITRACK: u8 = 5;

/// Takes an audio message apart. An empty one, which stands for silence, has no tags.
pub fn audio(payload: Bytes) -> Result<Vec<AudioTag>, FlvError> {
    let Some(&first) = payload.first() else {
        return Ok(Vec::new());
    };
    let mut cursor = Cursor::new(payload, 1);
    if first >> 4 == ENHANCED {
        let packet_type = cursor.packet_type(first & 0xf)?;
        return Ok(cursor
            .tracks(packet_type, MULTITRACK)?
            .into_iter()
            .map(enhanced)
            .collect());
    }
    let codec = match first >> 4 {
        10 => AudioCodec::Aac,
        2 | 14 => AudioCodec::Mp3,
        id => AudioCodec::Legacy(id),
    };
    let body = match codec {
        AudioCodec::Aac => match cursor.u8()? {
            0 => AudioBody::Config(cursor.rest()),
            1 => frame(cursor.rest()),
            _ => AudioBody::Ignored,
        },
        _ => frame(cursor.rest()),
    };
    Ok(vec![AudioTag { track: 0, codec, body }])
}

fn enhanced(track: TrackBody) -> AudioTag {
    let codec = match &track.codec.0 {
        b"mp4a" => AudioCodec::Aac,
        b".mp3" => AudioCodec::Mp3,
        b"Opus" => AudioCodec::Opus,
        b"ac-3" => AudioCodec::Ac3,
        b"ec-3" => AudioCodec::Eac3,
        b"fLaC" => AudioCodec::Flac,
        _ => AudioCodec::Other(track.codec),
    };
    let body = match track.packet_type {
        0 => AudioBody::Config(track.data),
        1 => frame(track.data),
        2 => AudioBody::End,
        _ => AudioBody::Ignored,
    };
    AudioTag {
        track: track.track,
        codec,
        body,
    }
}

fn frame(data: Bytes) -> AudioBody {
    if data.is_empty() {
        AudioBody::Ignored
    } else {
        AudioBody::Frame(data)
    }
}
