//! `Ingest`: what edges ask.

use chrono::Utc;
use headwater_model::proto::api::{AuthorizeRequest, AuthorizeResponse, ingest_server};
use headwater_platform::rpc;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::stream_key::{self, Refusal};
use crate::{Database, DatabaseError};

/// How long an edge may trust an answer while no api answers, seconds. Higher keeps known streamers going through a
/// longer outage; a key revoked during one works until then.
const CACHE_TTL_S: i64 = 6 * 3_600;

pub(super) struct Service {
    database: Database,
}

impl Service {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[tonic::async_trait]
impl ingest_server::Ingest for Service {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeResponse>, Status> {
        let span = tracing::info_span!("api.authorize", publish.protocol = request.get_ref().protocol);
        rpc::follow_caller(&span, request.metadata());
        let now = Utc::now();
        let answer = stream_key::authorize(&self.database, &request.get_ref().stream_key, now).instrument(span.clone());
        let grant = answer.await.map_err(|refusal| span.in_scope(|| refused(refusal)))?;
        let cache_ttl_s = match grant.expires_at {
            Some(at) => (at - now).num_seconds().clamp(0, CACHE_TTL_S),
            None => CACHE_TTL_S,
        };
        Ok(Response::new(AuthorizeResponse {
            tenant_id: grant.tenant_id.into(),
            channel_id: grant.channel_id.into(),
            stream_key_id: grant.stream_key_id.into(),
            playback_id: grant.playback_id.into(),
            latency_mode: grant.latency_mode.to_string(),
            reconnect_window_s: grant.reconnect_window_s,
            cache_ttl_s: cache_ttl_s as u32,
            bitrate_max_bps: grant.bitrate_max_bps.unwrap_or(0),
        }))
    }
}

fn refused(refusal: Refusal) -> Status {
    let sentence = refusal.to_string();
    match refusal {
        Refusal::Database(DatabaseError(error)) => {
            tracing::warn!("a stream key could not be checked: {error}");
            Status::unavailable(sentence)
        }
        Refusal::Suspended | Refusal::Disabled => Status::permission_denied(sentence),
        refusal => {
            tracing::info!("refused a publisher: {}", refusal.code());
            Status::unauthenticated(sentence)
        }
    }
}
