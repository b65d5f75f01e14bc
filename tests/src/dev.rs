//! The real binary as a newcomer runs it: `headwater dev` in a data folder of its own, on ports of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::channel::{self, Channel};

/// Longest that a start may take.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longest that an orderly stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What a running instance says of itself in `running.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Running {
    /// `rtmp://host:port/live`
    pub ingest_url: String,
    /// Of the demo channel.
    pub stream_key: String,
    /// Of the demo channel.
    pub playback_id: String,
    /// `http://host:port` of the origin.
    pub origin_url: String,
    /// `http://host:port` of the api.
    pub api_url: String,
    /// `http://host:port` of metrics and readiness.
    pub admin_url: String,
    /// `postgres://` address.
    pub database_url: String,
    /// `redis://` address.
    pub redis_url: String,
    /// S3 endpoint.
    pub s3_endpoint: String,
}

/// A running instance. Dropping it kills it, and what it started ends with it.
pub struct Dev {
    process: Child,
    folder: Option<TempDir>,
    data: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Its addresses and keys.
    pub running: Running,
}

/// Where cargo put the binary of this build.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Ok(path) = std::env::var("HEADWATER_BINARY") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let built = test
        .ancestors()
        .nth(2)
        .context("the test binary stands in target/PROFILE/deps")?
        .join("headwater");
    if !built.is_file() {
        bail!(
            "{} is not built: run `cargo build --bin headwater` first",
            built.display()
        );
    }
    Ok(built)
}

/// First port that [`free_port`] hands out; below those that the system gives to outgoing connections.
const PORT_MIN: u32 = 10_000;
/// How many it chooses from.
const PORTS: u32 = 20_000;

/// A port that was free a moment ago, and that this process is not given again for a long time.
pub fn free_port() -> anyhow::Result<u16> {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side begin far from one another.
    let offset = std::process::id().wrapping_mul(997);
    for _ in 0..PORTS {
        let number = offset.wrapping_add(HANDED_OUT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORT_MIN + number % PORTS)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from {PORT_MIN} on is free")
}

impl Dev {
    /// Starts an instance in a fresh folder.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[], &[]).await
    }

    /// Starts an instance in a fresh folder with further arguments and environment.
    pub async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("headwater-test-").tempdir()?;
        let data = folder.path().join("var");
        let mut all = Vec::new();
        for name in ["--rtmp-listen", "--http-listen", "--api-listen", "--admin-listen"] {
            all.extend([name.to_string(), format!("127.0.0.1:{}", free_port()?)]);
        }
        all.extend(arguments.iter().map(ToString::to_string));
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let (process, running) = launch(&data, &all, &environment).await?;
        Ok(Self {
            process,
            folder: Some(folder),
            data,
            arguments: all,
            environment,
            running,
        })
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Process id of the binary.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the instance has ended")
    }

    /// Log lines so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_file_name("dev.log")).unwrap_or_default()
    }

    /// Kills it with no warning, as a crash would.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("cannot kill the instance")
    }

    /// Stops it as Ctrl-C does and says how it ended.
    pub async fn stop(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        signal(self.pid()?, "INT").await?;
        tokio::time::timeout(STOP_LIMIT, self.process.wait())
            .await
            .with_context(|| format!("the instance did not stop within {STOP_LIMIT:?}"))?
            .context("cannot wait for the instance")
    }

    /// Starts it again in the same folder, on the same ports.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let (process, running) = launch(&self.data, &self.arguments, &self.environment).await?;
        self.process = process;
        self.running = running;
        Ok(())
    }

    /// `http://…/{playback_id}/{path}` at the origin.
    pub fn play(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.running.origin_url, self.running.playback_id)
    }

    /// Address to push to.
    pub fn push_url(&self) -> String {
        format!("{}/{}", self.running.ingest_url, self.running.stream_key)
    }

    /// Makes a further channel, with further options of `headwater channel create`.
    pub async fn channel(&self, options: &[&str]) -> anyhow::Result<Channel> {
        Channel::create(&self.running.database_url, options).await
    }

    /// `http://…/{playback_id}/{path}` of a further channel.
    pub fn play_of(&self, channel: &Channel, path: &str) -> String {
        format!("{}/{}/{path}", self.running.origin_url, channel.playback_id)
    }

    /// Address to push to on a further channel.
    pub fn push_url_of(&self, channel: &Channel) -> String {
        format!("{}/{}", self.running.ingest_url, channel.stream_key)
    }

    /// Waits until the player's state is one of `states`.
    pub async fn wait_for_state(&self, states: &[&str], limit: Duration) -> anyhow::Result<serde_json::Value> {
        let reached = channel::wait_for_state(&self.play("state.json"), states, limit).await;
        reached.with_context(|| self.log())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            let kept = folder.keep();
            eprintln!("the instance's data and log are kept in {}", kept.display());
        }
    }
}

/// Sends a signal by name.
pub async fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .await?;
    if !status.success() {
        bail!("no process {pid} to signal");
    }
    Ok(())
}

async fn launch(
    data: &Path,
    arguments: &[String],
    environment: &[(String, String)],
) -> anyhow::Result<(Child, Running)> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(data.with_file_name("dev.log"))?;
    let ready = data.join("running.json");
    // What an earlier run left says nothing of this one.
    let _ = std::fs::remove_file(&ready);
    let mut command = Command::new(binary()?);
    command
        .arg("dev")
        .arg("--data-dir")
        .arg(data)
        .args(arguments)
        .env("HEADWATER_LOG", "info");
    command.envs(environment.iter().cloned()).stdin(Stdio::null());
    command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    let mut process = command.spawn().context("cannot start headwater")?;
    let mut every = tokio::time::interval(Duration::from_millis(50));
    let running = async {
        loop {
            every.tick().await;
            if let Some(status) = process.try_wait()? {
                let log = std::fs::read_to_string(data.with_file_name("dev.log")).unwrap_or_default();
                bail!("headwater dev ended at once ({status}):\n{log}");
            }
            if let Ok(bytes) = std::fs::read(&ready)
                && let Ok(running) = serde_json::from_slice::<Running>(&bytes)
            {
                return Ok(running);
            }
        }
    };
    match tokio::time::timeout(START_LIMIT, running).await {
        Ok(running) => running.map(|r| (process, r)),
        Err(_) => bail!("headwater dev was not ready within {START_LIMIT:?}"),
    }
}
