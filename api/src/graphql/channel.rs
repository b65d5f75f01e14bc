//! Channels in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Json, MaybeUndefined, Object, Result, SimpleObject};
use headwater_model::ladder::{Policy, Step};
use headwater_model::{ChannelId, LatencyMode as Latency, Recording};
use serde_json::Value;

use super::broadcast::Broadcast;
use super::common::{
    Counted, IngestAddresses, Instant, Long, OrderDirection, counted, counts, ingest, page_cost, parse, payload,
    settle, wanted,
};
use super::loaders::{self, KeysOf, OnAirOf, PlaybackOf};
use super::playback_id::PlaybackId;
use super::stream_key::StreamKey;
use crate::access::{Action, Environment};
use crate::channel::{self, SortBy, State};
use crate::op::Op;
use crate::page::Page;

/// How a channel trades delay for quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "headwater_model::LatencyMode")]
pub enum LatencyMode {
    /// Two to three seconds from encoder to screen.
    Low,
    /// Eight to fifteen seconds, the best quality per bit.
    Standard,
}

/// What is kept of a broadcast when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "headwater_model::Recording")]
pub enum RecordingPolicy {
    /// Its replay.
    Record,
    /// Nothing. It is watched live as any other, the past of its window included; at its end it is shown no more, everything
    /// stored for it is removed within seconds, and there is no asset.
    None,
}

impl RecordingPolicy {
    pub(super) fn of_word(word: &str) -> Self {
        word.parse::<Recording>().unwrap_or_default().into()
    }
}

/// Which renditions a channel's broadcasts get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum LadderKind {
    /// The source as it is, and the service's own steps below it.
    Default,
    /// The source as it is and nothing else.
    Source,
    /// The service's own steps, every one encoded.
    Encoded,
    /// The channel's own steps.
    Custom,
}

/// Which renditions a channel's broadcasts get.
#[derive(SimpleObject)]
pub struct Ladder {
    kind: LadderKind,
    /// Whether the source is passed through where it can be.
    passthrough: bool,
    /// The channel's own steps; empty for the other kinds.
    steps: Vec<LadderStep>,
}

/// One wanted size.
#[derive(SimpleObject)]
pub struct LadderStep {
    /// Pixels of the picture's shorter side.
    short_side: i32,
    /// Bits/s up to 30 frames per second.
    bitrate_bps: i32,
    /// Bits/s above 30 frames per second.
    bitrate_high_fps_bps: i32,
    /// Most frames per second.
    fps_max: f64,
}

/// Which renditions a channel's broadcasts get.
#[derive(InputObject)]
pub struct LadderInput {
    kind: LadderKind,
    /// With CUSTOM: whether the source is passed through where it can be.
    #[graphql(default = true)]
    passthrough: bool,
    /// With CUSTOM: 1 to 10 steps.
    #[graphql(default)]
    steps: Vec<LadderStepInput>,
}

/// One wanted size.
#[derive(InputObject)]
pub struct LadderStepInput {
    /// Pixels of the picture's shorter side, 96 to 4320.
    short_side: i32,
    /// Bits/s up to 30 frames per second, 50,000 to 100,000,000.
    bitrate_bps: i32,
    /// Bits/s above 30 frames per second; the same where it is left out.
    bitrate_high_fps_bps: Option<i32>,
    /// Most frames per second, 1 to 60.
    #[graphql(default = 60.0)]
    fps_max: f64,
}

impl From<&Policy> for Ladder {
    fn from(policy: &Policy) -> Self {
        let own = |kind, passthrough| Self {
            kind,
            passthrough,
            steps: Vec::new(),
        };
        match policy {
            Policy::Default => own(LadderKind::Default, true),
            Policy::Source => own(LadderKind::Source, true),
            Policy::Encoded => own(LadderKind::Encoded, false),
            Policy::Custom { passthrough, steps } => Self {
                steps: steps.iter().map(LadderStep::from).collect(),
                ..own(LadderKind::Custom, *passthrough)
            },
        }
    }
}

