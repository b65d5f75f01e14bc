//! The origin: playback for viewers and the CDNs in front of them.
//!
//! A request names a playback id. The api says what it shows ([`playback`]'s resolver remembers the answer and uses it
//! on while the api is silent). A live broadcast is followed with one subscription to its worker, however many viewers
//! there are, and lives here as a window of segments with the bytes of the newest; older segments and replays are read
//! from the object store, each object once. [`http`] turns the window into playlists, manifests and media, with an
//! explicit cache rule for every class of answer, errors included.
//!
//! What holds:
//! - The higher generation wins: what a lower one made after that is not listed.
//! - A playlist that waited for a part never lacks it, and all who waited get the very same bytes, rendered once.
//! - With api, scheduler, PostgreSQL and Redis down, what plays goes on playing.
//! - Nothing here is a truth: a restarted origin knows the same after its first request.

mod config;
pub mod fuzz;
mod http;
mod limits;
mod playback;
mod serve;
mod telemetry;
mod token;
mod viewers;

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use anyhow::Context as _;
use headwater_platform::hints::SharedHints;
use headwater_platform::store::SharedStore;
use headwater_platform::{Process, rpc};
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

pub use config::Config;

/// The parts of the outside world that have twins.
pub struct Outside {
    /// Where segments are kept.
    pub store: SharedStore,
    /// Where changed playback ids are told.
    pub hints: SharedHints,
}

/// Runs an origin until `process` shuts down. Fails at once where an address, a file or a setting is wrong.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    let listener = listen(config.origin_listen)
        .with_context(|| format!("HEADWATER_ORIGIN_LISTEN: cannot listen on {}", config.origin_listen))?;
    let outside = Outside {
        store: config.store.open(),
        hints: config.hints.open()?,
    };
    serve(config, listener, outside, process).await
}

/// Binds `at` with room for a crowd that arrives at once.
pub fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(limits::ACCEPT_QUEUE_CONNECTIONS)
}

/// Runs an origin on a bound listener, with the outside world given.
pub async fn serve(config: Config, listener: TcpListener, outside: Outside, process: Process) -> anyhow::Result<()> {
    process.health.unready("listener", "starting");
    let tls = match (&config.origin_tls_cert, &config.origin_tls_key) {
        (Some(cert), Some(key)) => Some(serve::acceptor(cert, key)?),
        _ => None,
    };
    let api = rpc::client(&config.api_rpc_url, &config.rpc).context("HEADWATER_API_RPC_URL")?;
    let origin = http::Origin::new(&config, api, outside, process.clone());
    origin.listen_to_hints();
    origin.tell_viewers();
    info!("serving viewers on {}", listener.local_addr()?);
    process.health.ready("listener");
    serve::serve(listener, tls, origin, process.shutdown.clone()).await;
    Ok(())
}

/// What `mutex` guards, also after a panic elsewhere: every change under these locks is complete in itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
