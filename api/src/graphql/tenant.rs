//! Tenants, their members, tokens and audit log in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, Result, SimpleObject};
use headwater_model::MemberId;
use serde_json::Value;

use super::common::{
    Counted, IngestAddresses, Instant, Uncounted, counted, counts, ingest, page_cost, payload, settle, uncounted,
    wanted,
};
use super::loaders::{self, PersonBy};
use crate::access::{Action, Environment, Role};
use crate::op::{Actor, Op};
use crate::page::Page;
use crate::{api_token, audit, invitation, member, tenant};

/// As much of a tenant as its members see from outside it.
#[derive(SimpleObject)]
pub struct TenantSummary {
    pub(super) id: ID,
    /// Its short name in addresses.
    pub(super) slug: String,
    pub(super) name: String,
}

impl From<tenant::Summary> for TenantSummary {
    fn from(tenant: tenant::Summary) -> Self {
        Self {
            id: ID(tenant.id.into()),
            slug: tenant.slug,
            name: tenant.name,
        }
    }
}

/// A paying account: everything belongs to one.
pub struct Tenant(pub tenant::Settings);

#[Object]
impl Tenant {
    pub async fn id(&self) -> ID {
        ID(self.0.tenant_id.clone())
    }
    /// Its short name in addresses.
    async fn slug(&self) -> &str {
        &self.0.slug
    }
    async fn name(&self) -> &str {
        &self.0.name
    }
    /// Since when nobody may publish.
    async fn suspended_at(&self) -> Option<Instant> {
        self.0.suspended_at.map(Instant)
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    /// Goes up by one with every change; pass it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
    /// Where encoders push.
    async fn ingest(&self, ctx: &Context<'_>) -> IngestAddresses {
        ingest(ctx)
    }
    /// Needs MEMBER_READ.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<MemberFilter>,
    ) -> Result<Counted<Member>> {
        let page = Page::new(first, after, last, before)?;
        let filter = filter.unwrap_or_default();
        let search = filter
            .search
            .as_deref()
            .map(str::trim)
            .filter(|search| !search.is_empty());
        let paged = member::list(Op::of(ctx), search, filter.role, &page, counts(ctx)).await?;
        Ok(counted(paged, Member))
    }
    /// Open ones. Needs MEMBER_READ.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Counted<Invitation>> {
        let page = Page::new(first, after, last, before)?;
        let paged = invitation::list(Op::of(ctx), &page, counts(ctx)).await?;
        Ok(counted(paged, Invitation))
    }
    /// Of both environments, revoked ones too. Needs TOKEN_READ.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Counted<ApiToken>> {
        let page = Page::new(first, after, last, before)?;
        let paged = api_token::list(Op::of(ctx), &page, counts(ctx)).await?;
        Ok(counted(paged, ApiToken))
    }
    /// Who changed what, newest first. Needs AUDIT_READ.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<AuditFilter>,
    ) -> Result<Uncounted<AuditEntry>> {
        let page = Page::new(first, after, last, before)?;
        let filter = filter.unwrap_or_default();
        let filter = audit::Filter {
            action: filter.action,
            subject_id: filter.subject_id.map(|id| id.0),
            actor_id: filter.actor_id.map(|id| id.0),
            since: filter.since.map(|at| at.0),
            until: filter.until.map(|at| at.0),
        };
        let paged = audit::list(Op::of(ctx), filter, &page).await?;
        Ok(uncounted(paged, AuditEntry))
    }
}

/// Name and address of somebody in the same tenant.
#[derive(SimpleObject)]
pub struct MemberUser {
    id: ID,
    name: String,
    email: String,
}

impl From<&member::Member> for MemberUser {
    fn from(member: &member::Member) -> Self {
        Self {
            id: ID(member.user_id.clone()),
            name: member.name.clone(),
            email: member.email.clone(),
        }
    }
}

/// Somebody of this id, if they still belong to the tenant and the caller may see members.
async fn person(ctx: &Context<'_>, id: Option<&String>) -> Result<Option<MemberUser>> {
    let (Some(id), Ok(_)) = (id, Op::of(ctx).require(Action::MemberRead)) else {
        return Ok(None);
    };
    let found = loaders::of(ctx).load_one(PersonBy(id.clone())).await?;
    Ok(found.as_ref().map(MemberUser::from))
}

/// A person in a tenant.
pub struct Member(pub member::Member);

#[Object]
impl Member {
    pub async fn id(&self) -> ID {
        ID(self.0.member_id.clone())
    }
    async fn user(&self) -> MemberUser {
        MemberUser::from(&self.0)
    }
    async fn role(&self) -> Role {
        self.0.role.parse().unwrap_or(Role::Billing)
    }
    async fn joined_at(&self) -> Instant {
        Instant(self.0.joined_at)
    }
    /// The person who asks.
    async fn is_me(&self, ctx: &Context<'_>) -> bool {
        matches!(Op::of(ctx).actor(), Actor::User { user_id, .. } if user_id.as_str() == self.0.user_id)
    }
}

/// Which members.
#[derive(Default, InputObject)]
pub struct MemberFilter {
    /// In name or address.
    search: Option<String>,
    role: Option<Role>,
}

