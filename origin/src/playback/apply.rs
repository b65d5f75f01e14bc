//! A worker's events, applied to a broadcast.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_media::segmenter::LatencyMode;
use headwater_media::window::{Epoch, Kind, Part, Rendition, Segment, Settings, Trim, Window, WindowError};
use headwater_model::proto::worker as proto;
use headwater_model::proto::worker::live_event::Kind as EventKind;
use tracing::{info, warn};

use super::broadcast::{Broadcast, Scope, State};
use super::media::PartName;
use super::objects::Objects;
use crate::limits::{RECENT_MEDIA_S, RECENT_MEDIA_WITHOUT_STORE_S};

/// The window is trimmed once in so many segments: it costs a walk over the whole window.
const TRIM_EVERY_SEGMENTS: u64 = 16;
/// Segments stay fetchable for this long after the longest playlist has dropped them.
const TRIM_SLACK: Duration = Duration::from_secs(120);

/// What a subscriber does after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Listens on.
    Continue,
    /// The broadcast is over.
    Ended,
    /// Subscribes anew, for this reason.
    Again(&'static str),
}

/// Applies events and remembers what there is to keep.
pub(crate) struct Applier {
    /// How much of the past a DVR playlist lists.
    dvr: Duration,
    trimmed_at: AtomicU64,
    /// Number before which what nobody watches is no longer held.
    released: AtomicU64,
}

impl Applier {
    pub(crate) fn new(dvr: Duration) -> Self {
        Self {
            dvr,
            trimmed_at: AtomicU64::new(0),
            released: AtomicU64::new(0),
        }
    }

    pub(crate) fn apply(&self, broadcast: &Broadcast, objects: &Objects, event: proto::LiveEvent) -> Step {
        let outcome = match event.kind {
            Some(EventKind::Presentation(presentation)) => present(broadcast, presentation),
            Some(EventKind::Part(part)) => {
                let durable_seq = part.durable_seq;
                let outcome = add_part(broadcast, part);
                if outcome.is_ok() {
                    self.release(broadcast, durable_seq);
                }
                outcome
            }
            Some(EventKind::Segment(segment)) => {
                let (seq, durable_seq) = (segment.seq, segment.durable_seq);
                let outcome = add_segment(broadcast, segment);
                if outcome.is_ok() {
                    self.trim(broadcast, objects, seq, durable_seq);
                }
                outcome
            }
            Some(EventKind::Ended(ended)) => {
                info!(
                    broadcast.id = broadcast.id,
                    "broadcast {} has ended: {}", broadcast.id, ended.reason
                );
                return Step::Ended;
            }
            Some(EventKind::Lagged(_)) => return Step::Again("parts were left out for slowness"),
            // The one who reads the subscription minds the former; the latter is a later version's event.
            Some(EventKind::Synced(_) | EventKind::Piece(_)) | None => Ok(()),
        };
        match outcome {
            Ok(()) => Step::Continue,
            Err(WindowError::Ended) => Step::Ended,
            Err(error @ WindowError::Replaced { .. }) => {
                info!(broadcast.id = broadcast.id, error = %error, "turned away from a replaced worker");
                Step::Again("the worker was replaced")
            }
            Err(error) => {
                warn!(broadcast.id = broadcast.id, error = %error, "an event of {} does not fit", broadcast.id);
                Step::Again("an event did not fit")
            }
        }
    }

    /// Lets go of what nobody watches once the store has it: a second or two of most broadcasts.
    fn release(&self, broadcast: &Broadcast, durable_seq: u64) {
        if self.released.fetch_max(durable_seq, Ordering::Relaxed) < durable_seq {
            broadcast.change(Scope::Nobody, |state| state.media.release(durable_seq));
        }
    }

    /// Keeps bytes of the newest segments only, and facts of what a DVR playlist may list.
    fn trim(&self, broadcast: &Broadcast, objects: &Objects, seq: u64, durable_seq: u64) {
        if self.trimmed_at.swap(seq, Ordering::Relaxed) == seq {
            return;
        }
        let fits = objects.live_bytes_changed(0);
        broadcast.change(Scope::Nobody, |state| {
            let latency = state.window.settings().latency;
            let recent_s = match (objects.is_down(), fits) {
                (true, true) => RECENT_MEDIA_WITHOUT_STORE_S,
                (_, true) => RECENT_MEDIA_S.max(u64::from(latency.target_duration_s()) * 4),
                (_, false) => u64::from(latency.target_duration_s()) * 3,
            };
            let begin = |recent_s: u64| {
                let view = state.window.view(Some(recent_s as i64 * 1_000))?;
                view.slots.first().map(|slot| slot.seq)
            };
            if let Some(watched) = begin(recent_s) {
                // What the store lacks stays too, but not for ever.
                let unstored = begin(RECENT_MEDIA_WITHOUT_STORE_S).map_or(watched, |first| durable_seq.max(first));
                let watched = if fits { watched.min(unstored) } else { watched };
                state.media.trim(watched, unstored.min(seq).max(watched));
            }
            if seq.is_multiple_of(TRIM_EVERY_SEGMENTS) {
                state.window.trim(Trim {
                    keep_ms: (self.dvr + TRIM_SLACK).as_millis() as i64,
                });
            }
        });
    }
}

