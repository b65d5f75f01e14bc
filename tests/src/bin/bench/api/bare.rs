//! The measure: an axum handler that does one SQL statement through sqlx and answers with JSON. No sign-in, no roles, no limits,
//! no audit log. The statements are those that the api itself is there to do.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use headwater_model::ChannelId;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::net::TcpListener;

const COLUMNS: &str = "c.channel_id, c.tenant_id, c.environment, c.reference, c.title, c.metadata, c.latency_mode, \
    c.reconnect_window_s, c.ladder, c.bitrate_max_bps, c.disabled_at, c.created_at, c.updated_at, c.version, \
    (select t.suspended_at is not null from tenant t where t.tenant_id = c.tenant_id) as suspended, \
    (select b.state from broadcast b where b.channel_id = c.channel_id and b.state <> 'ended' \
     order by b.started_at desc limit 1) as broadcast_state";

#[derive(FromRow, Serialize)]
struct Channel {
    channel_id: String,
    tenant_id: String,
    environment: String,
    reference: Option<String>,
    title: String,
    metadata: serde_json::Value,
    latency_mode: String,
    reconnect_window_s: i32,
    ladder: serde_json::Value,
    bitrate_max_bps: Option<i64>,
    disabled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
    suspended: Option<bool>,
    broadcast_state: Option<String>,
}

/// What is asked for: the tenant always, the channel by those who look at one.
#[derive(Deserialize)]
struct Asked {
    tenant: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    title: String,
}

type Answer<T> = Result<Json<T>, (StatusCode, String)>;

fn failed(error: sqlx::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// Serves until it is killed; its address is the first line of its output.
pub async fn serve(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let url = arguments.next().context("bare wants an address of PostgreSQL")?;
    let connections = arguments
        .next()
        .context("bare wants a number of connections")?
        .parse()?;
    let pool = PgPoolOptions::new().max_connections(connections).connect(&url).await?;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", listener.local_addr()?);
    let routes = Router::new()
        .route("/list", post(list))
        .route("/one", post(one))
        .route("/update", post(update))
        .route("/create", post(create))
        .with_state(pool);
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn list(State(pool): State<PgPool>, Json(asked): Json<Asked>) -> Answer<Vec<Channel>> {
    let query = format!(
        "select {COLUMNS} from channel c where c.deleted_at is null and c.tenant_id = $1 and c.environment = 'live' \
         order by c.created_at desc, c.channel_id desc limit 26"
    );
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(asked.tenant);
    rows.fetch_all(&pool).await.map(Json).map_err(failed)
}

async fn one(State(pool): State<PgPool>, Json(asked): Json<Asked>) -> Answer<Channel> {
    let query = format!(
        "select {COLUMNS} from channel c where c.deleted_at is null and c.tenant_id = $1 and c.environment = 'live' \
         and c.channel_id = $2"
    );
    let row = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(asked.tenant)
        .bind(asked.channel);
    row.fetch_one(&pool).await.map(Json).map_err(failed)
}

async fn update(State(pool): State<PgPool>, Json(asked): Json<Asked>) -> Answer<Channel> {
    let query = format!(
        "update channel c set title = $3, version = version + 1, updated_at = now() \
         where c.tenant_id = $1 and c.channel_id = $2 returning {COLUMNS}"
    );
    let row = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(asked.tenant)
        .bind(asked.channel)
        .bind(asked.title);
    row.fetch_one(&pool).await.map(Json).map_err(failed)
}

async fn create(State(pool): State<PgPool>, Json(asked): Json<Asked>) -> Answer<Channel> {
    let query =
        format!("insert into channel as c (channel_id, tenant_id, title) values ($1, $2, $3) returning {COLUMNS}");
    let row = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(ChannelId::random().to_string())
        .bind(asked.tenant)
        .bind(asked.title);
    row.fetch_one(&pool).await.map(Json).map_err(failed)
}
