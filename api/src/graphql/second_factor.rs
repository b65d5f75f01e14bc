//! The second factor in the schema.

use async_graphql::{Context, InputObject, Object, Result};

use super::account::{User, welcome};
use super::common::{payload, settle};
use crate::op::Op;
use crate::second_factor::{self, Proof};

/// The second step of a sign-in.
#[derive(InputObject)]
pub struct SignInSecondFactorInput {
    /// What signIn answered.
    #[graphql(secret)]
    challenge: String,
    /// Six digits of the app, or a recovery code.
    #[graphql(secret)]
    code: String,
}
/// Whose second factor begins.
#[derive(InputObject)]
pub struct TotpEnrolInput {
    /// Left out by whoever has none.
    #[graphql(secret)]
    password: Option<String>,
}
/// What the app shows.
#[derive(InputObject)]
pub struct TotpConfirmInput {
    /// Six digits.
    #[graphql(secret)]
    code: String,
}
/// Whose second factor ends.
#[derive(InputObject)]
pub struct TotpDisableInput {
    #[graphql(secret)]
    password: Option<String>,
    /// Six digits or a recovery code; instead of the password, from whoever has none.
    #[graphql(secret)]
    code: Option<String>,
}
/// Whose recovery codes are replaced.
#[derive(InputObject)]
pub struct RecoveryCodesReplaceInput {
    #[graphql(secret)]
    password: Option<String>,
    /// Six digits or a recovery code; instead of the password, from whoever has none.
    #[graphql(secret)]
    code: Option<String>,
}

payload!(
    /// Somebody signed in; the cookie is set.
    SignInSecondFactorPayload {
        user: Option<User>,
    }
);
payload!(
    /// A secret for an authenticator app, shown this once.
    TotpEnrolPayload {
        /// Base32, for typing.
        secret: Option<String>,
        /// An otpauth address, to be shown as a QR code.
        uri: Option<String>,
    }
);
payload!(
    /// The second factor is on; every other session has ended.
    TotpConfirmPayload {
        user: Option<User>,
        /// Shown this once; each works once, when the app is lost.
        recovery_codes: Option<Vec<String>>,
    }
);
payload!(
    /// The second factor is off.
    TotpDisablePayload {
        user: Option<User>,
    }
);
payload!(
    /// The old recovery codes have ended.
    RecoveryCodesReplacePayload {
        user: Option<User>,
        /// Shown this once; each works once, when the app is lost.
        recovery_codes: Option<Vec<String>>,
    }
);

/// What can be done about one's second factor.
#[derive(Default)]
pub struct SecondFactorMutation;

#[Object]
impl SecondFactorMutation {
    /// The second step of a sign-in: makes a session. CREDENTIALS: the code is wrong or was used; EXPIRED: begin again with signIn,
    /// after ten minutes or ten codes.
    async fn sign_in_second_factor(
        &self,
        ctx: &Context<'_>,
        input: SignInSecondFactorInput,
    ) -> Result<SignInSecondFactorPayload> {
        let op = Op::of(ctx);
        let done = async {
            let signed_in = second_factor::sign_in(op, &input.challenge, &input.code).await?;
            welcome(ctx, &signed_in).await
        };
        settle(op, done.await, SignInSecondFactorPayload::done)
    }

    /// Begins a second factor: makes a secret for an authenticator app. Nothing is asked for until it is confirmed. STATE: you have one.
    async fn totp_enrol(&self, ctx: &Context<'_>, input: TotpEnrolInput) -> Result<TotpEnrolPayload> {
        let op = Op::of(ctx);
        let proof = Proof {
            password: input.password,
            code: None,
        };
        settle(op, second_factor::enrol(op, proof).await, |made| {
            TotpEnrolPayload::done(made.secret, made.uri)
        })
    }

    /// Switches the second factor on with a code that the app shows, and ends every other session of yours.
    async fn totp_confirm(&self, ctx: &Context<'_>, input: TotpConfirmInput) -> Result<TotpConfirmPayload> {
        let op = Op::of(ctx);
        settle(op, second_factor::confirm(op, &input.code).await, |(user, codes)| {
            TotpConfirmPayload::done(User(user), codes)
        })
    }

    /// Switches the second factor off.
    async fn totp_disable(&self, ctx: &Context<'_>, input: TotpDisableInput) -> Result<TotpDisablePayload> {
        let op = Op::of(ctx);
        let proof = Proof {
            password: input.password,
            code: input.code,
        };
        settle(op, second_factor::disable(op, proof).await, |user| {
            TotpDisablePayload::done(User(user))
        })
    }

    /// Makes ten new recovery codes; the old ones end.
    async fn recovery_codes_replace(
        &self,
        ctx: &Context<'_>,
        input: RecoveryCodesReplaceInput,
    ) -> Result<RecoveryCodesReplacePayload> {
        let op = Op::of(ctx);
        let proof = Proof {
            password: input.password,
            code: input.code,
        };
        let made = second_factor::replace_recovery_codes(op, proof);
        settle(op, made.await, |(user, codes)| {
            RecoveryCodesReplacePayload::done(User(user), codes)
        })
    }
}