impl From<&Step> for LadderStep {
    fn from(step: &Step) -> Self {
        Self {
            short_side: step.short_side as i32,
            bitrate_bps: step.bitrate_bps as i32,
            bitrate_high_fps_bps: step.bitrate_high_fps_bps as i32,
            fps_max: f64::from(step.fps_max_milli) / 1_000.0,
        }
    }
}

impl From<LadderInput> for Policy {
    fn from(input: LadderInput) -> Self {
        // What does not fit becomes 0 or the most, and `Policy::validate` names it.
        let figure = |n: i32| u32::try_from(n).unwrap_or(0);
        let step = |step: LadderStepInput| Step {
            short_side: figure(step.short_side),
            bitrate_bps: figure(step.bitrate_bps),
            bitrate_high_fps_bps: figure(step.bitrate_high_fps_bps.unwrap_or(step.bitrate_bps)),
            fps_max_milli: (step.fps_max * 1_000.0) as u32,
        };
        match input.kind {
            LadderKind::Default => Self::Default,
            LadderKind::Source => Self::Source,
            LadderKind::Encoded => Self::Encoded,
            LadderKind::Custom => Self::Custom {
                passthrough: input.passthrough,
                steps: input.steps.into_iter().map(step).collect(),
            },
        }
    }
}

/// The lasting address that a tenant publishes to and viewers watch.
pub struct Channel(pub channel::Channel);

#[Object]
impl Channel {
    pub async fn id(&self) -> ID {
        ID(self.0.channel_id.clone())
    }
    async fn title(&self) -> &str {
        &self.0.title
    }
    /// Your own name for it, unique in the environment.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }
    /// Your own words.
    async fn metadata(&self) -> Json<Value> {
        Json(self.0.metadata.clone())
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    async fn state(&self) -> State {
        self.0.state()
    }
    async fn latency_mode(&self) -> LatencyMode {
        self.0.latency_mode.parse::<Latency>().unwrap_or_default().into()
    }
    async fn ladder(&self) -> Ladder {
        Ladder::from(&self.0.ladder.0)
    }
    /// Seconds within which a publisher that vanished continues its broadcast.
    async fn reconnect_window_s(&self) -> i32 {
        self.0.reconnect_window_s
    }
    /// Most bits/s over ten seconds that a publisher may send; null: the service's own limit.
    async fn bitrate_max_bps(&self) -> Option<Long> {
        self.0.bitrate_max_bps.map(Long)
    }
    /// What is kept of its broadcasts, from the next one on.
    async fn recording(&self) -> RecordingPolicy {
        RecordingPolicy::of_word(&self.0.recording)
    }
    /// No new publisher is let in.
    async fn disabled(&self) -> bool {
        self.0.disabled_at.is_some()
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
    /// Where encoders push.
    async fn ingest(&self, ctx: &Context<'_>) -> IngestAddresses {
        ingest(ctx)
    }
    /// Its keys, newest first. Needs STREAM_KEY_READ.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn stream_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default = false, desc = "Expired and revoked ones too.")] include_inactive: bool,
    ) -> Result<Counted<StreamKey>> {
        Op::of(ctx).require(Action::StreamKeyRead)?;
        let key = KeysOf {
            channel: self.0.channel_id.clone(),
            inactive: include_inactive,
            page: Page::new(first, after, last, before)?,
            count: counts(ctx),
        };
        let paged = loaders::of(ctx).load_one(key).await?;
        let paged = paged.unwrap_or(crate::page::Paged {
            rows: Vec::new(),
            next: false,
            previous: false,
            total: 0,
        });
        Ok(counted(paged, StreamKey))
    }
    /// Its public addresses, the oldest first.
    async fn playback_ids(&self, ctx: &Context<'_>) -> Result<Vec<PlaybackId>> {
        let found = loaders::of(ctx).load_one(PlaybackOf(self.0.channel_id.clone())).await?;
        Ok(found.unwrap_or_default().into_iter().map(PlaybackId::Channel).collect())
    }
    /// The broadcast on air. Needs BROADCAST_READ.
    async fn broadcast(&self, ctx: &Context<'_>) -> Result<Option<Broadcast>> {
        Op::of(ctx).require(Action::BroadcastRead)?;
        let found = loaders::of(ctx).load_one(OnAirOf(self.0.channel_id.clone())).await?;
        Ok(found.map(Broadcast))
    }
}

/// Which channels.
#[derive(Default, InputObject)]
pub struct ChannelFilter {
    /// In title or reference.
    search: Option<String>,
    /// Doing this.
    state: Option<State>,
    /// Exactly this reference.
    reference: Option<String>,
}

/// What channels are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ChannelOrderField {
    /// When it was made.
    CreatedAt,
    /// Its title.
    Title,
}

