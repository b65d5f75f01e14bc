//! The demo tenant and channel of a fresh installation.

use anyhow::Context as _;
use headwater_model::ladder::Policy;
use headwater_model::{ChannelId, PlaybackId, StreamKey, TenantId};

use crate::{Database, channel, stream_key, tenant, user};

/// Address with which the demo tenant's owner signs in.
pub const EMAIL: &str = "demo@headwater.example";

/// The demo channel, ready to publish to.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its id.
    pub channel_id: ChannelId,
    /// Where it plays.
    pub playback_id: PlaybackId,
}

/// Makes sure that the demo tenant and channel exist, that `key` lets a publisher in, and that the next broadcast gets
/// `ladder`. Calling again changes nothing; calling with another key adds that key.
pub async fn ensure(database: &Database, key: &StreamKey, ladder: Policy) -> anyhow::Result<Demo> {
    const REFERENCE: &str = "demo";
    let tenant = tenant::ensure(database, "demo", "Demo").await?;
    let found = match channel::by_reference(database, tenant.id, REFERENCE).await? {
        Some(found) => {
            channel::set_ladder(database, tenant.id, found.channel_id, &ladder).await?;
            found
        }
        None => {
            let new = channel::New {
                reference: Some(REFERENCE.to_owned()),
                stream_key: Some(key.clone()),
                ladder,
                ..channel::New::titled(tenant.id, "Demo")
            };
            let created = channel::create(database, new).await?;
            channel::Found {
                channel_id: created.channel_id,
                playback_id: created.playback_id,
            }
        }
    };
    let demo = Demo {
        tenant_id: tenant.id,
        channel_id: found.channel_id,
        playback_id: found.playback_id,
    };
    let new = stream_key::New {
        tenant_id: demo.tenant_id,
        channel_id: demo.channel_id,
        key: key.clone(),
        label: "demo".to_owned(),
        expires_at: None,
    };
    match stream_key::create(database, new).await {
        Ok(_) | Err(stream_key::Error::Taken) => {}
        Err(error) => return Err(error).context("the demo channel's stream key"),
    }
    let grant = stream_key::authorize(database, key.expose(), chrono::Utc::now()).await?;
    anyhow::ensure!(
        grant.channel_id == demo.channel_id,
        "the demo stream key belongs to another channel"
    );
    Ok(demo)
}

/// Makes sure that somebody owns the demo tenant and signs in with [`EMAIL`] and `password`.
pub async fn ensure_owner(database: &Database, demo: &Demo, password: &str) -> anyhow::Result<()> {
    match user::ensure(database, demo.tenant_id, EMAIL, "Demo", password).await {
        Ok(_) => Ok(()),
        Err(problem) => anyhow::bail!("the demo tenant's owner was not made: {}", problem.message()),
    }
}
