//! How long an edge takes to find out whether a key may publish: asking the api, and from what it remembers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::stream;
use headwater_api::{channel, tenant};
use headwater_ingest_edge::key::{Keys, Lifetimes};
use headwater_model::StreamKey;
use headwater_platform::rpc;
use headwater_tests::farm::{self, rpc_config};
use headwater_tests::outside::TestDatabase;

use super::quantiles;

const KEYS: usize = 2_000;
/// Publishers that come at once, in the second half of each row.
const AT_ONCE: usize = 16;

/// Prints one table.
pub async fn run() -> anyhow::Result<()> {
    println!("### Checking a stream key at the edge\n");
    println!("{KEYS} keys of as many channels, each checked once with the api (cold) and then again (from cache).\n");
    println!("| | one at a time: median | p99 | {AT_ONCE} at once: median | p99 |");
    println!("|---|---|---|---|---|");
    let database = TestDatabase::fresh().await?;
    let api = farm::api(&database.url).await?;
    let tenant = tenant::create(&database.api, "bench", "Bench").await?;
    let mut secrets = Vec::with_capacity(KEYS);
    for n in 0..KEYS {
        let made = channel::create(&database.api, channel::New::titled(tenant.id, format!("Stage {n}"))).await?;
        secrets.push(made.stream_key);
    }
    let (mut cold, mut cached) = (Vec::new(), Vec::new());
    for at_once in [1, AT_ONCE] {
        // What is remembered outlives the row.
        let lifetimes = Lifetimes {
            fresh: Duration::from_secs(600),
            refused: Duration::from_secs(5),
        };
        let keys = Arc::new(Keys::new(rpc::client(&api.url, &rpc_config())?, lifetimes));
        // Connecting is not part of it.
        keys.authorise(secrets[0].expose(), "rtmp", "127.0.0.1".parse()?)
            .await?;
        cold.push(quantiles(&mut checked(&keys, &secrets[1..], at_once).await?));
        cached.push(quantiles(&mut checked(&keys, &secrets[1..], at_once).await?));
    }
    println!("| cold | {} |", cold.join(" | "));
    println!("| from cache | {} |\n", cached.join(" | "));
    api.stop().await
}

/// Milliseconds of each check.
async fn checked(keys: &Arc<Keys>, secrets: &[StreamKey], at_once: usize) -> anyhow::Result<Vec<f64>> {
    let peer = "127.0.0.1".parse()?;
    let checks = stream::iter(secrets.to_vec()).map(|secret| {
        let keys = keys.clone();
        async move {
            let begun = Instant::now();
            keys.authorise(secret.expose(), "rtmp", peer)
                .await
                .context("a good key")?;
            anyhow::Ok(begun.elapsed().as_secs_f64() * 1e3)
        }
    });
    let took: Vec<anyhow::Result<f64>> = checks.buffer_unordered(at_once).collect().await;
    took.into_iter().collect()
}
