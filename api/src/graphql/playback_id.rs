//! Playback ids in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::asset::Asset;
use super::channel::Channel;
use super::common::{Instant, found, payload, settle, wanted};
use super::loaders::{self, ChannelBy};
use crate::access::Action;
use crate::op::Op;
use crate::{asset, playback_id};

/// Who may watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum PlaybackPolicy {
    /// Everybody who has the address.
    Public,
    /// Who brings a token that one of your signing keys signed.
    Signed,
}

impl PlaybackPolicy {
    pub(in crate::graphql) fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Signed => "signed",
        }
    }

    /// Anything but `public` is signed.
    pub(in crate::graphql) fn of_word(word: &str) -> Self {
        match word {
            "public" => Self::Public,
            _ => Self::Signed,
        }
    }
}

/// Where something plays.
#[derive(SimpleObject)]
pub struct PlaybackUrls {
    /// HLS and LL-HLS.
    hls: String,
    /// DASH.
    dash: String,
    /// A page with a player, for an iframe.
    embed: String,
    /// JPEG of what is on air, or of the replay: 640 pixels wide, or as `?width=` says (320, 640, 1280); never larger than the
    /// smallest rendition.
    thumbnail: String,
}

impl PlaybackUrls {
    /// The addresses of a playback id, with a token where there is one.
    pub(in crate::graphql) fn of(urls: &crate::Urls, id: &str, token: Option<&str>) -> Self {
        let (query, fragment) = token.map_or_else(Default::default, |token| {
            (format!("?token={token}"), format!("#token={token}"))
        });
        Self {
            hls: urls.playback(&format!("{id}/main.m3u8{query}")),
            dash: urls.playback(&format!("{id}/manifest.mpd{query}")),
            embed: urls.playback(&format!("embed/{id}{fragment}")),
            thumbnail: urls.playback(&format!("{id}/thumbnail.jpg{query}")),
        }
    }
}

/// What public addresses carry in place of a tenant's or a channel's id.
pub enum PlaybackId {
    /// Leads to a channel.
    Channel(playback_id::Playback),
    /// Leads to a replay.
    Asset(Box<asset::Asset>),
}

impl PlaybackId {
    fn text(&self) -> &str {
        match self {
            Self::Channel(row) => &row.playback_id,
            Self::Asset(row) => &row.playback_id,
        }
    }
}

#[Object]
impl PlaybackId {
    pub async fn id(&self) -> ID {
        ID(self.text().to_owned())
    }
    /// Of a replay: its own, or else signed where every playback id of its channel is.
    async fn policy(&self) -> PlaybackPolicy {
        let word = match self {
            Self::Channel(row) => &row.policy,
            Self::Asset(row) => &row.policy,
        };
        PlaybackPolicy::of_word(word)
    }
    /// The channel it leads to: what is on air, or else the latest replay.
    async fn channel(&self, ctx: &Context<'_>) -> Result<Option<Channel>> {
        let Self::Channel(row) = self else { return Ok(None) };
        let found = loaders::of(ctx).load_one(ChannelBy(row.channel_id.clone())).await?;
        Ok(found.map(Channel))
    }
    /// The replay it leads to.
    async fn asset(&self) -> Option<Asset> {
        match self {
            Self::Channel(_) => None,
            Self::Asset(row) => Some(Asset((**row).clone())),
        }
    }
    async fn created_at(&self) -> Instant {
        match self {
            Self::Channel(row) => Instant(row.created_at),
            Self::Asset(row) => Instant(row.created_at),
        }
    }
    async fn urls(&self, ctx: &Context<'_>) -> PlaybackUrls {
        PlaybackUrls::of(&Op::of(ctx).services().urls, self.text(), None)
    }
}

/// Playback ids that can be asked for.
#[derive(Default)]
pub struct PlaybackIdQuery;

#[Object]
impl PlaybackIdQuery {
    /// A channel's playback id.
    async fn playback_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<PlaybackId>> {
        found!(ctx, ChannelRead, id, playback_id::by_id => PlaybackId::Channel)
    }
}

/// A playback id to make.
#[derive(InputObject)]
pub struct PlaybackIdCreateInput {
    channel_id: ID,
    #[graphql(default_with = "PlaybackPolicy::Public")]
    policy: PlaybackPolicy,
}

/// A playback id to delete.
#[derive(InputObject)]
pub struct PlaybackIdDeleteInput {
    id: ID,
}

payload!(
    /// A playback id was made.
    PlaybackIdCreatePayload {
        playback_id: Option<PlaybackId>,
    }
);
payload!(
    /// A playback id was deleted.
    PlaybackIdDeletePayload {
        deleted_id: Option<ID>,
    }
);

/// What can be done to playback ids.
#[derive(Default)]
pub struct PlaybackIdMutation;

#[Object]
impl PlaybackIdMutation {
    /// Gives a channel another public address, up to 20. Needs CHANNEL_WRITE.
    async fn playback_id_create(
        &self,
        ctx: &Context<'_>,
        input: PlaybackIdCreateInput,
    ) -> Result<PlaybackIdCreatePayload> {
        let op = Op::of(ctx);
        op.require(Action::ChannelWrite)?;
        let made = async {
            let channel = wanted(&input.channel_id, "channelId", "channel")?;
            playback_id::create(op, channel, input.policy.word()).await
        };
        settle(op, made.await, |made| {
            PlaybackIdCreatePayload::done(PlaybackId::Channel(made))
        })
    }

    /// Takes a public address of a channel away; a channel keeps at least one. Needs CHANNEL_WRITE.
    async fn playback_id_delete(
        &self,
        ctx: &Context<'_>,
        input: PlaybackIdDeleteInput,
    ) -> Result<PlaybackIdDeletePayload> {
        let op = Op::of(ctx);
        op.require(Action::ChannelWrite)?;
        let done = async { playback_id::delete(op, wanted(&input.id, "id", "playback id")?).await };
        settle(op, done.await, |id| PlaybackIdDeletePayload::done(ID(id)))
    }
}
