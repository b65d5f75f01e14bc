//! Invitations: a place in a tenant, offered to an e-mail address by a link that holds a secret.

use chrono::{DateTime, Utc};
use headwater_model::{InvitationId, TenantId};
use serde_json::json;
use sqlx::{FromRow, QueryBuilder};

use crate::access::{Action, Role};
use crate::database::{DatabaseError, enter, id, word};
use crate::mail::{self, Letter};
use crate::op::{Actor, Change, Op, Place};
use crate::page::{Order, Page, Paged, instant};
use crate::problem::{Answer, Code, Problem};
use crate::secret::{self, Kind, sha256_hex};
use crate::tenant::Summary;
use crate::{access, audit, member, user};

/// How long an invitation is good for.
pub const LIFETIME_DAYS: i64 = 7;
/// Open invitations of a tenant at a time.
pub const OPEN_MAX: i64 = 200;
const COLUMNS: &str = "invitation_id, email, role, invited_by, created_at, expires_at";
const OPEN: &str = "accepted_at is null and revoked_at is null and expires_at > now()";

/// An open invitation.
#[derive(Clone, Debug, FromRow)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: String,
    /// Whom it is for.
    pub email: String,
    /// What they will be.
    pub role: String,
    /// Who invited them.
    pub invited_by: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// What the holder of the secret sees.
