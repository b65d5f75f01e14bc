//! The whole chain with every role as a process of its own, and an outside world that can be made to fail.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use headwater_platform::Secret;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub use crate::channel::Channel;
use crate::front::Front;
use crate::outside::{Cluster, Redis, Store};
use crate::{dev, farm, http};

/// Longest that a role may take to start or to stop.
const ROLE_LIMIT: Duration = Duration::from_secs(30);
/// Longest that anything else may take that ought to happen: two cores may run much else.
const PATIENCE: Duration = Duration::from_secs(40);
/// Newest lines of each role that a failed test prints.
const LOG_LINES: usize = 60;

/// Asks again and again until the answer is `Some`.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let mut every = tokio::time::interval(Duration::from_millis(50));
    let answered = async {
        loop {
            every.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered)
        .await
        .with_context(|| format!("never: {what}"))
}

/// A role as a process of its own. Dropping it kills it.
pub struct Role {
    name: &'static str,
    environment: Vec<(String, String)>,
    admin: String,
    log: PathBuf,
    child: Option<Child>,
}

impl Role {
    fn new(
        name: &'static str,
        folder: &Path,
        shared: &[(String, String)],
        own: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let admin = format!("127.0.0.1:{}", dev::free_port()?);
        let mut environment = shared.to_vec();
        environment.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        environment.push(("HEADWATER_ADMIN_LISTEN".into(), admin.clone()));
        Ok(Self {
            name,
            environment,
            log: folder.join(format!("{name}-{admin}.log")),
            admin,
            child: None,
        })
    }

    /// Starts it where it was, and waits until it says that it is ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        self.ready().await
    }

    fn launch(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(dev::binary()?);
        command.arg(self.name).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.kill_on_drop(true).spawn().context("cannot start headwater")?);
        Ok(())
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let (what, url) = (
            format!("{} is ready", self.name),
            format!("http://{}/readyz", self.admin),
        );
        let child = self.child.as_mut().context("it was launched")?;
        let ready = until(&what, async || {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Err(status));
            }
            let answer = http::get(&url).await.ok()?;
            (answer.status == 200).then_some(Ok(()))
        });
        match ready.await.with_context(|| self.log())? {
            Ok(()) => Ok(()),
            Err(status) => bail!("{} ended at once ({status}): {}", self.name, self.log()),
        }
    }

    /// Process id.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let child = self.child.as_ref().and_then(Child::id);
        child.with_context(|| format!("{} does not run", self.name))
    }

    /// Process id of the first child that it started and that still runs; the one that makes thumbnails is not counted.
    pub fn child(&self) -> anyhow::Result<u32> {
        // Any thread may have started it.
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid()?))? {
            let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            let named = |child: &&str| {
                let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
                !line.starts_with(b"headwater-thumbnails")
            };
            if let Some(child) = children.split_whitespace().find(named) {
                return child.parse().context("a process id");
            }
        }
        bail!("{} has no child", self.name)
    }

    /// Kills it with no warning, as a crash would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self
            .child
            .take()
            .with_context(|| format!("{} does not run", self.name))?;
        child.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// Tells it to stop, and says how it ended.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        dev::signal(self.pid()?, "TERM").await?;
        let mut child = self
            .child
            .take()
            .with_context(|| format!("{} does not run", self.name))?;
        tokio::time::timeout(ROLE_LIMIT, child.wait())
            .await
            .with_context(|| format!("{} did not stop within {ROLE_LIMIT:?}\n{}", self.name, self.log()))?
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Log lines so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A counter or gauge of its metrics: all series that carry `label` added up; 0 when there are none.
    pub async fn metric(&self, name: &str, label: &str) -> anyhow::Result<u64> {
        let text = http::get(&format!("http://{}/metrics", self.admin)).await?.text();
        let of_name = text.lines().filter_map(|line| line.strip_prefix(name));
        let series = of_name.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label));
        series
            .filter_map(|rest| rest.rsplit(' ').next())
            .try_fold(0, |sum, value| Ok(sum + value.parse::<u64>()?))
    }
}

/// How a chain differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Settings that every role gets.
    pub environment: Vec<(&'static str, String)>,
    /// Where the store's files lie; a folder of the chain's own otherwise.
    pub store: Option<PathBuf>,
    /// Where the worker spools; a folder of the chain's own otherwise.
    pub spool: Option<PathBuf>,
}

