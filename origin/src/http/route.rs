//! Which URL is asked for: one pass over the path, nothing allocated.
//!
//! Every name has exactly one spelling (no percent escapes, no leading zeros, no doubled slashes), so that a cache in
//! front holds one copy of each object and nobody can make it hold more.

/// How much of a broadcast a playlist lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Span {
    /// The live window.
    Live,
    /// From the start, up to the DVR limit.
    Dvr,
}

/// One rendition's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Playlist(Span),
    /// The init segment of the segments from `first_seq` on.
    Init {
        first_seq: u64,
    },
    Segment {
        seq: u64,
        generation: u64,
    },
    /// The segment that begins at `decode_time`, of the highest generation there is.
    SegmentAt {
        decode_time: u64,
    },
    Part {
        seq: u64,
        generation: u64,
        part: u32,
    },
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Healthz,
    Readyz,
    Time,
    Embed {
        playback: &'a str,
    },
    EmbedScript,
    PlayerAsset {
        name: &'a str,
    },
    Multivariant {
        playback: &'a str,
        span: Span,
    },
    Manifest {
        playback: &'a str,
    },
    State {
        playback: &'a str,
    },
    Thumbnail {
        playback: &'a str,
    },
    Download {
        playback: &'a str,
        broadcast: &'a str,
    },
    Media {
        playback: &'a str,
        broadcast: &'a str,
        rendition: &'a str,
        file: File,
    },
}

impl<'a> Route<'a> {
    /// Whose it is; `None` for what belongs to nobody.
    pub(crate) fn playback(&self) -> Option<&'a str> {
        match *self {
            Self::Multivariant { playback, .. }
            | Self::Manifest { playback }
            | Self::State { playback }
            | Self::Thumbnail { playback }
            | Self::Download { playback, .. }
            | Self::Media { playback, .. } => Some(playback),
            // The page holds nothing of what it plays.
            Self::Embed { .. }
            | Self::Healthz
            | Self::Readyz
            | Self::Time
            | Self::EmbedScript
            | Self::PlayerAsset { .. } => None,
        }
    }

    /// `None`: no such URL exists here.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        match path {
            "healthz" => return Some(Self::Healthz),
            "readyz" => return Some(Self::Readyz),
            "time" => return Some(Self::Time),
            "embed.js" => return Some(Self::EmbedScript),
            _ => {}
        }
        let (first, rest) = path.split_once('/')?;
        match first {
            "embed" => {
                return is_id(rest, "pb_").then_some(Self::Embed { playback: rest });
            }
            "player" => {
                return is_asset(rest).then_some(Self::PlayerAsset { name: rest });
            }
            _ => {}
        }
        if !is_id(first, "pb_") {
            return None;
        }
        let playback = first;
        let Some((broadcast, rest)) = rest.split_once('/') else {
            return match rest {
                "main.m3u8" => Some(Self::Multivariant {
                    playback,
                    span: Span::Live,
                }),
                "dvr.m3u8" => Some(Self::Multivariant {
                    playback,
                    span: Span::Dvr,
                }),
                "manifest.mpd" => Some(Self::Manifest { playback }),
                "state.json" => Some(Self::State { playback }),
                "thumbnail.jpg" => Some(Self::Thumbnail { playback }),
                _ => None,
            };
        };
        if !is_id(broadcast, "br_") {
            return None;
        }
        let Some((rendition, file)) = rest.split_once('/') else {
            return (rest == "download.mp4").then_some(Self::Download { playback, broadcast });
        };
        if !is_rendition(rendition) {
            return None;
        }
        Some(Self::Media {
            playback,
            broadcast,
            rendition,
            file: File::parse(file)?,
        })
    }
}

impl File {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "index.m3u8" => return Some(Self::Playlist(Span::Live)),
            "dvr.m3u8" => return Some(Self::Playlist(Span::Dvr)),
            _ => {}
        }
        if let Some(n) = name.strip_prefix("init-").and_then(|n| n.strip_suffix(".mp4")) {
            return Some(Self::Init { first_seq: number(n)? });
        }
        let stem = name.strip_suffix(".m4s")?;
        if let Some(time) = stem.strip_prefix('t') {
            return Some(Self::SegmentAt {
                decode_time: number(time)?,
            });
        }
        let (seq, rest) = stem.split_once('-')?;
        let seq = number(seq)?;
        match rest.split_once('.') {
            None => Some(Self::Segment {
                seq,
                generation: number(rest)?,
            }),
            Some((generation, part)) => Some(Self::Part {
                seq,
                generation: number(generation)?,
                part: number(part)?.try_into().ok()?,
            }),
        }
    }
}

