//! `GET /{playback}/{broadcast}/download.mp4?rendition=NAME`

use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use tracing::info;

use super::answer::{Cache, Kind, Refusal};
use super::body::Body;
use super::{Origin, range, refusal};
use crate::playback::download::Download;
use crate::playback::fetch::FetchError;

impl Origin {
    pub(super) async fn download(
        &self,
        headers: &HeaderMap,
        (playback, broadcast): (&str, &str),
        query: Option<&str>,
    ) -> Result<Response<Body>, Refusal> {
        let shown = self
            .broadcasts
            .find(playback, Some(broadcast))
            .await
            .map_err(refusal::find)?;
        let broadcast = &shown.broadcast;
        let wanted = query_value(query, "rendition");
        let download = Download::plan(broadcast, &self.objects, wanted)
            .await
            .map_err(|error| match error {
                FetchError::Unknown => {
                    Refusal::NotFound("there is no such download, or not before the broadcast has ended")
                }
                error => refusal::fetch(error),
            })?;
        let name = format!("attachment; filename=\"{}-{}.mp4\"", broadcast.id, download.rendition);
        let cache = if broadcast.read().is_final {
            Cache::HOUR
        } else {
            Cache::No
        };
        info!(
            broadcast.id = broadcast.id,
            "download of {} of {} begins", download.rendition, broadcast.id
        );
        let len_bytes = download.len_bytes;
        let objects = self.objects.clone();
        let mut response = range::respond(headers, Kind::VideoMedia, cache, len_bytes, |slice| {
            Body::stream(download.bytes(objects, slice.start, slice.len), Some(slice.len))
        })?;
        // Ids and rendition names are plain letters and digits.
        let name = HeaderValue::try_from(name).map_err(|_| Refusal::Internal)?;
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
        Ok(response)
    }
}

/// The value of `name` in `query`, for names and values that need no escapes.
fn query_value<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
