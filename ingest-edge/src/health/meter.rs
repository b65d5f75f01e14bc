//! What a publisher's units add up to between two looks. A few additions per unit; nothing is allocated.

use headwater_media::normalise::Counters;
use headwater_media::{AccessUnit, MediaTime, Timescale, TrackId};

/// A step between pictures beyond this is a break and no number of missing pictures, 1/90000 s.
const BREAK_90K: i64 = 10 * 90_000;

/// The first GOP is spoken of from this length on, though it is not whole, 1/90000 s.
const GOP_SAID_90K: i64 = 4 * 90_000;

/// What one look finds, since the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Real time, milliseconds.
    pub span_ms: i64,
    /// Of pictures, bytes.
    pub video_bytes: u64,
    /// Of sound, bytes.
    pub audio_bytes: u64,
    /// Pictures.
    pub frames: u32,
    /// Pictures that the publisher's own frame rate lacks.
    pub missing: u32,
    /// By how much media has gone on, milliseconds.
    pub advance_ms: i64,
    /// By how much pictures have gone on, milliseconds.
    pub video_advance_ms: i64,
    /// GOPs that were completed.
    pub gops: Gops,
    /// Length of the last whole GOP, or of the running one where that is longer, milliseconds.
    pub gop_ms: Option<i64>,
    /// How far sound reaches beyond pictures, on average, milliseconds.
    pub offset_ms: Option<i64>,
    /// The publisher was not read for a while, because it was ahead.
    pub held: bool,
    /// What the normaliser had to settle.
    pub settled: Settled,
}

/// Whole GOPs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gops {
    /// How many.
    pub count: u32,
    /// Together, milliseconds.
    pub sum_ms: i64,
    /// The shortest, milliseconds; 0 where there is none.
    pub min_ms: i64,
    /// The longest, milliseconds.
    pub max_ms: i64,
}

impl Gops {
    pub(super) fn add(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        self.min_ms = match self.count {
            0 => other.min_ms,
            _ => self.min_ms.min(other.min_ms),
        };
        self.max_ms = self.max_ms.max(other.max_ms);
        self.count += other.count;
        self.sum_ms += other.sum_ms;
    }
}

/// How often the normaliser had to settle something that matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settled {
    /// Jumps, corrections and clocks that stood still.
    pub clock: u64,
    /// Key frames that are none.
    pub open_gops: u64,
    /// Video that cannot be used.
    pub video: u64,
    /// Sound that cannot be used.
    pub audio: u64,
}

impl Settled {
    fn of(counters: &Counters) -> Self {
        let mut settled = Self::default();
        for (name, count) in counters.iter() {
            match name {
                "jump" | "retimed" | "constant_times" => settled.clock += count,
                "key_not_idr" => settled.open_gops += count,
                "unsupported_video" | "video_config" | "data_partitioning" => settled.video += count,
                "unsupported_audio" | "audio_config" => settled.audio += count,
                _ => {}
            }
        }
        settled
    }

    fn since(self, before: Self) -> Self {
        Self {
            clock: self.clock.saturating_sub(before.clock),
            open_gops: self.open_gops.saturating_sub(before.open_gops),
            video: self.video.saturating_sub(before.video),
            audio: self.audio.saturating_sub(before.audio),
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Meter {
    facts: Facts,
    /// Newest decode times, 1/90000 s and the track's own ticks.
    video_90k: Option<i64>,
    audio: Option<MediaTime>,
    /// Where the last look found them, 1/90000 s.
    video_from: Option<i64>,
    audio_from: Option<i64>,
    /// The last key frame of the epoch.
    key_90k: Option<i64>,
    gop_90k: Option<i64>,
    offset_sum_ms: i64,
    offsets: i64,
    settled: Settled,
    settled_before: Settled,
}

impl Meter {
    /// The units that follow belong to another epoch.
    pub fn epoch(&mut self) {
        self.key_90k = None;
    }

    /// Takes a unit.
    pub fn unit(&mut self, unit: &AccessUnit) {
        if unit.track >= TrackId::AUDIO {
            self.facts.audio_bytes += unit.data.len() as u64;
            self.audio = Some(unit.dts);
            self.audio_from
                .get_or_insert_with(|| unit.dts.ticks_in(Timescale::VIDEO));
            return;
        }
        self.facts.video_bytes += unit.data.len() as u64;
        self.facts.frames += 1;
        let at = unit.dts.ticks;
        let frame = unit.duration.map_or(0, i64::from);
        let step = self.video_90k.map_or(0, |last| at - last);
        if frame > 0 && step > frame && step < BREAK_90K {
            self.facts.missing += u32::try_from((step + frame / 2) / frame - 1).unwrap_or(0);
        }
        self.video_90k = Some(at);
        self.video_from.get_or_insert(at);
        let last = if unit.key { self.key_90k.replace(at) } else { None };
        if let Some(last) = last {
            self.gop_90k = Some(at - last);
            let ms = (at - last) / 90;
            self.facts.gops.add(Gops {
                count: 1,
                sum_ms: ms,
                min_ms: ms,
                max_ms: ms,
            });
        }
    }

    /// What a read brought is taken: compares how far both tracks reach.
    pub fn read(&mut self) {
        if let (Some(video), Some(audio)) = (self.video_90k, self.audio) {
            self.offset_sum_ms += (audio.ticks_in(Timescale::VIDEO) - video) / 90;
            self.offsets += 1;
        }
    }

    /// What the normaliser has counted so far, and whether the publisher was held back.
    pub fn note(&mut self, counters: &Counters, held: bool) {
        self.settled = Settled::of(counters);
        self.facts.held |= held;
    }

    /// As [`Self::note`], of made-up counts.
    #[cfg(test)]
    pub fn settle(&mut self, clock: u64, open_gops: u64, video: u64, audio: u64) {
        self.settled = Settled {
            clock,
            open_gops,
            video,
            audio,
        };
    }

    /// The publisher was held back.
    #[cfg(test)]
    pub fn hold(&mut self, held: bool) {
        self.facts.held |= held;
    }

    /// What has come since the last call, `span_ms` ago.
    pub fn take(&mut self, span_ms: i64) -> Facts {
        let audio_90k = self.audio.map(|at| at.ticks_in(Timescale::VIDEO));
        let advance = |newest: Option<i64>, from: &mut Option<i64>| {
            let Some(newest) = newest else { return 0 };
            (newest - from.replace(newest).unwrap_or(newest)).max(0) / 90
        };
        let video_advance_ms = advance(self.video_90k, &mut self.video_from);
        let audio_advance_ms = advance(audio_90k, &mut self.audio_from);
        let running = self.video_90k.zip(self.key_90k).map(|(at, key)| at - key);
        // Before a first GOP is whole, what runs says nothing until it is long.
        let gop_90k = match self.gop_90k {
            Some(whole) => running.max(Some(whole)),
            None => running.filter(|running| *running > GOP_SAID_90K),
        };
        let facts = Facts {
            span_ms,
            advance_ms: video_advance_ms.max(audio_advance_ms),
            video_advance_ms,
            gop_ms: gop_90k.map(|ticks| ticks / 90),
            offset_ms: (self.offsets > 0 && self.facts.frames > 0 && self.facts.audio_bytes > 0)
                .then(|| self.offset_sum_ms / self.offsets),
            settled: self.settled.since(self.settled_before),
            ..self.facts
        };
        self.settled_before = self.settled;
        (self.offset_sum_ms, self.offsets) = (0, 0);
        self.facts = Facts::default();
        facts
    }
}
