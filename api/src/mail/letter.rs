//! What is written to people, and for how long it is worth sending.

use headwater_model::{InvitationId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::render::Text;
use crate::database::{DatabaseError, id};
use crate::secret::{self, Kind, sha256_hex};
use crate::urls::Urls;

/// How long the link of a password reset is good for, minutes.
pub(crate) const RESET_MINUTES: i32 = 60;
/// How long the link that shows that an address is somebody's is good for, days.
pub(crate) const VERIFY_DAYS: i32 = 7;

/// A letter that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Letter {
    /// Somebody asked for a link to choose a new password. Whether the address is somebody's is found out when it is sent, so that
    /// asking looks the same from outside.
    PasswordReset {
        /// As typed.
        email: String,
    },
    /// Somebody signed up, or asks again.
    EmailVerification {
        /// Whose address.
        user_id: UserId,
    },
    /// A place in a tenant.
    Invitation {
        /// Which one.
        invitation_id: InvitationId,
        /// Of the tenant.
        tenant: String,
        /// Who invites.
        inviter: String,
        /// What they will be, as people say it.
        role: String,
        /// Of the link.
        secret: String,
    },
    /// Something about somebody's account changed.
    Notice {
        /// Whose.
        user_id: UserId,
        /// What.
        what: Notice,
    },
}

/// What people are told of, because it may not have been them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    PasswordChanged,
    SecondFactorOn,
    SecondFactorOff,
    RecoveryCodeUsed,
    RecoveryCodesReplaced,
    IdentityLinked,
}

/// Whom a letter is for, and what it says.
pub(super) struct Written {
    pub(super) to: String,
    pub(super) name: Option<String>,
    pub(super) text: Text,
}

impl Letter {
    /// Whom it goes to, as far as that is known before it is written: a person, or a fingerprint of an address.
    pub(super) fn recipient(&self) -> Option<String> {
        match self {
            Self::PasswordReset { email } => Some(sha256_hex(&email.to_lowercase())),
            Self::EmailVerification { user_id } | Self::Notice { user_id, .. } => Some(user_id.to_string()),
            Self::Invitation { .. } => None,
        }
    }

