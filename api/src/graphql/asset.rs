//! Assets in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Json, MaybeUndefined, Object, Result};
use serde_json::Value;

use super::broadcast::Broadcast;
use super::channel::Channel;
use super::common::{
    Counted, Instant, Long, OrderDirection, counted, counts, found, page_cost, payload, settle, wanted,
};
use super::loaders::{self, BroadcastBy, ChannelBy};
use super::playback_id::{PlaybackId, PlaybackPolicy};
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
    /// Everything stored for it is removed, or is being removed at this moment. Lists have it only where they are asked for it.
    Deleted,
}

impl AssetState {
    fn word(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Errored => "errored",
            Self::Deleted => "deleted",
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
            "deleted" => AssetState::Deleted,
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
    /// Its own policy; null where it follows its channel: signed if every playback id of the channel is.
    async fn playback_policy(&self) -> Option<PlaybackPolicy> {
        self.0.own_policy.as_deref().map(PlaybackPolicy::of_word)
    }
    /// Set while it is being deleted: nobody can watch it, and until then it can be restored.
    async fn deletes_at(&self) -> Option<Instant> {
        self.0.deletes_at.map(Instant)
    }
    /// A JPEG of it: 640 pixels wide, or as `?width=` says (320, 640, 1280); never larger than the smallest rendition. Where the
    /// replay is signed, it needs `?token=` as well. Null where there is nothing to see.
    async fn thumbnail_url(&self, ctx: &Context<'_>) -> Option<String> {
        let shown = self.0.deletes_at.is_none() && !matches!(self.0.state.as_str(), "errored" | "deleted");
        shown.then(|| {
            Op::of(ctx)
                .services()
                .urls
                .playback(&format!("{}/thumbnail.jpg", self.0.playback_id))
        })
    }
    /// An MP4 of its best rendition; `?rendition=` names another. Where the replay is signed, it needs `?token=` with a token that
    /// is `downloadable`. Null until the replay is ready.
    async fn download_url(&self, ctx: &Context<'_>) -> Option<String> {
        let Self(asset) = self;
        let ready = asset.deletes_at.is_none() && asset.state == "ready";
        let path = format!("{}/{}/download.mp4", asset.playback_id, asset.broadcast_id);
        ready.then(|| Op::of(ctx).services().urls.playback(&path))
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
        found!(ctx, AssetRead, id, asset::by_id => Asset)
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

/// A change of a replay: what is left out stays as it is.
#[derive(InputObject)]
pub struct AssetUpdateInput {
    id: ID,
    /// The version that you have read; STALE when the replay has moved on.
    expected_version: i32,
    /// 1 to 200 characters.
    title: Option<String>,
    /// A JSON object of at most 50 keys and 8 KiB.
    metadata: Option<Json<Value>>,
    /// Null has it follow its channel again.
    playback_policy: MaybeUndefined<PlaybackPolicy>,
}

/// A replay to delete.
#[derive(InputObject)]
pub struct AssetDeleteInput {
    id: ID,
}

/// A replay to keep after all.
#[derive(InputObject)]
pub struct AssetRestoreInput {
    id: ID,
}

payload!(
    /// A replay was changed.
    AssetUpdatePayload {
        asset: Option<Asset>,
    }
);
payload!(
    /// A replay is being deleted.
    AssetDeletePayload {
        asset: Option<Asset>,
    }
);
payload!(
    /// A replay is kept.
    AssetRestorePayload {
        asset: Option<Asset>,
    }
);

/// What can be done to replays.
#[derive(Default)]
pub struct AssetMutation;

#[Object]
impl AssetMutation {
    /// Changes a replay. Its own policy holds for its own playback id; a channel's public playback id does not show a replay that
    /// is signed. Needs ASSET_WRITE.
    async fn asset_update(&self, ctx: &Context<'_>, input: AssetUpdateInput) -> Result<AssetUpdatePayload> {
        let op = Op::of(ctx);
        op.require(Action::AssetWrite)?;
        let changed = async {
            let change = asset::Change {
                title: input.title,
                metadata: input.metadata.map(|metadata| metadata.0),
                policy: input.playback_policy.map_value(PlaybackPolicy::word).into(),
            };
            asset::update(op, wanted(&input.id, "id", "asset")?, input.expected_version, change).await
        };
        settle(op, changed.await, |asset| AssetUpdatePayload::done(Asset(asset)))
    }

    /// Deletes a replay: at once nobody can watch it, and at `deletesAt` everything stored for it is removed. Until then
    /// assetRestore undoes it. Refused while its broadcast is on air or being written. Needs ASSET_WRITE.
    async fn asset_delete(&self, ctx: &Context<'_>, input: AssetDeleteInput) -> Result<AssetDeletePayload> {
        let op = Op::of(ctx);
        op.require(Action::AssetWrite)?;
        let deleted = async { asset::delete(op, wanted(&input.id, "id", "asset")?).await };
        settle(op, deleted.await, |asset| AssetDeletePayload::done(Asset(asset)))
    }

    /// Keeps a replay that is being deleted. Needs ASSET_WRITE.
    async fn asset_restore(&self, ctx: &Context<'_>, input: AssetRestoreInput) -> Result<AssetRestorePayload> {
        let op = Op::of(ctx);
        op.require(Action::AssetWrite)?;
        let restored = async { asset::restore(op, wanted(&input.id, "id", "asset")?).await };
        settle(op, restored.await, |asset| AssetRestorePayload::done(Asset(asset)))
    }
}
