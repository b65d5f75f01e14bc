//! Programs that `headwater dev` starts: they stop with it, however it ends.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};

/// A program under our care. Dropping it kills it.
pub struct Supervised {
    name: &'static str,
    child: Child,
}

/// The user that PostgreSQL runs as when we are root: it refuses to run as root itself.
pub fn database_user() -> Option<(u32, u32)> {
    let root = is_root();
    root.then(|| passwd_ids("postgres").or_else(|| passwd_ids("nobody")))
        .flatten()
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|s| {
            s.lines().find_map(|l| {
                l.strip_prefix("Uid:")
                    .map(|ids| ids.split_whitespace().nth(1) == Some("0"))
            })
        })
        .unwrap_or(false)
}

fn passwd_ids(user: &str) -> Option<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields: Vec<&str> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|f| f.first() == Some(&user))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// A command that gets `death_signal` should this process die, runs as `ids` where given, and does not get our Ctrl-C.
/// Must be started from a thread that lives as long as the process: the kernel ties the signal to that thread.
pub fn command(program: impl AsRef<OsStr>, death_signal: &str, ids: Option<(u32, u32)>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig").arg(death_signal);
    if let Some((uid, gid)) = ids {
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            .arg("--clear-groups");
    }
    command
        .arg("--")
        .arg(program)
        .process_group(0)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Appends the program's output to `log`.
pub fn log_to(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    Ok(())
}

impl Supervised {
    /// Starts it.
    pub fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child })
    }

    /// Takes care of a program that was started elsewhere.
    pub fn adopt(name: &'static str, child: Child) -> Self {
        Self { name, child }
    }

    /// Its exit, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        self.child
            .wait()
            .await
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Sends `signal`, waits up to `limit`, then kills.
    pub async fn stop(mut self, signal: &str, limit: Duration) -> anyhow::Result<()> {
        let Some(pid) = self.child.id() else { return Ok(()) };
        signal_process(pid, signal).await?;
        if tokio::time::timeout(limit, self.child.wait()).await.is_err() {
            tracing::warn!("{} did not stop within {} s and is killed", self.name, limit.as_secs());
            self.child
                .kill()
                .await
                .with_context(|| format!("cannot kill {}", self.name))?;
        }
        Ok(())
    }
}

/// Sends a signal by name with the system's own `kill`.
pub async fn signal_process(pid: u32, signal: &str) -> anyhow::Result<()> {
    let status = Command::new("kill")
        .arg("-s")
        .arg(signal)
        .arg(pid.to_string())
        .stderr(Stdio::null())
        .status()
        .await?;
    if !status.success() {
        tracing::debug!(process.id = pid, "process {pid} was gone before it got {signal}");
    }
    Ok(())
}

/// Runs a program to its end; an error holds what it printed.
pub async fn run(name: &str, command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} failed ({}): {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
