//! API tokens in the schema.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::common::{Instant, payload, settle, wanted};
use super::member::{MemberUser, person};
use crate::access::{Action, Environment};
use crate::api_token;
use crate::op::Op;

/// A program's right to act for the tenant in one environment.
pub struct ApiToken(pub api_token::ApiToken);

#[Object]
impl ApiToken {
    pub async fn id(&self) -> ID {
        ID(self.0.api_token_id.clone())
    }
    async fn name(&self) -> &str {
        &self.0.name
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    /// The secret with all but its last characters left out.
    async fn hint(&self) -> String {
        format!("hw_{}_…{}", self.0.environment, self.0.hint)
    }
    async fn actions(&self) -> Vec<Action> {
        self.0.actions.iter().filter_map(|word| Action::of_word(word)).collect()
    }
    /// Null when it was made by another token, or by somebody who has left.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<MemberUser>> {
        person(ctx, self.0.created_by.as_ref()).await
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    /// To the minute.
    async fn last_used_at(&self) -> Option<Instant> {
        self.0.last_used_at.map(Instant)
    }
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant)
    }
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant)
    }
}

/// A token to make.
#[derive(InputObject)]
pub struct ApiTokenCreateInput {
    /// 1 to 200 characters.
    name: String,
    environment: Environment,
    /// Nothing that you may not do yourself.
    actions: Vec<Action>,
    /// From when on it lets nobody in.
    expires_at: Option<Instant>,
}
/// A token to revoke.
#[derive(InputObject)]
pub struct ApiTokenRevokeInput {
    id: ID,
}

payload!(
    /// A token was made.
    ApiTokenCreatePayload {
        api_token: Option<ApiToken>,
        /// Shown this once.
        secret: Option<String>,
    }
);
payload!(
    /// A token was revoked.
    ApiTokenRevokePayload {
        api_token: Option<ApiToken>,
    }
);

/// What can be done to API tokens.
#[derive(Default)]
pub struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// Makes a token. Needs TOKEN_WRITE, and every action that is handed out.
    async fn api_token_create(&self, ctx: &Context<'_>, input: ApiTokenCreateInput) -> Result<ApiTokenCreatePayload> {
        let op = Op::of(ctx);
        let new = api_token::New {
            name: input.name,
            environment: input.environment,
            actions: input.actions,
            expires_at: input.expires_at.map(|at| at.0),
        };
        settle(op, api_token::create(op, new).await, |(token, secret)| {
            ApiTokenCreatePayload::done(ApiToken(token), secret)
        })
    }

    /// Ends a token. Needs TOKEN_WRITE.
    async fn api_token_revoke(&self, ctx: &Context<'_>, input: ApiTokenRevokeInput) -> Result<ApiTokenRevokePayload> {
        let op = Op::of(ctx);
        op.require(Action::TokenWrite)?;
        let ended = async { api_token::revoke(op, wanted(&input.id, "id", "API token")?).await };
        settle(op, ended.await, |token| ApiTokenRevokePayload::done(ApiToken(token)))
    }
}