/// All roles, and what they stand on. Everything ends when it is dropped.
pub struct Chain {
    /// PostgreSQL of its own.
    pub postgres: Cluster,
    /// Redis of its own.
    pub redis: Redis,
    /// A store of its own.
    pub store: Store,
    /// `headwater api`
    pub api: Role,
    /// `headwater scheduler`
    pub scheduler: Role,
    /// `headwater ingest-edge`
    pub edge: Role,
    /// `headwater gpu-worker`, more than one after [`Chain::add_worker`].
    pub workers: Vec<Role>,
    /// `headwater origin`, more than one after [`Chain::add_origin`].
    pub origins: Vec<Role>,
    origin_urls: Vec<String>,
    rtmp: String,
    database_url: Secret,
    shared: Vec<(String, String)>,
    setup: Setup,
    finished: bool,
    folder: TempDir,
}

impl Chain {
    /// Starts one of each.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("headwater-chain-").tempdir()?;
        let store_folder = setup.store.clone().unwrap_or_else(|| folder.path().join("store"));
        let (postgres, redis, store) = tokio::try_join!(Cluster::start(), Redis::start(), Store::start(&store_folder))?;
        let database_url = postgres.database().await?.url;
        let address = || anyhow::Ok(format!("127.0.0.1:{}", dev::free_port()?));
        let (api_rpc, scheduler_rpc) = (address()?, address()?);
        let mut shared: Vec<(String, String)> = [
            ("HEADWATER_RPC_SECRET", farm::RPC_SECRET.to_owned()),
            ("HEADWATER_DATABASE_URL", database_url.reveal().to_owned()),
            ("HEADWATER_REDIS_URL", redis.url()),
            ("HEADWATER_S3_ENDPOINT", store.endpoint.clone()),
            ("HEADWATER_S3_ACCESS_KEY", Store::ACCESS_KEY.to_owned()),
            ("HEADWATER_S3_SECRET_KEY", Store::SECRET_KEY.to_owned()),
            ("HEADWATER_S3_TIMEOUT_MS", "3000".to_owned()),
            ("HEADWATER_API_RPC_URL", format!("http://{api_rpc}")),
            ("HEADWATER_SCHEDULER_RPC_URL", format!("http://{scheduler_rpc}")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        shared.extend(setup.environment.iter().map(|(n, v)| ((*n).to_owned(), v.clone())));
        let role = |name, own: &[(&str, String)]| Role::new(name, folder.path(), &shared, own);
        let (edge, rtmp) = new_edge(folder.path(), &shared)?;
        let mut chain = Self {
            api: role(
                "api",
                &[
                    ("HEADWATER_API_LISTEN", address()?),
                    ("HEADWATER_API_RPC_LISTEN", api_rpc),
                ],
            )?,
            scheduler: role("scheduler", &[("HEADWATER_SCHEDULER_RPC_LISTEN", scheduler_rpc)])?,
            edge,
            workers: Vec::new(),
            origins: Vec::new(),
            origin_urls: Vec::new(),
            postgres,
            redis,
            store,
            rtmp,
            database_url,
            shared,
            setup,
            finished: false,
            folder,
        };
        for role in [&mut chain.api, &mut chain.scheduler, &mut chain.edge] {
            role.launch()?;
        }
        chain.add_worker().await?;
        chain.add_origin().await?;
        for role in [&mut chain.api, &mut chain.scheduler, &mut chain.edge] {
            role.ready().await?;
        }
        Ok(chain)
    }

    /// Starts another edge, at other addresses, in place of the one that was.
    pub async fn replace_edge(&mut self) -> anyhow::Result<()> {
        (self.edge, self.rtmp) = new_edge(self.folder.path(), &self.shared)?;
        self.edge.start().await
    }

    /// Starts one more worker.
    pub async fn add_worker(&mut self) -> anyhow::Result<()> {
        let number = self.workers.len();
        let own_spool = || self.folder.path().join(format!("spool-{number}"));
        let spool = self.setup.spool.clone().unwrap_or_else(own_spool);
        let own = [
            ("HEADWATER_WORKER_LISTEN", format!("127.0.0.1:{}", dev::free_port()?)),
            ("HEADWATER_WORKER_SPOOL_DIR", spool.display().to_string()),
        ];
        let mut worker = Role::new("gpu-worker", self.folder.path(), &self.shared, &own)?;
        worker.start().await?;
        self.workers.push(worker);
        Ok(())
    }

    /// Starts one more origin, that knows nothing yet, and says which.
    pub async fn add_origin(&mut self) -> anyhow::Result<usize> {
        let address = format!("127.0.0.1:{}", dev::free_port()?);
        let own = [("HEADWATER_ORIGIN_LISTEN", address.clone())];
        let mut origin = Role::new("origin", self.folder.path(), &self.shared, &own)?;
        origin.start().await?;
        self.origins.push(origin);
        self.origin_urls.push(format!("http://{address}"));
        Ok(self.origins.len() - 1)
    }

    /// Makes a channel, with a reconnect window of so many seconds.
    pub async fn channel(&self, ladder: &str, reconnect_window_s: i32) -> anyhow::Result<Channel> {
        let channel = Channel::create(self.database_url.reveal(), &["--ladder", ladder]).await?;
        sqlx::query("update channel set reconnect_window_s = $1 where channel_id = $2")
            .bind(reconnect_window_s)
            .bind(&channel.channel_id)
            .execute(&mut self.database().await?)
            .await?;
        Ok(channel)
    }

    /// `http://host:port` of the api.
    pub fn api_url(&self) -> anyhow::Result<String> {
        let listens = |(name, _): &&(String, String)| name == "HEADWATER_API_LISTEN";
        let found = self.api.environment.iter().find(listens);
        let (_, address) = found.context("the api was told where to listen")?;
        Ok(format!("http://{address}"))
    }

    /// An api of the test's own beside the chain's, on the same PostgreSQL and Redis.
    pub fn front(&self) -> anyhow::Result<Front> {
        let hints = headwater_platform::hints::HintsConfig {
            redis_url: self.redis.url(),
        };
        Front::beside(&self.database_url, hints.open()?)
    }

    /// A connection to the database.
    pub async fn database(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(self.database_url.reveal()).await?)
    }

