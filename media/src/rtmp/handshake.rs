//! The handshake of RTMP 1.0 §5.2, plain and with digests.

/// Random bytes that one server handshake uses.
pub const RANDOM_BYTES: usize = 1528;

/// Why the first bytes are not a handshake of ours.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// RTMPE, obsolete.
    #[error("first byte {0:#04x} asks for RTMPE; only RTMP and RTMPS are spoken")]
    Encrypted(u8),
    /// A TLS ClientHello on the plain port.
    #[error("a TLS handshake on the port for plain RTMP")]
    Tls,
    /// HTTP, or RTMP tunnelled in it.
    #[error("an HTTP request on the port for RTMP")]
    Http,
    /// Anything else.
    #[error("first byte {0:#04x} is no RTMP version")]
    Version(u8),
}
