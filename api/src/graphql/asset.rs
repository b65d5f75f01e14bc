//! Assets in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, Result};
use headwater_model::AssetId;
use serde_json::Value;

use super::broadcast::Broadcast;
use super::channel::Channel;
use super::common::{Counted, Instant, Long, OrderDirection, counted, counts, page_cost, parse};
use super::loaders::{self, BroadcastBy, ChannelBy};
use super::playback_id::PlaybackId;
use crate::access::{Action, Environment};
use crate::asset::{self, SortBy};
use crate::op::Op;
use crate::page::Page;

/// What has become of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AssetState {
    /// Its broadcast is on air; what was sent so far can be watched.
    Recording,
    /// Its broadcast is over; the last of it is being stored.
    Preparing,
    /// Whole, as far as `error` says nothing else.
    Ready,
    /// Nothing can be watched.
    Errored,
}

impl AssetState {
    fn word(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Errored => "errored",
        }
    }
}

/// A replay.
pub struct Asset(pub asset::Asset);

#[Object]
impl Asset {
    pub async fn id(&self) -> ID {
        ID(self.0.asset_id.clone())
    }
    async fn title(&self) -> &str {
        &self.0.title
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    async fn state(&self) -> AssetState {
        match self.0.state.as_str() {
            "recording" => AssetState::Recording,
            "preparing" => AssetState::Preparing,
            "ready" => AssetState::Ready,
            _ => AssetState::Errored,
        }
    }
    /// Null when the channel was deleted.
    async fn channel(&self, ctx: &Context<'_>) -> Result<Option<Channel>> {
        Op::of(ctx).require(Action::ChannelRead)?;
        let found = loaders::of(ctx).load_one(ChannelBy(self.0.channel_id.clone())).await?;
        Ok(found.map(Channel))
    }
    /// Needs BROADCAST_READ.
    async fn broadcast(&self, ctx: &Context<'_>) -> Result<Option<Broadcast>> {
        Op::of(ctx).require(Action::BroadcastRead)?;
        let found = loaders::of(ctx)
            .load_one(BroadcastBy(self.0.broadcast_id.clone()))
            .await?;
        Ok(found.map(Broadcast))
    }
    async fn duration_ms(&self) -> Option<Long> {
        self.0.duration_ms.map(Long)
    }
    /// Everything stored for it.
    async fn size_bytes(&self) -> Option<Long> {
        self.0.size_bytes.map(Long)
    }
    async fn metadata(&self) -> Json<Value> {
        Json(self.0.metadata.clone())
    }
    async fn playback_ids(&self) -> Vec<PlaybackId> {
        vec![PlaybackId::Asset(Box::new(self.0.clone()))]
    }
    /// Why it is not whole.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
    /// When its broadcast began.
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    async fn updated_at(&self) -> Instant {
        Instant(self.0.updated_at)
    }
    /// Goes up with every change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Which assets.
#[derive(Default, InputObject)]
pub struct AssetFilter {
    /// In the title.
    search: Option<String>,
    state: Option<AssetState>,
    channel_id: Option<ID>,
    /// Not before.
    created_since: Option<Instant>,
    /// Before.
    created_until: Option<Instant>,
}

/// What assets are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AssetOrderField {
    /// When the broadcast began.
    CreatedAt,
    /// Length; what is being made counts as nothing.
    Duration,
    /// Bytes; what is being made counts as nothing.
    Size,
}

/// How assets are sorted.
#[derive(InputObject)]
pub struct AssetOrder {
    #[graphql(default_with = "AssetOrderField::CreatedAt")]
    field: AssetOrderField,
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// Assets that can be asked for.
#[derive(Default)]
pub struct AssetQuery;

#[Object]
impl AssetQuery {
    async fn asset(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Asset>> {
        let op = Op::of(ctx);
        op.require(Action::AssetRead)?;
        let Some(id) = parse::<AssetId>(&id) else {
            return Ok(None);
        };
        Ok(asset::by_id(op, id).await?.map(Asset))
    }

    /// The assets of the environment.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn assets(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<AssetFilter>,
        order_by: Option<AssetOrder>,
    ) -> Result<Counted<Asset>> {
        let filter = filter.unwrap_or_default();
        let filter = asset::Filter {
            search: filter.search,
            state: filter.state.map(AssetState::word),
            channel_id: filter.channel_id.map(|id| id.0),
            since: filter.created_since.map(|at| at.0),
            until: filter.created_until.map(|at| at.0),
        };
        let (by, descending) = order_by.map_or((SortBy::CreatedAt, true), |order| {
            let by = match order.field {
                AssetOrderField::CreatedAt => SortBy::CreatedAt,
                AssetOrderField::Duration => SortBy::Duration,
                AssetOrderField::Size => SortBy::Size,
            };
            (by, order.direction == OrderDirection::Desc)
        });
        let page = Page::new(first, after, last, before)?;
        let paged = asset::list(Op::of(ctx), &filter, by, descending, &page, counts(ctx)).await?;
        Ok(counted(paged, Asset))
    }
}
