//! Endpoints: a tenant's own addresses, each with its secrets, its wishes and its queue.

use chrono::{DateTime, Duration, Utc};
use headwater_model::WebhookEndpointId;
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection, QueryBuilder};

use super::event::{Kind, heard_in};
use super::signature;
use crate::access::Action;
use crate::audit;
use crate::op::{Change, Op, Place};
use crate::outbound::guard::Refused;
use crate::page::{Order, Page, Paged, instant};
use crate::problem::{Answer, Code, Problem, at_most};

/// Endpoints of one tenant in one environment at most.
pub const ENDPOINTS_MAX: i64 = 20;
/// Characters of a description at most.
pub const DESCRIPTION_CHARS_MAX: usize = 200;
/// Longest time for which an old secret goes on signing beside the new one, seconds.
pub const OVERLAP_S_MAX: i64 = 7 * 86_400;

const COLUMNS: &str = "e.webhook_endpoint_id, e.environment, e.url, e.description, e.event_types, e.secret_hint, \
    e.old_secret_until, e.disabled_at, e.disabled_cause, e.failing_since, e.created_at, e.updated_at, e.version, \
    (select q.waiting from webhook_queue q where q.webhook_endpoint_id = e.webhook_endpoint_id) as waiting";

/// An endpoint, without its secrets.
#[derive(Clone, Debug, FromRow)]
pub struct Endpoint {
    /// Its id.
    pub webhook_endpoint_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// Where messages go.
    pub url: String,
    /// The owner's words for it.
    pub description: String,
    /// Words of the kinds it wants; none: all of them.
    pub event_types: Vec<String>,
    /// Last characters of the secret.
    pub secret_hint: String,
    /// Until when the secret before signs as well.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Since when it gets nothing.
    pub disabled_at: Option<DateTime<Utc>>,
    /// `owner`, `gone` or `failing`.
    pub disabled_cause: Option<String>,
    /// Since when no attempt has succeeded.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Goes up with every change.
    pub version: i32,
    /// Deliveries that wait.
    pub waiting: Option<i32>,
}

impl Endpoint {
    fn facts(&self) -> Value {
        json!({
            "url": self.url,
            "description": self.description,
            "eventTypes": self.event_types,
            "disabled": self.disabled_at.is_some(),
        })
    }
}

/// Settings as a caller gives them: `None` is not given.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where messages go.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Which kinds; none: all of them.
    pub kinds: Option<Vec<Kind>>,
    /// Sends nothing.
    pub disabled: Option<bool>,
}

impl Settings {
    fn checked(mut self, op: &Op, place: Place) -> Answer<Self> {
        if let Some(url) = &mut self.url {
            let target = op.services().webhooks.target(url.trim()).map_err(of_address)?;
            *url = target.as_str().to_owned();
        }
        if let Some(description) = &mut self.description {
            *description = at_most("description", description, DESCRIPTION_CHARS_MAX)?;
        }
        if let Some(kinds) = &mut self.kinds {
            if let Some(deaf) = kinds.iter().find(|kind| !heard_in(**kind, place.environment)) {
                let sentence = format!("{} is told in the live environment alone.", deaf.as_str());
                return Err(Problem::mend(Code::Invalid, "eventTypes", sentence));
            }
            kinds.sort_unstable_by_key(|kind| kind.as_str());
            kinds.dedup();
        }
        Ok(self)
    }
}

fn of_address(refused: Refused) -> Problem {
    let mut sentence = format!("{refused}.");
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Problem::mend(Code::Invalid, "url", sentence)
}

fn words(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}

fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query.push(" from webhook_endpoint e where e.deleted_at is null and e.tenant_id = ");
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and e.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// The endpoints of the operation's environment, newest first.
pub async fn list(op: &Op, page: &Page, count: bool) -> Answer<Paged<Endpoint>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let order = Order::newest("e.created_at", "e.webhook_endpoint_id");
    let key = |row: &Endpoint| (instant(row.created_at), row.webhook_endpoint_id.clone());
    let list = |start| scoped(start, place);
    page.read(&mut tx, count, COLUMNS, order, list, key).await
}

