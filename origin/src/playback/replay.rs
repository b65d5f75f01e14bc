//! Finished broadcasts, and the past of running ones, from the object store alone.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use headwater_media::window::key::{self, Key};
use headwater_media::window::{Description, Index, RebuildError, Window};

use super::objects::{Objects, ReadError};

/// Descriptions of epochs read at once.
const DESCRIPTIONS_AT_ONCE: usize = 8;

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReplayError {
    /// The store has nothing of this broadcast, or does not answer.
    #[error("could not read {key}")]
    Read {
        /// What was read.
        key: String,
        /// Why not.
        #[source]
        source: ReadError,
    },
    /// An object is not what its name says.
    #[error("{key} is malformed")]
    Malformed {
        /// Which object.
        key: String,
        /// Where in it.
        #[source]
        source: serde_json::Error,
    },
    /// The objects do not make a broadcast.
    #[error("the objects under {prefix} make no broadcast")]
    Rebuild {
        /// Where they lie.
        prefix: String,
        /// Why not.
        #[source]
        source: RebuildError,
    },
}

impl ReplayError {
    /// Whether another attempt may succeed although nothing was written in between.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Read {
                source: ReadError::Unavailable,
                ..
            }
        )
    }
}

/// What the store's keys say of a broadcast, whether it runs or not. The window has not ended.
pub(crate) async fn rebuild(objects: &Arc<Objects>, tenant: &str, broadcast: &str) -> Result<Window, ReplayError> {
    let prefix = key::prefix(tenant, broadcast);
    let read = |key: &str, source| ReplayError::Read {
        key: key.to_string(),
        source,
    };
    let listed = objects.list(&prefix).await.map_err(|source| read(&prefix, source))?;
    let relative = |key: &str| key.strip_prefix(&prefix).unwrap_or_default().to_string();
    let mut keys: Vec<(String, u64)> = Vec::with_capacity(listed.len());
    let mut epochs = Vec::new();
    for object in listed {
        match Key::parse(&relative(&object.key)) {
            Key::Epoch { .. } => epochs.push(object.key),
            Key::Segment { .. } => keys.push((relative(&object.key), object.size)),
            _ => {}
        }
    }
    let descriptions: Vec<Result<Description, ReplayError>> = stream::iter(epochs)
        .map(|key| async move {
            let bytes = objects.get_fresh(&key).await.map_err(|source| read(&key, source))?;
            serde_json::from_slice(&bytes).map_err(|source| ReplayError::Malformed { key, source })
        })
        .buffered(DESCRIPTIONS_AT_ONCE)
        .collect()
        .await;
    let descriptions = descriptions.into_iter().collect::<Result<_, _>>()?;
    Window::rebuild(descriptions, keys.iter().map(|(key, size)| (key.as_str(), *size)))
        .map_err(|source| ReplayError::Rebuild { prefix, source })
}

/// A finished broadcast, and whether nothing of it is still being written: from its index, else from a listing.
pub(crate) async fn load(objects: &Arc<Objects>, tenant: &str, broadcast: &str) -> Result<(Window, bool), ReplayError> {
    let prefix = key::prefix(tenant, broadcast);
    let key = format!("{prefix}{}", Key::Index);
    match objects.get_fresh(&key).await {
        Ok(bytes) => {
            let index: Index =
                serde_json::from_slice(&bytes).map_err(|source| ReplayError::Malformed { key, source })?;
            let window = index
                .window()
                .map_err(|source| ReplayError::Rebuild { prefix, source })?;
            Ok((window, true))
        }
        // Whoever should have written the index could not: the objects say the same, in more words.
        Err(ReadError::NotFound) => {
            let mut window = rebuild(objects, tenant, broadcast).await?;
            window.finish();
            Ok((window, false))
        }
        Err(source) => Err(ReplayError::Read { key, source }),
    }
}
