//! Events: what happened, as it is told and as it can be asked for again.

use async_graphql::Enum;
use chrono::{DateTime, SecondsFormat, Utc};
use headwater_model::{EventId, WebhookEndpointId};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{FromRow, QueryBuilder};

use super::endpoint;
use crate::access::{Action, Environment};
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, between, cursor};
use crate::problem::{Answer, Code, Problem};

const COLUMNS: &str =
    "event_id, environment, position, type as kind, object_type, object_id, sequence, data, created_at";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)+) => {
        /// What can happen. In messages the words are written with dots: `channel.created`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
        #[graphql(name = "WebhookEventType")]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// Every kind with its word in messages.
            pub const ALL: &[(Self, &'static str)] = &[$((Self::$kind, $word),)+];
        }
    };
}

kinds! {
    /// A channel was made.
    ChannelCreated = "channel.created",
    /// Its settings were changed.
    ChannelUpdated = "channel.updated",
    /// It lets publishers in again.
    ChannelEnabled = "channel.enabled",
    /// It lets no publisher in.
    ChannelDisabled = "channel.disabled",
    /// It was deleted.
    ChannelDeleted = "channel.deleted",
    /// A stream key was made.
    StreamKeyCreated = "stream_key.created",
    /// Its label or expiry was changed.
    StreamKeyUpdated = "stream_key.updated",
    /// It lets nobody in any more.
    StreamKeyRevoked = "stream_key.revoked",
    /// A publisher sends: a broadcast began, or its publisher came back.
    BroadcastConnected = "broadcast.connected",
    /// The broadcast is recorded and can be watched. Told once.
    BroadcastActive = "broadcast.active",
    /// The publisher is away; the reconnect window runs.
    BroadcastDisconnected = "broadcast.disconnected",
    /// The broadcast is over; the replay is being written.
    BroadcastIdle = "broadcast.idle",
    /// The replay is whole, or never will be.
    BroadcastEnded = "broadcast.ended",
    /// An issue of how it does began or went. Kept when it happens, lost while Redis is away.
    BroadcastHealthChanged = "broadcast.health_changed",
    /// A replay began.
    AssetCreated = "asset.created",
    /// A replay can be watched from beginning to end.
    AssetReady = "asset.ready",
    /// Nothing of a replay can be watched.
    AssetErrored = "asset.errored",
    /// Its title, metadata or policy was changed; its deletion was asked for, or undone.
    AssetUpdated = "asset.updated",
    /// Everything stored for a replay was removed.
    AssetDeleted = "asset.deleted",
    /// Somebody joined the tenant. Events of members are told in the live environment.
    MemberCreated = "member.created",
    /// Somebody's role was changed.
    MemberUpdated = "member.updated",
    /// Somebody left the tenant.
    MemberDeleted = "member.deleted",
    /// The service gave an endpoint up.
    WebhookEndpointDisabled = "webhook_endpoint.disabled",
    /// A message that was asked for, to try an endpoint.
    WebhookTest = "webhook.test",
}

impl Kind {
    /// Its word in messages.
    pub fn as_str(self) -> &'static str {
        let named = Self::ALL.iter().find(|(kind, _)| *kind == self);
        named.map(|(_, word)| *word).expect("ALL holds every kind")
    }

    /// The kind of a word; `None` for one that this build does not know.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(kind, _)| *kind)
    }
}

/// Something that happened.
#[derive(Clone, Debug, FromRow)]
pub struct Event {
    /// Its id, the same in every attempt.
    pub event_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// Counts the environment's events.
    pub position: i64,
    /// The word of its kind.
    pub kind: String,
    /// `channel`
    pub object_type: String,
    /// To what it happened.
    pub object_id: String,
    /// Counts the object's events, from 1.
    pub sequence: i64,
    /// The object as it was then.
    pub data: Value,
    /// When.
    pub created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    r#type: &'a str,
    timestamp: String,
    environment: String,
    object: Object<'a>,
    cursor: String,
    data: &'a Value,
}

#[derive(Serialize)]
struct Object<'a> {
    r#type: &'a str,
    id: &'a str,
    sequence: i64,
}

impl Event {
    /// Where a reader who has seen this event goes on.
    pub fn cursor(&self) -> String {
        cursor(&self.position.to_string(), &self.event_id)
    }

