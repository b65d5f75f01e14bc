//! Object storage: any S3 endpoint, and an in-memory twin with the same rules.

mod memory;
mod s3;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use futures::future::BoxFuture;

use crate::Secret;

pub use memory::{Fault, MemoryStore};
pub use s3::S3Store;

/// Largest listing page asked of the store, keys.
pub const LIST_PAGE_KEYS: i32 = 1_000;

/// What went wrong, and so what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No object has this key.
    #[error("no object at {key}")]
    NotFound {
        /// The key asked for.
        key: String,
    },
    /// An object with this key exists; it was not touched.
    #[error("an object exists at {key}")]
    Exists {
        /// The key written to.
        key: String,
    },
    /// Worth another attempt: time-out, 5xx, SlowDown, connection refused.
    #[error("object store did not serve {operation} of {key}")]
    Transient {
        /// `put`, `get`, ...
        operation: &'static str,
        /// The key or prefix.
        key: String,
        /// The client's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another attempt will not help: credentials, missing bucket, bad request.
    #[error("object store refused {operation} of {key}")]
    Refused {
        /// `put`, `get`, ...
        operation: &'static str,
        /// The key or prefix.
        key: String,
        /// The client's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What to write beside the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`, for CDNs that read the bucket.
    pub cache_control: &'static str,
}

impl Meta {
    /// Media that never changes under its key.
    pub const fn immutable(content_type: &'static str) -> Self {
        Self {
            content_type,
            cache_control: "public, max-age=31536000, immutable",
        }
    }
}

/// A listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Full key.
    pub key: String,
    /// Bytes.
    pub size: u64,
}

type Result<T> = std::result::Result<T, StoreError>;

/// A bucket. Every method may be called from many tasks; none retries (one layer retries: the caller's).
pub trait ObjectStore: Send + Sync {
    /// Writes an object once. `Exists` when the key is taken, whatever its bytes.
    fn put_new<'a>(&'a self, key: &'a str, body: Vec<Bytes>, meta: Meta) -> BoxFuture<'a, Result<()>>;
    /// Writes or replaces an object.
    fn put<'a>(&'a self, key: &'a str, body: Vec<Bytes>, meta: Meta) -> BoxFuture<'a, Result<()>>;
    /// The whole object, or the bytes of `range` (end exclusive, clamped to the object).
    fn get<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<Bytes>>;
    /// Size in bytes.
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<u64>>;
    /// Every object whose key starts with `prefix`, in key order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>>>;
    /// The first objects whose key starts with `prefix`, at most [`LIST_PAGE_KEYS`], in key order.
    fn list_first<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>>>;
    /// Removes an object; fine when there is none.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;
    /// Removes objects, at most [`LIST_PAGE_KEYS`] in one request; fine where there are none. On `Err` some may be gone.
    fn delete_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<()>>;
}

/// A store shared by tasks.
pub type SharedStore = Arc<dyn ObjectStore>;

/// Where media is kept.
#[derive(Args, Clone, Debug)]
pub struct StoreConfig {
    /// S3 endpoint (http://host:port); empty for AWS itself, chosen by region.
    #[arg(long, env = "HEADWATER_S3_ENDPOINT", default_value = "")]
    pub s3_endpoint: String,
    /// Region name that requests are signed for.
    #[arg(long, env = "HEADWATER_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// Bucket that holds all media.
    #[arg(long, env = "HEADWATER_S3_BUCKET", default_value = "headwater")]
    pub s3_bucket: String,
    /// Access key id; empty to use the machine's own identity.
    #[arg(long, env = "HEADWATER_S3_ACCESS_KEY", default_value = "")]
    pub s3_access_key: String,
    /// Secret access key.
    #[arg(long, env = "HEADWATER_S3_SECRET_KEY", default_value = "", hide_env_values = true)]
    pub s3_secret_key: Secret,
    /// Milliseconds that one request may take. Higher rides out a slow store, lower retries sooner.
    #[arg(long, env = "HEADWATER_S3_TIMEOUT_MS", default_value_t = 10_000)]
    pub s3_timeout_ms: u64,
}

impl StoreConfig {
    /// A client for this bucket. Nothing is contacted yet.
    pub fn open(&self) -> SharedStore {
        Arc::new(S3Store::new(self))
    }
}
