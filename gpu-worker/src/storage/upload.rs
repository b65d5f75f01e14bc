//! Writes one broadcast's objects: descriptions and init segments first, then segments, a few at a time, each tried
//! until the store takes it.
//!
//! Bounds: [`Limits::bytes_max`] of bodies in memory, then the worker's spool; when both are full [`Uploads::full`]
//! says so and the broadcast stops taking media in. The write of segment n + [`SPAN_SEGMENTS`] is not begun before
//! segment n is stored, so a hole that reaches further than that in a listing is a hole for good.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use headwater_platform::retry::Backoff;
use headwater_platform::store::{Meta, SharedStore, StoreError};
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use super::durable::Durable;
use super::spool::{Spool, Spooled};

/// How far, in segment numbers, writes may overtake one another.
pub(crate) const SPAN_SEGMENTS: u64 = 4;
/// Waits between attempts of one write.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// See [`RETRY_FIRST`].
const RETRY_CAP: Duration = Duration::from_secs(5);

/// Bounds of one broadcast's uploads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bodies in memory, bytes.
    pub bytes_max: u64,
    /// Writes at the same time.
    pub writes_max: usize,
}

/// What is to be written, or known, in the order of the broadcast.
#[derive(Debug)]
pub(crate) enum Job {
    /// A presentation epoch begins: its description and init segments.
    Epoch {
        /// Its index.
        index: u32,
        /// Its first segment.
        first_seq: u64,
        /// Its renditions.
        renditions: Vec<String>,
        /// `(key, body, content type)`; empty where the store has them already.
        objects: Vec<(String, Bytes, &'static str)>,
    },
    /// Segment `seq` starts at `at_90k`.
    Boundary {
        /// Its number.
        seq: u64,
        /// Its start.
        at_90k: i64,
    },
    /// A finished segment.
    Segment {
        /// Presentation epoch.
        epoch: u32,
        /// Rendition.
        rendition: String,
        /// Number.
        seq: u64,
        /// Object key.
        key: String,
        /// The parts' bytes, in order.
        body: Vec<Bytes>,
    },
    /// A presentation epoch ended at `end_90k`.
    Finished {
        /// Its index.
        epoch: u32,
        /// Its end.
        end_90k: i64,
    },
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Every rendition is stored up to here, 1/90000 s.
    pub durable_90k: i64,
    /// First segment that is not stored in every rendition.
    pub durable_seq: u64,
    /// Memory and spool are full: take nothing more in.
    pub full: bool,
    /// Nothing waits and nothing is being written.
    pub idle: bool,
    /// Jobs taken in so far: `idle` counts for these alone.
    pub taken: u64,
}

/// The handle of a broadcast's uploads. Dropping it abandons what is not stored.
#[derive(Debug)]
pub(crate) struct Uploads {
    jobs: mpsc::UnboundedSender<Job>,
    standing: watch::Receiver<Standing>,
    sent: u64,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Uploads {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Uploads {
    /// Starts with everything before segment `seq` (at `at_90k`) stored.
    pub(crate) fn start(store: SharedStore, spool: Spool, limits: Limits, seq: u64, at_90k: i64) -> Self {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let first = Standing {
            durable_90k: at_90k,
            durable_seq: seq,
            idle: true,
            ..Standing::default()
        };
        let (say, standing) = watch::channel(first);
        let uploader = Uploader {
            store,
            spool,
            limits,
            durable: Durable::new(seq, at_90k),
            queue: VecDeque::new(),
            memory_bytes: 0,
            running: FuturesUnordered::new(),
            running_seqs: BTreeMap::new(),
            running_objects: 0,
            taken: 0,
            full: false,
        };
        Self {
            jobs,
            standing,
            sent: 0,
            task: tokio::spawn(uploader.run(inbox, say).in_current_span()),
        }
    }

    /// Takes a job in; the order of jobs is the order of the broadcast. Bounded by whoever heeds [`Standing::full`].
    pub(crate) fn push(&mut self, job: Job) {
        self.sent += 1;
        // The task ends only with this handle, or by a panic that the broadcast's supervisor sees as silence.
        let _ = self.jobs.send(job);
    }

    /// How it stands now; changes wake [`Self::changed`].
    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Waits for a change. Never returns again once the task is gone.
    pub(crate) async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether everything pushed is stored.
    pub(crate) fn settled(&self) -> bool {
        let standing = self.standing();
        standing.idle && standing.taken == self.sent
    }
}

/// A write that waits.
#[derive(Debug)]
enum Waiting {
    /// A description or init segment: everything behind it waits for it.
    Object {
        key: String,
        body: Bytes,
        content_type: &'static str,
    },
    Segment {
        epoch: u32,
        rendition: String,
        seq: u64,
        key: String,
        body: Body,
    },
}

#[derive(Debug)]
enum Body {
    Memory(Vec<Bytes>, u64),
    Disk(Arc<Spooled>),
}

/// What a finished write was.
enum Done {
    Object,
    Segment {
        epoch: u32,
        rendition: String,
        seq: u64,
        memory_bytes: u64,
    },
}

struct Uploader {
    store: SharedStore,
    spool: Spool,
    limits: Limits,
    durable: Durable,
    queue: VecDeque<Waiting>,
    memory_bytes: u64,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Numbers being written, with how many writes of each.
    running_seqs: BTreeMap<u64, u32>,
    running_objects: usize,
    taken: u64,
    full: bool,
}

impl Uploader {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Job>, say: watch::Sender<Standing>) {
        loop {
            self.begin();
            let standing = Standing {
                durable_90k: self.durable.at_90k(),
                durable_seq: self.durable.seq(),
                full: self.full,
                idle: self.queue.is_empty() && self.running.is_empty(),
                taken: self.taken,
            };
            say.send_if_modified(|old| std::mem::replace(old, standing) != standing);
            tokio::select! {
                Some(done) = self.running.next() => self.done(done),
                job = inbox.recv() => match job {
                    Some(job) => self.take(job).await,
                    None => return,
                },
            }
        }
    }

    async fn take(&mut self, job: Job) {
        self.taken += 1;
        match job {
            Job::Epoch {
                index,
                first_seq,
                renditions,
                objects,
            } => {
                self.durable
                    .epoch(index, first_seq, renditions.iter().map(String::as_str));
                let objects = objects.into_iter();
                self.queue
                    .extend(objects.map(|(key, body, content_type)| Waiting::Object {
                        key,
                        body,
                        content_type,
                    }));
            }
            Job::Boundary { seq, at_90k } => self.durable.boundary(seq, at_90k),
            Job::Finished { epoch, end_90k } => self.durable.finished(epoch, end_90k),
            Job::Segment {
                epoch,
                rendition,
                seq,
                key,
                body,
            } => {
                self.durable.made(epoch, &rendition, seq);
                let size: u64 = body.iter().map(|b| b.len() as u64).sum();
                let body = self.place(body, size).await;
                self.queue.push_back(Waiting::Segment {
                    epoch,
                    rendition,
                    seq,
                    key,
                    body,
                });
            }
        }
    }

    /// Keeps a body in memory while there is room, else on disk, else in memory all the same, saying so.
    async fn place(&mut self, body: Vec<Bytes>, size: u64) -> Body {
        let over = self.memory_bytes + size > self.limits.bytes_max;
        if over && self.spool.has_room(size) {
            match self.spool.write(&body).await {
                Ok(spooled) => {
                    metrics::counter!("worker_spooled_bytes_total").increment(size);
                    return Body::Disk(Arc::new(spooled));
                }
                Err(error) => tracing::warn!(%error, "the spool does not take a segment of {size} bytes"),
            }
        }
        self.full = over;
        self.memory_bytes += size;
        Body::Memory(body, size)
    }

    /// Begins as many writes as the rules allow.
    fn begin(&mut self) {
        while self.running.len() < self.limits.writes_max {
            match self.queue.front() {
                // Objects of one epoch may be written together, but only when all segments before them are under way.
                Some(Waiting::Object { .. }) => {}
                Some(Waiting::Segment { seq, .. }) => {
                    let oldest = self.running_seqs.first_key_value().map_or(*seq, |(seq, _)| *seq);
                    if self.running_objects > 0 || *seq >= oldest + SPAN_SEGMENTS {
                        return;
                    }
                }
                None => return,
            }
            let Some(waiting) = self.queue.pop_front() else { return };
            let store = self.store.clone();
            self.running.push(match waiting {
                Waiting::Object {
                    key,
                    body,
                    content_type,
                } => {
                    self.running_objects += 1;
                    Box::pin(async move {
                        put(&store, &key, &Body::Memory(vec![body], 0), content_type, true).await;
                        Done::Object
                    })
                }
                Waiting::Segment {
                    epoch,
                    rendition,
                    seq,
                    key,
                    body,
                } => {
                    *self.running_seqs.entry(seq).or_default() += 1;
                    Box::pin(async move {
                        put(&store, &key, &body, "video/mp4", false).await;
                        let memory_bytes = if let Body::Memory(_, size) = body { size } else { 0 };
                        Done::Segment {
                            epoch,
                            rendition,
                            seq,
                            memory_bytes,
                        }
                    })
                }
            });
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Object => self.running_objects -= 1,
            Done::Segment {
                epoch,
                rendition,
                seq,
                memory_bytes,
            } => {
                if let Some(count) = self.running_seqs.get_mut(&seq) {
                    *count -= 1;
                    if *count == 0 {
                        self.running_seqs.remove(&seq);
                    }
                }
                self.memory_bytes = self.memory_bytes.saturating_sub(memory_bytes);
                self.full &= self.memory_bytes > self.limits.bytes_max;
                self.durable.stored(epoch, &rendition, seq);
            }
        }
    }
}

/// Writes one object, however long it takes. A segment that exists is ours from an attempt whose answer was lost: its
/// key names generation, time and duration, and no other worker writes under this generation. An epoch that starts
/// over under a new generation replaces its description and init segments.
async fn put(store: &SharedStore, key: &str, body: &Body, content_type: &'static str, replace: bool) {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
    let began = Instant::now();
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        let bytes = match body {
            Body::Memory(bytes, _) => bytes.clone(),
            Body::Disk(spooled) => match spooled.read().await {
                Ok(bytes) => vec![bytes],
                Err(error) => {
                    tracing::error!(%error, "a spooled segment cannot be read back: {key}");
                    backoff.wait().await;
                    continue;
                }
            },
        };
        let asked = Instant::now();
        let meta = Meta::immutable(content_type);
        let result = if replace {
            store.put(key, bytes, meta).await
        } else {
            store.put_new(key, bytes, meta).await
        };
        match result {
            Ok(()) | Err(StoreError::Exists { .. }) => {
                metrics::histogram!("worker_store_put_seconds").record(asked.elapsed().as_secs_f64());
                metrics::histogram!("worker_upload_lag_seconds").record(began.elapsed().as_secs_f64());
                return;
            }
            Err(error) => {
                metrics::counter!("worker_store_retries_total").increment(1);
                if attempts.is_power_of_two() {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, attempts, "the store did not take {key}; trying again");
                }
                backoff.wait().await;
            }
        }
    }
}
