//! Broadcasts in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use headwater_model::ladder::VideoCodec;
use headwater_model::{BroadcastId, LatencyMode as Latency};

use super::asset::Asset;
use super::channel::{Channel, LatencyMode};
use super::common::{Counted, Instant, Long, OrderDirection, counted, counts, page_cost, parse};
use super::health::BroadcastHealth;
use super::loaders::{self, AssetOf, ChannelBy, NewestOf};
use crate::access::Action;
use crate::broadcast;
use crate::op::Op;
use crate::page::Page;

/// Where a broadcast is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum BroadcastLifecycle {
    /// A publisher sends.
    Live,
    /// The publisher is away; the reconnect window runs.
    Reconnecting,
    /// Over; the replay is being written.
    Ending,
    /// Over; the replay is whole, or never will be.
    Ended,
}

impl BroadcastLifecycle {
    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Reconnecting => "reconnecting",
            Self::Ending => "finishing",
            Self::Ended => "ended",
        }
    }
}

/// What the publisher sends.
#[derive(SimpleObject)]
pub struct BroadcastSource {
    /// `h264` where it plays everywhere as it is, `other` for what must be encoded anew; null without picture.
    video_codec: Option<&'static str>,
    /// Pixels.
    width: Option<i32>,
    /// Pixels.
    height: Option<i32>,
    /// Frames per second; null where unknown.
    framerate: Option<f64>,
    /// Of the picture; null where unknown.
    bitrate_bps: Option<Long>,
    /// Whether there is sound.
    has_audio: bool,
}

/// Picture or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RenditionKind {
    /// Picture.
    Video,
    /// Sound.
    Audio,
}

/// One encoded version of the picture or the sound.
#[derive(SimpleObject)]
pub struct Rendition {
    name: String,
    kind: RenditionKind,
    /// Pixels.
    width: Option<i32>,
    /// Pixels.
    height: Option<i32>,
    /// Most frames per second.
    framerate: Option<f64>,
    /// Average, and over a second the most.
    bitrate_bps: Option<Long>,
    /// The source's own coded picture or sound, untouched where that is possible.
    passthrough: bool,
}

/// One continuous publish on a channel, reconnects included.
pub struct Broadcast(pub broadcast::Entry);