/// How channels are sorted.
#[derive(InputObject)]
pub struct ChannelOrder {
    #[graphql(default_with = "ChannelOrderField::CreatedAt")]
    field: ChannelOrderField,
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// Channels that can be asked for.
#[derive(Default)]
pub struct ChannelQuery;

#[Object]
impl ChannelQuery {
    /// A channel by its id, or by your own reference.
    async fn channel(&self, ctx: &Context<'_>, id: Option<ID>, reference: Option<String>) -> Result<Option<Channel>> {
        let op = Op::of(ctx);
        op.require(Action::ChannelRead)?;
        let found = match (id, reference) {
            (Some(id), None) => match parse::<ChannelId>(&id) {
                Some(id) => channel::by_id(op, id).await?,
                None => None,
            },
            (None, Some(reference)) => channel::of_reference(op, &reference).await?,
            _ => return Err(crate::problem::Problem::bad_input("Give either id or reference.").into()),
        };
        Ok(found.map(Channel))
    }

    /// The channels of the environment.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn channels(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<ChannelFilter>,
        order_by: Option<ChannelOrder>,
    ) -> Result<Counted<Channel>> {
        let filter = filter.unwrap_or_default();
        let filter = channel::Filter {
            search: filter.search,
            reference: filter.reference,
            state: filter.state,
        };
        let (by, descending) = order_by.map_or((SortBy::CreatedAt, true), |order| {
            let by = match order.field {
                ChannelOrderField::CreatedAt => SortBy::CreatedAt,
                ChannelOrderField::Title => SortBy::Title,
            };
            (by, order.direction == OrderDirection::Desc)
        });
        let page = Page::new(first, after, last, before)?;
        let paged = channel::list(Op::of(ctx), &filter, by, descending, &page, counts(ctx)).await?;
        Ok(counted(paged, Channel))
    }
}

/// A channel to make.
#[derive(InputObject)]
pub struct ChannelCreateInput {
    /// 1 to 200 characters.
    title: String,
    /// Your own name for it, unique in the environment, 1 to 200 characters.
    reference: Option<String>,
    /// A JSON object of at most 50 keys and 8 KiB.
    metadata: Option<Json<Value>>,
    latency_mode: Option<LatencyMode>,
    ladder: Option<LadderInput>,
    /// Seconds within which a publisher that vanished continues its broadcast, 0 to 3600; 60 where left out.
    reconnect_window_s: Option<i32>,
    /// Most bits/s over ten seconds that a publisher may send.
    bitrate_max_bps: Option<Long>,
    /// RECORD where left out.
    recording: Option<RecordingPolicy>,
}

/// A change of a channel: what is left out stays as it is.
#[derive(InputObject)]
pub struct ChannelUpdateInput {
    id: ID,
    /// The version that you have read; STALE when the channel has moved on.
    expected_version: i32,
    title: Option<String>,
    /// Null takes it away.
    reference: MaybeUndefined<String>,
    metadata: Option<Json<Value>>,
    latency_mode: Option<LatencyMode>,
    ladder: Option<LadderInput>,
    reconnect_window_s: Option<i32>,
    /// Null takes it away.
    bitrate_max_bps: MaybeUndefined<Long>,
    /// Holds from the next broadcast on; one on air keeps what it began with.
    recording: Option<RecordingPolicy>,
    /// Lets no new publisher in.
    disabled: Option<bool>,
}

