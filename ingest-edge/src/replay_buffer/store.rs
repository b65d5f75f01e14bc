//! The buffer's content and its rules, without locks or wakers.

use std::collections::VecDeque;

use headwater_media::time::Round;
use headwater_media::{EpochCause, MediaTime, Timescale, TrackId};
use headwater_model::proto::media;

use super::{Item, Limits, Stats};

/// What an entry costs beside its media: its place, the room that the deque keeps for growth, and what the allocator and
/// the reference count of the media take.
const ENTRY_BYTES: usize = size_of::<Entry>() * 5 / 4 + 48;
/// The deque grows by a quarter at a time, or by this many entries, and gives memory back when half of it is unused.
const GROW_ENTRIES_MIN: usize = 64;
/// What goes at once where there is no second random access point, 1/90000 s.
const DROP_TICKS: i64 = 90_000;

#[derive(Debug)]
pub(super) enum Entry {
    Unit(Unit),
    Epoch(Box<media::Epoch>),
    Paused { at_90k: i64 },
    End { reason: Box<str> },
}

#[derive(Debug)]
pub(super) struct Unit {
    /// Presentation position, rounded down: `pos_90k >= p` holds exactly when the unit presents at or after `p`.
    pub pos_90k: i64,
    pub unit: media::AccessUnit,
}

impl Unit {
    pub fn is_video(&self) -> bool {
        is_video(self.unit.track)
    }
}

fn is_video(track: u32) -> bool {
    track < TrackId::AUDIO.0
}

/// Where a reader that resumes at a position starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Start {
    /// The first entry to look at.
    pub seq: u64,
    /// Video before this entry is left out.
    pub video_seq: u64,
    /// Audio before this position is left out.
    pub audio_90k: i64,
    /// False while the video that decides has yet to arrive.
    pub decided: bool,
}

#[derive(Debug)]
pub(super) struct Store {
    limits: Limits,
    entries: VecDeque<Entry>,
    /// Sequence number of the first entry; numbers never repeat.
    first_seq: u64,
    /// The epoch that holds at the first entry.
    head_epoch: Option<Box<media::Epoch>>,
    bytes: usize,
    units: usize,
    end_90k: i64,
    durable_90k: i64,
    /// The latest position of a unit that is no longer held.
    forgotten_90k: Option<i64>,
    /// The latest position of any unit.
    newest_90k: Option<i64>,
    /// The same of video alone.
    newest_video_90k: Option<i64>,
    /// There has been an epoch.
    begun: bool,
    ended: bool,
    gops_lost: u64,
    gops_dropped_delivered: u64,
}

