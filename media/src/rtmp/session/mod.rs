//! One publisher's connection, seen from the server.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

use super::chunk::{self, ChunkError, Message, kind};
use super::handshake::{self, HandshakeError, PACKET_BYTES, RANDOM_BYTES};
use crate::flv::Metadata;

mod aggregate;
mod command;
mod reply;

/// Chunk size announced for what we send. FFmpeg's publisher takes it over for what it sends, and so leaves its
/// default of 128 bytes, which doubles the cost on both sides.
pub const CHUNK_BYTES: usize = 65_536;
/// Acknowledgement window announced, and the most bytes between two acknowledgements of ours.
pub const ACKNOWLEDGE_BYTES: u32 = 2_500_000;
/// Longest command, in bytes.
const COMMAND_BYTES_MAX: usize = 64 << 10;
/// Longest data message looked at, in bytes; longer ones are passed over.
const DATA_BYTES_MAX: usize = 256 << 10;

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
#[derive(Clone, Default, PartialEq)]
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
#[derive(Clone, PartialEq)]
pub struct Publish {
    /// From `connect`.
    pub connect: Connect,
    /// First argument of `publish`: usually the stream key. Never log it.
    pub name: String,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("flash_version", &self.flash_version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("name", &"[redacted]")
            .finish_non_exhaustive()
    }
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
    /// The chunk stream is broken or beyond its limits.
    #[error("chunk stream failed")]
    Chunk(#[from] ChunkError),
    /// A command longer than any known one.
    #[error("command of {0} bytes; at most {COMMAND_BYTES_MAX} are accepted")]
    CommandTooLong(usize),
    /// The peer talks and does not publish.
    #[error("{0} commands and no publish")]
    TooManyCommands(u32),
    /// Media beyond [`Limits::undecided_bytes_max`] before the publish was decided on.
    #[error("more than {0} bytes of media before the publish was answered")]
    TooEager(usize),
    /// The peer asks and does not read the answers.
    #[error("more than {0} bytes of answers wait")]
    OutputBacklog(usize),
}

/// One connection, seen from the server. See [`super`].
pub struct ServerSession {
    limits: Limits,
    phase: Phase,
    reader: chunk::Reader,
    writer: chunk::Writer,
    output: BytesMut,
    events: VecDeque<Event>,
    received: u64,
    acknowledged: u64,
    /// The peer's window, at which it wants an acknowledgement.
    window: u32,
    connect: Connect,
    commands: u32,
    streams: u32,
    says_fc_publish: bool,
    publish: PublishState,
    /// Bytes of media queued since a publish began to wait.
    undecided_bytes: usize,
}

enum Phase {
    /// C0 and C1 are being collected.
    Hello {
        random: Box<[u8; RANDOM_BYTES]>,
        collected: Vec<u8>,
    },
    /// C2 is passed over: many encoders do not echo what they should.
    Echo {
        left: usize,
    },
    Chunks,
    Closing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PublishState {
    None,
    /// `asked` once the request was given out by [`ServerSession::poll_event`].
    Waiting {
        stream: u32,
        asked: bool,
    },
    Running {
        stream: u32,
    },
}

impl ServerSession {
    /// `random` fills the handshake; it needs no secrecy, only to differ between connections.
    pub fn new(limits: Limits, random: [u8; RANDOM_BYTES]) -> Self {
        let reader = chunk::Reader::new(chunk::ReaderLimits {
            message_bytes_max: limits.message_bytes_max,
            partial_messages_max: limits.partial_messages_max,
            partial_bytes_max: limits.partial_bytes_max,
        });
        Self {
            limits,
            phase: Phase::Hello {
                random: Box::new(random),
                collected: Vec::new(),
            },
            reader,
            writer: chunk::Writer::new(),
            output: BytesMut::new(),
            events: VecDeque::new(),
            received: 0,
            acknowledged: 0,
            window: ACKNOWLEDGE_BYTES,
            connect: Connect::default(),
            commands: 0,
            streams: 0,
            says_fc_publish: false,
            publish: PublishState::None,
            undecided_bytes: 0,
        }
    }