    /// The body of the message: the same bytes in every attempt.
    pub fn body(&self) -> String {
        let message = Message {
            id: &self.event_id,
            r#type: &self.kind,
            timestamp: self.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            environment: self.environment.to_uppercase(),
            object: Object {
                r#type: &self.object_type,
                id: &self.object_id,
                sequence: self.sequence,
            },
            cursor: self.cursor(),
            data: &self.data,
        };
        serde_json::to_string(&message).expect("texts, numbers and JSON make JSON")
    }
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of these kinds.
    pub kinds: Option<Vec<Kind>>,
    /// Only of this object.
    pub object_id: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
}

fn scoped(place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(format!("select {COLUMNS} from webhook_event where tenant_id = "));
    query.push_bind(place.tenant_id.to_string());
    query.push(" and environment = ").push_bind(place.environment.as_str());
    query
}

/// The environment's events of the last 30 days, in the order in which they happened.
pub async fn list(op: &Op, filter: &Filter, descending: bool, page: &Page) -> Answer<Paged<Event>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(place);
    if let Some(kinds) = &filter.kinds {
        let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        query.push(" and type = any(").push_bind(words).push(")");
    }
    if let Some(object) = &filter.object_id {
        query.push(" and object_id = ").push_bind(object.clone());
    }
    between(&mut query, "created_at", filter.since, filter.until);
    let order = Order {
        column: "position",
        id: "event_id",
        cast: "bigint",
        descending,
    };
    page.seek(&mut query, order);
    let rows: Vec<Event> = query.build_query_as().fetch_all(&mut *tx).await?;
    Ok(Paged::of(rows, page, 0, |row| {
        (row.position.to_string(), row.event_id.clone())
    }))
}

/// The events of these ids, in any order.
pub async fn by_ids(op: &Op, ids: &[String]) -> Answer<Vec<Event>> {
    let place = op.require(Action::WebhookRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(place);
    query.push(" and event_id = any(").push_bind(ids).push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}

/// The event of this id.
pub async fn by_id(op: &Op, event: EventId) -> Answer<Option<Event>> {
    Ok(by_ids(op, &[event.to_string()]).await?.pop())
}

/// Sends an event to an endpoint once more, or for the first time, whatever the endpoint asked for.
pub async fn resend(op: &Op, event: EventId, to: WebhookEndpointId) -> Answer<super::log::Delivery> {
    let place = op.require(Action::WebhookWrite)?;
    let mut change = op.change(place).await?;
    let held = endpoint::hold(change.on(), place, to, "endpointId").await?;
    endpoint::must_be_enabled(&held, "endpointId")?;
    let mut query = scoped(place);
    query.push(" and event_id = ").push_bind(event.to_string());
    let found: Option<Event> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(|| Problem::not_found("eventId", "event"))?;
    let queued = sqlx::query(
        "update webhook_queue set waiting = waiting + 1, due_at = least(due_at, now()) \
         where tenant_id = $1 and webhook_endpoint_id = $2 and waiting < 100000",
    )
    .bind(place.tenant_id.as_str())
    .bind(to.as_str())
    .execute(change.on())
    .await?;
    if queued.rows_affected() == 0 {
        let sentence = "100,000 deliveries wait for this endpoint already.";
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    let made = super::log::insert(change.on(), place, to, &found).await?;
    sqlx::query("select pg_notify('headwater_webhook', '')")
        .execute(change.on())
        .await?;
    change.commit().await?;
    Ok(made)
}

/// Sends a message of kind `webhook.test` to one endpoint.
pub async fn test(op: &Op, to: WebhookEndpointId) -> Answer<Event> {
    let place = op.require(Action::WebhookWrite)?;
    let mut change = op.change(place).await?;
    let held = endpoint::hold(change.on(), place, to, "id").await?;
    endpoint::must_be_enabled(&held, "id")?;
    let said = json!({ "id": held.webhook_endpoint_id, "url": held.url, "description": held.description });
    let event: String = sqlx::query_scalar("select event_tell($1, $2, $3, 'webhook_endpoint', $4, $5, $4)")
        .bind(place.tenant_id.as_str())
        .bind(place.environment.as_str())
        .bind(Kind::WebhookTest.as_str())
        .bind(to.as_str())
        .bind(said)
        .fetch_one(change.on())
        .await?;
    let mut query = scoped(place);
    query.push(" and event_id = ").push_bind(event);
    let made: Event = query.build_query_as().fetch_one(change.on()).await?;
    change.commit().await?;
    Ok(made)
}

/// Whether an environment may hear of this kind at all.
pub(super) fn heard_in(kind: Kind, environment: Environment) -> bool {
    !kind.as_str().starts_with("member.") || environment == Environment::Live
}
