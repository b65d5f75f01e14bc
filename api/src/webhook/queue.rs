//! SQL of the queues: claiming an endpoint, what is due to it, what became of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use headwater_model::{TenantId, WebhookEndpointId};
use sqlx::FromRow;

use super::deliver::{CLAIM, FAILURES_FREE, Next, Shared};
use super::event::Event;
use super::send::Outcome;
use crate::database::{Database, DatabaseError, Tx};

/// Rows removed at a time when their time is over.
const FORGET_ROWS: i64 = 1_000;

/// An endpoint that this process holds.
#[derive(FromRow)]
pub(super) struct Claimed {
    pub(super) webhook_endpoint_id: String,
    pub(super) tenant_id: String,
    pub(super) failures: i32,
}

#[derive(FromRow)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) secret: Vec<u8>,
    pub(super) old_secret: Option<Vec<u8>>,
    pub(super) open: bool,
}

#[derive(FromRow)]
pub(super) struct Due {
    pub(super) webhook_delivery_id: String,
    pub(super) attempts: i32,
    #[sqlx(flatten)]
    pub(super) event: Event,
}

impl Shared {
    pub(super) async fn claim(&self) -> Result<Option<Claimed>, DatabaseError> {
        let mut door = self.database.door(None).await?;
        let claimed = sqlx::query_as(
            "update webhook_queue set claim = $1, claimed_until = now() + $2 * interval '1 millisecond' \
             where webhook_endpoint_id = ( \
                 select webhook_endpoint_id from webhook_queue where due_at <= now() \
                 and coalesce(paused_until, '-infinity') <= now() and coalesce(claimed_until, '-infinity') <= now() \
                 order by due_at limit 1 for update skip locked) \
             returning webhook_endpoint_id, tenant_id, failures",
        )
        .bind(&self.name)
        .bind(millis(CLAIM))
        .fetch_optional(&mut *door)
        .await?;
        door.commit().await?;
        Ok(claimed)
    }

