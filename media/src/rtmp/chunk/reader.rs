//! Chunks to messages.

use bytes::{Bytes, BytesMut};

use super::{DEFAULT_CHUNK_BYTES, Message, kind};

/// Largest chunk size taken at its word; a message is never longer, so larger ones mean the same.
const CHUNK_BYTES_MAX: u32 = 0xff_ffff;
/// Memory reserved for a message on its header's word alone; the rest only as its bytes arrive.
const RESERVE_BYTES_MAX: usize = 512 << 10;
/// Unused room that a finished message may keep.
const SLACK_BYTES_MAX: usize = 64;
/// Chunk streams remembered. Encoders use four or five.
const CHUNK_STREAMS_MAX: usize = 64;
/// The delta that a message with no header of its own takes over from a full header, at most. Read to the letter,
/// §5.3.1.2.4 makes that header's absolute timestamp the delta; beyond this bound that cannot be what was meant.
const INHERITED_DELTA_MS_MAX: u32 = 1_000;
/// An extended delta this close to the last timestamp is that timestamp's successor, not a delta of hours.
const ABSOLUTE_WINDOW_MS: u32 = 60_000;
const EXTENDED: u32 = 0xff_ffff;

/// Bounds on what unfinished messages may cost.
#[derive(Clone, Copy, Debug)]
pub struct ReaderLimits {
    /// Longest message, in bytes.
    pub message_bytes_max: usize,
    /// Unfinished messages at a time.
    pub partial_messages_max: usize,
    /// Bytes held for unfinished messages.
    pub partial_bytes_max: usize,
}

/// Why a chunk stream cannot go on.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkError {
    /// Zero, or the top bit is set (§5.4.1).
    #[error("chunk size {0:#x} is outside 1 to 0x7fffffff")]
    ChunkSize(u32),
    /// A message longer than the limit.
    #[error("message of {length} bytes; at most {max} are accepted")]
    MessageTooLong {
        /// As announced.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A chunk without a header on a chunk stream that has none yet.
    #[error("chunk stream {0} begins with a chunk that refers to an earlier one")]
    NoHistory(u32),
    /// Too many chunk streams, or too many unfinished messages.
    #[error("more than {0} messages or chunk streams at a time")]
    TooManyStreams(usize),
    /// Too many bytes in unfinished messages.
    #[error("unfinished messages hold more than {0} bytes")]
    PartialBytes(usize),
    /// A control message shorter than its fields.
    #[error("control message type {kind} of {length} bytes is too short")]
    ShortControl {
        /// Its type.
        kind: u8,
        /// Its length.
        length: usize,
    },
}

/// Turns bytes into messages. Set Chunk Size and Abort take effect here and are given out as well.
pub struct Reader {
    limits: ReaderLimits,
    chunk_bytes: usize,
    streams: Vec<ChunkStream>,
    partial_bytes: usize,
    partial_messages: usize,
    state: State,
    /// Header bytes of the chunk being read: 3 basic, 11 message, 4 extended at most.
    header: [u8; 18],
    header_len: usize,
    /// Bytes read ahead as an extended timestamp that turned out to be payload.
    carry: Carry,
}

#[derive(Clone, Copy)]
enum State {
    Header,
    /// `left` bytes of payload follow on `streams[index]`.
    Payload {
        index: usize,
        left: usize,
    },
}

#[derive(Default)]
struct Carry {
    bytes: [u8; 4],
    len: usize,
    at: usize,
}

struct ChunkStream {
    id: u32,
    timestamp: u32,
    /// What a message without its own time adds.
    delta: u32,
    /// The extended field of the last header that had a time, if it had one.
    extended: Option<u32>,
    length: usize,
    kind: u8,
    stream: u32,
    /// A message is begun.
    open: bool,
    payload: BytesMut,
}

impl Reader {
    /// At the beginning of a connection.
    pub fn new(limits: ReaderLimits) -> Self {
        Self {
            limits,
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            streams: Vec::with_capacity(8),
            partial_bytes: 0,
            partial_messages: 0,
            state: State::Header,
            header: [0; 18],
            header_len: 0,
            carry: Carry::default(),
        }
    }

