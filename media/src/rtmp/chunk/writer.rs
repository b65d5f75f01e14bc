//! Messages to chunks.

use bytes::{BufMut, BytesMut};

use super::{DEFAULT_CHUNK_BYTES, Message, kind};

const EXTENDED: u32 = 0xff_ffff;

/// Writes messages as chunks, with the shortest header that the one before on the same chunk stream allows.
pub struct Writer {
    chunk_bytes: usize,
    last: Vec<Last>,
}

struct Last {
    chunk_stream: u32,
    timestamp: u32,
    delta: Option<u32>,
    kind: u8,
    stream: u32,
    length: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// At the beginning of a connection.
    pub fn new() -> Self {
        Self {
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            last: Vec::new(),
        }
    }

    /// Announces a chunk size (1 to 0xffffff) and uses it from the next message on.
    pub fn set_chunk_bytes(&mut self, out: &mut BytesMut, chunk_bytes: usize) {
        let chunk_bytes = chunk_bytes.clamp(1, 0xff_ffff);
        let payload = (chunk_bytes as u32).to_be_bytes().to_vec().into();
        self.write(
            out,
            &Message {
                chunk_stream: 2,
                timestamp: 0,
                kind: kind::SET_CHUNK_SIZE,
                stream: 0,
                payload,
            },
        );
        self.chunk_bytes = chunk_bytes;
    }

    /// Appends one message. `chunk_stream` is 2 to 65599.
    pub fn write(&mut self, out: &mut BytesMut, message: &Message) {
        let length = message.payload.len();
        let last = self.last.iter_mut().find(|l| l.chunk_stream == message.chunk_stream);
        let (mut format, mut time, mut delta) = (0u8, message.timestamp, None);
        if let Some(last) = &last {
            let step = message.timestamp.wrapping_sub(last.timestamp);
            // Time that goes back, or further than a delta without an extended field, needs a full header.
            if last.stream == message.stream && step < EXTENDED {
                delta = Some(step);
                time = step;
                format = match (last.kind == message.kind && last.length == length, last.delta == delta) {
                    (false, _) => 1,
                    (true, false) => 2,
                    (true, true) => 3,
                };
            }
        }
        let extended = (format == 0 && time >= EXTENDED).then_some(time);
        put_basic(out, format, message.chunk_stream);
        if format < 3 {
            put_u24(out, time.min(EXTENDED));
        }
        if format < 2 {
            put_u24(out, length as u32);
            out.put_u8(message.kind);
        }
        if format == 0 {
            out.put_u32_le(message.stream);
        }
        extended.iter().for_each(|&time| out.put_u32(time));
        for (index, chunk) in message.payload.chunks(self.chunk_bytes).enumerate() {
            if index > 0 {
                put_basic(out, 3, message.chunk_stream);
                extended.iter().for_each(|&time| out.put_u32(time));
            }
            out.put_slice(chunk);
        }
        let (kind, stream, timestamp) = (message.kind, message.stream, message.timestamp);
        let now = Last {
            chunk_stream: message.chunk_stream,
            timestamp,
            delta,
            kind,
            stream,
            length,
        };
        match last {
            Some(last) => *last = now,
            None => self.last.push(now),
        }
    }
}

fn put_basic(out: &mut BytesMut, format: u8, chunk_stream: u32) {
    let format = format << 6;
    match chunk_stream {
        0..64 => out.put_u8(format | chunk_stream as u8),
        64..320 => out.put_slice(&[format, (chunk_stream - 64) as u8]),
        _ => {
            let id = chunk_stream - 64;
            out.put_slice(&[format | 1, id as u8, (id >> 8) as u8]);
        }
    }
}

fn put_u24(out: &mut BytesMut, value: u32) {
    out.put_slice(&value.to_be_bytes()[1..]);
}
