//! Hints: facts that may be lost. Redis keeps them; flushing it costs a second, never a fact.

mod memory;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use memory::MemoryHints;
pub use redis::RedisHints;

/// The hints could not be reached. Whoever gets this carries on without.
#[derive(Debug, thiserror::Error)]
#[error("hints unavailable during {operation}")]
pub struct HintsError {
    /// `set`, `scan`, ...
    pub operation: &'static str,
    /// The client's own error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

type Result<T> = std::result::Result<T, HintsError>;

/// A value for the list at `key`, told on `topic` as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of the list.
    pub key: String,
    /// Where it is told.
    pub topic: String,
    /// The value.
    pub value: String,
}

/// A small shared memory with expiry, and a bulletin board. Every call is bounded by [`HINTS_TIMEOUT`].
pub trait Hints: Send + Sync {
    /// Sets `key` for `ttl`.
    fn set<'a>(&'a self, key: &'a str, value: String, ttl: Duration) -> BoxFuture<'a, Result<()>>;
    /// Forgets `key`.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;
    /// Every unexpired (key, value) whose key starts with `prefix`.
    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, String)>>>;
    /// Adds one to the counter `key` and returns what it is now; the first of a window starts it for `window`.
    fn count<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, Result<u64>>;
    /// Adds each value to the end of its list, of which the newest `keep` stay, and tells whoever listens on its topic; a
    /// list that nobody adds to for `ttl` goes. One round trip.
    fn append<'a>(&'a self, entries: Vec<Entry>, keep: usize, ttl: Duration) -> BoxFuture<'a, Result<()>>;
    /// The newest `count` values of the list of each key, in the order in which they were added.
    fn newest<'a>(&'a self, keys: Vec<String>, count: usize) -> BoxFuture<'a, Result<Vec<Vec<String>>>>;
    /// Adds members to sets that are only ever counted; each goes when `ttl` is over.
    fn mark<'a>(&'a self, sets: Vec<(String, Vec<u64>)>, ttl: Duration) -> BoxFuture<'a, Result<()>>;
    /// How many different members the sets of each group have together, to within one in a hundred.
    fn distinct<'a>(&'a self, groups: Vec<Vec<String>>) -> BoxFuture<'a, Result<Vec<u64>>>;
    /// Tells whoever listens on `topic` now.
    fn publish<'a>(&'a self, topic: &'a str, message: String) -> BoxFuture<'a, Result<()>>;
    /// What is published on `topic` from now on. The stream reconnects by itself and may miss messages; it never ends.
    fn subscribe(&self, topic: &str) -> BoxStream<'static, String>;
}

/// Longest that one call may take.
pub const HINTS_TIMEOUT: Duration = Duration::from_millis(800);

/// Hints shared by tasks.
pub type SharedHints = Arc<dyn Hints>;

/// Where hints are kept.
#[derive(Args, Clone, Debug)]
pub struct HintsConfig {
    /// Redis or Valkey address.
    #[arg(long, env = "HEADWATER_REDIS_URL", default_value = "redis://127.0.0.1:6379/0")]
    pub redis_url: String,
}

impl HintsConfig {
    /// A client. Connects when first used and again whenever the connection breaks; fails only for a malformed address.
    pub fn open(&self) -> anyhow::Result<SharedHints> {
        Ok(Arc::new(RedisHints::new(&self.redis_url)?))
    }
}
