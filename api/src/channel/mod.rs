//! Channels: the lasting addresses that tenants publish to and viewers watch.

mod error;
mod managed;
mod queries;

use headwater_model::ladder::Policy;
use headwater_model::{ChannelId, LatencyMode, PlaybackId, StreamKey, StreamKeyId, TenantId};

pub use error::Error;
pub use managed::{
    Channel, Filter, Settings, SortBy, State, by_id, by_ids, create_for, delete, list, of_reference, update,
};
pub(crate) use managed::{check_metadata, hold};

use crate::Database;

/// What a new channel is to be.
#[derive(Clone, Debug)]
pub struct New {
    /// Whose.
    pub tenant_id: TenantId,
    /// For people; 1 to 200 characters.
    pub title: String,
    /// The tenant's own name for it, unique within the tenant.
    pub reference: Option<String>,
    /// Delay against quality.
    pub latency_mode: LatencyMode,
    /// Seconds within which a publisher that vanished continues its broadcast; 0 to 3600.
    pub reconnect_window_s: u32,
    /// Which renditions.
    pub ladder: Policy,
    /// The first stream key; `None`: a random one.
    pub stream_key: Option<StreamKey>,
}

impl New {
    /// A channel with the service's own settings.
    pub fn titled(tenant_id: TenantId, title: impl Into<String>) -> Self {
        Self {
            tenant_id,
            title: title.into(),
            reference: None,
            latency_mode: LatencyMode::default(),
            reconnect_window_s: 60,
            ladder: Policy::default(),
            stream_key: None,
        }
    }
}

/// A channel that was just made.
#[derive(Clone, Debug)]
pub struct Created {
    /// Its id.
    pub channel_id: ChannelId,
    /// What its public addresses carry.
    pub playback_id: PlaybackId,
    /// Its first key's id.
    pub stream_key_id: StreamKeyId,
    /// Its first key, to be shown once.
    pub stream_key: StreamKey,
}

/// Creates a channel with its first stream key and playback id, all or nothing.
pub async fn create(database: &Database, new: New) -> Result<Created, Error> {
    new.ladder.validate()?;
    let created = Created {
        channel_id: ChannelId::random(),
        playback_id: PlaybackId::random(),
        stream_key_id: StreamKeyId::random(),
        stream_key: new.stream_key.clone().unwrap_or_else(StreamKey::random),
    };
    queries::insert(database, &new, &created).await?;
    tracing::info!(tenant.id = %new.tenant_id, channel.id = %created.channel_id, "created channel {}", created.channel_id);
    Ok(created)
}

/// A channel and where it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub channel_id: ChannelId,
    /// The oldest of its playback ids.
    pub playback_id: PlaybackId,
}

/// The tenant's channel of this reference.
pub async fn by_reference(database: &Database, tenant: TenantId, reference: &str) -> Result<Option<Found>, Error> {
    Ok(queries::by_reference(database, tenant, reference).await?)
}

/// Changes which renditions the channel's next broadcast gets; one on air keeps its own.
pub async fn set_ladder(
    database: &Database,
    tenant: TenantId,
    channel: ChannelId,
    ladder: &Policy,
) -> Result<(), Error> {
    ladder.validate()?;
    queries::set_ladder(database, tenant, channel, ladder).await
}
