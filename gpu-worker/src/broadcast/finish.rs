//! The end of a broadcast: everything stored, the replay written, the scheduler told.

use std::time::Duration;

use headwater_model::proto::scheduler::FinishBroadcastRequest;
use headwater_model::proto::scheduler::scheduler_client::SchedulerClient;
use headwater_platform::retry::Backoff;
use headwater_platform::rpc;
use tonic::Code;

use super::runner::Outcome;
use super::{Broadcast, Tools};
use crate::storage::replay::{self, Summary};

/// Longest that one call to the scheduler may take.
const CALL_MAX: Duration = Duration::from_secs(5);

/// Everything is stored: writes the replay, tells the scheduler and then the followers. As long as it takes.
pub(super) async fn finish(shared: &Broadcast, tools: &Tools, reason: &str, harm: &str) -> Outcome {
    let assignment = &shared.assignment;
    let summary = replay::write(&tools.store, &assignment.tenant_id, &assignment.broadcast_id).await;
    let outcome = tell_scheduler(shared, tools, summary, harm).await;
    if outcome == Outcome::Finished {
        tracing::info!(reason, "the replay of {} is stored", assignment.broadcast_id);
        shared.hub.end(reason);
    }
    outcome
}

/// The broadcast cannot be continued: whatever is stored is its replay, and the scheduler hears why.
pub(super) async fn give_up(shared: &Broadcast, tools: &Tools, why: &str) {
    let assignment = &shared.assignment;
    let summary = replay::write(&tools.store, &assignment.tenant_id, &assignment.broadcast_id).await;
    tell_scheduler(shared, tools, summary, why).await;
    shared.hub.end(why);
}

async fn tell_scheduler(shared: &Broadcast, tools: &Tools, summary: Summary, error: &str) -> Outcome {
    let assignment = &shared.assignment;
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    loop {
        let request = FinishBroadcastRequest {
            broadcast_id: assignment.broadcast_id.clone(),
            generation: assignment.generation,
            worker_id: tools.worker_id.clone(),
            duration_ms: summary.duration_ms,
            size_bytes: summary.size_bytes,
            error: error.to_owned(),
        };
        let call = async {
            let client =
                rpc::client(&tools.scheduler_url, &tools.rpc).map_err(|e| tonic::Status::internal(format!("{e:#}")))?;
            SchedulerClient::new(client).finish_broadcast(request).await
        };
        match tokio::time::timeout(CALL_MAX, call).await {
            Ok(Ok(_)) => return Outcome::Finished,
            Ok(Err(status)) if status.code() == Code::Aborted => return Outcome::Replaced,
            Ok(Err(status)) => {
                tracing::warn!(%status, "the scheduler does not hear that the broadcast is finished yet")
            }
            Err(_) => tracing::warn!("the scheduler did not answer in {} s", CALL_MAX.as_secs()),
        }
        backoff.wait().await;
    }
}
