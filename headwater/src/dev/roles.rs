//! The roles inside one process: configured by their own options, started together, stopped in the order of the media.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser};
use headwater_platform::Process;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::folder::DataFolder;
use super::{Config, Outside};

/// Longest that one role may take to stop: the worker writes replays in this time.
const STOP_LIMIT: Duration = Duration::from_secs(12);

/// Options of one role, read as the role's own subcommand reads them: what is not given here may still come from the
/// environment.
#[derive(Parser)]
struct Options<C: Args> {
    #[command(flatten)]
    config: C,
}

fn options<C: Args>(arguments: &[(&str, String)]) -> anyhow::Result<C> {
    let words = arguments.iter().map(|(name, value)| format!("--{name}={value}"));
    let words = std::iter::once("headwater".to_string()).chain(words);
    Ok(Options::<C>::try_parse_from(words)?.config)
}

struct Running {
    name: &'static str,
    process: Process,
    task: JoinHandle<anyhow::Result<()>>,
}

/// All roles of this process.
pub struct Roles {
    running: Vec<Running>,
    ended: watch::Receiver<Option<&'static str>>,
}

/// Starts every role. The order of the list is the order of stopping: publishers are let go first, then what they left is
/// written, and only then do the others go.
pub async fn start(
    config: &Config,
    folder: &DataFolder,
    outside: &Outside,
    process: &Process,
) -> anyhow::Result<Roles> {
    let [api_rpc, scheduler_rpc, edge_rpc, worker_rpc] = {
        let mut addresses = Vec::new();
        for _ in 0..4 {
            addresses.push(format!("127.0.0.1:{}", super::free_port().await?));
        }
        <[String; 4]>::try_from(addresses).expect("four were made")
    };
    let url = |address: &str| format!("http://{address}");
    let rpc = ("rpc-secret", outside.rpc.rpc_secret.reveal().to_string());
    let database = ("database-url", outside.database_url.reveal().to_string());
    let hints = ("redis-url", outside.redis_url.clone());
    let store = [
        ("s3-endpoint", outside.store.s3_endpoint.clone()),
        ("s3-region", outside.store.s3_region.clone()),
        ("s3-bucket", outside.store.s3_bucket.clone()),
        ("s3-access-key", outside.store.s3_access_key.clone()),
        ("s3-secret-key", outside.store.s3_secret_key.reveal().to_string()),
    ];
    let rtmp: Vec<String> = config.rtmp_listens().iter().map(ToString::to_string).collect();
    let mut edge: headwater_ingest_edge::Config = options(&[
        ("ingest-rtmp-listen", rtmp.join(",")),
        ("ingest-rpc-listen", edge_rpc.clone()),
        ("ingest-rpc-url", url(&edge_rpc)),
        ("api-rpc-url", url(&api_rpc)),
        ("scheduler-rpc-url", url(&scheduler_rpc)),
        rpc.clone(),
        hints.clone(),
    ])?;
    // There is no other edge that could continue a broadcast.
    edge.ingest_stop_ends = true;
    let mut worker_options = vec![
        ("worker-listen", worker_rpc.clone()),
        ("worker-url", url(&worker_rpc)),
        ("scheduler-rpc-url", url(&scheduler_rpc)),
        ("worker-spool-dir", folder.path("spool").display().to_string()),
        rpc.clone(),
        hints.clone(),
    ];
    worker_options.extend(store.clone());
    let worker: headwater_gpu_worker::Config = options(&worker_options)?;
    let mut origin_options = vec![
        ("origin-listen", config.http_listen.to_string()),
        ("api-rpc-url", url(&api_rpc)),
        rpc.clone(),
        hints.clone(),
    ];
    origin_options.extend(store.clone());
    let origin: headwater_origin::Config = options(&origin_options)?;
    let scheduler: headwater_scheduler::Config = options(&[
        ("scheduler-rpc-listen", scheduler_rpc),
        database.clone(),
        rpc.clone(),
        hints.clone(),
    ])?;
    let mut api_options = vec![
        ("api-listen", config.api_listen.to_string()),
        ("api-rpc-listen", api_rpc),
        ("api-public-url", format!("http://{}", config.api_listen)),
        ("api-playback-url", format!("http://{}", config.http_listen)),
        ("api-ingest-url", format!("rtmp://{}/live", config.rtmp_listen)),
        // Whoever develops a receiver runs it here.
        ("api-webhook-allow", "127.0.0.0/8,::1/128".to_string()),
        (
            "api-smtp-url",
            config.smtp_url.as_ref().map_or("", |url| url.reveal()).to_string(),
        ),
        ("api-mail-dir", folder.path("mail").display().to_string()),
        database,
        rpc,
        hints,
    ];
    api_options.extend(store);
    let api: headwater_api::Config = options(&api_options)?;

    let (tell, ended) = watch::channel(None);
    let mut running = Vec::new();
    macro_rules! role {
        ($name:literal, $run:path, $config:expr) => {{
            // A token of its own, not a child of the process's: roles stop one after the other.
            let role = Process {
                shutdown: Default::default(),
                ..process.child($name)
            };
            role.health.unready("role", "starting");
            let (task_role, tell, health) = (role.clone(), tell.clone(), role.health.clone());
            let task = tokio::spawn(async move {
                health.ready("role");
                let ended = Box::pin($run($config, task_role)).await;
                health.unready("role", "stopped");
                tell.send_replace(Some($name));
                ended
            });
            running.push(Running {
                name: $name,
                process: role,
                task,
            });
        }};
    }
    role!("ingest-edge", headwater_ingest_edge::run, edge);
    role!("gpu-worker", headwater_gpu_worker::run, worker);
    role!("origin", headwater_origin::run, origin);
    role!("scheduler", headwater_scheduler::run, scheduler);
    role!("api", headwater_api::run, api);
    Ok(Roles { running, ended })
}

impl Roles {
    /// Resolves when a role ends by itself, which none should.
    pub async fn first_end(&self) -> anyhow::Result<()> {
        let mut ended = self.ended.clone();
        let name = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|name| *name)
            .unwrap_or("a role");
        bail!("{name} stopped by itself; the reason is below or in the log")
    }

    /// Stops the roles one after the other. The first error is returned, after all have stopped.
    pub async fn stop(self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for Running { name, process, task } in self.running {
            process.shutdown.cancel();
            let ended = match tokio::time::timeout(STOP_LIMIT, task).await {
                Ok(Ok(ended)) => ended.with_context(|| format!("{name} failed")),
                Ok(Err(panic)) => Err(panic).with_context(|| format!("{name} panicked")),
                Err(_) => {
                    tracing::warn!("{name} did not stop within {} s", STOP_LIMIT.as_secs());
                    Ok(())
                }
            };
            process.drained(STOP_LIMIT).await;
            result = result.and(ended);
        }
        result
    }
}
