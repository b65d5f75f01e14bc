//! RTMP without sockets: handshake, chunks, AMF and the commands of a publisher.
//!
//! [`ServerSession`] is one connection seen from the server. Bytes go in by [`ServerSession::receive`], split
//! anywhere; what the publisher meant comes out of [`ServerSession::poll_event`], and what to write to the socket
//! out of [`ServerSession::take_output`]. A payload is copied once, from the caller's read buffer into its message.
//!
//! The session has no clock. The socket side keeps [`HANDSHAKE_DEADLINE`], [`PUBLISH_DEADLINE`] and
//! [`MEDIA_SILENCE_DEADLINE`], and lingers for [`REFUSAL_LINGER`] after a refusal so that it is read.
//!
//! Memory of a session is bounded by [`Limits`]: unfinished messages, commands before `publish`, queued answers,
//! and media that arrives before the publish was decided on.

use std::time::Duration;

pub mod address;
pub mod amf0;
pub mod chunk;
mod handshake;
mod session;

pub use handshake::{HandshakeError, RANDOM_BYTES};
pub use session::{Connect, Event, Limits, Publish, Refusal, ServerSession, SessionError, Stage};

/// From accepting the socket to the end of the handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// From accepting the socket to the first byte.
pub const FIRST_BYTE_DEADLINE: Duration = Duration::from_secs(5);
/// From the end of the handshake to `publish`.
pub const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);
/// Without a media message this long, a publisher counts as gone.
pub const MEDIA_SILENCE_DEADLINE: Duration = Duration::from_secs(10);
/// How long to keep the socket open after a refusal, so that the publisher reads it.
pub const REFUSAL_LINGER: Duration = Duration::from_millis(500);