    /// Takes bytes as they came from the socket, split anywhere. On `Err` the connection cannot go on: take the
    /// events and the output that are left, then close. What comes after a refusal is passed over.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.received += bytes.len() as u64;
        let mut input = bytes;
        let result = self.handshake(&mut input).and_then(|()| self.chunks(&mut input));
        if result.is_err() {
            self.phase = Phase::Closing;
        }
        result
    }

    fn handshake(&mut self, input: &mut &[u8]) -> Result<(), SessionError> {
        if let Phase::Hello { random, collected } = &mut self.phase {
            let (now, rest) = input.split_at(input.len().min(1 + PACKET_BYTES - collected.len()));
            collected.extend_from_slice(now);
            *input = rest;
            if let Some(&version) = collected.first() {
                handshake::check_version(version).inspect_err(|stranger| {
                    let word = handshake::word_to(*stranger).unwrap_or_default();
                    self.output.extend_from_slice(word.as_bytes());
                })?;
            }
            if let Ok(c1) = <&[u8; PACKET_BYTES]>::try_from(collected.get(1..).unwrap_or_default()) {
                self.output.extend_from_slice(&handshake::answer(c1, random));
                self.phase = Phase::Echo { left: PACKET_BYTES };
            }
        }
        if let Phase::Echo { left } = &mut self.phase {
            let count = input.len().min(*left);
            *input = &input[count..];
            *left -= count;
            if *left == 0 {
                self.phase = Phase::Chunks;
                // The first moment at which a server may speak (RTMP 1.0 §5.2.1).
                self.writer.set_chunk_bytes(&mut self.output, CHUNK_BYTES);
            }
        }
        Ok(())
    }

    fn chunks(&mut self, input: &mut &[u8]) -> Result<(), SessionError> {
        while matches!(self.phase, Phase::Chunks) {
            let Some(message) = self.reader.read(input)? else { break };
            self.message(message)?;
        }
        let due = u64::from(self.window.min(ACKNOWLEDGE_BYTES));
        if matches!(self.phase, Phase::Chunks) && self.received - self.acknowledged >= due {
            self.acknowledged = self.received;
            self.reply_control(kind::ACKNOWLEDGEMENT, &(self.received as u32).to_be_bytes());
        }
        if self.output.len() > self.limits.output_bytes_max {
            return Err(SessionError::OutputBacklog(self.limits.output_bytes_max));
        }
        Ok(())
    }

