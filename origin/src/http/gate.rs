//! Who may have an answer: tokens in the path or the query, judged before anything else is asked.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;
use super::route::{Route, Span};
use super::{Origin, refusal};
use crate::playback::FindError;
use crate::token::{Asked, Denied};

/// The network address of whoever is connected; travels with the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub IpAddr);

/// What becomes of a request.
pub(super) enum Admission {
    /// Anybody may have the answer.
    Public,
    /// This viewer may.
    Signed,
    /// Go on there, with the token in the path.
    Elsewhere(Response<Body>),
}

/// Header fields that say what a proxy in front knows of the viewer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub country_header: String,
    pub address_header: String,
}

/// `/t/{token}/rest` as token and `/rest`.
pub(super) fn split(path: &str) -> (Option<&str>, &str) {
    let parts = path.strip_prefix("/t/").and_then(|rest| {
        let at = rest.find('/')?;
        Some((&rest[..at], &rest[at..]))
    });
    match parts {
        Some((token, rest)) => (Some(token), rest),
        None => (None, path),
    }
}

fn query_token(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("token="))
}

/// The origin of the page that plays: what the browser says of it, or of the page it came from.
fn page(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = text(header::ORIGIN).filter(|origin| *origin != "null") {
        return Some(origin);
    }
    let referer = text(header::REFERER)?;
    let host = referer.find("://")? + 3;
    let end = referer[host..].find('/').map_or(referer.len(), |at| host + at);
    Some(&referer[..end])
}

impl Told {
    fn country<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        headers.get(&self.country_header)?.to_str().ok().map(str::trim)
    }

    /// Where a proxy says whose request it is, the peer is the proxy.
    pub(super) fn address(&self, headers: &HeaderMap, peer: Option<Peer>) -> Option<IpAddr> {
        match self.address_header.is_empty() {
            true => peer.map(|Peer(address)| address),
            false => headers.get(&self.address_header)?.to_str().ok()?.trim().parse().ok(),
        }
    }
}

impl Origin {
    /// Judges a request for what belongs to a playback id. Fails closed: what cannot be looked up is not shown.
    pub(super) async fn judge(
        &self,
        route: &Route<'_>,
        token: Option<&str>,
        query: Option<&str>,
        headers: &HeaderMap,
        peer: Option<Peer>,
    ) -> Result<Admission, Refusal> {
        let Some(playback) = route.playback() else {
            return Ok(Admission::Public);
        };
        let resolved = self.resolver.resolve(playback).await;
        let (_, now) = resolved.map_err(|error| refusal::find(FindError::from(error)))?;
        if !now.is_signed {
            return Ok(Admission::Public);
        }
        let asked = Asked {
            playback,
            download: matches!(route, Route::Download { .. }),
            now_s: self.clock.unix_ms() / 1_000,
            origin: page(headers),
            address: self.told.address(headers, peer),
            country: self.told.country(headers),
        };
        let place = (now.tenant.as_str(), now.environment.as_str());
        if let Some(token) = token {
            self.gate.admit(place, token, &asked).await.map_err(Refusal::Denied)?;
            return Ok(Admission::Signed);
        }
        let token = query_token(query).ok_or(Refusal::Denied(Denied::Missing))?;
        let file = match route {
            Route::Multivariant { span: Span::Live, .. } => "main.m3u8",
            Route::Multivariant { span: Span::Dvr, .. } => "dvr.m3u8",
            Route::Manifest { .. } => "manifest.mpd",
            _ => {
                self.gate.admit(place, token, &asked).await.map_err(Refusal::Denied)?;
                return Ok(Admission::Signed);
            }
        };
        let token = self.gate.begin(place, token, &asked).await.map_err(Refusal::Denied)?;
        let mut response = answer::answer(StatusCode::FOUND, Kind::Text, Cache::No, Body::empty());
        let location = HeaderValue::try_from(format!("../t/{token}/{playback}/{file}"));
        let location = location.map_err(|_| Refusal::Denied(Denied::Unknown))?;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(Admission::Elsewhere(response))
    }

    /// Keeps an answer for one viewer out of shared caches, unless a CDN in front checks tokens itself.
    pub(super) fn for_one_viewer(&self, response: &mut Response<Body>) {
        if self.signed_cache_shared {
            return;
        }
        let headers = response.headers_mut();
        let private = headers
            .get(header::CACHE_CONTROL)
            .and_then(|value| value.to_str().ok()?.strip_prefix("public"))
            .and_then(|rest| HeaderValue::try_from(format!("private{rest}")).ok());
        if let Some(private) = private {
            headers.insert(header::CACHE_CONTROL, private);
        }
    }
}

/// Any text as the target of a request, and as the page it comes from; panics when what is found is not what was sent.
pub(crate) fn fuzz(target: &str) {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let (token, rest) = split(path);
    if let Some(token) = token {
        assert_eq!(format!("/t/{token}{rest}"), path);
        assert!(!token.contains('/') && rest.starts_with('/'));
    }
    if let Some(route) = Route::parse(rest) {
        assert!(
            rest.bytes().all(|byte| byte.is_ascii_graphic()),
            "{rest} has a second spelling"
        );
        assert!(route.playback().is_none_or(|id| id.len() == 27 && rest.contains(id)));
    }
    if let Some(token) = query_token(query) {
        assert!(!token.contains('&'));
    }
    if let Ok(value) = HeaderValue::from_str(target) {
        let page = page(&HeaderMap::from_iter([(header::REFERER, value)])).map(str::to_owned);
        assert!(page.is_none_or(|page| target.starts_with(&page)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_split_off() {
        assert_eq!(split("/t/a.b.c/pb_x/main.m3u8"), (Some("a.b.c"), "/pb_x/main.m3u8"));
        assert_eq!(split("/t//pb_x/main.m3u8"), (Some(""), "/pb_x/main.m3u8"));
        for path in ["/pb_x/main.m3u8", "/t/a.b.c", "/time", "/"] {
            assert_eq!(split(path), (None, path));
        }
        assert_eq!(query_token(Some("_HLS_msn=1&token=a.b.c")), Some("a.b.c"));
        assert_eq!(query_token(Some("tokens=a")), None);
    }

    #[test]
    fn the_page_is_what_the_browser_says() {
        let said = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            page(&headers).map(str::to_owned)
        };
        assert_eq!(
            said("origin", "https://a.example").as_deref(),
            Some("https://a.example")
        );
        assert_eq!(
            said("referer", "https://a.example:8443/x?y").as_deref(),
            Some("https://a.example:8443")
        );
        assert_eq!(
            said("referer", "https://a.example").as_deref(),
            Some("https://a.example")
        );
        assert_eq!(said("origin", "null"), None);
        assert_eq!(said("referer", "about:blank"), None);
    }
}