    /// Its word for operators.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::PasswordReset { .. } => "password_reset",
            Self::EmailVerification { .. } => "email_verification",
            Self::Invitation { .. } => "invitation",
            Self::Notice { .. } => "notice",
        }
    }

    /// Writes it, and notes the secrets of its links. `None` when there is nobody to write to any more.
    pub(super) async fn write(&self, on: &mut PgConnection, urls: &Urls) -> Result<Option<Written>, DatabaseError> {
        match self {
            Self::PasswordReset { email } => {
                let person: Option<(String, String, String)> =
                    sqlx::query_as("select user_id, email, name from user_account where email_key = lower($1)")
                        .bind(email)
                        .fetch_optional(&mut *on)
                        .await?;
                let Some((user, to, name)) = person else {
                    return Ok(None);
                };
                let user = id(user.parse())?;
                let secret = link(on, user, "password_reset", Kind::PasswordReset, &to, RESET_MINUTES).await?;
                let address = urls.page("/reset-password", &secret);
                let text = Text {
                    subject: "Choose a new password".into(),
                    paragraphs: vec![
                        format!("Hello {name},"),
                        "somebody, probably you, asked for a new password for your Headwater account.".into(),
                    ],
                    act: Some(("Choose a new password".into(), address)),
                    foot: format!(
                        "The link works once, for {RESET_MINUTES} minutes. If it was not you who asked, nothing has changed and there \
                         is nothing to do."
                    ),
                };
                Ok(Some(Written {
                    to,
                    name: Some(name),
                    text,
                }))
            }
            Self::EmailVerification { user_id } => {
                let Some((to, name, verified)) = person(on, *user_id).await? else {
                    return Ok(None);
                };
                if verified {
                    return Ok(None);
                }
                let minutes = VERIFY_DAYS * 24 * 60;
                let secret = link(
                    on,
                    *user_id,
                    "email_verification",
                    Kind::EmailVerification,
                    &to,
                    minutes,
                )
                .await?;
                let text = Text {
                    subject: "Confirm your e-mail address".into(),
                    paragraphs: vec![
                        format!("Hello {name},"),
                        "please confirm that this address is yours.".into(),
                    ],
                    act: Some(("Confirm this address".into(), urls.page("/verify-email", &secret))),
                    foot: format!(
                        "The link works for {VERIFY_DAYS} days. If you did not sign up for Headwater, ignore this message."
                    ),
                };
                Ok(Some(Written {
                    to,
                    name: Some(name),
                    text,
                }))
            }
            Self::Invitation {
                invitation_id,
                tenant,
                inviter,
                role,
                secret,
            } => {
                let to: Option<String> = sqlx::query_scalar(
                    "select email from invitation where invitation_id = $1 and secret_sha256 = $2 and accepted_at is null \
                     and revoked_at is null and expires_at > now()",
                )
                .bind(invitation_id.as_str())
                .bind(sha256_hex(secret))
                .fetch_optional(on)
                .await?;
                let days = crate::invitation::LIFETIME_DAYS;
                let text = Text {
                    subject: format!("{inviter} invites you to {tenant}"),
                    paragraphs: vec![
                        "Hello,".into(),
                        format!("{inviter} invites you to join {tenant} on Headwater as {role}."),
                    ],
                    act: Some(("Accept the invitation".into(), urls.page("/invitation", secret))),
                    foot: format!(
                        "The link works for {days} days, for this e-mail address alone. If you do not know {inviter}, ignore this \
                         message."
                    ),
                };
                Ok(to.map(|to| Written { to, name: None, text }))
            }
            Self::Notice { user_id, what } => {
                let Some((to, name, _)) = person(on, *user_id).await? else {
                    return Ok(None);
                };
                let (subject, sentence) = what.told();
                let text = Text {
                    subject: subject.into(),
                    paragraphs: vec![format!("Hello {name},"), sentence.into()],
                    act: Some(("Look at your account".into(), urls.account())),
                    foot: "If it was not you, choose a new password at once, and end all other sessions.".into(),
                };
                Ok(Some(Written {
                    to,
                    name: Some(name),
                    text,
                }))
            }
        }
    }
}

impl Notice {
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::PasswordChanged => (
                "Your password was changed",
                "the password of your Headwater account was changed, and every other session has ended.",
            ),
            Self::SecondFactorOn => (
                "A second factor was switched on",
                "from now on, signing in to your Headwater account takes a code of your authenticator app.",
            ),
            Self::SecondFactorOff => (
                "Your second factor was switched off",
                "signing in to your Headwater account takes no code any more.",
            ),
            Self::RecoveryCodeUsed => (
                "A recovery code was used",
                "somebody signed in to your Headwater account with one of your recovery codes. It is used up.",
            ),
            Self::RecoveryCodesReplaced => (
                "You have new recovery codes",
                "new recovery codes were made for your Headwater account. The old ones do not work any more.",
            ),
            Self::IdentityLinked => (
                "Another way to sign in",
                "from now on, your Headwater account can be signed in to with your organisation's sign-in.",
            ),
        }
    }
}

/// Address, name, and whether the address was shown to be theirs.
async fn person(on: &mut PgConnection, user: UserId) -> Result<Option<(String, String, bool)>, DatabaseError> {
    let found =
        sqlx::query_as("select email, name, email_verified_at is not null from user_account where user_id = $1")
            .bind(user.as_str())
            .fetch_optional(on)
            .await?;
    Ok(found)
}

/// Makes the secret of a link and notes its hash.
async fn link(
    on: &mut PgConnection,
    user: UserId,
    purpose: &str,
    kind: Kind,
    email: &str,
    minutes: i32,
) -> Result<String, DatabaseError> {
    let secret = secret::random(kind);
    sqlx::query(
        "insert into account_link (secret_sha256, user_id, purpose, email_key, expires_at) \
         values ($1, $2, $3, lower($4), now() + make_interval(mins => $5))",
    )
    .bind(sha256_hex(&secret))
    .bind(user.as_str())
    .bind(purpose)
    .bind(email)
    .bind(minutes)
    .execute(on)
    .await?;
    Ok(secret)
}
