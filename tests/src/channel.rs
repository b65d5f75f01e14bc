//! Channels as `headwater channel create` makes them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::{dev, http};

/// What `headwater channel create --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct Channel {
    /// Public id of the channel.
    pub playback_id: String,
    /// Its id.
    pub channel_id: String,
    pub(crate) stream_key: String,
}

impl Channel {
    /// One that was made by other means.
    pub fn of(channel_id: String, playback_id: String, stream_key: String) -> Self {
        Self {
            playback_id,
            channel_id,
            stream_key,
        }
    }

    /// Makes one, with further options of the command.
    pub async fn create(database_url: &str, options: &[&str]) -> anyhow::Result<Self> {
        let made = Command::new(dev::binary()?)
            .args(["channel", "create", "--name", "A channel", "--json"])
            .args(options)
            .env("HEADWATER_DATABASE_URL", database_url)
            .output()
            .await?;
        if !made.status.success() {
            bail!("no channel: {}", String::from_utf8_lossy(&made.stderr));
        }
        serde_json::from_slice(&made.stdout).context("what was printed is no channel")
    }
}

/// Asks a `state.json` until the player's state is one of `states`, and returns what the player is told.
pub async fn wait_for_state(url: &str, states: &[&str], limit: Duration) -> anyhow::Result<serde_json::Value> {
    let mut seen = String::new();
    let reached = async {
        let mut every = tokio::time::interval(Duration::from_millis(100));
        loop {
            every.tick().await;
            let Ok(answer) = http::get(url).await else { continue };
            seen = answer.text();
            let Ok(state) = serde_json::from_str::<serde_json::Value>(&seen) else {
                continue;
            };
            if states.iter().any(|s| state["state"] == *s) {
                return state;
            }
        }
    };
    match tokio::time::timeout(limit, reached).await {
        Ok(state) => Ok(state),
        Err(_) => bail!("the channel did not become {states:?} within {limit:?}; last seen: {seen}"),
    }
}