/// The endpoints of these ids, in any order.
pub async fn by_ids(op: &Op, ids: &[String]) -> Answer<Vec<Endpoint>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and e.webhook_endpoint_id = any(").push_bind(ids).push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}

/// The endpoint of this id.
pub async fn by_id(op: &Op, endpoint: WebhookEndpointId) -> Answer<Option<Endpoint>> {
    Ok(by_ids(op, &[endpoint.to_string()]).await?.pop())
}

/// Finds an endpoint and holds its row until the transaction ends.
pub(super) async fn hold(
    on: &mut PgConnection,
    place: Place,
    endpoint: WebhookEndpointId,
    field: &'static str,
) -> Answer<Endpoint> {
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query
        .push(" and e.webhook_endpoint_id = ")
        .push_bind(endpoint.to_string());
    // Deliveries that come meanwhile refer to the row, which this lock lets them do.
    query.push(" for no key update");
    let found = query.build_query_as().fetch_optional(on).await?;
    found.ok_or_else(|| Problem::not_found(field, "webhook endpoint"))
}

pub(super) fn must_be_enabled(endpoint: &Endpoint, field: &'static str) -> Answer<()> {
    match endpoint.disabled_at {
        None => Ok(()),
        Some(_) => {
            let sentence = "This endpoint is disabled. Enable it first.";
            Err(Problem::mend(Code::State, field, sentence))
        }
    }
}

/// Makes an endpoint. Returns it with its secret, which is shown this once.
pub async fn create(op: &Op, settings: Settings) -> Answer<(Endpoint, String)> {
    let place = op.require(Action::WebhookWrite)?;
    let settings = settings.checked(op, place)?;
    let Some(url) = settings.url else {
        return Err(Problem::mend(Code::Blank, "url", "An endpoint has an address."));
    };
    let (id, secret) = (WebhookEndpointId::random(), signature::new_secret());
    let sealed = op.services().seals.seal(id.as_str(), secret.as_bytes());
    let mut change = op.change(place).await?;
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('webhook_endpoint ' || $1, 0))")
        .bind(place.tenant_id.as_str())
        .execute(change.on())
        .await?;
    let many: i64 = scoped("select count(*)".into(), place)
        .build_query_scalar()
        .fetch_one(change.on())
        .await?;
    if many >= ENDPOINTS_MAX {
        let sentence = format!("An environment has at most {ENDPOINTS_MAX} webhook endpoints.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    sqlx::query(
        "insert into webhook_endpoint (webhook_endpoint_id, tenant_id, environment, url, description, event_types, secret, \
         secret_hint, disabled_at, disabled_cause) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, case when $9 then now() end, case when $9 then 'owner' end)",
    )
    .bind(id.as_str())
    .bind(place.tenant_id.as_str())
    .bind(place.environment.as_str())
    .bind(url)
    .bind(settings.description.unwrap_or_default())
    .bind(words(&settings.kinds.unwrap_or_default()))
    .bind(sealed)
    .bind(crate::secret::hint(&secret))
    .bind(settings.disabled.unwrap_or(false))
    .execute(change.on())
    .await?;
    sqlx::query("insert into webhook_queue (webhook_endpoint_id, tenant_id) values ($1, $2)")
        .bind(id.as_str())
        .bind(place.tenant_id.as_str())
        .execute(change.on())
        .await?;
    let made = hold(change.on(), place, id, "id").await?;
    record(&mut change, "webhook_endpoint.create", &made, None, Some(made.facts())).await?;
    change.commit().await?;
    Ok((made, secret))
}

async fn record(
    change: &mut Change,
    action: &'static str,
    endpoint: &Endpoint,
    before: Option<Value>,
    after: Option<Value>,
) -> Answer<()> {
    let entry = audit::New {
        action,
        subject_id: &endpoint.webhook_endpoint_id,
        subject_name: &endpoint.url,
        before,
        after,
    };
    change.record(entry).await
}

/// Changes settings. Fails with [`Code::Stale`] when somebody else changed the endpoint since `expected_version`. Whoever
/// enables an endpoint begins anew: what waited when it was disabled is not sent, and can be asked for by cursor.
pub async fn update(
    op: &Op,
    endpoint: WebhookEndpointId,
    expected_version: i32,
    settings: Settings,
) -> Answer<Endpoint> {
    let place = op.require(Action::WebhookWrite)?;
    let settings = settings.checked(op, place)?;
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, endpoint, "id").await?;
    if before.version != expected_version {
        return Err(Problem::stale("webhook endpoint"));
    }
    let mut query = QueryBuilder::new("update webhook_endpoint set version = version + 1, updated_at = now()");
    if settings.url.is_some() || settings.disabled == Some(false) {
        query.push(", failing_since = null");
    }
    if let Some(url) = settings.url {
        query.push(", url = ").push_bind(url);
    }
    if let Some(description) = settings.description {
        query.push(", description = ").push_bind(description);
    }
    if let Some(kinds) = settings.kinds {
        query.push(", event_types = ").push_bind(words(&kinds));
    }
    if let Some(disabled) = settings.disabled {
        query.push(match disabled {
            true => ", disabled_at = coalesce(disabled_at, now()), disabled_cause = coalesce(disabled_cause, 'owner')",
            false => ", disabled_at = null, disabled_cause = null",
        });
    }
    query.push(" where tenant_id = ").push_bind(place.tenant_id.to_string());
    query
        .push(" and webhook_endpoint_id = ")
        .push_bind(endpoint.to_string());
    query.build().execute(change.on()).await?;
    // The queue is looked at anew: what waits for a disabled endpoint is cancelled, and a new address is not made to wait.
    wake(change.on(), place, endpoint).await?;
    let after = hold(change.on(), place, endpoint, "id").await?;
    record(
        &mut change,
        "webhook_endpoint.update",
        &after,
        Some(before.facts()),
        Some(after.facts()),
    )
    .await?;
    change.commit().await?;
    Ok(after)
}

