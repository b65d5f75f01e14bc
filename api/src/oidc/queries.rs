//! Finding, linking and making the person whom a provider brings.

use headwater_model::UserId;
use serde_json::json;

use super::Failed;
use super::token::Claims;
use crate::audit;
use crate::database::id;
use crate::mail::{self, Letter, Notice};
use crate::op::Op;
use crate::user::{NAME_CHARS_MAX, email_address};

/// Who the provider's subject is here.
pub(super) async fn person(op: &Op, issuer: &str, claims: &Claims) -> Result<UserId, Failed> {
    let mut tx = op.services().database.door(None).await?;
    let known: Option<String> = sqlx::query_scalar(
        "update user_identity set last_used_at = now() where issuer = $1 and subject = $2 returning user_id",
    )
    .bind(issuer)
    .bind(&claims.sub)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(known) = known {
        tx.commit().await?;
        return Ok(id(known.parse())?);
    }
    let email = claims.verified_email().ok_or(Failed::EmailUnverified)?;
    let email = email_address("email", email).map_err(|_| Failed::EmailUnverified)?;
    let found: Option<(String, bool)> = sqlx::query_as(
        "select user_id, email_verified_at is not null from user_account where email_key = lower($1) for update",
    )
    .bind(&email)
    .fetch_optional(&mut *tx)
    .await?;
    let (user, new) = match found {
        // Somebody may have signed up with an address of another's, to wait for them.
        Some((_, false)) => return Err(Failed::AccountUnverified),
        Some((user, true)) => (id(user.parse())?, false),
        None => (UserId::random(), true),
    };
    if new {
        sqlx::query(
            "insert into user_account (user_id, email, email_key, name, email_verified_at) values ($1, $2, lower($2), $3, now())",
        )
        .bind(user.as_str())
        .bind(&email)
        .bind(name(claims, &email))
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query("insert into user_identity (issuer, subject, user_id) values ($1, $2, $3)")
        .bind(issuer)
        .bind(&claims.sub)
        .bind(user.as_str())
        .execute(&mut *tx)
        .await?;
    if !new {
        audit::of_person(
            &mut tx,
            op,
            user,
            "user.identity.link",
            Some(json!({ "issuer": issuer })),
        )
        .await?;
        let notice = Letter::Notice {
            user_id: user,
            what: Notice::IdentityLinked,
        };
        mail::post(&mut tx, op.services(), &notice).await?.or_not();
    }
    tx.commit().await?;
    tracing::info!(user.id = %user, "{user} is known to {issuer}{}", if new { ", and new here" } else { "" });
    Ok(user)
}

/// What the provider calls them, or what stands before the @.
fn name(claims: &Claims, email: &str) -> String {
    let said = claims.name.as_deref().unwrap_or_default();
    let clean = |text: &str| -> String {
        let clean: String = text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        clean.trim().to_owned()
    };
    match clean(said) {
        name if name.is_empty() => clean(email.split('@').next().unwrap_or(email)),
        name => name,
    }
}
