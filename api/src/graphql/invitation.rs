//! Invitations in the schema.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::common::{Instant, payload, settle, wanted};
use super::member::{MemberUser, person};
use super::tenant::TenantSummary;
use crate::access::{Action, Role};
use crate::invitation;
use crate::op::Op;

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

/// What can be asked about an invitation.
#[derive(Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
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

/// Whom to invite.
#[derive(InputObject)]
pub struct InvitationCreateInput {
    email: String,
    role: Role,
}
/// An invitation to send again.
#[derive(InputObject)]
pub struct InvitationResendInput {
    id: ID,
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

payload!(
    /// Somebody was invited.
    InvitationCreatePayload {
        invitation: Option<Invitation>,
        /// Shown this once: it makes the link to hand over.
        secret: Option<String>,
        /// Whether the link is on its way by e-mail too.
        mailed: bool,
    }
);
payload!(
    /// An invitation has a new link.
    InvitationResendPayload {
        invitation: Option<Invitation>,
        /// Shown this once: it makes the link to hand over.
        secret: Option<String>,
        /// Whether the link is on its way by e-mail too.
        mailed: bool,
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
/// What can be done to invitations.
#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Offers a place in the tenant for seven days. Needs MEMBER_WRITE.
    async fn invitation_create(
        &self,
        ctx: &Context<'_>,
        input: InvitationCreateInput,
    ) -> Result<InvitationCreatePayload> {
        let op = Op::of(ctx);
        settle(op, invitation::create(op, &input.email, input.role).await, |made| {
            InvitationCreatePayload::done(Invitation(made.invitation), made.secret, made.mailed)
        })
    }

    /// Makes a new link for an open invitation, good for seven days, and sends it; the old link ends. Needs MEMBER_WRITE.
    async fn invitation_resend(
        &self,
        ctx: &Context<'_>,
        input: InvitationResendInput,
    ) -> Result<InvitationResendPayload> {
        let op = Op::of(ctx);
        op.require(Action::MemberWrite)?;
        let made = async { invitation::resend(op, wanted(&input.id, "id", "invitation")?).await };
        settle(op, made.await, |made| {
            InvitationResendPayload::done(Invitation(made.invitation), made.secret, made.mailed)
        })
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
        settle(op, done.await, |id| InvitationRevokePayload::done(ID(id)))
    }

    /// Makes the signed-in person, whose address must be the invited one, a member.
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        input: InvitationAcceptInput,
    ) -> Result<InvitationAcceptPayload> {
        let op = Op::of(ctx);
        settle(op, invitation::accept(op, &input.secret).await, |tenant| {
            InvitationAcceptPayload::done(TenantSummary::from(tenant))
        })
    }
}
