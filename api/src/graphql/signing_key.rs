//! Signing keys, and the revocation of playback tokens, in the schema.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::common::{Counted, Instant, counted, counts, found, page_cost, payload, settle, wanted};
use crate::access::{Action, Environment};
use crate::op::Op;
use crate::page::Page;
use crate::playback_token::key::{self, Algorithm};
use crate::playback_token::{Kind, revoke};

/// A key that you sign playback tokens with. The private half is not here.
pub struct SigningKey(pub key::SigningKey);

#[Object]
impl SigningKey {
    /// The `kid` of tokens.
    pub async fn id(&self) -> ID {
        ID(self.0.signing_key_id.clone())
    }
    async fn name(&self) -> &str {
        &self.0.name
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    async fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::of_word(&self.0.algorithm)
    }
    /// PEM.
    async fn public_key(&self) -> &str {
        &self.0.public_key
    }
    /// Made elsewhere and brought along.
    async fn imported(&self) -> bool {
        self.0.imported
    }
    /// The private half is kept here, sealed, for playbackTokenCreate.
    async fn managed(&self) -> bool {
        self.0.managed
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    /// Since when no token that it signed is good.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant)
    }
}

/// Signing keys that can be asked for.
#[derive(Default)]
pub struct SigningKeyQuery;

#[Object]
impl SigningKeyQuery {
    async fn signing_key(&self, ctx: &Context<'_>, id: ID) -> Result<Option<SigningKey>> {
        found!(ctx, SigningKeyRead, id, key::by_id => SigningKey)
    }

    /// The signing keys of the environment, newest first, revoked ones too.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn signing_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Counted<SigningKey>> {
        let page = Page::new(first, after, last, before)?;
        Ok(counted(key::list(Op::of(ctx), &page, counts(ctx)).await?, SigningKey))
    }
}

/// A pair to make.
#[derive(InputObject)]
pub struct SigningKeyCreateInput {
    /// 1 to 200 characters.
    name: String,
    #[graphql(default_with = "Algorithm::Es256")]
    algorithm: Algorithm,
    /// Keep the private half here, sealed, for playbackTokenCreate. It is not shown then.
    #[graphql(default)]
    managed: bool,
}

/// A public key to take.
#[derive(InputObject)]
pub struct SigningKeyImportInput {
    /// 1 to 200 characters.
    name: String,
    algorithm: Algorithm,
    /// PEM: -----BEGIN PUBLIC KEY-----
    public_key: String,
}

/// A key to end.
#[derive(InputObject)]
pub struct SigningKeyRevokeInput {
    id: ID,
}

/// A viewer to send away.
#[derive(InputObject)]
pub struct PlaybackViewerRevokeInput {
    /// `viewer_id` of the tokens.
    viewer_id: String,
}

/// A token to end.
#[derive(InputObject)]
pub struct PlaybackTokenRevokeInput {
    /// `jti` of the token.
    token_id: String,
}

payload!(
    /// A pair was made.
    SigningKeyCreatePayload {
        signing_key: Option<SigningKey>,
        /// The private half in PEM (PKCS #8), shown this once and kept nowhere; null for a managed key.
        private_key: Option<String>,
    }
);
payload!(
    /// A public key was taken.
    SigningKeyImportPayload {
        signing_key: Option<SigningKey>,
    }
);
payload!(
    /// A key was ended.
    SigningKeyRevokePayload {
        signing_key: Option<SigningKey>,
    }
);
payload!(
    /// A viewer was sent away.
    PlaybackViewerRevokePayload {
        viewer_id: Option<String>,
    }
);
payload!(
    /// A token was ended.
    PlaybackTokenRevokePayload {
        token_id: Option<String>,
    }
);

/// What can be done to signing keys and tokens.
#[derive(Default)]
pub struct SigningKeyMutation;

#[Object]
impl SigningKeyMutation {
    /// Makes a key to sign playback tokens with, up to 100. Needs SIGNING_KEY_WRITE.
    async fn signing_key_create(
        &self,
        ctx: &Context<'_>,
        input: SigningKeyCreateInput,
    ) -> Result<SigningKeyCreatePayload> {
        let op = Op::of(ctx);
        settle(
            op,
            key::create(op, &input.name, input.algorithm, input.managed).await,
            |(made, private)| SigningKeyCreatePayload::done(SigningKey(made), private),
        )
    }

    /// Takes the public half of a key that was made elsewhere. Needs SIGNING_KEY_WRITE.
    async fn signing_key_import(
        &self,
        ctx: &Context<'_>,
        input: SigningKeyImportInput,
    ) -> Result<SigningKeyImportPayload> {
        let op = Op::of(ctx);
        let taken = key::import(op, &input.name, input.algorithm, &input.public_key).await;
        settle(op, taken, |made| SigningKeyImportPayload::done(SigningKey(made)))
    }

    /// Ends a key: within a second, no token that it signed is good. Needs SIGNING_KEY_WRITE.
    async fn signing_key_revoke(
        &self,
        ctx: &Context<'_>,
        input: SigningKeyRevokeInput,
    ) -> Result<SigningKeyRevokePayload> {
        let op = Op::of(ctx);
        op.require(Action::SigningKeyWrite)?;
        let ended = async { key::revoke(op, wanted(&input.id, "id", "signing key")?).await };
        settle(op, ended.await, |key| SigningKeyRevokePayload::done(SigningKey(key)))
    }

    /// Sends a viewer away: within a second, none of their tokens issued before now is good. A token issued later is. Needs
    /// VIEWER_REVOKE.
    async fn playback_viewer_revoke(
        &self,
        ctx: &Context<'_>,
        input: PlaybackViewerRevokeInput,
    ) -> Result<PlaybackViewerRevokePayload> {
        let op = Op::of(ctx);
        settle(op, revoke(op, Kind::Viewer, "viewerId", &input.viewer_id).await, |()| {
            PlaybackViewerRevokePayload::done(input.viewer_id.trim().to_owned())
        })
    }

    /// Ends one token, within a second. Needs VIEWER_REVOKE.
    async fn playback_token_revoke(
        &self,
        ctx: &Context<'_>,
        input: PlaybackTokenRevokeInput,
    ) -> Result<PlaybackTokenRevokePayload> {
        let op = Op::of(ctx);
        settle(op, revoke(op, Kind::Token, "tokenId", &input.token_id).await, |()| {
            PlaybackTokenRevokePayload::done(input.token_id.trim().to_owned())
        })
    }
}
