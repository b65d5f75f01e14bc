//! The api and the scheduler, made up: they answer as told and remember what they were asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use headwater_model::proto::api::ingest_server::{Ingest, IngestServer};
use headwater_model::proto::api::{AuthorizeRequest, AuthorizeResponse};
use headwater_model::proto::scheduler::report_publisher_request::State as Publishing;
use headwater_model::proto::scheduler::scheduler_server::{Scheduler, SchedulerServer};
use headwater_model::proto::scheduler::{
    FinishBroadcastRequest, FinishBroadcastResponse, OpenBroadcastRequest, OpenBroadcastResponse,
    ReportPlayableRequest, ReportPlayableResponse, ReportPublisherRequest, ReportPublisherResponse,
};
use headwater_model::{BroadcastId, ChannelId, PlaybackId, StreamKey, StreamKeyId, TenantId};
use headwater_platform::rpc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::{rpc_config, soon};

/// What the api and the scheduler know, and have been asked.
#[derive(Clone, Default)]
pub struct Books {
    pub api_down: bool,
    pub scheduler_down: bool,
    /// Keys that the api no longer knows.
    pub revoked: Vec<u64>,
    /// Channels whose keys are refused with this code and sentence.
    pub denied: Vec<(u64, tonic::Code, &'static str)>,
    pub reconnect_window_s: u32,
    pub bitrate_max_bps: u64,
    /// The broadcasts take no more media.
    pub closed: bool,
    /// Workers have written the replays of the broadcasts that ended.
    pub finished: bool,
    /// Sent with the next broadcast opened, as if it had begun elsewhere: its wall clock and next epoch.
    pub continues: Option<(i64, u32)>,
    /// Where publishers came from.
    pub peers: Vec<String>,
    pub authorised: usize,
    pub refused: usize,
    pub opens: Vec<(BroadcastId, OpenBroadcastRequest)>,
    pub reports: Vec<ReportPublisherRequest>,
    open: HashMap<String, (BroadcastId, i64)>,
}

#[derive(Clone)]
pub struct Farm {
    pub address: SocketAddr,
    pub books: watch::Sender<Books>,
}

impl Farm {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let books = Books {
            reconnect_window_s: 60,
            ..Books::default()
        };
        let farm = Self {
            address: listener.local_addr().expect("bound"),
            books: watch::Sender::new(books),
        };
        let shared = Arc::new(farm.clone());
        let routes = Routes::new(IngestServer::from_arc(shared.clone())).add_service(SchedulerServer::from_arc(shared));
        tokio::spawn(async move { rpc::serve(listener, routes, &rpc_config(), std::future::pending()).await });
        farm
    }

    /// The stream key of a channel.
    pub fn key(&self, channel: u64) -> String {
        format!("sk_{:a>32}", char::from(b'a' + channel as u8))
    }

    pub fn set(&self, change: impl FnOnce(&mut Books)) {
        self.books.send_modify(change);
    }

    /// Waits until the books say so, and gives them out.
    pub async fn when(&self, what: &str, says: impl FnMut(&Books) -> bool) -> Books {
        let mut books = self.books.subscribe();
        soon(what, books.wait_for(says)).await.expect("the farm runs").clone()
    }

    /// The `nth` broadcast opened, once there is one.
    pub async fn opened(&self, nth: usize) -> BroadcastId {
        let what = format!("broadcast {nth} to be opened");
        self.when(&what, |b| distinct(b).len() > nth).await;
        distinct(&self.books.borrow())[nth]
    }

    /// Waits for a report.
    pub async fn reported(&self, state: Publishing) -> ReportPublisherRequest {
        let what = format!("report {state:?}");
        let books = self.when(&what, |b| b.reports.iter().any(|r| r.state() == state)).await;
        books
            .reports
            .into_iter()
            .rev()
            .find(|r| r.state() == state)
            .expect("waited for")
    }
}

fn distinct(books: &Books) -> Vec<BroadcastId> {
    let mut ids: Vec<BroadcastId> = books.opens.iter().map(|(id, _)| *id).collect();
    ids.dedup();
    ids
}