#[derive(Clone, Debug, FromRow)]
pub struct Preview {
    tenant_id: String,
    slug: String,
    /// Which tenant.
    pub tenant_name: String,
    invitation_id: String,
    /// Whom it is for.
    pub email: String,
    /// What they will be.
    pub role: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// An invitation that was just made, or made again.
#[derive(Clone, Debug)]
pub struct Made {
    /// As it stands now.
    pub invitation: Invitation,
    /// What its link holds; kept nowhere.
    pub secret: String,
    /// Whether it is on its way by e-mail.
    pub mailed: bool,
}

fn open(mut start: String, place: Place) -> QueryBuilder<sqlx::Postgres> {
    start.push_str(&format!(" from invitation where {OPEN} and tenant_id = "));
    let mut query = QueryBuilder::new(start);
    query.push_bind(place.tenant_id.to_string());
    query
}

/// The tenant's open invitations, newest first.
pub async fn list(op: &Op, page: &Page, count: bool) -> Answer<Paged<Invitation>> {
    let place = op.require(Action::MemberRead)?;
    let mut tx = op.look(place).await?;
    let list = |start| open(start, place);
    let key = |row: &Invitation| (instant(row.created_at), row.invitation_id.clone());
    let order = Order::newest("created_at", "invitation_id");
    page.read(&mut tx, count, COLUMNS, order, list, key).await
}

/// The tenant's open invitation of this id.
pub async fn by_id(op: &Op, invitation: InvitationId) -> Answer<Option<Invitation>> {
    let place = op.require(Action::MemberRead)?;
    let mut tx = op.look(place).await?;
    let mut query = open(format!("select {COLUMNS}"), place);
    query.push(" and invitation_id = ").push_bind(invitation.to_string());
    Ok(query.build_query_as().fetch_optional(&mut *tx).await?)
}

/// Offers a place, and sends the link. An open invitation of the same address is replaced.
pub async fn create(op: &Op, email: &str, role: Role) -> Answer<Made> {
    let place = op.require(Action::MemberWrite)?;
    let inviter = op.user()?;
    let email = user::email_address("email", email)?;
    if !place.role.is_some_and(|own| own.may_touch(role)) {
        return Err(Problem::mend(Code::Role, "role", "Only an owner invites owners."));
    }
    throttle(op, place, &email).await?;
    let secret = secret::random(Kind::Invitation);
    let mut change = op.change(place).await?;
    let known: bool = sqlx::query_scalar(
        "select exists (select from member m join user_account u on u.user_id = m.user_id \
                        where m.tenant_id = $1 and u.email_key = lower($2))",
    )
    .bind(place.tenant_id.as_str())
    .bind(&email)
    .fetch_one(change.on())
    .await?;
    if known {
        return Err(Problem::mend(Code::Taken, "email", "This person is a member already."));
    }
    sqlx::query(
        "update invitation set revoked_at = now() where tenant_id = $1 and email_key = lower($2) \
         and accepted_at is null and revoked_at is null",
    )
    .bind(place.tenant_id.as_str())
    .bind(&email)
    .execute(change.on())
    .await?;
    let mut counted = open("select count(*)".to_owned(), place);
    let many: i64 = counted.build_query_scalar().fetch_one(change.on()).await?;
    if many >= OPEN_MAX {
        let sentence = format!("A tenant has at most {OPEN_MAX} open invitations.");
        return Err(Problem::mend_all(Code::LimitReached, sentence));
    }
    let mut query = QueryBuilder::new(
        "insert into invitation (invitation_id, tenant_id, email, email_key, role, secret_sha256, invited_by, expires_at) \
         values (",
    );
    let mut values = query.separated(", ");
    values.push_bind(InvitationId::random().to_string());
    values.push_bind(place.tenant_id.to_string());
    values.push_bind(email.clone());
    values.push("lower(");
    values.push_bind_unseparated(email.clone());
    values.push_unseparated(")");
    values.push_bind(role.as_str());
    values.push_bind(sha256_hex(&secret));
    values.push_bind(inviter.to_string());
    values.push(format_args!("now() + make_interval(days => {LIFETIME_DAYS})"));
    query.push(format_args!(") returning {COLUMNS}"));
    let made = query.build_query_as().fetch_one(change.on()).await;
    let made: Invitation = made.map_err(|error| {
        let error = DatabaseError::from(error);
        match error.constraint() {
            Some("invitation_open_key") => Problem::mend(
                Code::Taken,
                "email",
                "Somebody else invites this person at this moment.",
            ),
            Some("invitation_email_form") => Problem::mend(Code::Invalid, "email", "This is not an e-mail address."),
            _ => error.into(),
        }
    })?;
    change
        .record(audit::New {
            action: "invitation.create",
            subject_id: &made.invitation_id,
            subject_name: &made.email,
            before: None,
            after: Some(json!({ "email": made.email, "role": made.role })),
        })
        .await?;
    let mailed = send(op, &mut change, &made, &secret).await?;
    change.commit().await?;
    Ok(Made {
        invitation: made,
        secret,
        mailed,
    })
}

/// Makes a new link for an open invitation, good for as long as the first one was, and sends it.
pub async fn resend(op: &Op, invitation: InvitationId) -> Answer<Made> {
    let place = op.require(Action::MemberWrite)?;
    op.user()?;
    let secret = secret::random(Kind::Invitation);
    let mut change = op.change(place).await?;
    let mut query = QueryBuilder::new("update invitation set secret_sha256 = ");
    query.push_bind(sha256_hex(&secret));
    query.push(format_args!(
        ", expires_at = now() + make_interval(days => {LIFETIME_DAYS}) where {OPEN} and tenant_id = "
    ));
    query.push_bind(place.tenant_id.to_string());
    query.push(" and invitation_id = ").push_bind(invitation.to_string());
    query.push(format_args!(" returning {COLUMNS}"));
    let found: Option<Invitation> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "invitation"))?;
    let role: Role = word(found.role.parse())?;
    if !place.role.is_some_and(|own| own.may_touch(role)) {
        return Err(Problem::mend_all(Code::Role, "Only an owner invites owners."));
    }
    throttle(op, place, &found.email).await?;
    change
        .record(audit::New {
            action: "invitation.resend",
            subject_id: &found.invitation_id,
            subject_name: &found.email,
            before: None,
            after: Some(json!({ "expiresAt": found.expires_at })),
        })
        .await?;
    let mailed = send(op, &mut change, &found, &secret).await?;
    change.commit().await?;
    Ok(Made {
        invitation: found,
        secret,
        mailed,
    })
}

/// So that nobody has strangers written to without end.
async fn throttle(op: &Op, place: Place, email: &str) -> Answer<()> {
    let services = op.services();
    match &services.mailer {
        Some(_) => {
            services
                .limits
                .mail(&email.to_lowercase(), place.tenant_id.as_str())
                .await
        }
        None => Ok(()),
    }
}

