//! Reads of the object store: one request per object however many viewers ask, and a bounded memory of the answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use headwater_platform::store::{Listed, SharedStore, StoreError};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::limits::{STORE_READ, STORE_READS_MAX};
use crate::lock;
use crate::telemetry::Meters;

/// Why an object cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    /// There is none of this name.
    #[error("the object store has no such object")]
    NotFound,
    /// The store does not answer, or refuses.
    #[error("the object store does not answer")]
    Unavailable,
}

type Flight = Shared<BoxFuture<'static, Result<Bytes, ReadError>>>;

/// The object store as viewers need it. Immutable objects only: what was read once is never read again while it fits.
pub(crate) struct Objects {
    store: SharedStore,
    cache_bytes_max: u64,
    /// Bytes that followed broadcasts hold, out of the same allowance.
    live_bytes: AtomicU64,
    shelf: Mutex<Shelf>,
    reading: Mutex<HashMap<String, Flight>>,
    room: Arc<Semaphore>,
    failures: AtomicU32,
    meters: Arc<Meters>,
}

impl Objects {
    pub(crate) fn new(store: SharedStore, cache_bytes_max: u64, meters: Arc<Meters>) -> Arc<Self> {
        Arc::new(Self {
            store,
            cache_bytes_max,
            live_bytes: AtomicU64::new(0),
            shelf: Mutex::default(),
            reading: Mutex::default(),
            room: Arc::new(Semaphore::new(STORE_READS_MAX)),
            failures: AtomicU32::new(0),
            meters,
        })
    }

    /// The whole object, from memory if it is there.
    pub(crate) async fn get(self: &Arc<Self>, key: &str) -> Result<Bytes, ReadError> {
        if let Some(bytes) = lock(&self.shelf).take_note(key) {
            self.meters.cache_hits.increment(1);
            return Ok(bytes);
        }
        let flight = {
            let mut reading = lock(&self.reading);
            match reading.get(key) {
                Some(flight) => {
                    self.meters.cache_joins.increment(1);
                    flight.clone()
                }
                None => {
                    let flight = self.depart(key.to_string());
                    reading.insert(key.to_string(), flight.clone());
                    flight
                }
            }
        };
        flight.await
    }

    /// The object as it is now, past the cache: for what is written more than once.
    pub(crate) async fn get_fresh(&self, key: &str) -> Result<Bytes, ReadError> {
        self.fetch(key).await
    }

    /// Every object below `prefix`, in key order.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, ReadError> {
        let _room = self.room.acquire().await.map_err(|_| ReadError::Unavailable)?;
        self.meters.store_reads.increment(1);
        match tokio::time::timeout(STORE_READ * 3, self.store.list(prefix)).await {
            Ok(outcome) => self.judge(prefix, outcome),
            Err(_) => self.too_slow(prefix),
        }
    }

    /// Whether the last few reads failed: then media in memory is worth more than usual.
    pub(crate) fn is_down(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= 3
    }

    /// Followed broadcasts hold `delta` more (or fewer) bytes. Returns whether all of it still fits.
    pub(crate) fn live_bytes_changed(&self, delta: i64) -> bool {
        let before = match delta >= 0 {
            true => self.live_bytes.fetch_add(delta.unsigned_abs(), Ordering::Relaxed),
            false => self.live_bytes.fetch_sub(delta.unsigned_abs(), Ordering::Relaxed),
        };
        let live = before.saturating_add_signed(delta);
        self.meters.live_bytes.set(live as f64);
        if delta > 0 {
            lock(&self.shelf).shrink(self.cache_bytes_max.saturating_sub(live));
        }
        live <= self.cache_bytes_max
    }

    /// Starts a read that goes on even when whoever asked first has left.
    fn depart(self: &Arc<Self>, key: String) -> Flight {
        let objects = self.clone();
        let task = tokio::spawn(async move {
            let outcome = objects.fetch(&key).await;
            if let Ok(bytes) = &outcome {
                let room = objects
                    .cache_bytes_max
                    .saturating_sub(objects.live_bytes.load(Ordering::Relaxed));
                lock(&objects.shelf).put(key.clone(), bytes.clone(), room);
            }
            lock(&objects.reading).remove(&key);
            outcome
        });
        // A read that panicked is a read that failed.
        task.map(|joined| joined.unwrap_or(Err(ReadError::Unavailable)))
            .boxed()
            .shared()
    }

    async fn fetch(&self, key: &str) -> Result<Bytes, ReadError> {
        let _room = self.room.acquire().await.map_err(|_| ReadError::Unavailable)?;
        self.meters.store_reads.increment(1);
        match tokio::time::timeout(STORE_READ, self.store.get(key, None)).await {
            Ok(outcome) => self.judge(key, outcome),
            Err(_) => self.too_slow(key),
        }
    }

    fn judge<T>(&self, key: &str, outcome: Result<T, StoreError>) -> Result<T, ReadError> {
        match outcome {
            Ok(found) => {
                self.failures.store(0, Ordering::Relaxed);
                Ok(found)
            }
            Err(StoreError::NotFound { .. }) => Err(ReadError::NotFound),
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.meters.store_errors.increment(1);
                warn!(error = &error as &dyn std::error::Error, "could not read {key}");
                Err(ReadError::Unavailable)
            }
        }
    }

    fn too_slow<T>(&self, key: &str) -> Result<T, ReadError> {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.meters.store_errors.increment(1);
        warn!("the object store took too long for {key}");
        Err(ReadError::Unavailable)
    }
}

