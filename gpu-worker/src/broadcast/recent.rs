//! Source units that may be needed again: for a codec child that is restarted, and for a source that turns out unfit
//! for passthrough in the middle of a segment.

use std::collections::VecDeque;

use headwater_media::{AccessUnit, MediaTime, TrackKind};

/// A unit of the source, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// The unit; its bytes are shared.
    pub unit: AccessUnit,
    /// Of which kind.
    pub kind: TrackKind,
    /// Unix microseconds at which it reached the edge.
    pub arrival_us: i64,
    /// It starts a segment: an IDR in every rung.
    pub force_idr: bool,
}

/// The newest units, from the IDR that leads to the oldest open segment.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    video: VecDeque<Held>,
    audio: VecDeque<Held>,
    bytes: usize,
}

/// Bytes held: 85 s at 4.5 Mbit/s, so that what may wait for a child is here with the segment before it. A source whose
/// keyframes lie further apart cannot be decoded again from the last of them; a child that is restarted then shows damaged
/// pictures until the next.
pub(crate) const RECENT_BYTES_MAX: usize = 48 << 20;
/// Audio units held before a lead unit has opened a presentation: a minute and a half.
const AUDIO_UNITS_MAX: usize = 4_096;

impl Recent {
    /// Takes the next unit of its track.
    pub(crate) fn push(&mut self, held: Held) {
        self.bytes += held.unit.data.len();
        match held.kind {
            TrackKind::Video => self.video.push_back(held),
            TrackKind::Audio => self.audio.push_back(held),
        }
        while self.bytes > RECENT_BYTES_MAX {
            let Some(held) = self.video.pop_front().or_else(|| self.audio.pop_front()) else {
                break;
            };
            self.bytes -= held.unit.data.len();
        }
        while self.audio.len() > AUDIO_UNITS_MAX {
            self.bytes -= self.audio.pop_front().map_or(0, |h| h.unit.data.len());
        }
    }

    /// Marks the newest video unit as the start of a segment.
    pub(crate) fn mark_newest(&mut self) {
        if let Some(held) = self.video.back_mut() {
            held.force_idr = true;
        }
    }

    /// Marks the video unit that decodes at `dts` as the start of a segment.
    pub(crate) fn mark(&mut self, dts: MediaTime) {
        if let Some(held) = self.video.iter_mut().rev().find(|held| held.unit.dts == dts) {
            held.force_idr = true;
        }
    }

    /// Bytes held now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops what is not needed to show or sound anything from `from` on.
    pub(crate) fn trim(&mut self, from: MediaTime) {
        let leads = self.leads(from);
        for held in self.video.drain(..leads) {
            self.bytes -= held.unit.data.len();
        }
        while self.audio.front().is_some_and(|held| settled(held, from)) {
            self.bytes -= self.audio.pop_front().map_or(0, |h| h.unit.data.len());
        }
    }

    /// Everything held, in decode order over both tracks.
    pub(crate) fn replay(&self) -> Vec<Held> {
        in_order(self.video.iter().chain(&self.audio))
    }

    /// What is needed to show and sound everything from `from` on, in decode order over both tracks.
    pub(crate) fn replay_from(&self, from: MediaTime) -> Vec<Held> {
        let leads = self.leads(from);
        let audio = self.audio.iter().filter(|held| !settled(held, from));
        in_order(self.video.range(leads..).chain(audio))
    }

    /// Index of the video unit that leads the decoder to `from`.
    fn leads(&self, from: MediaTime) -> usize {
        let leads = self.video.iter().rposition(|h| h.unit.key && h.unit.pts <= from);
        leads.unwrap_or(0)
    }

    /// Forgets everything: the timeline has jumped.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn in_order<'a>(held: impl Iterator<Item = &'a Held>) -> Vec<Held> {
    let mut all: Vec<Held> = held.cloned().collect();
    all.sort_by_key(|h| h.unit.dts);
    all
}

/// Whether sound is too old to matter from `from` on: a second before it settles the decoder.
fn settled(held: &Held, from: MediaTime) -> bool {
    held.unit.pts.plus(i64::from(held.unit.pts.scale.get())) < from
}
