//! One task per broadcast: what the scheduler has been told is brought in line with what is, when something changes
//! and after every failure.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use headwater_model::BroadcastId;
use headwater_model::proto::scheduler::OpenBroadcastRequest;
use headwater_model::proto::scheduler::report_publisher_request::State as Publishing;
use headwater_platform::retry::Backoff;
use metrics::counter;
use tokio::time::{Instant, sleep_until};
use tracing::{Span, error, info, warn};

use super::scheduler::SchedulerError;
use super::{Broadcast, Close, Phase, Progress, Registry};

/// Between two attempts to reach the scheduler.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_CAP: Duration = Duration::from_secs(3);
/// A broadcast that has ended is kept for workers this long at most.
const ENDED_KEEP_MAX: Duration = Duration::from_secs(600);
/// A worker's last acknowledgement may get lost. Between two questions whether the broadcast is over, at first and later.
const ASK_FIRST: Duration = Duration::from_secs(1);
const ASK_CAP: Duration = Duration::from_secs(30);

/// The next thing to do.
#[derive(Debug, PartialEq)]
enum Step {
    Open(OpenBroadcastRequest),
    /// Of the end, again and again: the answer says when the broadcast is over.
    Report {
        id: BroadcastId,
        state: Publishing,
        reason: String,
    },
    /// Nothing, until something changes or this moment comes.
    Wait(Option<Instant>),
    /// The broadcast can go.
    Done,
}

/// What the scheduler knows, and has said.
#[derive(Debug)]
struct Told {
    publish: String,
    state: Option<Publishing>,
    /// When to report the end once more.
    ask_at: Option<Instant>,
    asks: Backoff,
    /// When to ask whether it still takes media.
    doubt_at: Instant,
    /// The broadcast is over: what is still held is stored, or never will be.
    over: bool,
}

impl Told {
    /// That `publish` is live.
    fn of(publish: String, recheck: Duration) -> Self {
        Self {
            publish,
            state: Some(Publishing::Live),
            ask_at: None,
            asks: Backoff::new(ASK_FIRST, ASK_CAP),
            doubt_at: Instant::now() + recheck,
            over: false,
        }
    }
}

pub(super) async fn run(broadcast: Arc<Broadcast>, registry: Arc<Registry>) {
    let mut told = Told::of(String::new(), registry.deps.recheck);
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
    loop {
        let mut changed = pin!(broadcast.changed.notified());
        changed.as_mut().enable();
        broadcast.expire(Instant::now());
        let step = broadcast.next_step(&told, Instant::now());
        let until = match step {
            Step::Done => break,
            Step::Wait(until) => {
                broadcast.set_progress(Progress::Current);
                until
            }
            step => match act(&broadcast, &registry, &mut told, step).await {
                Ok(()) => {
                    backoff.reset();
                    continue;
                }
                Err(error) => {
                    counter!("ingest_scheduler_retries_total").increment(1);
                    warn!(channel.id = %broadcast.grant.channel_id, "will ask again: {error}");
                    Some(Instant::now() + backoff.delay())
                }
            },
        };
        tokio::select! {
            () = changed => {}
            () = sleep_until(until.unwrap_or_else(far)), if until.is_some() => {}
            () = registry.closing.cancelled() => break,
        }
    }
    broadcast.set_progress(Progress::Concluded);
    registry.remove(&broadcast);
}

