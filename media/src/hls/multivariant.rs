//! The multivariant playlist.

use std::fmt::Write;

use super::text;
use crate::segmenter::LatencyMode;
use crate::window::{Kind, Rendition, Track, Window};

/// What players should start with where the network is unknown: the nearest variant comes first.
const FIRST_VARIANT_BPS: u32 = 2_000_000;

/// Where the playlist stands, and which playlists it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultivariantOptions<'a> {
    /// Put before `{rendition}/{file}`: `{broadcast}/` for the public playlist, nothing for the stored one.
    pub base: &'a str,
    /// `index.m3u8` or `dvr.m3u8`.
    pub file: &'a str,
    /// Whether a rendition is playable from its first part on. Players without low latency find nothing in a playlist of
    /// parts alone and give up, so only a player that is known to read parts should be told this early.
    pub parts_suffice: bool,
}

/// Renders the multivariant playlist of the newest epoch. `None` before the first epoch, and while a video
/// rendition has nothing that a player could load (with sound alone: while the sound has not), and in the first
/// moments until all have.
pub fn multivariant(window: &Window, options: &MultivariantOptions<'_>) -> Option<String> {
    let epoch = window.epoch()?;
    let parts = options.parts_suffice && window.settings().latency == LatencyMode::Low;
    let playable = |track: &Track| !track.segments().is_empty() || parts && track.open().is_some();
    let of = |kind| {
        let all = epoch.renditions.iter().filter(move |r| r.kind == kind);
        all.filter(|r| window.track(&r.name).is_some_and(playable))
    };
    let mut video: Vec<&Rendition> = of(Kind::Video).collect();
    let audio: Vec<&Rendition> = of(Kind::Audio).collect();
    let has_video = epoch.renditions.iter().any(|r| r.kind == Kind::Video);
    if video.is_empty() && (has_video || audio.is_empty()) || window.is_beginning(playable) {
        return None;
    }
    video.sort_by_key(|r| std::cmp::Reverse(r.bandwidth_bps));
    let nearest = (0..video.len()).min_by_key(|i| video[*i].bandwidth_bps.abs_diff(FIRST_VARIANT_BPS));
    if let Some(nearest) = nearest {
        video[..=nearest].rotate_right(1);
    }
    let mut out = String::with_capacity(256 + 384 * (video.len() + audio.len()));
    out.push_str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if video.is_empty() {
        for rendition in audio {
            variant(&mut out, rendition, None, options);
        }
        return Some(out);
    }
    for (i, rendition) in audio.iter().enumerate() {
        media(&mut out, rendition, i == 0, options);
    }
    for rendition in video {
        variant(
            &mut out,
            rendition,
            audio.iter().max_by_key(|r| r.bandwidth_bps).copied(),
            options,
        );
    }
    Some(out)
}

fn media(out: &mut String, rendition: &Rendition, default: bool, options: &MultivariantOptions<'_>) {
    out.push_str("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"");
    quoted(out, &rendition.name);
    out.push('"');
    if !rendition.language.is_empty() {
        out.push_str(",LANGUAGE=\"");
        quoted(out, &rendition.language);
        out.push('"');
    }
    out.push_str(if default {
        ",DEFAULT=YES,AUTOSELECT=YES"
    } else {
        ",DEFAULT=NO,AUTOSELECT=YES"
    });
    if rendition.channels > 0 {
        let _ = write!(out, ",CHANNELS=\"{}\"", rendition.channels);
    }
    let _ = writeln!(out, ",URI=\"{}{}/{}\"", options.base, rendition.name, options.file);
}

fn variant(out: &mut String, rendition: &Rendition, audio: Option<&Rendition>, options: &MultivariantOptions<'_>) {
    let with = |own: u32, sound: Option<u32>| own.saturating_add(sound.unwrap_or(0)).max(1);
    let peak = with(rendition.bandwidth_bps, audio.map(|a| a.bandwidth_bps));
    let average = with(rendition.average_bandwidth_bps, audio.map(|a| a.average_bandwidth_bps));
    let _ = write!(
        out,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={},CODECS=\"",
        average.min(peak)
    );
    quoted(out, &rendition.codecs);
    if let Some(audio) = audio {
        out.push(',');
        quoted(out, &audio.codecs);
    }
    out.push('"');
    if rendition.kind == Kind::Video {
        let (width, height) = rendition.display_size();
        if width > 0 && height > 0 {
            let _ = write!(out, ",RESOLUTION={width}x{height}");
        }
        if rendition.fps_milli > 0 {
            let fps = u64::from(rendition.fps_milli);
            out.push_str(",FRAME-RATE=");
            text::int(out, fps / 1_000);
            out.push('.');
            text::padded(out, fps % 1_000, 3);
        }
        out.push_str(",VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE");
        if audio.is_some() {
            out.push_str(",AUDIO=\"audio\"");
        }
    }
    let _ = writeln!(out, "\n{}{}/{}", options.base, rendition.name, options.file);
}

/// What may not stand in a quoted string is left out.
fn quoted(out: &mut String, value: &str) {
    out.extend(value.chars().filter(|c| !c.is_control() && *c != '"'));
}
