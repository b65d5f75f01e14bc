//! Requests in, answers out: parse the path, ask `playback`, render.

pub(crate) mod answer;
pub(crate) mod body;
mod dash;
mod download;
pub(crate) mod gate;
mod media;
mod player;
mod playlist;
mod range;
mod refusal;
mod route;
mod state;
mod thumbnail;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt;
use headwater_model::heartbeat::{PLAYBACK_TOPIC, TOKEN_RULES_TOPIC};
use headwater_platform::clock::WallClock;
use headwater_platform::{Process, rpc};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::limits::TARGET_BYTES_MAX;
use crate::playback::broadcast::Waiting;
use crate::playback::media::PartName;
use crate::playback::objects::Objects;
use crate::playback::resolve::Resolver;
use crate::playback::thumbnail::Thumbnails;
use crate::playback::{Broadcasts, Context};
use crate::serve::Answers;
use crate::telemetry::{Class, Meters};
use crate::token::Gate;
use crate::viewers::{Player, Viewers};
use crate::{Config, Outside};
use answer::{Cache, Kind, Refusal};
use body::Body;
pub(crate) use gate::fuzz;
use gate::{Admission, Peer, Told};
pub(crate) use player::gzip;
use route::{File, Route};

/// Everything that requests share.
pub(crate) struct Origin {
    resolver: Arc<Resolver>,
    objects: Arc<Objects>,
    broadcasts: Arc<Broadcasts>,
    thumbnails: Thumbnails,
    gate: Arc<Gate>,
    told: Told,
    signed_cache_shared: bool,
    window_s: u32,
    dvr_s: u32,
    /// Where players read the time.
    time_url: String,
    outside: Outside,
    process: Process,
    clock: WallClock,
    meters: Arc<Meters>,
    viewers: Arc<Viewers>,
}

impl Origin {
    pub(crate) fn new(config: &Config, api: rpc::Client, outside: Outside, process: Process) -> Arc<Self> {
        let meters = Arc::new(Meters::default());
        let gate = Arc::new(Gate::new(api.clone(), &config.rpc.rpc_secret));
        let resolver = Resolver::new(api, meters.clone());
        let objects = Objects::new(outside.store.clone(), config.origin_cache_bytes, meters.clone());
        let context = Arc::new(Context {
            resolver: resolver.clone(),
            objects: objects.clone(),
            waiting: Waiting::new(config.origin_waiting_max, meters.clone()),
            streams: rpc::Streams::new(config.rpc.clone()),
            dvr: Duration::from_secs(config.origin_dvr_s.into()),
            stop: process.shutdown.clone(),
            meters: meters.clone(),
        });
        Arc::new(Self {
            resolver,
            thumbnails: Thumbnails::new(objects.clone()),
            objects,
            broadcasts: Broadcasts::new(context, process.clone()),
            gate,
            told: Told {
                country_header: config.origin_country_header.clone(),
                address_header: config.origin_address_header.clone(),
            },
            signed_cache_shared: config.origin_signed_cache_shared,
            window_s: config.origin_window_s,
            dvr_s: config.origin_dvr_s,
            time_url: format!("{}/time", config.origin_public_url.trim_end_matches('/')),
            outside,
            process,
            clock: WallClock::system(),
            viewers: Viewers::new(config.rpc.rpc_secret.reveal()),
            meters,
        })
    }