    /// Reads on in `input`, which it advances, until a message is whole or the input is used up (`None`). Empty
    /// messages are passed over.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            if self.carry.at < self.carry.len {
                let carry = std::mem::take(&mut self.carry);
                let mut bytes = &carry.bytes[carry.at..carry.len];
                let message = self.step(&mut bytes)?;
                if self.carry.len == 0 {
                    let at = carry.len - bytes.len();
                    self.carry = Carry { at, ..carry };
                }
                if message.is_some() {
                    return Ok(message);
                }
            } else if input.is_empty() {
                return Ok(None);
            } else if let Some(message) = self.step(input)? {
                return Ok(Some(message));
            }
        }
    }

    /// One header, or one stretch of payload, or as much of either as there is.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        match self.state {
            State::Header => self.read_header(input),
            State::Payload { index, left } => self.read_payload(input, index, left),
        }
    }

    fn read_payload(&mut self, input: &mut &[u8], index: usize, left: usize) -> Result<Option<Message>, ChunkError> {
        let count = left.min(input.len());
        let (now, rest) = input.split_at(count);
        *input = rest;
        let stream = &mut self.streams[index];
        stream.payload.extend_from_slice(now);
        self.partial_bytes += count;
        if count < left {
            self.state = State::Payload {
                index,
                left: left - count,
            };
            return Ok(None);
        }
        self.state = State::Header;
        if stream.payload.len() < stream.length {
            if self.partial_bytes > self.limits.partial_bytes_max {
                return Err(ChunkError::PartialBytes(self.limits.partial_bytes_max));
            }
            return Ok(None);
        }
        self.finish(index).map(Some)
    }

    fn finish(&mut self, index: usize) -> Result<Message, ChunkError> {
        let stream = &mut self.streams[index];
        stream.open = false;
        self.partial_messages -= 1;
        self.partial_bytes -= stream.payload.len();
        let payload = std::mem::take(&mut stream.payload);
        // One that grew past what was reserved for it has up to twice its length.
        let payload = if payload.capacity() - payload.len() > SLACK_BYTES_MAX {
            Bytes::copy_from_slice(&payload)
        } else {
            payload.freeze()
        };
        let message = Message {
            chunk_stream: stream.id,
            timestamp: stream.timestamp,
            kind: stream.kind,
            stream: stream.stream,
            payload,
        };
        match message.kind {
            kind::SET_CHUNK_SIZE => {
                let size = control_u32(&message)?;
                if size == 0 || size >> 31 != 0 {
                    return Err(ChunkError::ChunkSize(size));
                }
                self.chunk_bytes = size.min(CHUNK_BYTES_MAX) as usize;
            }
            kind::ABORT => {
                let id = control_u32(&message)?;
                if let Some(index) = self.streams.iter().position(|s| s.id == id) {
                    self.drop_partial(index);
                }
            }
            _ => {}
        }
        Ok(message)
    }

    fn drop_partial(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        if stream.open {
            stream.open = false;
            self.partial_messages -= 1;
            self.partial_bytes -= stream.payload.len();
            stream.payload = BytesMut::new();
        }
    }

    /// Collects header bytes until `count` are there; false when the input ends before.
    fn collect(&mut self, input: &mut &[u8], count: usize) -> bool {
        let take = count.saturating_sub(self.header_len).min(input.len());
        let (now, rest) = input.split_at(take);
        self.header[self.header_len..self.header_len + take].copy_from_slice(now);
        self.header_len += take;
        *input = rest;
        self.header_len >= count
    }

    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        if !self.collect(input, 1) {
            return Ok(None);
        }
        let format = self.header[0] >> 6;
        let basic = match self.header[0] & 0x3f {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        let fields = basic + [11, 7, 3, 0][usize::from(format)];
        if !self.collect(input, fields) {
            return Ok(None);
        }
        let h = self.header;
        let id = match basic {
            1 => u32::from(h[0] & 0x3f),
            2 => u32::from(h[1]) + 64,
            _ => u32::from(h[2]) * 256 + u32::from(h[1]) + 64,
        };
        let known = self.streams.iter().position(|s| s.id == id);
        let fields_at = basic;
        let mut extended = None;
        if format < 3 {
            if u24(&h[fields_at..]) == EXTENDED {
                if !self.collect(input, fields + 4) {
                    return Ok(None);
                }
                extended = Some(u32_at(&self.header[fields..]));
            }
        } else {
            let stream = &self.streams[known.ok_or(ChunkError::NoHistory(id))?];
            // The field should be repeated here, and by some senders is not: it is a timestamp only if it equals one.
            if let Some(expected) = stream.extended {
                let timestamp = stream.timestamp;
                if !self.collect(input, fields + 4) {
                    return Ok(None);
                }
                let value = u32_at(&self.header[fields..]);
                if value != expected && value != timestamp {
                    self.carry.bytes.copy_from_slice(&self.header[fields..fields + 4]);
                    (self.carry.len, self.carry.at) = (4, 0);
                }
            }
        }
        self.header_len = 0;
        let index = match known {
            Some(index) => index,
            None => self.open_stream(id)?,
        };
        self.begin_chunk(index, format, &h[fields_at..fields], extended)
    }

    fn open_stream(&mut self, id: u32) -> Result<usize, ChunkError> {
        if self.streams.len() >= CHUNK_STREAMS_MAX {
            return Err(ChunkError::TooManyStreams(CHUNK_STREAMS_MAX));
        }
        self.streams.push(ChunkStream {
            id,
            timestamp: 0,
            delta: 0,
            extended: None,
            length: 0,
            kind: 0,
            stream: 0,
            open: false,
            payload: BytesMut::new(),
        });
        Ok(self.streams.len() - 1)
    }

    fn begin_chunk(
        &mut self,
        index: usize,
        format: u8,
        fields: &[u8],
        extended: Option<u32>,
    ) -> Result<Option<Message>, ChunkError> {
        if format < 3 {
            // A new header in the middle of a message gives the message up.
            self.drop_partial(index);
        }
        let stream = &mut self.streams[index];
        if format < 2 {
            stream.length = u24(&fields[3..]) as usize;
            stream.kind = fields[6];
        }
        if format < 3 {
            let time = extended.unwrap_or_else(|| u24(fields));
            stream.extended = extended;
            if format == 0 {
                stream.stream = u32::from_le_bytes([fields[7], fields[8], fields[9], fields[10]]);
                stream.timestamp = time;
                stream.delta = if time <= INHERITED_DELTA_MS_MAX { time } else { 0 };
            } else if extended.is_some() && time.wrapping_sub(stream.timestamp) < ABSOLUTE_WINDOW_MS {
                stream.delta = time.wrapping_sub(stream.timestamp);
                stream.timestamp = time;
            } else {
                stream.delta = time;
                stream.timestamp = stream.timestamp.wrapping_add(time);
            }
        } else if !stream.open {
            stream.timestamp = stream.timestamp.wrapping_add(stream.delta);
        }
        if !stream.open {
            if stream.length > self.limits.message_bytes_max {
                let max = self.limits.message_bytes_max;
                return Err(ChunkError::MessageTooLong {
                    length: stream.length,
                    max,
                });
            }
            if stream.length == 0 {
                return Ok(None);
            }
            if self.partial_messages >= self.limits.partial_messages_max {
                return Err(ChunkError::TooManyStreams(self.limits.partial_messages_max));
            }
            self.partial_messages += 1;
            stream.open = true;
            stream.payload = BytesMut::with_capacity(stream.length.min(RESERVE_BYTES_MAX));
        }
        let left = (stream.length - stream.payload.len()).min(self.chunk_bytes);
        self.state = State::Payload { index, left };
        Ok(None)
    }
}

fn control_u32(message: &Message) -> Result<u32, ChunkError> {
    let length = message.payload.len();
    let bytes = message.payload.get(..4).ok_or(ChunkError::ShortControl {
        kind: message.kind,
        length,
    })?;
    Ok(u32_at(bytes))
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2])
}

fn u32_at(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