async fn wake(on: &mut PgConnection, place: Place, endpoint: WebhookEndpointId) -> Answer<()> {
    sqlx::query(
        "update webhook_queue set paused_until = null, failures = 0, due_at = case when waiting > 0 then now() end \
         where tenant_id = $1 and webhook_endpoint_id = $2",
    )
    .bind(place.tenant_id.as_str())
    .bind(endpoint.as_str())
    .execute(&mut *on)
    .await?;
    sqlx::query("select pg_notify('headwater_webhook', '')")
        .execute(on)
        .await?;
    Ok(())
}

/// Gives an endpoint a new secret; the old one signs beside it for `overlap_s` seconds. Returns the endpoint and the new secret.
pub async fn rotate_secret(op: &Op, endpoint: WebhookEndpointId, overlap_s: i64) -> Answer<(Endpoint, String)> {
    let place = op.require(Action::WebhookWrite)?;
    if !(0..=OVERLAP_S_MAX).contains(&overlap_s) {
        let sentence = format!("The overlap is 0 to {OVERLAP_S_MAX} seconds, not {overlap_s}.");
        return Err(Problem::mend(Code::OutOfRange, "overlapS", sentence));
    }
    let secret = signature::new_secret();
    let sealed = op.services().seals.seal(endpoint.as_str(), secret.as_bytes());
    let until = (overlap_s > 0).then(|| Utc::now() + Duration::seconds(overlap_s));
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, endpoint, "id").await?;
    sqlx::query(
        "update webhook_endpoint set version = version + 1, updated_at = now(), secret = $3, secret_hint = $4, \
         old_secret = case when $5::timestamptz is not null then secret end, old_secret_until = $5 \
         where tenant_id = $1 and webhook_endpoint_id = $2",
    )
    .bind(place.tenant_id.as_str())
    .bind(endpoint.as_str())
    .bind(sealed)
    .bind(crate::secret::hint(&secret))
    .bind(until)
    .execute(change.on())
    .await?;
    let after = hold(change.on(), place, endpoint, "id").await?;
    record(
        &mut change,
        "webhook_endpoint.rotate_secret",
        &after,
        Some(json!({ "secretHint": before.secret_hint })),
        Some(json!({ "secretHint": after.secret_hint, "previousSecretExpiresAt": until })),
    )
    .await?;
    change.commit().await?;
    Ok((after, secret))
}

/// Ends an endpoint; what waits for it is not sent.
pub async fn delete(op: &Op, endpoint: WebhookEndpointId) -> Answer<()> {
    let place = op.require(Action::WebhookWrite)?;
    let mut change = op.change(place).await?;
    let before = hold(change.on(), place, endpoint, "id").await?;
    sqlx::query(
        "update webhook_endpoint set version = version + 1, updated_at = now(), deleted_at = now(), secret = '', \
         old_secret = null, old_secret_until = null where tenant_id = $1 and webhook_endpoint_id = $2",
    )
    .bind(place.tenant_id.as_str())
    .bind(endpoint.as_str())
    .execute(change.on())
    .await?;
    wake(change.on(), place, endpoint).await?;
    record(
        &mut change,
        "webhook_endpoint.delete",
        &before,
        Some(before.facts()),
        None,
    )
    .await?;
    change.commit().await?;
    Ok(())
}