    /// The generation under which a broadcast runs.
    pub async fn generation(&self, broadcast: &str) -> anyhow::Result<i64> {
        let row: (i64,) = sqlx::query_as("select generation from lease where broadcast_id = $1")
            .bind(broadcast)
            .fetch_one(&mut self.database().await?)
            .await?;
        Ok(row.0)
    }

    /// Where to push to.
    pub fn push_url(&self, channel: &Channel) -> String {
        format!("rtmp://{}/live/{}", self.rtmp, channel.stream_key)
    }

    /// `http://…/{playback_id}/{path}` at the first origin.
    pub fn play(&self, playback_id: &str, path: &str) -> String {
        self.play_at(0, playback_id, path)
    }

    /// The same at another one.
    pub fn play_at(&self, origin: usize, playback_id: &str, path: &str) -> String {
        format!("{}/{playback_id}/{path}", self.origin_urls[origin])
    }

    /// Waits until the first origin says that the channel is `state`, and returns what the player is told.
    pub async fn state(&self, channel: &Channel, state: &str) -> anyhow::Result<serde_json::Value> {
        let url = self.play(&channel.playback_id, "state.json");
        let mut seen = String::new();
        let what = format!("the channel is {state}");
        let reached = until(&what, async || {
            seen = http::get(&url).await.ok()?.text();
            let told: serde_json::Value = serde_json::from_str(&seen).ok()?;
            (told["state"] == state).then_some(told)
        });
        reached.await.with_context(|| format!("last seen: {seen}"))
    }

    /// Stops every role that runs, and fails unless each ends well. A chain that is dropped without it prints its logs.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        let others = self.workers.iter_mut().chain(&mut self.origins);
        let all = [&mut self.edge]
            .into_iter()
            .chain(others)
            .chain([&mut self.scheduler, &mut self.api]);
        for role in all.filter(|role| role.child.is_some()) {
            let status = role.stop().await?;
            anyhow::ensure!(status.success(), "{} ended with {status}", role.name);
        }
        self.finished = true;
        Ok(())
    }

    fn logs(&self) -> String {
        let mut all = String::new();
        let others = self.workers.iter().chain(&self.origins);
        for role in [&self.api, &self.scheduler, &self.edge].into_iter().chain(others) {
            let log = role.log();
            let lines: Vec<&str> = log.lines().collect();
            let newest = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            let _ = writeln!(all, "---- {}\n{newest}", role.name);
        }
        all
    }
}

/// An edge that does not run yet, and where publishers will connect to.
fn new_edge(folder: &Path, shared: &[(String, String)]) -> anyhow::Result<(Role, String)> {
    let (rtmp, rpc) = (
        format!("127.0.0.1:{}", dev::free_port()?),
        format!("127.0.0.1:{}", dev::free_port()?),
    );
    let own = [
        ("HEADWATER_INGEST_RTMP_LISTEN", rtmp.clone()),
        ("HEADWATER_INGEST_RPC_URL", format!("http://{rpc}")),
        ("HEADWATER_INGEST_RPC_LISTEN", rpc),
    ];
    Ok((Role::new("ingest-edge", folder, shared, &own)?, rtmp))
}

impl Drop for Chain {
    fn drop(&mut self) {
        if !self.finished {
            eprintln!("{}", self.logs());
        }
    }
}
