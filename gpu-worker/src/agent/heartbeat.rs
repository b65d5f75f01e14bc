//! The worker's word about itself, every second.

use std::sync::Arc;
use std::time::Duration;

use headwater_model::WorkerId;
use headwater_model::health::{HEALTH_CHANGED_TOPIC, REPORTS_KEPT, REPORTS_TTL};
use headwater_model::heartbeat::{Capacity, HEARTBEAT_EVERY_MS, HEARTBEAT_TTL_MS, Heartbeat};
use headwater_platform::Process;
use headwater_platform::clock::WallClock;
use headwater_platform::hints::SharedHints;

use super::broadcasts::Broadcasts;

/// What stays the same from beat to beat.
pub(crate) struct Beat {
    pub(crate) worker_id: WorkerId,
    pub(crate) url: String,
    pub(crate) capacity: Capacity,
}

/// Beats until the process stops, then says good-bye. Hints that cannot be reached change nothing else.
pub(crate) async fn run(beat: Beat, hints: SharedHints, broadcasts: Arc<Broadcasts>, process: Process) {
    let clock = WallClock::system();
    let mut ticks = tokio::time::interval(Duration::from_millis(HEARTBEAT_EVERY_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = process.shutdown.cancelled() => break,
        }
        let heartbeat = Heartbeat {
            worker_id: beat.worker_id,
            url: beat.url.clone(),
            sent_ms: clock.unix_ms(),
            capacity: beat.capacity,
            draining: false,
            broadcasts: broadcasts.list(),
        };
        let (encoding, followers) = broadcasts.load();
        metrics::gauge!("worker_encoding_broadcasts").set(encoding as f64);
        metrics::gauge!("worker_subscribers").set(followers as f64);
        let set = hints
            .set(
                &heartbeat.key(),
                heartbeat.to_json(),
                Duration::from_millis(HEARTBEAT_TTL_MS),
            )
            .await;
        let (reports, turned): (Vec<_>, Vec<_>) = broadcasts.reports(clock.unix_ms()).into_iter().unzip();
        let count = reports.len() as u64;
        // Where one call was in vain, a second would only delay the next beat.
        if set.is_err() || hints.append(reports, REPORTS_KEPT, REPORTS_TTL).await.is_err() {
            metrics::counter!("worker_health_reports_lost_total").increment(count);
        } else {
            for broadcast in turned.into_iter().flatten() {
                // Lost with Redis, like the report itself.
                let _ = hints.publish(HEALTH_CHANGED_TOPIC, broadcast).await;
            }
        }
        match set {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("heartbeats are heard again");
                }
                process.health.ready("heartbeat");
            }
            Err(error) => {
                process.health.unready("heartbeat", error.to_string());
                if !std::mem::replace(&mut failing, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "heartbeats are not heard; broadcasts go on");
                }
            }
        }
    }
    let gone = Heartbeat {
        worker_id: beat.worker_id,
        url: String::new(),
        sent_ms: 0,
        capacity: beat.capacity,
        draining: true,
        broadcasts: Vec::new(),
    };
    // It would be forgotten in a few seconds in any case.
    let _ = hints.remove(&gone.key()).await;
}
