//! The media link: workers pull access units over gRPC and acknowledge what is stored.
//!
//! The stream is the replay buffer's reader itself: HTTP/2 flow control decides how much is taken, at most one batch
//! waits here, and tonic puts consecutive events into one frame. Memory per worker is the HTTP/2 window.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use headwater_model::BroadcastId;
use headwater_model::proto::edge::media_link_server::{MediaLink, MediaLinkServer};
use headwater_model::proto::edge::{PullEvent, PullRequest, pull_request};
use metrics::{counter, gauge};
use tokio_util::task::AbortOnDropHandle;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info, warn};

use crate::broadcast::{Broadcast, Registry};
use crate::replay_buffer::{Acks, ReadError, Reader};

/// A worker has this long to say what it wants.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The service over a registry's broadcasts.
pub fn routes(registry: Arc<Registry>) -> Routes {
    Routes::new(MediaLinkServer::new(Link { registry }))
}

struct Link {
    registry: Arc<Registry>,
}

#[tonic::async_trait]
impl MediaLink for Link {
    type PullStream = Pull;

    async fn pull(&self, request: Request<Streaming<PullRequest>>) -> Result<Response<Pull>, Status> {
        let mut requests = request.into_inner();
        let first = tokio::time::timeout(OPEN_TIMEOUT, requests.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("the first request did not come"))??;
        let Some(PullRequest {
            kind: Some(pull_request::Kind::Open(open)),
        }) = first
        else {
            return Err(Status::invalid_argument("the first request is not `open`"));
        };
        let id: BroadcastId = open
            .broadcast_id
            .parse()
            .map_err(|error| Status::invalid_argument(format!("open.broadcast_id: {error}")))?;
        let Some(broadcast) = self.registry.find(&id) else {
            return Err(Status::not_found(format!("broadcast {id} is not held on this edge")));
        };
        let reader = broadcast
            .buffer()
            .open(open.generation, open.resume_90k)
            .map_err(fenced)?;
        info!(broadcast.id = %id, lease.generation = open.generation,
            "a worker pulls broadcast {id} from {} s on", open.resume_90k / 90_000);
        let acks = tokio::spawn(take_acks(requests, reader.acks(), broadcast, id));
        gauge!("ingest_link_readers").increment(1);
        Ok(Response::new(Pull {
            reader,
            over: None,
            acks: AbortOnDropHandle::new(acks),
        }))
    }
}

/// Passes acknowledgements on until everything is stored, or the worker hangs up or is fenced.
async fn take_acks(mut requests: Streaming<PullRequest>, acks: Acks, broadcast: Arc<Broadcast>, id: BroadcastId) {
    loop {
        match requests.message().await {
            Ok(Some(PullRequest {
                kind: Some(pull_request::Kind::Ack(ack)),
            })) => {
                if acks.ack(ack.durable_90k).is_err() {
                    return;
                }
                broadcast.acknowledged();
                if broadcast.buffer().is_settled() {
                    return;
                }
            }
            Ok(Some(_)) => {
                warn!(broadcast.id = %id, "a worker sent something other than an acknowledgement; ignored");
            }
            Ok(None) => return,
            Err(status) => {
                debug!(broadcast.id = %id, "media link closed: {status}");
                return;
            }
        }
    }
}

fn fenced(error: ReadError) -> Status {
    counter!("ingest_link_fenced_total").increment(1);
    Status::aborted(error.to_string())
}

/// What a worker reads.
pub struct Pull {
    reader: Reader,
    /// What is left to say once the reader has nothing more.
    over: Option<Option<Status>>,
    acks: AbortOnDropHandle<()>,
}

impl Stream for Pull {
    type Item = Result<PullEvent, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over.is_none() {
            match ready!(self.reader.poll_next(cx)) {
                Ok(Some(kind)) => return Poll::Ready(Some(Ok(PullEvent { kind: Some(kind) }))),
                Ok(None) => self.over = Some(None),
                Err(error) => {
                    self.acks.abort();
                    self.over = Some(Some(fenced(error)));
                }
            }
        }
        if let Some(Some(status)) = self.over.replace(None) {
            return Poll::Ready(Some(Err(status)));
        }
        // Behind the last event the stream stays open for acknowledgements. How that task ended says nothing more.
        let _ = ready!(Pin::new(&mut self.acks).poll(cx));
        Poll::Ready(None)
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        gauge!("ingest_link_readers").decrement(1);
    }
}
