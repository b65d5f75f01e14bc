//! The tenants' front door: GraphQL for people and programs, and for the other processes whose a stream key is and what a
//! playback id shows.
//!
//! The api writes every table but the scheduler's, which it reads. Each noun is a folder ([`tenant`], [`channel`],
//! [`stream_key`], [`broadcast`], ...): what it does, its SQL, its errors. Handlers ([`graphql`], [`grpc`], [`http`]) are
//! thin: parse, call a noun, render. A process keeps nothing; any number run side by side.
//!
//! Tenants stay apart twice. Everything that a caller does is done by an [`op::Op`], which knows who asks and where, and each
//! noun scopes its SQL by it. Under that, the process works in PostgreSQL roles that own nothing and bypass nothing:
//! `headwater_door` before a tenant is known, `headwater_tenant` after, for whom row-level security hides every row of another
//! tenant. What a change of data and its line in the audit log have in common is one transaction.
//!
//! [`run`] is the process. The nouns are also called from the command line:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use headwater_api::{Database, channel, tenant};
//!
//! let database = Database::open(&"postgres://headwater@127.0.0.1/headwater".parse()?, 2)?;
//! database.migrate().await?;
//! let tenant = tenant::ensure(&database, "example", "Example Ltd").await?;
//! let made = channel::create(&database, channel::New::titled(tenant.id, "Town hall")).await?;
//! println!("{} plays at {}", made.stream_key.expose(), made.playback_id);
//! # Ok(()) }
//! ```

pub mod access;
pub mod api_token;
pub mod asset;
pub mod audit;
pub mod broadcast;
mod changes;
pub mod channel;
mod config;
mod cookie;
mod database;
pub mod demo;
pub mod fuzz;
pub mod graphql;
pub mod grpc;
pub mod health;
pub mod http;
pub mod idempotency;
pub mod invitation;
mod limits;
pub mod mail;
pub mod member;
pub mod oidc;
pub mod op;
mod outbound;
pub mod page;
pub mod playback_id;
pub mod playback_token;
pub mod problem;
pub mod reseal;
mod seal;
pub mod second_factor;
mod secret;
pub mod session;
pub mod stream_key;
pub mod tenant;
mod together;
mod urls;
pub mod user;
pub mod webhook;

use std::time::Duration;

use anyhow::Context as _;
use headwater_platform::{Process, rpc};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{Config, DatabaseConfig, MailConfig, OidcConfig};
pub use database::{Database, DatabaseError};
pub use seal::Seals;
pub use urls::Urls;

use asset::purge::{self, Purger};
use mail::Postman;
use op::Services;
use reseal::Resealer;
use webhook::{Deliverer, Guard, Rules};

/// How often idempotency keys and events whose time is over are removed.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Bound listeners, so that a caller that bound port 0 can say where they are.
pub struct Listeners {
    /// HTTP for people and probes.
    pub http: TcpListener,
    /// gRPC for edges and origins.
    pub rpc: TcpListener,
}

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = async |name: &str, address| {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("{name}: cannot listen on {address}"))
        };
        Ok(Self {
            http: bind("HEADWATER_API_LISTEN", config.api_listen).await?,
            rpc: bind("HEADWATER_API_RPC_LISTEN", config.api_rpc_listen).await?,
        })
    }
}

/// Runs the api until the process shuts down. Does not need the database to be up: calls that do answer UNAVAILABLE.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    let listeners = Listeners::bind(&config).await?;
    serve(config, listeners, process).await
}

/// As [`run`], on listeners that are bound already.
pub async fn serve(config: Config, listeners: Listeners, process: Process) -> anyhow::Result<()> {
    let database = config.database.serve()?;
    let seals = Seals::new(&config.api_sealing_keys, &config.rpc.rpc_secret);
    let guard = Guard::new(&config.api_webhook_allow);
    let services = Services::new(
        database.clone(),
        config.hints.open()?,
        config.urls.clone(),
        seals,
        guard,
    )
    .with_asset_undo(Duration::from_secs(config.api_asset_undo_s.into()))
    .with_mail(config.mail.mailer()?)
    .with_provider(config.oidc.provider()?);
    tracing::info!(
        "api serves HTTP on {} and gRPC on {}",
        listeners.http.local_addr()?,
        listeners.rpc.local_addr()?
    );
    process.health.ready("listeners");
    // Each with a stack of its own: polled inside one another they would fill one.
    let mut jobs = JoinSet::new();
    let stop = || process.shutdown.clone();
    jobs.spawn(database::watch(database.clone(), process.clone()));
    jobs.spawn(services.clone().listen(stop()));
    jobs.spawn(health::keep::keep(services.clone(), stop()));
    jobs.spawn(Deliverer::new(&services, Rules::default(), stop()).run());
    jobs.spawn(Purger::new(database.clone(), config.store.open(), purge::Pace::default()).run(stop()));
    jobs.spawn(Resealer::new(database.clone(), services.seals.clone(), reseal::Rules::default()).run(stop()));
    jobs.spawn(Postman::new(&services, mail::Rules::default(), stop()).run());
    jobs.spawn(forget_old(database.clone(), stop()));
    let seals = services.seals.clone();
    let api = http::Api::new(services, config.api_rate_per_minute, stop()).behind(config.api_trusted_proxies.clone());
    let rpc = rpc::serve(
        listeners.rpc,
        grpc::routes(&database),
        &config.rpc,
        stop().cancelled_owned(),
    );
    let working = async {
        while let Some(ended) = jobs.join_next().await {
            ended.context("a background job of the api broke off")?;
        }
        Ok(())
    };
    let ended = tokio::try_join!(
        working,
        Box::pin(http::serve(listeners.http, api, stop())),
        Box::pin(rpc),
        Box::pin(seal::watch(&database, &seals, &process)),
    );
    process.shutdown.cancel();
    while jobs.join_next().await.is_some() {}
    database.close().await;
    ended.map(|_| ())
}

/// Removes what is past its time, now and then, until `stop` fires.
async fn forget_old(database: Database, stop: CancellationToken) {
    let mut every = tokio::time::interval(FORGET_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if let Err(DatabaseError(error)) = idempotency::forget_old(&database).await {
            tracing::debug!("old idempotency keys are removed later: {error}");
        }
        if let Err(DatabaseError(error)) = playback_token::forget_old(&database).await {
            tracing::debug!("old revocations are removed later: {error}");
        }
        if let Err(DatabaseError(error)) = webhook::forget_old(&database).await {
            tracing::debug!("old events are removed later: {error}");
        }
        if let Err(DatabaseError(error)) = mail::forget_old(&database).await {
            tracing::debug!("old mail is removed later: {error}");
        }
    }
}
