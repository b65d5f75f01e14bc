//! One attempt: a POST to an address that was judged, on a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::guard::{Guard, Target};

/// Bytes of an answer that are read; the rest is cut off with the connection.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Characters of an answer that are kept.
pub(super) const ANSWER_CHARS_MAX: usize = 4_000;
/// Bytes of an answer's header fields at most.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Longest pause that an endpoint can ask for.
const RETRY_AFTER_MAX_S: u64 = 86_400;

/// What became of one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) status: Option<u16>,
    /// Why there is no answer, in words for the endpoint's owner.
    pub(super) error: Option<String>,
    /// As much of the answer's body as is kept.
    pub(super) answer: String,
    /// How long the endpoint wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) took: Duration,
}

impl Outcome {
    /// 2xx and nothing else: redirects are not followed.
    pub(super) fn delivered(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// A message to send.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) timestamp_s: i64,
    pub(super) signature: String,
    pub(super) body: Bytes,
}

/// The way out; cheap to clone.
#[derive(Clone)]
pub(super) struct Outbound {
    guard: Guard,
    tls: TlsConnector,
}

impl Outbound {
    /// Trusts the machine's certificate authorities, and `more`.
    pub(super) fn new(guard: Guard, more: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        roots.add_parsable_certificates(more);
        if roots.is_empty() {
            tracing::warn!("this machine trusts no certificate authority: webhooks to https addresses will fail");
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            guard,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Sends, for at most `limit`.
    pub(super) async fn post(&self, url: &str, message: Message, limit: Duration) -> Outcome {
        let begun = Instant::now();
        let sent = tokio::time::timeout(limit, self.exchange(url, message)).await;
        let mut outcome = match sent {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => failed(error),
            Err(_) => failed(format!("no whole answer within {} ms", limit.as_millis())),
        };
        outcome.took = begun.elapsed();
        outcome
    }

    async fn exchange(&self, url: &str, message: Message) -> Result<Outcome, String> {
        let target = self.guard.target(url).map_err(|refused| refused.to_string())?;
        let addresses = self
            .guard
            .addresses(&target)
            .await
            .map_err(|refused| refused.to_string())?;
        let socket = TcpStream::connect(&addresses[..])
            .await
            .map_err(|error| format!("no connection: {}", plain(&error)))?;
        if !target.tls() {
            return speak(socket, &target, message).await;
        }
        let name = ServerName::try_from(target.host()).map_err(|_| "the name cannot be used with TLS".to_owned())?;
        let secured = self.tls.connect(name, socket).await;
        let secured = secured.map_err(|error| format!("no TLS: {error}"))?;
        speak(secured, &target, message).await
    }
}

fn failed(error: String) -> Outcome {
    Outcome {
        error: Some(error),
        ..Outcome::default()
    }
}

/// The kind of an error, without what the operating system says of this machine.
fn plain(error: &std::io::Error) -> String {
    error.kind().to_string()
}

async fn speak<S>(socket: S, target: &Target, message: Message) -> Result<Outcome, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| format!("no answer: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEADER_BYTES_MAX)
        .handshake::<_, Full<Bytes>>(TokioIo::new(socket))
        .await
        .map_err(broken)?;
    // Dropped with this future: an answer that goes on for ever ends here.
    let driving = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::post(target.path())
        .header(HOST, target.authority())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("Headwater-Webhooks/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", message.id)
        .header("webhook-timestamp", message.timestamp_s)
        .header("webhook-signature", message.signature)
        .header("connection", "close")
        .body(Full::new(message.body))
        .map_err(|_| "the address cannot be used in a request".to_owned())?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
    let answer = beginning(response).await;
    drop(driving);
    Ok(Outcome {
        status: Some(status),
        answer,
        retry_after,
        ..Outcome::default()
    })
}

/// `Retry-After` in seconds; the form with a date is rare and left out.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds: u64 = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_MAX_S)))
}

/// The beginning of the body as text that PostgreSQL can keep. The status counts even where the body breaks off.
async fn beginning(response: Response<hyper::body::Incoming>) -> String {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..])),
            Some(Err(_)) | None => break,
        }
    }
    let text = String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}");
    text.chars().take(ANSWER_CHARS_MAX).collect()
}
