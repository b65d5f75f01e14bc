//! The master timeline: what every rendition's playlist lists, in the same numbers.

use super::{Kind, OpenSegment, Rendition, Segment, Track, Window};
use crate::time::{MediaTime, Round, Timescale};

use super::edit::{PARTS_KEPT_TARGETS, SEGMENTS_MAX};

/// Milliseconds of an epoch's media after which lists go without a picture that has not appeared: a rung that is
/// encoded may begin late on a busy machine.
const PICTURE_AWAITED_MS: i64 = 12_000;
/// The same for sound, which a publisher may announce and never send.
const SOUND_AWAITED_MS: i64 = 4_000;

/// One number of the master timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Its number; slots have no holes.
    pub seq: u64,
    /// Where it starts in the lead rendition that has it.
    pub start: MediaTime,
    /// Where it ends there.
    pub end: MediaTime,
}

/// What one rendition has in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotKind<'a> {
    /// The segment.
    Segment(&'a Segment),
    /// Nothing, and nothing will come: `EXT-X-GAP`.
    Gap,
}

/// The master timeline, or the newest stretch of it. Segments are numbered by the lead rendition (the first of the
/// epoch that has the number: video where there is one).
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Ascending, without holes.
    pub slots: Vec<Slot>,
    /// What lies before this number and is missing stays missing.
    gaps_before: u64,
}

impl MediaTime {
    /// Whole milliseconds, to the nearest.
    pub(crate) fn to_ms(self) -> i64 {
        self.to(Timescale::MILLIS, Round::Nearest).ticks
    }
}

impl Window {
    /// The master timeline, of which at least the newest `keep_ms` (all of it with `None`). `None` while no
    /// rendition has a finished segment.
    pub fn view(&self, keep_ms: Option<i64>) -> Option<View> {
        let first = self
            .tracks
            .values()
            .filter_map(|t| t.segments().front())
            .map(|s| s.seq)
            .min()?;
        let last = self.tracks.values().filter_map(Track::last_seq).max()?;
        let first = first.max(last.saturating_sub(SEGMENTS_MAX as u64 - 1));
        let target_ms = i64::from(self.settings.latency.target_duration_s()) * 1_000;
        let mut slots: Vec<Slot> = Vec::new();
        // Newest first, so that a short view of a long window is cheap. What counts is media, not time: nothing is
        // listed of the minutes for which a publisher was away.
        let (mut newer_ms, mut recent) = (0, last);
        for seq in (first..=last).rev() {
            if keep_ms.is_some_and(|keep| newer_ms >= keep) {
                break;
            }
            let slot = self.lead(seq).unwrap_or_else(|| hole(seq, slots.last(), target_ms));
            if newer_ms < target_ms * PARTS_KEPT_TARGETS {
                recent = seq;
            }
            newer_ms += slot.duration_ms();
            slots.push(slot);
        }
        slots.reverse();
        let gaps_before = if self.ended { u64::MAX } else { recent };
        Some(View { gaps_before, slots })
    }

    /// Whether renditions of the newest epoch still begin: some do not have what players need (`has`), and may soon. A
    /// rendition that a player does not see in its first list is lost to it, so lists wait for all of them.
    pub(crate) fn is_beginning(&self, has: impl Fn(&Track) -> bool) -> bool {
        let Some(epoch) = self.epoch().filter(|_| !self.ended) else {
            return false;
        };
        let track = |rendition: &Rendition| self.track(&rendition.name);
        let made_ms = |rendition| {
            let segments = track(rendition).into_iter().flat_map(|t| t.segments().iter().rev());
            let ticks: i64 = segments
                .take_while(|s| s.seq >= epoch.first_seq)
                .map(|s| i64::from(s.duration))
                .sum();
            MediaTime::new(ticks, rendition.scale()).to_ms()
        };
        let lacking = epoch.renditions.iter().filter(|r| !track(r).is_some_and(&has));
        let awaited_ms = lacking.map(|r| match r.kind {
            Kind::Video => PICTURE_AWAITED_MS,
            Kind::Audio => SOUND_AWAITED_MS,
        });
        awaited_ms
            .max()
            .is_some_and(|awaited_ms| epoch.renditions.iter().all(|r| made_ms(r) < awaited_ms))
    }

