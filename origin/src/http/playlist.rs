//! Multivariant and media playlists: waiting, rendering once, compressing once.

use headwater_media::hls::{self, DirectiveError, Directives, MediaOptions, MultivariantOptions, Reload, Skip};
use headwater_media::window::Window;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use tracing::instrument;

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;
use super::player::accepts_gzip;
use super::route::Span;
use super::{Origin, refusal};
use crate::playback::broadcast::{RenderKind, Rendered, State, WaitError};
use crate::playback::fetch;

/// Which media playlist of which broadcast.
pub(crate) struct Wanted<'a> {
    pub playback: &'a str,
    pub broadcast: &'a str,
    pub rendition: &'a str,
    pub span: Span,
}

impl Origin {
    /// `GET /{playback}/main.m3u8` and `dvr.m3u8`: held until every rendition can be played, else 404.
    pub(super) async fn multivariant(
        &self,
        headers: &HeaderMap,
        playback: &str,
        span: Span,
    ) -> Result<Response<Body>, Refusal> {
        let shown = self.broadcasts.find(playback, None).await.map_err(refusal::find)?;
        let broadcast = &shown.broadcast;
        let base = format!("{}/", broadcast.id);
        let options = MultivariantOptions {
            base: &base,
            file: file_name(span),
            parts_suffice: span == Span::Dvr,
        };
        let render = |state: &State| hls::multivariant(&state.window, &options);
        let playable = broadcast
            .wait_for(broadcast.all(), |state| {
                state.is_synced.then(|| render(state)).flatten().map(|_| ())
            })
            .await;
        match playable {
            Ok(()) => {}
            Err(WaitError::TimedOut) => return Err(Refusal::NotFound("nothing of the broadcast can be played yet")),
            Err(error) => return Err(refusal::wait(error)),
        }
        let rendered = broadcast
            .rendered(broadcast.all(), span as RenderKind, render)
            .ok_or(Refusal::NotFound("nothing of the broadcast can be played yet"))?;
        let settled = shown.now.is_replay && broadcast.read().is_final;
        Ok(respond(
            headers,
            Kind::Playlist,
            if settled { Cache::HOUR } else { Cache::LIVE },
            &rendered,
        ))
    }

    /// `GET /{playback}/{broadcast}/{rendition}/index.m3u8` and `dvr.m3u8`, with delivery directives.
    #[instrument(
        name = "origin.playlist",
        level = "debug",
        skip_all,
        fields(broadcast.id = wanted.broadcast, rendition.name = wanted.rendition)
    )]
    pub(super) async fn media_playlist(
        &self,
        headers: &HeaderMap,
        wanted: Wanted<'_>,
        query: Option<&str>,
    ) -> Result<Response<Body>, Refusal> {
        let directives = Directives::parse(query.unwrap_or_default()).map_err(malformed)?;
        let Wanted { rendition, span, .. } = wanted;
        let shown = self
            .broadcasts
            .find(wanted.playback, Some(wanted.broadcast))
            .await
            .map_err(refusal::find)?;
        let broadcast = &shown.broadcast;
        let line = broadcast.line_of(rendition).await.map_err(refusal::fetch)?;
        let mut at_edge = false;
        let decision = broadcast.wait_for(&line, |state| {
            if !fetch::is_listable(state, rendition) {
                return None;
            }
            match hls::reload_decision(&state.window, rendition, &directives) {
                Reload::Now => {
                    at_edge |= names_edge(&state.window, rendition, &directives);
                    Some(Ok(()))
                }
                Reload::Wait => {
                    at_edge = true;
                    None
                }
                Reload::BadRequest => Some(Err(Refusal::BadRequest(
                    "_HLS_msn and _HLS_part lie too far ahead of the live edge",
                ))),
            }
        });
        match decision.await {
            Ok(outcome) => outcome?,
            Err(WaitError::TimedOut) if directives.msn.is_none() => {
                return Err(Refusal::NotFound("the rendition has no media yet"));
            }
            Err(error) => return Err(refusal::wait(error)),
        }
        let dvr_ms = i64::from(self.dvr_s) * 1_000;
        let window_ms = i64::from(self.window_s) * 1_000;
        let rendered = broadcast.rendered(&line, kind(span, directives.skip), |state| {
            let keep_ms = match (state.is_final, span) {
                (true, _) => None,
                (false, Span::Dvr) => Some(dvr_ms),
                (false, Span::Live) => Some(window_ms),
            };
            let options = MediaOptions {
                keep_ms,
                file: file_name(span),
                ..MediaOptions::LIVE
            };
            hls::media_playlist(&state.window, rendition, &options.with_skip(directives.skip))
        });
        let rendered = rendered.ok_or(Refusal::NotFound("the rendition has no media yet"))?;
        let cache = {
            let state = broadcast.read();
            let target_s = state.window.settings().latency.target_duration_s();
            match (state.is_final, state.window.ended()) {
                (true, _) => Cache::HOUR,
                (false, true) => Cache::LIVE,
                // The address names this very content, for all who ask for it in time.
                (false, false) if at_edge => Cache::Seconds(6 * target_s),
                (false, false) => Cache::LIVE,
            }
        };
        Ok(respond(headers, Kind::Playlist, cache, &rendered))
    }
}

/// Whether `directives` name the newest segment or part that `window` has.
fn names_edge(window: &Window, rendition: &str, directives: &Directives) -> bool {
    let Some(track) = window.track(rendition) else {
        return false;
    };
    let newest = track.open().map(|open| (open.seq, open.parts.len()));
    match (directives.seq(), directives.part) {
        (None, _) => false,
        (Some(wanted), None) => track.last_seq() == Some(wanted),
        (Some(wanted), Some(part)) => match newest {
            Some((seq, parts)) => seq == wanted && part as usize + 1 == parts,
            None => track
                .segments()
                .back()
                .is_some_and(|s| s.seq == wanted && part as usize + 1 == s.parts.len()),
        },
    }
}

/// 200 with a rendering, compressed where that is welcome.
pub(super) fn respond(headers: &HeaderMap, kind: Kind, cache: Cache, rendered: &Rendered) -> Response<Body> {
    let packed = accepts_gzip(headers);
    let bytes = if packed {
        rendered.gzip()
    } else {
        rendered.plain.clone()
    };
    let mut response = answer::answer(StatusCode::OK, kind, cache, Body::whole(bytes));
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn file_name(span: Span) -> &'static str {
    match span {
        Span::Live => "index.m3u8",
        Span::Dvr => "dvr.m3u8",
    }
}

/// One of the six renderings of a rendition's playlist.
fn kind(span: Span, skip: Option<Skip>) -> RenderKind {
    let skip = match skip {
        None => 0,
        Some(Skip::Segments) => 1,
        Some(Skip::SegmentsAndDateRanges) => 2,
    };
    span as RenderKind * 3 + skip
}

fn malformed(error: DirectiveError) -> Refusal {
    Refusal::BadRequest(match error {
        DirectiveError::NotANumber { name: "_HLS_msn", .. } => "_HLS_msn is not a decimal number",
        DirectiveError::NotANumber { .. } => "_HLS_part is not a decimal number",
        DirectiveError::Repeated { .. } => "a directive is given more than once",
        DirectiveError::PartWithoutMsn => "_HLS_part is given without _HLS_msn",
        _ => "a directive is malformed",
    })
}
