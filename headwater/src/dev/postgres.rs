//! A private PostgreSQL from the distribution's package, in the data folder. No system-wide cluster is touched.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;

use super::child::{self, Supervised};

/// Longest that a start (crash recovery included) or a stop may take.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running private PostgreSQL.
pub struct Postgres {
    server: Supervised,
    /// `postgres://` address of the `headwater` database.
    pub url: String,
}

/// The newest installed version's folder of programs.
fn programs() -> anyhow::Result<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    found.sort_by_key(|bin| {
        bin.parent()
            .and_then(Path::file_name)
            .and_then(|v| v.to_str())
            .and_then(|v| v.parse::<u32>().ok())
    });
    found.pop().context(
        "PostgreSQL is not installed: run `make packages`, or `apt-get install postgresql`, \
         or give HEADWATER_DATABASE_URL to use one that runs elsewhere",
    )
}

impl Postgres {
    /// Creates the cluster at the first start, ends what a crash left running in it, and starts it on `port`.
    pub async fn start(folder: &Path, log: &Path, port: u16, password: &str) -> anyhow::Result<Self> {
        let bin = programs()?;
        let ids = child::database_user();
        let data = folder.join("data");
        if !data.join("PG_VERSION").is_file() {
            // What an interrupted first start left is not a cluster yet.
            if data.exists() {
                fs::remove_dir_all(&data)?;
            }
            init(&bin, folder, &data, ids, password).await?;
        }
        end_leftover(&data).await?;
        let mut command = child::command(bin.join("postgres"), "INT", ids);
        command
            .arg("-D")
            .arg(&data)
            .args(["-c", &format!("port={port}"), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "max_connections=120"])
            .args(["-c", "shared_buffers=64MB", "-c", "log_timezone=UTC"])
            .current_dir("/");
        child::log_to(&mut command, log)?;
        let mut server = Supervised::start("PostgreSQL", command)?;
        wait_until_ready(&mut server, &bin, port, log).await?;
        let admin = format!("postgres://headwater:{password}@127.0.0.1:{port}");
        create_database(&bin, port, password).await?;
        Ok(Self {
            server,
            url: format!("{admin}/headwater"),
        })
    }

    /// Fast shutdown: open transactions are rolled back, committed ones are safe.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop("INT", STOP_LIMIT).await
    }
}

async fn init(bin: &Path, folder: &Path, data: &Path, ids: Option<(u32, u32)>, password: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let password_file = folder.join("password");
    fs::write(&password_file, password)?;
    if let Some((uid, gid)) = ids {
        chown(folder, Some(uid), Some(gid))?;
        chown(&password_file, Some(uid), Some(gid))?;
    }
    let mut command = child::command(bin.join("initdb"), "KILL", ids);
    command.arg("-D").arg(data).args([
        "-U",
        "headwater",
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]);
    command
        .arg(format!("--pwfile={}", password_file.display()))
        .current_dir("/");
    let made = child::run("initdb", &mut command).await;
    fs::remove_file(&password_file)?;
    made
}

/// A server that outlived its `headwater dev` would keep the cluster locked: ask it to stop.
async fn end_leftover(data: &Path) -> anyhow::Result<()> {
    let Ok(pid_file) = fs::read_to_string(data.join("postmaster.pid")) else {
        return Ok(());
    };
    let Some(pid) = pid_file.lines().next().and_then(|l| l.trim().parse::<u32>().ok()) else {
        return Ok(());
    };
    let running = || {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*data.to_string_lossy()))
    };
    if !running() {
        return Ok(());
    }
    child::signal_process(pid, "INT").await?;
    let mut every = tokio::time::interval(Duration::from_millis(50));
    let ended = async {
        while running() {
            every.tick().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, ended)
        .await
        .with_context(|| format!("an earlier PostgreSQL (process {pid}) holds the data folder and does not stop"))
}

async fn wait_until_ready(server: &mut Supervised, bin: &Path, port: u16, log: &Path) -> anyhow::Result<()> {
    let mut every = tokio::time::interval(Duration::from_millis(25));
    let ready = async {
        loop {
            every.tick().await;
            if let Some(status) = server.ended() {
                bail!("PostgreSQL ended at once ({status}); its log is {}", log.display());
            }
            if TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                continue;
            }
            let mut probe = tokio::process::Command::new(bin.join("pg_isready"));
            probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            if probe.status().await.is_ok_and(|s| s.success()) {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(START_LIMIT, ready)
        .await
        .with_context(|| format!("PostgreSQL did not get ready; its log is {}", log.display()))?
}

async fn create_database(bin: &Path, port: u16, password: &str) -> anyhow::Result<()> {
    let psql = |database: &str, sql: &str| {
        let mut command = tokio::process::Command::new(bin.join("psql"));
        command
            .env("PGPASSWORD", password)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]);
        command.args(["-p", &port.to_string(), "-U", "headwater", "-d", database, "-c", sql]);
        command
    };
    let exists = psql("postgres", "select 1 from pg_database where datname = 'headwater'")
        .output()
        .await
        .context("cannot start psql")?;
    if exists.status.success() && exists.stdout.starts_with(b"1") {
        return Ok(());
    }
    child::run("psql", &mut psql("postgres", "create database headwater")).await
}
