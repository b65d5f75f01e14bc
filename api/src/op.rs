//! One operation: who asks, for which tenant and environment, from where, under which trace.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use headwater_model::{ApiTokenId, BroadcastId, ChannelId, SessionId, TenantId, UserId};
use headwater_platform::hints::SharedHints;
use sqlx::PgConnection;

use crate::access::{Action, Environment, Role};
use crate::audit;
use crate::changes::Changes;
use crate::database::{Database, Tx};
use crate::health::watch::Watched;
use crate::idempotency::Repeat;
use crate::limits::Limits;
use crate::mail::Mailer;
use crate::oidc::Provider;
use crate::problem::{Answer, Problem};
use crate::seal::Seals;
use crate::together::Together;
use crate::urls::Urls;
use crate::webhook::Guard;

/// What every operation works with; cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub(crate) database: Database,
    pub(crate) hints: SharedHints,
    pub(crate) limits: Limits,
    pub(crate) changes: Changes,
    pub(crate) urls: Arc<Urls>,
    pub(crate) seals: Seals,
    pub(crate) webhooks: Guard,
    pub(crate) asset_undo: Duration,
    pub(crate) shared: SharedLooks,
    pub(crate) watched: Watched,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) oidc: Option<Provider>,
}

/// What subscriptions ask for together: channels, broadcasts, and whether a credential still stands.
#[derive(Clone, Default)]
pub(crate) struct SharedLooks {
    pub(crate) channels: Together<(TenantId, Environment, ChannelId), Option<crate::channel::Channel>>,
    pub(crate) broadcasts: Together<(TenantId, Environment, BroadcastId), Option<crate::broadcast::Entry>>,
    pub(crate) credentials: Together<(String, Option<TenantId>, Option<Role>), bool>,
}

/// How long a deleted replay can be restored where nobody says otherwise.
const ASSET_UNDO: Duration = Duration::from_secs(86_400);

impl Services {
    /// Over this database and these hints. `seals` close what must come back in the clear, `webhooks` judges where tenants may
    /// have messages sent.
    pub fn new(database: Database, hints: SharedHints, urls: Urls, seals: Seals, webhooks: Guard) -> Self {
        Self {
            database,
            limits: Limits::new(hints.clone()),
            hints,
            changes: Changes::default(),
            urls: Arc::new(urls),
            seals,
            webhooks,
            asset_undo: ASSET_UNDO,
            shared: SharedLooks::default(),
            watched: Watched::default(),
            mailer: None,
            oidc: None,
        }
    }

    /// Deleted replays can be restored for so long.
    pub fn with_asset_undo(self, asset_undo: Duration) -> Self {
        Self { asset_undo, ..self }
    }

    /// With mail, which is not sent otherwise.
    pub fn with_mail(self, mailer: Option<Mailer>) -> Self {
        Self { mailer, ..self }
    }

    /// With a provider that people sign in with, besides their passwords.
    pub fn with_provider(self, oidc: Option<Provider>) -> Self {
        Self { oidc, ..self }
    }

    /// Listens for changes until `stop` fires; without it subscriptions stay silent.
    pub async fn listen(self, stop: tokio_util::sync::CancellationToken) {
        let pool = self.database.pool().clone();
        self.changes.listen(pool, stop).await;
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Actor {
    /// Nobody that we know.
    Nobody,
    /// A person, signed in.
    User {
        /// Who.
        user_id: UserId,
        /// In which browser.
        session_id: SessionId,
        /// For the audit log.
        name: String,
    },
    /// A program.
    Token {
        /// Which token.
        token_id: ApiTokenId,
        /// For the audit log.
        name: String,
        /// What it may do.
        actions: Vec<Action>,
    },
}

/// Where the operation takes place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whose data.
    pub tenant_id: TenantId,
    /// Live or test.
    pub environment: Environment,
    /// What the person is there; `None` for a token.
    pub role: Option<Role>,
}

/// The other end of the connection, for the audit log and throttles.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Network address.
    pub ip: Option<IpAddr>,
    /// What it says it is, at most [`USER_AGENT_CHARS_MAX`] characters.
    pub user_agent: String,
    /// Trace that its changes belong to.
    pub trace_id: Option<String>,
}

/// Characters of a user agent that are kept.
pub const USER_AGENT_CHARS_MAX: usize = 300;

impl Caller {
    pub(crate) fn address(&self) -> String {
        self.ip.map(|ip| ip.to_string()).unwrap_or_default()
    }
}

/// See the [module](self). Cheap to clone.
#[derive(Clone)]
pub struct Op(Arc<Inner>);

struct Inner {
    services: Services,
    actor: Actor,
    place: Option<Place>,
    caller: Caller,
    repeat: Option<Arc<Repeat>>,
}

impl Op {
    /// Puts one together.
    pub fn new(services: Services, actor: Actor, place: Option<Place>, caller: Caller) -> Self {
        Self(Arc::new(Inner {
            services,
            actor,
            place,
            caller,
            repeat: None,
        }))
    }

