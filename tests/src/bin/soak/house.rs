//! What the process holds: memory while it works, and file descriptors and tasks when it has nothing to do.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use headwater_tests::dev::Dev;
use headwater_tests::{http, proc};
use tokio_util::sync::CancellationToken;

/// How often memory is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Share of the time on air after which every cache and window that a broadcast fills is full.
const WARM_UP: f64 = 0.4;
/// Growth after that, MiB per minute: what is kept of each segment for the playlists, and what the allocator does.
const GROWTH_MIB_PER_MIN_MAX: f64 = 2.0;
/// Longest that anything may take to be let go: connections that are kept for the next request, and what an origin keeps
/// of a broadcast that nobody watches.
const REST_LIMIT: Duration = Duration::from_secs(150);
/// What is held counts as settled when it has not changed for so long.
const STILL: Duration = Duration::from_secs(10);
/// File descriptors and tasks that come and go all the time.
const FLICKER: u64 = 3;
/// File descriptors and tasks that may be more than before: connections of pools that have grown.
const SPARE: u64 = 8;
/// Gauges that are 0 when no broadcast is under way.
const BUSY: [&str; 7] = [
    "ingest_broadcasts",
    "ingest_publishers",
    "ingest_link_readers",
    "worker_broadcasts",
    "worker_subscribers",
    "origin_followed_broadcasts",
    "origin_waiting_requests",
];

/// What the process holds at one moment.
#[derive(Debug, Default)]
pub struct Held {
    descriptors: u64,
    tasks: u64,
    memory_mib: f64,
}

async fn held(dev: &Dev) -> anyhow::Result<(Held, Vec<String>)> {
    let text = http::get(&format!("{}/metrics", dev.running.admin_url)).await?.text();
    let value = |name: &str| -> f64 {
        let series = text
            .lines()
            .filter(|l| l.strip_prefix(name).is_some_and(|r| r.starts_with(['{', ' '])));
        series.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let busy = BUSY.iter().filter(|name| value(name) != 0.0);
    let held = Held {
        descriptors: proc::descriptors(dev.pid()?)? as u64,
        tasks: value("process_tasks") as u64,
        memory_mib: proc::own_mib(dev.pid()?),
    };
    ensure!(held.tasks > 0, "the process does not say how many tasks it has");
    Ok((held, busy.map(ToString::to_string).collect()))
}

/// Waits until nothing is under way, what is held no longer changes, and it is no more than `before`.
pub async fn at_rest(dev: &Dev, before: Option<&Held>) -> anyhow::Result<Held> {
    let began = Instant::now();
    let mut every = tokio::time::interval(EVERY);
    let (mut last, mut since) = (Held::default(), Instant::now());
    loop {
        every.tick().await;
        let (now, busy) = held(dev).await?;
        let moved = now
            .descriptors
            .abs_diff(last.descriptors)
            .max(now.tasks.abs_diff(last.tasks));
        if moved > FLICKER || !busy.is_empty() {
            (last, since) = (Held { ..now }, Instant::now());
        }
        let small = before.is_none_or(|b| now.descriptors <= b.descriptors + SPARE && now.tasks <= b.tasks + SPARE);
        if small && since.elapsed() > STILL {
            return Ok(now);
        }
        if began.elapsed() > REST_LIMIT {
            bail!("after {REST_LIMIT:?} without broadcasts: {now:?}, was {before:?}; still busy: {busy:?}");
        }
    }
}

/// Prints one table.
pub fn print(moments: &[(&str, &Held)]) {
    println!("\n| at rest | file descriptors | tasks | memory, MiB |");
    println!("|---|---|---|---|");
    for (when, held) in moments {
        let Held {
            descriptors,
            tasks,
            memory_mib,
        } = held;
        println!("| {when} | {descriptors} | {tasks} | {memory_mib:.0} |");
    }
}

/// Memory of the process while it works.
pub struct Memory {
    /// Minutes since the first look, and MiB of the process and its codec children.
    looks: Vec<(f64, f64)>,
}

/// Looks at the memory of process `pid` until told to stop.
pub async fn watch(pid: u32, stop: CancellationToken) -> Memory {
    let began = Instant::now();
    let mut every = tokio::time::interval(EVERY);
    let mut looks = Vec::new();
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        looks.push((began.elapsed().as_secs_f64() / 60.0, proc::own_tree_mib(pid)));
    }
    Memory { looks }
}

impl Memory {
    /// Only what was seen while broadcasts were on air.
    pub fn of_the_first(mut self, minutes: u32) -> Self {
        self.looks.retain(|l| l.0 <= f64::from(minutes));
        self
    }

    /// What was seen after the warm-up.
    fn warm(&self) -> &[(f64, f64)] {
        &self.looks[(self.looks.len() as f64 * WARM_UP) as usize..]
    }

    /// Slope of the line that fits best, MiB per minute.
    fn growth(&self) -> f64 {
        let warm = self.warm();
        let mean = |of: fn(&(f64, f64)) -> f64| warm.iter().map(of).sum::<f64>() / warm.len().max(1) as f64;
        let (minutes, mib) = (mean(|l| l.0), mean(|l| l.1));
        let (mut over, mut under) = (0.0, 0.0);
        for (at, held) in warm {
            over += (at - minutes) * (held - mib);
            under += (at - minutes).powi(2);
        }
        if under > 0.0 { over / under } else { 0.0 }
    }

    /// Prints one table.
    pub fn print(&self) {
        let end = self.looks.last().map_or(0.0, |l| l.0);
        println!("\n| minute | memory, MiB |\n|---|---|");
        for minute in 0..=end as u32 {
            let at = self.looks.iter().find(|l| l.0 >= f64::from(minute));
            println!("| {minute} | {:.0} |", at.map_or(0.0, |l| l.1));
        }
        let warm = self.warm().first().map_or(0.0, |l| l.0);
        println!(
            "\nAfter minute {warm:.1} it grew by {:.2} MiB per minute.",
            self.growth()
        );
    }

    /// Fails when it grew by more than it may.
    pub fn check(&self) -> anyhow::Result<()> {
        let growth = self.growth();
        ensure!(
            growth <= GROWTH_MIB_PER_MIN_MAX,
            "memory grows by {growth:.2} MiB per minute, more than {GROWTH_MIB_PER_MIN_MAX}"
        );
        Ok(())
    }
}
