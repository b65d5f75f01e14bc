//! What can go wrong with a stream key, and what its holder is told.

use chrono::{DateTime, Utc};
use headwater_model::{ChannelId, StreamKeyId};

use crate::DatabaseError;

/// Why a key was not created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such channel of this tenant.
    #[error("there is no channel {0}")]
    UnknownChannel(ChannelId),
    /// No such key of this tenant.
    #[error("there is no stream key {0}")]
    Unknown(StreamKeyId),
    /// The very same key exists.
    #[error("this stream key is in use already")]
    Taken,
    /// Too long.
    #[error("a stream key's label has at most 200 characters")]
    LabelLength,
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Error {
    pub(super) fn of_write(error: sqlx::Error, channel: ChannelId) -> Self {
        let error = DatabaseError::from(error);
        match error.constraint() {
            Some("stream_key_channel_fkey") => Self::UnknownChannel(channel),
            Some("stream_key_sha256_key") => Self::Taken,
            Some("stream_key_label_length") => Self::LabelLength,
            _ => Self::Database(error),
        }
    }
}

/// Why a publisher is not let in. `Display` is the sentence that the streamer reads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a stream key at all.
    #[error(
        "This is not a stream key: one starts with sk_ and has 35 characters. Copy it again from your channel's settings."
    )]
    Malformed,
    /// Nobody's key.
    #[error("This stream key is not known. Copy the current one from your channel's settings.")]
    Unknown,
    /// Its owner took it back.
    #[error("This stream key was revoked. Copy the current one from your channel's settings.")]
    Revoked,
    /// Its time is over.
    #[error(
        "This stream key expired on {}. Make a new one in your channel's settings.",
        .at.format("%Y-%m-%d at %H:%M UTC")
    )]
    Expired {
        /// When.
        at: DateTime<Utc>,
    },
    /// Its tenant may not publish.
    #[error("This account is suspended, so it cannot go live. Its owner finds out why in the account's settings.")]
    Suspended,
    /// Its channel lets nobody publish.
    #[error("This channel is switched off, so it cannot go live. Switch it on in the channel's settings.")]
    Disabled,
    /// PostgreSQL.
    #[error("Stream keys cannot be checked right now. Try again in a few seconds.")]
    Database(#[from] DatabaseError),
}

impl Refusal {
    /// One word, for metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired { .. } => "expired",
            Self::Suspended => "suspended",
            Self::Disabled => "disabled",
            Self::Database(_) => "unavailable",
        }
    }
}
