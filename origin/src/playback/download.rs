//! A finished broadcast as one MP4 file: the init segments merged, and the segments of picture and sound in turn, just
//! as they lie in the store. Its length is known before the first byte is read, and any range of it can be.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use headwater_media::cmaf;
use headwater_media::window::key::{self, Key, SegmentName};
use headwater_media::window::{Epoch, Kind, Window};
use headwater_platform::retry::Backoff;

use super::broadcast::Broadcast;
use super::fetch::FetchError;
use super::objects::{Objects, ReadError};
use crate::http::body::BodyError;
use crate::limits::{DOWNLOAD_AHEAD_MAX, DOWNLOAD_ATTEMPTS_MAX};

/// Where every byte of a download comes from.
pub(crate) struct Download {
    /// The rendition of its pictures, or of its sound where there are none.
    pub rendition: String,
    pub len_bytes: u64,
    init: Bytes,
    pieces: Vec<Piece>,
}

/// One segment, at `start` of the file.
#[derive(Clone, Debug)]
struct Piece {
    start: u64,
    size_bytes: u64,
    key: String,
    /// The sample description of the merged init that its samples use.
    description: u32,
}

impl Download {
    /// Plans the download of `rendition` (the best picture, if none is named) with its sound.
    pub(crate) async fn plan(
        broadcast: &Broadcast,
        objects: &Arc<Objects>,
        rendition: Option<&str>,
    ) -> Result<Self, FetchError> {
        let (tracks, inits, segments) = {
            let state = broadcast.read();
            if !state.window.ended() || broadcast.is_unrecorded {
                return Err(FetchError::Unknown);
            }
            let tracks = choose(&state.window, rendition).ok_or(FetchError::Unknown)?;
            let inits = inits(&state.window, &tracks);
            let segments = segments(&state.window, &tracks);
            (tracks, inits, segments)
        };
        let prefix = key::prefix(&broadcast.tenant, &broadcast.id);
        let mut bytes = Vec::with_capacity(inits.len());
        for (track, first_seq) in &inits {
            let key = Key::Init {
                rendition: &tracks[*track],
                first_seq: *first_seq,
            };
            bytes.push(objects.get(&format!("{prefix}{key}")).await?);
        }
        let slices: Vec<&[u8]> = bytes.iter().map(|init| init.as_ref()).collect();
        let merged = cmaf::merge_inits(&slices).map_err(|_| FetchError::Unknown)?;
        let mut at = merged.init.len() as u64;
        let mut pieces = Vec::with_capacity(segments.len());
        for (track, first_seq, name, size_bytes) in segments {
            let init = inits.iter().position(|init| *init == (track, first_seq));
            let description = init
                .and_then(|init| merged.descriptions.get(init))
                .copied()
                .ok_or(FetchError::Unknown)?;
            let key = format!(
                "{prefix}{}",
                Key::Segment {
                    rendition: &tracks[track],
                    name
                }
            );
            pieces.push(Piece {
                start: at,
                size_bytes,
                key,
                description,
            });
            at += size_bytes;
        }
        let rendition = tracks.into_iter().next().ok_or(FetchError::Unknown)?;
        Ok(Self {
            rendition,
            len_bytes: at,
            init: merged.init,
            pieces,
        })
    }

    /// `len` bytes of the file from `start` on; a few pieces are read ahead of the reader.
    pub(crate) fn bytes(
        self,
        objects: Arc<Objects>,
        start: u64,
        len: u64,
    ) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
        let end = start + len;
        let head_end = end.min(self.init.len() as u64);
        let head = (start < head_end).then(|| Ok(self.init.slice(start as usize..head_end as usize)));
        let first = self
            .pieces
            .partition_point(|piece| piece.start + piece.size_bytes <= start);
        let wanted: Vec<Piece> = self
            .pieces
            .into_iter()
            .skip(first)
            .take_while(|piece| piece.start < end)
            .filter(|p| p.size_bytes > 0)
            .collect();
        let pieces = stream::iter(wanted)
            .map(move |piece| {
                let objects = objects.clone();
                async move {
                    let bytes = read(&objects, &piece).await?;
                    let from = start.saturating_sub(piece.start);
                    let to = (end - piece.start).min(piece.size_bytes);
                    Ok(bytes.slice(from as usize..to as usize))
                }
            })
            .buffered(DOWNLOAD_AHEAD_MAX);
        stream::iter(head).chain(pieces)
    }
}

