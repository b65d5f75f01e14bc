//! The tenants' front door: whose a stream key is, and what a playback id shows.
//!
//! The api writes the tables tenant, channel, stream_key and playback_id and reads the scheduler's. Each noun is a
//! folder ([`tenant`], [`channel`], [`stream_key`], [`broadcast`]): what it does, its queries, its errors. Handlers
//! ([`grpc`], [`http`]) are thin: parse, call a noun, render. A process keeps nothing; any number run side by side.
//!
//! [`run`] is the process. The nouns are also called from the command line:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use headwater_api::{Database, channel, tenant};
//!
//! let database = Database::open(&"postgres://headwater@127.0.0.1/headwater".parse()?, 2)?;
//! database.migrate().await?;
//! let tenant = tenant::ensure(&database, "example", "Example Ltd").await?;
//! let made = channel::create(&database, channel::New::titled(tenant.id, "Town hall")).await?;
//! println!("{} plays at {}", made.stream_key.expose(), made.playback_id);
//! # Ok(()) }
//! ```

pub mod broadcast;
pub mod channel;
mod config;
mod database;
pub mod demo;
pub mod grpc;
pub mod http;
pub mod stream_key;
pub mod tenant;

use anyhow::Context as _;
use headwater_platform::{Process, rpc};
use tokio::net::TcpListener;

pub use config::{Config, DatabaseConfig};
pub use database::{Database, DatabaseError};

/// Bound listeners, so that a caller that bound port 0 can say where they are.
pub struct Listeners {
    /// HTTP for people and probes.
    pub http: TcpListener,
    /// gRPC for edges and origins.
    pub rpc: TcpListener,
}

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = async |name: &str, address| {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("{name}: cannot listen on {address}"))
        };
        Ok(Self {
            http: bind("HEADWATER_API_LISTEN", config.api_listen).await?,
            rpc: bind("HEADWATER_API_RPC_LISTEN", config.api_rpc_listen).await?,
        })
    }
}

/// Runs the api until the process shuts down. Does not need the database to be up: calls that do answer UNAVAILABLE.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    let listeners = Listeners::bind(&config).await?;
    serve(config, listeners, process).await
}

/// As [`run`], on listeners that are bound already.
pub async fn serve(config: Config, listeners: Listeners, process: Process) -> anyhow::Result<()> {
    let database = config.database.open()?;
    tracing::info!(
        "api serves HTTP on {} and gRPC on {}",
        listeners.http.local_addr()?,
        listeners.rpc.local_addr()?
    );
    process.health.ready("listeners");
    let watch = database::watch(database.clone(), process.clone());
    let http = http::serve(listeners.http, database.clone(), process.shutdown.clone());
    let stop = process.shutdown.clone().cancelled_owned();
    let rpc = rpc::serve(listeners.rpc, grpc::routes(&database), &config.rpc, stop);
    let ended = tokio::try_join!(http, rpc, async {
        watch.await;
        Ok(())
    });
    process.shutdown.cancel();
    database.close().await;
    ended.map(|_| ())
}
