//! Following a live broadcast: one subscription per broadcast, from the first viewer on, across workers.

use std::sync::Arc;
use std::time::Duration;

use headwater_media::segmenter::LatencyMode;
use headwater_model::pieces::Joined;
use headwater_model::proto::worker::live_client::LiveClient;
use headwater_model::proto::worker::live_event::Kind as EventKind;
use headwater_model::proto::worker::{LiveEvent, SubscribeRequest};
use headwater_platform::retry::Backoff;
use headwater_platform::rpc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, debug, info, info_span, warn};

use super::apply::{self, Applier, Step};
use super::broadcast::{Broadcast, Scope};
use super::resolve::{Playback, Resolved, State};
use super::{Context, replay};
use crate::limits::{FOLLOW_IDLE, SUBSCRIBE_PAUSE};

/// How often a follower looks whether anybody still watches.
const IDLE_CHECK: Duration = Duration::from_secs(5);
/// A new subscription begins with what is there already, and the worker says when that is over. What came by then is
/// shown even where it does not.
const SYNCED_MAX: Duration = Duration::from_secs(1);
/// A worker that has not begun to answer by then is not there.
const SUBSCRIBE: Duration = Duration::from_secs(5);

/// How following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody watches, or the process stops: the broadcast goes on without us.
    Abandoned,
    /// The broadcast is over; what remains is its replay.
    Finished,
}

enum Listened {
    Ended,
    Idle,
    Broken,
}

/// Follows `broadcast`, shown by `playback`, until it ends or nobody watches.
pub(crate) async fn follow(context: Arc<Context>, broadcast: Arc<Broadcast>, playback: Arc<Playback>) -> End {
    let span = info_span!(
        "origin.follow",
        broadcast.id = broadcast.id,
        tenant.id = broadcast.tenant
    );
    if let Some(now) = playback
        .news()
        .borrow()
        .as_deref()
        .filter(|now| now.broadcast == broadcast.id)
    {
        rpc::follow_traceparent(&span, &now.traceparent);
    }
    let follower = Follower {
        applier: Applier::new(context.dvr),
        context,
        broadcast,
        playback,
    };
    follower.context.meters.followed.increment(1.0);
    let end = follower.run().instrument(span).await;
    follower.context.meters.followed.decrement(1.0);
    end
}

struct Follower {
    context: Arc<Context>,
    broadcast: Arc<Broadcast>,
    playback: Arc<Playback>,
    applier: Applier,
}

impl Follower {
    async fn run(&self) -> End {
        let id = &self.broadcast.id;
        info!("following broadcast {id}");
        let mut backoff = Backoff::new(SUBSCRIBE_PAUSE.0, SUBSCRIBE_PAUSE.1);
        let mut news = self.playback.news();
        loop {
            let known = news.borrow_and_update().clone();
            match known {
                Some(now) if now.broadcast == *id && now.state.is_running() => {
                    match self.listen(&now, &mut news, &mut backoff).await {
                        Listened::Ended => break,
                        Listened::Idle => return self.abandon("nobody watches"),
                        Listened::Broken => {}
                    }
                }
                // Finished, or the playback id shows another broadcast by now.
                Some(_) => break,
                None => {}
            }
            if self.broadcast.idle() > FOLLOW_IDLE {
                return self.abandon("nobody watches");
            }
            tokio::select! {
                () = self.context.stop.cancelled() => return self.abandon("stopping"),
                () = backoff.wait() => self.context.resolver.ask(&self.playback).await,
                _ = news.changed() => {}
            }
        }
        // Whoever waits gets the end now; the replay's whole index may take a moment longer.
        self.broadcast.change(Scope::All, |state| state.window.finish());
        info!("broadcast {id} has ended");
        End::Finished
    }

    fn abandon(&self, why: &str) -> End {
        info!("no longer following broadcast {}: {why}", self.broadcast.id);
        End::Abandoned
    }

