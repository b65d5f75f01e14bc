//! What edges and workers ask, over gRPC. Thin: parse, write, wake the loop.

use std::sync::Arc;

use headwater_model::convert::tracks_from_proto;
use headwater_model::ladder::Source;
use headwater_model::proto::scheduler::report_publisher_request::State;
use headwater_model::proto::scheduler::scheduler_server::{self, SchedulerServer};
use headwater_model::proto::scheduler::{
    FinishBroadcastRequest, FinishBroadcastResponse, OpenBroadcastRequest, OpenBroadcastResponse,
    ReportPlayableRequest, ReportPlayableResponse, ReportPublisherRequest, ReportPublisherResponse,
};
use headwater_model::{BroadcastId, ChannelId, IdError, PublishId, StreamKeyId, TenantId};
use headwater_platform::rpc;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tracing::{Instrument as _, Span};

use crate::broadcast::{self, EPOCHS_PER_PUBLISH, Error, Finished, Open, Opened, Report};
use crate::database::DatabaseError;
use crate::reconcile::Shared;

/// Longest address of an edge, bytes.
const EDGE_URL_MAX_BYTES: usize = 512;
/// Longest reason that is kept, characters.
const ERROR_MAX_CHARS: usize = 500;

/// The services of the scheduler's gRPC listener.
pub(crate) fn routes(shared: Arc<Shared>) -> Routes {
    Routes::new(SchedulerServer::new(Service { shared }))
}

struct Service {
    shared: Arc<Shared>,
}

impl Service {
    fn leading(&self) -> Result<&Shared, Status> {
        match self.shared.leads() {
            true => Ok(&self.shared),
            false => Err(Status::unavailable(
                "this scheduler does not lead; ask again in a moment",
            )),
        }
    }

    /// Tells origins and the loop.
    fn changed(&self, broadcast: BroadcastId) {
        self.shared.wake();
        self.shared.announcer.changed(broadcast);
    }

    async fn open(&self, open: Open) -> Result<Opened, Status> {
        let shared = self.leading()?;
        let opened = broadcast::open(shared.database.pool(), &open, shared.clock.now())
            .await
            .map_err(refused)?;
        if opened.fresh {
            let (broadcast, channel) = (opened.broadcast_id, open.channel_id);
            tracing::info!(
                tenant.id = %open.tenant_id, channel.id = %channel, broadcast.id = %broadcast,
                "{} {broadcast} on {channel}", if opened.continued { "continued" } else { "opened" },
            );
            self.changed(broadcast);
        }
        Ok(opened)
    }
}

#[tonic::async_trait]
impl scheduler_server::Scheduler for Service {
    async fn open_broadcast(
        &self,
        request: Request<OpenBroadcastRequest>,
    ) -> Result<Response<OpenBroadcastResponse>, Status> {
        let span = tracing::info_span!("scheduler.open", channel.id = request.get_ref().channel_id);
        rpc::follow_caller(&span, request.metadata());
        let open = parse_open(request.into_inner(), &span)?;
        let opened = self.open(open).instrument(span).await?;
        Ok(Response::new(OpenBroadcastResponse {
            broadcast_id: opened.broadcast_id.into(),
            continued: opened.continued,
            anchor_wallclock_ms: opened.anchor_ms,
            next_epoch: opened.number.saturating_mul(EPOCHS_PER_PUBLISH),
        }))
    }

    async fn report_publisher(
        &self,
        request: Request<ReportPublisherRequest>,
    ) -> Result<Response<ReportPublisherResponse>, Status> {
        let span = tracing::info_span!("scheduler.report", broadcast.id = request.get_ref().broadcast_id);
        rpc::follow_caller(&span, request.metadata());
        let request = request.into_inner();
        let report = match request.state() {
            State::Live => Report::Live,
            State::Away => Report::Away,
            State::Ended => Report::Ended,
            State::Unspecified => return Err(Status::invalid_argument("state: it is not given")),
        };
        let broadcast = field("broadcast_id", BroadcastId::parse(&request.broadcast_id))?;
        let publish = field("publish_id", PublishId::parse(&request.publish_id))?;
        let shared = self.leading()?;
        let done = async {
            let now = shared.clock.now();
            let reported = broadcast::report(shared.database.pool(), broadcast, publish, report, now)
                .await
                .map_err(refused)?;
            if reported.changed {
                let reason = clipped(&request.reason);
                tracing::info!(broadcast.id = %broadcast, "publisher of {broadcast}: {report:?} {reason}");
                self.changed(broadcast);
            }
            Ok(Response::new(ReportPublisherResponse {
                over: reported.over,
                closed: reported.closed,
            }))
        };
        done.instrument(span).await
    }

