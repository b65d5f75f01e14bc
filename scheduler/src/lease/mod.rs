//! Leases: the time-limited, fenced right to write one broadcast.
//!
//! Every write names the generation that it believes in. One that is refused is [`Error::Fenced`]: somebody else has
//! gone on, and the only right thing is to stop and look again.

mod queries;

use headwater_model::{BroadcastId, Ladder, WorkerId};
use sqlx::PgConnection;

use crate::database::DatabaseError;
use crate::plan::Timestamp;

/// A lease that nobody renews is over after this long, milliseconds. While no scheduler leads it may run out; its
/// worker goes on all the same, until a scheduler hears that somebody else should.
pub const LEASE_FOR_MS: i64 = 30_000;
/// Leases are renewed this often, milliseconds: one statement for all of them.
pub const RENEW_EVERY_MS: i64 = 10_000;

/// Why a lease was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another lease was written meanwhile, or the broadcast has ended.
    #[error("generation {generation} of {broadcast} is not the one to go on from")]
    Fenced {
        /// Which broadcast.
        broadcast: BroadcastId,
        /// The generation that the write would have made or kept.
        generation: u64,
    },
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A lease to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'a> {
    pub(crate) broadcast: BroadcastId,
    pub(crate) generation: u64,
    pub(crate) replaces: Option<u64>,
    pub(crate) worker: WorkerId,
    pub(crate) worker_url: &'a str,
    pub(crate) ladder: &'a Ladder,
    pub(crate) wanted: &'a Ladder,
}

/// Grants a lease. Fenced when `replaces` is no longer the newest.
pub(crate) async fn grant(to: &mut PgConnection, new: New<'_>, now: Timestamp) -> Result<(), Error> {
    let written = match new.replaces {
        None => queries::insert(to, &new, now).await?,
        Some(replaced) => queries::replace(to, &new, replaced, now).await?,
    };
    fenced_unless(written, new.broadcast, new.generation)
}

/// Notes that the worker has confirmed the lease and pulls from `edge_url`.
pub(crate) async fn acknowledge(
    to: &mut PgConnection,
    broadcast: BroadcastId,
    generation: u64,
    edge_url: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let written = queries::acknowledge(to, broadcast, generation, edge_url, now).await?;
    fenced_unless(written, broadcast, generation)
}

/// Renews the leases that workers were heard to hold. Those that were replaced meanwhile are passed over.
pub(crate) async fn renew(
    to: &mut PgConnection,
    held: &[(BroadcastId, u64)],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    match held.is_empty() {
        true => Ok(()),
        false => queries::renew(to, held, Timestamp(now.0 + LEASE_FOR_MS)).await,
    }
}

fn fenced_unless(written: bool, broadcast: BroadcastId, generation: u64) -> Result<(), Error> {
    match written {
        true => Ok(()),
        false => Err(Error::Fenced { broadcast, generation }),
    }
}
