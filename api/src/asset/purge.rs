//! Removing what is stored for deleted replays, when the time to undo is over, and for unrecorded broadcasts, when they have ended.
//!
//! Any number of api processes look for work; one claims a replay for [`CLAIM`] and says so in PostgreSQL, page by page. One
//! that vanishes loses its claim, and the next goes on: removing twice is removing once. Only keys under the broadcast's own
//! prefix are ever named, and none of a broadcast that has not ended. An unrecorded broadcast is emptied as soon as it has ended,
//! when a worker may still be writing its last picture, or one that was replaced a last segment: so it is looked at once more
//! [`Pace::late`] after, and counts as removed from then on.

use std::time::Duration;

use headwater_model::{AssetId, BroadcastId, TenantId, broadcast};
use headwater_platform::store::{SharedStore, StoreError};
use sqlx::FromRow;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, DatabaseError, id};

/// How long a process may go without a sign of life before another takes over.
const CLAIM: Duration = Duration::from_secs(120);
/// Replays looked up at a time.
const DUE_ROWS: i64 = 20;
/// Pages of keys removed for one replay before others have their turn: 100,000 objects.
const PAGES_MAX: u32 = 100;

/// How often things are done; tests shorten it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Pause between two looks.
    pub look: Duration,
    /// Pause before what failed is tried again.
    pub again: Duration,
    /// How long after the end of an unrecorded broadcast something may still be written for it: longer than a worker that has
    /// lost its lease goes on.
    pub late: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(5),
            again: Duration::from_secs(30),
            late: Duration::from_secs(600),
        }
    }
}

/// Removes what is due.
pub struct Purger {
    database: Database,
    store: SharedStore,
    pace: Pace,
}

#[derive(FromRow)]
struct Due {
    asset_id: String,
    tenant_id: String,
    broadcast_id: String,
    early: bool,
}

/// A replay that this process holds.
struct Held {
    asset: AssetId,
    tenant: TenantId,
    broadcast: BroadcastId,
    /// More may be written for it.
    is_early: bool,
}

#[derive(Debug, thiserror::Error)]
enum PurgeError {
    #[error("PostgreSQL did not answer")]
    Database(#[from] DatabaseError),
    #[error("the object store did not do as asked")]
    Store(#[from] StoreError),
    /// The store lists what it said it has removed.
    #[error("the object store still lists {0}")]
    Stuck(String),
}

impl From<sqlx::Error> for PurgeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Purger {
    /// Over the serving pool. Nothing happens yet.
    pub fn new(database: Database, store: SharedStore, pace: Pace) -> Self {
        Self { database, store, pace }
    }

    /// Looks for work until `stop` fires.
    pub async fn run(self, stop: CancellationToken) {
        let mut every = tokio::time::interval(self.pace.look);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look() => if let Err(DatabaseError(error)) = looked {
                    tracing::debug!("deleted assets are looked for later: {error}");
                }
            }
        }
    }

    /// Removes all that is due now. Returns how many replays are gone for good.
    pub async fn look(&self) -> Result<usize, DatabaseError> {
        let mut door = self.database.door(None).await?;
        let due: Vec<Due> = sqlx::query_as(
            "select a.asset_id, a.tenant_id, a.broadcast_id, \
                    b.recording = 'none' and a.deletes_at > now() - $2 * interval '1 millisecond' as early \
             from asset a join broadcast b on b.broadcast_id = a.broadcast_id \
             where a.deletes_at <= now() and a.state <> 'deleted' \
             and coalesce(a.claimed_until, '-infinity') <= now() order by a.deletes_at limit $1",
        )
        .bind(DUE_ROWS)
        .bind(millis(self.pace.late))
        .fetch_all(&mut *door)
        .await?;
        drop(door);
        let mut gone = 0;
        for row in due {
            let held = Held {
                asset: id(AssetId::parse(&row.asset_id))?,
                tenant: id(TenantId::parse(&row.tenant_id))?,
                broadcast: id(BroadcastId::parse(&row.broadcast_id))?,
                is_early: row.early,
            };
            match self.purge(&held).await {
                Ok(true) => gone += 1,
                Ok(false) => {}
                Err(error) => {
                    say_later(&held, &error);
                    self.put_off(&held).await?;
                }
            }
        }
        Ok(gone)
    }

