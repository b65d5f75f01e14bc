//! The live window in memory, and everyone who follows it.
//!
//! A subscriber first gets what is at hand: the presentation, the facts of the newest finished segments, and the bytes of
//! those that the store lacks and of the open ones; then everything as it is made. Bytes are shared with the uploads,
//! never copied, and let go when the store has them. A subscriber that lets [`SUBSCRIBER_EVENTS_MAX`] events pile up is
//! cut off with `Lagged`: it subscribes again and finds the rest in the store.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::BytesMut;
use headwater_model::proto::worker::{
    Ended, Lagged, LiveEvent, Part, Presentation, PresentationEpoch, Segment, Synced, live_event::Kind,
};
use tokio::sync::mpsc;
use tonic::Status;

/// Events that wait for one subscriber: ten seconds of six renditions.
pub(crate) const SUBSCRIBER_EVENTS_MAX: usize = 512;
/// Subscribers of one broadcast: one per region and origin, with room for reconnects.
pub(crate) const SUBSCRIBERS_MAX: usize = 256;
/// Segments whose bytes are kept while the store does not take them: about 20 s at low latency.
const UNSTORED_SEGMENTS_MAX: usize = 10;

/// Segments of one rendition that subscribers are told of, however short they are and however long the store is away.
const FACTS_SEGMENTS_MAX: usize = 1_024;

/// One broadcast's live window.
pub(crate) struct Hub {
    state: Mutex<State>,
    /// How much of the past subscribers are told of, milliseconds.
    window_ms: u64,
}

struct State {
    presentation: Presentation,
    lines: BTreeMap<String, VecDeque<Kept>>,
    /// Segments before it are in the store.
    durable_seq: u64,
    subscribers: Vec<Subscriber>,
    ended: Option<String>,
}

/// A segment with its parts, which go when the store has them; finished when `segment` is there.
struct Kept {
    seq: u64,
    parts: Vec<Part>,
    segment: Option<Segment>,
    duration_ms: u64,
}

struct Subscriber {
    events: mpsc::Sender<LiveEvent>,
    lagged: Arc<AtomicBool>,
}

/// What one subscriber reads.
pub(crate) struct Subscription {
    events: mpsc::Receiver<LiveEvent>,
    lagged: Arc<AtomicBool>,
}

impl futures::Stream for Subscription {
    type Item = Result<LiveEvent, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.events.poll_recv(context);
        match next {
            Poll::Ready(None) if self.lagged.swap(false, Ordering::Relaxed) => {
                Poll::Ready(Some(Ok(event(Kind::Lagged(Lagged {})))))
            }
            other => other.map(|e| e.map(Ok)),
        }
    }
}

fn event(kind: Kind) -> LiveEvent {
    LiveEvent { kind: Some(kind) }
}