/// Objects in memory, the least recently used given up first.
#[derive(Default)]
struct Shelf {
    objects: HashMap<Arc<str>, (Bytes, u64)>,
    by_use: BTreeMap<u64, Arc<str>>,
    uses: u64,
    size_bytes: u64,
}

impl Shelf {
    fn take_note(&mut self, key: &str) -> Option<Bytes> {
        let (bytes, used) = self.objects.get_mut(key)?;
        if let Some(name) = self.by_use.remove(used) {
            self.uses += 1;
            *used = self.uses;
            self.by_use.insert(self.uses, name);
        }
        Some(bytes.clone())
    }

    fn put(&mut self, key: String, bytes: Bytes, room_bytes: u64) {
        let size = bytes.len() as u64;
        // An object that would push out most of the others is not worth its place.
        if size > room_bytes / 4 || self.objects.contains_key(key.as_str()) {
            return;
        }
        self.shrink(room_bytes - size);
        let key: Arc<str> = key.into();
        self.uses += 1;
        self.size_bytes += size;
        self.by_use.insert(self.uses, key.clone());
        self.objects.insert(key, (bytes, self.uses));
    }

    fn shrink(&mut self, room_bytes: u64) {
        while self.size_bytes > room_bytes {
            let Some((_, key)) = self.by_use.pop_first() else {
                return;
            };
            if let Some((bytes, _)) = self.objects.remove(&key) {
                self.size_bytes -= bytes.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_platform::store::{Fault, MemoryStore, Meta, ObjectStore};
    use std::time::Duration;

    async fn bucket(objects: usize, size: usize) -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::new());
        for n in 0..objects {
            let body = vec![Bytes::from(vec![n as u8; size])];
            store
                .put(&format!("k{n}"), body, Meta::immutable("video/mp4"))
                .await
                .expect("in memory");
        }
        store
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_viewers_are_one_read() {
        let store = bucket(1, 10).await;
        store.set_fault(Fault::Slow(Duration::from_millis(200)));
        let objects = Objects::new(store.clone(), 1_000, Arc::default());
        let reads = (0..1_000).map(|_| {
            let objects = objects.clone();
            async move { objects.get("k0").await }
        });
        assert!(
            futures::future::join_all(reads)
                .await
                .into_iter()
                .all(|read| read.is_ok())
        );
        assert_eq!(objects.get("k0").await.map(|b| b.len()), Ok(10));
        assert_eq!(store.gets(), 1);
    }

    #[tokio::test]
    async fn memory_stays_within_its_bound_and_keeps_what_is_used() {
        let store = bucket(40, 100).await;
        let objects = Objects::new(store.clone(), 1_000, Arc::default());
        for n in 0..40 {
            objects.get(&format!("k{n}")).await.expect("stored");
            objects.get("k0").await.expect("stored");
            assert!(lock(&objects.shelf).size_bytes <= 1_000);
        }
        assert_eq!(store.gets(), 40, "k0 was used all the time and read once");
        objects.live_bytes_changed(900);
        assert!(lock(&objects.shelf).size_bytes <= 100, "live media comes first");
    }

    #[tokio::test]
    async fn a_missing_object_and_a_silent_store_are_told_apart() {
        let store = bucket(1, 10).await;
        let objects = Objects::new(store.clone(), 1_000, Arc::default());
        assert_eq!(objects.get("nothing").await, Err(ReadError::NotFound));
        store.set_fault(Fault::Down);
        for _ in 0..3 {
            assert_eq!(objects.get("k0").await, Err(ReadError::Unavailable));
        }
        assert!(objects.is_down());
        store.set_fault(Fault::None);
        assert!(objects.get("k0").await.is_ok(), "a failure is not remembered");
        assert!(!objects.is_down());
    }
}
