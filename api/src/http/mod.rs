//! The HTTP listener: the dashboard, the GraphQL endpoint, what this is, and whether it works.

mod dashboard;
mod forwarded;
mod graphql;
mod oidc;
mod socket;
mod who;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::VARY;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use ipnet::IpNet;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::graphql::Schema;
use crate::graphql::document::Documents;
use crate::op::Services;
use crate::problem::Code;

pub use graphql::BODY_BYTES_MAX;
pub use socket::OPERATIONS_MAX;

/// WebSockets open at a time; each takes some 20 kB.
const SOCKETS_MAX: usize = 20_000;

/// What the handlers share.
#[derive(Clone)]
pub struct Api {
    services: Services,
    schema: Schema,
    documents: Arc<Documents>,
    rate_per_minute: u32,
    proxies: Arc<[IpNet]>,
    sockets: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Api {
    /// `rate_per_minute` bounds the requests of one token or session; WebSockets are told to close when `stop` fires.
    pub fn new(services: Services, rate_per_minute: u32, stop: CancellationToken) -> Self {
        Self {
            services,
            schema: crate::graphql::schema(),
            documents: Arc::default(),
            rate_per_minute,
            proxies: Arc::default(),
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
            stop,
        }
    }

    /// Behind proxies in these networks, which say whom they speak for.
    pub fn behind(self, proxies: Vec<IpNet>) -> Self {
        Self {
            proxies: proxies.into(),
            ..self
        }
    }
}

/// Serves until `stop` fires.
pub(crate) async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) -> anyhow::Result<()> {
    let service = router(api).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    Ok(())
}

/// The routes, for tests without a socket.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/graphql", any(graphql::handle))
        .route("/graphql/schema", get(|| async { crate::graphql::sdl() }))
        .route("/docs/stream-health", get(|| async { Html(crate::health::page()) }))
        .route("/auth/oidc/start", get(oidc::start))
        .route("/auth/oidc/callback", get(oidc::callback))
        .route("/docs/errors", get(|| async { Html(error_page()) }))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .fallback(dashboard::handle)
        .with_state(api)
}

/// The dashboard to browsers, what this is to programs.
async fn front(State(api): State<Api>, headers: HeaderMap) -> Response {
    let mut response = match dashboard::wants_page(&headers) {
        true => dashboard::page(&api, StatusCode::OK),
        false => about().into_response(),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

fn about() -> Json<Value> {
    Json(json!({
        "name": "headwater",
        "role": "api",
        "version": env!("CARGO_PKG_VERSION"),
        "graphql": "/graphql",
        "schema": "/graphql/schema",
        "health": "/healthz",
        "readiness": "/readyz",
    }))
}

async fn ready(State(api): State<Api>) -> (StatusCode, &'static str) {
    match api.services.database.check().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "database: PostgreSQL does not answer, or needs `headwater migrate`\n",
        ),
    }
}

/// What the codes of user errors mean: where their `docsUrl` leads.
fn error_page() -> String {
    let mut page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Headwater: user errors</title>\
                    <h1>User errors</h1><dl>"
        .to_owned();
    for (_, word, meaning) in Code::ALL {
        let _ = write!(page, "<dt id=\"{word}\"><code>{word}</code></dt><dd>{meaning}</dd>");
    }
    page + "</dl></html>\n"
}
