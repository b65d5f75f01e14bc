//! What a playback id shows: asked of the api, remembered, and used on while the api is silent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_model::proto::api::playback_client::PlaybackClient;
use headwater_model::proto::api::resolve_response::State as ProtoState;
use headwater_model::proto::api::{ResolveRequest, ResolveResponse};
use headwater_platform::rpc;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::Code;
use tracing::warn;

use crate::limits::{BROADCASTS_PER_PLAYBACK_MAX, LIVE_ANSWER, PLAYBACKS_MAX, REPLAY_ANSWER, RESOLVE};
use crate::lock;
use crate::telemetry::Meters;

/// An answer older than this is not used without asking, unless the api is silent.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(5);

/// Where a playback id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Offline,
    Live,
    Reconnecting,
    Ended,
    Finishing,
}

impl State {
    /// Whether a worker runs the broadcast.
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::Live | Self::Reconnecting)
    }

    /// As players read it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Live => "live",
            Self::Reconnecting => "reconnecting",
            Self::Ended => "ended",
            Self::Finishing => "finishing",
        }
    }
}

/// The api's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub state: State,
    pub tenant: String,
    /// `live` or `test`
    pub environment: String,
    /// Nothing is shown without a token.
    pub is_signed: bool,
    pub title: String,
    /// Empty when there never was one.
    pub broadcast: String,
    pub worker_url: String,
    pub generation: u64,
    pub replay_playback_id: String,
    pub started_ms: i64,
    /// The address of one replay, not of a channel: what it shows does not change any more.
    pub is_replay: bool,
    pub latency_mode: String,
    /// The broadcast leaves no replay.
    pub is_unrecorded: bool,
    /// Of the broadcast's trace; empty when traces are not exported.
    pub traceparent: String,
}

impl Resolved {
    /// A word that changes whenever a viewer should see something else; the same at every origin.
    pub(crate) fn version(&self) -> String {
        let state = self.state.as_str();
        match self.broadcast.as_str() {
            "" => state.to_owned(),
            broadcast => format!("{state}.{broadcast}"),
        }
    }
}

impl From<ResolveResponse> for Resolved {
    fn from(answer: ResolveResponse) -> Self {
        Self {
            state: match answer.state() {
                ProtoState::Offline => State::Offline,
                ProtoState::Live => State::Live,
                ProtoState::Reconnecting => State::Reconnecting,
                ProtoState::Ended => State::Ended,
                ProtoState::Finishing => State::Finishing,
            },
            tenant: answer.tenant_id,
            environment: answer.environment,
            // An api that says nothing of policies knows only public ones.
            is_signed: !matches!(answer.policy.as_str(), "" | "public"),
            title: answer.title,
            broadcast: answer.broadcast_id,
            worker_url: answer.worker_url,
            generation: answer.generation,
            replay_playback_id: answer.replay_playback_id,
            started_ms: answer.started_ms,
            is_replay: answer.kind == "replay",
            latency_mode: answer.latency_mode,
            is_unrecorded: answer.unrecorded,
            traceparent: answer.traceparent,
        }
    }
}

/// Why nothing is known about a playback id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ResolveError {
    /// The api knows no such id.
    #[error("no such playback id")]
    Unknown,
    /// The api is silent and this id was never asked for before.
    #[error("the api does not answer")]
    Unavailable,
}

/// One playback id and all that is remembered of it.
pub(crate) struct Playback {
    pub id: String,
    memory: Mutex<Memory>,
    /// Held while the api is asked, so that one question serves all.
    asking: tokio::sync::Mutex<()>,
    /// The newest answer, for those who follow.
    news: watch::Sender<Option<Arc<Resolved>>>,
}

#[derive(Default)]
struct Memory {
    /// `Ok(None)`: the api knows no such id.
    answer: Option<Option<Arc<Resolved>>>,
    asked: Option<Instant>,
    /// How often somebody said that the answer has changed, and how often of that the answer takes into account.
    changes_told: u64,
    changes_seen: u64,
    /// The last question got no answer.
    silent: bool,
    /// What this id showed, newest first.
    shown: VecDeque<Past>,
}

/// A broadcast that a playback id showed.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub broadcast: String,
    pub tenant: String,
    /// It leaves no replay.
    pub is_unrecorded: bool,
    /// The playback id of its own: what became of the replay is asked of that one.
    pub replay_playback_id: String,
}

impl Memory {
    fn is_outdated(&self) -> bool {
        self.changes_seen < self.changes_told
    }
}

enum Freshness {
    Use(Option<Arc<Resolved>>),
    UseAndAsk(Option<Arc<Resolved>>),
    Ask,
}