/// A place in a tenant that is offered to an e-mail address.
pub struct Invitation(pub invitation::Invitation);

#[Object]
impl Invitation {
    pub async fn id(&self) -> ID {
        ID(self.0.invitation_id.clone())
    }
    async fn email(&self) -> &str {
        &self.0.email
    }
    async fn role(&self) -> Role {
        self.0.role.parse().unwrap_or(Role::Billing)
    }
    /// Null when they have left.
    async fn invited_by(&self, ctx: &Context<'_>) -> Result<Option<MemberUser>> {
        person(ctx, self.0.invited_by.as_ref()).await
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    async fn expires_at(&self) -> Instant {
        Instant(self.0.expires_at)
    }
}

/// What the secret of an invitation leads to.
#[derive(SimpleObject)]
pub struct InvitationPreview {
    tenant_name: String,
    /// Whom it is for.
    email: String,
    role: Role,
    expires_at: Instant,
}

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

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ActorKind {
    /// A person.
    User,
    /// A program.
    ApiToken,
    /// Whoever runs the service.
    Operator,
    /// The service itself.
    System,
}

/// A line of the audit log.
pub struct AuditEntry(pub audit::Entry);

#[Object]
impl AuditEntry {
    pub async fn id(&self) -> ID {
        ID(self.0.audit_id.clone())
    }
    async fn at(&self) -> Instant {
        Instant(self.0.at)
    }
    async fn actor_kind(&self) -> ActorKind {
        match self.0.actor_kind.as_str() {
            "user" => ActorKind::User,
            "api_token" => ActorKind::ApiToken,
            "operator" => ActorKind::Operator,
            _ => ActorKind::System,
        }
    }
    /// As it was called then.
    async fn actor_name(&self) -> &str {
        &self.0.actor_name
    }
    async fn actor_id(&self) -> Option<ID> {
        self.0.actor_id.clone().map(ID)
    }
    /// Such as `channel.update`.
    async fn action(&self) -> &str {
        &self.0.action
    }
    async fn subject_id(&self) -> ID {
        ID(self.0.subject_id.clone())
    }
    /// As it was called then.
    async fn subject_name(&self) -> &str {
        &self.0.subject_name
    }
    async fn before(&self) -> Option<Json<Value>> {
        self.0.before.clone().map(Json)
    }
    async fn after(&self) -> Option<Json<Value>> {
        self.0.after.clone().map(Json)
    }
    async fn ip_address(&self) -> Option<&str> {
        self.0.ip_address.as_deref()
    }
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }
    async fn environment(&self) -> Environment {
        self.0.environment.parse().unwrap_or_default()
    }
    async fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }
}

/// Which lines of the audit log.
#[derive(Default, InputObject)]
pub struct AuditFilter {
    /// Such as `channel.update`.
    action: Option<String>,
    subject_id: Option<ID>,
    actor_id: Option<ID>,
    /// Not before.
    since: Option<Instant>,
    /// Before.
    until: Option<Instant>,
}

/// What can be asked of the tenant.
#[derive(Default)]
pub struct TenantQuery;

#[Object]
impl TenantQuery {
    /// The tenant of the token, or the one chosen with the header Headwater-Tenant.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<Tenant> {
        Ok(Tenant(tenant::of_op(Op::of(ctx)).await?))
    }
    /// What an invitation's secret leads to; null when it is not good any more.
    async fn invitation_preview(&self, ctx: &Context<'_>, secret: String) -> Result<Option<InvitationPreview>> {
        let found = invitation::preview(Op::of(ctx), &secret).await?;
        Ok(found.map(|preview| InvitationPreview {
            role: preview.role.parse().unwrap_or(Role::Billing),
            tenant_name: preview.tenant_name,
            email: preview.email,
            expires_at: Instant(preview.expires_at),
        }))
    }
}

/// A tenant to make.
#[derive(InputObject)]
pub struct TenantCreateInput {
    /// 1 to 200 characters.
    name: String,
}
/// A change of the tenant: what is left out stays as it is.
#[derive(InputObject)]
pub struct TenantUpdateInput {
    /// The version that you have read; STALE when the tenant has moved on.
    expected_version: i32,
    name: Option<String>,
    /// 1 to 63 of a to z, 0 to 9 and hyphens inside.
    slug: Option<String>,
}
/// A member's new role.
#[derive(InputObject)]
pub struct MemberUpdateInput {
    id: ID,
    role: Role,
}
/// A member to remove.
#[derive(InputObject)]
pub struct MemberRemoveInput {
    id: ID,
}
/// Whom to invite.
#[derive(InputObject)]
pub struct InvitationCreateInput {
    email: String,
    role: Role,
}
/// An invitation to take back.
#[derive(InputObject)]
pub struct InvitationRevokeInput {
    id: ID,
}
/// An invitation to accept.
#[derive(InputObject)]
pub struct InvitationAcceptInput {
    #[graphql(secret)]
    secret: String,
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
    /// A tenant was made.
    TenantCreatePayload {
        tenant: Option<TenantSummary>,
    }
);
payload!(
    /// The tenant was changed.
    TenantUpdatePayload {
        tenant: Option<Tenant>,
    }
);
payload!(
    /// A member's role was changed.
    MemberUpdatePayload {
        member: Option<Member>,
    }
);
payload!(
    /// A member was removed.
    MemberRemovePayload {
        removed_id: Option<ID>,
    }
);
payload!(
    /// Somebody was invited.
    InvitationCreatePayload {
        invitation: Option<Invitation>,
        /// Shown this once: it makes the link to hand over.
        secret: Option<String>,
    }
);
payload!(
    /// An invitation was taken back.
    InvitationRevokePayload {
        revoked_id: Option<ID>,
    }
);
payload!(
    /// An invitation was accepted.
    InvitationAcceptPayload {
        tenant: Option<TenantSummary>,
    }
);
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

