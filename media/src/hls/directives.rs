//! Delivery directives (rfc8216bis §6.2.5): what a request asks for, and whether it must wait.

use super::FIRST_MSN;
use crate::segmenter::LatencyMode;
use crate::window::Window;

/// How a playlist may be shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// `_HLS_skip=YES`
    Segments,
    /// `_HLS_skip=v2`: date ranges too.
    SegmentsAndDateRanges,
}

/// The directives of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Directives {
    /// `_HLS_msn`
    pub msn: Option<u64>,
    /// `_HLS_part`; only ever with `msn`.
    pub part: Option<u32>,
    /// `_HLS_skip`
    pub skip: Option<Skip>,
}

/// Why a query is answered with 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectiveError {
    /// Not a decimal integer that fits.
    #[error("{name} is {value:?}, not a decimal integer")]
    NotANumber {
        /// Which directive.
        name: &'static str,
        /// Its value, shortened.
        value: String,
    },
    /// Given more than once.
    #[error("{name} is given more than once")]
    Repeated {
        /// Which directive.
        name: &'static str,
    },
    /// A part of no segment.
    #[error("_HLS_part is given without _HLS_msn")]
    PartWithoutMsn,
}

impl Directives {
    /// Number of the segment that `_HLS_msn` means. `None` where nothing has to be waited for.
    pub fn seq(&self) -> Option<u64> {
        self.msn?.checked_sub(FIRST_MSN)
    }

    /// Reads a query string (without `?`, not decoded: no directive has a value that needs it). Other parameters are
    /// passed over, and so is an `_HLS_skip` with a value that this server does not know.
    pub fn parse(query: &str) -> Result<Self, DirectiveError> {
        let mut this = Self::default();
        let mut skip_seen = false;
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "_HLS_msn" => set("_HLS_msn", value, &mut this.msn)?,
                "_HLS_part" => set("_HLS_part", value, &mut this.part)?,
                "_HLS_skip" if skip_seen => return Err(DirectiveError::Repeated { name: "_HLS_skip" }),
                "_HLS_skip" => {
                    skip_seen = true;
                    this.skip = match value {
                        "YES" => Some(Skip::Segments),
                        "v2" => Some(Skip::SegmentsAndDateRanges),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        if this.part.is_some() && this.msn.is_none() {
            return Err(DirectiveError::PartWithoutMsn);
        }
        Ok(this)
    }
}

fn set<T: std::str::FromStr>(name: &'static str, value: &str, slot: &mut Option<T>) -> Result<(), DirectiveError> {
    if slot.is_some() {
        return Err(DirectiveError::Repeated { name });
    }
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    match value.parse() {
        Ok(number) if digits => *slot = Some(number),
        _ => {
            return Err(DirectiveError::NotANumber {
                name,
                value: value.chars().take(32).collect(),
            });
        }
    }
    Ok(())
}

/// What to do with a playlist request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Render and answer.
    Now,
    /// Ask again after the window's next change; 503 after three target durations.
    Wait,
    /// 400: asks for what lies too far ahead.
    BadRequest,
}

/// A request may ask this far past the playlist's last segment.
const SEGMENTS_AHEAD_MAX: u64 = 2;

/// Whether a request with `directives` for a playlist of `rendition` can be answered from `window`.
pub fn reload_decision(window: &Window, rendition: &str, directives: &Directives) -> Reload {
    let Some(seq) = directives.seq() else {
        return Reload::Now;
    };
    if window.ended() {
        return Reload::Now;
    }
    let track = window.track(rendition);
    // What playlists list last depends on the newest few slots alone.
    let target_ms = i64::from(window.settings().latency.target_duration_s()) * 1_000;
    let listed = window
        .view(Some(target_ms * 6))
        .and_then(|view| view.last_seq(window, rendition));
    // The number of the segment that is being made, or made next.
    let open = match listed {
        Some(last) => last.saturating_add(1),
        None => window.epoch().map_or(0, |epoch| epoch.first_seq),
    };
    if seq < open {
        // Whole already, or gone: "past the last part" means part 0 of the next, unless that is meant.
        let past = directives
            .part
            .is_some_and(|part| seq + 1 == open && past_last_part(window, rendition, seq, part));
        let next_has_part = track.and_then(|t| t.open()).is_some_and(|o| o.seq == open);
        return if past && advertises_parts(window) && !next_has_part {
            Reload::Wait
        } else {
            Reload::Now
        };
    }
    if seq > open.saturating_add(SEGMENTS_AHEAD_MAX - 1) {
        return Reload::BadRequest;
    }
    let (Some(part), true) = (directives.part, advertises_parts(window)) else {
        return Reload::Wait;
    };
    let made = if window.is_without(rendition, open) {
        window.lead_parts(open).map(|(_, open)| open)
    } else {
        track.and_then(|t| t.open()).filter(|o| o.seq == open)
    };
    let made = made.map_or(0, |o| o.parts.len() as u32);
    let made = if seq == open { made } else { 0 };
    if part < made {
        Reload::Now
    } else if part - made >= advance_part_limit(window.settings().latency) {
        Reload::BadRequest
    } else {
        Reload::Wait
    }
}

/// Whether `part` lies past the parts of the finished segment `seq`.
fn past_last_part(window: &Window, rendition: &str, seq: u64, part: u32) -> bool {
    let parts = window
        .track(rendition)
        .and_then(|t| t.segment(seq))
        .map_or(0, |s| s.parts.len());
    parts > 0 && part as usize >= parts
}

fn advertises_parts(window: &Window) -> bool {
    window.settings().latency == LatencyMode::Low
}

/// The Advance Part Limit: three seconds of parts where they are shorter than one, else three parts.
fn advance_part_limit(latency: LatencyMode) -> u32 {
    let target_ms = latency.part_target_ms();
    if target_ms < 1_000 {
        3_000u32.div_ceil(target_ms)
    } else {
        3
    }
}
