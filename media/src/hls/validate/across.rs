//! The rules between playlists: of one rendition as time goes on, and of several at one time.

use super::rules::Findings;
use super::{Finding, MediaPlaylist};

/// Holds a reload against the playlist before it. Renditions made again by another worker have new names: an
/// address counts as the same if its number (the digits it starts with) is.
pub fn check_update(before: &MediaPlaylist, after: &MediaPlaylist, frame_us: u64) -> Vec<Finding> {
    let mut out = Findings(Vec::new());
    out.unless(
        after.media_sequence >= before.media_sequence,
        0,
        "MEDIA-SEQUENCE never goes back",
        || format!("{} after {}", after.media_sequence, before.media_sequence),
    );
    out.unless(
        after.last_msn() >= before.last_msn(),
        0,
        "segments at the end stay",
        || format!("{:?} after {:?}", after.last_msn(), before.last_msn()),
    );
    out.unless(
        after.target_duration_s == before.target_duration_s,
        0,
        "TARGETDURATION never changes",
        || format!("{} after {}", after.target_duration_s, before.target_duration_s),
    );
    let parts = after.ended || after.part_target_us == before.part_target_us;
    out.unless(parts, 0, "PART-TARGET never changes", || {
        format!("{:?}", after.part_target_us)
    });
    out.unless(after.ended || !before.ended, 0, "an end is an end", String::new);
    let numbers = before.discontinuities().zip(after.discontinuities());
    for (msn, segment) in after.numbered() {
        let Some(old) = before.segment(msn) else { continue };
        let same = number(&old.uri) == number(&segment.uri);
        out.unless(same, segment.line, "a number keeps its address", || {
            format!("{} was {}", segment.uri, old.uri)
        });
        let off = old.duration_us.abs_diff(segment.duration_us);
        out.unless(
            off <= frame_us || old.gap,
            segment.line,
            "a segment keeps its duration",
            || format!("{off} µs off"),
        );
        out.unless(
            old.gap || !segment.gap,
            segment.line,
            "media does not become a gap",
            || segment.uri.clone(),
        );
        if let Some((old, new)) = &numbers {
            let at = |list: &[u64], p: &MediaPlaylist| list.get((msn - p.first_msn()) as usize).copied();
            let same = at(old, before) == at(new, after);
            out.unless(same, segment.line, "a segment keeps its discontinuity number", || {
                segment.uri.clone()
            });
        }
    }
    // Parts of the open segment are still there, in the open segment or in what became of it.
    if let Some(msn) = before.last_msn().map(|last| last + 1)
        && !after.ended
    {
        let kept = match after.segment(msn) {
            Some(whole) => whole.parts.is_empty() || whole.parts.len() >= before.open.parts.len(),
            None if after.last_msn() == before.last_msn() => after.open.parts.len() >= before.open.parts.len(),
            None => true,
        };
        out.unless(kept, 0, "listed parts stay", || format!("of segment {msn}"));
    }
    out.0
}

/// Holds the playlists of several renditions, read at one moment, against each other. `skew_us` is how far the same
/// segment may start apart: an audio frame, and rounding.
pub fn check_siblings(playlists: &[(&str, &MediaPlaylist)], skew_us: u64) -> Vec<Finding> {
    let mut out = Findings(Vec::new());
    let Some(((lead_name, lead), others)) = playlists.split_first() else {
        return out.0;
    };
    for (name, other) in others {
        let pair = || format!("{name} and {lead_name}");
        out.unless(
            other.target_duration_s == lead.target_duration_s,
            0,
            "renditions share TARGETDURATION",
            pair,
        );
        out.unless(
            other.server_control == lead.server_control,
            0,
            "renditions share SERVER-CONTROL",
            pair,
        );
        out.unless(other.ended == lead.ended, 0, "renditions end together", pair);
        let numbers = other.discontinuities().zip(lead.discontinuities());
        for (msn, segment) in other.numbered() {
            let Some(same) = lead.segment(msn) else { continue };
            if let (Some(a), Some(b)) = (segment.date_ms, same.date_ms) {
                let apart = a.abs_diff(b) * 1_000;
                let near = apart <= skew_us || segment.gap || same.gap;
                out.unless(near, segment.line, "the same number is the same time", || {
                    format!("segment {msn} of {name} and {lead_name}: {apart} µs apart")
                });
            }
            if let Some((a, b)) = &numbers {
                let at = |list: &[u64], p: &MediaPlaylist| list.get((msn - p.first_msn()) as usize).copied();
                let same = at(a, other) == at(b, lead);
                out.unless(
                    same,
                    segment.line,
                    "the same number has the same discontinuity number",
                    || format!("segment {msn} of {name} and {lead_name}"),
                );
            }
        }
    }
    out.0
}

fn number(uri: &str) -> &str {
    let file = uri.rsplit('/').next().unwrap_or(uri);
    file.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(file)
}