/// What can be done to tenants, members and tokens.
#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Makes another tenant, owned by the signed-in person.
    async fn tenant_create(&self, ctx: &Context<'_>, input: TenantCreateInput) -> Result<TenantCreatePayload> {
        let op = Op::of(ctx);
        settle(op, tenant::create_for(op, &input.name).await, |tenant| {
            TenantCreatePayload {
                tenant: Some(tenant.into()),
                user_errors: Vec::new(),
            }
        })
    }

    /// Changes name or slug. Needs TENANT_WRITE.
    async fn tenant_update(&self, ctx: &Context<'_>, input: TenantUpdateInput) -> Result<TenantUpdatePayload> {
        let op = Op::of(ctx);
        let changed = tenant::update(op, input.expected_version, input.name.as_deref(), input.slug.as_deref());
        settle(op, changed.await, |tenant| TenantUpdatePayload {
            tenant: Some(Tenant(tenant)),
            user_errors: Vec::new(),
        })
    }

    /// Gives a member another role. Needs MEMBER_WRITE; only owners make, change and remove owners.
    async fn member_update(&self, ctx: &Context<'_>, input: MemberUpdateInput) -> Result<MemberUpdatePayload> {
        let op = Op::of(ctx);
        op.require(Action::MemberWrite)?;
        let changed = async { member::update(op, wanted(&input.id, "id", "member")?, input.role).await };
        settle(op, changed.await, |member| MemberUpdatePayload {
            member: Some(Member(member)),
            user_errors: Vec::new(),
        })
    }

    /// Takes a member out of the tenant. Needs MEMBER_WRITE, but everybody may leave.
    async fn member_remove(&self, ctx: &Context<'_>, input: MemberRemoveInput) -> Result<MemberRemovePayload> {
        let op = Op::of(ctx);
        op.require(Action::TenantRead)?;
        op.user()?;
        let done = async {
            let id: MemberId = wanted(&input.id, "id", "member")?;
            member::remove(op, id).await
        };
        settle(op, done.await, |id| MemberRemovePayload {
            removed_id: Some(ID(id)),
            user_errors: Vec::new(),
        })
    }

    /// Offers a place in the tenant for seven days. Needs MEMBER_WRITE.
    async fn invitation_create(
        &self,
        ctx: &Context<'_>,
        input: InvitationCreateInput,
    ) -> Result<InvitationCreatePayload> {
        let op = Op::of(ctx);
        settle(
            op,
            invitation::create(op, &input.email, input.role).await,
            |(made, secret)| InvitationCreatePayload {
                invitation: Some(Invitation(made)),
                secret: Some(secret),
                user_errors: Vec::new(),
            },
        )
    }

    /// Takes an offer back. Needs MEMBER_WRITE.
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        input: InvitationRevokeInput,
    ) -> Result<InvitationRevokePayload> {
        let op = Op::of(ctx);
        op.require(Action::MemberWrite)?;
        let done = async { invitation::revoke(op, wanted(&input.id, "id", "invitation")?).await };
        settle(op, done.await, |id| InvitationRevokePayload {
            revoked_id: Some(ID(id)),
            user_errors: Vec::new(),
        })
    }

    /// Makes the signed-in person, whose address must be the invited one, a member.
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        input: InvitationAcceptInput,
    ) -> Result<InvitationAcceptPayload> {
        let op = Op::of(ctx);
        settle(op, invitation::accept(op, &input.secret).await, |tenant| {
            InvitationAcceptPayload {
                tenant: Some(tenant.into()),
                user_errors: Vec::new(),
            }
        })
    }

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
            ApiTokenCreatePayload {
                api_token: Some(ApiToken(token)),
                secret: Some(secret),
                user_errors: Vec::new(),
            }
        })
    }

    /// Ends a token. Needs TOKEN_WRITE.
    async fn api_token_revoke(&self, ctx: &Context<'_>, input: ApiTokenRevokeInput) -> Result<ApiTokenRevokePayload> {
        let op = Op::of(ctx);
        op.require(Action::TokenWrite)?;
        let ended = async { api_token::revoke(op, wanted(&input.id, "id", "API token")?).await };
        settle(op, ended.await, |token| ApiTokenRevokePayload {
            api_token: Some(ApiToken(token)),
            user_errors: Vec::new(),
        })
    }
}
