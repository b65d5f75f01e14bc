//! What changed, as PostgreSQL tells it to whoever listens: the wake-up of subscriptions.
//!
//! One connection per process listens; every subscription gets every change and picks its own. When the connection broke, or
//! a subscription fell behind, everybody looks again: a lost message costs a query, never a fact.

use std::sync::Arc;
use std::time::Duration;

use headwater_model::{BroadcastId, ChannelId, TenantId};
use headwater_platform::retry::Backoff;
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "headwater_changed";
/// On which is told that a webhook is due.
const DUE: &str = "headwater_webhook";
/// Changes that a subscription may be behind before it is told to look again at everything.
const BEHIND_MAX: usize = 1_024;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of a channel, its keys or its broadcasts.
    Of {
        /// Whose.
        tenant: TenantId,
        /// Which channel.
        channel: ChannelId,
        /// Which broadcast, where one changed.
        broadcast: Option<BroadcastId>,
    },
    /// Some may have been missed.
    LookAgain,
}

/// Hands changes on; cheap to clone.
#[derive(Clone)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    due: Arc<Notify>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            due: Arc::default(),
        }
    }
}

impl Changes {
    /// Changes from now on.
    pub fn subscribe(&self) -> Watch {
        Watch {
            receiver: self.sender.subscribe(),
        }
    }

    /// Wakes whoever sends webhooks.
    pub(crate) fn due(&self) -> Arc<Notify> {
        self.due.clone()
    }

    /// Listens until `stop` fires.
    pub(crate) async fn listen(self, pool: PgPool, stop: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                ended = self.hear(&pool, &mut backoff) => if let Err(error) = ended {
                    tracing::debug!("the listener for changes starts again: {error}");
                },
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = backoff.wait() => {}
            }
        }
    }

    async fn hear(&self, pool: &PgPool, backoff: &mut Backoff) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all([CHANNEL, DUE]).await?;
        backoff.reset();
        // What changed before this moment was not heard.
        let _ = self.sender.send(Change::LookAgain);
        while let Some(said) = listener.try_recv().await? {
            if said.channel() == DUE {
                self.due.notify_one();
                continue;
            }
            match parse(said.payload()) {
                // An error only says that nobody subscribes.
                Some(change) => drop(self.sender.send(change)),
                None => tracing::warn!("a change was told in words that this build does not know"),
            }
        }
        Ok(())
    }
}

fn parse(payload: &str) -> Option<Change> {
    let mut words = payload.split(' ');
    let (tenant, channel) = (words.next()?, words.next()?);
    let broadcast = words.next().filter(|word| !word.is_empty());
    Some(Change::Of {
        tenant: tenant.parse().ok()?,
        channel: channel.parse().ok()?,
        broadcast: broadcast.map(str::parse).transpose().ok()?,
    })
}

/// One subscription's view of the changes.
pub struct Watch {
    receiver: broadcast::Receiver<Change>,
}

impl Watch {
    /// The next change; `None` when the process ends.
    pub async fn next(&mut self) -> Option<Change> {
        match self.receiver.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(Change::LookAgain),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_parse() {
        let (tenant, channel, broadcast) = (TenantId::numbered(1), ChannelId::numbered(2), BroadcastId::numbered(3));
        let of = |broadcast| Change::Of {
            tenant,
            channel,
            broadcast,
        };
        assert_eq!(parse(&format!("{tenant} {channel} ")), Some(of(None)));
        assert_eq!(
            parse(&format!("{tenant} {channel} {broadcast}")),
            Some(of(Some(broadcast)))
        );
        assert_eq!(parse("nonsense"), None);
        assert_eq!(parse(&format!("{tenant} {channel} br_short")), None);
    }

    #[tokio::test]
    async fn who_falls_behind_looks_again() {
        let changes = Changes::default();
        let mut watch = changes.subscribe();
        for _ in 0..=BEHIND_MAX {
            changes.sender.send(Change::LookAgain).expect("somebody watches");
        }
        assert_eq!(watch.next().await, Some(Change::LookAgain));
    }
}
