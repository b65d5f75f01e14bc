//! What an operator sets.

use std::net::SocketAddr;

use clap::Args;
use headwater_platform::Secret;
use headwater_platform::hints::HintsConfig;
use headwater_platform::rpc::RpcConfig;

/// The scheduler's configuration.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address of the gRPC listener for edges and workers.
    #[arg(long, env = "HEADWATER_SCHEDULER_RPC_LISTEN", default_value = "127.0.0.1:7002")]
    pub scheduler_rpc_listen: SocketAddr,
    /// Where promises are kept.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where heartbeats are kept.
    #[command(flatten)]
    pub hints: HintsConfig,
    /// How processes trust one another.
    #[command(flatten)]
    pub rpc: RpcConfig,
}

/// Where promises are kept.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// PostgreSQL address, with its user: postgres://user:password@host:port/database. The scheduler holds a session
    /// lock, so a pooler in between must pool by session.
    #[arg(long, env = "HEADWATER_DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,
    /// Connections of the scheduler to PostgreSQL at most, beside the one that leads. Higher opens more broadcasts at
    /// once; each costs the server about 10 MB.
    #[arg(long, env = "HEADWATER_SCHEDULER_DATABASE_CONNECTIONS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub scheduler_database_connections: u32,
}
