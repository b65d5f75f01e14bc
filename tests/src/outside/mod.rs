//! The outside world of tests: a real PostgreSQL and a real Redis of their own, gone when the test process is.

mod keeper;
mod postgres;
mod redis;

pub use postgres::{Cluster, TestDatabase};
pub use redis::Redis;

/// A loopback port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
