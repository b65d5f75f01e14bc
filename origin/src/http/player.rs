//! The embed page, its script tag and their assets, from inside the binary.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};

use super::answer::{self, Cache, Kind, Refusal};
use super::body::Body;

include!(concat!(env!("OUT_DIR"), "/player.rs"));

/// Files below this size are not worth compressing.
const GZIP_BYTES_MIN: usize = 512;

struct Asset {
    kind: Kind,
    plain: Bytes,
    gzip: Option<Bytes>,
    etag: &'static str,
}

static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, bytes, etag)| {
            let kind = kind_of(name);
            let text = !matches!(kind, Kind::Font | Kind::Other);
            let gzip = (text && bytes.len() >= GZIP_BYTES_MIN).then(|| gzip(bytes, Compression::best()));
            (
                *name,
                Asset {
                    kind,
                    plain: Bytes::from_static(bytes),
                    gzip,
                    etag,
                },
            )
        })
        .collect()
});

/// `GET /embed/{playback}`: one page for all; its script reads the playback id from the address.
pub(crate) fn page(headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    file(headers, "embed.html", Cache::MINUTE)
}

/// `GET /embed.js`
pub(crate) fn script(headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    file(headers, "embed.js", Cache::MINUTE)
}

/// `GET /player/{name}`
pub(crate) fn asset(headers: &HeaderMap, name: &str) -> Result<Response<Body>, Refusal> {
    // The build puts a hash of the content into each of these names.
    file(headers, &format!("player/{name}"), Cache::Immutable)
}

fn file(headers: &HeaderMap, name: &str, cache: Cache) -> Result<Response<Body>, Refusal> {
    let asset = ASSETS
        .get(name)
        .ok_or(Refusal::NotFound("the player has no such file"))?;
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == asset.etag)
        });
    let (status, body, packed) = match (&asset.gzip, known) {
        (_, true) => (StatusCode::NOT_MODIFIED, Body::empty(), false),
        (Some(packed), _) if accepts_gzip(headers) => (StatusCode::OK, Body::whole(packed.clone()), true),
        _ => (StatusCode::OK, Body::whole(asset.plain.clone()), false),
    };
    let mut response = answer::answer(status, asset.kind, cache, body);
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn kind_of(name: &str) -> Kind {
    match name.rsplit_once('.').map(|(_, ext)| ext) {
        Some("html") => Kind::Html,
        Some("js" | "mjs") => Kind::Script,
        Some("css") => Kind::Style,
        Some("svg") => Kind::Svg,
        Some("json") => Kind::Json,
        Some("txt") => Kind::Text,
        Some("woff2") => Kind::Font,
        _ => Kind::Other,
    }
}

/// Whether the client takes gzip: named (or `*`) and not weighted zero.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    accepted.split(',').any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters
            .trim()
            .strip_prefix("q=")
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && weight > 0.0
    })
}

/// `bytes` as a gzip member.
pub(crate) fn gzip(bytes: &[u8], level: Compression) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4 + 64), level);
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing to a Vec cannot fail").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_only_where_it_is_welcome() {
        let cases = [
            (None, false),
            (Some("gzip"), true),
            (Some("br, gzip;q=0.5"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip;q=0.000"), false),
            (Some("*"), true),
            (Some("br, deflate"), false),
            (Some(""), false),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(accepts_gzip(&headers), expected, "{value:?}");
        }
    }
}
