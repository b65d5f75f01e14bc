//! Mailed links in the schema: a new password, and an address that is shown to be somebody's.

use async_graphql::{Context, InputObject, Object, Result};

use super::account::User;
use super::common::{payload, settle};
use crate::op::Op;
use crate::user;

/// Whose password is to be reset.
#[derive(InputObject)]
pub struct PasswordResetRequestInput {
    email: String,
}
/// A new password for whoever reads the mail.
#[derive(InputObject)]
pub struct PasswordResetInput {
    /// Of the link.
    #[graphql(secret)]
    secret: String,
    /// 12 to 200 characters.
    #[graphql(secret)]
    new_password: String,
}
/// The link of a mail that asks for confirmation.
#[derive(InputObject)]
pub struct EmailVerifyInput {
    /// Of the link.
    #[graphql(secret)]
    secret: String,
}

payload!(
    /// A link is on its way, if the address is somebody's.
    PasswordResetRequestPayload {
        requested: bool,
    }
);
payload!(
    /// The password is set; every session of the person has ended.
    PasswordResetPayload {
        /// Null: nobody is signed in by this. Lead to the sign-in page.
        user: Option<User>,
    }
);
payload!(
    /// A link is on its way.
    EmailVerificationRequestPayload {
        requested: bool,
    }
);
payload!(
    /// The address is confirmed.
    EmailVerifyPayload {
        email: Option<String>,
    }
);

/// What can be done by mail.
#[derive(Default)]
pub struct LinkMutation;

#[Object]
impl LinkMutation {
    /// Sends a link to choose a new password, if the address is somebody's; the answer is the same if not. STATE: this installation
    /// sends no e-mail.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        input: PasswordResetRequestInput,
    ) -> Result<PasswordResetRequestPayload> {
        let op = Op::of(ctx);
        settle(op, user::request_password_reset(op, &input.email).await, |()| {
            PasswordResetRequestPayload::done(true)
        })
    }

    /// Sets a new password for whoever holds the secret of the link, and ends every session of theirs. EXPIRED: the link was used, is
    /// older than an hour, or was made up.
    async fn password_reset(&self, ctx: &Context<'_>, input: PasswordResetInput) -> Result<PasswordResetPayload> {
        let op = Op::of(ctx);
        let done = user::reset_password(op, &input.secret, input.new_password);
        settle(op, done.await, |()| PasswordResetPayload::done(None::<User>))
    }

    /// Sends the link that shows that your address is yours, once more.
    async fn email_verification_request(&self, ctx: &Context<'_>) -> Result<EmailVerificationRequestPayload> {
        let op = Op::of(ctx);
        settle(op, user::request_verification(op).await, |()| {
            EmailVerificationRequestPayload::done(true)
        })
    }

    /// Notes that an address is its owner's, who read the mail. EXPIRED: the link was used, is older than a week, or was made up.
    async fn email_verify(&self, ctx: &Context<'_>, input: EmailVerifyInput) -> Result<EmailVerifyPayload> {
        let op = Op::of(ctx);
        settle(op, user::verify_email(op, &input.secret).await, |email| {
            EmailVerifyPayload::done(email)
        })
    }
}
