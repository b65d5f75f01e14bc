//! Init segments, parts and segments.

use std::sync::Arc;

use bytes::Bytes;
use headwater_media::window;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;
use super::{Origin, range, refusal};
use crate::playback::broadcast::Broadcast;
use crate::playback::fetch::{self, Found};
use crate::playback::media::PartName;

/// Unix microseconds at which the last access unit of a part reached the edge; on the first answer with that part, so that
/// delay can be measured from outside.
const ARRIVAL: HeaderName = HeaderName::from_static("headwater-arrival-us");

/// One rendition of one broadcast.
pub(crate) struct Wanted<'a> {
    pub playback: &'a str,
    pub broadcast: &'a str,
    pub rendition: &'a str,
}

impl Origin {
    async fn broadcast_of(&self, wanted: &Wanted<'_>) -> Result<Arc<Broadcast>, Refusal> {
        let shown = self
            .broadcasts
            .find(wanted.playback, Some(wanted.broadcast))
            .await
            .map_err(refusal::find)?;
        Ok(shown.broadcast)
    }

    /// `init-{first_seq}.mp4`
    pub(super) async fn init(
        &self,
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        first_seq: u64,
    ) -> Result<Response<Body>, Refusal> {
        let broadcast = self.broadcast_of(&wanted).await?;
        let init = broadcast
            .init(&self.objects, wanted.rendition, first_seq)
            .await
            .map_err(refusal::fetch)?;
        let cache = keep(&broadcast, Cache::Immutable);
        whole(headers, kind(&broadcast, wanted.rendition), cache, &[init])
    }

    /// `{seq}-{generation}.{part}.m4s`: waits where playlists hint at it.
    pub(super) async fn part(
        &self,
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        name: PartName,
    ) -> Result<Response<Body>, Refusal> {
        let broadcast = self.broadcast_of(&wanted).await?;
        let found = broadcast.part(&self.objects, wanted.rendition, name).await;
        let (bytes, arrival_us) = found.map_err(refusal::fetch)?;
        let cache = keep(&broadcast, Cache::Immutable);
        let mut answer = whole(headers, kind(&broadcast, wanted.rendition), cache, &[bytes])?;
        if let Some(arrival_us) = arrival_us {
            let delay_us = (self.clock.unix_us() - arrival_us).max(0);
            self.meters.part_delay_s.record(delay_us as f64 / 1e6);
            answer.headers_mut().insert(ARRIVAL, HeaderValue::from(arrival_us));
        }
        Ok(answer)
    }

    /// `{seq}-{generation}.m4s`
    pub(super) async fn segment(
        &self,
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        seq: u64,
        generation: u64,
    ) -> Result<Response<Body>, Refusal> {
        let broadcast = self.broadcast_of(&wanted).await?;
        let found = broadcast.segment(&self.objects, wanted.rendition, seq, generation);
        let found = found.await.map_err(refusal::fetch)?;
        segment(headers, broadcast, &wanted, found, Some(generation), Cache::Immutable)
    }

    /// `t{time}.m4s`, as DASH asks: the segment that begins at that decode time, of the highest generation.
    pub(super) async fn segment_at(
        &self,
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        decode_time: u64,
    ) -> Result<Response<Body>, Refusal> {
        let broadcast = self.broadcast_of(&wanted).await?;
        let decode_time = i64::try_from(decode_time).unwrap_or(i64::MAX);
        let found = broadcast.segment_at(&self.objects, wanted.rendition, decode_time);
        let found = found.await.map_err(refusal::fetch)?;
        segment(headers, broadcast, &wanted, found, None, Cache::DAY)
    }
}

/// A finished segment in the range that is asked for. One that is being made is answered part by part as the parts come,
/// whole whatever range is asked for: nobody knows yet how long it will be.
fn segment(
    headers: &HeaderMap,
    broadcast: Arc<Broadcast>,
    wanted: &Wanted<'_>,
    found: Found,
    generation: Option<u64>,
    cache: Cache,
) -> Result<Response<Body>, Refusal> {
    let kind = kind(&broadcast, wanted.rendition);
    let cache = keep(&broadcast, cache);
    match found {
        Found::Whole(pieces) => whole(headers, kind, cache, &pieces),
        Found::Open { seq } => {
            let pieces = fetch::open_segment(broadcast, wanted.rendition.to_string(), seq, generation);
            Ok(answer::answer(StatusCode::OK, kind, cache, Body::stream(pieces, None)))
        }
    }
}

fn whole(headers: &HeaderMap, kind: Kind, cache: Cache, pieces: &[Bytes]) -> Result<Response<Body>, Refusal> {
    let len_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
    range::respond(headers, kind, cache, len_bytes, |slice| {
        Body::slice_of(pieces, slice.start, slice.len)
    })
}

/// What leaves no replay is not left in caches either.
fn keep(broadcast: &Broadcast, cache: Cache) -> Cache {
    match broadcast.is_unrecorded {
        true => Cache::MINUTE,
        false => cache,
    }
}

fn kind(broadcast: &Broadcast, rendition: &str) -> Kind {
    match fetch::kind_of(&broadcast.read().window, rendition) {
        Some(window::Kind::Audio) => Kind::AudioMedia,
        _ => Kind::VideoMedia,
    }
}
