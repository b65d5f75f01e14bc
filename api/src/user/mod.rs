//! People: who signs up, in and out.

mod link;
pub mod password;
mod queries;

use headwater_model::{SessionId, TenantId, UserId};
use sqlx::PgConnection;

use crate::access::{Environment, Role};
use crate::mail::{self, Letter, Notice};
use crate::op::{Op, Place};
use crate::problem::{Answer, Code, Problem, text};
use crate::{Database, audit, member, second_factor, session, tenant};

pub use link::{request_password_reset, request_verification, reset_password, verify_email};
pub use queries::{Membership, User};

/// Characters of a name at most.
pub const NAME_CHARS_MAX: usize = 200;
const EMAIL_CHARS_MAX: usize = 254;

/// Somebody new.
pub struct SignUp {
    /// Not verified by this.
    pub email: String,
    /// 12 to 200 characters.
    pub password: String,
    /// Of the person.
    pub name: String,
    /// Of the tenant that they will own.
    pub tenant_name: String,
}

/// What came of a sign-up or sign-in.
pub struct SignedIn {
    /// Who.
    pub user_id: UserId,
    /// In which session.
    pub session_id: SessionId,
    /// What the cookie carries; kept nowhere.
    pub secret: String,
}

/// Makes a person, a tenant that they own, and a session, all or nothing.
pub async fn sign_up(op: &Op, new: SignUp) -> Answer<(SignedIn, tenant::Summary)> {
    let email = email_address("email", &new.email)?;
    let name = text("name", &new.name, NAME_CHARS_MAX)?;
    let tenant_name = text("tenantName", &new.tenant_name, NAME_CHARS_MAX)?;
    password::check("password", &new.password)?;
    let limits = &op.services().limits;
    limits.sign_in(&email.to_lowercase(), &op.caller().address()).await?;
    let hash = password::hash(new.password).await?;

    let user_id = UserId::random();
    let mut tx = op.services().database.door(None).await?;
    queries::insert(&mut tx, user_id, &email, &name, &hash).await?;
    let (session_id, secret) = session::insert(&mut tx, op, user_id).await?;
    mail::post(&mut tx, op.services(), &Letter::EmailVerification { user_id })
        .await?
        .or_not();
    let op = op.signed_in(user_id, session_id, &name);
    let tenant = tenant::found(&op, tx, user_id, &tenant_name).await?;
    tracing::info!(tenant.id = %tenant.id, user.id = %user_id, "{user_id} signed up and owns {}", tenant.id);
    Ok((
        SignedIn {
            user_id,
            session_id,
            secret,
        },
        tenant,
    ))
}

/// What comes of a right password.
pub enum FirstStep {
    /// A session.
    Done(SignedIn),
    /// The secret that the second step takes.
    Challenge(String),
}

/// Makes a session for whoever knows the password, or a challenge for whoever has a second factor. Says the same, and takes as long,
/// for an unknown address as for a wrong password.
pub async fn sign_in(op: &Op, email: &str, password: String) -> Answer<FirstStep> {
    let key = email.trim().to_lowercase();
    if key.chars().count() > EMAIL_CHARS_MAX || key.contains('\0') {
        return Err(wrong());
    }
    op.services().limits.sign_in(&key, &op.caller().address()).await?;
    let mut door = op.services().database.door(None).await?;
    let known = queries::password_of(&mut door, &key).await?;
    drop(door);
    let (user_id, hash) = known.unzip();
    let right = password::verify(password, hash.flatten()).await?;
    let Some(user_id) = user_id.filter(|_| right) else {
        metrics::counter!("api_sign_in_total", "outcome" => "refused").increment(1);
        return Err(wrong());
    };
    first_step(op, user_id).await
}

/// Goes on with somebody who showed a first factor.
pub(crate) async fn first_step(op: &Op, user_id: UserId) -> Answer<FirstStep> {
    let mut tx = op.services().database.door(None).await?;
    if let Some(challenge) = second_factor::challenge(&mut tx, user_id).await? {
        tx.commit().await?;
        metrics::counter!("api_sign_in_total", "outcome" => "challenged").increment(1);
        return Ok(FirstStep::Challenge(challenge));
    }
    let (session_id, secret) = session::insert(&mut tx, op, user_id).await?;
    tx.commit().await?;
    metrics::counter!("api_sign_in_total", "outcome" => "granted").increment(1);
    tracing::info!(user.id = %user_id, "{user_id} signed in");
    Ok(FirstStep::Done(SignedIn {
        user_id,
        session_id,
        secret,
    }))
}

fn wrong() -> Problem {
    Problem::mend_all(Code::Credentials, "E-mail address or password is wrong.")
}