impl Hub {
    /// A hub without anything to show yet.
    pub(crate) fn new(presentation: Presentation, window_ms: u64) -> Self {
        let state = State {
            presentation,
            lines: BTreeMap::new(),
            durable_seq: 0,
            subscribers: Vec::new(),
            ended: None,
        };
        Self {
            state: Mutex::new(state),
            window_ms,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new follower. `None` when there are too many.
    pub(crate) fn subscribe(&self) -> Option<Subscription> {
        let mut state = self.state();
        state.subscribers.retain(|s| !s.events.is_closed());
        if state.subscribers.len() >= SUBSCRIBERS_MAX {
            return None;
        }
        let mut first = vec![event(Kind::Presentation(state.presentation.clone()))];
        for kept in state.lines.values().flatten() {
            match &kept.segment {
                Some(segment) => first.push(event(Kind::Segment(Segment {
                    data: whole(&kept.parts),
                    durable_seq: state.durable_seq,
                    ..segment.clone()
                }))),
                None => first.extend(kept.parts.iter().map(|p| event(Kind::Part(p.clone())))),
            }
        }
        first.push(event(Kind::Synced(Synced {})));
        first.extend(state.ended.clone().map(|reason| event(Kind::Ended(Ended { reason }))));
        let (events, inbox) = mpsc::channel(SUBSCRIBER_EVENTS_MAX.max(first.len()));
        for event in first {
            // The channel was made large enough.
            let _ = events.try_send(event);
        }
        let lagged = Arc::new(AtomicBool::new(false));
        if state.ended.is_none() {
            state.subscribers.push(Subscriber {
                events,
                lagged: lagged.clone(),
            });
        }
        Some(Subscription { events: inbox, lagged })
    }

    /// How many follow.
    pub(crate) fn subscribers(&self) -> usize {
        self.state()
            .subscribers
            .iter()
            .filter(|s| !s.events.is_closed())
            .count()
    }

    /// The presentation gains an epoch, or has its last one told again.
    pub(crate) fn epoch(&self, epoch: PresentationEpoch) {
        let mut state = self.state();
        let epochs = &mut state.presentation.epochs;
        epochs.retain(|e| e.first_seq < epoch.first_seq);
        epochs.push(epoch);
        let presentation = state.presentation.clone();
        state.tell(Kind::Presentation(presentation));
    }

    /// A part is made.
    pub(crate) fn part(&self, mut part: Part) {
        let mut state = self.state();
        part.durable_seq = state.durable_seq;
        let line = state.lines.entry(part.rendition.clone()).or_default();
        match line.back_mut() {
            Some(kept) if kept.seq == part.seq => kept.parts.push(part.clone()),
            _ => line.push_back(Kept {
                seq: part.seq,
                parts: vec![part.clone()],
                segment: None,
                duration_ms: 0,
            }),
        }
        state.tell(Kind::Part(part));
    }

    /// A segment is whole.
    pub(crate) fn segment(&self, mut segment: Segment, timescale: u32) {
        let mut state = self.state();
        let durable_seq = state.durable_seq;
        segment.durable_seq = durable_seq;
        if let Some(line) = state.lines.get_mut(&segment.rendition) {
            if let Some(kept) = line.back_mut().filter(|kept| kept.seq == segment.seq) {
                kept.duration_ms = u64::from(segment.duration) * 1_000 / u64::from(timescale.max(1));
                kept.segment = Some(segment.clone());
            }
            let mut kept_ms: u64 = line.iter().map(|kept| kept.duration_ms).sum();
            while let Some(oldest) = line.front()
                && (line.len() > FACTS_SEGMENTS_MAX
                    || (kept_ms - oldest.duration_ms >= self.window_ms && oldest.seq < durable_seq))
            {
                kept_ms -= oldest.duration_ms;
                line.pop_front();
            }
            let unstored = line.iter_mut().rev().filter(|kept| kept.seq >= durable_seq);
            unstored
                .skip(UNSTORED_SEGMENTS_MAX)
                .for_each(|kept| kept.parts = Vec::new());
            // Renditions that are made no more are forgotten as the others move on.
            if let Some(first) = line.front().map(|kept| kept.seq.min(durable_seq)) {
                state
                    .lines
                    .retain(|_, line| line.back().is_some_and(|kept| kept.seq >= first));
            }
        }
        state.tell(Kind::Segment(segment));
    }

    /// What lies before `durable_seq` is in the store.
    pub(crate) fn stored(&self, durable_seq: u64) {
        let mut state = self.state();
        if durable_seq <= state.durable_seq {
            return;
        }
        state.durable_seq = durable_seq;
        for line in state.lines.values_mut() {
            let finished = line
                .iter_mut()
                .rev()
                .filter(|k| k.seq < durable_seq && k.segment.is_some());
            finished
                .take_while(|kept| !kept.parts.is_empty())
                .for_each(|kept| kept.parts = Vec::new());
        }
    }

    /// The broadcast has ended and its replay is stored. Whoever subscribes from now on is told at once.
    pub(crate) fn end(&self, reason: &str) {
        let mut state = self.state();
        state.tell(Kind::Ended(Ended {
            reason: reason.to_owned(),
        }));
        state.ended = Some(reason.to_owned());
        state.subscribers.clear();
        state.lines.clear();
    }

    /// The broadcast goes on elsewhere, or nowhere: followers are let go without a word.
    pub(crate) fn close(&self) {
        self.state().subscribers.clear();
    }
}

impl State {
    fn tell(&mut self, kind: Kind) {
        let event = event(kind);
        self.subscribers
            .retain(|subscriber| match subscriber.events.try_send(event.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Closed(_)) => false,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    metrics::counter!("worker_subscribers_lagged_total").increment(1);
                    subscriber.lagged.store(true, Ordering::Relaxed);
                    false
                }
            });
    }
}

