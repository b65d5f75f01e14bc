//! Stream keys in the schema.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Result};

use super::channel::{Channel, maybe};
use super::common::{Instant, found, payload, settle, wanted};
use super::loaders::{self, ChannelBy};
use crate::access::Action;
use crate::op::Op;
use crate::stream_key;

/// Whether a key lets a publisher in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum StreamKeyState {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// Its owner took it back.
    Revoked,
}

/// A secret that lets a publisher into one channel; the secret itself is shown once, when it is made.
pub struct StreamKey(pub stream_key::Key);

#[Object]
impl StreamKey {
    pub async fn id(&self) -> ID {
        ID(self.0.stream_key_id.clone())
    }
    async fn channel(&self, ctx: &Context<'_>) -> Result<Option<Channel>> {
        Op::of(ctx).require(Action::ChannelRead)?;
        let found = loaders::of(ctx).load_one(ChannelBy(self.0.channel_id.clone())).await?;
        Ok(found.map(Channel))
    }
    /// Your words for it.
    async fn label(&self) -> &str {
        &self.0.label
    }
    /// The last characters of the secret, by which to tell keys apart.
    async fn hint(&self) -> String {
        format!("sk_…{}", self.0.hint)
    }
    async fn state(&self) -> StreamKeyState {
        let expired = self.0.expires_at.is_some_and(|at| at <= chrono::Utc::now());
        match (self.0.revoked_at, expired) {
            (Some(_), _) => StreamKeyState::Revoked,
            (None, true) => StreamKeyState::Expired,
            (None, false) => StreamKeyState::Active,
        }
    }
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant)
    }
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant)
    }
    /// When it last let a publisher in or on, to the minute.
    async fn last_used_at(&self) -> Option<Instant> {
        self.0.last_used_at.map(Instant)
    }
    /// A publisher sends with it now.
    async fn in_use(&self) -> bool {
        self.0.in_use
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
}

/// Stream keys that can be asked for.
#[derive(Default)]
pub struct StreamKeyQuery;

#[Object]
impl StreamKeyQuery {
    async fn stream_key(&self, ctx: &Context<'_>, id: ID) -> Result<Option<StreamKey>> {
        found!(ctx, StreamKeyRead, id, stream_key::by_id => StreamKey)
    }
}

/// A key to make.
#[derive(InputObject)]
pub struct StreamKeyCreateInput {
    channel_id: ID,
    /// At most 200 characters.
    #[graphql(default)]
    label: String,
    /// From when on it lets nobody in.
    expires_at: Option<Instant>,
}

/// A change of a key: what is left out stays as it is.
#[derive(InputObject)]
pub struct StreamKeyUpdateInput {
    id: ID,
    label: Option<String>,
    /// Null takes it away.
    expires_at: MaybeUndefined<Instant>,
}

/// A key to replace.
#[derive(InputObject)]
pub struct StreamKeyRotateInput {
    id: ID,
    /// How long the old key goes on working, seconds, 0 to 2,592,000.
    #[graphql(default = 86400)]
    overlap_s: i32,
    /// Of the new key; the old key's where left out.
    label: Option<String>,
}

/// A key to revoke.
#[derive(InputObject)]
pub struct StreamKeyRevokeInput {
    id: ID,
}

payload!(
    /// A key was made.
    StreamKeyCreatePayload {
        stream_key: Option<StreamKey>,
        /// Shown this once.
        secret: Option<String>,
    }
);
payload!(
    /// A key was changed.
    StreamKeyUpdatePayload {
        stream_key: Option<StreamKey>,
    }
);
payload!(
    /// A key was replaced.
    StreamKeyRotatePayload {
        /// The new key.
        stream_key: Option<StreamKey>,
        /// The new key's secret, shown this once.
        secret: Option<String>,
        /// The old key.
        previous: Option<StreamKey>,
    }
);
payload!(
    /// A key was revoked.
    StreamKeyRevokePayload {
        stream_key: Option<StreamKey>,
    }
);

/// What can be done to stream keys.
#[derive(Default)]
pub struct StreamKeyMutation;

#[Object]
impl StreamKeyMutation {
    /// Adds a key to a channel; any number up to 50 work side by side. Needs STREAM_KEY_WRITE.
    async fn stream_key_create(
        &self,
        ctx: &Context<'_>,
        input: StreamKeyCreateInput,
    ) -> Result<StreamKeyCreatePayload> {
        let op = Op::of(ctx);
        op.require(Action::StreamKeyWrite)?;
        let made = async {
            let channel = wanted(&input.channel_id, "channelId", "channel")?;
            stream_key::create_for(op, channel, &input.label, input.expires_at.map(|at| at.0)).await
        };
        settle(op, made.await, |(key, secret)| {
            StreamKeyCreatePayload::done(StreamKey(key), secret.expose().to_owned())
        })
    }

    /// Changes a key's label or expiry. Needs STREAM_KEY_WRITE.
    async fn stream_key_update(
        &self,
        ctx: &Context<'_>,
        input: StreamKeyUpdateInput,
    ) -> Result<StreamKeyUpdatePayload> {
        let op = Op::of(ctx);
        op.require(Action::StreamKeyWrite)?;
        let changed = async {
            let id = wanted(&input.id, "id", "stream key")?;
            let expires_at = maybe(input.expires_at).map(|at| at.map(|at| at.0));
            stream_key::update(op, id, input.label.as_deref(), expires_at).await
        };
        settle(op, changed.await, |key| StreamKeyUpdatePayload::done(StreamKey(key)))
    }

    /// Makes a key that replaces another, which goes on working for a while. Needs STREAM_KEY_WRITE.
    async fn stream_key_rotate(
        &self,
        ctx: &Context<'_>,
        input: StreamKeyRotateInput,
    ) -> Result<StreamKeyRotatePayload> {
        let op = Op::of(ctx);
        op.require(Action::StreamKeyWrite)?;
        let rotated = async {
            let id = wanted(&input.id, "id", "stream key")?;
            stream_key::rotate(op, id, input.overlap_s.into(), input.label.as_deref()).await
        };
        settle(op, rotated.await, |(key, secret, previous)| {
            StreamKeyRotatePayload::done(StreamKey(key), secret.expose().to_owned(), StreamKey(previous))
        })
    }

    /// Ends a key: a publisher that sends with it is disconnected within a second. Needs STREAM_KEY_WRITE.
    async fn stream_key_revoke(
        &self,
        ctx: &Context<'_>,
        input: StreamKeyRevokeInput,
    ) -> Result<StreamKeyRevokePayload> {
        let op = Op::of(ctx);
        op.require(Action::StreamKeyWrite)?;
        let ended = async { stream_key::end(op, wanted(&input.id, "id", "stream key")?).await };
        settle(op, ended.await, |key| StreamKeyRevokePayload::done(StreamKey(key)))
    }
}
