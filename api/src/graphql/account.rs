//! People and their sessions in the schema.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use headwater_model::{SessionId, UserId};

use super::api_token::ApiToken;
use super::common::{Instant, Uncounted, page_cost, payload, settle, uncounted};
use super::tenant::{Tenant, TenantSummary};
use crate::access::{Action, Environment, Role};
use crate::op::{Actor, Op};
use crate::page::Page;
use crate::problem::{Answer, Problem};
use crate::{api_token, cookie, second_factor, session, tenant, user};

/// A person.
pub struct User(pub user::User);

#[Object]
impl User {
    pub async fn id(&self) -> ID {
        ID(self.0.user_id.clone())
    }
    async fn email(&self) -> &str {
        &self.0.email
    }
    async fn name(&self) -> &str {
        &self.0.name
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    /// Whether they showed that the address is theirs.
    async fn email_verified(&self) -> bool {
        self.0.email_verified_at.is_some()
    }
    /// Whether they have a password; whoever came by OpenID Connect may have none.
    async fn has_password(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.status(ctx).await?.has_password)
    }
    /// Since when signing in takes a second factor; null: it does not.
    async fn totp_enabled_at(&self, ctx: &Context<'_>) -> Result<Option<Instant>> {
        Ok(self.status(ctx).await?.enabled_at.map(Instant))
    }
    /// Recovery codes that were not used yet.
    async fn recovery_codes_left(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(i32::try_from(self.status(ctx).await?.recovery_codes_left).unwrap_or(i32::MAX))
    }
    /// The tenants they belong to, the first joined first.
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<Membership>> {
        let id = self.own_id(ctx)?;
        let rows = user::memberships(Op::of(ctx), id).await?;
        let rows = rows.into_iter().map(|row| {
            let role = row.role.parse().unwrap_or(Role::Billing);
            Membership {
                tenant: TenantSummary {
                    id: ID(row.tenant_id),
                    slug: row.slug,
                    name: row.name,
                },
                role,
                joined_at: Instant(row.joined_at),
            }
        });
        Ok(rows.collect())
    }
    /// Where they are signed in, newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Uncounted<Session>> {
        let id = self.own_id(ctx)?;
        let page = Page::new(first, after, None, None)?;
        let paged = session::list(Op::of(ctx), id, &page).await?;
        Ok(uncounted(paged, Session))
    }
}

impl User {
    async fn status(&self, ctx: &Context<'_>) -> Answer<second_factor::Status> {
        let id = self.own_id(ctx)?;
        second_factor::status(Op::of(ctx), id).await
    }

    /// Only the person themselves sees more than name and address.
    fn own_id(&self, ctx: &Context<'_>) -> Answer<UserId> {
        let own = Op::of(ctx).user_or_new(ctx)?;
        match own.as_str() == self.0.user_id {
            true => Ok(own),
            false => Err(Problem::forbidden("This belongs to somebody else.")),
        }
    }
}

impl Op {
    /// The signed-in person; in the answer to a sign-in, the one who has just signed in.
    fn user_or_new(&self, ctx: &Context<'_>) -> Answer<UserId> {
        match ctx.data_opt::<std::sync::Mutex<Option<UserId>>>() {
            Some(new) => match *new.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
                Some(user) => Ok(user),
                None => self.user(),
            },
            None => self.user(),
        }
    }
}

/// A tenant that the signed-in person belongs to.
#[derive(SimpleObject)]
pub struct Membership {
    tenant: TenantSummary,
    role: Role,
    joined_at: Instant,
}

/// A browser that a person signed in with.
pub struct Session(pub session::Session);

#[Object]
impl Session {
    pub async fn id(&self) -> ID {
        ID(self.0.session_id.clone())
    }
    /// The one that asks.
    async fn current(&self, ctx: &Context<'_>) -> bool {
        matches!(Op::of(ctx).actor(), Actor::User { session_id, .. } if session_id.as_str() == self.0.session_id)
    }
    async fn user_agent(&self) -> &str {
        &self.0.user_agent
    }
    async fn ip_address(&self) -> &str {
        &self.0.ip_address
    }
    async fn created_at(&self) -> Instant {
        Instant(self.0.created_at)
    }
    /// To the minute.
    async fn last_used_at(&self) -> Instant {
        Instant(self.0.last_used_at)
    }
    async fn expires_at(&self) -> Instant {
        Instant(self.0.expires_at)
    }
}

