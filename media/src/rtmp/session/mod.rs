//! One publisher's connection, seen from the server.

use std::collections::VecDeque;

use bytes::Bytes;

use super::handshake::{HandshakeError, RANDOM_BYTES};
use crate::flv::Metadata;

/// Bounds on what one connection may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest message accepted, in bytes.
    pub message_bytes_max: usize,
    /// Messages begun but not complete, at a time.
    pub partial_messages_max: usize,
    /// Bytes held for messages begun but not complete.
    pub partial_bytes_max: usize,
    /// Commands before the first accepted `publish`.
    pub commands_before_publish_max: u32,
    /// Bytes of media held while a publish is being decided on.
    pub undecided_bytes_max: usize,
    /// Bytes of answers not yet taken by the caller.
    pub output_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 8 << 20,
            partial_messages_max: 32,
            partial_bytes_max: 16 << 20,
            commands_before_publish_max: 64,
            undecided_bytes_max: 4 << 20,
            output_bytes_max: 256 << 10,
        }
    }
}

/// What the publisher said in `connect`. Every field may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connect {
    /// Application; may hold path items, a query, even the key.
    pub app: String,
    /// The address as the publisher was given it. May hold the key: never log it.
    pub tc_url: String,
    /// The encoder's own name for itself.
    pub flash_version: String,
    /// The publisher understands a reconnect request (Enhanced RTMP `capsEx` bit 0).
    pub can_reconnect: bool,
}

/// A publisher wants to go live. Answer with [`ServerSession::accept_publish`] or
/// [`ServerSession::reject_publish`]; until then no further event is given out.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// From `connect`.
    pub connect: Connect,
    /// First argument of `publish`: usually the stream key. Never log it.
    pub name: String,
}

/// What the publisher did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// `connect` was answered.
    Connected(Connect),
    /// `publish` awaits an answer.
    PublishRequested(Publish),
    /// `onMetaData`: hints, never facts.
    Metadata(Metadata),
    /// An FLV audio tag body.
    Audio {
        /// Milliseconds as sent; wraps.
        timestamp: u32,
        /// The whole message.
        payload: Bytes,
    },
    /// An FLV video tag body.
    Video {
        /// Milliseconds as sent; wraps.
        timestamp: u32,
        /// The whole message.
        payload: Bytes,
    },
    /// Another data message, such as `onTextData`.
    Data {
        /// Milliseconds as sent; wraps.
        timestamp: u32,
        /// Name of the handler.
        name: String,
    },
    /// The publish ended.
    Unpublished {
        /// The publisher said so; otherwise the connection went away.
        clean: bool,
    },
}

/// Why a publish is refused; chooses the status code, which decides what the encoder shows and whether it retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is unknown, revoked or malformed.
    Denied,
    /// The channel is live from another encoder that keeps it.
    BadName,
    /// Right key, but not now: suspended, over its plan, wrong protocol.
    Rejected,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No byte yet: a port probe looks like this.
    Silent,
    /// In the handshake.
    Handshake,
    /// Talking, not publishing.
    Connected,
    /// A publish awaits its answer.
    Deciding,
    /// Publishing.
    Publishing,
    /// Refused or failed; write what [`ServerSession::take_output`] still gives, then close.
    Closing,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The first bytes are not RTMP's.
    #[error("handshake failed")]
    Handshake(#[from] HandshakeError),
}

/// One connection, seen from the server. See [`super`].
pub struct ServerSession {
    events: VecDeque<Event>,
    #[expect(dead_code, reason = "read by the chunk layer, which follows")]
    limits: Limits,
}

impl ServerSession {
    /// `random` fills the handshake; it needs no secrecy, only to differ between connections.
    pub fn new(limits: Limits, random: [u8; RANDOM_BYTES]) -> Self {
        let _ = random;
        Self {
            events: VecDeque::new(),
            limits,
        }
    }

    /// Takes bytes as they came from the socket, split anywhere. On `Err` the connection cannot go on: take the
    /// events and the output that are left, then close.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let _ = bytes;
        Ok(())
    }

    /// The next event; call until `None` after every [`Self::receive`]. Gives nothing while a publish awaits its
    /// answer.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to write to the socket, all that there are.
    pub fn take_output(&mut self) -> Option<Bytes> {
        None
    }

    /// Lets the waiting publish go live. Does nothing when none waits.
    pub fn accept_publish(&mut self) {}

    /// Refuses the waiting publish (or ends the running one) with a sentence for the streamer. The stage is
    /// [`Stage::Closing`] afterwards.
    pub fn reject_publish(&mut self, refusal: Refusal, description: &str) {
        let _ = (refusal, description);
    }

    /// The socket has closed: a running publish ends unclean, unfinished messages are dropped.
    pub fn disconnected(&mut self) {}

    /// Asks the publisher for a sign of life. `timestamp` comes back in its answer.
    pub fn ping(&mut self, timestamp: u32) {
        let _ = timestamp;
    }

    /// Asks the publisher to come back on a new connection. False when it does not know how: close instead.
    pub fn request_reconnect(&mut self, description: &str) -> bool {
        let _ = description;
        false
    }

    /// How far the connection has come.
    pub fn stage(&self) -> Stage {
        Stage::Silent
    }

    /// Bytes received, handshake included.
    pub fn bytes_received(&self) -> u64 {
        0
    }
}
