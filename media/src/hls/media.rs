//! Media playlists: live, DVR and stored.

use std::fmt::Write;

use super::directives::Skip;
use super::{FIRST_MSN, text};
use crate::segmenter::LatencyMode;
use crate::time::{MediaTime, Timescale};
use crate::window::key::{PublicName, SegmentName};
use crate::window::{
    Epoch, OpenSegment, PARTS_KEPT_TARGETS, Part, Rendition, Segment, Slot, SlotKind, Track, View, Window,
};

/// `CAN-SKIP-UNTIL`, target durations: the least that the standard allows.
const SKIP_UNTIL_TARGETS: i64 = 6;
/// A long playlist dates every so many segments; a short one dates each.
const DATE_EVERY: u64 = 10;
/// What counts as long.
const DATE_ALL_SLOTS_MAX: usize = 120;
/// What is counted back from the live edge is counted on the lead rendition; others differ by a frame of sound, and
/// milliseconds are rounded.
const LEAD_SKEW_MS: i64 = 100;
/// Bytes set aside for one segment's lines, and for one part's.
const SEGMENT_LINES_BYTES: usize = 96;

/// How segments are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Names {
    /// `{seq}-{generation}.m4s`, as the origin serves them.
    Public,
    /// As the objects are named in the store: for a playlist stored beside them.
    Objects,
}

/// Which playlist is wanted of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaOptions {
    /// Milliseconds of finished segments to list; `None` lists everything.
    pub keep_ms: Option<i64>,
    /// Leaves out segments that the player has, where the playlist is long enough.
    pub skip: Option<Skip>,
    /// How segments are named.
    pub names: Names,
    /// File name of the playlists, for the reports on the other renditions.
    pub file: &'static str,
}

impl MediaOptions {
    /// `index.m3u8`: the live edge and the minute before it.
    pub const LIVE: Self = Self {
        keep_ms: Some(60_000),
        skip: None,
        names: Names::Public,
        file: "index.m3u8",
    };
    /// `dvr.m3u8`: the last four hours.
    pub const DVR: Self = Self {
        keep_ms: Some(4 * 3_600_000),
        skip: None,
        names: Names::Public,
        file: "dvr.m3u8",
    };
    /// The whole broadcast as a public replay, under the name of the DVR playlist.
    pub const REPLAY: Self = Self {
        keep_ms: None,
        skip: None,
        names: Names::Public,
        file: "dvr.m3u8",
    };
    /// The whole broadcast as stored beside its objects.
    pub const STORED: Self = Self {
        keep_ms: None,
        skip: None,
        names: Names::Objects,
        file: "index.m3u8",
    };

    /// The same as a delta update, where `skip` asks for one.
    pub const fn with_skip(self, skip: Option<Skip>) -> Self {
        Self { skip, ..self }
    }
}

/// Renders the media playlist of `rendition`. `None` while it has nothing to list, or where the window has never
/// heard of it.
pub fn media_playlist(window: &Window, rendition: &str, options: &MediaOptions) -> Option<String> {
    window
        .epochs()
        .iter()
        .rev()
        .find_map(|epoch| epoch.rendition(rendition))?;
    let track = window.track(rendition);
    let view = window.view(options.keep_ms).or_else(|| first_parts(window, track))?;
    let first = view.slots.first().map_or_else(|| first_open(track), |slot| slot.seq);
    let listed = view.last_seq(window, rendition);
    let mut page = Page {
        window,
        rendition,
        track,
        options,
        view: &view,
        first,
        parts_from: 0,
    };
    page.parts_from = page.parts_from();
    let mut out = String::with_capacity(1_024 + view.slots.len() * SEGMENT_LINES_BYTES * 2);
    page.header(&mut out);
    page.segments(&mut out);
    page.edge(&mut out, listed);
    Some(out)
}

/// A view of a window that has parts of its first segment and nothing else.
fn first_parts(window: &Window, track: Option<&Track>) -> Option<View> {
    (advertises_parts(window) && track.and_then(Track::open).is_some()).then(View::empty)
}

fn first_open(track: Option<&Track>) -> u64 {
    track.and_then(Track::open).map_or(0, |open| open.seq)
}

