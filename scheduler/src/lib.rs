//! Which worker transcodes what.
//!
//! The scheduler writes the tables broadcast, publish and lease. One of any number leads: the one whose PostgreSQL
//! session holds an advisory lock; the others stand by and answer UNAVAILABLE. The leader looks at the farm
//! (heartbeats in Redis, rows in PostgreSQL), decides ([`plan`], pure), and acts (fenced writes, calls to workers), when
//! woken and twice a second. Each of the three may fail at any point: the next look finds what is left to do.
//!
//! Invariants:
//!
//! - A lease's generation only grows, and no two leases of a broadcast share one.
//! - Nobody is taken for dead while heartbeats cannot be read. With Redis, PostgreSQL or every scheduler down, running
//!   broadcasts stay where they are.
//! - A channel has at most one open broadcast; a publish opens or continues exactly one.
//!
//! Cost: a broadcast is a handful of rows written at its start and end, and one cell of one statement every ten
//! seconds. A farm of 5,000 broadcasts is read twice a second in one statement of about 5 MB.

mod announce;
pub mod broadcast;
mod clock;
mod config;
mod database;
mod dial;
mod execute;
mod grpc;
pub mod lease;
mod observe;
pub mod plan;
mod reconcile;

use std::sync::Arc;

use anyhow::Context as _;
use headwater_platform::{Process, rpc};
use tokio::net::TcpListener;

pub use config::{Config, DatabaseConfig};
pub use database::DatabaseError;

use database::Database;
use reconcile::Shared;

/// A bound listener, so that a caller that bound port 0 can say where it is.
pub struct Listeners {
    /// gRPC for edges and workers.
    pub rpc: TcpListener,
}

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let address = config.scheduler_rpc_listen;
        let rpc = TcpListener::bind(address)
            .await
            .with_context(|| format!("HEADWATER_SCHEDULER_RPC_LISTEN: cannot listen on {address}"))?;
        Ok(Self { rpc })
    }
}

/// Runs a scheduler until the process shuts down, leading or standing by.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    let listeners = Listeners::bind(&config).await?;
    serve(config, listeners, process).await
}

/// As [`run`], on a listener that is bound already.
pub async fn serve(config: Config, listeners: Listeners, process: Process) -> anyhow::Result<()> {
    let database = Database::open(&config.database)?;
    let hints = config.hints.open()?;
    let (announcer, announcements) = announce::channel();
    let shared = Arc::new(Shared::new(database.clone(), hints.clone(), announcer));
    tracing::info!("scheduler serves gRPC on {}", listeners.rpc.local_addr()?);
    process.health.ready("listeners");
    process.health.unready("leadership", "not asked for yet");
    let stop = process.shutdown.clone().cancelled_owned();
    let served = rpc::serve(listeners.rpc, grpc::routes(shared.clone()), &config.rpc, stop);
    let looping = reconcile::run(shared, config.rpc.clone(), process.clone());
    let telling = announcements.run(database.clone(), hints, process.shutdown.clone());
    let (served, (), ()) = tokio::join!(
        async {
            let served = served.await;
            process.shutdown.cancel();
            served
        },
        looping,
        telling
    );
    database.pool().close().await;
    served
}
