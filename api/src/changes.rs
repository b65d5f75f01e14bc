//! What changed, as PostgreSQL tells it to whoever listens: the wake-up of subscriptions.
//!
//! One connection per process listens; every subscription gets every change and picks its own. When the connection broke, or
//! a subscription fell behind, everybody looks again: a lost message costs a query, never a fact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
/// On which is told that mail is due.
const MAIL: &str = "headwater_mail";
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
    sender: broadcast::Sender<(u64, Change)>,
    /// Changes heard of so far.
    heard: Arc<AtomicU64>,
    due: Arc<Notify>,
    mail: Arc<Notify>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            heard: Arc::default(),
            due: Arc::default(),
            mail: Arc::default(),
        }
    }
}

impl Changes {
    /// Changes from now on.
    pub fn subscribe(&self) -> Watch {
        Watch {
            receiver: self.sender.subscribe(),
            changes: self.clone(),
        }
    }

    /// The number of the last change that was heard of.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Acquire)
    }

    fn tell(&self, change: Change) {
        let number = self.heard.fetch_add(1, Ordering::AcqRel) + 1;
        // An error only says that nobody subscribes.
        drop(self.sender.send((number, change)));
    }

    /// Wakes whoever sends webhooks.
    pub(crate) fn due(&self) -> Arc<Notify> {
        self.due.clone()
    }

    /// Wakes whoever sends mail.
    pub(crate) fn mail(&self) -> Arc<Notify> {
        self.mail.clone()
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
        let mut listener = Box::pin(PgListener::connect_with(pool)).await?;
        listener.listen_all([CHANNEL, DUE, MAIL]).await?;
        backoff.reset();
        // What changed before this moment was not heard.
        self.tell(Change::LookAgain);
        while let Some(said) = listener.try_recv().await? {
            if said.channel() == DUE {
                self.due.notify_one();
                continue;
            }
            if said.channel() == MAIL {
                self.mail.notify_one();
                continue;
            }
            match parse(said.payload()) {
                Some(change) => self.tell(change),
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
    receiver: broadcast::Receiver<(u64, Change)>,
    changes: Changes,
}

impl Watch {
    /// The next change and its number; `None` when the process ends.
    pub async fn next(&mut self) -> Option<(u64, Change)> {
        match self.receiver.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some((self.changes.heard(), Change::LookAgain)),
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
            changes.tell(Change::LookAgain);
        }
        assert_eq!(watch.next().await, Some((BEHIND_MAX as u64 + 1, Change::LookAgain)));
    }
}