/// A channel to delete.
#[derive(InputObject)]
pub struct ChannelDeleteInput {
    id: ID,
}

payload!(
    /// A channel was made.
    ChannelCreatePayload {
        channel: Option<Channel>,
        /// Its first key.
        stream_key: Option<StreamKey>,
        /// The first key's secret, shown this once.
        stream_key_secret: Option<String>,
    }
);
payload!(
    /// A channel was changed.
    ChannelUpdatePayload {
        channel: Option<Channel>,
    }
);
payload!(
    /// A channel was deleted.
    ChannelDeletePayload {
        deleted_id: Option<ID>,
    }
);

/// What can be done to channels.
#[derive(Default)]
pub struct ChannelMutation;

#[Object]
impl ChannelMutation {
    /// Makes a channel with a first stream key and a playback id. Needs CHANNEL_WRITE and STREAM_KEY_WRITE.
    async fn channel_create(&self, ctx: &Context<'_>, input: ChannelCreateInput) -> Result<ChannelCreatePayload> {
        let op = Op::of(ctx);
        let settings = channel::Settings {
            title: Some(input.title),
            reference: input.reference.map(Some),
            metadata: input.metadata.map(|metadata| metadata.0),
            latency_mode: input.latency_mode.map(Latency::from),
            ladder: input.ladder.map(Policy::from),
            reconnect_window_s: input.reconnect_window_s.map(i64::from),
            bitrate_max_bps: input.bitrate_max_bps.map(|bps| Some(bps.0)),
            recording: input.recording.map(Recording::from),
            disabled: None,
        };
        let made = async {
            let (channel, key_id, secret) = channel::create_for(op, settings).await?;
            // Who may create a key may be a token that may not look at keys.
            let key = match op.require(Action::StreamKeyRead) {
                Ok(_) => crate::stream_key::by_id(op, key_id).await?,
                Err(_) => None,
            };
            Ok((channel, key, secret))
        };
        settle(op, made.await, |(channel, key, secret)| {
            ChannelCreatePayload::done(Channel(channel), key.map(StreamKey), secret.expose().to_owned())
        })
    }

    /// Changes a channel's settings; a broadcast on air keeps those that it began with. Needs CHANNEL_WRITE.
    async fn channel_update(&self, ctx: &Context<'_>, input: ChannelUpdateInput) -> Result<ChannelUpdatePayload> {
        let op = Op::of(ctx);
        op.require(Action::ChannelWrite)?;
        let settings = channel::Settings {
            title: input.title,
            reference: maybe(input.reference),
            metadata: input.metadata.map(|metadata| metadata.0),
            latency_mode: input.latency_mode.map(Latency::from),
            ladder: input.ladder.map(Policy::from),
            reconnect_window_s: input.reconnect_window_s.map(i64::from),
            bitrate_max_bps: maybe(input.bitrate_max_bps).map(|bps| bps.map(|bps| bps.0)),
            recording: input.recording.map(Recording::from),
            disabled: input.disabled,
        };
        let changed = async {
            let id = wanted(&input.id, "id", "channel")?;
            channel::update(op, id, input.expected_version, settings).await
        };
        settle(op, changed.await, |channel| {
            ChannelUpdatePayload::done(Channel(channel))
        })
    }

    /// Deletes a channel: its keys and playback ids stop working, its replays stay. Refused with STATE while it is on air.
    /// Needs CHANNEL_WRITE.
    async fn channel_delete(&self, ctx: &Context<'_>, input: ChannelDeleteInput) -> Result<ChannelDeletePayload> {
        let op = Op::of(ctx);
        op.require(Action::ChannelWrite)?;
        let done = async { channel::delete(op, wanted(&input.id, "id", "channel")?).await };
        settle(op, done.await, |()| ChannelDeletePayload::done(input.id.clone()))
    }
}

/// Not given, or emptied, or a value.
pub(super) fn maybe<T>(given: MaybeUndefined<T>) -> Option<Option<T>> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
