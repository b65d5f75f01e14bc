//! `Playback`: what origins ask.

use headwater_model::proto::api::resolve_response::State;
use headwater_model::proto::api::{
    ResolveRequest, ResolveResponse, Revocation, SigningKey, TokenRulesRequest, TokenRulesResponse, UseTokenRequest,
    UseTokenResponse, playback_server,
};
use headwater_model::{BroadcastState, PlaybackId, TenantId};
use headwater_platform::rpc;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::access::{Environment, EnvironmentError};
use crate::broadcast::{self, Resolved};
use crate::{Database, DatabaseError, playback_token};

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

    async fn token_rules(&self, request: Request<TokenRulesRequest>) -> Result<Response<TokenRulesResponse>, Status> {
        let asked = request.get_ref();
        let (tenant, environment) = place(&asked.tenant_id, &asked.environment)?;
        let found = playback_token::rules(&self.database, tenant, environment, &asked.version);
        let response = match found.await.map_err(unanswered)? {
            None => TokenRulesResponse {
                version: asked.version.clone(),
                unchanged: true,
                ..TokenRulesResponse::default()
            },
            Some(rules) => TokenRulesResponse {
                version: rules.version,
                unchanged: false,
                keys: rules.keys.into_iter().map(key).collect(),
                revocations: rules.revocations.into_iter().map(revocation).collect(),
            },
        };
        Ok(Response::new(response))
    }

    async fn use_token(&self, request: Request<UseTokenRequest>) -> Result<Response<UseTokenResponse>, Status> {
        let asked = request.get_ref();
        let (tenant, environment) = place(&asked.tenant_id, &asked.environment)?;
        if asked.token_id.is_empty() || asked.token_id.chars().count() > playback_token::SUBJECT_CHARS_MAX {
            return Err(Status::invalid_argument("a token's id has 1 to 200 characters"));
        }
        let used = playback_token::use_up(&self.database, tenant, environment, &asked.token_id);
        match used.await.map_err(unanswered)? {
            true => Ok(Response::new(UseTokenResponse {})),
            false => Err(Status::already_exists("this token was used before")),
        }
    }
}

fn place(tenant: &str, environment: &str) -> Result<(TenantId, Environment), Status> {
    let tenant = TenantId::parse(tenant).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let environment = environment.parse();
    let environment = environment.map_err(|error: EnvironmentError| Status::invalid_argument(error.to_string()))?;
    Ok((tenant, environment))
}

fn unanswered(DatabaseError(error): DatabaseError) -> Status {
    tracing::warn!("a question about playback tokens was not answered: {error}");
    Status::unavailable("playback tokens cannot be looked up right now")
}

fn key(key: playback_token::PublicKey) -> SigningKey {
    SigningKey {
        signing_key_id: key.signing_key_id,
        algorithm: key.algorithm,
        public_key: key.public_key,
    }
}

fn revocation(revocation: playback_token::Revocation) -> Revocation {
    Revocation {
        kind: revocation.kind,
        subject: revocation.subject,
        revoked_ms: revocation.revoked_ms,
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
        policy: if resolved.is_signed { "signed" } else { "public" }.to_owned(),
        environment: resolved.environment.as_str().to_owned(),
        ..ResolveResponse::default()
    };
    if let Some(broadcast) = resolved.broadcast {
        response.state = state(broadcast.state).into();
        response.broadcast_id = broadcast.id.into();
        response.replay_playback_id = broadcast.playback_id.into();
        response.started_ms = broadcast.started_ms;
        response.unrecorded = broadcast.is_unrecorded;
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
        // A player may ask as soon as somebody sends: it waits for the first part.
        BroadcastState::Connecting | BroadcastState::Live => State::Live,
        BroadcastState::Reconnecting => State::Reconnecting,
        BroadcastState::Finishing => State::Finishing,
        BroadcastState::Ended => State::Ended,
    }
}
