//! Playback tokens that are made here, in the schema.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use headwater_model::{PlaybackId, SigningKeyId};

use super::common::{Instant, payload, settle, wanted};
use super::playback_id::PlaybackUrls;
use crate::access::Action;
use crate::op::Op;
use crate::playback_token::mint::{self, Minted, Wish};

/// A token to make. What each member means: docs/playback-tokens.md.
#[derive(InputObject)]
pub struct PlaybackTokenCreateInput {
    /// Of a channel or of a replay.
    playback_id: ID,
    /// A managed key. Without it the newest one signs; where there is none, one is made, which needs SIGNING_KEY_WRITE.
    signing_key_id: Option<ID>,
    /// Seconds from now, 60 to 2,592,000 (30 days).
    #[graphql(default = 3600)]
    expires_in_s: i32,
    not_before: Option<Instant>,
    /// `jti`, 1 to 200 characters; made up where it is not given.
    token_id: Option<String>,
    /// `viewer_id`, 1 to 200 characters.
    viewer_id: Option<String>,
    /// Begins one playback, whoever brings it first.
    #[graphql(default)]
    single_use: bool,
    /// For the MP4 download as well.
    #[graphql(default)]
    downloadable: bool,
    /// ISO 3166-1 with two letters, up to 30.
    countries: Option<Vec<String>>,
    /// Origins of pages, such as https://example.com, up to 10.
    origins: Option<Vec<String>>,
    /// Networks or addresses, such as 203.0.113.0/24, up to 10.
    ips: Option<Vec<String>>,
}

/// A token that was made. It is shown this once and kept nowhere.
#[derive(SimpleObject)]
pub struct PlaybackToken {
    token: String,
    /// `jti`: by it the token can be revoked.
    token_id: String,
    signing_key_id: ID,
    playback_id: ID,
    expires_at: Instant,
    /// Ready to use. The page of the player takes the token behind a #, which browsers send to nobody.
    urls: PlaybackUrls,
    /// MP4, once the replay is ready; null where the token does not allow it, or leads to a channel.
    download_url: Option<String>,
}

payload!(
    /// A token was made.
    PlaybackTokenCreatePayload {
        playback_token: Option<PlaybackToken>,
    }
);

/// What can be done about playback tokens, revoking aside.
#[derive(Default)]
pub struct PlaybackTokenMutation;

#[Object]
impl PlaybackTokenMutation {
    /// Makes a playback token with a managed signing key, for development and for servers without a library for tokens. The
    /// audit log keeps what it says, and not the token. Needs PLAYBACK_TOKEN_CREATE.
    async fn playback_token_create(
        &self,
        ctx: &Context<'_>,
        input: PlaybackTokenCreateInput,
    ) -> Result<PlaybackTokenCreatePayload> {
        let op = Op::of(ctx);
        op.require(Action::PlaybackTokenCreate)?;
        let playback_id = input.playback_id.clone();
        let made = async {
            let playback: PlaybackId = wanted(&input.playback_id, "playbackId", "playback id")?;
            let key = input.signing_key_id.as_ref();
            let key = key.map(|id| wanted::<SigningKeyId>(id, "signingKeyId", "signing key"));
            let wish = Wish {
                signing_key_id: key.transpose()?,
                expires_in_s: input.expires_in_s,
                not_before: input.not_before.map(|at| at.0),
                token_id: input.token_id,
                viewer_id: input.viewer_id,
                single_use: input.single_use,
                downloadable: input.downloadable,
                countries: input.countries,
                origins: input.origins,
                ips: input.ips,
            };
            mint::mint(op, playback, wish).await
        };
        settle(op, made.await, |made| {
            PlaybackTokenCreatePayload::done(shown(op, playback_id, made))
        })
    }
}

fn shown(op: &Op, playback_id: ID, made: Minted) -> PlaybackToken {
    let (urls, token) = (&op.services().urls, &made.token);
    let broadcast = made.broadcast_id.filter(|_| made.downloadable);
    PlaybackToken {
        urls: PlaybackUrls::of(urls, &playback_id, Some(token)),
        download_url: broadcast
            .map(|id| urls.playback(&format!("{}/{id}/download.mp4?token={token}", playback_id.as_str()))),
        token_id: made.token_id,
        signing_key_id: ID(made.signing_key_id),
        playback_id,
        expires_at: Instant(made.expires_at),
        token: made.token,
    }
}
