//! Playlists judged as a player (or Apple's validator) would: from their text alone, by rules written a second time.
//!
//! Nothing here shares code with the renderer. [`MediaPlaylist::parse`] reads a body; [`MediaPlaylist::check`] holds
//! one against the rules, [`check_update`] a reload against what came before, [`check_siblings`] the renditions of
//! one moment against each other. All of them return what they found wrong; an empty list is good.

mod across;
mod multivariant;
mod parse;
mod rules;

use std::fmt;

pub use across::{check_siblings, check_update};
pub use multivariant::{MediaGroup, MultivariantPlaylist, Variant};

/// One rule that a playlist breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line of the body, from 1; 0 where no line is to blame.
    pub line: usize,
    /// Which rule, in short.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.rule, self.detail)
    }
}

/// A media playlist as its text says. Durations are microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// `EXT-X-VERSION`, 1 where absent.
    pub version: u32,
    /// `EXT-X-TARGETDURATION`, seconds.
    pub target_duration_s: u64,
    /// `EXT-X-MEDIA-SEQUENCE`
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`
    pub discontinuity_sequence: Option<u64>,
    /// `EXT-X-PLAYLIST-TYPE`
    pub playlist_type: Option<String>,
    /// `EXT-X-INDEPENDENT-SEGMENTS`
    pub independent_segments: bool,
    /// Attributes of `EXT-X-SERVER-CONTROL`.
    pub server_control: Vec<(String, String)>,
    /// `PART-TARGET`
    pub part_target_us: Option<u64>,
    /// `SKIPPED-SEGMENTS`
    pub skipped: u64,
    /// Segments after those skipped.
    pub segments: Vec<SegmentLine>,
    /// What stands after the last segment: the open segment's parts, and its tags.
    pub open: SegmentLine,
    /// `EXT-X-PRELOAD-HINT`: type and address.
    pub hints: Vec<(String, String)>,
    /// `EXT-X-RENDITION-REPORT`
    pub reports: Vec<Report>,
    /// `EXT-X-ENDLIST`
    pub ended: bool,
}

/// One segment with the tags before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentLine {
    /// Line of its address.
    pub line: usize,
    /// Address; empty for the open segment.
    pub uri: String,
    /// `EXTINF`
    pub duration_us: u64,
    /// `EXT-X-MAP` in force.
    pub map: Option<String>,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
    /// `EXT-X-PROGRAM-DATE-TIME`, Unix milliseconds.
    pub date_ms: Option<i64>,
    /// `EXT-X-GAP`
    pub gap: bool,
    /// `EXT-X-PART`
    pub parts: Vec<PartLine>,
}

/// One part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartLine {
    /// Line.
    pub line: usize,
    /// Address.
    pub uri: String,
    /// `DURATION`
    pub duration_us: u64,
    /// `INDEPENDENT=YES`
    pub independent: bool,
    /// `GAP=YES`
    pub gap: bool,
}

/// What one playlist says of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Line.
    pub line: usize,
    /// Address.
    pub uri: String,
    /// `LAST-MSN`
    pub last_msn: Option<u64>,
    /// `LAST-PART`
    pub last_part: Option<u64>,
}

impl MediaPlaylist {
    /// Number of the first segment after those skipped.
    pub fn first_msn(&self) -> u64 {
        self.media_sequence.saturating_add(self.skipped)
    }

    /// Number of the last segment listed; `None` in an empty playlist.
    pub fn last_msn(&self) -> Option<u64> {
        (self.first_msn() + self.segments.len() as u64)
            .checked_sub(1)
            .filter(|_| !self.segments.is_empty())
    }

    /// The segment of that number.
    pub fn segment(&self, msn: u64) -> Option<&SegmentLine> {
        self.segments
            .get(usize::try_from(msn.checked_sub(self.first_msn())?).ok()?)
    }

    /// Segments with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &SegmentLine)> {
        (self.first_msn()..).zip(&self.segments)
    }

    /// Microseconds of all that is listed after those skipped, open parts included.
    pub fn listed_us(&self) -> u64 {
        let open: u64 = self.open.parts.iter().map(|p| p.duration_us).sum();
        self.segments.iter().map(|s| s.duration_us).sum::<u64>() + open
    }

    /// Discontinuity number of each segment after those skipped; `None` where segments were skipped, for a
    /// discontinuity may be among them.
    pub fn discontinuities(&self) -> Option<Vec<u64>> {
        let mut number = self.discontinuity_sequence.unwrap_or(0);
        let count = |s: &SegmentLine| {
            number += u64::from(s.discontinuity);
            number
        };
        (self.skipped == 0).then(|| self.segments.iter().map(count).collect())
    }

    /// Value of a `EXT-X-SERVER-CONTROL` attribute.
    pub fn control(&self, name: &str) -> Option<&str> {
        self.server_control
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

#[cfg(test)]
mod tests;