fn present(broadcast: &Broadcast, presentation: proto::Presentation) -> Result<(), WindowError> {
    broadcast.change(Scope::All, |state| {
        let empty = state.window.epochs().is_empty();
        if let Some(latency) = LatencyMode::parse(&presentation.latency_mode).filter(|_| empty) {
            state.window = Window::new(Settings { latency });
        }
        let epochs: Vec<Epoch> = presentation.epochs.into_iter().map(epoch).collect();
        let inits: Vec<_> = epochs
            .iter()
            .flat_map(|e| {
                e.renditions
                    .iter()
                    .map(|r| (r.name.clone(), e.first_seq, r.init.clone()))
            })
            .filter(|(_, _, init)| !init.is_empty())
            .collect();
        state.window.apply_presentation(presentation.generation, epochs)?;
        for (rendition, first_seq, init) in inits {
            state.media.put_init(&rendition, first_seq, init);
        }
        Ok(())
    })
}

fn add_part(broadcast: &Broadcast, part: proto::Part) -> Result<(), WindowError> {
    let rendition = part.rendition.clone();
    broadcast.change(Scope::Rendition(&rendition), |state| {
        let fact = Part {
            index: part.index,
            generation: part.generation,
            decode_time: part.decode_time,
            duration: part.duration,
            independent: part.independent,
        };
        state.window.apply_part(&part.rendition, part.seq, fact)?;
        let name = PartName {
            seq: part.seq,
            generation: part.generation,
            part: part.index,
        };
        state.media.put_part(&part.rendition, name, part.data, part.arrival_us);
        Ok(())
    })
}

fn add_segment(broadcast: &Broadcast, segment: proto::Segment) -> Result<(), WindowError> {
    let rendition = segment.rendition.clone();
    broadcast.change(Scope::Rendition(&rendition), |state| {
        let fact = Segment {
            seq: segment.seq,
            generation: segment.generation,
            decode_time: segment.decode_time,
            duration: segment.duration,
            size_bytes: segment.size_bytes,
            parts: Vec::new(),
        };
        state.window.apply_segment(&segment.rendition, fact)?;
        let name = (segment.seq, segment.generation);
        state
            .media
            .finish(&segment.rendition, name, segment.parts, segment.data);
        Ok(())
    })
}

fn epoch(epoch: proto::PresentationEpoch) -> Epoch {
    Epoch {
        index: epoch.index,
        first_seq: epoch.first_seq,
        start_90k: epoch.start_90k,
        wallclock_ms: epoch.wallclock_ms,
        renditions: epoch.renditions.into_iter().map(rendition).collect(),
    }
}

fn rendition(r: proto::Rendition) -> Rendition {
    Rendition {
        kind: if r.kind == "audio" { Kind::Audio } else { Kind::Video },
        name: r.name,
        timescale: r.timescale,
        codecs: r.codecs,
        bandwidth_bps: r.bandwidth_bps,
        average_bandwidth_bps: r.average_bandwidth_bps,
        width: r.width,
        height: r.height,
        fps_milli: r.fps_milli,
        sample_rate: r.sample_rate,
        channels: r.channels,
        language: r.language,
        sar_num: r.sar_num,
        sar_den: r.sar_den,
        init: r.init,
    }
}

/// `history`, rebuilt from the store, with all that the live window knows on top. `None` where nothing is gained.
pub(crate) fn with_history(state: &State, mut history: Window) -> Option<Window> {
    let live = &state.window;
    let known = |window: &Window| window.tracks().map(|(_, track)| track.segments().len()).sum::<usize>();
    if live.ended() || history.settings() != live.settings() {
        return None;
    }
    // The live window's generation comes last: until then the history takes what earlier ones made.
    history
        .apply_presentation(history.generation(), live.epochs().to_vec())
        .ok()?;
    for (name, track) in live.tracks() {
        for segment in track.segments() {
            // One that the history refuses was replaced: it has what came in its place.
            let _ = history.apply_segment(name, segment.clone());
        }
        for (seq, part) in track
            .open()
            .into_iter()
            .flat_map(|open| open.parts.iter().map(|part| (open.seq, *part)))
        {
            let _ = history.apply_part(name, seq, part);
        }
    }
    history
        .apply_presentation(live.generation().max(history.generation()), Vec::new())
        .ok()?;
    (known(&history) > known(live)).then_some(history)
}
