//! Status, headers and the cache rule of every class of answer.
//!
//! | class | `Cache-Control` | why |
//! |---|---|---|
//! | part, segment and init under their own name | a year, immutable | the bytes behind a name never change |
//! | media of a broadcast that is not recorded | 60 s | nothing of it is kept after its end |
//! | `t{time}.m4s` | a day | a later generation may make the same media again |
//! | playlist that a directive waited for | 6 target durations | its URL names its content |
//! | any other live playlist, manifest, state | 1 s | moves with every part |
//! | thumbnail | 10 s; of a replay under its own address an hour | follows what is on air |
//! | playlist and manifest of a whole replay | 1 h (1 s where the address may show a new broadcast) | final |
//! | 400, 404, 416 | 1 s | may be right a moment later |
//! | 405, 414 | 60 s | never right |
//! | 302, 401, 403 | not stored | about one viewer |
//! | 413, 500, 503 | not stored | about this moment only |
//!
//! What a token was needed for is `private` instead of `public`, unless the operator says that the CDN checks tokens.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::body::Body;
use crate::token::Denied;

/// How long caches may keep an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cache {
    /// Never stored.
    No,
    /// For so many seconds.
    Seconds(u32),
    /// A name that stands for these bytes for ever.
    Immutable,
}

impl Cache {
    /// Anything live that has no name of its own.
    pub(crate) const LIVE: Self = Self::Seconds(1);
    /// An address without generation.
    pub(crate) const DAY: Self = Self::Seconds(86_400);
    /// A whole replay's playlists.
    pub(crate) const HOUR: Self = Self::Seconds(3_600);
    /// A thumbnail that the next one follows.
    pub(crate) const PICTURE: Self = Self::Seconds(10);
    /// The player's assets, refusals that stay right, and media that is not to be kept.
    pub(crate) const MINUTE: Self = Self::Seconds(60);

    pub(crate) fn header(self) -> HeaderValue {
        match self {
            Self::No => HeaderValue::from_static("no-store"),
            Self::Immutable => HeaderValue::from_static("public, max-age=31536000, immutable"),
            Self::Seconds(1) => HeaderValue::from_static("public, max-age=1"),
            Self::Seconds(60) => HeaderValue::from_static("public, max-age=60"),
            Self::Seconds(3_600) => HeaderValue::from_static("public, max-age=3600"),
            Self::Seconds(86_400) => HeaderValue::from_static("public, max-age=86400"),
            Self::Seconds(seconds) => HeaderValue::try_from(format!("public, max-age={seconds}"))
                .expect("digits and letters are a valid header value"),
        }
    }
}

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Playlist,
    Manifest,
    VideoMedia,
    AudioMedia,
    Json,
    Text,
    Html,
    Script,
    Style,
    Svg,
    Jpeg,
    Font,
    Other,
}

impl Kind {
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Playlist => "application/vnd.apple.mpegurl",
            Self::Manifest => "application/dash+xml",
            Self::VideoMedia => "video/mp4",
            Self::AudioMedia => "audio/mp4",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Style => "text/css; charset=utf-8",
            Self::Svg => "image/svg+xml",
            Self::Jpeg => "image/jpeg",
            Self::Font => "font/woff2",
            Self::Other => "application/octet-stream",
        })
    }
}

const EXPOSED: &str = "Age, Date, Content-Length, Content-Range, Retry-After";
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An answer with the headers that all answers have: what it is, how long it may be kept, and that any page may read it.
pub(crate) fn answer(status: StatusCode, kind: Kind, cache: Cache, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(10);
    headers.insert(header::CONTENT_TYPE, kind.header());
    headers.insert(header::CACHE_CONTROL, cache.header());
    open_to_all(headers);
    response
}

