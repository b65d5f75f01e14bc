//! Links that were mailed: a new password, and an address that is shown to be somebody's.

use headwater_model::UserId;
use sqlx::PgConnection;

use super::{email_address, password, queries};
use crate::database::id;
use crate::mail::{self, Letter, Notice};
use crate::op::Op;
use crate::problem::{Answer, Code, Problem};
use crate::secret::{self, Kind, sha256_hex};
use crate::{audit, session};

/// Sends a link to choose a new password to the address, if it is somebody's. Says and does the same if not.
pub async fn request_password_reset(op: &Op, email: &str) -> Answer<()> {
    let email = email_address("email", email)?;
    let services = op.services();
    if services.mailer.is_none() {
        let sentence = "This installation sends no e-mail. Ask whoever runs it for help.";
        return Err(Problem::mend_all(Code::State, sentence));
    }
    services
        .limits
        .mail(&email.to_lowercase(), &op.caller().address())
        .await?;
    let mut door = services.database.door(None).await?;
    // Where there is no room the answer is the same: it would say that somebody has asked for this address before.
    mail::post(&mut door, services, &Letter::PasswordReset { email })
        .await?
        .or_not();
    door.commit().await?;
    Ok(())
}

/// Sets a new password for whoever holds the secret of the link. Every session of theirs ends, and every other such link.
pub async fn reset_password(op: &Op, secret: &str, new: String) -> Answer<()> {
    password::check("newPassword", &new)?;
    let services = op.services();
    services.limits.secret(&op.caller().address()).await?;
    // Hashing is dear: made-up secrets do not come that far.
    let mut door = services.database.door(None).await?;
    holder(&mut door, Kind::PasswordReset, "password_reset", secret).await?;
    drop(door);
    let hash = password::hash(new).await?;
    let mut tx = services.database.door(None).await?;
    let user = holder(&mut tx, Kind::PasswordReset, "password_reset", secret).await?;
    sqlx::query(
        "update account_link set used_at = now() where user_id = $1 and purpose = 'password_reset' and used_at is null",
    )
    .bind(user.as_str())
    .execute(&mut *tx)
    .await?;
    queries::set_password(&mut tx, user, &hash).await?;
    verified(&mut tx, user).await?;
    session::revoke_others(&mut tx, op, user).await?;
    audit::of_person(&mut tx, op, user, "user.password.reset", None).await?;
    let notice = Letter::Notice {
        user_id: user,
        what: Notice::PasswordChanged,
    };
    mail::post(&mut tx, services, &notice).await?.or_not();
    tx.commit().await?;
    tracing::info!(user.id = %user, "{user} chose a new password by a link");
    Ok(())
}

/// Sends the link that shows that the signed-in person's address is theirs.
pub async fn request_verification(op: &Op) -> Answer<()> {
    let user_id = op.user()?;
    let services = op.services();
    if services.mailer.is_none() {
        return Err(Problem::mend_all(Code::State, "This installation sends no e-mail."));
    }
    let mut door = services.database.door(Some(user_id)).await?;
    let found = queries::by_id(&mut door, user_id).await?;
    let found = found.ok_or_else(|| Problem::unauthenticated("Sign in again."))?;
    if found.email_verified_at.is_some() {
        return Err(Problem::mend_all(Code::State, "Your address is confirmed already."));
    }
    services
        .limits
        .mail(&found.email.to_lowercase(), &op.caller().address())
        .await?;
    mail::post(&mut door, services, &Letter::EmailVerification { user_id })
        .await?
        .or_refused()?;
    door.commit().await?;
    Ok(())
}

/// Notes that the address is its owner's, who read the mail. Returns the address.
pub async fn verify_email(op: &Op, secret: &str) -> Answer<String> {
    let services = op.services();
    services.limits.secret(&op.caller().address()).await?;
    let mut tx = services.database.door(None).await?;
    let user = holder(&mut tx, Kind::EmailVerification, "email_verification", secret).await?;
    sqlx::query("update account_link set used_at = now() where secret_sha256 = $1")
        .bind(sha256_hex(secret))
        .execute(&mut *tx)
        .await?;
    verified(&mut tx, user).await?;
    let found = queries::by_id(&mut tx, user).await?;
    tx.commit().await?;
    found.map(|user| user.email).ok_or_else(ended)
}

/// Who holds a link's secret, as long as the link is good; keeps it to this transaction.
async fn holder(on: &mut PgConnection, kind: Kind, purpose: &str, secret: &str) -> Answer<UserId> {
    if !secret::well_formed(kind, secret) {
        return Err(ended());
    }
    let found: Option<String> = sqlx::query_scalar(
        "select l.user_id from account_link l join user_account u on u.user_id = l.user_id and u.email_key = l.email_key \
         where l.secret_sha256 = $1 and l.purpose = $2 and l.used_at is null and l.expires_at > now() for update of l",
    )
    .bind(sha256_hex(secret))
    .bind(purpose)
    .fetch_optional(on)
    .await?;
    Ok(id(found.ok_or_else(ended)?.parse())?)
}

async fn verified(on: &mut PgConnection, user: UserId) -> Answer<()> {
    sqlx::query("update user_account set email_verified_at = now() where user_id = $1 and email_verified_at is null")
        .bind(user.as_str())
        .execute(on)
        .await?;
    Ok(())
}

fn ended() -> Problem {
    Problem::mend(
        Code::Expired,
        "secret",
        "This link was used already, or is too old. Ask for a new one.",
    )
}
