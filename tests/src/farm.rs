//! The control plane in this process, and workers simulated behind the same messages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context as _, bail};
use headwater_model::heartbeat::{Capacity, HEARTBEAT_EVERY_MS, HEARTBEAT_TTL_MS, Heartbeat, Running};
use headwater_model::proto::media::{Codec, Track};
use headwater_model::proto::worker::worker_server::{self, WorkerServer};
use headwater_model::proto::worker::{AssignResponse, Assignment, ReleaseRequest, ReleaseResponse};
use headwater_model::{BroadcastId, WorkerId};
use headwater_platform::hints::{HintsConfig, SharedHints};
use headwater_platform::rpc::{self, RpcConfig};
use headwater_platform::{Process, Secret};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// The farm's shared secret in tests.
pub const RPC_SECRET: &str = "a-secret-for-tests";

/// Longest that a test waits for something that ought to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How processes of a test trust one another.
pub fn rpc_config() -> RpcConfig {
    RpcConfig::with_secret(RPC_SECRET)
}

/// Asks again and again until the answer is `Some`, a few milliseconds apart, at most for [`PATIENCE`].
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let mut every = tokio::time::interval(Duration::from_millis(10));
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

/// A role that runs in this process until it is stopped or dropped.
pub struct Role {
    /// Where its gRPC answers.
    pub url: String,
    /// Where its HTTP answers, if it has any.
    pub http: Option<SocketAddr>,
    /// Its process.
    pub process: Process,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Role {
    /// Stops it and waits for its end.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.shutdown.cancel();
        self.task.await?
    }

    /// Whether it has come to its end by itself.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(self) {
        self.task.abort();
    }
}

/// Starts an api on free ports.
pub async fn api(database_url: &Secret) -> anyhow::Result<Role> {
    api_sealed(database_url, rpc_config(), Vec::new()).await
}

/// As [`api`], with these keys.
pub async fn api_sealed(database_url: &Secret, rpc: RpcConfig, sealing_keys: Vec<Secret>) -> anyhow::Result<Role> {
    let config = headwater_api::Config {
        api_trusted_proxies: Vec::new(),
        oidc: headwater_api::OidcConfig {
            api_oidc_issuer: None,
            api_oidc_client_id: String::new(),
            api_oidc_client_secret: None,
            api_oidc_name: String::new(),
            api_oidc_allow: Vec::new(),
        },
        mail: headwater_api::MailConfig {
            api_smtp_url: None,
            api_mail_dir: None,
            api_mail_from: "Headwater <no-reply@headwater.test>".into(),
        },
        api_listen: "127.0.0.1:0".parse()?,
        api_rpc_listen: "127.0.0.1:0".parse()?,
        database: headwater_api::DatabaseConfig {
            database_url: database_url.clone(),
            api_database_connections: 4,
        },
        api_rate_per_minute: 1_200,
        urls: headwater_api::Urls {
            api_public_url: "http://127.0.0.1:8080".into(),
            api_playback_url: "http://127.0.0.1:8088".into(),
            api_ingest_url: "rtmp://127.0.0.1:1935/live".into(),
        },
        hints: headwater_platform::hints::HintsConfig {
            // Nobody listens here: the api does without hints.
            redis_url: "redis://127.0.0.1:1/0".into(),
        },
        api_webhook_allow: Vec::new(),
        api_sealing_keys: sealing_keys,
        api_asset_undo_s: 86_400,
        store: headwater_platform::store::StoreConfig {
            // Nobody listens here: nothing is deleted.
            s3_endpoint: "http://127.0.0.1:1".into(),
            s3_region: "local".into(),
            s3_bucket: "none".into(),
            s3_access_key: "none".into(),
            s3_secret_key: Secret::new("none"),
            s3_timeout_ms: 1_000,
        },
        rpc,
    };
    let process = Process::new();
    let listeners = headwater_api::Listeners::bind(&config).await?;
    let (http, url) = (
        listeners.http.local_addr()?,
        format!("http://{}", listeners.rpc.local_addr()?),
    );
    let task = tokio::spawn(headwater_api::serve(config, listeners, process.clone()));
    Ok(Role {
        url,
        http: Some(http),
        process,
        task,
    })
}

