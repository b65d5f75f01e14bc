//! What can go wrong with a broadcast.

use headwater_model::{BroadcastId, ChannelId, PublishId};

use crate::database::DatabaseError;

/// Why a broadcast was not opened, reported on or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such channel of this tenant.
    #[error("there is no channel {0}")]
    UnknownChannel(ChannelId),
    /// No such broadcast, or it never had a lease.
    #[error("there is no broadcast {0}")]
    Unknown(BroadcastId),
    /// A later publish of the channel sends in its place.
    #[error("another encoder has taken over this channel from {0}")]
    TakenOver(PublishId),
    /// It ended, and its edge asks again.
    #[error("the broadcast of {0} has ended")]
    Over(PublishId),
    /// The publish belongs to another channel.
    #[error("{0} belongs to another channel")]
    Elsewhere(PublishId),
    /// A worker that has been replaced.
    #[error("the newest lease of {broadcast} has generation {newest}")]
    Fenced {
        /// Which broadcast.
        broadcast: BroadcastId,
        /// The generation that counts.
        newest: u64,
    },
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DatabaseError(error))
    }
}
