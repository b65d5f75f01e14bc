//! An origin with its neighbours: an api and workers that say what a test tells them to, and a store in memory.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use clap::Parser;
use headwater_model::pieces::split;
use headwater_model::proto::api::playback_server::{Playback, PlaybackServer};
use headwater_model::proto::api::resolve_response::State;
use headwater_model::proto::api::{
    ResolveRequest, ResolveResponse, TokenRulesRequest, TokenRulesResponse, UseTokenRequest, UseTokenResponse,
};
use headwater_model::proto::worker::live_event::Kind as EventKind;
use headwater_model::proto::worker::live_server::{Live, LiveServer};
use headwater_model::proto::worker::{Ended, LiveEvent, SubscribeRequest, Synced};
use headwater_origin::{Config, Outside};
use headwater_platform::Process;
use headwater_platform::hints::MemoryHints;
use headwater_platform::rpc::{self, RpcConfig};
use headwater_platform::store::{MemoryStore, Meta, ObjectStore};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::media::{Made, event};

pub const TENANT: &str = "ten_aaaaaaaaaaaaaaaaaaaaaaaa";
pub const CHANNEL: &str = "pb_channelaaaaaaaaaaaaaaaaa";
pub const REPLAY: &str = "pb_replayaaaaaaaaaaaaaaaaaa";
pub const OTHER: &str = "pb_otheraaaaaaaaaaaaaaaaaaa";
pub const BROADCAST: &str = "br_aaaaaaaaaaaaaaaaaaaaaaaa";

const SECRET: &str = "only-for-tests";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

/// The whole neighbourhood.
pub struct Farm {
    pub origin: SocketAddr,
    pub api: Arc<FakeApi>,
    pub store: Arc<MemoryStore>,
    pub hints: Arc<MemoryHints>,
    pub process: Process,
}

impl Farm {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// `args`: further options of the origin.
    pub async fn start_with(args: &[&str]) -> Self {
        let api = Arc::new(FakeApi::default());
        let api_at = serve(
            Routes::new(PlaybackServer::from_arc(api.clone())),
            CancellationToken::new(),
        )
        .await;
        let api_url = format!("http://{api_at}");
        let fixed = ["origin", "--api-rpc-url", &api_url, "--rpc-secret", SECRET];
        let config = Cli::parse_from(fixed.iter().chain(args)).config;
        let listener = headwater_origin::listen(([127, 0, 0, 1], 0).into()).expect("loopback");
        let origin = listener.local_addr().expect("bound");
        let (store, hints) = (Arc::new(MemoryStore::new()), Arc::new(MemoryHints::new()));
        let outside = Outside {
            store: store.clone(),
            hints: hints.clone(),
        };
        let process = Process::new();
        tokio::spawn(headwater_origin::serve(config, listener, outside, process.clone()));
        Self {
            origin,
            api,
            store,
            hints,
            process,
        }
    }

    /// `CHANNEL` shows `BROADCAST` live on `worker`.
    pub fn goes_live(&self, worker: &FakeWorker, generation: u64) {
        self.api.answer(CHANNEL, live(worker, generation));
    }

    pub async fn put(&self, objects: Vec<(String, bytes::Bytes)>) {
        for (key, bytes) in objects {
            self.put_at(&format!("{TENANT}/{BROADCAST}/{key}"), bytes).await;
        }
    }

    pub async fn put_at(&self, key: &str, bytes: bytes::Bytes) {
        self.store
            .put(key, vec![bytes], Meta::immutable("video/mp4"))
            .await
            .expect("in memory");
    }

    /// Tells everybody that `playback` has changed; they know when this returns.
    pub async fn hint(&self, playback: &str) {
        self.hints.tell("hw:playback", playback.to_string()).await;
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.process.shutdown.cancel();
    }
}

pub fn live(worker: &FakeWorker, generation: u64) -> ResolveResponse {
    ResolveResponse {
        state: State::Live.into(),
        tenant_id: TENANT.into(),
        channel_id: "ch_aaaaaaaaaaaaaaaaaaaaaaaa".into(),
        title: "A \"quoted\" title".into(),
        broadcast_id: BROADCAST.into(),
        worker_url: worker.url.clone(),
        generation,
        replay_playback_id: REPLAY.into(),
        started_ms: 1_767_225_600_000,
        kind: "channel".into(),
        latency_mode: "low".into(),
        traceparent: String::new(),
        policy: "public".into(),
        environment: "live".into(),
        unrecorded: false,
    }
}

/// Nothing has been broadcast on the channel.
pub fn offline() -> ResolveResponse {
    ResolveResponse {
        state: State::Offline.into(),
        tenant_id: TENANT.into(),
        kind: "channel".into(),
        latency_mode: "low".into(),
        ..Default::default()
    }
}

/// `BROADCAST` has ended; the address is a replay's own, or the channel's.
pub fn ended(kind: &str) -> ResolveResponse {
    ResolveResponse {
        state: State::Ended.into(),
        tenant_id: TENANT.into(),
        broadcast_id: BROADCAST.into(),
        kind: kind.into(),
        latency_mode: "low".into(),
        ..Default::default()
    }
}

