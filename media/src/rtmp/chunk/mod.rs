//! The chunk stream of RTMP 1.0 §5.3: messages cut into chunks, several streams of them interleaved.

use bytes::Bytes;

mod reader;
mod writer;

pub use reader::{ChunkError, Reader, ReaderLimits};
pub use writer::Writer;

/// Chunk size of both directions until a peer announces another (§5.4.1).
pub const DEFAULT_CHUNK_BYTES: usize = 128;

/// `message type id` values (§5.4, §6, §7.1).
pub mod kind {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const PEER_BANDWIDTH: u8 = 6;
    /// An FLV audio tag body.
    pub const AUDIO: u8 = 8;
    /// An FLV video tag body.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3.
    pub const DATA_AMF3: u8 = 15;
    /// A command in AMF3.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA_AMF0: u8 = 18;
    /// A command in AMF0.
    pub const COMMAND_AMF0: u8 = 20;
    /// Several messages in one.
    pub const AGGREGATE: u8 = 22;
}

/// One whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chunk stream it came on, or is to go on.
    pub chunk_stream: u32,
    /// Milliseconds; wraps.
    pub timestamp: u32,
    /// See [`kind`].
    pub kind: u8,
    /// Message stream id.
    pub stream: u32,
    /// Its bytes.
    pub payload: Bytes,
}

#[cfg(test)]
mod tests;
