//! A private PostgreSQL: one cluster per test process, one fresh database per test.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use headwater_api::Database;
use headwater_platform::Secret;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;

use super::free_port;
use super::keeper::{self, Janitor};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running cluster. Killed when dropped, and with the process.
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    server: Child,
    databases: AtomicU32,
    _janitor: Janitor,
}

/// A database of a test's own, with the newest schema.
pub struct TestDatabase {
    /// `postgres://` address.
    pub url: Secret,
    /// The api's view of it.
    pub api: Database,
}

impl TestDatabase {
    /// A fresh database in the cluster that all tests of this process share.
    pub async fn fresh() -> anyhow::Result<Self> {
        static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
        let cluster = SHARED
            .get_or_try_init(|| async { Cluster::start().await.map(Arc::new) })
            .await?;
        cluster.database().await
    }

    /// A connection to it.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(self.url.reveal()).await?)
    }
}

impl Cluster {
    /// Starts a cluster of its own, for tests that stop it.
    pub async fn start() -> anyhow::Result<Self> {
        let bin = newest_programs()?;
        let folder = tempfile::Builder::new().prefix("headwater-postgres-").tempdir()?.keep();
        let janitor = Janitor::of(&folder)?;
        // The server runs as another user when the tests are root: it must be able to pass through.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let data = folder.join("data");
        fs::create_dir(&data)?;
        if let Some((uid, gid)) = server_ids()? {
            chown(&data, Some(uid), Some(gid))?;
        }
        let mut init = keeper::command(bin.join("initdb"), server_ids()?);
        init.arg("-D").arg(&data).args([
            "-U",
            "headwater",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]);
        finished("initdb", init.current_dir("/"))?;
        let port = free_port()?;
        let server = serve(&bin, &folder, port)?;
        let mut cluster = Self {
            bin,
            folder,
            port,
            server,
            databases: AtomicU32::new(0),
            _janitor: janitor,
        };
        cluster.answers().await?;
        cluster.execute("create database template_headwater").await?;
        let template = Database::open(&cluster.url("template_headwater"), 1)?;
        template.migrate().await?;
        template.close().await;
        Ok(cluster)
    }

    /// A fresh database.
    pub async fn database(&self) -> anyhow::Result<TestDatabase> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("create database {name} template template_headwater"))
            .await?;
        let url = self.url(&name);
        Ok(TestDatabase {
            api: Database::open(&url, 4)?,
            url,
        })
    }

    /// Stops the server as a power cut would.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        // The postmaster alone is ours to signal; SIGQUIT makes it end its processes at once.
        let pid = self.server.id().to_string();
        finished("kill", Command::new("kill").args(["-s", "QUIT", &pid]))?;
        self.server.wait()?;
        Ok(())
    }

    /// Makes it hang: connections stay, and nothing answers.
    pub fn pause(&self) -> anyhow::Result<()> {
        // The server first, so that it starts no further process meanwhile.
        super::signal(self.server.id(), "STOP")?;
        self.backends()?
            .into_iter()
            .try_for_each(|pid| super::signal(pid, "STOP"))
    }

    /// Ends what [`Cluster::pause`] began.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.backends()?
            .into_iter()
            .try_for_each(|pid| super::signal(pid, "CONT"))?;
        super::signal(self.server.id(), "CONT")
    }

    /// The processes that the server started.
    fn backends(&self) -> anyhow::Result<Vec<u32>> {
        let id = self.server.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Ok(children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Starts it again where it was.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.server = serve(&self.bin, &self.folder, self.port)?;
        self.answers().await
    }

    fn url(&self, database: &str) -> Secret {
        Secret::new(format!("postgres://headwater@127.0.0.1:{}/{database}", self.port))
    }

    async fn execute(&self, statement: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(self.url("postgres").reveal()).await?;
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let url = self.url("postgres");
        let mut every = tokio::time::interval(Duration::from_millis(20));
        let answers = async {
            loop {
                every.tick().await;
                if let Some(status) = self.server.try_wait()? {
                    let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    bail!("PostgreSQL ended at once ({status}): {log}");
                }
                if let Ok(connection) = PgConnection::connect(url.reveal()).await {
                    connection.close().await?;
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(START_LIMIT, answers)
            .await
            .context("PostgreSQL did not get ready")?
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(bin: &Path, folder: &Path, port: u16) -> anyhow::Result<Child> {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("log"))?;
    let mut server = keeper::command(bin.join("postgres"), server_ids()?);
    server
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir("/")
        .stdout(log.try_clone()?)
        .stderr(log);
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        // The data folder is the server's own, so its socket may live there.
        format!("unix_socket_directories={}", folder.join("data").display()),
        // What is committed outlives the server, though not the machine.
        "fsync=off".into(),
        "full_page_writes=off".into(),
        "max_connections=200".into(),
    ] {
        server.args(["-c", &setting]);
    }
    keeper::start(server)
}

fn newest_programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed: run `make packages`")?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .collect();
    found.sort();
    Ok(found
        .pop()
        .context("PostgreSQL is not installed: run `make packages`")?
        .1)
}

/// Whom the server runs as: PostgreSQL refuses to be root.
fn server_ids() -> anyhow::Result<Option<(u32, u32)>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let uids = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .context("no Uid in /proc/self/status")?;
    if uids.split_whitespace().nth(1) != Some("0") {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd")?;
    let ids = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.first() == Some(&"postgres")).then_some(())?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    });
    Ok(Some(ids.context("there is no user postgres")?))
}

fn finished(name: &str, command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