async fn act(
    broadcast: &Arc<Broadcast>,
    registry: &Registry,
    told: &mut Told,
    step: Step,
) -> Result<(), SchedulerError> {
    match step {
        Step::Open(request) => {
            let publish = request.publish_id.clone();
            broadcast.previous_concluded().await;
            match registry.deps.scheduler.open(request).await {
                Ok((id, said)) => {
                    if broadcast.opened(id, &said) {
                        registry.index(id, broadcast);
                        Span::current().record("broadcast.id", id.as_str());
                        info!(broadcast.id = %id, channel.id = %broadcast.grant.channel_id, publish.id = publish,
                            "broadcast {id} is open");
                    } else {
                        warn!(broadcast.id = %id, "the scheduler has begun broadcast {id} in place of the one held here");
                        broadcast.abandon(Close::Superseded, Instant::now());
                    }
                }
                Err(SchedulerError::Refused(sentence)) => {
                    info!(channel.id = %broadcast.grant.channel_id, "the scheduler refuses a broadcast: {sentence}");
                    broadcast.abandon(Close::Refused(sentence), Instant::now());
                }
                Err(transient) => return Err(transient),
            }
            *told = Told::of(publish, registry.deps.recheck);
        }
        Step::Report { id, state, reason } => {
            let doubted = std::mem::take(&mut broadcast.lock().doubted);
            match registry.deps.scheduler.report(id, &told.publish, state, &reason).await {
                Ok(said) => {
                    if told.state != Some(state) {
                        info!(broadcast.id = %id, "broadcast {id}: {} ({reason})", word(state));
                    }
                    told.over = said.over;
                    if said.closed && state != Publishing::Ended {
                        info!(broadcast.id = %id, "broadcast {id} has been ended elsewhere");
                        broadcast.abandon(Close::Ended, Instant::now());
                    }
                }
                Err(SchedulerError::Refused(why)) => {
                    error!(broadcast.id = %id, "the scheduler does not take the report of broadcast {id}: {why}");
                    told.over = true;
                }
                Err(transient) => {
                    broadcast.lock().doubted |= doubted;
                    return Err(transient);
                }
            }
            told.state = Some(state);
            told.doubt_at = Instant::now() + registry.deps.recheck;
            if state == Publishing::Ended {
                told.ask_at = Some(Instant::now() + told.asks.delay());
                broadcast.set_progress(Progress::Concluded);
            }
        }
        Step::Wait(_) | Step::Done => {}
    }
    Ok(())
}

fn word(state: Publishing) -> &'static str {
    match state {
        Publishing::Live | Publishing::Unspecified => "live",
        Publishing::Away => "publisher away",
        Publishing::Ended => "ended",
    }
}

/// Where `select!` wants a moment though the branch is off.
fn far() -> Instant {
    Instant::now() + ENDED_KEEP_MAX
}

impl Broadcast {
    /// Decides and does nothing else.
    fn next_step(&self, told: &Told, now: Instant) -> Step {
        let state = self.lock();
        if let Phase::Ended { at, .. } = state.phase
            && (state.next_epoch == 0 || now >= at + ENDED_KEEP_MAX)
        {
            return Step::Done;
        }
        if let Some(request) = state.to_open.as_ref().filter(|r| r.publish_id != told.publish) {
            return Step::Open(request.clone());
        }
        let due = match &state.phase {
            Phase::Live => None,
            Phase::Away { reason, .. } => Some((Publishing::Away, reason)),
            Phase::Ended { reason, .. } => Some((Publishing::Ended, reason)),
        };
        let settled = self.buffer.is_settled();
        let asks = told.ask_at.is_some_and(|at| now >= at) && !settled && !told.over;
        if let (Some(id), None, true) = (state.id, due, state.doubted || now >= told.doubt_at) {
            return Step::Report {
                id,
                state: Publishing::Live,
                reason: String::new(),
            };
        }
        let doubted = state.doubted && matches!(state.phase, Phase::Away { .. });
        if let (Some(id), Some((publishing, reason))) = (state.id, due)
            && (told.state != Some(publishing) || doubted || (asks && publishing == Publishing::Ended))
        {
            return Step::Report {
                id,
                state: publishing,
                reason: reason.clone(),
            };
        }
        match &state.phase {
            Phase::Live => Step::Wait(state.id.map(|_| told.doubt_at)),
            Phase::Away { until, .. } => Step::Wait(Some(*until)),
            Phase::Ended { .. } if state.id.is_none() || settled || told.over => Step::Done,
            Phase::Ended { at, .. } => {
                let keep = *at + ENDED_KEEP_MAX;
                Step::Wait(Some(told.ask_at.map_or(keep, |ask| ask.min(keep))))
            }
        }
    }

    /// Waits until the scheduler knows that the channel's earlier broadcast is over, so that it does not take this one
    /// for its continuation.
    async fn previous_concluded(&self) {
        let previous = self
            .previous
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(previous) = previous {
            // An error says that its control task is gone, and with it anybody who could tell.
            let _ = previous
                .progress
                .subscribe()
                .wait_for(|progress| *progress == Progress::Concluded)
                .await;
        }
    }
}
