//! Measures Headwater against named peers in one run and prints Markdown. `make bench` runs it on the release build.
//!
//! CPU is user and system time of whole process trees from `/proc`, so that it holds on a machine that does other work too.
//! usage: bench [--window-s 60] [--counts 1,10,30] [passthrough|delay|startup|delivery|waiters|api|authorise|subscriptions]... (all when none is named)

mod api;
mod clip;
mod delay;
mod delivery;
mod passthrough;
mod playlist;
mod startup;
mod waiters;

use std::time::Duration;

use anyhow::{Context as _, bail};
use headwater_tests::proc;

/// Every measurement.
const ALL: [&str; 8] = [
    "passthrough",
    "delay",
    "startup",
    "delivery",
    "waiters",
    "api",
    "authorise",
    "subscriptions",
];

/// How long and how much to measure.
struct Options {
    /// One count of publishers is measured for so long.
    window: Duration,
    /// Publishers at once.
    counts: Vec<usize>,
    /// Which measurements.
    wanted: Vec<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            window: Duration::from_secs(60),
            counts: vec![1, 10, 30],
            wanted: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--window-s" => {
                    let seconds = arguments.next().context("--window-s wants seconds")?;
                    options.window = Duration::from_secs(seconds.parse().context("--window-s")?);
                }
                "--counts" => {
                    let list = arguments.next().context("--counts wants numbers")?;
                    let counts = list.split(',').map(str::parse).collect::<Result<_, _>>();
                    options.counts = counts.context("--counts")?;
                }
                _ => options.wanted.push(argument),
            }
        }
        if options.wanted.is_empty() {
            options.wanted = ALL.map(String::from).to_vec();
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("bare") {
        return api::bare::serve(std::env::args().skip(2)).await;
    }
    let options = Options::read(std::env::args().skip(1))?;
    proc::print_conditions()?;
    for name in &options.wanted {
        eprintln!("== {name}");
        match name.as_str() {
            "passthrough" => passthrough::run(options.window, &options.counts).await?,
            "delay" => delay::run().await?,
            "startup" => startup::run().await?,
            "delivery" => delivery::run().await?,
            "waiters" => waiters::run().await?,
            "api" => api::run(options.window).await?,
            "authorise" => api::authorise::run().await?,
            "subscriptions" => api::subscriptions::run().await?,
            other => bail!("no measurement is called {other}"),
        }
    }
    Ok(())
}