async fn serve(routes: Routes, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let at = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let config = RpcConfig::with_secret(SECRET);
        rpc::serve(listener, routes, &config, stop.cancelled_owned())
            .await
            .expect("serves");
    });
    at
}

/// An api that answers as told.
#[derive(Default)]
pub struct FakeApi {
    answers: Mutex<HashMap<String, ResolveResponse>>,
    pub asked: AtomicU64,
    pub down: AtomicBool,
    rules: Mutex<Option<TokenRulesResponse>>,
    used: Mutex<HashSet<String>>,
}

impl FakeApi {
    /// Keys and revocations from now on.
    pub fn rule(&self, rules: TokenRulesResponse) {
        *self.rules.lock().expect("no panic") = Some(rules);
    }

    /// There is no such playback id any more.
    pub fn forget(&self, playback: &str) {
        self.answers.lock().expect("no panic").remove(playback);
    }

    pub fn answer(&self, playback: &str, answer: ResolveResponse) {
        self.answers.lock().expect("no panic").insert(playback.into(), answer);
    }
}

#[tonic::async_trait]
impl Playback for FakeApi {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("told to be"));
        }
        let id = request.into_inner().playback_id;
        let answers = self.answers.lock().expect("no panic");
        answers
            .get(&id)
            .cloned()
            .map(Response::new)
            .ok_or_else(|| Status::not_found("no such playback id"))
    }

    async fn token_rules(&self, request: Request<TokenRulesRequest>) -> Result<Response<TokenRulesResponse>, Status> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("told to be"));
        }
        let rules = self.rules.lock().expect("no panic").clone();
        let rules = rules.ok_or_else(|| Status::unavailable("no rules"))?;
        Ok(Response::new(match request.get_ref().version == rules.version {
            true => TokenRulesResponse {
                version: rules.version,
                unchanged: true,
                ..TokenRulesResponse::default()
            },
            false => rules,
        }))
    }

    async fn use_token(&self, request: Request<UseTokenRequest>) -> Result<Response<UseTokenResponse>, Status> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("told to be"));
        }
        match self
            .used
            .lock()
            .expect("no panic")
            .insert(request.into_inner().token_id)
        {
            true => Ok(Response::new(UseTokenResponse {})),
            false => Err(Status::already_exists("used")),
        }
    }
}

type Subscriber = mpsc::UnboundedSender<Result<LiveEvent, Status>>;

/// A worker that says what it is told, and repeats it to whoever comes late.
pub struct FakeWorker {
    pub url: String,
    live: Arc<FakeLive>,
    stop: CancellationToken,
}

#[derive(Default)]
struct FakeLive {
    said: Mutex<(Vec<LiveEvent>, Vec<Subscriber>)>,
    subscriptions: AtomicU64,
}

impl FakeWorker {
    pub async fn start() -> Self {
        let (live, stop) = (Arc::<FakeLive>::default(), CancellationToken::new());
        let at = serve(Routes::new(LiveServer::from_arc(live.clone())), stop.clone()).await;
        Self {
            url: format!("http://{at}"),
            live,
            stop,
        }
    }

    /// A worker that has begun `made` and said the first `events` of it.
    pub async fn start_with(made: &Made, events: usize) -> Self {
        let worker = Self::start().await;
        worker.say(event(EventKind::Presentation(made.presentation.clone())));
        made.events[..events].iter().for_each(|event| worker.say(event.clone()));
        worker
    }

    pub fn say(&self, event: LiveEvent) {
        let mut said = self.live.said.lock().expect("no panic");
        said.1
            .retain(|subscriber| split(event.clone()).all(|event| subscriber.send(Ok(event)).is_ok()));
        said.0.push(event);
    }

    pub fn say_all(&self, events: &[LiveEvent]) {
        events.iter().for_each(|event| self.say(event.clone()));
    }

    pub fn end(&self) {
        self.say(event(EventKind::Ended(Ended {
            reason: "the publisher stopped".into(),
        })));
    }

    pub fn subscriptions(&self) -> u64 {
        self.live.subscriptions.load(Ordering::SeqCst)
    }

    /// Breaks every subscription, and refuses new ones.
    pub fn die(&self) {
        let mut said = self.live.said.lock().expect("no panic");
        for subscriber in said.1.drain(..) {
            let _ = subscriber.send(Err(Status::unavailable("the worker died")));
        }
        said.0.clear();
        self.stop.cancel();
    }
}

#[tonic::async_trait]
impl Live for FakeLive {
    type SubscribeStream = UnboundedReceiverStream<Result<LiveEvent, Status>>;

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Self::SubscribeStream>, Status> {
        let mut said = self.said.lock().expect("no panic");
        if request.into_inner().broadcast_id != BROADCAST || said.0.is_empty() {
            return Err(Status::not_found("does not run here"));
        }
        self.subscriptions.fetch_add(1, Ordering::SeqCst);
        let (sender, receiver) = mpsc::unbounded_channel();
        for event in &said.0 {
            split(event.clone()).for_each(|event| {
                let _ = sender.send(Ok(event));
            });
        }
        let _ = sender.send(Ok(event(EventKind::Synced(Synced {}))));
        said.1.push(sender);
        Ok(Response::new(UnboundedReceiverStream::new(receiver)))
    }
}
