//! Calls to addresses that somebody typed: judged by a [`guard::Guard`], on a connection of their own, with a bound on time and bytes.

pub mod guard;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::HOST;
use hyper::http::request::Builder;
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use guard::{Guard, Target};

/// Bytes of an answer's header fields at most.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// What came back.
pub(crate) struct Reply {
    pub(crate) parts: Parts,
    /// The body, or as much of it as is read at most.
    pub(crate) body: Vec<u8>,
    /// Whether that is all of it.
    pub(crate) whole: bool,
}

/// The way out; cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbound {
    guard: Guard,
    tls: TlsConnector,
}

impl Outbound {
    /// Trusts the machine's certificate authorities, and `more`.
    pub(crate) fn new(guard: Guard, more: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        roots.add_parsable_certificates(more);
        if roots.is_empty() {
            tracing::warn!("this machine trusts no certificate authority: calls to https addresses will fail");
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

    /// Sends what `build` makes of a request to `url`, and reads at most `bytes_max` of the answer, all within `limit`. Redirects
    /// are not followed. Fails with a sentence for whoever typed the address.
    pub(crate) async fn send(
        &self,
        url: &str,
        bytes_max: usize,
        limit: Duration,
        build: impl FnOnce(Builder) -> Result<Request<Full<Bytes>>, hyper::http::Error>,
    ) -> Result<Reply, String> {
        let sent = tokio::time::timeout(limit, self.exchange(url, bytes_max, build)).await;
        sent.unwrap_or_else(|_| Err(format!("no whole answer within {} ms", limit.as_millis())))
    }

    async fn exchange(
        &self,
        url: &str,
        bytes_max: usize,
        build: impl FnOnce(Builder) -> Result<Request<Full<Bytes>>, hyper::http::Error>,
    ) -> Result<Reply, String> {
        let target = self.guard.target(url).map_err(|refused| refused.to_string())?;
        let addresses = self
            .guard
            .addresses(&target)
            .await
            .map_err(|refused| refused.to_string())?;
        let request = Request::builder()
            .uri(target.path())
            .header(HOST, target.authority())
            .header("connection", "close");
        let request = build(request).map_err(|_| "the address cannot be used in a request".to_owned())?;
        let socket = TcpStream::connect(&addresses[..])
            .await
            .map_err(|error| format!("no connection: {}", error.kind()))?;
        if !target.tls() {
            return speak(socket, request, bytes_max).await;
        }
        let secured = self.tls.connect(name(&target)?, socket).await;
        speak(secured.map_err(|error| format!("no TLS: {error}"))?, request, bytes_max).await
    }
}

fn name(target: &Target) -> Result<ServerName<'static>, String> {
    ServerName::try_from(target.host()).map_err(|_| "the name cannot be used with TLS".to_owned())
}

async fn speak<S>(socket: S, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Reply, String>
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
    let (parts, mut incoming) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let (mut body, mut whole) = (Vec::new(), false);
    while body.len() < bytes_max {
        match incoming.frame().await {
            Some(Ok(frame)) => body.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..])),
            // The status counts even where the body breaks off.
            Some(Err(_)) => break,
            None => {
                whole = true;
                break;
            }
        }
    }
    drop(driving);
    Ok(Reply { parts, body, whole })
}
