//! A subscription that follows how one broadcast does.

use std::time::Duration;

use async_graphql::Result;
use futures::stream::{self, Stream};
use headwater_model::{BroadcastId, TenantId};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::health::BroadcastHealth;
use super::subscription::still_now;
use crate::broadcast;
use crate::changes::{Change, Watch as Changes};
use crate::health::watch::Watch;
use crate::health::{Newest, Status};
use crate::op::Op;
use crate::problem::Answer;

/// Between two looks whether the caller may still watch, and whether anything is said at all.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// See the [module](self).
pub(super) struct Following {
    op: Op,
    tenant: TenantId,
    broadcast: BroadcastId,
    newest: Newest,
    heard: Watch,
    changes: Changes,
    looks: tokio::time::Interval,
    /// What was given out last.
    given: Option<Status>,
    over: bool,
}

impl Following {
    pub(super) fn new(
        op: Op,
        tenant: TenantId,
        broadcast: BroadcastId,
        newest: Newest,
        heard: Watch,
        changes: Changes,
        over: bool,
    ) -> Self {
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            op,
            tenant,
            broadcast,
            newest,
            heard,
            changes,
            looks,
            given: None,
            over,
        }
    }

    /// How it does now, then whenever something is said; to the end of the broadcast.
    pub(super) fn stream(self) -> impl Stream<Item = Result<BroadcastHealth>> {
        stream::unfold(Some(self), |following| async move {
            let mut following = following?;
            if following.given.is_some() {
                match following.wait().await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(problem) => return Some((Err(problem.into()), None)),
                }
            }
            let health = BroadcastHealth::of(following.tenant, following.broadcast, following.newest.clone());
            following.given = Some(health.status_now());
            Some((Ok(health), Some(following)))
        })
    }

    /// Waits for news that are worth giving out. False at the end.
    async fn wait(&mut self) -> Answer<bool> {
        if self.over {
            return Ok(false);
        }
        loop {
            tokio::select! {
                newest = self.heard.next() => if self.take(newest) {
                    return Ok(true);
                },
                change = self.changes.next() => match change.map(|(_, change)| change) {
                    None => return Ok(false),
                    Some(Change::Of { broadcast, .. }) if broadcast != Some(self.broadcast) => {}
                    Some(_) => match still_now(&self.op, broadcast::by_id(&self.op, self.broadcast)).await? {
                        None => return Ok(false),
                        Some(found) if found.state == "ended" => {
                            self.over = true;
                            return Ok(true);
                        }
                        Some(_) => {}
                    },
                },
                _ = self.looks.tick() => {
                    still_now(&self.op, async { Ok(()) }).await?;
                    let health = BroadcastHealth::of(self.tenant, self.broadcast, self.newest.clone());
                    // Nobody says anything any more.
                    if self.given != Some(health.status_now()) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Takes what was heard. Worth giving out is each word of the edge, and of the worker what changes its issues.
    fn take(&mut self, heard: Newest) -> bool {
        let at = |report: &Option<_>| {
            report
                .as_ref()
                .map(|report: &headwater_model::health::Report| report.at_ms)
        };
        let issues = |newest: &Newest| newest.worker.as_ref().map(|worker| worker.issues.len());
        let worth = at(&heard.edge) > at(&self.newest.edge) || issues(&heard) != issues(&self.newest);
        for report in [heard.edge, heard.worker].into_iter().flatten() {
            self.newest.take(report);
        }
        worth
    }
}