async fn read(objects: &Objects, piece: &Piece) -> Result<Bytes, BodyError> {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3));
    let mut attempt = 1;
    let bytes = loop {
        // Past the cache: a download must not push out what viewers watch.
        match objects.get_fresh(&piece.key).await {
            Ok(bytes) => break bytes,
            Err(ReadError::Unavailable) if attempt < DOWNLOAD_ATTEMPTS_MAX => backoff.wait().await,
            Err(error) => return Err(BodyError::Store(error)),
        }
        attempt += 1;
    };
    if bytes.len() as u64 != piece.size_bytes {
        let (got_bytes, want_bytes) = (bytes.len() as u64, piece.size_bytes);
        return Err(BodyError::Length {
            key: piece.key.clone(),
            got_bytes,
            want_bytes,
        });
    }
    if piece.description == 1 {
        return Ok(bytes);
    }
    let mut bytes = Vec::from(bytes);
    let changed = cmaf::set_description(&mut bytes, piece.description);
    changed.map_err(|source| BodyError::Segment {
        key: piece.key.clone(),
        source,
    })?;
    Ok(bytes.into())
}

/// The renditions that go into the file: the one named, or else the best picture, and the sound beside pictures.
fn choose(window: &Window, rendition: Option<&str>) -> Option<Vec<String>> {
    let all = || window.epochs().iter().rev().flat_map(|epoch| &epoch.renditions);
    let has_segments = |name: &str| window.track(name).is_some_and(|track| !track.segments().is_empty());
    let best = |kind| {
        all()
            .filter(|r| r.kind == kind && has_segments(&r.name))
            .max_by_key(|r| (r.height, r.bandwidth_bps))
    };
    let first = match rendition {
        Some(name) => all().find(|r| r.name == name && has_segments(name))?,
        None => best(Kind::Video).or_else(|| best(Kind::Audio))?,
    };
    let sound = best(Kind::Audio).filter(|_| first.kind == Kind::Video);
    Some(
        [Some(first), sound]
            .into_iter()
            .flatten()
            .map(|r| r.name.clone())
            .collect(),
    )
}

/// (track, first segment) of each init segment that the file's segments need.
fn inits(window: &Window, tracks: &[String]) -> Vec<(usize, u64)> {
    let of_epoch = |epoch: &Epoch| {
        let first_seq = epoch.first_seq;
        let has = |(track, name): (usize, &String)| epoch.rendition(name).map(|_| (track, first_seq));
        tracks.iter().enumerate().filter_map(has).collect::<Vec<_>>()
    };
    window.epochs().iter().flat_map(of_epoch).collect()
}

/// (track, first segment of its epoch, name, bytes) of each segment, by number, picture before sound.
fn segments(window: &Window, tracks: &[String]) -> Vec<(usize, u64, SegmentName, u64)> {
    let mut all: Vec<_> = tracks
        .iter()
        .enumerate()
        .flat_map(|(track, name)| {
            window
                .track(name)
                .into_iter()
                .flat_map(|t| t.segments())
                .map(move |s| (track, s))
        })
        .filter_map(|(track, s)| {
            let (_, epoch) = window.epoch_of(s.seq)?;
            let (seq, generation, decode_time, duration) = (s.seq, s.generation, s.decode_time, s.duration);
            Some((
                track,
                epoch.first_seq,
                SegmentName {
                    seq,
                    generation,
                    decode_time,
                    duration,
                },
                s.size_bytes,
            ))
        })
        .collect();
    all.sort_by_key(|(track, _, name, _)| (name.seq, *track));
    all
}