    /// `false`: somebody else has it, there is more than one turn's work, or more may come.
    async fn purge(&self, held: &Held) -> Result<bool, PurgeError> {
        let mut tx = self.database.tenant(held.tenant).await?;
        let claimed = sqlx::query(
            "update asset a set claimed_until = now() + $3 * interval '1 millisecond' \
             where a.tenant_id = $1 and a.asset_id = $2 and a.deletes_at <= now() and a.state <> 'deleted' \
             and coalesce(a.claimed_until, '-infinity') <= now() \
             and not exists (select from broadcast b where b.broadcast_id = a.broadcast_id and b.state <> 'ended')",
        )
        .bind(held.tenant.as_str())
        .bind(held.asset.as_str())
        .bind(millis(CLAIM))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if claimed.rows_affected() == 0 {
            return Ok(false);
        }
        let Some(objects) = self.empty(held).await? else {
            self.put_off(held).await?;
            return Ok(false);
        };
        if held.is_early {
            let Held { broadcast, tenant, .. } = held;
            tracing::info!(
                tenant.id = %tenant, broadcast.id = %broadcast, objects,
                "nothing is kept of {broadcast}: removed {objects} objects"
            );
            self.claim_until(held, self.pace.late).await?;
            return Ok(false);
        }
        let mut tx = self.database.tenant(held.tenant).await?;
        sqlx::query(
            "update asset set state = 'deleted', size_bytes = 0, claimed_until = null, updated_at = now(), \
                              version = version + 1 \
             where tenant_id = $1 and asset_id = $2 and state <> 'deleted'",
        )
        .bind(held.tenant.as_str())
        .bind(held.asset.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let Held { asset, tenant, .. } = held;
        tracing::info!(tenant.id = %tenant, asset.id = %asset, objects, "asset {asset} is deleted, {objects} objects");
        Ok(true)
    }

    /// Removes page after page until the listing is empty. `None`: there is more, for another turn.
    async fn empty(&self, held: &Held) -> Result<Option<usize>, PurgeError> {
        let prefix = broadcast::store_prefix(held.tenant, held.broadcast);
        let (mut removed, mut last) = (0, Vec::new());
        for _ in 0..PAGES_MAX {
            let listed = self.store.list_first(&prefix).await?;
            if listed.is_empty() {
                return Ok(Some(removed));
            }
            let keys: Vec<String> = listed.into_iter().map(|object| object.key).collect();
            if let Some(key) = keys.iter().find(|key| !key.starts_with(&prefix)) {
                return Err(PurgeError::Stuck(key.clone()));
            }
            if keys == last {
                return Err(PurgeError::Stuck(keys[0].clone()));
            }
            self.store.delete_many(&keys).await?;
            removed += keys.len();
            last = keys;
            self.claim_until(held, CLAIM).await?;
        }
        Ok(None)
    }

    async fn put_off(&self, held: &Held) -> Result<(), DatabaseError> {
        self.claim_until(held, self.pace.again).await
    }

    async fn claim_until(&self, held: &Held, time: Duration) -> Result<(), DatabaseError> {
        let mut tx = self.database.tenant(held.tenant).await?;
        sqlx::query(
            "update asset set claimed_until = now() + $3 * interval '1 millisecond' \
             where tenant_id = $1 and asset_id = $2 and state <> 'deleted'",
        )
        .bind(held.tenant.as_str())
        .bind(held.asset.as_str())
        .bind(millis(time))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

fn say_later(Held { asset, tenant, .. }: &Held, error: &PurgeError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, tenant.id = %tenant, asset.id = %asset, "{asset} is removed later");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
