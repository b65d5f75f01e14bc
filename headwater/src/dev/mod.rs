//! `headwater dev`: everything in one process, with nothing to set up and no account anywhere.
//!
//! A private PostgreSQL and Redis run beside it, S3 is served in process, all from one data folder. Each of them is replaced
//! by giving its address in the configuration (`HEADWATER_DATABASE_URL`, `HEADWATER_REDIS_URL`, `HEADWATER_S3_ENDPOINT`).

mod card;
mod child;
mod demo;
mod folder;
mod postgres;
mod redis;
mod roles;
mod s3;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use headwater_api::Database;
use headwater_api::demo::Demo;
use headwater_model::StreamKey;
use headwater_platform::{Process, Secret, rpc::RpcConfig, store::StoreConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use folder::DataFolder;

/// Longest that all roles together may take to get ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// What a person may choose.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Folder that holds databases, media, logs and this installation's secrets.
    #[arg(long, env = "HEADWATER_DEV_DATA_DIR", default_value = "var")]
    pub data_dir: PathBuf,
    /// Where encoders push RTMP. At 127.0.0.1, `[::1]` with the same port takes them too, where IPv6 is on.
    #[arg(long, env = "HEADWATER_DEV_RTMP_LISTEN", default_value = "127.0.0.1:1935")]
    pub rtmp_listen: SocketAddr,
    /// Where players and browsers read.
    #[arg(long, env = "HEADWATER_DEV_HTTP_LISTEN", default_value = "127.0.0.1:8088")]
    pub http_listen: SocketAddr,
    /// Where the api answers.
    #[arg(long, env = "HEADWATER_DEV_API_LISTEN", default_value = "127.0.0.1:8080")]
    pub api_listen: SocketAddr,
    /// Push a built-in test broadcast: a moving picture with a clock and a tone.
    #[arg(long, env = "HEADWATER_DEV_DEMO")]
    pub demo: bool,
    /// Ladder of the demo channel: `default` encodes smaller renditions, `source` passes the source through alone.
    #[arg(long, env = "HEADWATER_DEV_DEMO_LADDER", default_value = "default", value_parser = ["default", "source"])]
    pub demo_ladder: String,
    /// Use this PostgreSQL instead of a private one.
    #[arg(long, env = "HEADWATER_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Use this Redis instead of a private one.
    #[arg(long, env = "HEADWATER_REDIS_URL")]
    pub redis_url: Option<String>,
    /// Send mail by this server instead of writing it into the data folder.
    #[arg(long, env = "HEADWATER_API_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// Use this S3 endpoint instead of the in-process one; bucket and keys as for every role.
    #[arg(long, env = "HEADWATER_S3_ENDPOINT")]
    pub s3_endpoint: Option<String>,
    /// Bucket at that endpoint.
    #[arg(long, env = "HEADWATER_S3_BUCKET", default_value = s3::BUCKET)]
    pub s3_bucket: String,
    /// Region of that endpoint.
    #[arg(long, env = "HEADWATER_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// Access key id at that endpoint.
    #[arg(long, env = "HEADWATER_S3_ACCESS_KEY", default_value = "")]
    pub s3_access_key: String,
    /// Secret access key at that endpoint.
    #[arg(long, env = "HEADWATER_S3_SECRET_KEY", default_value = "", hide_env_values = true)]
    pub s3_secret_key: Secret,
}

/// The outside world of this installation: what was started, and what was configured instead.
struct Outside {
    postgres: Option<postgres::Postgres>,
    redis: Option<redis::Redis>,
    database_url: Secret,
    redis_url: String,
    store: StoreConfig,
    rpc: RpcConfig,
    s3_stop: CancellationToken,
}

/// Starts everything, says where it is, and runs until told to stop. Must be called from the main thread: what it starts is
/// tied to that thread's life.
pub async fn run(config: Config, admin: SocketAddr, process: Process) -> anyhow::Result<()> {
    let folder = DataFolder::open(&config.data_dir)?;
    let mut credentials = folder.credentials()?;
    let listeners = reserve(&config).await?;
    let outside = start_outside(&config, &folder, &credentials).await?;
    let key = match &credentials.demo_stream_key {
        Some(key) => key
            .parse()
            .context("the demo stream key in credentials.json is malformed")?,
        None => {
            let key = StreamKey::random();
            credentials.demo_stream_key = Some(key.expose().to_string());
            folder.save(&credentials)?;
            key
        }
    };
    let password = folder.demo_password(&mut credentials)?;
    let demo = prepare(&outside.database_url, &key, &config.demo_ladder, &password).await?;
    drop(listeners);
    let roles = roles::start(&config, &folder, &outside, &process).await?;
    let served = async {
        wait_until_ready(&process, &roles).await?;
        let card = card::Card::new(&config, admin, &outside, &key, &demo, password, config.mail_dir(&folder));
        card.save(&folder.path("running.json"))?;
        card.print(config.demo);
        let stop = process.shutdown.clone();
        let pushing = config.demo.then(|| {
            let (url, log) = (card.push_url(), folder.path("demo.log"));
            demo::push(url, log, stop.clone())
        });
        tokio::select! {
            () = stop.cancelled() => {}
            ended = roles.first_end() => ended?,
            pushed = async { match pushing { Some(push) => push.await, None => std::future::pending().await } } => pushed?,
        }
        anyhow::Ok(())
    }
    .await;
    eprintln!("stopping…");
    process.shutdown.cancel();
    let stopped = roles.stop().await;
    // What this run said of itself is no longer true; a leftover would only mislead.
    let _ = std::fs::remove_file(folder.path("running.json"));
    outside.stop().await?;
    served.and(stopped)
}

