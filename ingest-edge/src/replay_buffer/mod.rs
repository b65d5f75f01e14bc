//! What a broadcast still owes its replay: epochs and access units that no worker has reported as stored.
//!
//! One buffer per broadcast. The publisher appends, one reader at a time follows, and the reader's `ack` lets go
//! of what is durable. A reader that opens with a higher generation takes the link over, and so does a newer
//! reader of the same generation; the old one fails with [`ReadError::Fenced`].
//!
//! A worker acknowledges about every segment, so a buffer normally holds some four seconds: 3 MiB at 6 Mbit/s,
//! of which the entries themselves are 30 kB. While nobody acknowledges it grows up to [`Limits`]. There the
//! oldest GOP goes: silently counted when the reader has had it, and with a `Lost` in the reader's stream
//! when it has not. All buffers share a [`Budget`]; while it is exceeded, those above an equal share give way.
//!
//! Media is shared by reference (`Bytes`); a waiting reader is woken by its waker, once per append.

mod reader;
mod store;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use headwater_media::AccessUnit;
use headwater_model::proto::media;

pub use reader::{Acks, ReadError, Reader};
use store::Store;
use tokio::sync::Notify;

/// How much one buffer may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Media time from the oldest to the newest unit.
    pub time_max: Duration,
    /// Media bytes with the cost of their entries.
    pub bytes_max: usize,
}

/// Bytes that all buffers of a process may hold together.
#[derive(Debug)]
pub struct Budget {
    used: AtomicU64,
    buffers: AtomicU64,
    bytes_max: u64,
}

impl Budget {
    /// A budget of `bytes_max` shared by every buffer that is given it.
    pub fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            buffers: AtomicU64::new(0),
            bytes_max,
        })
    }

    /// Bytes held now.
    pub fn used_bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// What one buffer may hold now: anything while there is room, else an equal share.
    fn share_bytes(&self) -> usize {
        if self.used_bytes() <= self.bytes_max {
            return usize::MAX;
        }
        let share = self.bytes_max / self.buffers.load(Ordering::Relaxed).max(1);
        usize::try_from(share).unwrap_or(usize::MAX)
    }
}

/// What a publisher appends.
#[derive(Debug)]
pub enum Item {
    /// The units that follow belong to this epoch.
    Epoch(media::Epoch),
    /// A unit of the current epoch, and the Unix microseconds at which its last byte arrived.
    Unit(AccessUnit, i64),
    /// The publisher has left and may return.
    Paused,
    /// The broadcast is over.
    End(String),
}

/// A moment's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Bytes held.
    pub bytes: usize,
    /// Units held.
    pub units: usize,
    /// Media time held, 1/90000 s.
    pub span_90k: i64,
    /// From what is durable to the newest unit, 1/90000 s.
    pub ack_lag_90k: i64,
    /// GOPs dropped at the bound before a reader had them.
    pub gops_lost: u64,
    /// GOPs dropped at the bound which a reader had had, though it had not acknowledged them.
    pub gops_dropped_delivered: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct ReplayBuffer {
    state: Mutex<State>,
    budget: Arc<Budget>,
    /// Fires when the reader has had everything, or is gone.
    caught_up: Notify,
}

#[derive(Debug)]
struct State {
    store: Store,
    /// The reader that holds the link.
    reader: Option<Slot>,
    /// The highest that ever opened the link; lower ones are refused for good.
    generation: u64,
    readers_opened: u64,
}

#[derive(Debug)]
struct Slot {
    id: u64,
    next_seq: u64,
    waker: Option<Waker>,
}

