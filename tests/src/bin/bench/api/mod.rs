//! The GraphQL API under load, against a bare handler over the same database; the check of a publish; open subscriptions.

pub mod authorise;
pub mod bare;
mod load;
pub mod subscriptions;
mod wire;

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use headwater_platform::Secret;
use headwater_platform::hints::MemoryHints;
use headwater_tests::dev::Dev;
use headwater_tests::front::Front;
use headwater_tests::proc::usage;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use load::{Had, KINDS, Kind, Target, Work};

/// Connections that ask at once.
const CONNECTIONS: usize = 32;
/// Connections to PostgreSQL of the api, and of the bare handler.
const POOL: u32 = 10;
const TENANTS: usize = 8;
/// Before anything is changed.
const CHANNELS_PER_TENANT: usize = 40;
/// Requests that count against nobody's limit.
const RATE_PER_MINUTE: &str = "10000000";
/// The two take turns, so that a machine that changes meanwhile changes both.
const ROUNDS: u32 = 2;

/// Prints one table.
pub async fn run(window: Duration) -> anyhow::Result<()> {
    let pool = POOL.to_string();
    let environment = [
        ("HEADWATER_LOG", "warn"),
        ("HEADWATER_API_RATE_PER_MINUTE", RATE_PER_MINUTE),
        ("HEADWATER_API_DATABASE_CONNECTIONS", &pool),
    ];
    let mut dev = Dev::start_with(&[], &environment).await?;
    let (bare, bare_host) = bare_handler(&dev).await?;
    let host = dev.running.api_url.strip_prefix("http://").context("http")?.to_owned();
    let mut works = furnish(&dev).await?;
    println!("### The GraphQL API against a bare handler\n");
    println!(
        "{CONNECTIONS} connections, half of them with a session's cookie, half with an API token, on {TENANTS} tenants of \
         {CHANNELS_PER_TENANT} channels; {POOL} connections to PostgreSQL. The mix: 8 lists of 25, 9 channels with keys and \
         playback ids, 2 updates and 1 creation (both under an idempotency key) of 20 requests. The bare handler does the one \
         statement at the heart of each. {ROUNDS} rounds each, {} s in all.\n",
        window.as_secs()
    );
    println!("| requests | api req/s | p50 | p99 | CPU µs/req | bare req/s | p50 | p99 | CPU µs/req | req/s ratio |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let each = window / ROUNDS;
    for only in [None, Some(Kind::List), Some(Kind::One)] {
        let (mut api, mut other) = (Measured::default(), Measured::default());
        for _ in 0..ROUNDS {
            let pids = [dev.pid()?, bare.id().context("the bare handler has ended")?];
            api.add(measure(&host, &mut works, false, only, each, &pids).await?);
            other.add(measure(&bare_host, &mut works, true, only, each, &pids).await?);
        }
        let name = match only {
            None => "the mix".to_owned(),
            Some(kind) => format!("{kind:?} alone").to_lowercase(),
        };
        let ratio = api.rate() / other.rate();
        println!("| {name} | {} | {} | {ratio:.2} |", api.row(None), other.row(None));
        if only.is_none() {
            for kind in KINDS {
                let name = format!("{kind:?} in it").to_lowercase();
                println!("| {name} | {} | {} | |", api.row(Some(kind)), other.row(Some(kind)));
            }
        }
    }
    println!();
    drop(bare);
    dev.stop().await?;
    Ok(())
}

async fn bare_handler(dev: &Dev) -> anyhow::Result<(Child, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", &dev.running.database_url, &POOL.to_string()]);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let lines = BufReader::new(child.stdout.take().context("no output")?);
    let host = lines
        .lines()
        .next_line()
        .await?
        .context("the bare handler does not serve")?;
    Ok((child, host))
}

/// Signs people up and gives each connection its credential and its channel.
async fn furnish(dev: &Dev) -> anyhow::Result<Vec<Work>> {
    let front = Front::beside(&Secret::new(&dev.running.database_url), Arc::new(MemoryHints::new()))?;
    let token = "mutation($a: [Action!]!) { apiTokenCreate(input: { name: \"bench\", environment: LIVE, actions: $a }) { secret } }";
    let actions = [
        "CHANNEL_READ",
        "CHANNEL_WRITE",
        "STREAM_KEY_READ",
        "STREAM_KEY_WRITE",
        "BROADCAST_READ",
    ];
    let mut works = Vec::new();
    for number in 0..TENANTS {
        let (owner, tenant) = front.sign_up(&format!("Bench {number}")).await?;
        let mut channels = Vec::new();
        for n in 0..CHANNELS_PER_TENANT {
            channels.push(owner.channel(&format!("Stage {n}")).await?);
        }
        let secret = owner
            .ask(token, json!({ "a": actions }))
            .await?
            .text("/apiTokenCreate/secret")?;
        let session: String = owner
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let program = format!("authorization: Bearer {secret}\r\n");
        for (n, channel) in channels.into_iter().take(CONNECTIONS / TENANTS).enumerate() {
            works.push(Work {
                target: Target::Api(if n % 2 == 0 { session.clone() } else { program.clone() }),
                tenant: tenant.clone(),
                channel,
                version: 1,
                number: works.len(),
            });
        }
    }
    ensure!(works.len() == CONNECTIONS, "{} connections", works.len());
    Ok(works)
}

async fn measure(
    host: &str,
    works: &mut [Work],
    bare: bool,
    only: Option<Kind>,
    window: Duration,
    pids: &[u32],
) -> anyhow::Result<Measured> {
    let cpu = || -> f64 { pids.iter().map(|pid| usage(*pid).cpu_s).sum() };
    let (before, begun) = (cpu(), Instant::now());
    let asking = works.iter().map(|work| {
        let mut work = work.clone();
        if bare {
            work.target = Target::Bare;
        }
        let asking = load::ask(host.to_owned(), work, only, begun + window);
        async { tokio::spawn(asking).await? }
    });
    let all: Vec<Had> = try_join_all(asking).await?;
    let (seconds, cpu_s) = (begun.elapsed().as_secs_f64(), cpu() - before);
    let mut measured = Measured {
        seconds,
        cpu_s,
        took: Vec::new(),
    };
    for (work, had) in works.iter_mut().zip(all) {
        work.version = had.version;
        measured.took.extend(had.took);
    }
    Ok(measured)
}

/// Requests and what they took.
#[derive(Default)]
struct Measured {
    seconds: f64,
    cpu_s: f64,
    took: Vec<(Kind, f64)>,
}

impl Measured {
    fn add(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.cpu_s += other.cpu_s;
        self.took.extend(other.took);
    }

    fn rate(&self) -> f64 {
        self.took.len() as f64 / self.seconds
    }

    /// Requests per second, median, p99 and, of all kinds together, CPU.
    fn row(&self, only: Option<Kind>) -> String {
        let of = self
            .took
            .iter()
            .filter(|(kind, _)| only.is_none_or(|only| only == *kind));
        let mut times: Vec<f64> = of.map(|(_, ms)| *ms).collect();
        let cpu = match only {
            None => format!("{:.0}", self.cpu_s * 1e6 / self.took.len().max(1) as f64),
            Some(_) => String::new(),
        };
        let rate = times.len() as f64 / self.seconds;
        format!("{rate:.0} | {} | {cpu}", quantiles(&mut times))
    }
}

/// Median and p99 of milliseconds, as two cells.
fn quantiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1)));
    let cell = |part| at(part).map_or("none".to_owned(), |ms| format!("{ms:.2} ms"));
    format!("{} | {}", cell(0.5), cell(0.99))
}
