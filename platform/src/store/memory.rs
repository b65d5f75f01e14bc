//! The twin: a bucket in a map, which can be told to fail.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;

use super::{LIST_PAGE_KEYS, Listed, Meta, ObjectStore, Result, StoreError};

/// How the twin misbehaves until told otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fault {
    /// It does not.
    #[default]
    None,
    /// Every request fails as transient.
    Down,
    /// Every request takes this long first.
    Slow(Duration),
    /// Writes take effect, and then fail as transient.
    AnswerLost,
}

/// A bucket in memory.
#[derive(Default)]
pub struct MemoryStore {
    objects: Mutex<BTreeMap<String, Bytes>>,
    fault: Mutex<Fault>,
    gets: AtomicU64,
    puts: AtomicU64,
}

impl MemoryStore {
    /// An empty bucket.
    pub fn new() -> Self {
        Self::default()
    }

    /// Misbehave like this from now on.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.fault) = fault;
    }

    /// Reads served so far.
    pub fn gets(&self) -> u64 {
        self.gets.load(Ordering::Relaxed)
    }

    /// Writes accepted so far.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    async fn enter(&self, operation: &'static str, key: &str) -> Result<Fault> {
        let fault = lock(&self.fault).clone();
        match &fault {
            Fault::Down => return Err(transient(operation, key)),
            Fault::Slow(time) => tokio::time::sleep(*time).await,
            Fault::None | Fault::AnswerLost => {}
        }
        Ok(fault)
    }

    async fn write(&self, key: &str, body: Vec<Bytes>, replace: bool) -> Result<()> {
        let fault = self.enter("put", key).await?;
        let mut whole = BytesMut::with_capacity(body.iter().map(Bytes::len).sum());
        body.iter().for_each(|b| whole.extend_from_slice(b));
        {
            let mut objects = lock(&self.objects);
            if !replace && objects.contains_key(key) {
                return Err(StoreError::Exists { key: key.into() });
            }
            objects.insert(key.into(), whole.freeze());
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        if fault == Fault::AnswerLost {
            Err(transient("put", key))
        } else {
            Ok(())
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn transient(operation: &'static str, key: &str) -> StoreError {
    StoreError::Transient {
        operation,
        key: key.into(),
        source: "the twin was told to fail".into(),
    }
}

impl ObjectStore for MemoryStore {
    fn put_new<'a>(&'a self, key: &'a str, body: Vec<Bytes>, _meta: Meta) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.write(key, body, false))
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<Bytes>, _meta: Meta) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.write(key, body, true))
    }

    fn get<'a>(&'a self, key: &'a str, range: Option<Range<u64>>) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move {
            self.enter("get", key).await?;
            self.gets.fetch_add(1, Ordering::Relaxed);
            let objects = lock(&self.objects);
            let whole = objects
                .get(key)
                .ok_or_else(|| StoreError::NotFound { key: key.into() })?;
            Ok(match range {
                None => whole.clone(),
                Some(range) => {
                    let end = range.end.min(whole.len() as u64);
                    whole.slice(range.start.min(end) as usize..end as usize)
                }
            })
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            self.enter("head", key).await?;
            let objects = lock(&self.objects);
            objects
                .get(key)
                .map(|b| b.len() as u64)
                .ok_or_else(|| StoreError::NotFound { key: key.into() })
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>>> {
        Box::pin(async move {
            self.enter("list", prefix).await?;
            let objects = lock(&self.objects);
            Ok(objects
                .range(prefix.to_string()..)
                .take_while(|(key, _)| key.starts_with(prefix))
                .map(|(key, body)| Listed {
                    key: key.clone(),
                    size: body.len() as u64,
                })
                .collect())
        })
    }

    fn list_first<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>>> {
        Box::pin(async move {
            let mut listed = self.list(prefix).await?;
            listed.truncate(LIST_PAGE_KEYS as usize);
            Ok(listed)
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let first = keys.first().map_or("", String::as_str);
            assert!(
                keys.len() <= LIST_PAGE_KEYS as usize,
                "one request removes a page of keys"
            );
            let fault = self.enter("delete", first).await?;
            let mut objects = lock(&self.objects);
            for key in keys {
                objects.remove(key);
            }
            match fault {
                Fault::AnswerLost => Err(transient("delete", first)),
                _ => Ok(()),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.enter("delete", key).await?;
            lock(&self.objects).remove(key);
            Ok(())
        })
    }
}
