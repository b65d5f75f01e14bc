//! Tenants and their audit log in the schema.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, Result, SimpleObject};
use serde_json::Value;

use super::api_token::ApiToken;
use super::common::{
    Counted, IngestAddresses, Instant, Uncounted, counted, counts, ingest, page_cost, payload, settle, uncounted,
};
use super::invitation::Invitation;
use super::member::{Member, MemberFilter};
use crate::access::Environment;
use crate::op::Op;
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
        let paged = member::list(Op::of(ctx), filter.words(), filter.role, &page, counts(ctx)).await?;
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
/// What can be done to tenants.
#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Makes another tenant, owned by the signed-in person.
    async fn tenant_create(&self, ctx: &Context<'_>, input: TenantCreateInput) -> Result<TenantCreatePayload> {
        let op = Op::of(ctx);
        settle(op, tenant::create_for(op, &input.name).await, |tenant| {
            TenantCreatePayload::done(TenantSummary::from(tenant))
        })
    }

    /// Changes name or slug. Needs TENANT_WRITE.
    async fn tenant_update(&self, ctx: &Context<'_>, input: TenantUpdateInput) -> Result<TenantUpdatePayload> {
        let op = Op::of(ctx);
        let changed = tenant::update(op, input.expected_version, input.name.as_deref(), input.slug.as_deref());
        settle(op, changed.await, |tenant| TenantUpdatePayload::done(Tenant(tenant)))
    }
}