#[tonic::async_trait]
impl Ingest for Farm {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let asked = request.into_inner();
        let key = StreamKey::parse(&asked.stream_key).map_err(|_| Status::invalid_argument("not a key"))?;
        if self.books.borrow().api_down {
            return Err(Status::unavailable("the api is down"));
        }
        let channel = (1..10).find(|n| self.key(*n) == key.expose());
        let denied = self
            .books
            .borrow()
            .denied
            .iter()
            .find(|(n, ..)| Some(*n) == channel)
            .copied();
        if let Some((_, code, sentence)) = denied {
            return Err(Status::new(code, sentence));
        }
        let channel = channel.filter(|n| !self.books.borrow().revoked.contains(n));
        self.set(|b| {
            b.peers.push(asked.peer_address.clone());
            match channel {
                Some(_) => b.authorised += 1,
                None => b.refused += 1,
            }
        });
        let channel = channel.ok_or_else(|| Status::unauthenticated("This stream key is unknown or was revoked."))?;
        let books = self.books.borrow();
        Ok(Response::new(AuthorizeResponse {
            tenant_id: TenantId::numbered(channel).to_string(),
            channel_id: ChannelId::numbered(channel).to_string(),
            stream_key_id: StreamKeyId::numbered(channel).to_string(),
            playback_id: PlaybackId::numbered(channel).to_string(),
            latency_mode: "low".into(),
            reconnect_window_s: books.reconnect_window_s,
            cache_ttl_s: 3_600,
            bitrate_max_bps: books.bitrate_max_bps,
        }))
    }
}

#[tonic::async_trait]
impl Scheduler for Farm {
    async fn open_broadcast(
        &self,
        request: Request<OpenBroadcastRequest>,
    ) -> Result<Response<OpenBroadcastResponse>, Status> {
        let asked = request.into_inner();
        if self.books.borrow().scheduler_down {
            return Err(Status::unavailable("the scheduler is down"));
        }
        let mut answer = OpenBroadcastResponse::default();
        self.set(|b| {
            let fresh = BroadcastId::numbered(b.opens.len() as u64 + 1);
            let known = b.open.get(&asked.channel_id).copied();
            let elsewhere = b.continues.take();
            let (id, anchor) = known.unwrap_or((fresh, elsewhere.map_or(asked.start_wallclock_ms, |(at, _)| at)));
            answer = OpenBroadcastResponse {
                broadcast_id: id.to_string(),
                continued: known.is_some() || elsewhere.is_some(),
                anchor_wallclock_ms: anchor,
                next_epoch: elsewhere.map_or(0, |(_, epoch)| epoch),
            };
            b.open.insert(asked.channel_id.clone(), (id, anchor));
            b.opens.push((id, asked.clone()));
        });
        Ok(Response::new(answer))
    }

    async fn report_publisher(
        &self,
        request: Request<ReportPublisherRequest>,
    ) -> Result<Response<ReportPublisherResponse>, Status> {
        let report = request.into_inner();
        if self.books.borrow().scheduler_down {
            return Err(Status::unavailable("the scheduler is down"));
        }
        let mut over = false;
        let closed = self.books.borrow().closed && report.state() != Publishing::Ended;
        self.set(|b| {
            over = b.finished && report.state() == Publishing::Ended;
            if report.state() == Publishing::Ended {
                b.open.retain(|_, (id, _)| id.to_string() != report.broadcast_id);
            }
            b.reports.push(report);
        });
        Ok(Response::new(ReportPublisherResponse { over, closed }))
    }

    async fn report_playable(
        &self,
        _: Request<ReportPlayableRequest>,
    ) -> Result<Response<ReportPlayableResponse>, Status> {
        Ok(Response::new(ReportPlayableResponse {}))
    }

    async fn finish_broadcast(
        &self,
        _: Request<FinishBroadcastRequest>,
    ) -> Result<Response<FinishBroadcastResponse>, Status> {
        Ok(Response::new(FinishBroadcastResponse {}))
    }
}
