//! Broadcasts whose health somebody watches: one subscription to Redis for each, however many watch it here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::StreamExt as _;
use headwater_model::health::{self, Report};
use headwater_model::{BroadcastId, TenantId};
use headwater_platform::hints::SharedHints;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::Newest;

/// Broadcasts that are watched on one api at a time; each costs a connection to Redis.
pub(crate) const WATCHED_MAX: usize = 1_000;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<HashMap<BroadcastId, Weak<Source>>>>);

struct Source {
    newest: watch::Sender<Newest>,
    /// Ends with the last who watches.
    _hearing: AbortOnDropHandle<()>,
}

/// One who watches.
pub(crate) struct Watch {
    newest: watch::Receiver<Newest>,
    _source: Arc<Source>,
}

impl Watched {
    /// Watches a broadcast of a tenant from now on; `None` where too many are watched already.
    pub(crate) fn watch(&self, hints: &SharedHints, tenant: TenantId, broadcast: BroadcastId) -> Option<Watch> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = watched.get(&broadcast).and_then(Weak::upgrade) {
            return Some(Watch::of(source));
        }
        watched.retain(|_, source| source.strong_count() > 0);
        if watched.len() >= WATCHED_MAX {
            return None;
        }
        let newest = watch::Sender::new(Newest::default());
        let (mut told, tell) = (hints.subscribe(&health::topic(tenant, broadcast)), newest.clone());
        let hearing = tokio::spawn(async move {
            while let Some(text) = told.next().await {
                if let Ok(report) = Report::from_json(&text) {
                    tell.send_modify(|newest| newest.take(report));
                }
            }
        });
        let source = Arc::new(Source {
            newest,
            _hearing: AbortOnDropHandle::new(hearing),
        });
        watched.insert(broadcast, Arc::downgrade(&source));
        metrics::gauge!("api_health_watched_broadcasts").set(watched.len() as f64);
        Some(Watch::of(source))
    }
}

impl Watch {
    fn of(source: Arc<Source>) -> Self {
        Self {
            newest: source.newest.subscribe(),
            _source: source,
        }
    }

    /// The next news; what came in between is left out.
    pub(crate) async fn next(&mut self) -> Newest {
        // The source above keeps the sender alive.
        let _ = self.newest.changed().await;
        self.newest.borrow_and_update().clone()
    }
}

#[cfg(test)]
mod tests {
    use headwater_platform::hints::{Entry, Hints as _, MemoryHints};

    use super::*;

    fn entry(tenant: TenantId, broadcast: BroadcastId, at_ms: i64) -> Entry {
        Entry {
            key: health::Source::Edge.key(tenant, broadcast),
            topic: health::topic(tenant, broadcast),
            value: format!("{{\"at_ms\":{at_ms}}}"),
        }
    }

    #[tokio::test]
    async fn all_who_watch_share_one_subscription_and_it_ends_with_them() {
        let hints = Arc::new(MemoryHints::new());
        let shared: SharedHints = hints.clone();
        let (tenant, broadcast) = (TenantId::numbered(1), BroadcastId::numbered(1));
        let watched = Watched::default();
        let mut one = watched.watch(&shared, tenant, broadcast).expect("room");
        let mut other = watched.watch(&shared, tenant, broadcast).expect("room");
        let report = vec![entry(tenant, broadcast, 7)];
        hints
            .append(report, 9, std::time::Duration::from_secs(1))
            .await
            .expect("the twin");
        for watch in [&mut one, &mut other] {
            assert_eq!(watch.next().await.edge.map(|report| report.at_ms), Some(7));
        }
        let keep: Vec<_> = (2..=WATCHED_MAX as u64)
            .map(|n| watched.watch(&shared, tenant, BroadcastId::numbered(n)).expect("room"))
            .collect();
        let further = BroadcastId::numbered(5_000);
        assert!(watched.watch(&shared, tenant, further).is_none());
        assert!(
            watched.watch(&shared, tenant, broadcast).is_some(),
            "it is watched already"
        );
        drop(keep);
        assert!(watched.watch(&shared, tenant, further).is_some());
    }
}
