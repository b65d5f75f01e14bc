//! PostgreSQL as the scheduler uses it: a pool for calls, one connection that leads.

use std::time::Duration;

use headwater_model::IdError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::config::DatabaseConfig;

/// Longest wait for a free connection; a call that waits longer answers UNAVAILABLE.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that nobody has used for so long are closed: each is a process of PostgreSQL's with some 5 MiB.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// PostgreSQL ends a statement that runs longer, milliseconds.
const STATEMENT_TIMEOUT_MS: &str = "5000";
/// The advisory lock that the leading scheduler holds: "headwate" in ASCII.
const LEADER_LOCK: i64 = 0x6865_6164_7761_7465;

/// PostgreSQL could not be asked, or answered with an error that nobody named.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer as it should")]
pub struct DatabaseError(#[from] pub(crate) sqlx::Error);

/// Addresses and a pool; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    options: PgConnectOptions,
    pool: PgPool,
}

impl Database {
    /// Fails only for a malformed address.
    pub(crate) fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        // The cause may quote the address, password included.
        let options: PgConnectOptions = config
            .database_url
            .reveal()
            .parse()
            .map_err(|_| anyhow::anyhow!("HEADWATER_DATABASE_URL is malformed"))?;
        let options = options.application_name("headwater-scheduler").options([
            ("statement_timeout", STATEMENT_TIMEOUT_MS),
            // A leader that vanished with its machine loses its lock within seconds.
            ("tcp_keepalives_idle", "2"),
            ("tcp_keepalives_interval", "1"),
            ("tcp_keepalives_count", "3"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.scheduler_database_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .connect_lazy_with(options.clone());
        Ok(Self { options, pool })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection of its own, to lead with.
    pub(crate) async fn candidate(&self) -> Result<Candidate, DatabaseError> {
        Ok(Candidate {
            connection: self.options.connect().await?,
        })
    }
}

/// A connection that may come to lead. The lock belongs to the session: when the connection ends, for whatever
/// reason, so does the lead, and nothing more can be written through it.
pub(crate) struct Candidate {
    connection: PgConnection,
}

impl Candidate {
    /// Takes the lead if nobody has it.
    pub(crate) async fn try_lead(&mut self) -> Result<bool, DatabaseError> {
        let leads = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LEADER_LOCK);
        Ok(leads.fetch_one(&mut self.connection).await?)
    }

    /// The connection that leads.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Gives the lead up at once.
    pub(crate) async fn close(self) {
        // The server notices a connection that ends without a farewell as well.
        let _ = self.connection.close().await;
    }
}

/// An id as PostgreSQL gave it. A malformed one means that somebody wrote the table by hand.
pub(crate) fn id<T>(parsed: Result<T, IdError>) -> Result<T, DatabaseError> {
    word(parsed)
}

/// A word as PostgreSQL gave it. An unknown one means a newer schema than this build.
pub(crate) fn word<T, E>(parsed: Result<T, E>) -> Result<T, DatabaseError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    parsed.map_err(|error| DatabaseError(sqlx::Error::Decode(Box::new(error))))
}