    /// Forgets what hints say is outdated, until shutdown. Without hints, answers are up to a second old.
    pub(crate) fn listen_to_hints(self: &Arc<Self>) {
        let mut changes = self.outside.hints.subscribe(PLAYBACK_TOPIC);
        let mut rules = self.outside.hints.subscribe(TOKEN_RULES_TOPIC);
        let (resolver, gate, stop) = (self.resolver.clone(), self.gate.clone(), self.process.shutdown.clone());
        self.process.spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    change = changes.next() => match change {
                        Some(playback) => resolver.changed(&playback),
                        None => return,
                    },
                    change = rules.next() => match change {
                        Some(tenant) => gate.changed(&tenant),
                        None => return,
                    },
                }
            }
        });
    }

    /// Tells how many watch, until shutdown.
    pub(crate) fn tell_viewers(&self) {
        let (viewers, hints) = (self.viewers.clone(), self.outside.hints.clone());
        self.process
            .spawn(viewers.tell(hints, WallClock::system(), self.process.shutdown.clone()));
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
        let (token, path) = gate::split(uri.path());
        let Some(route) = Route::parse(path) else {
            return (Class::Other, Err(Refusal::NotFound("no such address")));
        };
        let class = class(&route);
        let watched = match route {
            Route::Media {
                file: File::Init { .. },
                ..
            } => None,
            Route::Media { broadcast, .. } => Some(broadcast),
            _ => None,
        };
        let peer = request.extensions().get::<Peer>().copied();
        let outcome = match self.judge(&route, token, uri.query(), headers, peer).await {
            Ok(Admission::Public) => self.serve(route, headers, uri.query()).await,
            Ok(Admission::Signed) => {
                let mut outcome = self.serve(route, headers, uri.query()).await;
                if let Ok(response) = &mut outcome {
                    self.for_one_viewer(response);
                }
                outcome
            }
            Ok(Admission::Elsewhere(response)) => Ok(response),
            Err(refusal) => Err(refusal),
        };
        if let (Some(broadcast), Ok(_)) = (watched, &outcome) {
            let player = Player {
                address: self.told.address(headers, peer),
                user_agent: headers.get(header::USER_AGENT).map_or(&[][..], HeaderValue::as_bytes),
                token,
            };
            self.viewers.note(broadcast, player);
        }
        (class, outcome)
    }

    async fn serve(
        self: &Arc<Self>,
        route: Route<'_>,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Response<Body>, Refusal> {
        match route {
            Route::Healthz => Ok(answer::ok(Kind::Text, Cache::No, Bytes::from_static(b"alive\n"))),
            Route::Readyz => Ok(self.readiness()),
            Route::Time => Ok(self.time()),
            Route::Embed { .. } => player::page(headers),
            Route::EmbedScript => player::script(headers),
            Route::PlayerAsset { name } => player::asset(headers, name),
            Route::Multivariant { playback, span } => self.multivariant(headers, playback, span).await,
            Route::Manifest { playback } => self.manifest(headers, playback).await,
            Route::Download { playback, broadcast } => self.download(headers, (playback, broadcast), query).await,
            Route::State { playback } => self.state(playback, query).await,
            Route::Thumbnail { playback } => self.thumbnail(playback, query).await,
            Route::Media {
                playback,
                broadcast,
                rendition,
                file: File::Playlist(span),
            } => {
                let wanted = playlist::Wanted {
                    playback,
                    broadcast,
                    rendition,
                    span,
                };
                self.media_playlist(headers, wanted, query).await
            }
            Route::Media {
                playback,
                broadcast,
                rendition,
                file,
            } => {
                let wanted = media::Wanted {
                    playback,
                    broadcast,
                    rendition,
                };
                match file {
                    File::Init { first_seq } => self.init(headers, wanted, first_seq).await,
                    File::Segment { seq, generation } => self.segment(headers, wanted, seq, generation).await,
                    File::SegmentAt { decode_time } => self.segment_at(headers, wanted, decode_time).await,
                    File::Part { seq, generation, part } => {
                        self.part(headers, wanted, PartName { seq, generation, part }).await
                    }
                    File::Playlist(_) => Err(Refusal::Internal),
                }
            }
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

/// What kind of request this is to the meters.
fn class(route: &Route<'_>) -> Class {
    match route {
        Route::Healthz | Route::Readyz | Route::Time => Class::Other,
        Route::Embed { .. } | Route::EmbedScript | Route::PlayerAsset { .. } => Class::Player,
        Route::Multivariant { .. } => Class::Multivariant,
        Route::Manifest { .. } => Class::Manifest,
        Route::Download { .. } => Class::Download,
        Route::State { .. } => Class::State,
        Route::Thumbnail { .. } => Class::Thumbnail,
        Route::Media { file, .. } => match file {
            File::Playlist(_) => Class::Playlist,
            File::Init { .. } => Class::Init,
            File::Segment { .. } | File::SegmentAt { .. } => Class::Segment,
            File::Part { .. } => Class::Part,
        },
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