#[Object]
impl Broadcast {
    pub async fn id(&self) -> ID {
        ID(self.0.broadcast_id.clone())
    }
    /// Null when the channel was deleted.
    async fn channel(&self, ctx: &Context<'_>) -> Result<Option<Channel>> {
        Op::of(ctx).require(Action::ChannelRead)?;
        let found = loaders::of(ctx).load_one(ChannelBy(self.0.channel_id.clone())).await?;
        Ok(found.map(Channel))
    }
    async fn lifecycle(&self) -> BroadcastLifecycle {
        match self.0.state.as_str() {
            "live" => BroadcastLifecycle::Live,
            "reconnecting" => BroadcastLifecycle::Reconnecting,
            "finishing" => BroadcastLifecycle::Ending,
            _ => BroadcastLifecycle::Ended,
        }
    }
    async fn latency_mode(&self) -> LatencyMode {
        self.0.latency_mode.parse::<Latency>().unwrap_or_default().into()
    }
    async fn started_at(&self) -> Instant {
        Instant(self.0.started_at)
    }
    async fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at.map(Instant)
    }
    /// Of the replay, once it is whole.
    async fn duration_ms(&self) -> Option<Long> {
        self.0.duration_ms.map(Long)
    }
    async fn source(&self) -> BroadcastSource {
        let source = &self.0.source.0;
        let video = source.video.as_ref();
        let known = |n: u64| (n > 0).then_some(n);
        BroadcastSource {
            video_codec: video.map(|video| match video.codec {
                VideoCodec::H264Common => "h264",
                VideoCodec::Other => "other",
            }),
            width: video.map(|video| video.width as i32),
            height: video.map(|video| video.height as i32),
            framerate: video
                .and_then(|video| known(video.fps_milli.into()))
                .map(|fps| fps as f64 / 1_000.0),
            bitrate_bps: video
                .and_then(|video| known(video.bitrate_bps))
                .map(|bps| Long(i64::try_from(bps).unwrap_or(i64::MAX))),
            has_audio: source.audio,
        }
    }
    /// What is made of it, the best first.
    async fn renditions(&self) -> Vec<Rendition> {
        let ladder = &self.0.ladder.0;
        let video = ladder.video.iter().map(|rung| Rendition {
            name: rung.name.clone(),
            kind: RenditionKind::Video,
            width: Some(rung.width as i32),
            height: Some(rung.height as i32),
            framerate: Some(f64::from(rung.fps_max_milli) / 1_000.0),
            bitrate_bps: Some(Long(rung.bitrate_bps.into())),
            passthrough: rung.passthrough,
        });
        let audio = ladder.audio.then(|| Rendition {
            name: headwater_model::ladder::AUDIO_RENDITION.to_owned(),
            kind: RenditionKind::Audio,
            width: None,
            height: None,
            framerate: None,
            bitrate_bps: None,
            passthrough: true,
        });
        video.chain(audio).collect()
    }
    /// How it does; null where that cannot be learned at this moment.
    async fn health(&self, ctx: &Context<'_>) -> Result<Option<BroadcastHealth>> {
        let place = Op::of(ctx).require(Action::BroadcastRead)?;
        let found = loaders::of(ctx).load_one(NewestOf(self.0.broadcast_id.clone())).await?;
        let of = |newest| Some(BroadcastHealth::of(place.tenant_id, self.0.broadcast_id.parse().ok()?, newest));
        Ok(found.and_then(of))
    }
    /// Its replay. Needs ASSET_READ.
    async fn asset(&self, ctx: &Context<'_>) -> Result<Option<Asset>> {
        Op::of(ctx).require(Action::AssetRead)?;
        let found = loaders::of(ctx).load_one(AssetOf(self.0.broadcast_id.clone())).await?;
        Ok(found.map(Asset))
    }
}

/// Which broadcasts.
#[derive(Default, InputObject)]
pub struct BroadcastFilter {
    channel_id: Option<ID>,
    lifecycle: Option<BroadcastLifecycle>,
    /// Not before.
    started_since: Option<Instant>,
    /// Before.
    started_until: Option<Instant>,
}

/// What broadcasts are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum BroadcastOrderField {
    /// When it began.
    StartedAt,
}

/// How broadcasts are sorted.
#[derive(InputObject)]
pub struct BroadcastOrder {
    #[graphql(default_with = "BroadcastOrderField::StartedAt")]
    field: BroadcastOrderField,
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// Broadcasts that can be asked for.
#[derive(Default)]
pub struct BroadcastQuery;

#[Object]
impl BroadcastQuery {
    async fn broadcast(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Broadcast>> {
        let op = Op::of(ctx);
        op.require(Action::BroadcastRead)?;
        let Some(id) = parse::<BroadcastId>(&id) else {
            return Ok(None);
        };
        Ok(broadcast::by_id(op, id).await?.map(Broadcast))
    }

    /// The broadcasts of the environment.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn broadcasts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<BroadcastFilter>,
        order_by: Option<BroadcastOrder>,
    ) -> Result<Counted<Broadcast>> {
        let filter = filter.unwrap_or_default();
        let filter = broadcast::Filter {
            channel_id: filter.channel_id.map(|id| id.0),
            state: filter.lifecycle.map(BroadcastLifecycle::word),
            since: filter.started_since.map(|at| at.0),
            until: filter.started_until.map(|at| at.0),
        };
        let descending = order_by.is_none_or(|order| {
            let BroadcastOrderField::StartedAt = order.field;
            order.direction == OrderDirection::Desc
        });
        let page = Page::new(first, after, last, before)?;
        let paged = broadcast::list(Op::of(ctx), &filter, descending, &page, counts(ctx)).await?;
        Ok(counted(paged, Broadcast))
    }
}
