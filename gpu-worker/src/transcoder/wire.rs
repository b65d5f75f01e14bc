//! What the agent and its codec child say to one another: prost messages, each after its length as a varint.
//!
//! The agent writes [`ToChild`]: a [`Config`], the epoch's [`Unit`]s, a [`Flush`]; another config may follow. The
//! child answers with [`FromChild`]. Both ends are always of the same build, so fields may be renumbered freely.

use std::io::{self, BufRead, Read, Write};

use bytes::{Bytes, BytesMut};
use prost::Message;

/// Longest message that either side accepts, in bytes: an intra picture of 8K video fits several times.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Agent to child.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ToChild {
    /// What it says.
    #[prost(oneof = "to_child::Kind", tags = "1, 2, 3, 4")]
    pub kind: Option<to_child::Kind>,
}
/// Kinds of [`ToChild`].
pub mod to_child {
    /// What the agent says.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        /// A new epoch; what came before is drained first.
        #[prost(message, tag = "1")]
        Config(super::Config),
        /// One access unit of the source.
        #[prost(message, tag = "2")]
        Unit(super::Unit),
        /// Drain everything and say [`super::Flushed`].
        #[prost(message, tag = "3")]
        Flush(super::Flush),
        /// Pictures of one coded picture are wanted.
        #[prost(message, tag = "4")]
        Still(super::StillAsk),
    }
}

/// What to make of an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Config {
    /// The source's video, absent where none is encoded.
    #[prost(message, optional, tag = "1")]
    pub video: Option<VideoConfig>,
    /// The source's audio, absent where none is encoded.
    #[prost(message, optional, tag = "2")]
    pub audio: Option<AudioConfig>,
}
/// See [`Config::video`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct VideoConfig {
    /// The source's `avcC`.
    #[prost(bytes = "bytes", tag = "1")]
    pub avcc: Bytes,
    /// Luma samples.
    #[prost(uint32, tag = "2")]
    pub width: u32,
    /// Luma samples.
    #[prost(uint32, tag = "3")]
    pub height: u32,
    /// Frames/s × 1000; 0: unknown.
    #[prost(uint32, tag = "4")]
    pub fps_milli: u32,
    /// What to encode.
    #[prost(message, repeated, tag = "5")]
    pub rungs: Vec<Rung>,
    /// Encoders may use B pictures and a long lookahead.
    #[prost(bool, tag = "6")]
    pub standard_delay: bool,
    /// x264 preset.
    #[prost(string, tag = "7")]
    pub preset: String,
    /// Where IDR pictures are forced; absent: only where a unit asks for them.
    #[prost(message, optional, tag = "8")]
    pub grid: Option<Grid>,
    /// Frames before this lead the decoder there and are not encoded, 1/90000 s.
    #[prost(int64, tag = "9")]
    pub from: i64,
    /// More IDR pictures: at the first frame at or after each, 1/90000 s.
    #[prost(int64, repeated, tag = "10")]
    pub keys_at: Vec<i64>,
    /// Every part of the first segment starts with an IDR picture, parts being at most this long; 0: only the segment.
    #[prost(uint32, tag = "11")]
    pub part_target_ms: u32,
}
/// The grid of [`headwater_media::segmenter::Grid`], all in 1/90000 s.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Grid {
    /// Where the presentation epoch starts.
    #[prost(int64, tag = "1")]
    pub origin: i64,
    /// Where the first segment of this run starts.
    #[prost(int64, tag = "2")]
    pub start: i64,
    /// Distance of its points.
    #[prost(int64, tag = "3")]
    pub target: i64,
    /// Longest segment.
    #[prost(int64, tag = "4")]
    pub max: i64,
}
/// One rung; see the worker's messages for the meaning of each field.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Rung {
    /// Even.
    #[prost(uint32, tag = "1")]
    pub width: u32,
    /// Even.
    #[prost(uint32, tag = "2")]
    pub height: u32,
    /// Average, bits/s.
    #[prost(uint32, tag = "3")]
    pub bitrate_bps: u32,
    /// Ceiling; 0: none.
    #[prost(uint32, tag = "4")]
    pub fps_max_milli: u32,
}
/// See [`Config::audio`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct AudioConfig {
    /// The source's AudioSpecificConfig.
    #[prost(bytes = "bytes", tag = "1")]
    pub config: Bytes,
    /// Ticks per second of its units.
    #[prost(uint32, tag = "2")]
    pub timescale: u32,
    /// Average of the output, bits/s.
    #[prost(uint32, tag = "3")]
    pub bitrate_bps: u32,
}
/// One access unit of the source, in decode order within its track.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Unit {
    /// Else video.
    #[prost(bool, tag = "1")]
    pub audio: bool,
    /// Ticks of the track.
    #[prost(int64, tag = "2")]
    pub dts: i64,
    /// Ticks of the track.
    #[prost(int64, tag = "3")]
    pub pts: i64,
    /// The picture at this pts is to be an IDR in every rung.
    #[prost(bool, tag = "4")]
    pub force_idr: bool,
    /// The unit.
    #[prost(bytes = "bytes", tag = "5")]
    pub data: Bytes,
}
/// Drain.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Flush {
    /// Frames at or after this are not encoded any more, 1/90000 s.
    #[prost(int64, optional, tag = "1")]
    pub until: Option<i64>,
}