    /// Whether the epoch of `seq` goes without this rendition: nothing will ever come of it there.
    pub(crate) fn is_without(&self, rendition: &str, seq: u64) -> bool {
        self.epoch_of(seq)
            .is_some_and(|(_, epoch)| epoch.rendition(rendition).is_none())
    }

    /// Finished parts of segment `seq` in the first rendition of its epoch that is making it: for renditions that the
    /// epoch goes without, and that keep step with gaps.
    pub(crate) fn lead_parts(&self, seq: u64) -> Option<(&Rendition, &OpenSegment)> {
        let (_, epoch) = self.epoch_of(seq)?;
        epoch.renditions.iter().find_map(|rendition| {
            let open = self.track(&rendition.name)?.open()?;
            (open.seq == seq).then_some((rendition, open))
        })
    }

    fn lead(&self, seq: u64) -> Option<Slot> {
        let (_, epoch) = self.epoch_of(seq)?;
        epoch.renditions.iter().find_map(|rendition| {
            let segment = self.track(&rendition.name)?.segment(seq)?;
            let at = |ticks| MediaTime::new(ticks, rendition.scale());
            let end = segment.decode_time.saturating_add(i64::from(segment.duration));
            Some(Slot {
                seq,
                start: at(segment.decode_time),
                end: at(end),
            })
        })
    }
}

/// A number that no rendition has, before the slot `after`.
fn hole(seq: u64, after: Option<&Slot>, target_ms: i64) -> Slot {
    let end = after.map_or(MediaTime::ZERO, |slot| slot.start);
    let start = MediaTime::new(end.to_ms().saturating_sub(target_ms).max(0), Timescale::MILLIS);
    Slot { seq, start, end }
}

impl Slot {
    /// Its length.
    pub(crate) fn duration_ms(&self) -> i64 {
        self.end.to_ms().saturating_sub(self.start.to_ms())
    }
}

impl View {
    /// How many of the oldest `listed` slots have at least `ms` of media behind them, `open_ms` of it not in slots.
    pub(crate) fn older_than(&self, listed: usize, open_ms: i64, ms: i64) -> usize {
        let mut newer_ms = open_ms;
        for (at, slot) in self.slots.iter().enumerate().take(listed).rev() {
            if newer_ms >= ms {
                return at + 1;
            }
            newer_ms = newer_ms.saturating_add(slot.duration_ms());
        }
        0
    }

    /// The view of a window that has no finished segment yet.
    pub(crate) fn empty() -> Self {
        Self {
            slots: Vec::new(),

            gaps_before: 0,
        }
    }

    /// What `rendition` has in each slot, oldest first; ends before the first segment that it has yet to make. Where an
    /// epoch goes without it, gaps take the place of its segments at once.
    pub fn listed<'a>(
        &'a self,
        window: &'a Window,
        rendition: &'a str,
    ) -> impl Iterator<Item = (Slot, SlotKind<'a>)> + 'a {
        let track = window.track(rendition);
        let made = track.map_or(0, |t| {
            t.open()
                .map(|o| o.seq)
                .into_iter()
                .chain(t.last_seq())
                .max()
                .unwrap_or(0)
        });
        let gaps_before = self.gaps_before.max(made);
        self.slots.iter().map_while(move |slot| {
            let segment = track.and_then(|t| t.segment(slot.seq));
            match segment {
                Some(segment) => Some((*slot, SlotKind::Segment(segment))),
                None if slot.seq < gaps_before || window.is_without(rendition, slot.seq) => {
                    Some((*slot, SlotKind::Gap))
                }
                None => None,
            }
        })
    }

    /// Number of the newest segment in the playlist of `rendition`, which may be a gap.
    pub fn last_seq(&self, window: &Window, rendition: &str) -> Option<u64> {
        let first = self.slots.first()?.seq;
        let count = self.listed(window, rendition).count() as u64;
        (count > 0).then(|| first + count - 1)
    }

    /// The segment that follows `last` in `track`, where it has parts already.
    pub fn open_after<'a>(&self, track: Option<&'a Track>, last: u64) -> Option<&'a OpenSegment> {
        track
            .and_then(Track::open)
            .filter(|open| open.seq == last.saturating_add(1))
    }
}
