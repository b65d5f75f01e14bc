//! The worker's process: listener, heartbeat, and the broadcasts it runs.

mod broadcasts;
mod config;
mod heartbeat;
mod services;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use headwater_model::WorkerId;
use headwater_platform::clock::WallClock;
use headwater_platform::{Process, rpc};

pub use config::Config;

use crate::broadcast::Tools;
use crate::still::Desk;
use crate::storage::spool::Spool;
use crate::storage::upload;
use broadcasts::Broadcasts;

/// How long broadcasts have to stop once the process is told to.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Runs the worker until `process` is told to stop. The listener is bound before it reports ready.
pub async fn run(config: Config, process: Process) -> anyhow::Result<()> {
    process.health.unready("listener", "not bound yet");
    let listener = tokio::net::TcpListener::bind(config.worker_listen)
        .await
        .with_context(|| format!("HEADWATER_WORKER_LISTEN: cannot listen on {}", config.worker_listen))?;
    let url = match config.worker_url.as_str() {
        "" => format!("http://{}", listener.local_addr()?),
        url => url.to_owned(),
    };
    let spool = Spool::open(&config.worker_spool_dir, config.worker_spool_bytes_max).with_context(|| {
        format!(
            "HEADWATER_WORKER_SPOOL_DIR: cannot use {}",
            config.worker_spool_dir.display()
        )
    })?;
    let transcoder = match &config.worker_transcoder {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("cannot find this program to start the codec child from")?,
    };
    let worker_id = WorkerId::random();
    let tools = Tools {
        worker_id: worker_id.to_string(),
        store: config.store.open(),
        spool,
        limits: upload::Limits {
            bytes_max: config.worker_upload_bytes_max,
            writes_max: config.worker_uploads as usize,
        },
        rpc: config.rpc.clone(),
        streams: Arc::new(rpc::Streams::new(config.rpc.clone())),
        scheduler_url: config.scheduler_rpc_url.clone(),
        desk: Desk::new(transcoder.clone()),
        transcoder,
        preset: config.worker_preset.clone(),
        audio_bps: config.worker_audio_bps,
        window_ms: config.worker_window_ms,
        stall: Duration::from_millis(config.worker_stall_ms),
        clock: WallClock::system(),
    };
    let broadcasts = Arc::new(Broadcasts::new(tools, process.clone()));
    let hints = config.hints.open()?;
    let beat = heartbeat::Beat {
        worker_id,
        url: url.clone(),
        capacity: config.capacity(),
    };
    let beating = process.spawn(heartbeat::run(beat, hints, broadcasts.clone(), process.clone()));
    process.health.ready("listener");
    tracing::info!(worker.id = %worker_id, "worker {worker_id} at {url}");
    let routes = services::routes(broadcasts.clone());
    let served = rpc::serve(
        listener,
        routes,
        &config.rpc,
        process.shutdown.clone().cancelled_owned(),
    )
    .await;
    process.shutdown.cancel();
    broadcasts.stop(STOP_MAX).await;
    // The heartbeat ends with the shutdown token that has just fired.
    let _ = beating.await;
    served
}