/// Cross-origin access for every page: playback needs no credentials, so `*` gives nothing away.
fn open_to_all(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(TIMING_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

/// 200 with a body in memory.
pub(crate) fn ok(kind: Kind, cache: Cache, bytes: Bytes) -> Response<Body> {
    answer(StatusCode::OK, kind, cache, Body::whole(bytes))
}

/// The answer to a CORS preflight: any page may read anything here, with ranges and CMCD headers.
pub(crate) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    open_to_all(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Range, If-Range, Cache-Control, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status",
        ),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    response
}

const METHODS: &str = "GET, HEAD, OPTIONS";

/// Why a request gets no media, and what its client should make of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// Nothing has this name now.
    #[error("{0}")]
    NotFound(&'static str),
    /// The request contradicts the protocol.
    #[error("{0}")]
    BadRequest(&'static str),
    /// Only reading is possible here.
    #[error("only GET, HEAD and OPTIONS exist here")]
    MethodNotAllowed,
    /// The request carries a body.
    #[error("requests here have no body")]
    BodyRefused,
    /// Path and query are too long.
    #[error("path and query are longer than 2048 bytes")]
    TargetTooLong,
    /// The range lies outside the object of `len_bytes`.
    #[error("the range lies outside the object's {len_bytes} bytes")]
    RangeNotSatisfiable { len_bytes: u64 },
    /// What was asked for did not come within three target durations.
    #[error("the media asked for did not arrive in time")]
    HeldTooLong,
    /// The limit of waiting requests is reached.
    #[error("too many requests are waiting")]
    Overloaded,
    /// Something behind this process does not answer, and nothing remembered can stand in.
    #[error("{0}")]
    Unavailable(&'static str),
    /// No token, or one that is not good for this.
    #[error("{0}")]
    Denied(Denied),
    /// Our own mistake.
    #[error("something went wrong here")]
    Internal,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyRefused => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::RangeNotSatisfiable { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::HeldTooLong | Self::Overloaded | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Denied(denied) => match denied {
                Denied::Missing | Denied::Unknown | Denied::Expired | Denied::Early | Denied::TooLong => {
                    StatusCode::UNAUTHORIZED
                }
                Denied::Unchecked => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::FORBIDDEN,
            },
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable word for programs.
    fn code(self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::BadRequest(_) => "bad_request",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyRefused => "body_refused",
            Self::TargetTooLong => "target_too_long",
            Self::RangeNotSatisfiable { .. } => "range_not_satisfiable",
            Self::HeldTooLong => "held_too_long",
            Self::Overloaded => "overloaded",
            Self::Unavailable(_) => "unavailable",
            Self::Denied(denied) => match denied {
                Denied::Missing => "token_missing",
                Denied::Expired => "token_expired",
                Denied::Revoked => "token_revoked",
                Denied::Used => "token_used",
                Denied::Rule => "token_rule",
                Denied::Unchecked => "unavailable",
                _ => "token_invalid",
            },
            Self::Internal => "internal",
        }
    }

    fn cache(self) -> Cache {
        match self {
            Self::NotFound(_) | Self::BadRequest(_) | Self::RangeNotSatisfiable { .. } => Cache::LIVE,
            Self::MethodNotAllowed | Self::TargetTooLong => Cache::MINUTE,
            Self::BodyRefused
            | Self::HeldTooLong
            | Self::Overloaded
            | Self::Unavailable(_)
            | Self::Denied(_)
            | Self::Internal => Cache::No,
        }
    }

    pub(crate) fn into_answer(self) -> Response<Body> {
        let text = format!("{{\"error\":\"{}\",\"message\":\"{self}\"}}\n", self.code());
        let mut response = answer(self.status(), Kind::Json, self.cache(), Body::whole(Bytes::from(text)));
        let headers = response.headers_mut();
        match self {
            Self::MethodNotAllowed => {
                headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
            }
            Self::RangeNotSatisfiable { len_bytes } => {
                let value = HeaderValue::try_from(format!("bytes */{len_bytes}"))
                    .expect("digits and letters are a valid header value");
                headers.insert(header::CONTENT_RANGE, value);
            }
            Self::Denied(_) if self.status() == StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::BodyRefused => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Self::HeldTooLong | Self::Overloaded | Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
