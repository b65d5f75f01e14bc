//! The log: which event went to which endpoint, every attempt, and what was answered.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use headwater_model::{DeliveryId, WebhookEndpointId};
use sqlx::{FromRow, PgConnection, QueryBuilder};

use super::event::Event;
use crate::access::Action;
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, instant};
use crate::problem::Answer;

const COLUMNS: &str = "d.webhook_delivery_id, d.webhook_endpoint_id, d.event_id, d.state, d.attempts, d.due_at, d.created_at, \
                       d.ended_at";

/// Deliveries of one event that are shown with it.
pub const PER_EVENT_MAX: i64 = 50;

/// One event on its way to one endpoint.
#[derive(Clone, Debug, FromRow)]
pub struct Delivery {
    /// Its id.
    pub webhook_delivery_id: String,
    /// To which endpoint.
    pub webhook_endpoint_id: String,
    /// Which event.
    pub event_id: String,
    /// `pending`, `delivered`, `failed` or `cancelled`.
    pub state: String,
    /// Attempts so far.
    pub attempts: i32,
    /// When the next attempt is due.
    pub due_at: DateTime<Utc>,
    /// When it was put into the queue.
    pub created_at: DateTime<Utc>,
    /// When it left the queue.
    pub ended_at: Option<DateTime<Utc>>,
}

/// One attempt of a delivery.
#[derive(Clone, Debug, FromRow)]
pub struct Attempt {
    /// Of which delivery.
    pub webhook_delivery_id: String,
    /// Counts from 1.
    pub number: i32,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i32,
    /// Status code of the answer.
    pub status: Option<i32>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub answer: String,
}

fn scoped(place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(format!(
        "select {COLUMNS} from webhook_delivery d join webhook_endpoint e \
         on e.tenant_id = d.tenant_id and e.webhook_endpoint_id = d.webhook_endpoint_id \
         where e.deleted_at is null and d.tenant_id = "
    ));
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and e.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// The deliveries, newest first.
pub async fn list(op: &Op, endpoint: Option<String>, state: Option<&str>, page: &Page) -> Answer<Paged<Delivery>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(place);
    for (column, value) in [
        ("d.webhook_endpoint_id", endpoint),
        ("d.state", state.map(str::to_owned)),
    ] {
        if let Some(value) = value {
            query.push(format_args!(" and {column} = ")).push_bind(value);
        }
    }
    let order = Order::newest("d.created_at", "d.webhook_delivery_id");
    page.seek(&mut query, order);
    let rows: Vec<Delivery> = query.build_query_as().fetch_all(&mut *tx).await?;
    Ok(Paged::of(rows, page, 0, |row| {
        (instant(row.created_at), row.webhook_delivery_id.clone())
    }))
}

/// The newest deliveries of each of these events, the newest first.
pub async fn of_events(op: &Op, events: &[String]) -> Answer<HashMap<String, Vec<Delivery>>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(place);
    query.push(" and d.webhook_delivery_id in (select n.webhook_delivery_id from unnest(");
    query.push_bind(events);
    query.push("::text[]) of(event_id) cross join lateral (select l.webhook_delivery_id from webhook_delivery l ");
    query.push("where l.event_id = of.event_id order by l.created_at desc limit ");
    query.push_bind(PER_EVENT_MAX);
    query.push(") n) order by d.created_at desc, d.webhook_delivery_id desc");
    let rows: Vec<Delivery> = query.build_query_as().fetch_all(&mut *tx).await?;
    let mut of: HashMap<String, Vec<Delivery>> = HashMap::new();
    for row in rows {
        of.entry(row.event_id.clone()).or_default().push(row);
    }
    Ok(of)
}

/// The delivery of this id.
pub async fn by_id(op: &Op, delivery: DeliveryId) -> Answer<Option<Delivery>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(place);
    query
        .push(" and d.webhook_delivery_id = ")
        .push_bind(delivery.to_string());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

/// The attempts of each of these deliveries, the first one first.
pub async fn attempts(op: &Op, deliveries: &[String]) -> Answer<HashMap<String, Vec<Attempt>>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let rows: Vec<Attempt> = sqlx::query_as(
        "select webhook_delivery_id, number, at, duration_ms, status, error, answer from webhook_attempt \
         where tenant_id = $1 and webhook_delivery_id = any($2) order by webhook_delivery_id, number",
    )
    .bind(place.tenant_id.as_str())
    .bind(deliveries)
    .fetch_all(&mut *tx)
    .await?;
    let mut of: HashMap<String, Vec<Attempt>> = HashMap::new();
    for row in rows {
        of.entry(row.webhook_delivery_id.clone()).or_default().push(row);
    }
    Ok(of)
}

pub(super) async fn insert(
    on: &mut PgConnection,
    place: Place,
    to: WebhookEndpointId,
    event: &Event,
) -> Answer<Delivery> {
    let made = sqlx::query_as(
        "insert into webhook_delivery (webhook_delivery_id, tenant_id, webhook_endpoint_id, event_id, position) \
         values ($1, $2, $3, $4, $5) \
         returning webhook_delivery_id, webhook_endpoint_id, event_id, state, attempts, due_at, created_at, ended_at",
    )
    .bind(DeliveryId::random().as_str())
    .bind(place.tenant_id.as_str())
    .bind(to.as_str())
    .bind(&event.event_id)
    .bind(event.position)
    .fetch_one(on)
    .await?;
    Ok(made)
}
