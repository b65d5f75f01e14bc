//! Hints in Redis or Valkey.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisResult};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Entry, HINTS_TIMEOUT, Hints, HintsError, Result};
use crate::retry::Backoff;

/// Keys asked of one SCAN step.
const SCAN_STEP_KEYS: usize = 500;
/// Members told in one PFADD.
const MARK_STEP_MEMBERS: usize = 1_000;
/// Messages held for a subscriber before the connection is read no further.
const SUBSCRIBER_QUEUE_MESSAGES: usize = 1_024;

/// A Redis client that connects lazily and again.
pub struct RedisHints {
    client: Client,
    connection: ConnectionManager,
}

impl RedisHints {
    /// Fails only for a malformed address; must be called inside a tokio runtime.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let client = Client::open(url).map_err(|e| anyhow::anyhow!("HEADWATER_REDIS_URL is malformed: {e}"))?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(HINTS_TIMEOUT))
            .set_connection_timeout(Some(HINTS_TIMEOUT))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, connection })
    }
}

async fn bounded<T>(operation: &'static str, call: impl Future<Output = RedisResult<T>>) -> Result<T> {
    match tokio::time::timeout(HINTS_TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(HintsError {
            operation,
            source: Box::new(source),
        }),
        Err(elapsed) => Err(HintsError {
            operation,
            source: Box::new(elapsed),
        }),
    }
}

impl Hints for RedisHints {
    fn set<'a>(&'a self, key: &'a str, value: String, ttl: Duration) -> BoxFuture<'a, Result<()>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("set", async move {
            redis::cmd("SET")
                .arg(key)
                .arg(value)
                .arg("PX")
                .arg(ttl.as_millis().max(1) as u64)
                .query_async(&mut connection)
                .await
        }))
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("remove", async move { connection.del(key).await }))
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, String)>>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("scan", async move {
            let pattern = format!("{}*", prefix.replace(['*', '?', '[', '\\'], "?"));
            let mut keys: Vec<String> = Vec::new();
            let mut cursor = 0u64;
            loop {
                let (next, page): (u64, Vec<String>) = redis::cmd("SCAN")
                    .arg(cursor)
                    .arg("MATCH")
                    .arg(&pattern)
                    .arg("COUNT")
                    .arg(SCAN_STEP_KEYS)
                    .query_async(&mut connection)
                    .await?;
                keys.extend(page.into_iter().filter(|k| k.starts_with(prefix)));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            keys.sort_unstable();
            keys.dedup();
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let values: Vec<Option<String>> = redis::cmd("MGET").arg(&keys).query_async(&mut connection).await?;
            Ok(keys
                .into_iter()
                .zip(values)
                .filter_map(|(k, v)| Some((k, v?)))
                .collect())
        }))
    }

    fn count<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, Result<u64>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("count", async move {
            let window_ms = window.as_millis().max(1) as u64;
            // Setting the expiry where there is none also mends a counter whose first caller died in between.
            let (count, _): (u64, i64) = redis::pipe()
                .cmd("INCR")
                .arg(key)
                .cmd("PEXPIRE")
                .arg(key)
                .arg(window_ms)
                .arg("NX")
                .query_async(&mut connection)
                .await?;
            Ok(count)
        }))
    }

    fn append<'a>(&'a self, entries: Vec<Entry>, keep: usize, ttl: Duration) -> BoxFuture<'a, Result<()>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("append", async move {
            let ttl_ms = ttl.as_millis().max(1) as u64;
            let mut pipe = redis::pipe();
            for Entry { key, topic, value } in &entries {
                pipe.cmd("RPUSH").arg(key).arg(value).ignore();
                pipe.cmd("LTRIM").arg(key).arg(-(keep as i64)).arg(-1).ignore();
                pipe.cmd("PEXPIRE").arg(key).arg(ttl_ms).ignore();
                pipe.cmd("PUBLISH").arg(topic).arg(value).ignore();
            }
            match entries.is_empty() {
                true => Ok(()),
                false => pipe.query_async(&mut connection).await,
            }
        }))
    }

    fn newest<'a>(&'a self, keys: Vec<String>, count: usize) -> BoxFuture<'a, Result<Vec<Vec<String>>>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("newest", async move {
            if keys.is_empty() || count == 0 {
                return Ok(vec![Vec::new(); keys.len()]);
            }
            let mut pipe = redis::pipe();
            for key in &keys {
                pipe.cmd("LRANGE").arg(key).arg(-(count as i64)).arg(-1);
            }
            pipe.query_async(&mut connection).await
        }))
    }

    fn mark<'a>(&'a self, sets: Vec<(String, Vec<u64>)>, ttl: Duration) -> BoxFuture<'a, Result<()>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("mark", async move {
            let ttl_ms = ttl.as_millis().max(1) as u64;
            let mut pipe = redis::pipe();
            for (key, members) in sets.iter().filter(|(_, members)| !members.is_empty()) {
                for step in members.chunks(MARK_STEP_MEMBERS) {
                    pipe.cmd("PFADD").arg(key).arg(step).ignore();
                }
                pipe.cmd("PEXPIRE").arg(key).arg(ttl_ms).ignore();
            }
            match pipe.is_empty() {
                true => Ok(()),
                false => pipe.query_async(&mut connection).await,
            }
        }))
    }

    fn distinct<'a>(&'a self, groups: Vec<Vec<String>>) -> BoxFuture<'a, Result<Vec<u64>>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded("distinct", async move {
            let mut pipe = redis::pipe();
            for keys in groups.iter().filter(|keys| !keys.is_empty()) {
                pipe.cmd("PFCOUNT").arg(keys);
            }
            if pipe.is_empty() {
                return Ok(vec![0; groups.len()]);
            }
            let mut counts: std::vec::IntoIter<u64> = pipe.query_async::<Vec<u64>>(&mut connection).await?.into_iter();
            let count = |keys: &Vec<String>| match keys.is_empty() {
                true => 0,
                false => counts.next().unwrap_or(0),
            };
            Ok(groups.iter().map(count).collect())
        }))
    }

    fn publish<'a>(&'a self, topic: &'a str, message: String) -> BoxFuture<'a, Result<()>> {
        let mut connection = self.connection.clone();
        Box::pin(bounded(
            "publish",
            async move { connection.publish(topic, message).await },
        ))
    }

    fn subscribe(&self, topic: &str) -> BoxStream<'static, String> {
        let (sender, receiver) = mpsc::channel(SUBSCRIBER_QUEUE_MESSAGES);
        let (client, topic) = (self.client.clone(), topic.to_string());
        tokio::spawn(async move {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
            while !sender.is_closed() {
                if let Err(error) = listen(&client, &topic, &sender, &mut backoff).await {
                    tracing::debug!(topic, "hints subscription of {topic} broke: {error}");
                }
                backoff.wait().await;
            }
        });
        ReceiverStream::new(receiver).boxed()
    }
}

/// Hands on messages until the connection breaks or nobody wants them.
async fn listen(client: &Client, topic: &str, to: &mpsc::Sender<String>, backoff: &mut Backoff) -> RedisResult<()> {
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe(topic).await?;
    backoff.reset();
    let mut messages = pubsub.on_message();
    loop {
        tokio::select! {
            () = to.closed() => return Ok(()),
            message = messages.next() => match message {
                Some(message) => {
                    if to.send(message.get_payload()?).await.is_err() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            },
        }
    }
}