    async fn report_playable(
        &self,
        request: Request<ReportPlayableRequest>,
    ) -> Result<Response<ReportPlayableResponse>, Status> {
        let span = tracing::info_span!("scheduler.playable", broadcast.id = request.get_ref().broadcast_id);
        rpc::follow_caller(&span, request.metadata());
        let request = request.into_inner();
        let broadcast = field("broadcast_id", BroadcastId::parse(&request.broadcast_id))?;
        let shared = self.leading()?;
        let done = async {
            let now = shared.clock.now();
            let pool = shared.database.pool();
            if broadcast::playable(pool, broadcast, request.generation, now)
                .await
                .map_err(refused)?
            {
                tracing::info!(broadcast.id = %broadcast, "{broadcast} can be watched");
                self.changed(broadcast);
            }
            Ok(Response::new(ReportPlayableResponse {}))
        };
        done.instrument(span).await
    }

    async fn finish_broadcast(
        &self,
        request: Request<FinishBroadcastRequest>,
    ) -> Result<Response<FinishBroadcastResponse>, Status> {
        let span = tracing::info_span!("scheduler.finish", broadcast.id = request.get_ref().broadcast_id);
        rpc::follow_caller(&span, request.metadata());
        let request = request.into_inner();
        let finished = Finished {
            broadcast_id: field("broadcast_id", BroadcastId::parse(&request.broadcast_id))?,
            generation: request.generation,
            duration_ms: request.duration_ms.max(0),
            size_bytes: request.size_bytes,
            error: Some(clipped(&request.error)).filter(|error| !error.is_empty()),
        };
        let shared = self.leading()?;
        let done = async {
            let id = finished.broadcast_id;
            if broadcast::finish(shared.database.pool(), &finished, shared.clock.now())
                .await
                .map_err(refused)?
            {
                match &finished.error {
                    None => tracing::info!(broadcast.id = %id, "{id} has ended, {} ms long", finished.duration_ms),
                    Some(error) => tracing::warn!(broadcast.id = %id, "{id} has ended without a whole replay: {error}"),
                }
                self.changed(id);
            }
            Ok(Response::new(FinishBroadcastResponse {}))
        };
        done.instrument(span).await
    }
}

fn parse_open(request: OpenBroadcastRequest, span: &Span) -> Result<Open, Status> {
    let http = request.edge_url.starts_with("http://") || request.edge_url.starts_with("https://");
    if !http || request.edge_url.len() > EDGE_URL_MAX_BYTES {
        return Err(Status::invalid_argument("edge_url: it is not the address of an edge"));
    }
    let tracks = tracks_from_proto(request.tracks).map_err(|error| invalid("tracks", &error))?;
    let source = Source::of_tracks(&tracks, request.source_bitrate_bps, request.source_fps_milli);
    source.validate().map_err(|error| invalid("tracks", &error))?;
    Ok(Open {
        tenant_id: field("tenant_id", TenantId::parse(&request.tenant_id))?,
        channel_id: field("channel_id", ChannelId::parse(&request.channel_id))?,
        publish_id: field("publish_id", PublishId::parse(&request.publish_id))?,
        edge_url: request.edge_url,
        stream_key_id: match request.stream_key_id.as_str() {
            "" => None,
            key => Some(field("stream_key_id", StreamKeyId::parse(key))?),
        },
        source,
        start_wallclock_ms: request.start_wallclock_ms,
        traceparent: rpc::traceparent(span),
    })
}

fn field<T>(name: &str, parsed: Result<T, IdError>) -> Result<T, Status> {
    parsed.map_err(|error| invalid(name, &error))
}

fn invalid(name: &str, error: &dyn std::error::Error) -> Status {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    Status::invalid_argument(format!("{name}: {}", causes.collect::<Vec<_>>().join(": ")))
}

fn clipped(text: &str) -> String {
    text.chars().take(ERROR_MAX_CHARS).collect()
}

fn refused(error: Error) -> Status {
    let sentence = error.to_string();
    match error {
        Error::UnknownChannel(_) | Error::Unknown(_) => Status::not_found(sentence),
        Error::Fenced { .. } => Status::aborted(sentence),
        Error::TakenOver(_) | Error::Over(_) => Status::failed_precondition(sentence),
        Error::Elsewhere(_) => Status::invalid_argument(sentence),
        Error::Database(DatabaseError(error)) => {
            tracing::warn!("a call is not answered: {error}");
            Status::unavailable("the database does not answer; ask again in a moment")
        }
    }
}
