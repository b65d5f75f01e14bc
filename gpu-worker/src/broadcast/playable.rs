//! The scheduler is told that the broadcast can be watched.

use std::sync::Arc;
use std::time::Duration;

use headwater_media::segmenter::LatencyMode;
use headwater_model::proto::scheduler::ReportPlayableRequest;
use headwater_model::proto::scheduler::scheduler_client::SchedulerClient;
use headwater_platform::retry::Backoff;
use headwater_platform::rpc;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;
use tracing::Instrument as _;

use super::{Broadcast, Tools};

/// Longest that one call to the scheduler may take.
const CALL_MAX: Duration = Duration::from_secs(5);

/// Whether the scheduler has been told. What tells it ends with the broadcast's task.
#[derive(Default)]
pub(super) struct Playable(Option<AbortOnDropHandle<()>>);

impl Playable {
    /// A part, or a whole segment, can be loaded: players of the standard latency begin with segments.
    pub(super) fn made(&mut self, whole: bool, latency: LatencyMode, shared: &Arc<Broadcast>, tools: &Tools) {
        if self.0.is_none() && whole == (latency == LatencyMode::Standard) {
            let telling = tell(shared.clone(), tools.clone()).in_current_span();
            self.0 = Some(AbortOnDropHandle::new(tokio::spawn(telling)));
        }
    }
}

/// As often as it takes.
async fn tell(shared: Arc<Broadcast>, tools: Tools) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
    loop {
        let request = ReportPlayableRequest {
            broadcast_id: shared.assignment.broadcast_id.clone(),
            generation: shared.assignment.generation,
        };
        let call = async {
            let client =
                rpc::client(&tools.scheduler_url, &tools.rpc).map_err(|e| tonic::Status::internal(format!("{e:#}")))?;
            SchedulerClient::new(client).report_playable(request).await
        };
        match tokio::time::timeout(CALL_MAX, call).await {
            Ok(Ok(_)) => return,
            // Another runs it, it is not known, or the scheduler is older than this question.
            Ok(Err(status)) if matches!(status.code(), Code::Aborted | Code::NotFound | Code::Unimplemented) => return,
            Ok(Err(status)) => {
                tracing::debug!(%status, "the scheduler does not hear yet that the broadcast can be watched")
            }
            Err(_) => tracing::debug!("the scheduler did not answer in {} s", CALL_MAX.as_secs()),
        }
        backoff.wait().await;
    }
}
