//! Somebody who receives webhooks: a real HTTP server that writes down what comes and answers as the test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use axum::{Router, extract::State};
use futures::stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;

/// Longest that a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Header fields.
    pub headers: HeaderMap,
    /// The body, byte by byte.
    pub body: Bytes,
}

impl Received {
    /// A header field; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The event's type.
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap_or("").to_owned()
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, header fields and a body.
    With(u16, Vec<(&'static str, String)>, &'static str),
    /// Nothing at all.
    Never,
    /// 200 and a body without an end.
    Endless,
}

impl Reply {
    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), "")
    }
}

type Answering = dyn Fn(usize, &Received) -> Reply + Send + Sync;

#[derive(Clone)]
struct Desk {
    received: Arc<watch::Sender<Vec<Received>>>,
    answer: Arc<Answering>,
}

/// A running receiver. It ends when dropped.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    scheme: &'static str,
    received: Arc<watch::Sender<Vec<Received>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Starts one on a free port of 127.0.0.1 that answers 200.
    pub async fn start() -> anyhow::Result<Self> {
        Self::answering("127.0.0.1:0", |_, _| Reply::status(200)).await
    }

    /// Starts one at `address`; `answer` gets the number of messages before and the message.
    pub async fn answering(
        address: &str,
        answer: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        Self::listening(address, None, answer).await
    }

    /// Starts one on a free port of 127.0.0.1 that speaks TLS and answers 200.
    pub async fn secured(config: Arc<ServerConfig>) -> anyhow::Result<Self> {
        Self::listening("127.0.0.1:0", Some(config), |_, _| Reply::status(200)).await
    }

    async fn listening(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let received = Arc::new(watch::Sender::new(Vec::new()));
        let desk = Desk {
            received: received.clone(),
            answer: Arc::new(answer),
        };
        let router = Router::new().fallback(take).with_state(desk);
        let serving = tokio::spawn(async move {
            // Ends with the receiver.
            let _ = match tls {
                Some(config) => {
                    let acceptor = TlsAcceptor::from(config);
                    axum::serve(Secured { listener, acceptor }, router).await
                }
                None => axum::serve(listener, router).await,
            };
        });
        Ok(Self {
            address,
            scheme,
            received,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Its address as an endpoint has it.
    pub fn url(&self) -> String {
        format!("{}://{}/hook", self.scheme, self.address)
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// Waits until what came satisfies `enough`.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> anyhow::Result<Vec<Received>> {
        let mut news = self.received.subscribe();
        let came = tokio::time::timeout(PATIENCE, news.wait_for(|received| enough(received))).await;
        let came = came.with_context(|| {
            let kinds: Vec<_> = self.received().iter().map(Received::kind).collect();
            format!("never: {what}; came: {kinds:?}")
        })?;
        Ok(came?.clone())
    }

    /// Waits for so many messages.
    pub async fn messages(&self, many: usize) -> anyhow::Result<Vec<Received>> {
        self.until(&format!("{many} messages"), |received| received.len() >= many)
            .await
    }
}

/// A listener that speaks TLS. Who does not get that far is gone.
struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((socket, peer)) = self.listener.accept().await else {
                continue;
            };
            if let Ok(secured) = self.acceptor.accept(socket).await {
                return (secured, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let received = Received { headers, body };
    let before = desk.received.borrow().len();
    let reply = (desk.answer)(before, &received);
    desk.received.send_modify(|all| all.push(received));
    let (status, headers, body) = match reply {
        Reply::With(status, headers, body) => (status, headers, Body::from(body)),
        Reply::Never => std::future::pending().await,
        Reply::Endless => {
            let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 8_192])));
            (200, Vec::new(), Body::from_stream(pieces))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("a status of the test's own");
    for (name, value) in headers {
        let value = value.parse().expect("a header value of the test's own");
        response.headers_mut().insert(name, value);
    }
    response
}
