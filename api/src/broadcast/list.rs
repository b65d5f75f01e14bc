//! Broadcasts as their tenant sees them.

use chrono::{DateTime, Utc};
use headwater_model::heartbeat::BROADCAST_END_TOPIC;
use headwater_model::ladder::Source;
use headwater_model::{BroadcastId, BroadcastState, Ladder};
use serde_json::json;
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};

use crate::access::Action;
use crate::audit;
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, between, instant};
use crate::problem::{Answer, Code, Problem};

const COLUMNS: &str = "b.broadcast_id, b.channel_id, b.state, b.latency_mode, b.recording, b.source, b.ladder, b.started_at, b.ended_at, \
                       b.duration_ms, (select l.ladder from lease l where l.broadcast_id = b.broadcast_id \
                       and l.tenant_id = b.tenant_id and l.acked_at is not null) as leased";

/// One continuous publish on a channel.
#[derive(Clone, Debug, FromRow)]
pub struct Entry {
    /// Its id.
    pub broadcast_id: String,
    /// On which channel.
    pub channel_id: String,
    /// Its state's word.
    pub state: String,
    /// The channel's setting when it began.
    pub latency_mode: String,
    /// The word of the channel's recording policy when it began.
    pub recording: String,
    /// What the publisher sends.
    pub source: Json<Source>,
    /// The ladder that fits it.
    pub ladder: Json<Ladder>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When its replay was whole.
    pub ended_at: Option<DateTime<Utc>>,
    /// Of the replay.
    pub duration_ms: Option<i64>,
    /// The ladder that its worker was given, once it has it.
    pub leased: Option<Json<Ladder>>,
}

/// Which broadcasts.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this channel.
    pub channel_id: Option<String>,
    /// The word of a state.
    pub state: Option<&'static str>,
    /// Begun not before.
    pub since: Option<DateTime<Utc>>,
    /// Begun before.
    pub until: Option<DateTime<Utc>>,
}

fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query.push(
        " from broadcast b join channel c on c.tenant_id = b.tenant_id and c.channel_id = b.channel_id \
         where b.tenant_id = ",
    );
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and c.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// The broadcasts of the operation's environment, by their beginning.
pub async fn list(op: &Op, filter: &Filter, descending: bool, page: &Page, count: bool) -> Answer<Paged<Entry>> {
    let place = op.require(Action::BroadcastRead)?;
    let mut tx = op.look(place).await?;
    let filtered = |start: String| {
        let mut query = scoped(start, place);
        if let Some(channel) = &filter.channel_id {
            query.push(" and b.channel_id = ").push_bind(channel.clone());
        }
        if let Some(state) = filter.state {
            query.push(" and b.state = ").push_bind(state);
        }
        between(&mut query, "b.started_at", filter.since, filter.until);
        query
    };
    let order = Order {
        column: "b.started_at",
        id: "b.broadcast_id",
        cast: "timestamptz",
        descending,
    };
    let key = |row: &Entry| (instant(row.started_at), row.broadcast_id.clone());
    page.read(&mut tx, count, COLUMNS, order, filtered, key).await
}

/// The broadcasts of these ids, in any order.
pub async fn by_ids(op: &Op, ids: &[String]) -> Answer<Vec<Entry>> {
    let place = op.require(Action::BroadcastRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and b.broadcast_id = any(").push_bind(ids).push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}

/// The broadcast of this id.
pub async fn by_id(op: &Op, broadcast: BroadcastId) -> Answer<Option<Entry>> {
    Ok(by_ids(op, &[broadcast.to_string()]).await?.pop())
}

/// The broadcasts on air of these channels: at most one of each.
pub async fn on_air(op: &Op, channels: &[String]) -> Answer<Vec<Entry>> {
    let place = op.require(Action::BroadcastRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query
        .push(" and b.state in ('connecting', 'live', 'reconnecting') and b.channel_id = any(")
        .push_bind(channels)
        .push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}

/// Ends a broadcast that is on air: its publisher is told and cut off, and its replay is finished. The scheduler sees to it
/// within a second; asked twice, it is done once.
pub async fn end(op: &Op, broadcast: BroadcastId) -> Answer<Entry> {
    let place = op.require(Action::BroadcastWrite)?;
    let mut change = op.change(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and b.broadcast_id = ").push_bind(broadcast.to_string());
    let found: Option<Entry> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "broadcast"))?;
    let open = found.state.parse::<BroadcastState>().is_ok_and(BroadcastState::open);
    if !open {
        return Err(Problem::mend(Code::State, "id", "This broadcast is over already."));
    }
    let asked =
        sqlx::query("insert into broadcast_end (broadcast_id, tenant_id) values ($1, $2) on conflict do nothing")
            .bind(broadcast.as_str())
            .bind(place.tenant_id.as_str())
            .execute(change.on())
            .await?;
    if asked.rows_affected() == 1 {
        change
            .record(audit::New {
                action: "broadcast.end",
                subject_id: broadcast.as_str(),
                subject_name: broadcast.as_str(),
                before: Some(json!({ "lifecycle": found.state.to_uppercase() })),
                after: None,
            })
            .await?;
    }
    change.commit().await?;
    // Without Redis the edge learns of it at its next check of the key.
    if let Err(error) = op
        .services()
        .hints
        .publish(BROADCAST_END_TOPIC, broadcast.to_string())
        .await
    {
        tracing::debug!("an edge is not told of the end of {broadcast}: {error}");
    }
    tracing::info!(tenant.id = %place.tenant_id, broadcast.id = %broadcast, "{broadcast} is to end");
    Ok(found)
}
