//! The outside world of tests: a real PostgreSQL and a real Redis of their own, gone when the test process is.

mod keeper;
mod postgres;
mod redis;
mod store;

use crate::dev::free_port;

pub use postgres::{Cluster, TestDatabase};
pub use redis::Redis;
pub use store::{Line, Store};

/// Sends a signal by name.
fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()?;
    anyhow::ensure!(status.success(), "no process {pid} to signal");
    Ok(())
}
