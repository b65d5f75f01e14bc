//! The outside world of tests: a real PostgreSQL and a real Redis of their own, gone when the test process is.

mod keeper;
mod postgres;
mod redis;
mod store;

pub use postgres::{Cluster, TestDatabase};
pub use redis::Redis;
pub use store::{Line, Store};

/// A loopback port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Sends a signal by name.
fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()?;
    anyhow::ensure!(status.success(), "no process {pid} to signal");
    Ok(())
}
