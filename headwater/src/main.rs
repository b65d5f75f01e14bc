//! The one binary: each role is a subcommand, `headwater dev` runs them all. Wiring only.

mod channel;
mod dev;
mod options;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use headwater_platform::admin::AdminConfig;
use headwater_platform::telemetry::{self, TelemetryConfig};
use headwater_platform::{Process, admin};
use tokio::net::TcpListener;

/// Media comes and goes in pieces of a few kilobytes up to a megabyte, over many threads: this one gives more of it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a role that was told to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Of each thread; only what is touched takes memory. A GraphQL document as deep as it may be fills a few hundred kilobytes in an
/// optimised build, and more than a megabyte in one that was compiled quickly: `tests/tests/graphql_cost.rs` asks it with half of this.
const STACK_BYTES: usize = 8 << 20;

/// A live-streaming backend.
#[derive(Parser)]
#[command(name = "headwater", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A role with what every process has.
#[derive(Args)]
struct Role<C: Args> {
    #[command(flatten)]
    role: C,
    #[command(flatten)]
    telemetry: TelemetryConfig,
    #[command(flatten)]
    admin: AdminConfig,
}

#[derive(Subcommand)]
// Read once, at the start.
#[allow(clippy::large_enum_variant)]
enum Command {
    /// Says whose a stream key is and what a playback id shows.
    Api(Role<headwater_api::Config>),
    /// Opens broadcasts and places them on workers.
    Scheduler(Role<headwater_scheduler::Config>),
    /// Takes what encoders push.
    IngestEdge(Role<headwater_ingest_edge::Config>),
    /// Transcodes, packages and stores.
    GpuWorker(Role<headwater_gpu_worker::Config>),
    /// Serves players and CDNs.
    Origin(Role<headwater_origin::Config>),
    /// Runs every role with embedded defaults.
    Dev(Role<dev::Config>),
    /// Brings the database's schema up to date.
    Migrate(headwater_api::DatabaseConfig),
    /// Manages channels.
    #[command(subcommand)]
    Channel(channel::Command),
    /// The codec child of one broadcast; started by gpu-worker.
    #[command(hide = true)]
    Transcoder,
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    if let Command::Transcoder = command {
        return ExitCode::from(u8::try_from(headwater_gpu_worker::transcoder_main()).unwrap_or(1));
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    if let Err(error) = options::refuse_unknown(&Cli::command(), environment) {
        eprintln!("headwater: {error}");
        return ExitCode::FAILURE;
    }
    headwater_platform::install_crypto();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.thread_stack_size(STACK_BYTES).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("headwater: cannot start its threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(execute(command));
    // What still runs now has been told to stop and had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headwater: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Api(role) => supervise("api", role, headwater_api::run).await,
        Command::Scheduler(role) => supervise("scheduler", role, headwater_scheduler::run).await,
        Command::IngestEdge(role) => supervise("ingest-edge", role, headwater_ingest_edge::run).await,
        Command::GpuWorker(role) => supervise("gpu-worker", role, headwater_gpu_worker::run).await,
        Command::Origin(role) => supervise("origin", role, headwater_origin::run).await,
        Command::Dev(role) => {
            let admin = role.admin.admin_listen;
            supervise("dev", role, move |config, process| dev::run(config, admin, process)).await
        }
        Command::Migrate(database) => {
            let database = database.open()?;
            database.migrate().await?;
            database.close().await;
            println!("the schema is up to date");
            Ok(())
        }
        Command::Channel(command) => channel::execute(command).await,
        Command::Transcoder => unreachable!("handled before the runtime started"),
    }
}

/// Runs a role until a signal, with logs, metrics and readiness around it.
async fn supervise<C, R>(name: &'static str, role: Role<C>, run: impl FnOnce(C, Process) -> R) -> anyhow::Result<()>
where
    C: Args,
    R: Future<Output = anyhow::Result<()>>,
{
    let telemetry = telemetry::init(name, &role.telemetry)?;
    let process = Process::new();
    process.stop_on_signals().context("cannot listen for signals")?;
    let listener = TcpListener::bind(role.admin.admin_listen).await.with_context(|| {
        format!(
            "HEADWATER_ADMIN_LISTEN: cannot listen on {}: is another program using it?",
            role.admin.admin_listen
        )
    })?;
    let serving = tokio::spawn(admin::serve(listener, telemetry.metrics.clone(), process.clone()));
    let ended = Box::pin(run(role.role, process.clone())).await;
    process.shutdown.cancel();
    if !process.drained(STOP_LIMIT).await {
        tracing::warn!("some tasks of {name} did not end within {} s", STOP_LIMIT.as_secs());
    }
    serving.abort();
    telemetry.flush();
    ended
}
