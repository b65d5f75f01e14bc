//! The operator's listener of a process: `/metrics`, `/healthz`, `/readyz`.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::Process;

/// Where operators look.
#[derive(Args, Clone, Debug)]
pub struct AdminConfig {
    /// Address of /metrics, /healthz and /readyz; not for the public.
    #[arg(long, env = "HEADWATER_ADMIN_LISTEN", default_value = "127.0.0.1:9090")]
    pub admin_listen: SocketAddr,
}

/// Serves until the process shuts down.
pub async fn serve(listener: TcpListener, prometheus: PrometheusHandle, process: Process) -> anyhow::Result<()> {
    let health = process.health.clone();
    let upkeep = prometheus.clone();
    process.spawn({
        let stop = process.shutdown.clone();
        async move {
            let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = every.tick() => upkeep.run_upkeep(),
                }
            }
        }
    });
    let router = Router::new()
        .route(
            "/metrics",
            get(move || async move {
                let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
                metrics::gauge!("process_tasks").set(tasks as f64);
                prometheus.render()
            }),
        )
        .route("/healthz", get(|| async { "alive\n" }))
        .route(
            "/readyz",
            get(move || async move {
                let problems = health.problems();
                if problems.is_empty() {
                    return (StatusCode::OK, "ready\n".to_string());
                }
                let lines = problems.iter().map(|(part, reason)| format!("{part}: {reason}\n"));
                (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
            }),
        );
    let stop = process.shutdown.clone();
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    Ok(())
}
