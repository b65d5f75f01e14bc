//! The scheduler, as an edge sees it.

use std::time::Duration;

use headwater_model::BroadcastId;
use headwater_model::proto::scheduler::report_publisher_request::State;
use headwater_model::proto::scheduler::scheduler_client::SchedulerClient;
use headwater_model::proto::scheduler::{
    OpenBroadcastRequest, OpenBroadcastResponse, ReportPublisherRequest, ReportPublisherResponse,
};
use headwater_platform::rpc;
use tonic::{Code, Request, Status};

/// The scheduler has this long to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the scheduler did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// It is away, or busy: ask again.
    #[error("the scheduler did not answer ({0})")]
    Transient(String),
    /// It will not, with a sentence for the streamer.
    #[error("the scheduler refuses: {0}")]
    Refused(String),
}

/// See the [module](self). Cheap to clone.
#[derive(Clone)]
pub struct Scheduler {
    client: SchedulerClient<rpc::Client>,
    edge_url: String,
}

impl Scheduler {
    /// The scheduler behind `channel`; workers will be told to pull from `edge_url`.
    pub fn new(channel: rpc::Client, edge_url: String) -> Self {
        Self {
            client: SchedulerClient::new(channel),
            edge_url,
        }
    }

    /// Opens or continues. Idempotent by publish id.
    pub(super) async fn open(
        &self,
        mut open: OpenBroadcastRequest,
    ) -> Result<(BroadcastId, OpenBroadcastResponse), SchedulerError> {
        open.edge_url.clone_from(&self.edge_url);
        let mut client = self.client.clone();
        let said = within(client.open_broadcast(Request::new(open))).await?;
        let id = said
            .broadcast_id
            .parse()
            .map_err(|e| SchedulerError::Transient(format!("a malformed answer: {e}")))?;
        Ok((id, said))
    }

    /// Says what became of a publisher. Idempotent.
    pub(super) async fn report(
        &self,
        broadcast: BroadcastId,
        publish_id: &str,
        state: State,
        reason: &str,
    ) -> Result<ReportPublisherResponse, SchedulerError> {
        let report = ReportPublisherRequest {
            broadcast_id: broadcast.to_string(),
            publish_id: publish_id.to_owned(),
            state: state.into(),
            reason: reason.to_owned(),
        };
        let mut client = self.client.clone();
        within(client.report_publisher(Request::new(report))).await
    }
}

async fn within<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, SchedulerError> {
    match tokio::time::timeout(TIMEOUT, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(match status.code() {
            Code::InvalidArgument | Code::NotFound | Code::PermissionDenied | Code::FailedPrecondition => {
                SchedulerError::Refused(status.message().to_owned())
            }
            code => SchedulerError::Transient(format!("{code:?}: {}", status.message())),
        }),
        Err(_) => Err(SchedulerError::Transient(format!(
            "no answer within {} s",
            TIMEOUT.as_secs()
        ))),
    }
}
