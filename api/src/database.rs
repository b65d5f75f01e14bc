//! PostgreSQL as the api uses it.

use std::time::Duration;

use headwater_model::{TenantId, UserId};
use headwater_platform::{Process, Secret};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _};

/// Longest wait for a free connection; a call that waits longer answers UNAVAILABLE.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that nobody has used for so long are closed: each is a process of PostgreSQL's with some 5 MiB.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that was idle for longer is asked whether it still stands before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
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

    /// Whether a value of the caller's was at fault: SQLSTATE class 22, such as a damaged cursor or a zero character.
    pub fn input_at_fault(&self) -> bool {
        let state = self.0.as_database_error().and_then(|error| error.code());
        state.is_some_and(|state| state.starts_with("22"))
    }
}

/// A transaction in one of the roles of the api; dropping it undoes what it did.
pub(crate) type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// Goes on in `transaction`, which began at the door, as `tenant`.
pub(crate) async fn enter(transaction: &mut Tx, tenant: TenantId) -> Result<(), DatabaseError> {
    sqlx::query("select set_config('role', 'headwater_tenant', true), set_config('headwater.tenant_id', $1, true)")
        .bind(tenant.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A pool of connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// A pool of at most `connections`, opened when first used, for operators and migrations: it may do what the
    /// connecting role may. Fails only for a malformed address.
    pub fn open(url: &Secret, connections: u32) -> anyhow::Result<Self> {
        Self::pooled(url, connections, None)
    }

    /// As [`open`](Self::open), for serving: every connection works as `headwater_door`, which owns nothing and sees
    /// what stands before a tenant is known. [`tenant`](Self::tenant) narrows it to one tenant.
    pub fn serve(url: &Secret, connections: u32) -> anyhow::Result<Self> {
        Self::pooled(url, connections, Some("set role headwater_door"))
    }

    fn pooled(url: &Secret, connections: u32, first: Option<&'static str>) -> anyhow::Result<Self> {
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
            .idle_timeout(IDLE_TIMEOUT)
            // One that was used a moment ago is not asked again whether it is there.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_FOR {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if let Some(statement) = first {
                        sqlx::query(statement).execute(connection).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Brings the schema up to date; does nothing when it is. Two callers wait for each other.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let done = sqlx::migrate!("../migrations").run(&self.pool).await;
        done.map_err(|error| {
            // What an operator has to do stands in the hint, which an error does not show by itself.
            let hint = match &error {
                MigrateError::ExecuteMigration(sqlx::Error::Database(cause), _) => {
                    let cause = cause.try_downcast_ref::<PgDatabaseError>();
                    cause.and_then(PgDatabaseError::hint).map(str::to_owned)
                }
                _ => None,
            };
            let error = anyhow::Error::new(error).context("migrating the database failed");
            match hint {
                Some(hint) => error.context(hint),
                None => error,
            }
        })
    }

    /// Whether PostgreSQL answers and has the schema that this build knows.
    pub async fn check(&self) -> Result<(), DatabaseError> {
        sqlx::query(
            "select recording, (select count(*) from seal_check) from broadcast, session_at_the_door('', null) limit 1",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives every connection back.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that sees and changes `tenant` alone: PostgreSQL hides every other tenant's rows from it.
    pub(crate) async fn tenant(&self, tenant: TenantId) -> Result<Tx, DatabaseError> {
        // One round trip for all three; an id holds nothing but its alphabet.
        let begin = format!("begin; set local role headwater_tenant; set local headwater.tenant_id = '{tenant}'");
        Ok(self.pool.begin_with(AssertSqlSafe(begin)).await?)
    }

    /// A transaction before any tenant is known, on behalf of `user` where somebody is signed in.
    pub(crate) async fn door(&self, user: Option<UserId>) -> Result<Tx, DatabaseError> {
        let user = user.as_ref().map_or("", UserId::as_str);
        let begin = format!("begin; set local role headwater_door; set local headwater.user_id = '{user}'");
        Ok(self.pool.begin_with(AssertSqlSafe(begin)).await?)
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