    /// The endpoint, and what is due to it; `None` when nothing may be sent.
    pub(super) async fn read(
        &self,
        tenant: TenantId,
        endpoint: WebhookEndpointId,
        many: i64,
    ) -> Result<Option<(Endpoint, Vec<Due>)>, DatabaseError> {
        let mut tx = self.database.tenant(tenant).await?;
        let found: Option<Endpoint> = sqlx::query_as(
            "select url, secret, case when old_secret_until > now() then old_secret end as old_secret, \
                    disabled_at is null and deleted_at is null as open \
             from webhook_endpoint where tenant_id = $1 and webhook_endpoint_id = $2",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else { return Ok(None) };
        if !found.open {
            cancel(&mut tx, tenant, endpoint).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let due = sqlx::query_as(
            "select d.webhook_delivery_id, d.attempts, e.event_id, e.environment, e.position, e.type as kind, e.object_type, \
                    e.object_id, e.sequence, e.data, e.created_at \
             from webhook_delivery d join webhook_event e on e.event_id = d.event_id \
             where d.tenant_id = $1 and d.webhook_endpoint_id = $2 and d.state = 'pending' and d.due_at <= now() \
             order by d.due_at, d.position limit $3",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(many)
        .fetch_all(&mut *tx)
        .await?;
        Ok(Some((found, due)))
    }

    /// Writes down what became of some attempts. Returns the endpoint's failures in a row; `None` when the endpoint is not
    /// this process's any more, or is disabled now.
    pub(super) async fn write(
        &self,
        tenant: TenantId,
        endpoint: WebhookEndpointId,
        attempts: &[(&Due, &Outcome)],
    ) -> Result<Option<i32>, DatabaseError> {
        let mut tx = self.database.tenant(tenant).await?;
        let gone = attempts.iter().any(|(_, outcome)| outcome.status == Some(410));
        let succeeded = attempts.iter().any(|(_, outcome)| outcome.delivered());
        let environment = attempts
            .first()
            .map_or("live", |(due, _)| due.event.environment.as_str());
        // Whoever disables an endpoint tells of it: the counter of events comes before the queue's row.
        sqlx::query("select event_turn($1, $2)")
            .bind(tenant.as_str())
            .bind(environment)
            .execute(&mut *tx)
            .await?;
        let failures: Option<i32> = sqlx::query_scalar(
            "update webhook_queue set claimed_until = now() + $5 * interval '1 millisecond', \
                    failures = case when $4 then 0 else failures + $6 end \
             where tenant_id = $1 and webhook_endpoint_id = $2 and claim = $3 returning failures",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(&self.name)
        .bind(succeeded)
        .bind(millis(CLAIM))
        .bind(attempts.len() as i32)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(failures) = failures else { return Ok(None) };
        for (due, outcome) in attempts {
            note(&mut tx, tenant, due, outcome, self.next(due.attempts, outcome)).await?;
        }
        if failures > 0 {
            let asked = attempts.iter().filter_map(|(_, outcome)| outcome.retry_after).max();
            self.pause(&mut tx, tenant, endpoint, failures, asked).await?;
        }
        let disabled = self.judge(&mut tx, tenant, endpoint, succeeded, gone).await?;
        tx.commit().await?;
        if disabled {
            tracing::info!(tenant.id = %tenant, "disabled {endpoint}, which takes nothing any more");
        }
        Ok((!disabled).then_some(failures))
    }

    async fn pause(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        endpoint: WebhookEndpointId,
        failures: i32,
        asked: Option<Duration>,
    ) -> Result<(), DatabaseError> {
        let (first, longest) = self.rules.pause;
        let doubled = u32::try_from(failures - FAILURES_FREE)
            .ok()
            .map(|more| first.saturating_mul(1 << more.min(16)).min(longest));
        let pause = asked.map(|asked| asked.min(longest)).max(doubled);
        let Some(pause) = pause else { return Ok(()) };
        sqlx::query(
            "update webhook_queue set paused_until = now() + $3 * interval '1 millisecond' \
             where tenant_id = $1 and webhook_endpoint_id = $2",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(millis(pause))
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Keeps in mind since when an endpoint fails, and gives it up when that is too long, or when it says that it is gone.
    async fn judge(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        endpoint: WebhookEndpointId,
        succeeded: bool,
        gone: bool,
    ) -> Result<bool, DatabaseError> {
        if succeeded && !gone {
            sqlx::query(
                "update webhook_endpoint set failing_since = null \
                 where tenant_id = $1 and webhook_endpoint_id = $2 and failing_since is not null",
            )
            .bind(tenant.as_str())
            .bind(endpoint.as_str())
            .execute(&mut **tx)
            .await?;
            return Ok(false);
        }
        let failing: Option<DateTime<Utc>> = sqlx::query_scalar(
            "update webhook_endpoint set failing_since = coalesce(failing_since, now()) \
             where tenant_id = $1 and webhook_endpoint_id = $2 and disabled_at is null returning failing_since",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .fetch_optional(&mut **tx)
        .await?;
        let dead = failing.is_some_and(|since| {
            let for_long = (Utc::now() - since).to_std().unwrap_or_default();
            for_long >= self.rules.dead_after
        });
        if !gone && !dead {
            return Ok(false);
        }
        let done = sqlx::query(
            "update webhook_endpoint set disabled_at = now(), disabled_cause = $3, version = version + 1, updated_at = now() \
             where tenant_id = $1 and webhook_endpoint_id = $2 and disabled_at is null",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(if gone { "gone" } else { "failing" })
        .execute(&mut **tx)
        .await?;
        cancel(tx, tenant, endpoint).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Lets others have the endpoint, and says when it is due again.
    pub(super) async fn let_go(&self, tenant: TenantId, endpoint: WebhookEndpointId) -> Result<(), DatabaseError> {
        let mut tx = self.database.tenant(tenant).await?;
        // Whoever adds a delivery holds this row until it can be seen: after the lock, all of them are.
        let held = sqlx::query(
            "select from webhook_queue where tenant_id = $1 and webhook_endpoint_id = $2 and claim = $3 for update",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .bind(&self.name)
        .execute(&mut *tx)
        .await?;
        if held.rows_affected() == 0 {
            return Ok(());
        }
        sqlx::query(
            "update webhook_queue q set claim = null, claimed_until = null, waiting = w.waiting, due_at = w.due_at \
             from (select count(*)::integer as waiting, min(due_at) as due_at from webhook_delivery \
                   where webhook_endpoint_id = $2 and state = 'pending') w \
             where q.tenant_id = $1 and q.webhook_endpoint_id = $2",
        )
        .bind(tenant.as_str())
        .bind(endpoint.as_str())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

async fn note(tx: &mut Tx, tenant: TenantId, due: &Due, outcome: &Outcome, next: Next) -> Result<(), DatabaseError> {
    let (state, wait) = match next {
        Next::Delivered => ("delivered", Duration::ZERO),
        Next::Again(wait) => ("pending", wait),
        Next::Failed => ("failed", Duration::ZERO),
    };
    // No row: it was cancelled, or its time was over.
    sqlx::query(
        "with noted as (update webhook_delivery set attempts = attempts + 1, state = $3, \
                               due_at = now() + $4 * interval '1 millisecond', \
                               ended_at = case when $3 <> 'pending' then now() end \
                        where tenant_id = $1 and webhook_delivery_id = $2 and state = 'pending' returning attempts) \
         insert into webhook_attempt (webhook_delivery_id, number, tenant_id, at, duration_ms, status, error, answer) \
         select $2, attempts, $1, now() - $5 * interval '1 millisecond', $5, $6, $7, $8 from noted",
    )
    .bind(tenant.as_str())
    .bind(&due.webhook_delivery_id)
    .bind(state)
    .bind(millis(wait))
    .bind(i32::try_from(outcome.took.as_millis()).unwrap_or(i32::MAX))
    .bind(outcome.status.map(i32::from))
    .bind(&outcome.error)
    .bind(&outcome.answer)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn cancel(tx: &mut Tx, tenant: TenantId, endpoint: WebhookEndpointId) -> Result<(), DatabaseError> {
    sqlx::query(
        "update webhook_delivery set state = 'cancelled', ended_at = now() \
         where tenant_id = $1 and webhook_endpoint_id = $2 and state = 'pending'",
    )
    .bind(tenant.as_str())
    .bind(endpoint.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Removes events whose time is over, with their deliveries, and endpoints that were deleted before that.
pub(crate) async fn forget_old(database: &Database) -> Result<(), DatabaseError> {
    loop {
        let mut door = database.door(None).await?;
        let done = sqlx::query(
            "delete from webhook_event where event_id in (select event_id from webhook_event \
             where created_at < now() - interval '30 days' order by created_at limit $1)",
        )
        .bind(FORGET_ROWS)
        .execute(&mut *door)
        .await?;
        door.commit().await?;
        if done.rows_affected() < FORGET_ROWS as u64 {
            break;
        }
    }
    let mut door = database.door(None).await?;
    sqlx::query("delete from webhook_endpoint where deleted_at < now() - interval '31 days'")
        .execute(&mut *door)
        .await?;
    Ok(door.commit().await?)
}
