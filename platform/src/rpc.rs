//! gRPC between processes: one way to dial, one way to listen, one shared secret, optional mutual TLS, and the trace
//! context in every call.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use opentelemetry::propagation::{Extractor, Injector};
use tokio::net::TcpListener;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Interceptor, InterceptorLayer, Routes};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Request, Status};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::Secret;

/// Largest message either side accepts, bytes: one access unit of the largest kind, or one segment.
pub const MESSAGE_MAX_BYTES: usize = 64 << 20;
/// HTTP/2 flow-control window of one stream, bytes.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// HTTP/2 flow-control window of one connection, bytes.
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;
/// Largest HTTP/2 frame taken, bytes: a part of a few hundred kilobytes then comes in one frame, not in dozens of 16 KiB,
/// each with a read of its own.
const FRAME_MAX_BYTES: u32 = 1 << 20;
/// A silent connection is asked for a sign of life this often.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// And given up when none comes.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// After the shutdown: how long calls may take to end. Subscriptions never end by themselves.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// How processes trust one another.
#[derive(Args, Clone, Debug)]
pub struct RpcConfig {
    /// Secret that every process of the farm shares; calls without it are refused.
    #[arg(long, env = "HEADWATER_RPC_SECRET", hide_env_values = true)]
    pub rpc_secret: Secret,
    /// PEM file of this process's certificate chain; with key and CA, calls use mutual TLS.
    #[arg(long, env = "HEADWATER_RPC_TLS_CERT", requires_all = ["rpc_tls_key", "rpc_tls_ca"])]
    pub rpc_tls_cert: Option<PathBuf>,
    /// PEM file of this process's private key.
    #[arg(long, env = "HEADWATER_RPC_TLS_KEY")]
    pub rpc_tls_key: Option<PathBuf>,
    /// PEM file of the authority that signs every process of the farm.
    #[arg(long, env = "HEADWATER_RPC_TLS_CA")]
    pub rpc_tls_ca: Option<PathBuf>,
}

struct TlsFiles {
    identity: Identity,
    ca: Certificate,
}

impl RpcConfig {
    /// Plain gRPC with this secret.
    pub fn with_secret(secret: impl Into<String>) -> Self {
        Self {
            rpc_secret: Secret::new(secret),
            rpc_tls_cert: None,
            rpc_tls_key: None,
            rpc_tls_ca: None,
        }
    }

    fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        let (Some(cert), Some(key), Some(ca)) = (&self.rpc_tls_cert, &self.rpc_tls_key, &self.rpc_tls_ca) else {
            return Ok(None);
        };
        let read = |path: &PathBuf, name: &str| {
            std::fs::read(path).with_context(|| format!("{name}: cannot read {}", path.display()))
        };
        Ok(Some(TlsFiles {
            identity: Identity::from_pem(
                read(cert, "HEADWATER_RPC_TLS_CERT")?,
                read(key, "HEADWATER_RPC_TLS_KEY")?,
            ),
            ca: Certificate::from_pem(read(ca, "HEADWATER_RPC_TLS_CA")?),
        }))
    }

    fn bearer(&self) -> anyhow::Result<MetadataValue<Ascii>> {
        anyhow::ensure!(!self.rpc_secret.reveal().is_empty(), "HEADWATER_RPC_SECRET is empty");
        format!("Bearer {}", self.rpc_secret.reveal())
            .parse()
            .context("HEADWATER_RPC_SECRET holds characters that a header cannot carry")
    }
}

/// A channel that adds the secret and the current trace to every call.
pub type Client = InterceptedService<Channel, Attach>;

/// Adds secret and trace context to outgoing calls.
#[derive(Clone, Debug)]
pub struct Attach {
    bearer: MetadataValue<Ascii>,
}

impl Interceptor for Attach {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.bearer.clone());
        let context = tracing::Span::current().context();
        opentelemetry::global::get_text_map_propagator(|p| {
            p.inject_context(&context, &mut Carrier(request.metadata_mut()));
        });
        Ok(request)
    }
}

/// Long-lived streams that share one connection. Each has a flow-control window of its own, and the connection's is as
/// large as all of theirs: one slow reader holds up nobody else.
const STREAMS_PER_CONNECTION_MAX: usize = (CONNECTION_WINDOW_BYTES / STREAM_WINDOW_BYTES) as usize;

/// Channels for long-lived streams to many peers, shared by the streams to one of them: a connection costs sockets, tasks
/// and wakes of its own, and media of all broadcasts of a peer comes at the same moments.
#[derive(Debug)]
pub struct Streams {
    config: RpcConfig,
    /// By address.
    open: Mutex<HashMap<String, Vec<Shared>>>,
}

/// A connection that streams share.
#[derive(Debug)]
struct Shared {
    channel: Client,
    /// One reference per stream.
    taken: Weak<()>,
}

/// A stream's place on a connection. Keep it for as long as the stream.
#[derive(Clone, Debug)]
pub struct Place {
    _taken: Arc<()>,
}

impl Streams {
    /// No connection yet.
    pub fn new(config: RpcConfig) -> Self {
        Self {
            config,
            open: Mutex::default(),
        }
    }

