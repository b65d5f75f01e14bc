//! Aggregate messages (RTMP 1.0 §7.1.6): several messages in one, each with an FLV tag header.

use super::super::chunk::Message;

/// Bytes of an inner header; a back pointer of 4 bytes follows each body.
const HEADER_BYTES: usize = 11;

/// The inner messages, up to where the outer one is cut off. Their times count from the first one's, which stands
/// for the outer message's.
pub(super) fn split(outer: &Message) -> impl Iterator<Item = Message> + '_ {
    let payload = &outer.payload;
    let mut at = 0;
    let mut first = None;
    std::iter::from_fn(move || {
        loop {
            let h = payload.get(at..at + HEADER_BYTES)?;
            let length = u32::from_be_bytes([0, h[1], h[2], h[3]]) as usize;
            let time = u32::from_be_bytes([h[7], h[4], h[5], h[6]]);
            let body = at + HEADER_BYTES;
            if length > payload.len() - body {
                return None;
            }
            at = body + length + 4;
            let base = *first.get_or_insert(time);
            if length > 0 {
                return Some(Message {
                    chunk_stream: outer.chunk_stream,
                    timestamp: outer.timestamp.wrapping_add(time.wrapping_sub(base)),
                    kind: h[0],
                    stream: outer.stream,
                    payload: payload.slice(body..body + length),
                });
            }
        }
    })
}
