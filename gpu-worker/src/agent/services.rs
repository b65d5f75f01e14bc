//! The gRPC services: what schedulers and origins ask.

use std::pin::Pin;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use headwater_model::pieces;
use headwater_model::proto::worker::live_server::{Live, LiveServer};
use headwater_model::proto::worker::worker_server::{Worker, WorkerServer};
use headwater_model::proto::worker::{
    AssignResponse, Assignment, LiveEvent, ReleaseRequest, ReleaseResponse, SubscribeRequest,
};
use headwater_platform::rpc::MESSAGE_MAX_BYTES;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::broadcasts::Broadcasts;

/// Both services on one listener.
pub(crate) fn routes(broadcasts: Arc<Broadcasts>) -> Routes {
    let service = Service { broadcasts };
    let live = LiveServer::new(service.clone()).max_encoding_message_size(MESSAGE_MAX_BYTES);
    Routes::new(WorkerServer::new(service)).add_service(live)
}

#[derive(Clone)]
struct Service {
    broadcasts: Arc<Broadcasts>,
}

#[tonic::async_trait]
impl Worker for Service {
    async fn assign(&self, request: Request<Assignment>) -> Result<Response<AssignResponse>, Status> {
        self.broadcasts.assign(request.into_inner())?;
        Ok(Response::new(AssignResponse {}))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let request = request.into_inner();
        self.broadcasts
            .release(&request.broadcast_id, request.generation, request.finish)?;
        Ok(Response::new(ReleaseResponse {}))
    }
}

type Events = Pin<Box<dyn futures::Stream<Item = Result<LiveEvent, Status>> + Send>>;

#[tonic::async_trait]
impl Live for Service {
    type SubscribeStream = Events;

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Events>, Status> {
        let id = request.into_inner().broadcast_id;
        let Some(broadcast) = self.broadcasts.find(&id) else {
            return Err(Status::not_found(format!("{id} does not run here")));
        };
        match broadcast.hub.subscribe() {
            Some(subscription) => {
                let events = subscription.flat_map(|event| match event {
                    Ok(event) => stream::iter(pieces::split(event)).map(Ok).left_stream(),
                    Err(status) => stream::iter([Err(status)]).right_stream(),
                });
                Ok(Response::new(Box::pin(events)))
            }
            None => Err(Status::resource_exhausted(format!("{id} has too many subscribers"))),
        }
    }
}