/// The person, by id.
pub async fn by_id(op: &Op, user: UserId) -> Answer<Option<User>> {
    let mut door = op.services().database.door(Some(user)).await?;
    queries::by_id(&mut door, user).await
}

/// The person, in a transaction of their own.
pub(crate) async fn by_id_in(on: &mut PgConnection, user: UserId) -> Answer<User> {
    let found = queries::by_id(on, user).await?;
    found.ok_or_else(|| Problem::unauthenticated("Sign in again."))
}

/// The hash of a person's password; `None` for somebody who has none.
pub(crate) async fn password_of(op: &Op, user: UserId) -> Answer<Option<String>> {
    let mut door = op.services().database.door(Some(user)).await?;
    queries::password_of_id(&mut door, user).await
}

/// The tenants that a person belongs to, the first joined first.
pub async fn memberships(op: &Op, user: UserId) -> Answer<Vec<Membership>> {
    let mut door = op.services().database.door(Some(user)).await?;
    queries::memberships(&mut door, user).await
}

/// Changes the signed-in person's name.
pub async fn rename(op: &Op, name: &str) -> Answer<User> {
    let user = op.user()?;
    let name = text("name", name, NAME_CHARS_MAX)?;
    let mut tx = op.services().database.door(Some(user)).await?;
    queries::set_name(&mut tx, user, &name).await?;
    let found = queries::by_id(&mut tx, user).await?;
    tx.commit().await?;
    found.ok_or_else(|| Problem::not_found("name", "person"))
}

/// Changes the signed-in person's password and ends every other session of theirs.
pub async fn change_password(op: &Op, current: String, new: String) -> Answer<User> {
    let user = op.user()?;
    password::check("newPassword", &new)?;
    let limits = &op.services().limits;
    limits.sign_in(user.as_str(), &op.caller().address()).await?;
    let known = password_of(op, user).await?;
    if !password::verify(current, known).await? {
        return Err(Problem::mend(
            Code::Credentials,
            "currentPassword",
            "This is not your password.",
        ));
    }
    let hash = password::hash(new).await?;
    let mut tx = op.services().database.door(Some(user)).await?;
    queries::set_password(&mut tx, user, &hash).await?;
    session::revoke_others(&mut tx, op, user).await?;
    audit::of_person(&mut tx, op, user, "user.password.change", None).await?;
    let notice = Letter::Notice {
        user_id: user,
        what: Notice::PasswordChanged,
    };
    mail::post(&mut tx, op.services(), &notice).await?.or_not();
    let found = queries::by_id(&mut tx, user).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user, "{user} changed the password");
    found.ok_or_else(|| Problem::not_found("currentPassword", "person"))
}

/// Makes sure that a person of this address exists, with this password, as an owner of `tenant`: for a first installation.
pub async fn ensure(database: &Database, tenant: TenantId, email: &str, name: &str, password: &str) -> Answer<UserId> {
    let known = {
        let mut door = database.door(None).await?;
        queries::password_of(&mut door, &email.to_lowercase()).await?
    };
    let hash = match &known {
        Some((_, Some(hash))) if password::verify(password.to_owned(), Some(hash.clone())).await? => None,
        _ => Some(password::hash(password.to_owned()).await?),
    };
    let mut tx = database.door(None).await?;
    let user = match (known, hash) {
        (Some((user, _)), Some(hash)) => {
            queries::set_password(&mut tx, user, &hash).await?;
            user
        }
        (Some((user, _)), None) => user,
        (None, hash) => {
            let user = UserId::random();
            queries::insert(&mut tx, user, email, name, &hash.unwrap_or_default()).await?;
            user
        }
    };
    crate::database::enter(&mut tx, tenant).await?;
    member::insert(&mut tx, tenant, user, Role::Owner).await?;
    tx.commit().await?;
    Ok(user)
}

/// An e-mail address as far as one can tell without writing to it.
pub(crate) fn email_address(field: &'static str, text: &str) -> Answer<String> {
    let email = crate::problem::text(field, text, EMAIL_CHARS_MAX)?;
    let parts = email.split_once('@');
    let fine = email.parse::<lettre::Address>().is_ok()
        && parts.is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
                && !host.contains('@')
                && !email.contains(char::is_whitespace)
        });
    match fine {
        true => Ok(email),
        false => Err(Problem::mend(Code::Invalid, field, "This is not an e-mail address.")),
    }
}

/// Where a new tenant's first change takes place.
pub(crate) fn place_of(tenant_id: TenantId) -> Place {
    Place {
        tenant_id,
        environment: Environment::Live,
        role: Some(Role::Owner),
    }
}
