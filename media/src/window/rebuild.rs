//! A window from nothing but the store: a listing of keys, and the epochs' descriptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::edit::{EPOCHS_MAX, RENDITIONS_MAX, SEGMENTS_MAX};
use super::key::{Key, SegmentName};
use super::{Epoch, Segment, Settings, Window};
use crate::segmenter::LatencyMode;

/// What `epoch-{first_seq}.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `low` or `standard`.
    pub latency_mode: String,
    /// Who wrote it.
    pub generation: u64,
    /// The presentation from there on.
    pub epoch: Epoch,
}

/// What `index.json` holds: the replay without a listing of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Every epoch, in any order.
    pub epochs: Vec<Description>,
    /// Every segment that the replay lists: key without the broadcast's prefix, and bytes.
    pub segments: Vec<(String, u64)>,
}

impl Index {
    /// The replay: a window that has ended.
    pub fn window(self) -> Result<Window, RebuildError> {
        let keys = self.segments.iter().map(|(key, size)| (key.as_str(), *size));
        let mut window = Window::rebuild(self.epochs, keys)?;
        window.finish();
        Ok(window)
    }
}

/// Why no window can be made of a listing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// Nothing says what the segments are.
    #[error("no epoch is described")]
    NoEpoch,
    /// A description from another time.
    #[error("the epoch at segment {first_seq} has the unknown latency mode {word:?}")]
    LatencyMode {
        /// First segment of the epoch.
        first_seq: u64,
        /// What it says.
        word: String,
    },
    /// More than a broadcast may have.
    #[error("{count} {what}; at most {max} are kept")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        max: usize,
    },
}

impl Window {
    /// Makes a window of the epochs' descriptions and of the keys under the broadcast's prefix (without the prefix;
    /// keys that are not segments are passed over). For each rendition and number the highest generation wins, and
    /// what a generation wrote after a later one had started is left out. The window has not ended: the caller
    /// knows whether it has.
    pub fn rebuild<'a>(
        descriptions: Vec<Description>,
        keys: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Result<Self, RebuildError> {
        let first = descriptions
            .iter()
            .min_by_key(|d| d.epoch.first_seq)
            .ok_or(RebuildError::NoEpoch)?;
        let latency = LatencyMode::parse(&first.latency_mode).ok_or_else(|| RebuildError::LatencyMode {
            first_seq: first.epoch.first_seq,
            word: first.latency_mode.clone(),
        })?;
        let mut window = Self::new(Settings { latency });
        limit("epochs", descriptions.len(), EPOCHS_MAX)?;
        let mut epochs: BTreeMap<u64, Description> = BTreeMap::new();
        for description in descriptions {
            limit("renditions", description.epoch.renditions.len(), RENDITIONS_MAX)?;
            window.generation = window.generation.max(description.generation);
            let first_seq = description.epoch.first_seq;
            match epochs.get(&first_seq) {
                Some(known) if known.generation >= description.generation => {}
                _ => drop(epochs.insert(first_seq, description)),
            }
        }
        window.epochs = epochs.into_values().map(|d| d.epoch).collect();

        let mut best: BTreeMap<(u64, &str), (SegmentName, u64)> = BTreeMap::new();
        for (key, size_bytes) in keys {
            let Key::Segment { rendition, name } = Key::parse(key) else {
                continue;
            };
            let known = window
                .epoch_of(name.seq)
                .and_then(|(_, epoch)| epoch.rendition(rendition))
                .is_some();
            if !known {
                continue;
            }
            limit("segments", best.len(), SEGMENTS_MAX * RENDITIONS_MAX)?;
            let entry = best.entry((name.seq, rendition)).or_insert((name, size_bytes));
            if entry.0.generation < name.generation {
                *entry = (name, size_bytes);
            }
        }
        // Ascending by number: `before` is the highest generation that wrote an earlier number.
        let (mut before, mut current, mut at) = (0, 0, None);
        for ((seq, rendition), (name, size_bytes)) in best {
            if at != Some(seq) {
                (before, at) = (current, Some(seq));
            }
            if name.generation < before {
                continue;
            }
            current = current.max(name.generation);
            window
                .tracks
                .entry(rendition.to_owned())
                .or_default()
                .segments
                .push_back(Segment {
                    seq,
                    generation: name.generation,
                    decode_time: name.decode_time,
                    duration: name.duration,
                    size_bytes,
                    parts: Vec::new(),
                });
        }
        window.generation = window.generation.max(current);
        window.changed();
        Ok(window)
    }
}

fn limit(what: &'static str, count: usize, max: usize) -> Result<(), RebuildError> {
    if count > max {
        Err(RebuildError::TooMany { what, count, max })
    } else {
        Ok(())
    }
}
