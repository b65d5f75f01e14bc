//! Members: people in a tenant, each in a role.

use chrono::{DateTime, Utc};
use headwater_model::{MemberId, TenantId, UserId};
use serde_json::json;
use sqlx::{FromRow, PgConnection, QueryBuilder};

use crate::access::{Action, Role};
use crate::audit;
use crate::database::word;
use crate::op::{Change, Op};
use crate::page::{Order, Page, Paged, containing, instant};
use crate::problem::{Answer, Code, Problem};

const SELECT: &str = "select m.member_id, m.user_id, m.role, m.joined_at, u.name, u.email \
                      from member m join user_account u on u.user_id = m.user_id where m.tenant_id = ";

/// A person in a tenant.
#[derive(Clone, Debug, FromRow)]
pub struct Member {
    /// Its id.
    pub member_id: String,
    /// Who.
    pub user_id: String,
    /// What they are there.
    pub role: String,
    /// Since when.
    pub joined_at: DateTime<Utc>,
    /// Of the person.
    pub name: String,
    /// Of the person.
    pub email: String,
}

/// Adds a person to a tenant; somebody who belongs to it already stays what they are.
pub(crate) async fn insert(on: &mut PgConnection, tenant: TenantId, user: UserId, role: Role) -> Answer<bool> {
    let done = sqlx::query(
        "insert into member (member_id, tenant_id, user_id, role) values ($1, $2, $3, $4) \
         on conflict on constraint member_once_key do nothing",
    )
    .bind(MemberId::random().as_str())
    .bind(tenant.as_str())
    .bind(user.as_str())
    .bind(role.as_str())
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The tenant's members, the last to join first. `search` looks into name and address.
pub async fn list(
    op: &Op,
    search: Option<&str>,
    role: Option<Role>,
    page: &Page,
    count: bool,
) -> Answer<Paged<Member>> {
    let place = op.require(Action::MemberRead)?;
    let mut tx = op.look(place).await?;
    let filtered = |start: &str| {
        let mut query = QueryBuilder::new(start);
        query.push_bind(place.tenant_id.to_string());
        if let Some(search) = search {
            let like = containing(search);
            query.push(" and (u.name ilike ").push_bind(like.clone());
            query.push(" or u.email ilike ").push_bind(like).push(")");
        }
        if let Some(role) = role {
            query.push(" and m.role = ").push_bind(role.as_str());
        }
        query
    };
    let total = match count {
        true => {
            let count =
                "select count(*) from member m join user_account u on u.user_id = m.user_id where m.tenant_id = ";
            filtered(count).build_query_scalar().fetch_one(&mut *tx).await?
        }
        false => 0,
    };
    let mut query = filtered(SELECT);
    let order = Order::newest("m.joined_at", "m.member_id");
    page.seek(&mut query, order);
    let rows: Vec<Member> = query.build_query_as().fetch_all(&mut *tx).await?;
    Ok(Paged::of(rows, page, total, |row| {
        (instant(row.joined_at), row.member_id.clone())
    }))
}

/// The people of these ids, as far as they belong to the tenant.
pub async fn by_users(op: &Op, users: &[String]) -> Answer<Vec<Member>> {
    let place = op.require(Action::MemberRead)?;
    let mut tx = op.look(place).await?;
    let mut query = QueryBuilder::new(SELECT);
    query.push_bind(place.tenant_id.to_string());
    query.push(" and m.user_id = any(").push_bind(users).push(")");
    Ok(query.build_query_as().fetch_all(&mut *tx).await?)
}

/// The tenant's member of this id.
pub async fn by_id(op: &Op, member: MemberId) -> Answer<Option<Member>> {
    let place = op.require(Action::MemberRead)?;
    let mut tx = op.look(place).await?;
    find(&mut tx, place.tenant_id, member).await
}

async fn find(on: &mut PgConnection, tenant: TenantId, member: MemberId) -> Answer<Option<Member>> {
    let mut query = QueryBuilder::new(SELECT);
    query.push_bind(tenant.to_string());
    query.push(" and m.member_id = ").push_bind(member.to_string());
    Ok(query.build_query_as().fetch_optional(on).await?)
}

/// Gives a member another role.
pub async fn update(op: &Op, member: MemberId, role: Role) -> Answer<Member> {
    let place = op.require(Action::MemberWrite)?;
    let mut change = op.change(place).await?;
    let found = touch(op, &mut change, member, role).await?;
    sqlx::query("update member set role = $3 where tenant_id = $1 and member_id = $2")
        .bind(place.tenant_id.as_str())
        .bind(member.as_str())
        .bind(role.as_str())
        .execute(change.on())
        .await?;
    change
        .record(audit::New {
            action: "member.update",
            subject_id: member.as_str(),
            subject_name: &found.name,
            before: Some(json!({ "role": found.role })),
            after: Some(json!({ "role": role.as_str() })),
        })
        .await?;
    change.commit().await?;
    Ok(Member {
        role: role.as_str().to_owned(),
        ..found
    })
}

/// Takes a member out of the tenant. Anybody may take themselves out; the last owner stays.
pub async fn remove(op: &Op, member: MemberId) -> Answer<String> {
    let user = op.user()?;
    let place = op.require(Action::TenantRead)?;
    let mut change = op.change(place).await?;
    let found = find(change.on(), place.tenant_id, member).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "member"))?;
    if found.user_id == user.as_str() {
        keep_an_owner(&mut change, &found).await?;
    } else {
        op.require(Action::MemberWrite)?;
        touch(op, &mut change, member, Role::Billing).await?;
    }
    sqlx::query("delete from member where tenant_id = $1 and member_id = $2")
        .bind(place.tenant_id.as_str())
        .bind(member.as_str())
        .execute(change.on())
        .await?;
    change
        .record(audit::New {
            action: "member.remove",
            subject_id: member.as_str(),
            subject_name: &found.name,
            before: Some(json!({ "role": found.role })),
            after: None,
        })
        .await?;
    change.commit().await?;
    Ok(found.member_id)
}

