//! What changes in how a broadcast does is kept in PostgreSQL, from where it is told to webhooks.
//!
//! Every api hears of a change and writes what the newest words come to; the first to write it tells, for the others it is known.

use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt as _;
use headwater_model::health::{HEALTH_CHANGED_TOPIC, Open, Severity};
use headwater_model::{BroadcastId, TenantId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Status, newest, section, verdict};
use crate::DatabaseError;
use crate::op::Services;

/// Keeps changes until `stop` fires. What is told while Redis is away is lost until the next change.
pub(crate) async fn keep(services: Services, stop: CancellationToken) {
    let mut told = services.hints.subscribe(HEALTH_CHANGED_TOPIC);
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return,
            message = told.next() => message,
        };
        let Some(message) = message else { return };
        let Some((tenant, broadcast)) = parse(&message) else {
            continue;
        };
        if let Err(DatabaseError(error)) = keep_one(&services, tenant, broadcast).await {
            tracing::debug!(broadcast.id = %broadcast, "how {broadcast} does is not kept: {error}");
        }
    }
}

fn parse(message: &str) -> Option<(TenantId, BroadcastId)> {
    let (tenant, broadcast) = message.split_once(' ')?;
    Some((tenant.parse().ok()?, broadcast.parse().ok()?))
}

async fn keep_one(services: &Services, tenant: TenantId, broadcast: BroadcastId) -> Result<(), DatabaseError> {
    let Ok(mut said) = newest(&services.hints, tenant, &[broadcast]).await else {
        return Ok(());
    };
    let said = said.pop().unwrap_or_default();
    let verdict = verdict(said.edge.as_ref(), said.worker.as_ref(), Utc::now().timestamp_millis());
    let issues: Vec<Value> = verdict.issues.iter().map(words).collect();
    let mut tx = services.database.tenant(tenant).await?;
    sqlx::query(
        "insert into broadcast_health as h (broadcast_id, tenant_id, status, issues) \
         select broadcast_id, tenant_id, $3, $4 from broadcast \
         where broadcast_id = $1 and tenant_id = $2 and state <> 'ended' \
         on conflict (broadcast_id) do update set status = excluded.status, issues = excluded.issues, changed_at = now() \
         where (h.status, h.issues) is distinct from (excluded.status, excluded.issues)",
    )
    .bind(broadcast.as_str())
    .bind(tenant.as_str())
    .bind(word(verdict.status))
    .bind(Value::from(issues))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

fn words(open: &Open) -> Value {
    let since = DateTime::from_timestamp_millis(open.since_ms).unwrap_or_default();
    json!({
        "code": section(open.issue),
        "severity": match open.issue.severity() {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        },
        "since": since.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Unknown => "unknown",
        Status::Good => "good",
        Status::Degraded => "degraded",
        Status::Bad => "bad",
    }
}
