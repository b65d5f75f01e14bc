//! Members in the schema.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use headwater_model::MemberId;

use super::common::{Instant, payload, settle, wanted};
use super::loaders::{self, PersonBy};
use crate::access::{Action, Role};
use crate::member;
use crate::op::{Actor, Op};
use crate::page::words;

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
pub(super) async fn person(ctx: &Context<'_>, id: Option<&String>) -> Result<Option<MemberUser>> {
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
    pub(super) role: Option<Role>,
}

impl MemberFilter {
    pub(super) fn words(&self) -> Option<&str> {
        words(self.search.as_deref())
    }
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
/// What can be done to members.
#[derive(Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Gives a member another role. Needs MEMBER_WRITE; only owners make, change and remove owners.
    async fn member_update(&self, ctx: &Context<'_>, input: MemberUpdateInput) -> Result<MemberUpdatePayload> {
        let op = Op::of(ctx);
        op.require(Action::MemberWrite)?;
        let changed = async { member::update(op, wanted(&input.id, "id", "member")?, input.role).await };
        settle(op, changed.await, |member| MemberUpdatePayload::done(Member(member)))
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
        settle(op, done.await, |id| MemberRemovePayload::done(ID(id)))
    }
}