    fn message(&mut self, message: Message) -> Result<(), SessionError> {
        match message.kind {
            kind::AUDIO | kind::VIDEO | kind::DATA_AMF0 | kind::DATA_AMF3 => self.media(message),
            kind::AGGREGATE => aggregate::split(&message).try_for_each(|inner| self.media(inner)),
            kind::COMMAND_AMF0 | kind::COMMAND_AMF3 => self.command(&message),
            kind::USER_CONTROL => {
                // A ping is answered with its own timestamp.
                if let [0, 6, timestamp @ ..] = &message.payload[..]
                    && timestamp.len() == 4
                {
                    self.reply_control(kind::USER_CONTROL, &[&[0, 7], timestamp].concat());
                }
                Ok(())
            }
            kind::WINDOW_SIZE => {
                if let Some(&[a, b, c, d]) = message.payload.first_chunk::<4>() {
                    self.window = u32::from_be_bytes([a, b, c, d]).max(1);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Media counts while a publish waits or runs, on whatever message stream: some encoders use 0.
    fn media(&mut self, message: Message) -> Result<(), SessionError> {
        match self.publish {
            PublishState::None => return Ok(()),
            PublishState::Waiting { .. } => {
                self.undecided_bytes += message.payload.len() + size_of::<Event>();
                if self.undecided_bytes > self.limits.undecided_bytes_max {
                    return Err(SessionError::TooEager(self.limits.undecided_bytes_max));
                }
            }
            PublishState::Running { .. } => {}
        }
        let (timestamp, payload) = (message.timestamp, message.payload);
        let event = match message.kind {
            kind::AUDIO => Some(Event::Audio { timestamp, payload }),
            kind::VIDEO => Some(Event::Video { timestamp, payload }),
            kind::DATA_AMF0 | kind::DATA_AMF3 if payload.len() <= DATA_BYTES_MAX => command::data(timestamp, &payload),
            _ => None,
        };
        self.events.extend(event);
        Ok(())
    }

    /// The next event; call until `None` after every [`Self::receive`]. Gives nothing while a publish awaits its
    /// answer.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let PublishState::Waiting { asked, .. } = &mut self.publish {
            if *asked {
                return None;
            }
            *asked = matches!(self.events.front(), Some(Event::PublishRequested(_)));
        }
        self.events.pop_front()
    }

    /// Bytes to write to the socket, all that there are.
    pub fn take_output(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| self.output.split().freeze())
    }

    /// Lets the waiting publish go live. Does nothing when none waits.
    pub fn accept_publish(&mut self) {
        if let PublishState::Waiting { stream, .. } = self.publish {
            self.publish = PublishState::Running { stream };
            self.undecided_bytes = 0;
            self.reply_started(stream);
        }
    }

    /// Refuses the waiting publish (or ends the running one) with a sentence for the streamer. The stage is
    /// [`Stage::Closing`] afterwards. What came in before the end of a running publish is still given out.
    pub fn reject_publish(&mut self, refusal: Refusal, description: &str) {
        let stream = match self.publish {
            PublishState::None => return,
            PublishState::Waiting { stream, .. } => {
                self.events.clear();
                stream
            }
            PublishState::Running { stream } => stream,
        };
        self.publish = PublishState::None;
        self.reply_status(stream, "error", refusal.code(), description);
        self.phase = Phase::Closing;
    }

    /// The socket has closed: a running publish ends unclean, unfinished messages are dropped.
    pub fn disconnected(&mut self) {
        self.end_publish(false);
        self.phase = Phase::Closing;
    }

    fn end_publish(&mut self, clean: bool) {
        if self.publish != PublishState::None {
            self.publish = PublishState::None;
            self.undecided_bytes = 0;
            self.events.push_back(Event::Unpublished { clean });
        }
    }

    /// Asks the publisher for a sign of life. `timestamp` comes back in its answer.
    pub fn ping(&mut self, timestamp: u32) {
        if matches!(self.phase, Phase::Chunks) {
            self.reply_control(kind::USER_CONTROL, &[&[0, 6][..], &timestamp.to_be_bytes()].concat());
        }
    }

    /// Asks the publisher to come back on a new connection. False when it does not know how: close instead.
    pub fn request_reconnect(&mut self, description: &str) -> bool {
        let asks = self.connect.can_reconnect && matches!(self.phase, Phase::Chunks);
        if asks {
            self.reply_status(0, "status", "NetConnection.Connect.ReconnectRequest", description);
        }
        asks
    }

    /// How far the connection has come.
    pub fn stage(&self) -> Stage {
        match (&self.phase, self.publish) {
            (Phase::Closing, _) => Stage::Closing,
            _ if self.received == 0 => Stage::Silent,
            (Phase::Hello { .. } | Phase::Echo { .. }, _) => Stage::Handshake,
            (Phase::Chunks, PublishState::None) => Stage::Connected,
            (Phase::Chunks, PublishState::Waiting { .. }) => Stage::Deciding,
            (Phase::Chunks, PublishState::Running { .. }) => Stage::Publishing,
        }
    }

    /// Bytes received, handshake included.
    pub fn bytes_received(&self) -> u64 {
        self.received
    }
}

#[cfg(test)]
mod tests;