/// Starts a scheduler on a free port. It may lead or stand by.
pub async fn scheduler(database_url: &Secret, redis_url: &str) -> anyhow::Result<Role> {
    let config = headwater_scheduler::Config {
        scheduler_rpc_listen: "127.0.0.1:0".parse()?,
        database: headwater_scheduler::DatabaseConfig {
            database_url: database_url.clone(),
            scheduler_database_connections: 4,
        },
        hints: HintsConfig {
            redis_url: redis_url.to_owned(),
        },
        rpc: rpc_config(),
    };
    let process = Process::new();
    let listeners = headwater_scheduler::Listeners::bind(&config).await?;
    let url = format!("http://{}", listeners.rpc.local_addr()?);
    let task = tokio::spawn(headwater_scheduler::serve(config, listeners, process.clone()));
    Ok(Role {
        url,
        http: None,
        process,
        task,
    })
}

/// A scheduler that leads.
pub async fn leading_scheduler(database_url: &Secret, redis_url: &str) -> anyhow::Result<Role> {
    let role = scheduler(database_url, redis_url).await?;
    until("a scheduler leads", async || {
        role.process.health.problems().is_empty().then_some(())
    })
    .await?;
    Ok(role)
}

/// What a simulated worker was told, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// To run a broadcast.
    Assign(Assignment),
    /// To let go of one.
    Release(ReleaseRequest),
}

#[derive(Default)]
struct Desk {
    told: Vec<Told>,
    running: BTreeMap<BroadcastId, Running>,
    silent: bool,
}

/// A worker that does as it is told and keeps no media.
pub struct SimWorker {
    /// This run of it.
    pub id: WorkerId,
    /// Where it answers.
    pub url: String,
    desk: Arc<Mutex<Desk>>,
    process: Process,
}

impl SimWorker {
    /// Starts one that beats and answers.
    pub async fn start(redis_url: &str, capacity: Capacity) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let worker = Self {
            id: WorkerId::random(),
            url,
            desk: Arc::default(),
            process: Process::new(),
        };
        let hints = HintsConfig {
            redis_url: redis_url.to_owned(),
        }
        .open()?;
        worker.beat(&hints, capacity).await;
        let (id, url, desk, stop) = (
            worker.id,
            worker.url.clone(),
            worker.desk.clone(),
            worker.process.shutdown.clone(),
        );
        tokio::spawn(async move {
            let beating = Self {
                id,
                url,
                desk,
                process: Process::new(),
            };
            let mut every = tokio::time::interval(Duration::from_millis(HEARTBEAT_EVERY_MS));
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = every.tick() => beating.beat(&hints, capacity).await,
                }
            }
        });
        let routes = Routes::new(WorkerServer::new(Service {
            desk: worker.desk.clone(),
        }));
        let stop = worker.process.shutdown.clone().cancelled_owned();
        tokio::spawn(async move { rpc::serve(listener, routes, &rpc_config(), stop).await });
        Ok(worker)
    }

    async fn beat(&self, hints: &SharedHints, capacity: Capacity) {
        let heartbeat = {
            let desk = lock(&self.desk);
            if desk.silent {
                return;
            }
            Heartbeat {
                worker_id: self.id,
                url: self.url.clone(),
                sent_ms: headwater_platform::clock::WallClock::system().unix_ms(),
                capacity,
                draining: false,
                broadcasts: desk.running.values().copied().collect(),
            }
        };
        // Redis may be the one that is being tested.
        let _ = hints
            .set(
                &heartbeat.key(),
                heartbeat.to_json(),
                Duration::from_millis(HEARTBEAT_TTL_MS),
            )
            .await;
    }

    /// What it was told so far.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.desk).told.clone()
    }

    /// Its assignments of one broadcast so far.
    pub fn assignments(&self, broadcast: BroadcastId) -> Vec<Assignment> {
        let of = |told| match told {
            Told::Assign(assignment) if assignment.broadcast_id == broadcast.as_str() => Some(assignment),
            _ => None,
        };
        self.told().into_iter().filter_map(of).collect()
    }

    /// Waits for an assignment that `wanted` accepts.
    pub async fn assigned(&self, wanted: impl Fn(&Assignment) -> bool) -> anyhow::Result<Assignment> {
        let of = |told| match told {
            Told::Assign(assignment) => Some(assignment),
            Told::Release(_) => None,
        };
        until("an assignment", async || {
            self.told().into_iter().filter_map(of).find(&wanted)
        })
        .await
    }

    /// Waits for a release that `wanted` accepts.
    pub async fn released(&self, wanted: impl Fn(&ReleaseRequest) -> bool) -> anyhow::Result<ReleaseRequest> {
        let of = |told| match told {
            Told::Release(release) => Some(release),
            Told::Assign(_) => None,
        };
        until("a release", async || {
            self.told().into_iter().filter_map(of).find(&wanted)
        })
        .await
    }

    /// Whether its heartbeats are held back.
    pub fn set_silent(&self, silent: bool) {
        lock(&self.desk).silent = silent;
    }

    /// How long it has not reached the edge of what it runs, milliseconds.
    pub fn set_link_down_ms(&self, ms: u64) {
        lock(&self.desk)
            .running
            .values_mut()
            .for_each(|running| running.link_down_ms = ms);
    }

    /// Ends it: no answer, no heartbeat.
    pub fn kill(&self) {
        self.process.shutdown.cancel();
        self.set_silent(true);
    }
}