impl Playback {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_string(),
            memory: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            news: watch::Sender::new(None),
        }
    }

    /// `broadcast`, if this id shows it or did lately. Other ids' broadcasts are not found here.
    pub(crate) fn shown(&self, broadcast: &str) -> Option<Past> {
        let memory = lock(&self.memory);
        memory.shown.iter().find(|past| past.broadcast == broadcast).cloned()
    }

    /// The newest answer now and whenever it changes.
    pub(crate) fn news(&self) -> watch::Receiver<Option<Arc<Resolved>>> {
        self.news.subscribe()
    }

    fn freshness(&self) -> Freshness {
        let mut memory = lock(&self.memory);
        let (Some(answer), Some(asked)) = (memory.answer.clone(), memory.asked) else {
            return match (memory.silent, memory.asked) {
                // Silent a moment ago: the next question may wait, and so spare those who would wait for it.
                (true, Some(asked)) if asked.elapsed() < LIVE_ANSWER => Freshness::Use(None),
                _ => Freshness::Ask,
            };
        };
        let settled = answer.as_ref().is_some_and(|a| a.is_replay && a.state == State::Ended);
        let age = asked.elapsed();
        if age < (if settled { REPLAY_ANSWER } else { LIVE_ANSWER }) && !memory.is_outdated() {
            return Freshness::Use(answer);
        }
        if !memory.is_outdated() && (age < ANSWER_AGE_MAX || settled) || memory.silent {
            // Whoever asks next within the time of one question uses the old answer, too.
            memory.asked = Some(Instant::now());
            return Freshness::UseAndAsk(answer);
        }
        Freshness::Ask
    }

    /// `changes_seen`: how many changes had been told when the question was asked.
    fn learn(&self, outcome: Result<Option<Resolved>, ()>, changes_seen: u64) {
        let mut memory = lock(&self.memory);
        memory.asked = Some(Instant::now());
        let Ok(answer) = outcome else {
            memory.silent = true;
            return;
        };
        memory.silent = false;
        memory.changes_seen = changes_seen;
        let answer = answer.map(Arc::new);
        if let Some(now) = answer.as_ref().filter(|a| !a.broadcast.is_empty()) {
            memory.shown.retain(|past| past.broadcast != now.broadcast);
            memory.shown.push_front(Past {
                broadcast: now.broadcast.clone(),
                tenant: now.tenant.clone(),
                is_unrecorded: now.is_unrecorded,
                replay_playback_id: now.replay_playback_id.clone(),
            });
            memory.shown.truncate(BROADCASTS_PER_PLAYBACK_MAX);
        }
        memory.answer = Some(answer.clone());
        drop(memory);
        self.news.send_if_modified(|known| {
            let changed = *known != answer;
            *known = answer;
            changed
        });
    }
}

/// All playback ids asked for lately.
pub(crate) struct Resolver {
    api: PlaybackClient<rpc::Client>,
    known: Mutex<Known>,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, (Arc<Playback>, u64)>,
    by_use: BTreeMap<u64, String>,
    uses: u64,
}

impl Resolver {
    pub(crate) fn new(api: rpc::Client, meters: Arc<Meters>) -> Arc<Self> {
        Arc::new(Self {
            api: PlaybackClient::new(api),
            known: Mutex::default(),
            meters,
        })
    }

    /// What `id` shows. Asks the api only when what is remembered is too old, once for all who ask at the same time;
    /// an answer just past its time is used while the next one is fetched.
    pub(crate) async fn resolve(self: &Arc<Self>, id: &str) -> Result<(Arc<Playback>, Arc<Resolved>), ResolveError> {
        let playback = lock(&self.known).note(id);
        let answer = match playback.freshness() {
            Freshness::Use(answer) => answer,
            Freshness::UseAndAsk(answer) => {
                let (resolver, playback) = (self.clone(), playback.clone());
                tokio::spawn(async move { resolver.ask(&playback).await });
                answer
            }
            Freshness::Ask => {
                let _asking = playback.asking.lock().await;
                match playback.freshness() {
                    // Somebody else asked while we waited.
                    Freshness::Use(answer) | Freshness::UseAndAsk(answer) => answer,
                    Freshness::Ask => {
                        self.ask(&playback).await;
                        lock(&playback.memory).answer.clone().flatten()
                    }
                }
            }
        };
        match answer {
            Some(answer) => Ok((playback, answer)),
            None if lock(&playback.memory).answer.is_none() => Err(ResolveError::Unavailable),
            None => Err(ResolveError::Unknown),
        }
    }

    /// Asks the api now.
    pub(crate) async fn ask(&self, playback: &Playback) {
        self.meters.resolves.increment(1);
        let changes_seen = lock(&playback.memory).changes_told;
        let request = ResolveRequest {
            playback_id: playback.id.clone(),
        };
        let mut api = self.api.clone();
        let outcome = match tokio::time::timeout(RESOLVE, api.resolve(request)).await {
            Ok(Ok(answer)) => Ok(Some(answer.into_inner().into())),
            Ok(Err(status)) if status.code() == Code::NotFound => Ok(None),
            Ok(Err(status)) => {
                warn!(code = ?status.code(), "the api did not say what a playback id shows; the last answer is used");
                Err(())
            }
            Err(_) => {
                warn!("the api took too long to say what a playback id shows; the last answer is used");
                Err(())
            }
        };
        if outcome.is_err() {
            self.meters.resolve_errors.increment(1);
        }
        playback.learn(outcome, changes_seen);
    }

    /// What is known of `id` has changed: the next request asks again. Ids nobody watches are of no interest; for
    /// those that somebody follows, the api is asked at once.
    pub(crate) fn changed(self: &Arc<Self>, id: &str) {
        let Some(playback) = lock(&self.known).by_id.get(id).map(|(playback, _)| playback.clone()) else {
            return;
        };
        lock(&playback.memory).changes_told += 1;
        if playback.news.receiver_count() > 0 {
            let resolver = self.clone();
            tokio::spawn(async move {
                let _asking = playback.asking.lock().await;
                let outdated = lock(&playback.memory).is_outdated();
                if outdated {
                    resolver.ask(&playback).await;
                }
            });
        }
    }
}

impl Known {
    fn note(&mut self, id: &str) -> Arc<Playback> {
        self.uses += 1;
        let now = self.uses;
        if let Some((playback, used)) = self.by_id.get_mut(id) {
            let playback = playback.clone();
            if let Some(id) = self.by_use.remove(used) {
                self.by_use.insert(now, id);
            }
            *used = now;
            return playback;
        }
        if self.by_id.len() >= PLAYBACKS_MAX
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_id.remove(&oldest);
        }
        let playback = Arc::new(Playback::new(id));
        self.by_use.insert(now, id.to_string());
        self.by_id.insert(id.to_string(), (playback.clone(), now));
        playback
    }
}
