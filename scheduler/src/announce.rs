//! Telling origins that what a playback id shows has changed. A hint, so it never holds up what it tells of: it waits
//! in a short queue, and is lost when Redis is away.

use headwater_model::BroadcastId;
use headwater_model::heartbeat::PLAYBACK_TOPIC;
use headwater_platform::hints::SharedHints;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::broadcast;
use crate::database::{Database, DatabaseError};

/// Changes that wait to be told at most; further ones are not told.
const QUEUE_MAX: usize = 1_024;

/// Takes changes in.
#[derive(Clone)]
pub(crate) struct Announcer {
    queue: mpsc::Sender<BroadcastId>,
}

/// The changes that wait to be told.
pub(crate) struct Queue {
    changes: mpsc::Receiver<BroadcastId>,
}

pub(crate) fn channel() -> (Announcer, Queue) {
    let (queue, changes) = mpsc::channel(QUEUE_MAX);
    (Announcer { queue }, Queue { changes })
}

impl Announcer {
    /// What shows this broadcast has changed. Does not wait.
    pub(crate) fn changed(&self, broadcast: BroadcastId) {
        if self.queue.try_send(broadcast).is_err() {
            metrics::counter!("scheduler_announcements_lost_total").increment(1);
        }
    }
}

impl Queue {
    /// Tells one change after the other until `stop` fires.
    pub(crate) async fn run(mut self, database: Database, hints: SharedHints, stop: CancellationToken) {
        loop {
            let broadcast = tokio::select! {
                () = stop.cancelled() => return,
                broadcast = self.changes.recv() => match broadcast {
                    Some(broadcast) => broadcast,
                    None => return,
                },
            };
            let ids = match broadcast::playback_ids(database.pool(), broadcast).await {
                Ok(ids) => ids,
                Err(DatabaseError(error)) => {
                    tracing::debug!(broadcast.id = %broadcast, "a change of {broadcast} is not told: {error}");
                    continue;
                }
            };
            for id in ids {
                if let Err(error) = hints.publish(PLAYBACK_TOPIC, id).await {
                    tracing::debug!(broadcast.id = %broadcast, "a change of {broadcast} is not told: {error}");
                    break;
                }
            }
        }
    }
}
