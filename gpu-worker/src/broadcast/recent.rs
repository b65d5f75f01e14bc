//! Source units that may be needed again: for a codec child that is restarted, and for a source that turns out unfit
//! for passthrough in the middle of a segment.

use std::collections::VecDeque;

use bytes::Bytes;
use headwater_media::window::Kind;
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

    /// `part` ends with the bytes of `units`, in this order: what is held of them is held as slices of it from now on, so that
    /// passed-through media is in memory once, however many need it.
    pub(crate) fn share(&mut self, kind: Kind, part: &Bytes, units: &[Bytes]) {
        let held = match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        };
        let is =
            |held: &Held, unit: &Bytes| held.unit.data.as_ptr() == unit.as_ptr() && held.unit.data.len() == unit.len();
        let first = units.first().and_then(|unit| held.iter().rposition(|h| is(h, unit)));
        let start = part.len().checked_sub(units.iter().map(Bytes::len).sum());
        let (Some(first), Some(mut at)) = (first, start) else {
            return;
        };
        for (held, unit) in held.range_mut(first..).zip(units) {
            let slice = part.slice(at..at + unit.len());
            at += unit.len();
            // Where the writer has put something in between, what is held stays as it is.
            if is(held, unit) && slice == *unit {
                held.unit.data = slice;
            }
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

#[cfg(test)]
mod tests {
    use headwater_media::{Timescale, TrackId};

    use super::*;

    fn held(dts: i64, data: &Bytes) -> Held {
        let at = MediaTime::new(dts, Timescale::VIDEO);
        Held {
            unit: AccessUnit {
                track: TrackId::VIDEO,
                dts: at,
                pts: at,
                duration: Some(3_000),
                key: dts == 0,
                data: data.clone(),
            },
            kind: TrackKind::Video,
            arrival_us: 0,
            force_idr: false,
        }
    }

    #[test]
    fn units_of_a_part_are_held_as_slices_of_it() {
        let units: Vec<Bytes> = (0..5u8).map(|n| vec![n; 100].into()).collect();
        let mut recent = Recent::default();
        for (n, unit) in units.iter().enumerate() {
            recent.push(held(n as i64 * 3_000, unit));
        }
        let whole = |boxes: &[u8], units: &[Bytes]| Bytes::from([boxes, &units.concat()].concat());
        recent.share(Kind::Video, &whole(b"styp moof mdat", &units[1..4]), &units[1..4]);
        let shared: Vec<bool> = units.iter().map(Bytes::is_unique).collect();
        assert_eq!(
            shared,
            [false, true, true, true, false],
            "the rest has yet to be in a part"
        );
        let kept: Vec<Bytes> = recent.replay().into_iter().map(|held| held.unit.data).collect();
        assert_eq!(kept, units, "and it is still what came");
        assert_eq!(recent.bytes(), 500);
        // What does not end with them, and what is not held, changes nothing.
        let last = &units[4..];
        recent.share(Kind::Video, &Bytes::from_static(b"short"), last);
        recent.share(Kind::Video, &whole(b"moof", &[vec![9; 100].into()]), last);
        recent.share(Kind::Audio, &whole(b"moof", last), last);
        recent.share(Kind::Video, &whole(b"moof", &units[1..2]), &units[1..2]);
        assert!(!units[0].is_unique() && !units[4].is_unique());
        assert_eq!(recent.replay()[4].unit.data, units[4]);
    }
}
