//! `Playback`: what origins ask.

use headwater_model::proto::api::resolve_response::State;
use headwater_model::proto::api::{ResolveRequest, ResolveResponse, playback_server};
use headwater_model::{BroadcastState, PlaybackId};
use headwater_platform::rpc;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::broadcast::{self, Resolved};
use crate::{Database, DatabaseError};

pub(super) struct Service {
    database: Database,
}

impl Service {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[tonic::async_trait]
impl playback_server::Playback for Service {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        let text = &request.get_ref().playback_id;
        let span = tracing::info_span!("api.resolve", playback.id = text);
        rpc::follow_caller(&span, request.metadata());
        // A malformed id is an id that does not exist: origins pass on what viewers typed.
        let unknown = || Status::not_found("there is no such playback id");
        let id = PlaybackId::parse(text).map_err(|_| unknown())?;
        match broadcast::resolve(&self.database, id).instrument(span).await {
            Ok(Some(resolved)) => Ok(Response::new(response(resolved))),
            Ok(None) => Err(unknown()),
            Err(DatabaseError(error)) => {
                tracing::warn!("{id} could not be resolved: {error}");
                Err(Status::unavailable("playback ids cannot be looked up right now"))
            }
        }
    }
}

fn response(resolved: Resolved) -> ResolveResponse {
    let mut response = ResolveResponse {
        state: State::Offline.into(),
        tenant_id: resolved.tenant_id.into(),
        channel_id: resolved.channel_id.into(),
        title: resolved.title,
        kind: resolved.kind.as_str().to_owned(),
        latency_mode: resolved.latency_mode.to_string(),
        ..ResolveResponse::default()
    };
    if let Some(broadcast) = resolved.broadcast {
        response.state = state(broadcast.state).into();
        response.broadcast_id = broadcast.id.into();
        response.replay_playback_id = broadcast.playback_id.into();
        response.started_ms = broadcast.started_ms;
        response.traceparent = broadcast.traceparent;
        if let Some(worker) = broadcast.worker {
            response.worker_url = worker.url;
            response.generation = worker.generation;
        }
    }
    response
}

fn state(state: BroadcastState) -> State {
    match state {
        BroadcastState::Live => State::Live,
        BroadcastState::Reconnecting => State::Reconnecting,
        BroadcastState::Finishing => State::Finishing,
        BroadcastState::Ended => State::Ended,
    }
}
