//! Broadcasts in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use headwater_model::health::{Making, STALE_AFTER_MS, WorkerClass as Class};
use headwater_model::ladder::VideoCodec;
use headwater_model::{BroadcastState, LatencyMode as Latency};

use super::asset::Asset;
use super::channel::{Channel, LatencyMode, RecordingPolicy};
use super::common::{
    Counted, Instant, Long, OrderDirection, counted, counts, found, page_cost, payload, settle, wanted,
};
use super::health::BroadcastHealth;
use super::loaders::{self, AssetOf, ChannelBy, NewestOf, ViewersOf};
use crate::access::Action;
use crate::broadcast;
use crate::op::Op;
use crate::page::Page;

/// Where a broadcast is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum BroadcastLifecycle {
    /// A publisher sends; nothing can be watched yet.
    Connecting,
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
            Self::Connecting => "connecting",
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
    /// What becomes of it now; null where nothing is made of the broadcast, or nobody knows.
    state: Option<RenditionState>,
}

/// What becomes of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RenditionState {
    /// It is made.
    Producing,
    /// It is left out: there was no room for it, or its machine could not encode it in time.
    Shed,
}

/// What making a broadcast's renditions takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "headwater_model::health::WorkerClass")]
pub enum WorkerClass {
    /// Nothing is coded anew.
    Passthrough,
    /// Encoders on the CPU.
    Cpu,
    /// Encoders on a GPU.
    Gpu,
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
            "connecting" => BroadcastLifecycle::Connecting,
            "live" => BroadcastLifecycle::Live,
            "reconnecting" => BroadcastLifecycle::Reconnecting,
            "finishing" => BroadcastLifecycle::Ending,
            _ => BroadcastLifecycle::Ended,
        }
    }
    async fn latency_mode(&self) -> LatencyMode {
        self.0.latency_mode.parse::<Latency>().unwrap_or_default().into()
    }
    /// What is kept of it: the channel's policy when it began.
    async fn recording(&self) -> RecordingPolicy {
        RecordingPolicy::of_word(&self.0.recording)
    }
    async fn started_at(&self) -> Instant {
        Instant(self.0.started_at)
    }
    async fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at.map(Instant)
    }
    /// Of what could be watched, once it has ended.
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
    /// What is made of it, the best first; what is left out is told as such.
    async fn renditions(&self, ctx: &Context<'_>) -> Result<Vec<Rendition>> {
        let ladder = &self.0.ladder.0;
        let making = match ctx.look_ahead().field("state").exists() {
            true => self.making(ctx).await?,
            false => None,
        };
        let state = |name: &str| {
            let making = making.as_ref()?;
            let is_in = |names: &[String]| names.iter().any(|known| known == name);
            match (is_in(&making.renditions), is_in(&making.shed)) {
                (true, _) => Some(RenditionState::Producing),
                (false, true) => Some(RenditionState::Shed),
                (false, false) => None,
            }
        };
        let video = ladder.video.iter().map(|rung| Rendition {
            name: rung.name.clone(),
            kind: RenditionKind::Video,
            width: Some(rung.width as i32),
            height: Some(rung.height as i32),
            framerate: Some(f64::from(rung.fps_max_milli) / 1_000.0),
            bitrate_bps: Some(Long(rung.bitrate_bps.into())),
            passthrough: rung.passthrough,
            state: state(&rung.name),
        });
        let audio = ladder.audio.then(|| Rendition {
            name: headwater_model::ladder::AUDIO_RENDITION.to_owned(),
            kind: RenditionKind::Audio,
            width: None,
            height: None,
            framerate: None,
            bitrate_bps: None,
            passthrough: true,
            state: state(headwater_model::ladder::AUDIO_RENDITION),
        });
        Ok(video.chain(audio).collect())
    }
    /// What making its renditions takes: as its worker says, or as it was placed; null before a worker has it.
    async fn worker_class(&self, ctx: &Context<'_>) -> Result<Option<WorkerClass>> {
        let said = self.making(ctx).await?.map(|making| making.class);
        let placed = self
            .0
            .leased
            .as_ref()
            .map(|ladder| match ladder.0.video.iter().all(|rung| rung.passthrough) {
                true => Class::Passthrough,
                false => Class::Cpu,
            });
        Ok(said.or(placed).map(WorkerClass::from))
    }
    /// Players that asked an origin for its media within the last 15 to 30 seconds; null when it is not on air, or nobody knows.
    /// They are told apart by network address, user agent and token: two of a kind behind one address count once, and who is
    /// answered from a CDN's cache is not seen.
    async fn viewers(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        let open = self.0.state.parse::<BroadcastState>().is_ok_and(BroadcastState::open);
        if !open {
            return Ok(None);
        }
        let found = loaders::of(ctx)
            .load_one(ViewersOf(self.0.broadcast_id.clone()))
            .await?;
        Ok(found.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
    }
    /// How it does; null where that cannot be learned at this moment.
    async fn health(&self, ctx: &Context<'_>) -> Result<Option<BroadcastHealth>> {
        let place = Op::of(ctx).require(Action::BroadcastRead)?;
        let found = loaders::of(ctx).load_one(NewestOf(self.0.broadcast_id.clone())).await?;
        let of = |newest| {
            Some(BroadcastHealth::of(
                place.tenant_id,
                self.0.broadcast_id.parse().ok()?,
                newest,
            ))
        };
        Ok(found.and_then(of))
    }
    /// Its replay; null where it is not recorded. Needs ASSET_READ.
    async fn asset(&self, ctx: &Context<'_>) -> Result<Option<Asset>> {
        Op::of(ctx).require(Action::AssetRead)?;
        let found = loaders::of(ctx).load_one(AssetOf(self.0.broadcast_id.clone())).await?;
        Ok(found.map(Asset))
    }
}

impl Broadcast {
    /// What its worker says that it makes, where it said so lately.
    async fn making(&self, ctx: &Context<'_>) -> Result<Option<Making>> {
        let newest = loaders::of(ctx).load_one(NewestOf(self.0.broadcast_id.clone())).await?;
        let now_ms = chrono::Utc::now().timestamp_millis();
        let said = newest.and_then(|newest| newest.worker);
        Ok(said
            .filter(|said| now_ms - said.at_ms <= STALE_AFTER_MS)
            .and_then(|said| said.making))
    }
}

/// A broadcast to end.
#[derive(InputObject)]
pub struct BroadcastEndInput {
    id: ID,
}

payload!(
    /// A broadcast is to end.
    BroadcastEndPayload {
        broadcast: Option<Broadcast>,
    }
);

/// What can be done to broadcasts.
#[derive(Default)]
pub struct BroadcastMutation;

#[Object]
impl BroadcastMutation {
    /// Ends a broadcast that is on air: its publisher is told and disconnected, and the replay is finished. The key may publish
    /// again at once, which begins another broadcast. Needs BROADCAST_WRITE.
    async fn broadcast_end(&self, ctx: &Context<'_>, input: BroadcastEndInput) -> Result<BroadcastEndPayload> {
        let op = Op::of(ctx);
        op.require(Action::BroadcastWrite)?;
        let ended = async { broadcast::end(op, wanted(&input.id, "id", "broadcast")?).await };
        settle(op, ended.await, |broadcast| {
            BroadcastEndPayload::done(Broadcast(broadcast))
        })
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
        found!(ctx, BroadcastRead, id, broadcast::by_id => Broadcast)
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
