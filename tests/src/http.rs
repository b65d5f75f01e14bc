//! A plain HTTP/1.1 client that shares no code with the origin: one request a connection, nothing hidden.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest that one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: HashMap<String, String>,
    /// Body, chunking undone.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// GET of a `http://` address.
pub async fn get(url: &str) -> anyhow::Result<Answer> {
    request("GET", url, &[]).await
}

/// Any method, with header fields of one's own.
pub async fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    tokio::time::timeout(ANSWER_LIMIT, exchange(method, url, headers))
        .await
        .with_context(|| format!("{method} {url} was not answered within {ANSWER_LIMIT:?}"))?
}

async fn exchange(method: &str, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    let rest = url
        .strip_prefix("http://")
        .with_context(|| format!("not a plain http address: {url}"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut socket = TcpStream::connect(host)
        .await
        .with_context(|| format!("cannot connect to {host}"))?;
    let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut whole = Vec::new();
    socket.read_to_end(&mut whole).await?;
    parse(&whole, method == "HEAD").with_context(|| format!("{method} {url}"))
}

fn parse(whole: &[u8], no_body: bool) -> anyhow::Result<Answer> {
    let end = whole
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .context("the answer has no end of head")?;
    let head = std::str::from_utf8(&whole[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .context("no status line")?
        .parse()?;
    let headers: HashMap<String, String> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    let body = &whole[end + 4..];
    if no_body {
        return Ok(Answer {
            status,
            headers,
            body: Vec::new(),
        });
    }
    let body = if headers
        .get("transfer-encoding")
        .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    {
        unchunk(body)?
    } else {
        if let Some(length) = headers.get("content-length") {
            let length: usize = length.parse()?;
            if body.len() != length {
                bail!("{} bytes of body, but Content-Length says {length}", body.len());
            }
        }
        body.to_vec()
    };
    Ok(Answer { status, headers, body })
}

fn unchunk(mut body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut whole = Vec::with_capacity(body.len());
    loop {
        let line_end = body
            .windows(2)
            .position(|w| w == b"\r\n")
            .context("a chunk has no size line")?;
        let size = std::str::from_utf8(&body[..line_end])?
            .split(';')
            .next()
            .unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16)?;
        body = &body[line_end + 2..];
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(body.get(..size).context("a chunk is cut short")?);
        body = body.get(size + 2..).context("a chunk has no end")?;
    }
}
