//! Socket options of publishers.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::health::Link;

/// A publisher that is silent this long is asked for a sign of life by TCP itself.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Data of ours that stays unacknowledged this long ends the connection.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection runs over.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Called after each read that brought bytes.
    fn was_read(&self) {}

    /// Its ends, where it is a TCP connection.
    fn link(&self) -> Option<Link> {
        None
    }
}

impl Transport for TcpStream {
    /// Acknowledges at once. An encoder that leaves Nagle's algorithm on (FFmpeg's does) holds the end of each message
    /// back until then, and a delayed acknowledgement would cost it 40 ms and more. The option does not last.
    fn was_read(&self) {
        // Where the kernel refuses, nothing is lost but that time.
        let _ = SockRef::from(self).set_tcp_quickack(true);
    }

    fn link(&self) -> Option<Link> {
        let (local, peer) = (self.local_addr().ok()?, self.peer_addr().ok()?);
        Some(Link { local, peer })
    }
}

#[cfg(test)]
impl Transport for tokio::io::DuplexStream {}

/// Sets what lasts.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(2);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_quickack(true)
}