    /// A channel to `url` with room for one more stream. Fails on a malformed address only, like [`client`].
    pub fn client(&self, url: &str) -> anyhow::Result<(Client, Place)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, channels| {
            channels.retain(|shared| shared.taken.strong_count() > 0);
            !channels.is_empty()
        });
        let channels = open.entry(url.to_owned()).or_default();
        let free = |shared: &&Shared| shared.taken.strong_count() < STREAMS_PER_CONNECTION_MAX;
        if let Some(shared) = channels.iter().find(free)
            && let Some(taken) = shared.taken.upgrade()
        {
            return Ok((shared.channel.clone(), Place { _taken: taken }));
        }
        let channel = client(url, &self.config)?;
        let taken = Arc::new(());
        channels.push(Shared {
            channel: channel.clone(),
            taken: Arc::downgrade(&taken),
        });
        Ok((channel, Place { _taken: taken }))
    }
}

/// A channel to `url` that connects when first used and again whenever it breaks.
/// Streams may last for ever; put a timeout on each unary request.
pub fn client(url: &str, config: &RpcConfig) -> anyhow::Result<Client> {
    let mut endpoint = Endpoint::from_shared(url.to_string())
        .with_context(|| format!("malformed address {url}"))?
        .connect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    if let Some(tls) = config.tls()? {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().identity(tls.identity).ca_certificate(tls.ca))?;
    }
    Ok(InterceptedService::new(
        endpoint.connect_lazy(),
        Attach {
            bearer: config.bearer()?,
        },
    ))
}

/// Serves `routes` on a bound listener until `shutdown` resolves. Calls without the secret get UNAUTHENTICATED.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    config: &RpcConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let expected = config.bearer()?;
    let check = move |request: Request<()>| match request.metadata().get("authorization") {
        Some(given) if equal_in_constant_time(given.as_bytes(), expected.as_bytes()) => Ok(request),
        _ => Err(Status::unauthenticated(
            "this call needs the farm's shared secret (HEADWATER_RPC_SECRET)",
        )),
    };
    let mut server = Server::builder()
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(InterceptorLayer::new(check));
    if let Some(tls) = config.tls()? {
        server = server.tls_config(ServerTlsConfig::new().identity(tls.identity).client_ca_root(tls.ca))?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        // An error only says that the server has failed and nobody waits any more.
        let _ = stopping.send(());
    };
    let serving = server
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown);
    tokio::select! {
        served = serving => served.context("gRPC server failed"),
        () = async {
            // Without a shutdown there is nothing to wait for here.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(DRAIN_LIMIT).await;
        } => Ok(()),
    }
}

/// Makes `span` a child of the caller's, as told in the request's metadata.
pub fn follow_caller(span: &tracing::Span, metadata: &MetadataMap) {
    let parent = opentelemetry::global::get_text_map_propagator(|p| p.extract(&Reader(metadata)));
    // An error says that no exporter is installed: there is no trace to follow.
    let _ = span.set_parent(parent);
}

/// The W3C `traceparent` of `span`; empty when traces are not exported.
pub fn traceparent(span: &tracing::Span) -> String {
    let mut metadata = MetadataMap::new();
    opentelemetry::global::get_text_map_propagator(|p| {
        p.inject_context(&span.context(), &mut Carrier(&mut metadata));
    });
    metadata
        .get("traceparent")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .to_string()
}

/// Makes `span` a child of a stored `traceparent`; an empty or malformed one changes nothing.
pub fn follow_traceparent(span: &tracing::Span, traceparent: &str) {
    let mut metadata = MetadataMap::new();
    if let Ok(value) = traceparent.parse() {
        metadata.insert("traceparent", value);
        follow_caller(span, &metadata);
    }
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0u8, |difference, (x, y)| difference | (x ^ y)) == 0
}

struct Carrier<'a>(&'a mut MetadataMap);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

struct Reader<'a>(&'a MetadataMap);

impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|v| v.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        ["traceparent", "tracestate"]
            .into_iter()
            .filter(|k| self.0.contains_key(*k))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_to_a_peer_share_connections_up_to_a_number() {
        let streams = Streams::new(RpcConfig::with_secret("s"));
        let connections = |url: &str| streams.open.lock().map_or(0, |open| open.get(url).map_or(0, Vec::len));
        let dial = |url: &str| streams.client(url).expect("a plain address").1;
        let mut places: Vec<Place> = (0..STREAMS_PER_CONNECTION_MAX).map(|_| dial("http://a:1")).collect();
        assert_eq!(connections("http://a:1"), 1);
        places.push(dial("http://a:1"));
        assert_eq!(connections("http://a:1"), 2);
        places.truncate(1);
        let other = dial("http://b:1");
        assert_eq!((connections("http://a:1"), connections("http://b:1")), (1, 1));
        drop((places, other));
        let _place = dial("http://c:1");
        assert_eq!(connections("http://a:1"), 0, "a connection without streams is let go");
        assert!(streams.client("no address").is_err());
    }
}
