//! Requests in, answers out: parse the path, ask `playback`, render.

pub(crate) mod answer;
pub(crate) mod body;
mod player;
mod query;
mod range;
mod route;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt;
use headwater_platform::clock::WallClock;
use headwater_platform::{Process, rpc};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::limits::TARGET_BYTES_MAX;
use crate::playback::objects::Objects;
use crate::playback::resolve::{ResolveError, Resolver};
use crate::serve::Answers;
use crate::telemetry::{Class, Meters};
use crate::{Config, Outside};
use answer::{Cache, Kind, Refusal};
use body::Body;
use route::{File, Route};

/// Topic on which playback ids are told whose state has changed.
const PLAYBACK_TOPIC: &str = "hw:playback";

/// Everything that requests share.
pub(crate) struct Origin {
    resolver: Arc<Resolver>,
    objects: Arc<Objects>,
    outside: Outside,
    process: Process,
    clock: WallClock,
    meters: Arc<Meters>,
}

impl Origin {
    pub(crate) fn new(config: &Config, api: rpc::Client, outside: Outside, process: Process) -> Arc<Self> {
        let meters = Arc::new(Meters::default());
        Arc::new(Self {
            resolver: Resolver::new(api, meters.clone()),
            objects: Objects::new(outside.store.clone(), config.origin_cache_bytes, meters.clone()),
            outside,
            process,
            clock: WallClock::system(),
            meters,
        })
    }

    /// Forgets what hints say is outdated, until shutdown. Without hints, answers are up to a second old.
    pub(crate) fn listen_to_hints(self: &Arc<Self>) {
        let mut changes = self.outside.hints.subscribe(PLAYBACK_TOPIC);
        let (resolver, stop) = (self.resolver.clone(), self.process.shutdown.clone());
        self.process.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    change = changes.next() => match change {
                        Some(playback) => resolver.changed(&playback).await,
                        None => return,
                    },
                }
            }
        });
    }

    async fn dispatch(self: &Arc<Self>, request: &Request<Incoming>) -> (Class, Result<Response<Body>, Refusal>) {
        let uri = request.uri();
        if uri.path().len() + uri.query().map_or(0, str::len) > TARGET_BYTES_MAX {
            return (Class::Other, Err(Refusal::TargetTooLong));
        }
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return (Class::Other, Ok(answer::preflight())),
            _ => return (Class::Other, Err(Refusal::MethodNotAllowed)),
        }
        if !request.body().is_end_stream() {
            return (Class::Other, Err(Refusal::BodyRefused));
        }
        let headers = request.headers();
        let Some(route) = Route::parse(uri.path()) else {
            return (Class::Other, Err(Refusal::NotFound("no such address")));
        };
        match route {
            Route::Healthz => (
                Class::Other,
                Ok(answer::ok(Kind::Text, Cache::No, Bytes::from_static(b"alive\n"))),
            ),
            Route::Readyz => (Class::Other, Ok(self.readiness())),
            Route::Time => (Class::Other, Ok(self.time())),
            Route::Embed { .. } => (Class::Player, player::page(headers)),
            Route::EmbedScript => (Class::Player, player::script(headers)),
            Route::PlayerAsset { name } => (Class::Player, player::asset(headers, name)),
            _ => (Class::Other, Err(Refusal::NotFound("no such address"))),
        }
    }

    fn readiness(&self) -> Response<Body> {
        let problems = self.process.health.problems();
        if problems.is_empty() {
            return answer::ok(Kind::Text, Cache::No, Bytes::from_static(b"ready\n"));
        }
        let lines: String = problems
            .iter()
            .map(|(part, reason)| format!("{part}: {reason}\n"))
            .collect();
        answer::answer(
            StatusCode::SERVICE_UNAVAILABLE,
            Kind::Text,
            Cache::No,
            Body::whole(lines.into()),
        )
    }

    /// `GET /time`: the clock that manifests refer to (`urn:mpeg:dash:utc:http-iso:2014`).
    fn time(&self) -> Response<Body> {
        let now = DateTime::<Utc>::from_timestamp_millis(self.clock.unix_ms()).unwrap_or_default();
        let text = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        answer::ok(Kind::Text, Cache::No, Bytes::from(text))
    }
}

impl Answers for Origin {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (class, outcome) = self.dispatch(&request).await;
        let mut response = outcome.unwrap_or_else(Refusal::into_answer);
        self.meters.answered(class, response.status());
        if request.method() == Method::HEAD {
            empty(&mut response);
        }
        response
    }
}

/// The same headers without the body (RFC 9110 §9.3.2).
fn empty(response: &mut Response<Body>) {
    if let Some(len) = response.body().len_bytes() {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    }
    *response.body_mut() = Body::empty();
}