/// A segment's bytes from its parts: the one copy that a late subscriber costs.
fn whole(parts: &[Part]) -> bytes::Bytes {
    if let [only] = parts {
        return only.data.clone();
    }
    let mut data = BytesMut::with_capacity(parts.iter().map(|p| p.data.len()).sum());
    parts.iter().for_each(|p| data.extend_from_slice(&p.data));
    data.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::StreamExt as _;

    use super::*;

    fn part(seq: u64, index: u32) -> Part {
        let data = Bytes::from(format!("{seq}.{index} "));
        Part {
            rendition: "source".into(),
            seq,
            index,
            data,
            ..Part::default()
        }
    }

    fn segment(seq: u64) -> Segment {
        Segment {
            rendition: "source".into(),
            seq,
            duration: 180_000,
            ..Segment::default()
        }
    }

    fn words(events: &[LiveEvent]) -> Vec<String> {
        let word = |e: &LiveEvent| match &e.kind {
            Some(Kind::Presentation(_)) => "presentation".into(),
            Some(Kind::Part(p)) => format!("part {}.{}", p.seq, p.index),
            Some(Kind::Segment(s)) => format!("segment {} {:?}", s.seq, std::str::from_utf8(&s.data).unwrap_or("?")),
            Some(Kind::Ended(_)) => "ended".into(),
            Some(Kind::Lagged(_)) => "lagged".into(),
            Some(Kind::Synced(_)) => "synced".into(),
            Some(Kind::Piece(_)) => "piece".into(),
            None => "nothing".into(),
        };
        events.iter().map(word).filter(|word| word != "synced").collect()
    }

    async fn read(subscription: Subscription) -> Vec<LiveEvent> {
        subscription.map(|e| e.expect("no status")).collect().await
    }

    #[tokio::test]
    async fn a_late_subscriber_gets_the_window_and_then_the_rest() {
        let hub = Hub::new(Presentation::default(), 4_000);
        for seq in 0..4 {
            hub.stored(seq);
            hub.part(part(seq, 0));
            hub.part(part(seq, 1));
            hub.segment(segment(seq), 90_000);
        }
        hub.part(part(4, 0));
        let late = hub.subscribe().expect("room for one");
        hub.part(part(4, 1));
        hub.segment(segment(4), 90_000);
        hub.end("over");
        let got = words(&read(late).await);
        assert_eq!(got[0], "presentation");
        assert_eq!(
            got[1..],
            [
                r#"segment 2 """#,
                r#"segment 3 "3.0 3.1 ""#,
                "part 4.0",
                "part 4.1",
                r#"segment 4 """#,
                "ended"
            ]
        );
        assert_eq!(
            words(&read(hub.subscribe().expect("room")).await),
            ["presentation", "ended"]
        );
    }

    #[tokio::test]
    async fn a_slow_subscriber_is_told_and_let_go() {
        let hub = Hub::new(Presentation::default(), 4_000);
        let slow = hub.subscribe().expect("room for one");
        for index in 0..=SUBSCRIBER_EVENTS_MAX as u32 {
            hub.part(part(0, index));
        }
        assert_eq!(hub.subscribers(), 0);
        let got = read(slow).await;
        assert_eq!(got.len(), SUBSCRIBER_EVENTS_MAX + 1);
        assert_eq!(words(&got[got.len() - 1..]), ["lagged"]);
    }

    #[tokio::test]
    async fn what_the_store_lacks_stays_longer() {
        let hub = Hub::new(Presentation::default(), 2_000);
        for seq in 0..30 {
            hub.part(part(seq, 0));
            hub.segment(segment(seq), 90_000);
        }
        let late = hub.subscribe().expect("room for one");
        hub.end("over");
        let got = words(&read(late).await);
        assert_eq!(got.len(), 2 + 30, "all are told of");
        let with_bytes = got.iter().filter(|word| word.contains(".0")).count();
        assert_eq!(with_bytes, UNSTORED_SEGMENTS_MAX);
    }
}
