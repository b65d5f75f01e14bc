//! A worker's place in the buffer.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use headwater_model::proto::edge::pull_event::Kind;
use headwater_model::proto::edge::{End, Lost, Paused};

use super::store::{Entry, Start, Store};
use super::{ReplayBuffer, Slot, State};

/// Events taken under one lock.
const BATCH_EVENTS_MAX: usize = 64;
/// Media taken under one lock; the first event is taken whatever its size.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Why a reader has lost the link.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum ReadError {
    /// Somebody newer holds it.
    #[error("generation {generation} no longer holds the media link; generation {by} has opened it")]
    Fenced {
        /// The loser's generation.
        generation: u64,
        /// The winner's; the same where a newer connection of one generation took over.
        by: u64,
    },
}

/// Follows a buffer from a position on. Dropping it frees the link; its generation stays the one to beat.
#[derive(Debug)]
pub struct Reader {
    buffer: Arc<ReplayBuffer>,
    id: u64,
    generation: u64,
    cursor: Cursor,
}

/// Where the reader is. Kept apart from the buffer's lock.
#[derive(Debug)]
struct Cursor {
    resume_90k: i64,
    /// Decided at the first read that finds media at `resume_90k`.
    start: Option<Start>,
    next_seq: u64,
    /// Video is left out until a random access point.
    needs_key: bool,
    epoch: Option<u32>,
    delivered_90k: i64,
    taken: VecDeque<Kind>,
    finished: bool,
}

impl Reader {
    pub(super) fn new(buffer: Arc<ReplayBuffer>, id: u64, generation: u64, resume_90k: i64) -> Self {
        let cursor = Cursor {
            resume_90k,
            start: None,
            next_seq: 0,
            needs_key: true,
            epoch: None,
            delivered_90k: resume_90k,
            taken: VecDeque::new(),
            finished: false,
        };
        Self {
            buffer,
            id,
            generation,
            cursor,
        }
    }

    /// The next event; `None` after the end of the broadcast. Waits for media without polling.
    pub async fn next(&mut self) -> Result<Option<Kind>, ReadError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// See [`Reader::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Kind>, ReadError>> {
        if let Some(kind) = self.cursor.taken.pop_front() {
            return Poll::Ready(Ok(Some(kind)));
        }
        let mut state = self.buffer.lock();
        let State {
            store,
            reader,
            generation,
            ..
        } = &mut *state;
        let Some(slot) = reader.as_mut().filter(|slot| slot.id == self.id) else {
            return Poll::Ready(Err(ReadError::Fenced {
                generation: self.generation,
                by: *generation,
            }));
        };
        if !self.cursor.finished {
            self.cursor.take(store);
            slot.next_seq = self.cursor.next_seq;
            if let Some(kind) = self.cursor.taken.pop_front() {
                return Poll::Ready(Ok(Some(kind)));
            }
            slot.park(cx);
        }
        drop(state);
        self.buffer.caught_up.notify_waiters();
        if self.cursor.finished {
            Poll::Ready(Ok(None))
        } else {
            Poll::Pending
        }
    }

    /// Every rendition is stored up to `durable_90k`: the buffer may forget what lies before.
    pub fn ack(&self, durable_90k: i64) -> Result<(), ReadError> {
        Acks {
            buffer: self.buffer.clone(),
            id: self.id,
            generation: self.generation,
        }
        .ack(durable_90k)
    }

    /// The acknowledging half, for a task of its own.
    pub fn acks(&self) -> Acks {
        Acks {
            buffer: self.buffer.clone(),
            id: self.id,
            generation: self.generation,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.buffer.lock();
        if state.reader.as_ref().is_some_and(|slot| slot.id == self.id) {
            state.reader = None;
        }
        drop(state);
        self.buffer.caught_up.notify_waiters();
    }
}

/// Acknowledges on behalf of a [`Reader`], also after it has read to the end.
#[derive(Debug)]
pub struct Acks {
    buffer: Arc<ReplayBuffer>,
    id: u64,
    generation: u64,
}

impl Acks {
    /// See [`Reader::ack`].
    pub fn ack(&self, durable_90k: i64) -> Result<(), ReadError> {
        let mut state = self.buffer.lock();
        let State {
            store,
            reader,
            generation,
            ..
        } = &mut *state;
        let Some(slot) = reader.as_ref().filter(|slot| slot.id == self.id) else {
            return Err(ReadError::Fenced {
                generation: self.generation,
                by: *generation,
            });
        };
        let before = store.bytes();
        store.ack(durable_90k, slot.next_seq);
        let after = store.bytes();
        drop(state);
        self.buffer.account(before, after);
        Ok(())
    }
}

impl Slot {
    fn park(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }
}

impl Cursor {
    /// Takes what is there, up to a batch.
    fn take(&mut self, store: &Store) {
        let Some(start) = self.start_at(store) else { return };
        if self.next_seq < store.first_seq() {
            self.next_seq = store.first_seq();
            self.needs_key = true;
            self.lost(self.delivered_90k, store.first_90k(self.next_seq));
            self.enter_epoch(store);
        }
        let mut bytes = 0;
        while self.taken.len() < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX {
            let seq = self.next_seq;
            let Some(entry) = store.entry(seq) else { return };
            self.next_seq += 1;
            let kind = match entry {
                Entry::Unit(held) => {
                    let left_out = if held.is_video() {
                        seq < start.video_seq || (self.needs_key && !held.unit.key)
                    } else {
                        held.pos_90k < start.audio_90k
                    };
                    if left_out {
                        continue;
                    }
                    self.needs_key &= !held.is_video();
                    self.delivered_90k = self.delivered_90k.max(held.pos_90k);
                    bytes += held.unit.data.len();
                    Kind::Unit(held.unit.clone())
                }
                Entry::Epoch(epoch) => {
                    self.epoch = Some(epoch.index);
                    Kind::Epoch(epoch.as_ref().clone())
                }
                Entry::Paused { at_90k } => Kind::Paused(Paused { at_90k: *at_90k }),
                Entry::End { reason } => {
                    self.finished = true;
                    Kind::End(End {
                        reason: reason.to_string(),
                    })
                }
            };
            self.taken.push_back(kind);
        }
    }

    fn start_at(&mut self, store: &Store) -> Option<Start> {
        if self.start.is_none() {
            let start = store.seek(self.resume_90k);
            if !start.decided {
                return None;
            }
            self.start = Some(start);
            self.next_seq = start.seq;
            if store
                .forgotten_90k()
                .is_some_and(|forgotten| forgotten >= self.resume_90k)
            {
                self.lost(self.resume_90k, store.first_90k(start.seq));
            }
            self.enter_epoch(store);
        }
        self.start
    }

    /// Says which epoch holds, unless the next entry does.
    fn enter_epoch(&mut self, store: &Store) {
        if matches!(store.entry(self.next_seq), Some(Entry::Epoch(_))) {
            return;
        }
        let Some(epoch) = store.epoch_at(self.next_seq).filter(|e| self.epoch != Some(e.index)) else {
            return;
        };
        self.epoch = Some(epoch.index);
        self.taken.push_back(Kind::Epoch(epoch.clone()));
    }

    fn lost(&mut self, from_90k: i64, to_90k: i64) {
        self.taken.push_back(Kind::Lost(Lost {
            from_90k,
            to_90k: to_90k.max(from_90k),
        }));
    }
}
