//! Thumbnails of one broadcast: a picture of the smallest rendition now and then, and the first that shows something as poster.
//!
//! What is decoded is the random access point with which a segment begins, as viewers get it, whether it was passed through
//! or encoded here: the smallest rendition is the cheapest, and one way serves all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_media::cmaf::fragments;
use headwater_media::window::still::{STILLS, Still, StillKey};
use headwater_media::window::{Epoch as Presentation, Kind, key};
use headwater_model::proto::worker::Assignment;
use headwater_platform::store::{Meta, SharedStore, StoreError};
use tracing::Instrument as _;

use super::line::PartMade;
use crate::still::{Desk, DeskError};
use crate::transcoder::wire::{StillAsk, StillMade};

/// Pause between two pictures.
const EVERY: Duration = Duration::from_secs(10);
/// The same while nothing but black was seen: the poster is looked for in every segment.
const EVERY_UNTIL_POSTER: Duration = Duration::from_secs(1);
/// Pixels; what is wider than the rendition is left out.
const WIDTHS: [u32; 3] = [320, 640, 1_280];
/// Failures after which a broadcast goes without pictures: what crashes a decoder would do so again.
const FAILURES_MAX: u32 = 3;
/// Readers of the bucket ask every time.
const REPLACED: Meta = Meta {
    content_type: "image/jpeg",
    cache_control: "no-cache",
};

/// The pictures of one broadcast.
pub(super) struct Stills {
    desk: Desk,
    store: SharedStore,
    prefix: String,
    generation: u64,
    last: Option<Instant>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// A picture is being made.
    busy: AtomicBool,
    /// The poster is stored.
    poster: AtomicBool,
    failures: AtomicU32,
}

impl Stills {
    pub(super) fn new(desk: Desk, store: SharedStore, assignment: &Assignment) -> Self {
        Self {
            desk,
            store,
            prefix: key::prefix(&assignment.tenant_id, &assignment.broadcast_id) + STILLS,
            generation: assignment.generation,
            last: None,
            state: Arc::default(),
        }
    }

    /// Looks at a part that was made of rendition `i`, and has a picture made of it where one is due. Does not wait.
    pub(super) fn part(&mut self, epoch: &Presentation, i: usize, part: &PartMade) {
        if part.index > 0 || !part.independent || !self.desk.is_open() || smallest(epoch) != Some(i) {
            return;
        }
        let poster = self.state.poster.load(Ordering::Relaxed);
        let every = if poster { EVERY } else { EVERY_UNTIL_POSTER };
        let due = self.last.is_none_or(|last| last.elapsed() >= every);
        if !due || self.state.failures.load(Ordering::Relaxed) >= FAILURES_MAX {
            return;
        }
        let (Some(avcc), Some(data)) = (avcc(&epoch.renditions[i].init), first_sample(&part.data)) else {
            return;
        };
        if self.state.busy.swap(true, Ordering::Relaxed) {
            return;
        }
        self.last = Some(Instant::now());
        let ask = StillAsk {
            avcc,
            data,
            widths: WIDTHS.to_vec(),
        };
        let (desk, state) = (self.desk.clone(), self.state.clone());
        let place = Place {
            store: self.store.clone(),
            prefix: self.prefix.clone(),
            generation: self.generation,
        };
        let work = async move {
            let began = Instant::now();
            let made = desk.picture(ask).await;
            metrics::histogram!("worker_thumbnail_seconds").record(began.elapsed().as_secs_f64());
            place.settle(&state, made).await;
            state.busy.store(false, Ordering::Relaxed);
        };
        tokio::spawn(work.in_current_span());
    }
}

/// Where the pictures of a broadcast go.
struct Place {
    store: SharedStore,
    prefix: String,
    generation: u64,
}

impl Place {
    async fn settle(&self, state: &State, made: Result<StillMade, DeskError>) {
        let made = match made {
            Ok(made) if made.fault.is_empty() => made,
            Ok(made) => {
                state.failures.fetch_add(1, Ordering::Relaxed);
                return tracing::debug!("no thumbnail: {}", made.fault);
            }
            Err(error) => {
                metrics::counter!("worker_thumbnails_lost_total").increment(1);
                if !matches!(error, DeskError::Busy) {
                    state.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(error = &error as &dyn std::error::Error, "a thumbnail was not made");
                }
                return;
            }
        };
        state.failures.store(0, Ordering::Relaxed);
        let wants_poster = made.shows && !state.poster.load(Ordering::Relaxed);
        match self.keep(&made, wants_poster).await {
            Ok(()) => {
                metrics::counter!("worker_thumbnails_total").increment(1);
                if wants_poster {
                    state.poster.store(true, Ordering::Relaxed);
                }
            }
            // The next one comes soon.
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a thumbnail was not stored"),
        }
    }

    async fn keep(&self, made: &StillMade, poster: bool) -> Result<(), StoreError> {
        for picture in &made.pictures {
            let name = |still| {
                let (generation, width) = (self.generation, picture.width);
                format!(
                    "{}{}",
                    self.prefix,
                    StillKey {
                        still,
                        generation,
                        width
                    }
                )
            };
            self.store
                .put(&name(Still::Live), vec![picture.jpeg.clone()], REPLACED)
                .await?;
            if poster {
                let meta = Meta::immutable("image/jpeg");
                match self
                    .store
                    .put_new(&name(Still::Poster), vec![picture.jpeg.clone()], meta)
                    .await
                {
                    Ok(()) | Err(StoreError::Exists { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// The rendition with the fewest pixels.
fn smallest(epoch: &Presentation) -> Option<usize> {
    let videos = epoch
        .renditions
        .iter()
        .enumerate()
        .filter(|(_, r)| r.kind == Kind::Video);
    videos
        .min_by_key(|(_, r)| u64::from(r.width) * u64::from(r.height))
        .map(|(i, _)| i)
}

/// The configuration record in an init segment of ours (ISO/IEC 14496-15 §5.4.2.1.2).
fn avcc(init: &Bytes) -> Option<Bytes> {
    let at = init.windows(4).position(|word| word == b"avcC")?;
    let size = init
        .get(at.checked_sub(4)?..at)?
        .try_into()
        .ok()
        .map(u32::from_be_bytes)?;
    let end = (at - 4).checked_add(size as usize)?;
    (at + 4 < end && end <= init.len()).then(|| init.slice(at + 4..end))
}

/// The random access point with which a part begins.
fn first_sample(part: &Bytes) -> Option<Bytes> {
    let fragments = fragments(part).ok()?;
    let sample = fragments
        .first()?
        .samples()
        .ok()?
        .into_iter()
        .next()
        .filter(|sample| sample.key)?;
    Some(part.slice(sample.data))
}