/// The one decimal spelling of a number below 10^15.
fn number(text: &str) -> Option<u64> {
    let plain = (1..=15).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// A prefix and 24 letters of the identifiers' alphabet.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|tail| tail.len() == 24 && tail.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')))
}

fn is_rendition(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn is_asset(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.contains("..")
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: &str = "pb_aaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "br_aaaaaaaaaaaaaaaaaaaaaaa7";

    #[test]
    fn every_url_has_its_route() {
        let media = |file| {
            Some(Route::Media {
                playback: P,
                broadcast: B,
                rendition: "720p60",
                file,
            })
        };
        let cases = [
            ("/healthz".to_string(), Some(Route::Healthz)),
            ("/readyz".to_string(), Some(Route::Readyz)),
            ("/time".to_string(), Some(Route::Time)),
            ("/embed.js".to_string(), Some(Route::EmbedScript)),
            (format!("/embed/{P}"), Some(Route::Embed { playback: P })),
            (
                "/player/hls.min.js".to_string(),
                Some(Route::PlayerAsset { name: "hls.min.js" }),
            ),
            (
                format!("/{P}/main.m3u8"),
                Some(Route::Multivariant {
                    playback: P,
                    span: Span::Live,
                }),
            ),
            (
                format!("/{P}/dvr.m3u8"),
                Some(Route::Multivariant {
                    playback: P,
                    span: Span::Dvr,
                }),
            ),
            (format!("/{P}/manifest.mpd"), Some(Route::Manifest { playback: P })),
            (format!("/{P}/state.json"), Some(Route::State { playback: P })),
            (format!("/{P}/thumbnail.jpg"), Some(Route::Thumbnail { playback: P })),
            (
                format!("/{P}/{B}/download.mp4"),
                Some(Route::Download {
                    playback: P,
                    broadcast: B,
                }),
            ),
            (format!("/{P}/{B}/720p60/index.m3u8"), media(File::Playlist(Span::Live))),
            (format!("/{P}/{B}/720p60/dvr.m3u8"), media(File::Playlist(Span::Dvr))),
            (
                format!("/{P}/{B}/720p60/init-0.mp4"),
                media(File::Init { first_seq: 0 }),
            ),
            (
                format!("/{P}/{B}/720p60/12-3.m4s"),
                media(File::Segment { seq: 12, generation: 3 }),
            ),
            (
                format!("/{P}/{B}/720p60/t1080000.m4s"),
                media(File::SegmentAt { decode_time: 1_080_000 }),
            ),
            (
                format!("/{P}/{B}/720p60/12-3.4.m4s"),
                media(File::Part {
                    seq: 12,
                    generation: 3,
                    part: 4,
                }),
            ),
        ];
        for (path, route) in cases {
            assert_eq!(Route::parse(&path), route, "{path}");
        }
    }

    #[test]
    fn no_second_spelling_and_no_way_out() {
        let paths = [
            "/".to_string(),
            "".to_string(),
            "/healthz/".to_string(),
            "/pb_short/main.m3u8".to_string(),
            format!("/{P}//main.m3u8"),
            format!("/{P}/{B}/720p60/012-3.m4s"),
            format!("/{P}/{B}/720p60/+12-3.m4s"),
            format!("/{P}/{B}/720p60/12-3.4.5.m4s"),
            format!("/{P}/{B}/720p60/12-.m4s"),
            format!("/{P}/{B}/720p60/12.m4s"),
            format!("/{P}/{B}/720p60/t.m4s"),
            format!("/{P}/{B}/720p60/t-1.m4s"),
            format!("/{P}/{B}/720p60/t01.m4s"),
            format!("/{P}/{B}/720p60/1234567890123456.m4s"),
            format!("/{P}/{B}/../index.m3u8"),
            format!("/{P}/{B}/%37/index.m3u8"),
            format!("/{P}/{B}/720p60/x/index.m3u8"),
            "/player/../secret".to_string(),
            "/player/".to_string(),
            format!("/{}/main.m3u8", P.to_uppercase()),
        ];
        for path in paths {
            assert_eq!(Route::parse(&path), None, "{path}");
        }
    }
}