    /// The same operation, asked for under an idempotency key.
    pub(crate) fn repeatable(&self, repeat: Arc<Repeat>) -> Self {
        Self(Arc::new(Inner {
            services: self.0.services.clone(),
            actor: self.0.actor.clone(),
            place: self.0.place,
            caller: self.0.caller.clone(),
            repeat: Some(repeat),
        }))
    }

    /// The same operation by somebody who has just signed up.
    pub(crate) fn signed_in(&self, user_id: UserId, session_id: SessionId, name: &str) -> Self {
        let actor = Actor::User {
            user_id,
            session_id,
            name: name.to_owned(),
        };
        Self::new(self.0.services.clone(), actor, None, self.0.caller.clone())
    }

    /// Whether the credential and the role that this operation began with still stand: asked again and again by
    /// subscriptions, which outlive them.
    pub(crate) async fn stands(&self) -> Answer<bool> {
        match self.actor() {
            Actor::Nobody => Ok(false),
            Actor::Token { token_id, .. } => crate::api_token::stands(self.services(), *token_id).await,
            Actor::User {
                user_id, session_id, ..
            } => crate::session::stands(self.services(), *user_id, *session_id, self.0.place).await,
        }
    }

    /// The operation of a resolver.
    pub fn of<'c>(ctx: &Context<'c>) -> &'c Self {
        ctx.data_unchecked::<Self>()
    }

    /// What it works with.
    pub fn services(&self) -> &Services {
        &self.0.services
    }

    /// Who asks.
    pub fn actor(&self) -> &Actor {
        &self.0.actor
    }

    /// Where, if that is known; whether the actor may do anything there is another question.
    pub fn place(&self) -> Option<Place> {
        self.0.place
    }

    /// From where.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The signed-in person.
    pub fn user(&self) -> Answer<UserId> {
        match &self.0.actor {
            Actor::User { user_id, .. } => Ok(*user_id),
            Actor::Token { .. } => Err(Problem::forbidden(
                "Only a signed-in person can do this, not an API token.",
            )),
            Actor::Nobody => Err(unauthenticated()),
        }
    }

    /// What the actor may do at its place.
    pub fn actions(&self) -> &[Action] {
        match (&self.0.actor, self.0.place) {
            (Actor::Token { actions, .. }, Some(_)) => actions,
            (Actor::User { .. }, Some(Place { role: Some(role), .. })) => role.actions(),
            _ => &[],
        }
    }

    /// Refuses an actor that may not do this. Returns where it is done.
    pub fn require(&self, action: Action) -> Answer<Place> {
        if let Actor::Nobody = self.0.actor {
            return Err(unauthenticated());
        }
        let Some(place) = self.0.place else {
            let sentence = "Choose one of your tenants with the header Headwater-Tenant.";
            return Err(Problem::forbidden(sentence));
        };
        if !self.actions().contains(&action) {
            let holder = match place.role {
                Some(role) => format!("The role {}", role.as_str()),
                None => "This token".to_owned(),
            };
            let sentence = format!("{holder} does not allow {}.", action.as_str().to_uppercase());
            return Err(Problem::forbidden(sentence));
        }
        Ok(place)
    }

    /// A transaction to look at the tenant's data in.
    pub(crate) async fn look(&self, place: Place) -> Answer<Tx> {
        Ok(self.0.services.database.tenant(place.tenant_id).await?)
    }

    /// A transaction to change the tenant's data in.
    pub(crate) async fn change(&self, place: Place) -> Answer<Change> {
        let tx = self.0.services.database.tenant(place.tenant_id).await?;
        self.change_in(tx, place).await
    }

    /// As [`change`](Self::change), in a transaction that has come to the tenant by another way.
    pub(crate) async fn change_in(&self, mut tx: Tx, place: Place) -> Answer<Change> {
        if let Some(repeat) = &self.0.repeat {
            repeat.note(&mut tx).await?;
        }
        Ok(Change {
            tx,
            op: self.clone(),
            place,
        })
    }
}

fn unauthenticated() -> Problem {
    Problem::unauthenticated("Sign in, or send an API token: Authorization: Bearer hw_live_…")
}

/// A change of one tenant's data: all of it and its lines in the audit log, or nothing.
pub(crate) struct Change {
    tx: Tx,
    op: Op,
    place: Place,
}

impl Change {
    /// Where the change takes place.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// What to send statements to.
    pub(crate) fn on(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Writes a line in the audit log.
    pub(crate) async fn record(&mut self, entry: audit::New<'_>) -> Answer<()> {
        audit::insert(&mut self.tx, &self.op, self.place, entry).await
    }

    /// Makes it so.
    pub(crate) async fn commit(self) -> Answer<()> {
        self.tx.commit().await?;
        if let Some(repeat) = &self.op.0.repeat {
            repeat.committed();
        }
        Ok(())
    }
}
