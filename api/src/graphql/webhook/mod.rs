//! Webhook endpoints, events and deliveries in the schema.

mod mutation;

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, Result, SimpleObject};
use serde_json::Value;

use super::common::{Counted, Instant, OrderDirection, Uncounted, counted, counts, found, page_cost, uncounted};
use super::loaders::{self, AttemptsOf, DeliveriesOf, EndpointBy, EventBy};
use crate::access::Environment;
use crate::op::Op;
use crate::page::Page;
use crate::webhook::endpoint;
use crate::webhook::event::{self, Kind};
use crate::webhook::log;

pub use mutation::WebhookMutation;

/// Why an endpoint gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum WebhookDisabledCause {
    /// Somebody disabled it.
    Owner,
    /// It answered 410.
    Gone,
    /// It has taken nothing for five days.
    Failing,
}

/// An address of yours that is told of events.
pub struct WebhookEndpoint(pub endpoint::Endpoint);

#[Object]
impl WebhookEndpoint {
    pub async fn id(&self) -> ID {
        ID(self.0.webhook_endpoint_id.clone())
    }
    async fn url(&self) -> &str {
        &self.0.url
    }
    async fn description(&self) -> &str {
        &self.0.description
    }
    /// What it is told of; empty: everything.
    async fn event_types(&self) -> Vec<Kind> {
        self.0
            .event_types
            .iter()
            .filter_map(|word| Kind::of_word(word))
            .collect()
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    /// The signing secret with all but its last characters left out.
    async fn secret_hint(&self) -> String {
        format!("whsec_…{}", self.0.secret_hint)
    }
    /// Until when the secret before signs beside it; null when it does not.
    async fn previous_secret_expires_at(&self) -> Option<Instant> {
        self.0
            .old_secret_until
            .filter(|at| *at > chrono::Utc::now())
            .map(Instant)
    }
    async fn disabled(&self) -> bool {
        self.0.disabled_at.is_some()
    }
    async fn disabled_at(&self) -> Option<Instant> {
        self.0.disabled_at.map(Instant)
    }
    async fn disabled_cause(&self) -> Option<WebhookDisabledCause> {
        self.0.disabled_cause.as_deref().map(|cause| match cause {
            "owner" => WebhookDisabledCause::Owner,
            "gone" => WebhookDisabledCause::Gone,
            _ => WebhookDisabledCause::Failing,
        })
    }
    /// Since when no attempt has succeeded; null after one that did.
    async fn failing_since(&self) -> Option<Instant> {
        self.0.failing_since.map(Instant)
    }
    /// Deliveries that wait, to within some seconds.
    async fn waiting(&self) -> i32 {
        self.0.waiting.unwrap_or(0)
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    async fn updated_at(&self) -> Instant {
        Instant(self.0.updated_at)
    }
    /// Goes up by one with every change; pass it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Something that happened. Kept for 30 days.
pub struct WebhookEvent(pub event::Event);

#[Object]
impl WebhookEvent {
    /// The same in every attempt, as `webhook-id`.
    pub async fn id(&self) -> ID {
        ID(self.0.event_id.clone())
    }
    #[graphql(name = "type")]
    async fn kind(&self) -> Option<Kind> {
        Kind::of_word(&self.0.kind)
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    /// Such as `channel`.
    async fn object_type(&self) -> &str {
        &self.0.object_type
    }
    async fn object_id(&self) -> ID {
        ID(self.0.object_id.clone())
    }
    /// Counts the object's events from 1, without gaps.
    async fn sequence(&self) -> super::common::Long {
        super::common::Long(self.0.sequence)
    }
    /// Pass it as `after` to have what happened since.
    async fn cursor(&self) -> String {
        self.0.cursor()
    }
    /// The object as it was then.
    async fn data(&self) -> Json<Value> {
        Json(self.0.data.clone())
    }
    /// The body of the message, byte by byte as it is sent and signed.
    async fn body(&self) -> String {
        self.0.body()
    }
    /// Where it went, the newest delivery first, at most 50.
    async fn deliveries(&self, ctx: &Context<'_>) -> Result<Vec<WebhookDelivery>> {
        let key = DeliveriesOf(self.0.event_id.clone());
        let found = loaders::of(ctx).load_one(key).await?.unwrap_or_default();
        Ok(found.into_iter().map(WebhookDelivery).collect())
    }
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum WebhookDeliveryState {
    /// Waits for its next attempt.
    Pending,
    /// Answered with 2xx.
    Delivered,
    /// Given up after the last attempt.
    Failed,
    /// Its endpoint was disabled.
    Cancelled,
}

impl WebhookDeliveryState {
    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One attempt of a delivery.
#[derive(SimpleObject)]
pub struct WebhookAttempt {
    /// Counts from 1.
    number: i32,
    at: Instant,
    duration_ms: i32,
    /// Status code of the answer; null when there was none.
    status: Option<i32>,
    /// Why there was no answer.
    error: Option<String>,
    /// The first 4,000 characters of the answer's body.
    answer: String,
}

impl From<log::Attempt> for WebhookAttempt {
    fn from(row: log::Attempt) -> Self {
        Self {
            number: row.number,
            at: Instant(row.at),
            duration_ms: row.duration_ms,
            status: row.status,
            error: row.error,
            answer: row.answer,
        }
    }
}

/// One event on its way to one endpoint.
pub struct WebhookDelivery(pub log::Delivery);

#[Object]
impl WebhookDelivery {
    pub async fn id(&self) -> ID {
        ID(self.0.webhook_delivery_id.clone())
    }
    async fn state(&self) -> WebhookDeliveryState {
        match self.0.state.as_str() {
            "pending" => WebhookDeliveryState::Pending,
            "delivered" => WebhookDeliveryState::Delivered,
            "failed" => WebhookDeliveryState::Failed,
            _ => WebhookDeliveryState::Cancelled,
        }
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    async fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at.map(Instant)
    }
    /// When the next attempt is due, unless the endpoint as a whole has to wait longer; null when there is none to come.
    async fn next_attempt_at(&self) -> Option<Instant> {
        (self.0.state == "pending").then_some(Instant(self.0.due_at))
    }
    async fn attempt_count(&self) -> i32 {
        self.0.attempts
    }
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<WebhookEvent>> {
        let found = loaders::of(ctx).load_one(EventBy(self.0.event_id.clone())).await?;
        Ok(found.map(WebhookEvent))
    }
    async fn endpoint(&self, ctx: &Context<'_>) -> Result<Option<WebhookEndpoint>> {
        let key = EndpointBy(self.0.webhook_endpoint_id.clone());
        Ok(loaders::of(ctx).load_one(key).await?.map(WebhookEndpoint))
    }
    /// The first one first.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<WebhookAttempt>> {
        let key = AttemptsOf(self.0.webhook_delivery_id.clone());
        let found = loaders::of(ctx).load_one(key).await?.unwrap_or_default();
        Ok(found.into_iter().map(WebhookAttempt::from).collect())
    }
}

/// Which events.
#[derive(Default, InputObject)]
pub struct WebhookEventFilter {
    types: Option<Vec<Kind>>,
    object_id: Option<ID>,
    /// Not before.
    since: Option<Instant>,
    /// Before.
    until: Option<Instant>,
}

/// Which deliveries.
#[derive(Default, InputObject)]
pub struct WebhookDeliveryFilter {
    endpoint_id: Option<ID>,
    state: Option<WebhookDeliveryState>,
}

/// What can be asked of webhooks.
#[derive(Default)]
pub struct WebhookQuery;

#[Object]
impl WebhookQuery {
    async fn webhook_endpoint(&self, ctx: &Context<'_>, id: ID) -> Result<Option<WebhookEndpoint>> {
        found!(ctx, WebhookRead, id, endpoint::by_id => WebhookEndpoint)
    }

    /// The endpoints of the environment, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn webhook_endpoints(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Counted<WebhookEndpoint>> {
        let page = Page::new(first, after, last, before)?;
        let paged = endpoint::list(Op::of(ctx), &page, counts(ctx)).await?;
        Ok(counted(paged, WebhookEndpoint))
    }

    async fn webhook_event(&self, ctx: &Context<'_>, id: ID) -> Result<Option<WebhookEvent>> {
        found!(ctx, WebhookRead, id, event::by_id => WebhookEvent)
    }

    /// What happened in the environment, by default the oldest first. With `after`, what happened since: for those who
    /// missed messages, and for those who would rather ask.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn webhook_events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<WebhookEventFilter>,
        #[graphql(default_with = "OrderDirection::Asc")] direction: OrderDirection,
    ) -> Result<Uncounted<WebhookEvent>> {
        let filter = filter.unwrap_or_default();
        let filter = event::Filter {
            kinds: filter.types,
            object_id: filter.object_id.map(|id| id.0),
            since: filter.since.map(|at| at.0),
            until: filter.until.map(|at| at.0),
        };
        let page = Page::new(first, after, last, before)?;
        let descending = direction == OrderDirection::Desc;
        let paged = event::list(Op::of(ctx), &filter, descending, &page).await?;
        Ok(uncounted(paged, WebhookEvent))
    }

    async fn webhook_delivery(&self, ctx: &Context<'_>, id: ID) -> Result<Option<WebhookDelivery>> {
        found!(ctx, WebhookRead, id, log::by_id => WebhookDelivery)
    }

    /// What was sent where, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn webhook_deliveries(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<WebhookDeliveryFilter>,
    ) -> Result<Uncounted<WebhookDelivery>> {
        let filter = filter.unwrap_or_default();
        let page = Page::new(first, after, last, before)?;
        let (endpoint, state) = (
            filter.endpoint_id.map(|id| id.0),
            filter.state.map(WebhookDeliveryState::word),
        );
        let paged = log::list(Op::of(ctx), endpoint, state, &page).await?;
        Ok(uncounted(paged, WebhookDelivery))
    }
}
