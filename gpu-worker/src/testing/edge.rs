//! An edge and a scheduler in one, that do what a test tells them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use headwater_media::Timescale;
use headwater_model::convert::{epoch_to_proto, unit_to_proto};
use headwater_model::proto::edge::media_link_server::{MediaLink, MediaLinkServer};
use headwater_model::proto::edge::{End, Open, PullEvent, PullRequest, pull_event, pull_request};
use headwater_model::proto::scheduler::scheduler_server::{Scheduler, SchedulerServer};
use headwater_model::proto::scheduler::{
    FinishBroadcastRequest, FinishBroadcastResponse, OpenBroadcastRequest, OpenBroadcastResponse,
    ReportPlayableRequest, ReportPlayableResponse, ReportPublisherRequest, ReportPublisherResponse,
};
use headwater_platform::rpc::{self, RpcConfig};
use tokio::sync::{mpsc, watch};
use tonic::{Request, Response, Status, Streaming};

use super::media::Source;

/// What the edge has heard, and what it may send.
pub(crate) struct Heard {
    /// Newest acknowledgement, 1/90000 s.
    pub acked_90k: watch::Sender<i64>,
    /// Every `open`.
    pub opened: Mutex<Vec<Open>>,
    /// Every finish.
    pub finished: Mutex<Vec<FinishBroadcastRequest>>,
    /// How many units of each source may be sent.
    pub gate: watch::Sender<usize>,
    /// Links are cut after this many units.
    pub cut_after: watch::Sender<Option<usize>>,
}

/// A running edge.
pub(crate) struct Edge {
    pub url: String,
    pub heard: Arc<Heard>,
}

#[derive(Clone)]
struct Service {
    sources: Arc<Vec<Source>>,
    heard: Arc<Heard>,
}

impl Edge {
    /// Serves these sources one after another, then the end.
    pub(crate) async fn start(sources: Vec<Source>, rpc: &RpcConfig) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let heard = Arc::new(Heard {
            acked_90k: watch::Sender::new(0),
            opened: Mutex::default(),
            finished: Mutex::default(),
            gate: watch::Sender::new(usize::MAX),
            cut_after: watch::Sender::new(None),
        });
        let service = Service {
            sources: Arc::new(sources),
            heard: heard.clone(),
        };
        let routes = tonic::service::Routes::new(MediaLinkServer::new(service.clone()))
            .add_service(SchedulerServer::new(service));
        let rpc = rpc.clone();
        tokio::spawn(async move { rpc::serve(listener, routes, &rpc, std::future::pending()).await });
        Self { url, heard }
    }
}

type Events = Pin<Box<dyn futures::Stream<Item = Result<PullEvent, Status>> + Send>>;

#[tonic::async_trait]
impl MediaLink for Service {
    type PullStream = Events;

    async fn pull(&self, request: Request<Streaming<PullRequest>>) -> Result<Response<Events>, Status> {
        let mut requests = request.into_inner();
        let Some(PullRequest {
            kind: Some(pull_request::Kind::Open(open)),
        }) = requests.message().await?
        else {
            return Err(Status::invalid_argument("open first"));
        };
        self.heard.opened.lock().expect("not poisoned").push(open.clone());
        let heard = self.heard.clone();
        tokio::spawn(async move {
            while let Ok(Some(PullRequest {
                kind: Some(pull_request::Kind::Ack(ack)),
            })) = requests.message().await
            {
                heard
                    .acked_90k
                    .send_if_modified(|at| ack.durable_90k > std::mem::replace(at, ack.durable_90k.max(*at)));
            }
        });
        let (events, outbox) = mpsc::channel(16);
        let this = self.clone();
        tokio::spawn(async move { this.send(open.resume_90k, &events).await });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(
            outbox,
        ))))
    }
}

impl Service {
    /// Sends everything from the key frame that leads to `resume_90k`; `None` when the worker is gone.
    async fn send(&self, resume_90k: i64, events: &mpsc::Sender<Result<PullEvent, Status>>) -> Option<()> {
        let mut gate = self.heard.gate.subscribe();
        let mut sent = 0;
        for (i, source) in self.sources.iter().enumerate() {
            let ends = self.sources.get(i + 1).map_or(i64::MAX, |next| next.epoch.start_90k);
            if ends <= resume_90k {
                continue;
            }
            let tell = |kind| Ok(PullEvent { kind: Some(kind) });
            events
                .send(tell(pull_event::Kind::Epoch(epoch_to_proto(&source.epoch))))
                .await
                .ok()?;
            let key = |u: &&headwater_media::AccessUnit| u.key && u.pts.ticks_in(Timescale::VIDEO) <= resume_90k;
            let video = source.epoch.tracks.iter().map(|t| t.id).next()?;
            let from = source
                .of(video)
                .filter(key)
                .last()
                .map_or(i64::MIN, |u| u.dts.ticks_in(Timescale::VIDEO));
            for (n, unit) in source.units.iter().enumerate() {
                if unit.dts.ticks_in(Timescale::VIDEO) < from {
                    continue;
                }
                gate.wait_for(|open| n < *open).await.ok()?;
                let cut = *self.heard.cut_after.borrow();
                if cut.is_some_and(|after| sent >= after) {
                    self.heard.cut_after.send_replace(None);
                    return None;
                }
                sent += 1;
                events
                    .send(tell(pull_event::Kind::Unit(unit_to_proto(unit, 1))))
                    .await
                    .ok()?;
            }
        }
        let end = pull_event::Kind::End(End {
            reason: "unpublished".into(),
        });
        events.send(Ok(PullEvent { kind: Some(end) })).await.ok()?;
        // The worker goes on acknowledging after the end.
        events.closed().await;
        Some(())
    }
}

#[tonic::async_trait]
impl Scheduler for Service {
    async fn open_broadcast(
        &self,
        _: Request<OpenBroadcastRequest>,
    ) -> Result<Response<OpenBroadcastResponse>, Status> {
        Err(Status::unimplemented("workers do not ask this"))
    }
    async fn report_publisher(
        &self,
        _: Request<ReportPublisherRequest>,
    ) -> Result<Response<ReportPublisherResponse>, Status> {
        Err(Status::unimplemented("workers do not ask this"))
    }
    async fn report_playable(
        &self,
        _: Request<ReportPlayableRequest>,
    ) -> Result<Response<ReportPlayableResponse>, Status> {
        Ok(Response::new(ReportPlayableResponse {}))
    }
    async fn finish_broadcast(
        &self,
        request: Request<FinishBroadcastRequest>,
    ) -> Result<Response<FinishBroadcastResponse>, Status> {
        self.heard
            .finished
            .lock()
            .expect("not poisoned")
            .push(request.into_inner());
        Ok(Response::new(FinishBroadcastResponse {}))
    }
}