impl Config {
    /// Where mail is written to; `None` where a server sends it.
    fn mail_dir(&self, folder: &DataFolder) -> Option<PathBuf> {
        let server = self.smtp_url.as_ref().is_some_and(|url| !url.reveal().is_empty());
        (!server).then(|| folder.path("mail"))
    }

    /// Where encoders push RTMP, `localhost` in either family included.
    fn rtmp_listens(&self) -> Vec<SocketAddr> {
        let mut addresses = vec![self.rtmp_listen];
        if self.rtmp_listen.ip() == Ipv4Addr::LOCALHOST && ipv6_is_on() {
            addresses.push(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), self.rtmp_listen.port()));
        }
        addresses
    }
}

fn ipv6_is_on() -> bool {
    std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Finds out at once, and by name, when an address that people use is taken.
async fn reserve(config: &Config) -> anyhow::Result<Vec<TcpListener>> {
    let mut held = Vec::new();
    let rtmp = config
        .rtmp_listens()
        .into_iter()
        .map(|at| ("HEADWATER_DEV_RTMP_LISTEN", at));
    for (name, address) in rtmp.chain([
        ("HEADWATER_DEV_HTTP_LISTEN", config.http_listen),
        ("HEADWATER_DEV_API_LISTEN", config.api_listen),
    ]) {
        held.push(TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}: is another program using it? Choose another address with {name}")
        })?);
    }
    Ok(held)
}

async fn start_outside(
    config: &Config,
    folder: &DataFolder,
    credentials: &folder::Credentials,
) -> anyhow::Result<Outside> {
    let (postgres, redis) = tokio::try_join!(
        async {
            match &config.database_url {
                Some(_) => Ok(None),
                None => postgres::Postgres::start(
                    &folder.path("postgres"),
                    &folder.path("postgres.log"),
                    free_port().await?,
                    &credentials.postgres_password,
                )
                .await
                .map(Some),
            }
        },
        async {
            match &config.redis_url {
                Some(_) => Ok(None),
                None => redis::Redis::start(
                    &folder.path("redis.log"),
                    free_port().await?,
                    &credentials.redis_password,
                )
                .await
                .map(Some),
            }
        }
    )?;
    let s3_stop = CancellationToken::new();
    let mut store = StoreConfig {
        s3_endpoint: config.s3_endpoint.clone().unwrap_or_default(),
        s3_region: config.s3_region.clone(),
        s3_bucket: config.s3_bucket.clone(),
        s3_access_key: config.s3_access_key.clone(),
        s3_secret_key: config.s3_secret_key.clone(),
        s3_timeout_ms: 10_000,
    };
    if config.s3_endpoint.is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        store.s3_endpoint = format!("http://{}", listener.local_addr()?);
        store.s3_bucket = s3::BUCKET.to_string();
        store.s3_access_key = credentials.s3_access_key.clone();
        store.s3_secret_key = Secret::new(credentials.s3_secret_key.clone());
        s3::serve(
            listener,
            &folder.path("s3"),
            &credentials.s3_access_key,
            &credentials.s3_secret_key,
            s3_stop.clone(),
        )?;
    }
    let url = |own: Option<&str>| own.map(Secret::new);
    Ok(Outside {
        database_url: config
            .database_url
            .clone()
            .or_else(|| url(postgres.as_ref().map(|p| p.url.as_str())))
            .context("there is no database")?,
        redis_url: config
            .redis_url
            .clone()
            .or_else(|| redis.as_ref().map(|r| r.url.clone()))
            .context("there is no Redis")?,
        postgres,
        redis,
        store,
        rpc: RpcConfig::with_secret(credentials.rpc_secret.clone()),
        s3_stop,
    })
}

impl Outside {
    async fn stop(self) -> anyhow::Result<()> {
        self.s3_stop.cancel();
        if let Some(redis) = self.redis {
            redis.stop().await?;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }
}

/// Brings the schema up to date and makes sure that the demo channel exists, and a person who owns it.
async fn prepare(database_url: &Secret, key: &StreamKey, ladder: &str, password: &str) -> anyhow::Result<Demo> {
    let database = Database::open(database_url, 2)?;
    database.migrate().await?;
    let demo = headwater_api::demo::ensure(&database, key, ladder.parse()?).await?;
    headwater_api::demo::ensure_owner(&database, &demo, password).await?;
    database.close().await;
    Ok(demo)
}

async fn wait_until_ready(process: &Process, roles: &roles::Roles) -> anyhow::Result<()> {
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let ready = async {
        loop {
            every.tick().await;
            if process.health.problems().is_empty() {
                return;
            }
        }
    };
    tokio::select! {
        ended = roles.first_end() => {
            ended?;
            bail!("a role stopped while the others were starting")
        }
        () = process.shutdown.cancelled() => bail!("stopped before everything was ready"),
        waited = tokio::time::timeout(READY_LIMIT, ready) => {
            if waited.is_err() {
                let problems = process.health.problems();
                let list: Vec<_> = problems.iter().map(|(part, reason)| format!("{part}: {reason}")).collect();
                bail!("not ready after {} s: {}", READY_LIMIT.as_secs(), list.join("; "));
            }
            Ok(())
        }
    }
}

/// A loopback port that was free a moment ago.
async fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