fn advertises_parts(window: &Window) -> bool {
    window.settings().latency == LatencyMode::Low && !window.ended()
}

struct Page<'a> {
    window: &'a Window,
    rendition: &'a str,
    track: Option<&'a Track>,
    options: &'a MediaOptions,
    view: &'a View,
    /// First number listed (or skipped).
    first: u64,
    /// Parts are listed from this number on.
    parts_from: u64,
}

/// What the lines of the segment before said, as far as the next depends on it.
#[derive(Default)]
struct Before {
    /// First segment of the init segment named last.
    map: Option<u64>,
    gap: bool,
    any: bool,
}

impl Page<'_> {
    fn header(&self, out: &mut String) {
        let latency = self.window.settings().latency;
        let target_s = latency.target_duration_s();
        let live = !self.window.ended();
        out.push_str("#EXTM3U\n#EXT-X-VERSION:");
        // 9 for EXT-X-SKIP, 6 for EXT-X-MAP.
        out.push_str(if live { "9\n" } else { "6\n" });
        let _ = writeln!(out, "#EXT-X-TARGETDURATION:{target_s}");
        if live {
            out.push_str("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES");
            if advertises_parts(self.window) {
                out.push_str(",PART-HOLD-BACK=");
                text::millis(out, u64::from(latency.part_target_ms()) * 3);
            }
            out.push_str(",HOLD-BACK=");
            text::millis(out, u64::from(target_s) * 3_000);
            out.push_str(",CAN-SKIP-UNTIL=");
            text::millis(out, u64::from(target_s) * 1_000 * SKIP_UNTIL_TARGETS as u64);
            out.push('\n');
            if advertises_parts(self.window) {
                out.push_str("#EXT-X-PART-INF:PART-TARGET=");
                text::millis(out, u64::from(latency.part_target_ms()));
                out.push('\n');
            }
        } else if self.options.keep_ms.is_none() {
            out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
        }
        out.push_str("#EXT-X-MEDIA-SEQUENCE:");
        text::int(out, self.first + FIRST_MSN);
        // Epochs whose tag has left the playlist. The one that starts it keeps its tag.
        let epochs = self.window.epochs();
        let gone = epochs.partition_point(|e| e.first_seq < self.first).saturating_sub(1);
        out.push_str("\n#EXT-X-DISCONTINUITY-SEQUENCE:");
        text::int(out, gone as u64);
        out.push_str("\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    }

    fn segments(&self, out: &mut String) {
        let mut before = Before::default();
        let skipped = self.skipped();
        if skipped > 0 {
            out.push_str("#EXT-X-SKIP:SKIPPED-SEGMENTS=");
            text::int(out, skipped as u64);
            out.push('\n');
        }
        let date_all = self.view.slots.len() <= DATE_ALL_SLOTS_MAX;
        for (slot, kind) in self.view.listed(self.window, self.rendition).skip(skipped) {
            let Some((rank, epoch)) = self.window.epoch_of(slot.seq) else {
                continue;
            };
            let dated = date_all || slot.seq % DATE_EVERY == 0;
            match kind {
                SlotKind::Segment(segment) => self.segment(out, segment, rank, epoch, dated, &mut before),
                SlotKind::Gap => self.gap(out, &slot, rank, epoch, &mut before),
            }
            before.any = true;
        }
        let last = self.view.last_seq(self.window, self.rendition);
        let open_seq = last.map_or(self.first, |last| last + 1);
        let open = self
            .track
            .and_then(Track::open)
            .filter(|o| o.seq == open_seq && advertises_parts(self.window));
        let Some((rank, epoch)) = self.window.epoch_of(open_seq) else {
            return;
        };
        if let Some(open) = open {
            let start = open.parts.first().map_or(0, |part| part.decode_time);
            self.lead_in(out, open_seq, start, rank, epoch, true, &mut before);
            self.parts(out, open.seq, &open.parts, epoch);
        } else if let Some((lead, open)) = self.open_gap(open_seq) {
            let start = open.parts.first().map_or(0, |part| part.decode_time);
            self.gap_in(out, open_seq, MediaTime::new(start, lead.scale()), rank, epoch, &before);
            for part in &open.parts {
                self.part(out, open_seq, part, lead.scale(), true);
            }
        }
    }

    /// Tags that stand before a segment's first part.
    #[expect(clippy::too_many_arguments, reason = "the facts of one segment, used in two places")]
    fn lead_in(
        &self,
        out: &mut String,
        seq: u64,
        decode_time: i64,
        rank: usize,
        epoch: &Epoch,
        dated: bool,
        before: &mut Before,
    ) {
        let discontinuity = rank > 0 && epoch.first_seq == seq;
        if discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if before.map != Some(epoch.first_seq) {
            let _ = writeln!(
                out,
                "#EXT-X-MAP:URI=\"{}\"",
                PublicName::Init {
                    first_seq: epoch.first_seq
                }
            );
            before.map = Some(epoch.first_seq);
        }
        if dated || discontinuity || before.gap || !before.any {
            let scale = epoch.rendition(self.rendition).map_or(Timescale::VIDEO, |r| r.scale());
            out.push_str("#EXT-X-PROGRAM-DATE-TIME:");
            text::date(out, epoch.wallclock_ms_at(MediaTime::new(decode_time, scale)));
            out.push('\n');
        }
        before.gap = false;
    }

    fn segment(
        &self,
        out: &mut String,
        segment: &Segment,
        rank: usize,
        epoch: &Epoch,
        dated: bool,
        before: &mut Before,
    ) {
        self.lead_in(out, segment.seq, segment.decode_time, rank, epoch, dated, before);
        if advertises_parts(self.window) && segment.seq >= self.parts_from {
            self.parts(out, segment.seq, &segment.parts, epoch);
        }
        let scale = epoch.rendition(self.rendition).map_or(Timescale::VIDEO, |r| r.scale());
        out.push_str("#EXTINF:");
        text::seconds(out, u64::from(segment.duration), scale);
        out.push_str(",\n");
        match self.options.names {
            Names::Public => {
                text::int(out, segment.seq);
                out.push('-');
                text::int(out, segment.generation);
                out.push_str(".m4s\n");
            }
            Names::Objects => {
                let (seq, generation) = (segment.seq, segment.generation);
                let (decode_time, duration) = (segment.decode_time, segment.duration);
                let _ = writeln!(
                    out,
                    "{}",
                    SegmentName {
                        seq,
                        generation,
                        decode_time,
                        duration
                    }
                );
            }
        }
    }

    /// The segment that is being made by others while the epoch goes without this rendition.
    fn open_gap(&self, seq: u64) -> Option<(&Rendition, &OpenSegment)> {
        let known = advertises_parts(self.window) && self.window.is_without(self.rendition, seq);
        known.then(|| self.window.lead_parts(seq)).flatten()
    }

    /// Tags that stand before a segment that is missing.
    fn gap_in(&self, out: &mut String, seq: u64, start: MediaTime, rank: usize, epoch: &Epoch, before: &Before) {
        let discontinuity = rank > 0 && epoch.first_seq == seq;
        if discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if discontinuity || !before.any || !before.gap {
            out.push_str("#EXT-X-PROGRAM-DATE-TIME:");
            text::date(out, epoch.wallclock_ms_at(start));
            out.push('\n');
        }
    }

    fn gap(&self, out: &mut String, slot: &Slot, rank: usize, epoch: &Epoch, before: &mut Before) {
        self.gap_in(out, slot.seq, slot.start, rank, epoch, before);
        before.gap = true;
        let max = u64::from(self.window.settings().latency.target_duration_s()) * 90_000;
        let ticks = slot
            .end
            .ticks_in(Timescale::VIDEO)
            .saturating_sub(slot.start.ticks_in(Timescale::VIDEO));
        let ticks = u64::try_from(ticks).unwrap_or(0).clamp(1, max);
        out.push_str("#EXT-X-GAP\n#EXTINF:");
        text::seconds(out, ticks.max(90), Timescale::VIDEO);
        out.push_str(",\n");
        text::int(out, slot.seq);
        out.push_str("-0.m4s\n");
    }

    fn parts(&self, out: &mut String, seq: u64, parts: &[Part], epoch: &Epoch) {
        let scale = epoch.rendition(self.rendition).map_or(Timescale::VIDEO, |r| r.scale());
        for part in parts {
            self.part(out, seq, part, scale, false);
        }
    }

    fn part(&self, out: &mut String, seq: u64, part: &Part, scale: Timescale, gap: bool) {
        let target = u64::from(self.window.settings().latency.part_target_ms()) * u64::from(scale.get()) / 1_000;
        out.push_str("#EXT-X-PART:DURATION=");
        // A picture that the source showed for longer than a part may last is listed as long as one may.
        text::seconds(out, u64::from(part.duration).min(target), scale);
        out.push_str(",URI=\"");
        part_name(out, seq, if gap { 0 } else { part.generation }, u64::from(part.index));
        out.push_str(match (gap, part.independent) {
            (true, _) => "\",GAP=YES\n",
            (false, true) => "\",INDEPENDENT=YES\n",
            (false, false) => "\"\n",
        });
    }

    /// What comes after the last segment: hint and reports, or the end.
    fn edge(&self, out: &mut String, listed: Option<u64>) {
        if self.window.ended() {
            out.push_str("#EXT-X-ENDLIST\n");
            return;
        }
        if !advertises_parts(self.window) {
            return;
        }
        let next_seq = listed.map_or(self.first, |last| last + 1);
        if !self.window.is_without(self.rendition, next_seq) {
            let open = self.track.and_then(Track::open).filter(|open| open.seq == next_seq);
            out.push_str("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"");
            part_name(
                out,
                next_seq,
                self.window.generation(),
                open.map_or(0, |open| open.parts.len() as u64),
            );
            out.push_str("\"\n");
        }
        for other in self.window.epoch().into_iter().flat_map(|e| &e.renditions) {
            if other.name != self.rendition {
                self.report(out, &other.name);
            }
        }
    }

    fn report(&self, out: &mut String, other: &str) {
        let track = self.window.track(other);
        let newest = match track.and_then(Track::open) {
            Some(open) => Some((open.seq, open.parts.len())),
            None => track.and_then(|t| t.segments().back()).map(|s| (s.seq, s.parts.len())),
        };
        let Some((seq, parts)) = newest else { return };
        let msn = seq + FIRST_MSN;
        let _ = write!(
            out,
            "#EXT-X-RENDITION-REPORT:URI=\"../{other}/{}\",LAST-MSN={msn}",
            self.options.file
        );
        match parts.checked_sub(1) {
            Some(last) => _ = writeln!(out, ",LAST-PART={last}"),
            None => out.push('\n'),
        }
    }

    /// How many segments a delta update leaves out: those that end before the skip boundary.
    fn skipped(&self) -> usize {
        if self.options.skip.is_none() || self.window.ended() {
            return 0;
        }
        let until_ms = i64::from(self.window.settings().latency.target_duration_s()) * 1_000 * SKIP_UNTIL_TARGETS;
        let listed = self.view.listed(self.window, self.rendition).count();
        self.view.older_than(listed, self.open_ms(), until_ms + LEAD_SKEW_MS)
    }

    /// First segment that ends within three target durations of the playlist's end, open parts included.
    fn parts_from(&self) -> u64 {
        let listed = self.view.listed(self.window, self.rendition).count();
        let kept_ms = i64::from(self.window.settings().latency.target_duration_s()) * 1_000 * PARTS_KEPT_TARGETS;
        self.first + self.view.older_than(listed, self.open_ms(), kept_ms - LEAD_SKEW_MS) as u64
    }

    /// Milliseconds of the open segment that are listed.
    fn open_ms(&self) -> i64 {
        let Some(open) = self.track.and_then(Track::open) else {
            return 0;
        };
        let scale = self
            .window
            .epoch_of(open.seq)
            .and_then(|(_, e)| e.rendition(self.rendition));
        let ticks: i64 = open.parts.iter().map(|part| i64::from(part.duration)).sum();
        MediaTime::new(ticks, scale.map_or(Timescale::VIDEO, |r| r.scale())).to_ms()
    }
}

fn part_name(out: &mut String, seq: u64, generation: u64, index: u64) {
    text::int(out, seq);
    out.push('-');
    text::int(out, generation);
    out.push('.');
    text::int(out, index);
    out.push_str(".m4s");
}