/// Who asks, and what they may do.
pub struct Viewer;

#[Object]
impl Viewer {
    /// Null with an API token.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        me(Op::of(ctx)).await
    }
    /// Null with a session.
    async fn api_token(&self, ctx: &Context<'_>) -> Result<Option<ApiToken>> {
        let op = Op::of(ctx);
        let Actor::Token { token_id, .. } = op.actor() else {
            return Ok(None);
        };
        op.require(Action::TokenRead)?;
        Ok(api_token::by_id(op, *token_id).await?.map(ApiToken))
    }
    /// Null without TENANT_READ.
    async fn tenant(&self, ctx: &Context<'_>) -> Result<Option<Tenant>> {
        let op = Op::of(ctx);
        match op.require(Action::TenantRead) {
            Ok(_) => Ok(Some(Tenant(tenant::of_op(op).await?))),
            Err(_) => Ok(None),
        }
    }
    async fn environment(&self, ctx: &Context<'_>) -> Environment {
        Op::of(ctx).place().map(|place| place.environment).unwrap_or_default()
    }
    /// Null with an API token.
    async fn role(&self, ctx: &Context<'_>) -> Option<Role> {
        Op::of(ctx).place().and_then(|place| place.role)
    }
    async fn actions(&self, ctx: &Context<'_>) -> Vec<Action> {
        Op::of(ctx).actions().to_vec()
    }
}

async fn me(op: &Op) -> Result<Option<User>> {
    match op.actor() {
        Actor::User { user_id, .. } => Ok(user::by_id(op, *user_id).await?.map(User)),
        Actor::Token { .. } | Actor::Nobody => Ok(None),
    }
}

/// How people sign in to this installation.
pub struct SignInOptions;

#[Object]
impl SignInOptions {
    /// Whether this installation sends e-mail. Where it does not, passwords are not reset and links of invitations are handed over
    /// by hand.
    async fn mail(&self, ctx: &Context<'_>) -> bool {
        Op::of(ctx).services().mailer.is_some()
    }
    /// Null where people sign in with passwords alone.
    async fn open_id_connect(&self, ctx: &Context<'_>) -> Option<OpenIdConnectOption> {
        let provider = Op::of(ctx).services().oidc.as_ref()?;
        Some(OpenIdConnectOption {
            name: provider.name().to_owned(),
            start_url: "/auth/oidc/start",
        })
    }
}

/// An OpenID Connect provider that people may sign in with.
#[derive(SimpleObject)]
pub struct OpenIdConnectOption {
    /// What people call it: the button says so.
    name: String,
    /// Where a link leads; with `?next=/path` appended, that is where it ends. Otherwise it ends on the page to sign in, with `error` or,
    /// for a second factor, with `challenge` in its address.
    start_url: &'static str,
}

/// What can be asked about oneself.
#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// The signed-in person; null with an API token, or when nobody is signed in.
    async fn me(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        me(Op::of(ctx)).await
    }
    /// How people sign in here: for the page where they do, signed in or not.
    async fn sign_in_options(&self) -> SignInOptions {
        SignInOptions
    }
    /// Who asks, where, and what they may do there; null when nobody is signed in or belongs to no such tenant.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        Op::of(ctx).place().map(|_| Viewer)
    }
}

/// Somebody new, and their first tenant.
#[derive(InputObject)]
pub struct SignUpInput {
    email: String,
    /// 12 to 200 characters.
    #[graphql(secret)]
    password: String,
    /// Of the person, 1 to 200 characters.
    name: String,
    /// 1 to 200 characters.
    tenant_name: String,
}

/// Somebody who was here before.
#[derive(InputObject)]
pub struct SignInInput {
    email: String,
    #[graphql(secret)]
    password: String,
}

/// Which session to end.
#[derive(InputObject)]
pub struct SessionRevokeInput {
    /// Null: every session but this one.
    id: Option<ID>,
}

/// A change of one's own settings.
#[derive(InputObject)]
pub struct UserUpdateInput {
    /// 1 to 200 characters.
    name: String,
}

/// A change of one's password.
#[derive(InputObject)]
pub struct PasswordChangeInput {
    #[graphql(secret)]
    current_password: String,
    /// 12 to 200 characters.
    #[graphql(secret)]
    new_password: String,
}

