//! Assets: replays, from the first moment of their broadcast on.

mod managed;
pub mod purge;

pub use managed::{Change, delete, restore, update};

use chrono::{DateTime, Utc};
use headwater_model::AssetId;
use serde_json::Value;
use sqlx::{FromRow, QueryBuilder};

use crate::access::Action;
use crate::op::{Op, Place};
use crate::page::{Order, Page, Paged, between, containing, instant, words};
use crate::problem::Answer;

/// Deleted for good, whether or not the media is gone already.
const DELETED: &str = "(a.deletes_at is not null and a.deletes_at <= now())";
const COLUMNS: &str = "a.asset_id, a.channel_id, a.broadcast_id, a.environment, a.title, a.metadata, \
                       case when a.deletes_at <= now() then 'deleted' else a.state end as state, a.duration_ms, \
                       a.size_bytes, a.error, case when a.deletes_at > now() then a.deletes_at end as deletes_at, \
                       a.created_at, a.updated_at, a.version, b.playback_id, a.policy as own_policy, \
                       coalesce(a.policy, replay_policy(a.tenant_id, a.channel_id)) as policy";

/// A replay.
#[derive(Clone, Debug, FromRow)]
pub struct Asset {
    /// Its id.
    pub asset_id: String,
    /// On which channel it was made.
    pub channel_id: String,
    /// Of which broadcast.
    pub broadcast_id: String,
    /// `live` or `test`.
    pub environment: String,
    /// The channel's title when it began.
    pub title: String,
    /// The tenant's own words.
    pub metadata: Value,
    /// `recording`, `preparing`, `ready`, `errored` or `deleted`.
    pub state: String,
    /// Its length.
    pub duration_ms: Option<i64>,
    /// Everything stored for it.
    pub size_bytes: Option<i64>,
    /// Why it is not whole.
    pub error: Option<String>,
    /// It is being deleted, and can be restored until then.
    pub deletes_at: Option<DateTime<Utc>>,
    /// When the broadcast began.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Goes up with every change.
    pub version: i32,
    /// What its public address carries.
    pub playback_id: String,
    /// Who may watch, where that was decided for this replay alone.
    pub own_policy: Option<String>,
    /// Who may watch.
    pub policy: String,
}

/// Which assets.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In the title.
    pub search: Option<String>,
    /// The word of a state.
    pub state: Option<&'static str>,
    /// Only of this channel.
    pub channel_id: Option<String>,
    /// Begun not before.
    pub since: Option<DateTime<Utc>>,
    /// Begun before.
    pub until: Option<DateTime<Utc>>,
}

/// A list's sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When the broadcast began.
    #[default]
    CreatedAt,
    /// Its length; what is being made counts as nothing.
    Duration,
    /// Its bytes; what is being made counts as nothing.
    Size,
}

/// Every broadcast has a row; that of one that is not recorded serves its removal alone, and nobody sees it.
fn scoped(start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    let mut query = QueryBuilder::new(start);
    query.push(
        " from asset a join broadcast b on b.broadcast_id = a.broadcast_id and b.recording = 'record' \
         where a.tenant_id = ",
    );
    query.push_bind(place.tenant_id.to_string());
    query
        .push(" and a.environment = ")
        .push_bind(place.environment.as_str());
    query
}

/// The assets of the operation's environment.
pub async fn list(
    op: &Op,
    filter: &Filter,
    by: SortBy,
    descending: bool,
    page: &Page,
    count: bool,
) -> Answer<Paged<Asset>> {
    let place = op.require(Action::AssetRead)?;
    let mut tx = op.look(place).await?;
    let filtered = |start: String| {
        let mut query = scoped(start, place);
        if let Some(search) = words(filter.search.as_deref()) {
            query.push(" and a.title ilike ").push_bind(containing(search));
        }
        // What is deleted is there for those who ask for it.
        match filter.state {
            None => drop(query.push(format_args!(" and not {DELETED}"))),
            Some("deleted") => drop(query.push(format_args!(" and {DELETED}"))),
            Some(state) => {
                query
                    .push(format_args!(" and not {DELETED} and a.state = "))
                    .push_bind(state);
            }
        }
        if let Some(channel) = &filter.channel_id {
            query.push(" and a.channel_id = ").push_bind(channel.clone());
        }
        between(&mut query, "a.created_at", filter.since, filter.until);
        query
    };
    let (column, cast) = match by {
        SortBy::CreatedAt => ("a.created_at", "timestamptz"),
        SortBy::Duration => ("coalesce(a.duration_ms, 0)", "bigint"),
        SortBy::Size => ("coalesce(a.size_bytes, 0)", "bigint"),
    };
    let order = Order {
        column,
        id: "a.asset_id",
        cast,
        descending,
    };
    let key = |row: &Asset| {
        let sort = match by {
            SortBy::CreatedAt => instant(row.created_at),
            SortBy::Duration => row.duration_ms.unwrap_or(0).to_string(),
            SortBy::Size => row.size_bytes.unwrap_or(0).to_string(),
        };
        (sort, row.asset_id.clone())
    };
    page.read(&mut tx, count, COLUMNS, order, filtered, key).await
}

/// The asset of this id.
pub async fn by_id(op: &Op, asset: AssetId) -> Answer<Option<Asset>> {
    let place = op.require(Action::AssetRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and a.asset_id = ").push_bind(asset.to_string());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

/// The assets of these broadcasts, in any order.
pub async fn of_broadcasts(op: &Op, broadcasts: &[String]) -> Answer<Vec<Asset>> {
    let place = op.require(Action::AssetRead)?;
    let mut tx = op.look(place).await?;
    let mut query = scoped(format!("select {COLUMNS}"), place);
    query.push(" and a.broadcast_id = any(").push_bind(broadcasts).push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}
