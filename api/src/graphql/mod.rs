//! The GraphQL schema. Each noun is a file that has its objects, its queries and its mutations; the resolvers are thin: read
//! the arguments, call the noun, wrap what it returns. [`schema`] puts them together, `api/schema.graphql` is what comes out.

#![allow(
    clippy::too_many_arguments,
    reason = "a connection has four arguments of its own, beside self and the context"
)]
#![allow(
    missing_docs,
    reason = "fields whose name says everything are documented by the schema as a whole"
)]

mod account;
mod api_token;
mod asset;
mod broadcast;
mod channel;
mod common;
pub mod document;
mod following;
mod health;
mod invitation;
mod link;
pub mod loaders;
mod member;
mod playback_id;
mod playback_token;
mod revocation;
mod second_factor;
mod signing_key;
mod stream_key;
mod subscription;
mod tenant;
mod webhook;

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, ID, Interface, MergedObject, Object, Result};

use crate::access::Action;
use crate::op::Op;
use loaders::{Load, Loaders};

/// Levels of a query at most. GraphiQL's own introspection has 13.
pub const DEPTH_MAX: usize = 15;
/// Fields of an answer at most, each counted as often as the page that it is in has rows.
pub const COMPLEXITY_MAX: usize = 20_000;
/// Nested selections that the parser follows at most.
const RECURSION_MAX: usize = 32;
/// Directives on one field at most.
const DIRECTIVES_MAX: usize = 8;

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Channel(channel::Channel),
    StreamKey(stream_key::StreamKey),
    PlaybackId(playback_id::PlaybackId),
    Broadcast(broadcast::Broadcast),
    Asset(asset::Asset),
    Tenant(tenant::Tenant),
    Member(member::Member),
    Invitation(invitation::Invitation),
    ApiToken(api_token::ApiToken),
    User(account::User),
    Session(account::Session),
    AuditEntry(tenant::AuditEntry),
    SigningKey(signing_key::SigningKey),
    WebhookEndpoint(webhook::WebhookEndpoint),
    WebhookEvent(webhook::WebhookEvent),
    WebhookDelivery(webhook::WebhookDelivery),
}

/// Returns what the first noun finds whose ids have the form of `$id`.
macro_rules! by_id {
    ($op:ident, $id:ident: $($find:path => $wrap:path,)+) => {
        $(if let Some(id) = common::parse(&$id) {
            return Ok($find($op, id).await?.map(|row| $wrap(row).into()));
        })+
    };
}

/// Any object by its id.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// A channel, stream key, broadcast, asset, playback id, member, invitation, API token, signing key, webhook endpoint, event,
    /// delivery, or the tenant, by its id.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        let op = Op::of(ctx);
        op.require(Action::TenantRead)?;
        by_id!(op, id:
            crate::channel::by_id => channel::Channel,
            crate::stream_key::by_id => stream_key::StreamKey,
            crate::broadcast::by_id => broadcast::Broadcast,
            crate::asset::by_id => asset::Asset,
            crate::playback_id::by_id => playback_id::PlaybackId::Channel,
            crate::member::by_id => member::Member,
            crate::invitation::by_id => invitation::Invitation,
            crate::api_token::by_id => api_token::ApiToken,
            crate::playback_token::key::by_id => signing_key::SigningKey,
            crate::webhook::endpoint::by_id => webhook::WebhookEndpoint,
            crate::webhook::event::by_id => webhook::WebhookEvent,
            crate::webhook::log::by_id => webhook::WebhookDelivery,
        );
        let tenant = crate::tenant::of_op(op).await?;
        Ok((tenant.tenant_id == id.0).then(|| tenant::Tenant(tenant).into()))
    }
}

#[derive(Default, MergedObject)]
pub struct Query(
    NodeQuery,
    account::AccountQuery,
    tenant::TenantQuery,
    invitation::InvitationQuery,
    channel::ChannelQuery,
    stream_key::StreamKeyQuery,
    playback_id::PlaybackIdQuery,
    broadcast::BroadcastQuery,
    asset::AssetQuery,
    signing_key::SigningKeyQuery,
    revocation::RevocationQuery,
    webhook::WebhookQuery,
);

#[derive(Default, MergedObject)]
pub struct Mutation(
    account::AccountMutation,
    link::LinkMutation,
    second_factor::SecondFactorMutation,
    tenant::TenantMutation,
    member::MemberMutation,
    invitation::InvitationMutation,
    api_token::ApiTokenMutation,
    channel::ChannelMutation,
    stream_key::StreamKeyMutation,
    broadcast::BroadcastMutation,
    playback_id::PlaybackIdMutation,
    asset::AssetMutation,
    signing_key::SigningKeyMutation,
    playback_token::PlaybackTokenMutation,
    webhook::WebhookMutation,
);

/// The schema, ready to execute.
pub type Schema = async_graphql::Schema<Query, Mutation, subscription::Subscription>;

/// Builds the schema with its limits.
pub fn schema() -> Schema {
    let builder = Schema::build(Query::default(), Mutation::default(), subscription::Subscription);
    builder
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_recursive_depth(RECURSION_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .finish()
}

/// The loaders of one operation.
pub fn loaders(op: Op) -> Loaders {
    DataLoader::new(Load(op), tokio::spawn)
}

/// The text of the schema, as it is checked in.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    schema().sdl_with_options(options)
}

#[cfg(test)]
mod tests;
