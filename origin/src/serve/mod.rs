//! Sockets: HTTP/1.1 and HTTP/2, plain or behind TLS, each connection within its limits.

mod stream;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::http::body::Body;
use crate::http::gate::Peer;
use crate::limits::{
    CONNECTIONS_MAX, DRAIN, HEADER_BYTES_MAX, HEADER_LIST_BYTES_MAX, HEADER_READ, STREAMS_PER_CONNECTION_MAX,
    TLS_HANDSHAKE, WRITE_STALL,
};
use stream::Guarded;
pub(crate) use tls::acceptor;

/// Answers requests; shared by all connections.
pub(crate) trait Answers: Send + Sync + 'static {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// Accepts connections until `stop`, then lets the answers in progress finish for at most [`DRAIN`].
pub(crate) async fn serve<A: Answers>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answers: Arc<A>,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    let http = Arc::new(http());
    loop {
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: those in use come free as connections end.
                warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (http, tls, answers, stop) = (http.clone(), tls.clone(), answers.clone(), stop.clone());
        tasks.spawn(async move {
            connection(socket, peer, &http, tls, answers, stop).await;
            drop(permit);
        });
    }
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        debug!("cut off {} connections at shutdown", tasks.len());
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ)
        .max_buf_size(HEADER_BYTES_MAX)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .keep_alive_interval(HEADER_READ)
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

async fn connection<A: Answers>(
    socket: TcpStream,
    peer: SocketAddr,
    http: &auto::Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    answers: Arc<A>,
    stop: CancellationToken,
) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!(error = %error, "connection of {} is gone already", peer.port());
        return;
    }
    match tls {
        None => speak(Guarded::new(socket, WRITE_STALL), peer, http, answers, stop).await,
        Some(tls) => match tokio::time::timeout(TLS_HANDSHAKE, tls.accept(socket)).await {
            Ok(Ok(socket)) => speak(Guarded::new(socket, WRITE_STALL), peer, http, answers, stop).await,
            Ok(Err(error)) => debug!(error = %error, "TLS handshake failed"),
            Err(_) => debug!("TLS handshake took too long"),
        },
    }
}

async fn speak<A: Answers, S>(
    socket: S,
    peer: SocketAddr,
    http: &auto::Builder<TokioExecutor>,
    answers: Arc<A>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        let answers = answers.clone();
        request.extensions_mut().insert(Peer(peer.ip()));
        async move { Ok::<_, Infallible>(answers.answer(request).await) }
    });
    let mut talk = std::pin::pin!(http.serve_connection(TokioIo::new(socket), service));
    let outcome = tokio::select! {
        outcome = talk.as_mut() => outcome,
        () = stop.cancelled() => {
            talk.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN, talk).await {
                Ok(outcome) => outcome,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = outcome {
        // Viewers leave in the middle of everything; that is no event.
        debug!(error = %error, "connection ended early");
    }
}