payload!(
    /// Somebody signed up; the cookie is set.
    SignUpPayload {
        user: Option<User>,
        tenant: Option<TenantSummary>,
    }
);
payload!(
    /// Somebody signed in, and the cookie is set; or they owe a second factor.
    SignInPayload {
        /// Null while a second factor is owed.
        user: Option<User>,
        /// Set where the password was right and a second factor is asked for: pass it to signInSecondFactor within ten minutes.
        challenge: Option<String>,
    }
);
payload!(
    /// The session has ended; the cookie is taken away.
    SignOutPayload {
        signed_out: bool,
    }
);
payload!(
    /// Sessions have ended.
    SessionRevokePayload {
        revoked_ids: Vec<ID>,
    }
);
payload!(
    /// Settings were changed.
    UserUpdatePayload {
        user: Option<User>,
    }
);
payload!(
    /// The password was changed; every other session has ended.
    PasswordChangePayload {
        user: Option<User>,
    }
);

/// What can be done about oneself.
#[derive(Default)]
pub struct AccountMutation;

/// Sets the cookie, and has the rest of the answer be for the one who signed in.
pub(super) async fn welcome(ctx: &Context<'_>, signed_in: &user::SignedIn) -> Answer<Option<User>> {
    let op = Op::of(ctx);
    ctx.append_http_header(
        "set-cookie",
        cookie::set(&signed_in.secret, op.services().urls.secure()),
    );
    if let Some(new) = ctx.data_opt::<std::sync::Mutex<Option<UserId>>>() {
        *new.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(signed_in.user_id);
    }
    Ok(user::by_id(op, signed_in.user_id).await?.map(User))
}

#[Object]
impl AccountMutation {
    /// Makes a person, a tenant that they own, and a session.
    async fn sign_up(&self, ctx: &Context<'_>, input: SignUpInput) -> Result<SignUpPayload> {
        let op = Op::of(ctx);
        let done = async {
            let new = user::SignUp {
                email: input.email,
                password: input.password,
                name: input.name,
                tenant_name: input.tenant_name,
            };
            let (signed_in, tenant) = user::sign_up(op, new).await?;
            Ok((welcome(ctx, &signed_in).await?, tenant))
        };
        settle(op, done.await, |(user, tenant)| {
            SignUpPayload::done(user, TenantSummary::from(tenant))
        })
    }

    /// Makes a session for whoever knows the password. Whoever has a second factor gets a challenge for signInSecondFactor instead.
    async fn sign_in(&self, ctx: &Context<'_>, input: SignInInput) -> Result<SignInPayload> {
        let op = Op::of(ctx);
        let done = async {
            match user::sign_in(op, &input.email, input.password).await? {
                user::FirstStep::Done(signed_in) => Ok((welcome(ctx, &signed_in).await?, None)),
                user::FirstStep::Challenge(challenge) => Ok((None, Some(challenge))),
            }
        };
        settle(op, done.await, |(user, challenge)| SignInPayload::done(user, challenge))
    }

    /// Ends this session.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        let op = Op::of(ctx);
        ctx.append_http_header("set-cookie", cookie::clear(op.services().urls.secure()));
        settle(op, session::sign_out(op).await, |signed_out| {
            SignOutPayload::done(signed_out)
        })
    }

    /// Ends one of your sessions, or every one but this.
    async fn session_revoke(&self, ctx: &Context<'_>, input: SessionRevokeInput) -> Result<SessionRevokePayload> {
        let op = Op::of(ctx);
        op.user()?;
        let done = async {
            let wanted = input
                .id
                .map(|id| super::common::wanted::<SessionId>(&id, "id", "session"));
            session::revoke(op, wanted.transpose()?).await
        };
        settle(op, done.await, |ids| {
            SessionRevokePayload::done(ids.into_iter().map(ID).collect::<Vec<_>>())
        })
    }

    /// Changes your name.
    async fn user_update(&self, ctx: &Context<'_>, input: UserUpdateInput) -> Result<UserUpdatePayload> {
        let op = Op::of(ctx);
        settle(op, user::rename(op, &input.name).await, |user| {
            UserUpdatePayload::done(User(user))
        })
    }

    /// Changes your password and ends every other session of yours.
    async fn password_change(&self, ctx: &Context<'_>, input: PasswordChangeInput) -> Result<PasswordChangePayload> {
        let op = Op::of(ctx);
        let changed = user::change_password(op, input.current_password, input.new_password);
        settle(op, changed.await, |user| PasswordChangePayload::done(User(user)))
    }
}