async fn send(op: &Op, change: &mut Change, made: &Invitation, secret: &str) -> Answer<bool> {
    if op.services().mailer.is_none() {
        return Ok(false);
    }
    let tenant = change.place().tenant_id;
    let name = sqlx::query_scalar("select name from tenant where tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(change.on())
        .await?;
    let Actor::User { name: inviter, .. } = op.actor() else {
        return Ok(false);
    };
    let role: Role = word(made.role.parse())?;
    let letter = Letter::Invitation {
        invitation_id: id(made.invitation_id.parse())?,
        tenant: name,
        inviter: inviter.clone(),
        role: role.title().to_owned(),
        secret: secret.to_owned(),
    };
    mail::post_for(tenant, change.on(), op.services(), &letter)
        .await?
        .or_refused()
}

/// Takes an offer back.
pub async fn revoke(op: &Op, invitation: InvitationId) -> Answer<String> {
    let place = op.require(Action::MemberWrite)?;
    let mut change = op.change(place).await?;
    let mut query = QueryBuilder::new(format!(
        "update invitation set revoked_at = now() where {OPEN} and tenant_id = "
    ));
    query.push_bind(place.tenant_id.to_string());
    query.push(" and invitation_id = ").push_bind(invitation.to_string());
    query.push(format_args!(" returning {COLUMNS}"));
    let found: Option<Invitation> = query.build_query_as().fetch_optional(change.on()).await?;
    let found = found.ok_or_else(|| Problem::not_found("id", "invitation"))?;
    let role: Role = word(found.role.parse())?;
    let reach = place.role.unwrap_or(Role::Admin);
    if !reach.may_touch(role) {
        return Err(Problem::mend_all(
            Code::Role,
            "Only an owner takes back an owner's invitation.",
        ));
    }
    change
        .record(audit::New {
            action: "invitation.revoke",
            subject_id: &found.invitation_id,
            subject_name: &found.email,
            before: Some(json!({ "email": found.email, "role": found.role })),
            after: None,
        })
        .await?;
    change.commit().await?;
    Ok(found.invitation_id)
}

/// What a secret leads to; `None` when it was made up, used, taken back or is too old.
pub async fn preview(op: &Op, secret: &str) -> Answer<Option<Preview>> {
    if !secret::well_formed(Kind::Invitation, secret) {
        return Ok(None);
    }
    let mut door = op.services().database.door(None).await?;
    let found = sqlx::query_as(
        "select i.tenant_id, t.slug, t.name as tenant_name, i.invitation_id, i.email, i.role, i.expires_at \
         from invitation i join tenant t on t.tenant_id = i.tenant_id \
         where i.secret_sha256 = $1 and i.accepted_at is null and i.revoked_at is null and i.expires_at > now()",
    )
    .bind(sha256_hex(secret))
    .fetch_optional(&mut *door)
    .await?;
    Ok(found)
}

/// Makes the signed-in person a member. Their address must be the invited one: a link that went astray lets nobody in.
pub async fn accept(op: &Op, secret: &str) -> Answer<Summary> {
    let user_id = op.user()?;
    let found = preview(op, secret).await?;
    let found = found.ok_or_else(|| {
        let sentence = "This invitation is not good any more. Ask for another one.";
        Problem::mend(Code::NotFound, "secret", sentence)
    })?;
    let person = user::by_id(op, user_id).await?;
    let person = person.ok_or_else(|| Problem::unauthenticated("Sign in again."))?;
    if person.email.to_lowercase() != found.email.to_lowercase() {
        let sentence = "This invitation is for another e-mail address. Sign in with that one.";
        return Err(Problem::mend(Code::Role, "secret", sentence));
    }
    let tenant: TenantId = id(found.tenant_id.parse())?;
    let role: Role = word(found.role.parse())?;
    let mut tx = op.services().database.door(Some(user_id)).await?;
    enter(&mut tx, tenant).await?;
    let place = Place {
        tenant_id: tenant,
        environment: access::Environment::Live,
        role: Some(role),
    };
    let taken = sqlx::query(
        "update invitation set accepted_at = now() where tenant_id = $1 and invitation_id = $2 \
         and accepted_at is null and revoked_at is null and expires_at > now()",
    )
    .bind(tenant.as_str())
    .bind(&found.invitation_id)
    .execute(&mut *tx)
    .await?;
    if taken.rows_affected() == 0 {
        return Err(Problem::mend(
            Code::NotFound,
            "secret",
            "This invitation was taken back a moment ago.",
        ));
    }
    member::insert(&mut tx, tenant, user_id, role).await?;
    audit::insert(
        &mut tx,
        op,
        place,
        audit::New {
            action: "invitation.accept",
            subject_id: &found.invitation_id,
            subject_name: &found.email,
            before: None,
            after: Some(json!({ "role": found.role })),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Summary {
        id: tenant,
        slug: found.slug,
        name: found.tenant_name,
    })
}