    /// Applies what the worker says until it stops, or until another one is named.
    async fn listen(
        &self,
        now: &Resolved,
        news: &mut watch::Receiver<Option<Arc<Resolved>>>,
        backoff: &mut Backoff,
    ) -> Listened {
        let url = &now.worker_url;
        if url.is_empty() {
            debug!("the broadcast has no worker yet");
            return Listened::Broken;
        }
        self.context.meters.subscriptions.increment(1);
        // The place is kept as long as the subscription.
        let (client, _place) = match self.context.streams.client(url) {
            Ok(dialled) => dialled,
            Err(error) => {
                warn!(error = %error, "a worker's address is malformed");
                return Listened::Broken;
            }
        };
        let mut live = LiveClient::new(client).max_decoding_message_size(rpc::MESSAGE_MAX_BYTES);
        let request = SubscribeRequest {
            broadcast_id: self.broadcast.id.clone(),
        };
        let mut events = match tokio::time::timeout(SUBSCRIBE, live.subscribe(request)).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => {
                debug!(code = ?status.code(), "worker {url} does not serve the broadcast: {}", status.message());
                return Listened::Broken;
            }
            Err(_) => {
                debug!("worker {url} did not answer");
                return Listened::Broken;
            }
        };
        let mut joined = Joined::default();
        let mut looked_back = false;
        let mut synced = self.broadcast.read().is_synced;
        let mut synced_latest = std::pin::pin!(sleep_until(Instant::now() + SYNCED_MAX));
        let mut idle_check = tokio::time::interval(IDLE_CHECK);
        loop {
            tokio::select! {
                event = events.message() => match event {
                    Ok(Some(event)) => {
                        let event = match joined.take(event) {
                            Ok(Some(event)) => event,
                            Ok(None) => continue,
                            Err(error) => {
                                warn!("worker {url} sends {error}");
                                return Listened::Broken;
                            }
                        };
                        if !looked_back && let Some(seq) = first_seq(&event) {
                            looked_back = true;
                            backoff.reset();
                            self.look_back(seq);
                        }
                        if !synced && matches!(event.kind, Some(EventKind::Synced(_))) {
                            synced_latest.as_mut().reset(Instant::now());
                        }
                        match self.applier.apply(&self.broadcast, &self.context.objects, event) {
                            Step::Continue => {}
                            Step::Ended => return Listened::Ended,
                            Step::Again(why) => {
                                debug!("subscribing to {url} anew: {why}");
                                return Listened::Broken;
                            }
                        }
                    }
                    Ok(None) => {
                        debug!("worker {url} ended the subscription");
                        return Listened::Broken;
                    }
                    Err(status) => {
                        debug!(code = ?status.code(), "lost worker {url}: {}", status.message());
                        return Listened::Broken;
                    }
                },
                () = synced_latest.as_mut(), if !synced => {
                    synced = true;
                    self.broadcast.change(Scope::All, |state| state.is_synced = true);
                }
                _ = idle_check.tick() => {
                    if self.broadcast.idle() > FOLLOW_IDLE {
                        return Listened::Idle;
                    }
                }
                Ok(()) = news.changed() => {
                    let same = news.borrow().as_ref().is_some_and(|news| {
                        // A finished broadcast is told by its worker, with the last segments before it.
                        news.broadcast == now.broadcast
                            && (!news.state.is_running() || news.worker_url.is_empty() || news.generation <= now.generation)
                    });
                    if !same {
                        info!("broadcast {} has moved to another worker or on", now.broadcast);
                        return Listened::Broken;
                    }
                }
                () = self.context.stop.cancelled() => return Listened::Idle,
            }
        }
    }

    /// Where the worker begins later than what we know, the store fills the hole; live viewing does not wait for it.
    fn look_back(&self, seq: u64) {
        let whole = {
            let state = self.broadcast.read();
            let start = state.window.epochs().first().map_or(0, |epoch| epoch.first_seq);
            let before = seq.checked_sub(1).filter(|_| seq > start);
            before.is_none_or(|before| state.window.tracks().any(|(_, track)| track.segment(before).is_some()))
        };
        if whole {
            return;
        }
        let (context, broadcast) = (self.context.clone(), self.broadcast.clone());
        let task = async move {
            let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
            while !broadcast.read().window.ended() && broadcast.idle() <= FOLLOW_IDLE {
                match replay::rebuild(&context.objects, &broadcast.tenant, &broadcast.id).await {
                    Ok(history) => {
                        broadcast.change(Scope::All, |state| {
                            if let Some(window) = apply::with_history(state, history) {
                                state.window = window;
                            }
                        });
                        return;
                    }
                    Err(error) if error.is_transient() => backoff.wait().await,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        warn!(error, "the past of broadcast {} is not in the store", broadcast.id);
                        return;
                    }
                }
            }
        };
        tokio::spawn(task.in_current_span());
    }
}

/// The segment that an event belongs to.
fn first_seq(event: &LiveEvent) -> Option<u64> {
    match event.kind.as_ref()? {
        EventKind::Part(part) => Some(part.seq),
        EventKind::Segment(segment) => Some(segment.seq),
        _ => None,
    }
}

/// The latency mode that the api names; low where it names none that we know.
pub(crate) fn latency(now: &Resolved) -> LatencyMode {
    LatencyMode::parse(&now.latency_mode).unwrap_or(LatencyMode::Low)
}

impl State {
    /// Whether parts of the replay may still be on their way to the store.
    pub(crate) fn is_settling(self) -> bool {
        self == Self::Finishing
    }
}
