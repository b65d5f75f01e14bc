//! The dashboard, from inside the binary: pages that carry a nonce of their own in every answer, and files that were packed
//! when the binary was built.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::Api;

/// A built file.
struct File {
    /// Its path below the root.
    name: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
    /// Weak: the packed forms share it.
    etag: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

const INDEX: &str = "index.html";
/// What stands in the page where its nonce goes.
const NONCE_MARK: &str = "CSP_NONCE";
const NONCE_BYTES: usize = 16;
/// First words of the dashboard's addresses, as `dashboard/app/router.tsx` has them.
const PAGES: [&str; 9] = [
    "sign-in",
    "sign-up",
    "forgot-password",
    "reset-password",
    "verify-email",
    "invitation",
    "new-tenant",
    "account",
    "t",
];
const SECOND_LOOK: &str = "no-cache";
/// For files whose name has a hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Everything that no other route takes: the dashboard's files and pages.
pub(super) async fn handle(State(api): State<Api>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return nothing_here();
    }
    let path = uri.path().trim_start_matches('/');
    let mut response = if let Some(file) = file(path) {
        serve(file, &headers)
    } else if is_page(path) {
        page(&api, StatusCode::OK)
    } else if wants_page(&headers) {
        // The page itself says that there is nothing at its address.
        page(&api, StatusCode::NOT_FOUND)
    } else {
        nothing_here()
    };
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// Whether whoever asks is a browser that opens a page, and not a program.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| weight(value, |media| media == "text/html") > 0.0)
}

/// The page: one for all addresses; its script reads which.
pub(super) fn page(api: &Api, status: StatusCode) -> Response {
    let index = FILES
        .iter()
        .find(|file| file.name == INDEX)
        .expect("the build puts a page into every binary");
    let text = std::str::from_utf8(index.plain).expect("the page is UTF-8");
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).expect("the system has random numbers");
    let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    let policy = policy(&nonce, api.services.urls.playback_origin());
    let mut response = whole(
        status,
        "text/html; charset=utf-8",
        text.replace(NONCE_MARK, &nonce).into(),
    );
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        // A nonce that is used twice is none.
        (header::CACHE_CONTROL, "no-store"),
        // Addresses may hold the secret of an invitation.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        let value = HeaderValue::from_str(value).expect("only printable ASCII is in it");
        response.headers_mut().insert(name, value);
    }
    response
}

/// Scripts, styles and connections of our own origin, the player's page in a frame, and the pictures of replays beside it.
fn policy(nonce: &str, playback_origin: &str) -> String {
    let player: String = playback_origin
        .chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, ';' | ','))
        .collect();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: {player}; font-src 'self'; \
         connect-src 'self'; frame-src {player}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

fn is_page(path: &str) -> bool {
    PAGES.contains(&path.split('/').next().unwrap_or_default())
}

fn file(path: &str) -> Option<&'static File> {
    let found = FILES.binary_search_by(|file| file.name.cmp(path)).ok()?;
    Some(&FILES[found]).filter(|file| file.name != INDEX)
}

fn serve(file: &'static File, headers: &HeaderMap) -> Response {
    let cache = match file.name.starts_with("assets/") {
        true => FOR_EVER,
        false => SECOND_LOOK,
    };
    let (bytes, packed) = packed(file, headers);
    let mut response = match known(file, headers) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => whole(StatusCode::OK, kind(file.name), Body::from(bytes)),
    };
    let modified = response.status() == StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static(file.etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if modified {
        headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        if let Some(coding) = packed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
    }
    response
}

/// The form that the caller takes, smallest first.
fn packed(file: &File, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (coding, bytes) in [("br", file.brotli), ("gzip", file.gzip)] {
        if let Some(bytes) = bytes
            && weight(accepted, |named| named == coding) > 0.0
        {
            return (bytes, Some(coding));
        }
    }
    (file.plain, None)
}

fn known(file: &File, headers: &HeaderMap) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter();
    tags.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| {
            matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == file.etag.trim_start_matches("W/")
        })
}

/// The weight (RFC 9110 §12.4.2) of the first member of a list that `is_it`; 0 where there is none.
fn weight(list: &str, is_it: impl Fn(&str) -> bool) -> f32 {
    let mut members = list.split(',').map(|member| {
        let mut words = member.split(';').map(str::trim);
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let weight = words
            .find_map(|word| word.strip_prefix("q="))
            .map_or(Ok(1.0), str::parse);
        (name, weight.unwrap_or(0.0))
    });
    members.find(|(name, _)| is_it(name)).map_or(0.0, |(_, weight)| weight)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn whole(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn nothing_here() -> Response {
    let sentence = "There is nothing at this address. The API is at /graphql.\n";
    let mut response = whole(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", sentence.into());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_of_the_router_leads_to_a_page() {
        let router = include_str!("../../../dashboard/app/router.tsx");
        let paths = router
            .split("path: '/")
            .skip(1)
            .filter_map(|rest| rest.split('\'').next());
        let paths: Vec<_> = paths.filter(|path| !path.is_empty()).collect();
        assert_eq!(paths.len(), PAGES.len(), "{paths:?}");
        for path in paths {
            assert!(is_page(path), "{path}");
        }
        for path in ["", "assets/gone.js", "graphql", "tea", "t.js"] {
            assert!(!is_page(path), "{path}");
        }
    }

    #[test]
    fn who_opens_a_page_is_told_from_who_asks_for_data() {
        for (accept, page) in [
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), true),
            (Some("text/html;q=0.2"), true),
            (Some("text/html;q=0"), false),
            (Some("application/json"), false),
            (Some("*/*"), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(wants_page(&headers), page, "{accept:?}");
        }
    }

    #[test]
    fn the_smallest_form_that_is_taken_is_sent() {
        let file = File {
            name: "assets/a.js",
            plain: b"plain",
            brotli: Some(b"b"),
            gzip: Some(b"gz"),
            etag: "W/\"1\"",
        };
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip, deflate", Some("gzip")),
            ("br;q=0, gzip;q=0.5", Some("gzip")),
            ("br;q=0, gzip;q=0.000", None),
            ("identity", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(packed(&file, &headers).1, coding, "{accepted}");
        }
        let mut headers = HeaderMap::new();
        assert!(!known(&file, &headers));
        for (tags, is_known) in [("\"0\", W/\"1\"", true), ("\"1\"", true), ("*", true), ("\"0\"", false)] {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(tags));
            assert_eq!(known(&file, &headers), is_known, "{tags}");
        }
    }

    #[test]
    fn a_policy_holds_no_more_than_it_says() {
        let policy = policy("00ff", "https://play.example; script-src *");
        assert!(policy.contains("style-src 'self' 'nonce-00ff';"));
        assert!(
            policy.contains("frame-src https://play.examplescript-src*;"),
            "{policy}"
        );
        assert_eq!(policy.matches("script-src 'self'").count(), 1);
    }
}
