//! RTMP publishers: sockets, deadlines, refusals. The protocol itself is [`headwater_media::rtmp`].
//!
//! One task per connection. It reads into a buffer that all connections of a thread share, so that an idle connection
//! costs its task, some 8 KiB, and a publisher that much and the message it is sending.

mod connection;
mod listen;
mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_platform::retry::Backoff;
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use connection::{Connection, READ_EVERY};
pub(crate) use listen::bind;
use socket::Transport;

use crate::broadcast::{Bounds, Registry};
use crate::key::{Keys, Rate, Throttle};

/// What every connection needs.
pub(crate) struct Shared {
    pub keys: Keys,
    pub registry: Arc<Registry>,
    pub bounds: Bounds,
    pub key_recheck: Duration,
    pub stop: CancellationToken,
    /// What the times at which publishers are read are counted from.
    pub started: Instant,
    /// Whether `stop` ends broadcasts rather than leaving them to another edge.
    pub stop_ends: bool,
}

impl Shared {
    /// When a publisher that was read at `now` is read again: at the next multiple of [`READ_EVERY`].
    fn next_read(&self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.started).as_nanos();
        let every = READ_EVERY.as_nanos();
        now + Duration::from_nanos((every - passed % every) as u64)
    }
}

/// Accepts publishers.
pub(crate) struct Server {
    shared: Arc<Shared>,
    /// Connections at a time.
    slots: Arc<Semaphore>,
    /// Connections by address.
    rate: Mutex<Throttle>,
    /// The connections' tasks.
    pub tasks: TaskTracker,
}

impl Server {
    pub fn new(shared: Arc<Shared>, connections_max: u32, rate: Rate) -> Arc<Self> {
        Arc::new(Self {
            shared,
            slots: Arc::new(Semaphore::new(connections_max as usize)),
            rate: Mutex::new(Throttle::new(rate)),
            tasks: TaskTracker::new(),
        })
    }

    /// Accepts on `listener` until told to stop.
    pub async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            let accepted = tokio::select! {
                () = self.shared.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff.reset();
                    self.admit(stream, peer);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    warn!("cannot accept publishers for a moment: {error}");
                    backoff.wait().await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = rate.charge(peer.ip(), Instant::now(), Duration::ZERO);
        drop(rate);
        if turn.is_none() {
            return count("address over its rate");
        }
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            return count("edge full");
        };
        if let Err(error) = socket::prepare(&stream) {
            // A socket without them works; the likely cause is that the peer has gone already.
            debug!("socket options refused: {error}");
        }
        // An IPv4 publisher on an address of both families is one by its IPv4 address.
        let connection = Connection::new(stream, peer.ip().to_canonical(), self.shared.clone());
        self.tasks.spawn(async move {
            count(connection.run().await.as_str());
            drop(slot);
        });
    }
}

fn count(outcome: &'static str) {
    counter!("ingest_connections_total", "protocol" => "rtmp", "outcome" => outcome).increment(1);
}

/// Errors of `accept` that concern the connection that was about to be accepted and nothing else.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