impl Store {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: VecDeque::new(),
            first_seq: 0,
            head_epoch: None,
            bytes: 0,
            units: 0,
            end_90k: 0,
            durable_90k: 0,
            forgotten_90k: None,
            newest_90k: None,
            newest_video_90k: None,
            begun: false,
            ended: false,
            gops_lost: 0,
            gops_dropped_delivered: 0,
        }
    }

    pub fn push(&mut self, item: Item) {
        if self.ended {
            return;
        }
        let entry = match item {
            Item::Epoch(epoch) => {
                self.begun = true;
                self.end_90k = self.end_90k.max(epoch.start_90k);
                Entry::Epoch(Box::new(epoch))
            }
            Item::Unit(unit, arrival_us) => {
                if !self.begun {
                    return;
                }
                let pos_90k = floor_90k(unit.pts);
                let end = unit.pts.plus(unit.duration.map_or(1, i64::from));
                self.end_90k = self.end_90k.max(end.to(Timescale::VIDEO, Round::Up).ticks);
                if is_video(unit.track.0) {
                    self.newest_video_90k = Some(pos_90k).max(self.newest_video_90k);
                }
                self.newest_90k = Some(pos_90k).max(self.newest_90k);
                self.units += 1;
                Entry::Unit(Unit {
                    pos_90k,
                    unit: media::AccessUnit {
                        track: unit.track.0,
                        dts: unit.dts.ticks,
                        pts: unit.pts.ticks,
                        duration: unit.duration.unwrap_or(0),
                        key: unit.key,
                        data: unit.data,
                        arrival_us,
                    },
                })
            }
            Item::Paused => Entry::Paused { at_90k: self.end_90k },
            Item::End(reason) => {
                self.ended = true;
                Entry::End { reason: reason.into() }
            }
        };
        self.bytes += cost(&entry);
        if self.entries.len() == self.entries.capacity() {
            self.entries
                .reserve_exact((self.entries.len() / 4).max(GROW_ENTRIES_MIN));
        }
        self.entries.push_back(entry);
    }

    /// Moves what is held on the timeline.
    pub fn rebase(&mut self, shift_90k: i64, epoch_shift: u32) {
        let mut scales: Vec<(u32, u32)> = Vec::new();
        let learn = |scales: &mut Vec<(u32, u32)>, epoch: &mut media::Epoch| {
            epoch.start_90k += shift_90k;
            if epoch.index == 0 && epoch_shift > 0 {
                epoch.cause = EpochCause::Reconnect.as_str().to_owned();
            }
            epoch.index += epoch_shift;
            scales.clear();
            scales.extend(epoch.tracks.iter().map(|t| (t.id, t.timescale)));
        };
        if let Some(epoch) = self.head_epoch.as_mut() {
            learn(&mut scales, epoch);
        }
        for entry in &mut self.entries {
            match entry {
                Entry::Epoch(epoch) => learn(&mut scales, epoch),
                Entry::Unit(held) => {
                    let scale = scales
                        .iter()
                        .find(|(id, _)| *id == held.unit.track)
                        .and_then(|s| Timescale::new(s.1));
                    let scale = scale.unwrap_or(Timescale::VIDEO);
                    let shift = MediaTime::video(shift_90k).ticks_in(scale);
                    held.unit.dts += shift;
                    held.unit.pts += shift;
                    held.pos_90k = floor_90k(MediaTime::new(held.unit.pts, scale));
                }
                Entry::Paused { at_90k } => *at_90k += shift_90k,
                Entry::End { .. } => {}
            }
        }
        self.end_90k += shift_90k;
        self.durable_90k += shift_90k;
        self.forgotten_90k = self.forgotten_90k.map(|p| p + shift_90k);
        self.newest_90k = self.newest_90k.map(|p| p + shift_90k);
        self.newest_video_90k = self.newest_video_90k.map(|p| p + shift_90k);
    }

    /// Where to start so that nothing at or after `at_90k` is missed: the video that presents there, back to its random
    /// access point, and audio from the earlier of the two positions.
    pub fn seek(&self, at_90k: i64) -> Start {
        let mut key: Option<(usize, i64)> = None;
        let mut decided = false;
        for (i, entry) in self.entries.iter().enumerate() {
            match entry {
                Entry::Epoch(_) => key = None,
                Entry::Unit(held) if held.is_video() => {
                    if held.unit.key {
                        key = Some((i, held.pos_90k));
                    }
                    if held.pos_90k >= at_90k && key.is_some() {
                        decided = true;
                        break;
                    }
                }
                Entry::Unit(_) | Entry::Paused { .. } | Entry::End { .. } => {}
            }
        }
        if !decided && !self.awaits_video() {
            key = None;
            decided = true;
        }
        let audio_90k = key.map_or(at_90k, |(_, pos)| pos.min(at_90k));
        let after_units = self
            .entries
            .iter()
            .rposition(|e| matches!(e, Entry::Unit(_)))
            .map_or(0, |i| i + 1);
        let video_at = key.map_or(after_units, |(i, _)| i);
        let audio_at = self.audio_from(audio_90k, video_at);
        Start {
            seq: self.first_seq + audio_at.unwrap_or(video_at) as u64,
            video_seq: self.first_seq + video_at as u64,
            audio_90k,
            decided,
        }
    }

    /// Whether video is still to be expected behind the newest entry.
    fn awaits_video(&self) -> bool {
        let paused = matches!(self.entries.back(), Some(Entry::Paused { .. } | Entry::End { .. }));
        !paused
            && self
                .last_epoch()
                .is_none_or(|e| e.tracks.iter().any(|t| is_video(t.id)))
    }

    /// Every rendition is stored up to `durable_90k`: forgets what no reader can need again, up to `delivered`.
    pub fn ack(&mut self, durable_90k: i64, delivered: u64) {
        if durable_90k <= self.durable_90k {
            return;
        }
        self.durable_90k = durable_90k;
        // Undecided, the start is the newest random access point: what lies before it is not needed either way.
        let start = self.seek(durable_90k);
        self.forget_until(start.seq.min(delivered));
    }

    /// Drops the oldest GOPs until the limits are kept and at most `bytes_max` bytes are held. Of a sole GOP, its oldest
    /// second goes. Returns how many of them lay at or behind `delivered`.
    pub fn enforce(&mut self, delivered: u64, bytes_max: usize) -> u64 {
        let bytes_max = bytes_max.min(self.limits.bytes_max);
        let lost = self.gops_lost;
        while self.bytes > bytes_max || self.span_90k() > ticks_90k(self.limits.time_max) {
            let Some(next) = self.second_gop() else { break };
            if self.first_seq + next as u64 <= delivered {
                self.gops_dropped_delivered += 1;
            } else {
                self.gops_lost += 1;
            }
            self.forget_until(self.first_seq + next as u64);
        }
        self.gops_lost - lost
    }

    /// Index from which the second random access point needs everything; where there is no second one, of the first unit
    /// a second behind the oldest.
    fn second_gop(&self) -> Option<usize> {
        let (mut oldest, mut seen_key, mut by_time) = (None, false, None);
        for (i, entry) in self.entries.iter().enumerate() {
            let Entry::Unit(held) = entry else { continue };
            let oldest = *oldest.get_or_insert(held.pos_90k);
            if held.is_video() && held.unit.key {
                if seen_key {
                    // Audio runs ahead of video: what belongs to the second GOP may lie before its picture.
                    return self.audio_from(held.pos_90k, i).filter(|audio| *audio > 0).or(Some(i));
                }
                seen_key = true;
            }
            if by_time.is_none() && held.pos_90k >= oldest + DROP_TICKS {
                by_time = Some(i);
            }
        }
        by_time
    }

    /// Index of the first audio unit that presents at or after `pos_90k`, before `end`.
    fn audio_from(&self, pos_90k: i64, end: usize) -> Option<usize> {
        let wanted = |e: &Entry| matches!(e, Entry::Unit(held) if !held.is_video() && held.pos_90k >= pos_90k);
        self.entries.iter().take(end).position(wanted)
    }

    fn forget_until(&mut self, seq: u64) {
        while self.first_seq < seq {
            let Some(entry) = self.entries.pop_front() else { return };
            self.first_seq += 1;
            self.bytes -= cost(&entry);
            match entry {
                Entry::Unit(held) => {
                    self.units -= 1;
                    self.forgotten_90k = self.forgotten_90k.max(Some(held.pos_90k));
                }
                Entry::Epoch(epoch) => self.head_epoch = Some(epoch),
                Entry::Paused { .. } | Entry::End { .. } => {}
            }
        }
        let room = self.entries.len() + (self.entries.len() / 4).max(GROW_ENTRIES_MIN);
        if self.entries.capacity() > 2 * room {
            self.entries.shrink_to(room);
        }
    }

    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries
            .get(usize::try_from(seq.checked_sub(self.first_seq)?).ok()?)
    }

    /// The epoch that holds just before `seq`.
    pub fn epoch_at(&self, seq: u64) -> Option<&media::Epoch> {
        let n = usize::try_from(seq.saturating_sub(self.first_seq)).unwrap_or(usize::MAX);
        let held = self.entries.iter().take(n).rev().find_map(|e| match e {
            Entry::Epoch(epoch) => Some(epoch.as_ref()),
            _ => None,
        });
        held.or(self.head_epoch.as_deref())
    }

    fn last_epoch(&self) -> Option<&media::Epoch> {
        self.epoch_at(self.next_seq())
    }

    /// The position of the first unit at or behind `seq`.
    pub fn first_90k(&self, seq: u64) -> i64 {
        let skip = usize::try_from(seq.saturating_sub(self.first_seq)).unwrap_or(usize::MAX);
        let unit = self.entries.iter().skip(skip).find_map(|e| match e {
            Entry::Unit(held) => Some(held.pos_90k),
            _ => None,
        });
        unit.unwrap_or(self.end_90k)
    }

    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    pub fn next_seq(&self) -> u64 {
        self.first_seq + self.entries.len() as u64
    }

    pub fn forgotten_90k(&self) -> Option<i64> {
        self.forgotten_90k
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries that there is room for.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    pub fn end_90k(&self) -> i64 {
        self.end_90k
    }

    pub fn durable_90k(&self) -> i64 {
        self.durable_90k
    }

    /// Over, and stored: up to the last picture where there is video, else up to the last sound.
    pub fn is_settled(&self) -> bool {
        self.ended
            && self
                .newest_video_90k
                .or(self.newest_90k)
                .is_none_or(|newest| self.durable_90k > newest)
    }

    fn span_90k(&self) -> i64 {
        if self.units == 0 {
            0
        } else {
            self.end_90k - self.first_90k(self.first_seq)
        }
    }

    pub fn stats(&self) -> Stats {
        Stats {
            bytes: self.bytes,
            units: self.units,
            span_90k: self.span_90k(),
            ack_lag_90k: self.end_90k - self.durable_90k,
            gops_lost: self.gops_lost,
            gops_dropped_delivered: self.gops_dropped_delivered,
        }
    }
}

fn cost(entry: &Entry) -> usize {
    ENTRY_BYTES
        + match entry {
            Entry::Unit(held) => held.unit.data.len(),
            Entry::Epoch(epoch) => epoch
                .tracks
                .iter()
                .map(|t| t.config.len() + size_of::<media::Track>())
                .sum(),
            Entry::Paused { .. } | Entry::End { .. } => 0,
        }
}

fn floor_90k(at: MediaTime) -> i64 {
    at.to(Timescale::VIDEO, Round::Down).ticks
}

fn ticks_90k(d: std::time::Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 90) * 90
}
