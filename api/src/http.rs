//! The HTTP listener: what this is, and whether it works.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Database;

/// Serves until `stop` fires.
pub(crate) async fn serve(listener: TcpListener, database: Database, stop: CancellationToken) -> anyhow::Result<()> {
    axum::serve(listener, router(database))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    Ok(())
}

/// The routes, for tests without a socket.
pub fn router(database: Database) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(database)
}

async fn about() -> Json<Value> {
    Json(json!({
        "name": "headwater",
        "role": "api",
        "version": env!("CARGO_PKG_VERSION"),
        "health": "/healthz",
        "readiness": "/readyz",
    }))
}

async fn ready(State(database): State<Database>) -> (StatusCode, &'static str) {
    match database.check().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "database: PostgreSQL does not answer, or needs `headwater migrate`\n",
        ),
    }
}