/// Finds the member and refuses what roles forbid.
async fn touch(op: &Op, change: &mut Change, member: MemberId, to: Role) -> Answer<Member> {
    let tenant = change.place().tenant_id;
    let found = find(change.on(), tenant, member).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "member"))?;
    let from: Role = word(found.role.parse())?;
    // A token acts with the reach of an administrator and never makes or unmakes owners.
    let reach = op.place().and_then(|place| place.role).unwrap_or(Role::Admin);
    if !reach.may_touch(from) || !reach.may_touch(to) {
        let sentence = "Only an owner makes, changes or removes owners.";
        return Err(Problem::mend_all(Code::Role, sentence));
    }
    if to != Role::Owner {
        keep_an_owner(change, &found).await?;
    }
    Ok(found)
}

/// Refuses to lose the last owner. Holds the tenant's row, so that two owners cannot leave at the same moment.
async fn keep_an_owner(change: &mut Change, leaving: &Member) -> Answer<()> {
    if leaving.role != Role::Owner.as_str() {
        return Ok(());
    }
    let tenant = change.place().tenant_id;
    sqlx::query("select from tenant where tenant_id = $1 for update")
        .bind(tenant.as_str())
        .execute(change.on())
        .await?;
    let others: bool = sqlx::query_scalar(
        "select exists (select from member where tenant_id = $1 and role = 'owner' and member_id <> $2)",
    )
    .bind(tenant.as_str())
    .bind(&leaving.member_id)
    .fetch_one(change.on())
    .await?;
    match others {
        true => Ok(()),
        false => {
            let sentence = "A tenant keeps at least one owner. Make somebody else an owner first.";
            Err(Problem::mend_all(Code::Role, sentence))
        }
    }
}
