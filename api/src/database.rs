//! PostgreSQL as the api uses it.

use std::time::Duration;

use anyhow::Context as _;
use headwater_platform::{Process, Secret};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

/// Longest wait for a free connection; a call that waits longer answers UNAVAILABLE.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// PostgreSQL ends a statement that runs longer, milliseconds.
const STATEMENT_TIMEOUT_MS: &str = "5000";
/// How often readiness asks PostgreSQL.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// PostgreSQL could not be asked, or answered with an error that nobody named.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer as it should")]
pub struct DatabaseError(#[from] pub(crate) sqlx::Error);

impl DatabaseError {
    /// The violated constraint, where that is what went wrong.
    pub fn constraint(&self) -> Option<&str> {
        self.0.as_database_error()?.constraint()
    }
}

/// A pool of connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// A pool of at most `connections`, opened when first used. Fails only for a malformed address.
    pub fn open(url: &Secret, connections: u32) -> anyhow::Result<Self> {
        // The cause may quote the address, password included.
        let options: PgConnectOptions = url
            .reveal()
            .parse()
            .map_err(|_| anyhow::anyhow!("HEADWATER_DATABASE_URL is malformed"))?;
        let options = options
            .application_name("headwater-api")
            .options([("statement_timeout", STATEMENT_TIMEOUT_MS)]);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Brings the schema up to date; does nothing when it is. Two callers wait for each other.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        sqlx::migrate!("../migrations")
            .run(&self.pool)
            .await
            .context("migrating the database failed")
    }

    /// Whether PostgreSQL answers and has the schema that this build knows.
    pub async fn check(&self) -> Result<(), DatabaseError> {
        sqlx::query("select 1 from playback_id limit 1")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives every connection back.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// Keeps the process's readiness in step with PostgreSQL until shutdown.
pub(crate) async fn watch(database: Database, process: Process) {
    let mut every = tokio::time::interval(WATCH_EVERY);
    let mut was_up = None;
    loop {
        tokio::select! {
            () = process.shutdown.cancelled() => return,
            _ = every.tick() => {}
        }
        match database.check().await {
            Ok(()) => {
                process.health.ready("database");
                if was_up == Some(false) {
                    tracing::info!("PostgreSQL answers again");
                }
                was_up = Some(true);
            }
            Err(error) => {
                process.health.unready("database", error.0.to_string());
                if was_up != Some(false) {
                    tracing::warn!("PostgreSQL does not answer: {}", error.0);
                }
                was_up = Some(false);
            }
        }
    }
}

/// An id as PostgreSQL gave it. A malformed one means that somebody wrote the table by hand.
pub(crate) fn id<T>(parsed: Result<T, headwater_model::IdError>) -> Result<T, DatabaseError> {
    word(parsed)
}

/// A word as PostgreSQL gave it. An unknown one means a newer schema than this build.
pub(crate) fn word<T, E>(parsed: Result<T, E>) -> Result<T, DatabaseError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    parsed.map_err(|error| DatabaseError(sqlx::Error::Decode(Box::new(error))))
}
