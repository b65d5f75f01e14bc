//! SQL of leases.

use headwater_model::BroadcastId;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{LEASE_FOR_MS, New};
use crate::clock::to_utc;
use crate::database::DatabaseError;
use crate::plan::Timestamp;

/// PostgreSQL's bigint holds the first half of all generations; no broadcast comes near.
fn bigint(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

pub(super) async fn insert(to: &mut PgConnection, new: &New<'_>, now: Timestamp) -> Result<bool, DatabaseError> {
    let done = sqlx::query(
        "insert into lease (broadcast_id, tenant_id, generation, worker_id, worker_url, ladder, wanted, granted_at, expires_at) \
         select broadcast_id, tenant_id, $2, $3, $4, $5, $6, $7, $8 from broadcast \
         where broadcast_id = $1 and state <> 'ended' \
         on conflict (broadcast_id) do nothing",
    )
    .bind(new.broadcast.as_str())
    .bind(bigint(new.generation))
    .bind(new.worker.as_str())
    .bind(new.worker_url)
    .bind(Json(new.ladder))
    .bind(Json(new.wanted))
    .bind(to_utc(now))
    .bind(to_utc(Timestamp(now.0 + LEASE_FOR_MS)))
    .execute(to)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn replace(
    to: &mut PgConnection,
    new: &New<'_>,
    replaced: u64,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let done = sqlx::query(
        "update lease set generation = $2, worker_id = $3, worker_url = $4, ladder = $5, wanted = $6, \
                granted_at = $7, expires_at = $8, acked_edge_url = null, acked_at = null \
         where broadcast_id = $1 and generation = $9 and $2 > $9 \
           and exists (select 1 from broadcast b where b.broadcast_id = $1 and b.state <> 'ended')",
    )
    .bind(new.broadcast.as_str())
    .bind(bigint(new.generation))
    .bind(new.worker.as_str())
    .bind(new.worker_url)
    .bind(Json(new.ladder))
    .bind(Json(new.wanted))
    .bind(to_utc(now))
    .bind(to_utc(Timestamp(now.0 + LEASE_FOR_MS)))
    .bind(bigint(replaced))
    .execute(to)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn acknowledge(
    to: &mut PgConnection,
    broadcast: BroadcastId,
    generation: u64,
    edge_url: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let done =
        sqlx::query("update lease set acked_edge_url = $3, acked_at = $4 where broadcast_id = $1 and generation = $2")
            .bind(broadcast.as_str())
            .bind(bigint(generation))
            .bind(edge_url)
            .bind(to_utc(now))
            .execute(to)
            .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn renew(
    to: &mut PgConnection,
    held: &[(BroadcastId, u64)],
    expires_at: Timestamp,
) -> Result<(), DatabaseError> {
    let broadcasts: Vec<&str> = held.iter().map(|(broadcast, _)| broadcast.as_str()).collect();
    let generations: Vec<i64> = held.iter().map(|(_, generation)| bigint(*generation)).collect();
    sqlx::query(
        "update lease set expires_at = $3 \
         from unnest($1::text[], $2::bigint[]) as held (broadcast_id, generation) \
         where lease.broadcast_id = held.broadcast_id and lease.generation = held.generation",
    )
    .bind(broadcasts)
    .bind(generations)
    .bind(to_utc(expires_at))
    .execute(to)
    .await?;
    Ok(())
}
