//! What can go wrong with a channel.

use headwater_model::ladder::PolicyError;

use super::New;
use crate::{DatabaseError, stream_key};

/// Why a channel was not created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such tenant.
    #[error("there is no tenant {0}")]
    UnknownTenant(headwater_model::TenantId),
    /// No such channel of this tenant.
    #[error("there is no channel {0}")]
    Unknown(headwater_model::ChannelId),
    /// Another channel of the tenant has the reference.
    #[error("another channel has the reference {0:?}")]
    ReferenceTaken(String),
    /// Empty or too long.
    #[error("a channel's {field} has 1 to 200 characters")]
    Length {
        /// `title` or `reference`.
        field: &'static str,
    },
    /// Out of bounds.
    #[error("a reconnect window is 0 to 3600 seconds, not {0}")]
    ReconnectWindow(u32),
    /// A ladder that cannot be made.
    #[error("the ladder cannot be made")]
    Ladder(#[from] PolicyError),
    /// Its first stream key.
    #[error("the channel's first stream key was not made")]
    StreamKey(#[from] stream_key::Error),
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Error {
    pub(super) fn of_write(error: sqlx::Error, new: &New) -> Self {
        let error = DatabaseError::from(error);
        match error.constraint() {
            Some("channel_tenant_fkey") => Self::UnknownTenant(new.tenant_id),
            Some("channel_reference_key") => Self::ReferenceTaken(new.reference.clone().unwrap_or_default()),
            Some("channel_reference_length") => Self::Length { field: "reference" },
            Some("channel_title_length") => Self::Length { field: "title" },
            Some("channel_reconnect_window") => Self::ReconnectWindow(new.reconnect_window_s),
            _ => Self::Database(error),
        }
    }
}
