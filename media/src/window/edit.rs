//! How a window changes: events of a worker, and trimming.

use super::{Epoch, OpenSegment, Part, Segment, Track, Window};

/// Epochs of one broadcast.
pub const EPOCHS_MAX: usize = 4_096;
/// Renditions of one epoch.
pub const RENDITIONS_MAX: usize = 64;
/// Segments of one rendition: 48 hours of 2 s.
pub const SEGMENTS_MAX: usize = 86_400;
/// Parts of a segment are listed until it lies this many target durations behind the live edge.
pub const PARTS_KEPT_TARGETS: i64 = 3;
/// A window never becomes shorter than this many target durations.
const KEPT_TARGETS_MIN: i64 = 3;

/// Why an event was refused. The window is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Comes from a worker that was replaced.
    #[error("generation {got} was replaced by {current}")]
    Replaced {
        /// Of the event.
        got: u64,
        /// Of the window.
        current: u64,
    },
    /// No epoch describes such a rendition.
    #[error("no epoch describes rendition {name:?} at segment {seq}")]
    UnknownRendition {
        /// Its name.
        name: String,
        /// Segment of the event.
        seq: u64,
    },
    /// A part before it is missing: the subscription must start over.
    #[error("part {index} of segment {seq} of {name:?} came where part {expected} was due")]
    MissingPart {
        /// Rendition.
        name: String,
        /// Segment.
        seq: u64,
        /// What came.
        index: u32,
        /// What was due.
        expected: u32,
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
    /// The broadcast is over.
    #[error("the broadcast has ended")]
    Ended,
}

/// How much of a window is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Milliseconds of finished segments to keep; never less than three target durations.
    pub keep_ms: i64,
}

impl Window {
    /// Applies a presentation of `generation`: its epochs replace those with the same `first_seq` and join the
    /// rest. From now on lower generations are refused.
    pub fn apply_presentation(&mut self, generation: u64, epochs: Vec<Epoch>) -> Result<(), WindowError> {
        self.admit(generation)?;
        let total = self.epochs.len() + epochs.len();
        if total > EPOCHS_MAX {
            return Err(WindowError::TooMany {
                what: "epochs",
                count: total,
                max: EPOCHS_MAX,
            });
        }
        if let Some(count) = epochs.iter().map(|e| e.renditions.len()).find(|n| *n > RENDITIONS_MAX) {
            return Err(WindowError::TooMany {
                what: "renditions",
                count,
                max: RENDITIONS_MAX,
            });
        }
        self.generation = generation;
        for epoch in epochs {
            match self.epochs.binary_search_by_key(&epoch.first_seq, |e| e.first_seq) {
                Ok(i) => self.epochs[i] = epoch,
                Err(i) => self.epochs.insert(i, epoch),
            }
        }
        self.changed();
        Ok(())
    }

    /// Applies one finished part. A part that the window has from the same or a later generation changes nothing;
    /// one from a later generation takes its place, so that a takeover never takes a listed part away.
    pub fn apply_part(&mut self, rendition: &str, seq: u64, part: Part) -> Result<(), WindowError> {
        self.admit(part.generation)?;
        let track = self.track_mut(rendition, seq)?;
        if let Ok(at) = track.segments.binary_search_by_key(&seq, |s| s.seq) {
            // The segment is whole already: only a takeover that makes it again sends parts of it.
            if let Some(old) = track.segments[at].parts.get_mut(part.index as usize)
                && old.generation < part.generation
            {
                *old = part;
                self.changed();
            }
            return Ok(());
        }
        if track.last_seq().is_some_and(|last| last > seq) {
            return Ok(());
        }
        let open = match &mut track.open {
            Some(open) if open.seq == seq => open,
            Some(open) if open.seq > seq => return Ok(()),
            slot => {
                expect_part(rendition, seq, part.index, 0)?;
                slot.insert(OpenSegment { seq, parts: Vec::new() })
            }
        };
        match open.parts.get_mut(part.index as usize) {
            Some(old) if old.generation >= part.generation => return Ok(()),
            Some(old) => *old = part,
            None => {
                let expected = u32::try_from(open.parts.len()).unwrap_or(u32::MAX);
                expect_part(rendition, seq, part.index, expected)?;
                open.parts.push(part);
            }
        }
        self.changed();
        Ok(())
    }

