//! Publishers in, access units out: the `ingest-edge` role.
//!
//! A publisher's bytes become access units on the broadcast's timeline ([`headwater_media::normalise`]); the
//! [`replay_buffer`] keeps them until a worker has stored what it made of them, and the worker pulls them over the
//! [`link`]. [`key`] asks who may publish; [`health`] tells how a publish does; [`broadcast`] is a publish's life, reconnects and take-overs included, and
//! where protocols meet: `rtmp` is one, the next ones get folders beside it.
//!
//! ```no_run
//! # async fn role(config: headwater_ingest_edge::Config) -> anyhow::Result<()> {
//! let process = headwater_platform::Process::new();
//! headwater_ingest_edge::run(config, process).await
//! # }
//! ```
//!
//! Invariants:
//! - A unit that was appended to a replay buffer leaves it only when a worker has acknowledged it or a stated bound
//!   is met, and the latter is counted and told.
//! - One connection's bytes, pace or failure never touch another's.
//! - Stream keys are remembered as hashes and never logged.

pub mod broadcast;
pub mod clock;
mod config;
pub mod health;
pub mod key;
pub mod link;
pub mod replay_buffer;
mod rtmp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use headwater_platform::clock::WallClock;
use headwater_platform::{Process, rpc};
use metrics::gauge;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use broadcast::{Bounds, Deps, Registry, Scheduler};
use clock::MediaClock;
pub use config::Config;
use key::{Keys, Lifetimes};
use replay_buffer::Budget;
use rtmp::{Server, Shared};

/// How long answers about keys count.
const KEY_LIFETIMES: Lifetimes = Lifetimes {
    fresh: Duration::from_secs(5),
    refused: Duration::from_secs(5),
};
/// At shutdown, publishers have this long to read why.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// At shutdown, workers have this long to take what is held.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Between two looks at all replay buffers for the metrics.
const GAUGES_EVERY: Duration = Duration::from_secs(2);

/// Runs the role until `process` stops.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    Edge::bind(config).await?.serve(process).await
}

/// An edge with its listeners bound.
pub struct Edge {
    config: Config,
    rtmp: Vec<TcpListener>,
    link: TcpListener,
}

impl Edge {
    /// Binds the listeners.
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let rtmp = rtmp::bind(&config.ingest_rtmp_listen).map_err(|(address, error)| {
            anyhow::Error::new(error).context(format!("HEADWATER_INGEST_RTMP_LISTEN: cannot listen on {address}"))
        })?;
        let address = config.ingest_rpc_listen;
        let link = TcpListener::bind(address).await;
        let link = link.with_context(|| format!("HEADWATER_INGEST_RPC_LISTEN: cannot listen on {address}"))?;
        Ok(Self { config, rtmp, link })
    }

    /// Where RTMP publishers connect to.
    pub fn rtmp_addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        Ok(self
            .rtmp
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?)
    }

    /// Where workers connect to.
    pub fn link_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.link.local_addr()?)
    }

    /// Serves until `process` stops: then closes the publishers, gives workers a moment to take what is held, and
    /// returns.
    pub async fn serve(self, process: Process) -> anyhow::Result<()> {
        let Self { config, rtmp, link } = self;
        let budget = Budget::new(config.replay_buffer_total_bytes_max);
        let scheduler = rpc::client(&config.scheduler_rpc_url, &config.rpc).context("HEADWATER_SCHEDULER_RPC_URL")?;
        let registry = Registry::new(Deps {
            limits: config.replay_limits(),
            budget: budget.clone(),
            scheduler: Scheduler::new(scheduler, config.ingest_rpc_url.clone()),
            clock: MediaClock::start(&WallClock::system()),
            recheck: config.key_recheck(),
        });
        let api = rpc::client(&config.api_rpc_url, &config.rpc).context("HEADWATER_API_RPC_URL")?;
        let shared = Arc::new(Shared {
            keys: Keys::new(api, KEY_LIFETIMES),
            registry: registry.clone(),
            bounds: Bounds {
                burst: config.burst(),
                media_timeout: config.media_timeout(),
                bitrate_max_bps: config.ingest_bitrate_max_bps,
            },
            key_recheck: config.key_recheck(),
            stop: process.shutdown.clone(),
            started: tokio::time::Instant::now(),
            stop_ends: config.ingest_stop_ends,
        });
        let (hearing, hints, stop) = (shared.clone(), config.hints.open()?, process.shutdown.clone());
        process.spawn(registry.clone().hear(hints.clone(), process.shutdown.clone()));
        process.spawn(health::report(
            registry.clone(),
            hints.clone(),
            process.shutdown.clone(),
        ));
        process.spawn(async move { hearing.keys.hear(hints, stop).await });
        let server = Server::new(shared, config.ingest_connections_max, config.connection_rate());
        for listener in rtmp {
            info!("RTMP publishers connect to {}", listener.local_addr()?);
            process.spawn(server.clone().accept(listener));
        }
        process.spawn(sample(registry.clone(), budget, process.shutdown.clone()));
        let linked = CancellationToken::new();
        let close_link = linked.clone();
        let rpc_config = config.rpc.clone();
        let routes = link::routes(registry.clone());
        let mut serving =
            process.spawn(async move { rpc::serve(link, routes, &rpc_config, close_link.cancelled_owned()).await });
        process.health.ready("listeners");
        tokio::select! {
            () = process.shutdown.cancelled() => {}
            failed = &mut serving => {
                return failed.context("the media link's task failed")?.context("the media link stopped serving");
            }
        }
        process.health.unready("listeners", "stopping");
        server.tasks.close();
        // Who has not read the reason by then is cut off.
        let _ = tokio::time::timeout(CLOSE_MAX, server.tasks.wait()).await;
        registry.drain(DRAIN_MAX).await;
        linked.cancel();
        // Workers hold their streams for as long as they like; theirs end with the process.
        serving.abort();
        Ok(())
    }
}

/// Keeps the gauges of all replay buffers together current.
async fn sample(registry: Arc<Registry>, budget: Arc<Budget>, stop: CancellationToken) {
    let mut every = tokio::time::interval(GAUGES_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let stats = registry.stats();
        let seconds = |ticks: i64| ticks as f64 / 90_000.0;
        let longest = stats.iter().map(|s| s.span_90k).max().unwrap_or(0);
        let behind = stats.iter().map(|s| s.ack_lag_90k).max().unwrap_or(0);
        gauge!("ingest_broadcasts").set(stats.len() as f64);
        gauge!("ingest_buffer_bytes").set(budget.used_bytes() as f64);
        gauge!("ingest_buffer_longest_seconds").set(seconds(longest));
        gauge!("ingest_ack_lag_longest_seconds").set(seconds(behind));
    }
}