/// Child to agent.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FromChild {
    /// What it says.
    #[prost(oneof = "from_child::Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<from_child::Kind>,
}
/// Kinds of [`FromChild`].
pub mod from_child {
    /// What the child says.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Kind {
        /// An encoded unit.
        #[prost(message, tag = "1")]
        Encoded(super::Encoded),
        /// How it goes, about once a second while units come in.
        #[prost(message, tag = "2")]
        Progress(super::Progress),
        /// Something went wrong.
        #[prost(message, tag = "3")]
        Fault(super::Fault),
        /// All that was asked before the flush has been said.
        #[prost(message, tag = "4")]
        Flushed(super::Flushed),
        /// The codecs of a config are open.
        #[prost(message, tag = "5")]
        Opened(super::Opened),
        /// The pictures that were asked for.
        #[prost(message, tag = "6")]
        Still(super::StillMade),
    }
}
/// A coded picture to make pictures of. Each is answered, in order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StillAsk {
    /// Its `avcC`.
    #[prost(bytes = "bytes", tag = "1")]
    pub avcc: Bytes,
    /// A random access point: NAL units with lengths.
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
    /// Widths wanted, pixels; those beyond its own are left out.
    #[prost(uint32, repeated, tag = "3")]
    pub widths: Vec<u32>,
}
/// The answer to [`StillAsk`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct StillMade {
    /// The widest first.
    #[prost(message, repeated, tag = "1")]
    pub pictures: Vec<StillPicture>,
    /// It shows something: it is not black, nor of one colour.
    #[prost(bool, tag = "2")]
    pub shows: bool,
    /// Why there are no pictures; else empty.
    #[prost(string, tag = "3")]
    pub fault: String,
}
/// One of [`StillMade`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct StillPicture {
    /// Pixels.
    #[prost(uint32, tag = "1")]
    pub width: u32,
    /// Pixels.
    #[prost(uint32, tag = "2")]
    pub height: u32,
    /// A JPEG file.
    #[prost(bytes = "bytes", tag = "3")]
    pub jpeg: Bytes,
}
/// One encoded unit, in decode order within its rendition.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Encoded {
    /// Index into [`VideoConfig::rungs`], or [`AUDIO`].
    #[prost(uint32, tag = "1")]
    pub rendition: u32,
    /// 1/90000 s, audio 1/48000 s.
    #[prost(int64, tag = "2")]
    pub dts: i64,
    /// As `dts`; before it for B pictures.
    #[prost(int64, tag = "3")]
    pub pts: i64,
    /// Ticks until the next dts; 0: unknown.
    #[prost(uint32, tag = "4")]
    pub duration: u32,
    /// An IDR picture, or audio.
    #[prost(bool, tag = "5")]
    pub key: bool,
    /// The unit.
    #[prost(bytes = "bytes", tag = "6")]
    pub data: Bytes,
}
/// Configuration records of everything that will come.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Opened {
    /// `avcC` of each rung.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub video: Vec<Bytes>,
    /// AudioSpecificConfig; empty where no audio is made.
    #[prost(bytes = "bytes", tag = "2")]
    pub audio: Bytes,
}
/// The [`Encoded::rendition`] of audio.
pub const AUDIO: u32 = u32::MAX;

/// Figures since the config.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Progress {
    /// Source units taken in.
    #[prost(uint64, tag = "1")]
    pub units: u64,
    /// Pictures encoded over all rungs.
    #[prost(uint64, tag = "2")]
    pub encoded: u64,
    /// Units that did not decode.
    #[prost(uint64, tag = "3")]
    pub corrupt: u64,
}
/// See [`from_child::Kind::Fault`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fault {
    /// The child ends after this; else it carries on.
    #[prost(bool, tag = "1")]
    pub fatal: bool,
    /// The chain of causes.
    #[prost(string, tag = "2")]
    pub what: String,
}
/// See [`from_child::Kind::Flushed`].
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Flushed {}

/// Reads one message; `None` at the end of the stream between messages.
pub fn read<M: Message + Default>(input: &mut impl BufRead) -> io::Result<Option<M>> {
    let Some(length) = read_length(input)? else {
        return Ok(None);
    };
    let mut buffer = BytesMut::zeroed(length);
    input.read_exact(&mut buffer)?;
    let message = M::decode(buffer.freeze()).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(Some(message))
}

fn read_length(input: &mut impl Read) -> io::Result<Option<usize>> {
    let (mut length, mut shift) = (0_u64, 0);
    loop {
        let mut byte = [0];
        if input.read(&mut byte)? == 0 {
            return if shift == 0 {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        length |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 28 {
            return Err(too_long(u64::MAX));
        }
    }
    match usize::try_from(length) {
        Ok(length) if length <= MESSAGE_BYTES_MAX => Ok(Some(length)),
        _ => Err(too_long(length)),
    }
}

fn too_long(length: u64) -> io::Error {
    let what = format!("a message of {length} bytes; at most {MESSAGE_BYTES_MAX} are allowed");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes one message and flushes.
pub fn write(output: &mut impl Write, message: &impl Message) -> io::Result<()> {
    output.write_all(&message.encode_length_delimited_to_vec())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_and_bad_lengths_are_refused() {
        let message = ToChild {
            kind: Some(to_child::Kind::Unit(Unit {
                pts: -5,
                data: Bytes::from(vec![7; 300]),
                ..Unit::default()
            })),
        };
        let mut stream = Vec::new();
        write(&mut stream, &message).expect("a vector takes everything");
        write(&mut stream, &message).expect("a vector takes everything");
        let mut input = &stream[..];
        assert_eq!(read::<ToChild>(&mut input).expect("whole"), Some(message.clone()));
        assert_eq!(read::<ToChild>(&mut input).expect("whole"), Some(message));
        assert_eq!(read::<ToChild>(&mut input).expect("the end"), None);
        assert!(read::<ToChild>(&mut &stream[..40]).is_err(), "truncated");
        assert!(read::<ToChild>(&mut &[0xff; 6][..]).is_err(), "too long");
        assert!(read::<ToChild>(&mut &[2, 0xff, 0xff][..]).is_err(), "not a message");
    }
}