    /// Applies one finished segment; parts of it that came before are kept with it. `segment.parts` may be empty.
    pub fn apply_segment(&mut self, rendition: &str, mut segment: Segment) -> Result<(), WindowError> {
        self.admit(segment.generation)?;
        let track = self.track_mut(rendition, segment.seq)?;
        match track.segments.binary_search_by_key(&segment.seq, |s| s.seq) {
            Ok(at) => {
                let old = &mut track.segments[at];
                if old.generation >= segment.generation {
                    return Ok(());
                }
                if segment.parts.is_empty() {
                    segment.parts = std::mem::take(&mut old.parts);
                }
                *old = segment;
            }
            Err(at) => {
                if track.segments.len() >= SEGMENTS_MAX {
                    let count = track.segments.len() + 1;
                    return Err(WindowError::TooMany {
                        what: "segments",
                        count,
                        max: SEGMENTS_MAX,
                    });
                }
                if let Some(open) = track.open.take_if(|open| open.seq <= segment.seq)
                    && open.seq == segment.seq
                    && segment.parts.is_empty()
                {
                    segment.parts = open.parts;
                }
                track.segments.insert(at, segment);
            }
        }
        self.changed();
        Ok(())
    }

    /// Ends the broadcast: playlists end, and what was open is no longer listed.
    pub fn finish(&mut self) {
        if !self.ended {
            self.ended = true;
            for track in self.tracks.values_mut() {
                track.open = None;
            }
            self.changed();
        }
    }

    /// Drops what is older than `trim` allows, and the parts of segments that are no longer recent. Returns the
    /// lowest number still kept, where anything is: what a caller caches of earlier segments it may drop too (but
    /// for a while: players may still fetch what they have seen listed).
    pub fn trim(&mut self, trim: Trim) -> Option<u64> {
        let view = self.view(None)?;
        let (target_ms, count) = (
            i64::from(self.settings.latency.target_duration_s()) * 1_000,
            view.slots.len(),
        );
        let newest = |ms| view.slots.get(view.older_than(count, 0, ms)).map(|slot| slot.seq);
        let first = newest(trim.keep_ms.max(target_ms * KEPT_TARGETS_MIN))?;
        let parts_from = newest(target_ms * PARTS_KEPT_TARGETS).unwrap_or(first);
        let mut touched = false;
        for track in self.tracks.values_mut() {
            while track.segments.front().is_some_and(|s| s.seq < first) {
                track.segments.pop_front();
                touched = true;
            }
            for segment in track.segments.iter_mut().take_while(|s| s.seq < parts_from) {
                if !segment.parts.is_empty() {
                    segment.parts = Vec::new();
                    touched = true;
                }
            }
        }
        if touched {
            self.changed();
        }
        Some(first)
    }

    fn admit(&self, generation: u64) -> Result<(), WindowError> {
        if self.ended {
            return Err(WindowError::Ended);
        }
        if generation < self.generation {
            return Err(WindowError::Replaced {
                got: generation,
                current: self.generation,
            });
        }
        Ok(())
    }

    fn track_mut(&mut self, name: &str, seq: u64) -> Result<&mut Track, WindowError> {
        if self
            .epoch_of(seq)
            .and_then(|(_, epoch)| epoch.rendition(name))
            .is_none()
        {
            return Err(WindowError::UnknownRendition {
                name: name.to_owned(),
                seq,
            });
        }
        Ok(self.tracks.entry(name.to_owned()).or_default())
    }

    pub(super) fn changed(&mut self) {
        self.version = self.version.wrapping_add(1);
    }
}

fn expect_part(name: &str, seq: u64, index: u32, expected: u32) -> Result<(), WindowError> {
    if index == expected {
        return Ok(());
    }
    Err(WindowError::MissingPart {
        name: name.to_owned(),
        seq,
        index,
        expected,
    })
}
