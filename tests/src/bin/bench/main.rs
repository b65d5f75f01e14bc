//! Measures Headwater against named peers in one run and prints Markdown. `make bench` runs it on the release build.
//!
//! CPU is user and system time of whole process trees from `/proc`, so that it holds on a machine that does other work too.
//! usage: bench [passthrough|delay|startup|delivery|waiters]... (all when none is named)

mod clip;
mod delay;
mod delivery;
mod passthrough;
mod proc;
mod startup;
mod waiters;

use anyhow::bail;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.is_empty() {
        wanted = ["startup", "delay", "passthrough", "delivery", "waiters"]
            .map(String::from)
            .to_vec();
    }
    proc::print_conditions()?;
    for name in wanted {
        eprintln!("== {name}");
        match name.as_str() {
            "passthrough" => passthrough::run().await?,
            "delay" => delay::run().await?,
            "startup" => startup::run().await?,
            "delivery" => delivery::run().await?,
            "waiters" => waiters::run().await?,
            other => bail!("no measurement is called {other}"),
        }
    }
    Ok(())
}
