//! HTTP/1.1 over one kept connection, with as little work as possible: the load must not cost more than what it measures.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest answer that is expected, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// One connection.
pub struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    request: Vec<u8>,
    host: String,
}

impl Wire {
    /// Connects to `host`, an address and a port.
    pub async fn connect(host: &str) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(host).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            buffer: Vec::new(),
            request: Vec::new(),
            host: host.to_owned(),
        })
    }

    /// Posts JSON, with header lines that each end in CRLF. Returns the body of a 200; anything else is an error.
    pub async fn post(&mut self, path: &str, headers: &str, body: &str) -> anyhow::Result<&[u8]> {
        use std::io::Write as _;
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.host,
            body.len()
        )?;
        self.socket.write_all(&self.request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<&[u8]> {
        self.buffer.clear();
        let mut whole = None;
        let (body, end) = loop {
            ensure!(self.socket.read_buf(&mut self.buffer).await? > 0, "closed");
            ensure!(
                self.buffer.len() <= ANSWER_BYTES_MAX,
                "an answer of {} bytes",
                self.buffer.len()
            );
            if whole.is_none() {
                whole = head(&self.buffer)?;
            }
            if let Some((body, end)) = whole
                && self.buffer.len() >= end
            {
                break (body, end);
            }
        };
        let body = &self.buffer[body..end];
        if !self.buffer.starts_with(b"HTTP/1.1 200") {
            bail!("{}", String::from_utf8_lossy(&self.buffer));
        }
        Ok(body)
    }
}

/// Where the body begins and ends, once the head is there.
fn head(buffer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("no length")?.trim().parse()?;
    Ok(Some((end + 4, end + 4 + length)))
}