impl ReplayBuffer {
    /// An empty buffer.
    pub fn new(limits: Limits, budget: Arc<Budget>) -> Arc<Self> {
        budget.buffers.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            state: Mutex::new(State {
                store: Store::new(limits),
                reader: None,
                generation: 0,
                readers_opened: 0,
            }),
            budget,
            caught_up: Notify::new(),
        })
    }

    /// Appends in order and wakes the reader once. Units before the first epoch and anything after the end are left
    /// out. Drops the oldest GOPs where a limit is met; returns how many of those no reader had had. `items` is drawn while the buffer is locked: it must not look at
    /// the buffer.
    pub fn append(&self, items: impl IntoIterator<Item = Item>) -> u64 {
        let (waker, lost) = {
            let mut state = self.lock();
            let before = state.store.bytes();
            for item in items {
                state.store.push(item);
            }
            self.account(before, state.store.bytes());
            let delivered = state.reader.as_ref().map_or(0, |r| r.next_seq);
            let before = state.store.bytes();
            let lost = state.store.enforce(delivered, self.budget.share_bytes());
            self.account(before, state.store.bytes());
            (state.reader.as_mut().and_then(|r| r.waker.take()), lost)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        lost
    }

    /// Moves everything held on the timeline: positions by `shift_90k`, epoch numbers by `epoch_shift`. For media that
    /// was held while the scheduler could not yet say that an earlier broadcast continues.
    pub fn rebase(&self, shift_90k: i64, epoch_shift: u32) {
        self.lock().store.rebase(shift_90k, epoch_shift);
    }

    /// Opens the link for `generation`, resuming at `resume_90k`.
    ///
    /// Fails with [`ReadError::Fenced`] when a higher generation has opened it before.
    pub fn open(self: &Arc<Self>, generation: u64, resume_90k: i64) -> Result<Reader, ReadError> {
        let (id, old) = {
            let mut state = self.lock();
            if generation < state.generation {
                return Err(ReadError::Fenced {
                    generation,
                    by: state.generation,
                });
            }
            state.generation = generation;
            state.readers_opened += 1;
            let id = state.readers_opened;
            let next_seq = state.store.first_seq();
            (
                id,
                state.reader.replace(Slot {
                    id,
                    next_seq,
                    waker: None,
                }),
            )
        };
        if let Some(waker) = old.and_then(|slot| slot.waker) {
            waker.wake();
        }
        Ok(Reader::new(self.clone(), id, generation, resume_90k))
    }

    /// Waits until the reader has had everything there is; at once when there is no reader.
    pub async fn caught_up(&self) {
        loop {
            let mut changed = pin!(self.caught_up.notified());
            changed.as_mut().enable();
            {
                let state = self.lock();
                if state
                    .reader
                    .as_ref()
                    .is_none_or(|r| r.next_seq >= state.store.next_seq())
                {
                    return;
                }
            }
            changed.await;
        }
    }

    /// The newest position, 1/90000 s: where a unit that follows without a gap would start, at the latest.
    pub fn end_90k(&self) -> i64 {
        self.lock().store.end_90k()
    }

    /// Whether a worker holds the link.
    pub fn has_reader(&self) -> bool {
        self.lock().reader.is_some()
    }

    /// What is known to be stored, 1/90000 s.
    pub fn durable_90k(&self) -> i64 {
        self.lock().store.durable_90k()
    }

    /// Whether the broadcast is over and every unit is known to be stored.
    pub fn is_settled(&self) -> bool {
        self.lock().store.is_settled()
    }

    /// This moment's figures.
    pub fn stats(&self) -> Stats {
        self.lock().store.stats()
    }

    fn account(&self, before: usize, after: usize) {
        if after >= before {
            self.budget.used.fetch_add((after - before) as u64, Ordering::Relaxed);
        } else {
            self.budget.used.fetch_sub((before - after) as u64, Ordering::Relaxed);
        }
    }

    /// A panic of another holder cannot leave the state half changed in a way that matters more than going on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReplayBuffer {
    fn drop(&mut self) {
        let held = self.lock().store.bytes();
        self.account(held, 0);
        self.budget.buffers.fetch_sub(1, Ordering::Relaxed);
    }
}
