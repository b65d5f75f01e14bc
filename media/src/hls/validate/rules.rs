//! The rules for one media playlist.

use std::collections::BTreeSet;

use super::parse::micros;
use super::{Finding, MediaPlaylist, PartLine, SegmentLine};
use crate::hls::FIRST_MSN;

/// Rounding of dates, and of durations with five decimals.
const ROUNDING_US: u64 = 2_000;

impl MediaPlaylist {
    /// Holds the playlist against the rules that its text alone can break. `frame_us` is the duration of one frame:
    /// sums may be off by as much.
    pub fn check(&self, frame_us: u64) -> Vec<Finding> {
        let mut out = Findings(Vec::new());
        self.check_header(&mut out);
        let target_us = self.target_duration_s * 1_000_000;
        let mut after_us = self.listed_us();
        let mut uris = BTreeSet::new();
        for (_, segment) in self.numbered() {
            let line = segment.line;
            out.unless(segment.duration_us > 0, line, "EXTINF is longer than nothing", || {
                segment.uri.clone()
            });
            let rounded = (segment.duration_us + 500_000) / 1_000_000;
            out.unless(
                rounded <= self.target_duration_s,
                line,
                "EXTINF rounds to TARGETDURATION at most",
                || format!("{} µs", segment.duration_us),
            );
            out.unless(
                segment.map.is_some() || segment.gap || self.skipped > 0,
                line,
                "MAP precedes media",
                || segment.uri.clone(),
            );
            out.unless(
                !segment.discontinuity || segment.date_ms.is_some(),
                line,
                "DISCONTINUITY comes with a date",
                || segment.uri.clone(),
            );
            out.unless(uris.insert(segment.uri.as_str()), line, "addresses differ", || {
                segment.uri.clone()
            });
            after_us -= segment.duration_us;
            self.check_parts(&mut out, segment, true);
            if !segment.parts.is_empty() {
                let sum: u64 = segment.parts.iter().map(|p| p.duration_us).sum();
                let off = sum.abs_diff(segment.duration_us);
                out.unless(off <= frame_us + ROUNDING_US, line, "parts add up to EXTINF", || {
                    format!("{off} µs off")
                });
                out.unless(after_us <= 3 * target_us, line, "old parts are taken away", || {
                    format!("{after_us} µs old")
                });
            }
        }
        self.check_parts(&mut out, &self.open, false);
        self.check_dates(&mut out, frame_us);
        self.check_edge(&mut out);
        out.0
    }

    fn check_header(&self, out: &mut Findings) {
        let has_parts = !self.open.parts.is_empty() || self.segments.iter().any(|s| !s.parts.is_empty());
        out.unless(
            self.target_duration_s >= 1,
            0,
            "TARGETDURATION is at least 1",
            String::new,
        );
        out.unless(self.version >= 6, 0, "MAP needs version 6", || self.version.to_string());
        out.unless(
            self.skipped == 0 || self.version >= 9,
            0,
            "SKIP needs version 9",
            || self.version.to_string(),
        );
        out.unless(
            !has_parts || self.part_target_us.is_some(),
            0,
            "PART needs PART-INF",
            String::new,
        );
        let control = |name| self.control(name).map(|v| micros(v).unwrap_or(0));
        let target_us = self.target_duration_s * 1_000_000;
        if let Some(part_target) = self.part_target_us {
            let back = control("PART-HOLD-BACK");
            let far = back.is_some_and(|b| b >= 3 * part_target);
            out.unless(far, 0, "PART-HOLD-BACK is at least three parts", || format!("{back:?}"));
        }
        let far = control("HOLD-BACK").is_none_or(|b| b >= 3 * target_us);
        out.unless(far, 0, "HOLD-BACK is at least three target durations", String::new);
        let far = control("CAN-SKIP-UNTIL").is_none_or(|b| b >= 6 * target_us);
        out.unless(far, 0, "CAN-SKIP-UNTIL is at least six target durations", String::new);
        let sliding = !self.ended && self.media_sequence > FIRST_MSN;
        out.unless(
            !sliding || self.playlist_type.is_none(),
            0,
            "a sliding playlist has no type",
            String::new,
        );
    }

    fn check_parts(&self, out: &mut Findings, segment: &SegmentLine, whole: bool) {
        let Some(target) = self.part_target_us else { return };
        for (i, part) in segment.parts.iter().enumerate() {
            let line = part.line;
            let detail = || format!("{} µs", part.duration_us);
            out.unless(part.duration_us > 0, line, "a part is longer than nothing", detail);
            out.unless(
                part.duration_us <= target,
                line,
                "a part is PART-TARGET long at most",
                detail,
            );
            let next: Option<&PartLine> = segment.parts.get(i + 1);
            let excused = part.independent || part.gap || next.is_none_or(|n| n.gap);
            let long = part.duration_us * 100 >= target * 85;
            out.unless(long || excused, line, "a part is 85 % of PART-TARGET at least", detail);
            let first = i > 0 || part.independent || part.gap || !self.independent_segments;
            out.unless(first, line, "a segment's first part is independent", || {
                part.uri.clone()
            });
        }
        let dates = segment.parts.is_empty() || whole || segment.date_ms.is_some();
        out.unless(
            dates,
            segment.parts.first().map_or(0, |p| p.line),
            "an open segment is dated",
            String::new,
        );
    }

    fn check_dates(&self, out: &mut Findings, frame_us: u64) {
        let dated = self.segments.iter().chain([&self.open]).any(|s| s.date_ms.is_some());
        out.unless(
            dated || self.segments.is_empty(),
            0,
            "a playlist has a date",
            String::new,
        );
        let mut expected: Option<i64> = None;
        for segment in self.segments.iter().chain([&self.open]) {
            if segment.discontinuity {
                expected = None;
            }
            if let (Some(expected), Some(date)) = (expected, segment.date_ms) {
                let off_us = expected.abs_diff(date * 1_000);
                let near = off_us <= frame_us + ROUNDING_US;
                out.unless(near, segment.line, "dates advance by EXTINF", || {
                    format!("{off_us} µs off")
                });
            }
            let start = segment.date_ms.map(|ms| ms * 1_000).or(expected);
            // A gap's length is another rendition's: what follows it is dated anew.
            expected = start.filter(|_| !segment.gap).map(|s| s + segment.duration_us as i64);
        }
    }

    fn check_edge(&self, out: &mut Findings) {
        out.unless(
            !self.ended || self.hints.is_empty(),
            0,
            "nothing is hinted after the end",
            String::new,
        );
        out.unless(
            !self.ended || self.open.parts.is_empty(),
            0,
            "nothing is open after the end",
            String::new,
        );
        let mut kinds = BTreeSet::new();
        for (kind, uri) in &self.hints {
            out.unless(kinds.insert(kind), 0, "one hint of each type", || kind.clone());
            let listed = self
                .segments
                .iter()
                .chain([&self.open])
                .flat_map(|s| &s.parts)
                .any(|p| p.uri == *uri);
            out.unless(!listed, 0, "a hinted part is not listed yet", || uri.clone());
        }
        for report in &self.reports {
            let relative = !report.uri.contains("://") && !report.uri.starts_with('/');
            out.unless(relative, report.line, "a report's address is relative", || {
                report.uri.clone()
            });
            out.unless(report.last_msn.is_some(), report.line, "a report has LAST-MSN", || {
                report.uri.clone()
            });
        }
    }
}

pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn unless(&mut self, good: bool, line: usize, rule: &'static str, detail: impl FnOnce() -> String) {
        if !good {
            self.0.push(Finding {
                line,
                rule,
                detail: detail(),
            });
        }
    }
}