impl Drop for SimWorker {
    fn drop(&mut self) {
        self.process.shutdown.cancel();
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct Service {
    desk: Arc<Mutex<Desk>>,
}

#[tonic::async_trait]
impl worker_server::Worker for Service {
    async fn assign(&self, request: Request<Assignment>) -> Result<Response<AssignResponse>, Status> {
        let assignment = request.into_inner();
        let broadcast_id = BroadcastId::parse(&assignment.broadcast_id)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut desk = lock(&self.desk);
        let held = desk.running.get(&broadcast_id).map_or(0, |running| running.generation);
        if assignment.generation < held {
            return Err(Status::aborted("a newer generation runs here"));
        }
        desk.running.insert(
            broadcast_id,
            Running {
                broadcast_id,
                generation: assignment.generation,
                link_down_ms: 0,
                encode_px_per_s: 0,
            },
        );
        desk.told.push(Told::Assign(assignment));
        Ok(Response::new(AssignResponse {}))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let release = request.into_inner();
        let mut desk = lock(&self.desk);
        desk.running
            .retain(|id, running| id.as_str() != release.broadcast_id || running.generation != release.generation);
        desk.told.push(Told::Release(release));
        Ok(Response::new(ReleaseResponse {}))
    }
}

/// H.264 of 1280x720 at 30 frames per second, High profile, as x264 writes its configuration.
pub fn video_track() -> Track {
    const AVCC: &[u8] = b"\x01\x64\x00\x1f\xff\xe1\x00\x1a\x67\x64\x00\x1f\xac\xd9\x40\x50\x05\xbb\x01\x10\x00\x00\
        \x03\x00\x10\x00\x00\x03\x03\xc0\xf1\x83\x19\x60\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
    Track {
        id: 0,
        codec: Codec::H264.into(),
        timescale: 90_000,
        config: AVCC.into(),
        language: String::new(),
    }
}

/// AAC-LC, 48 kHz, stereo.
pub fn audio_track() -> Track {
    let config = b"\x11\x90".as_slice().into();
    Track {
        id: 128,
        codec: Codec::Aac.into(),
        timescale: 48_000,
        config,
        language: String::new(),
    }
}

/// Fails unless `status` is an error of this code whose sentence holds `words`.
pub fn assert_refused<T>(answer: Result<T, Status>, code: tonic::Code, words: &str) -> anyhow::Result<()> {
    match answer {
        Err(status) if status.code() == code && status.message().contains(words) => Ok(()),
        Err(status) => bail!("refused with {:?} {:?}", status.code(), status.message()),
        Ok(_) => bail!("not refused"),
    }
}
