//! Dialling workers: each call bounded in time, each thing said once at a time, the outcome handed back to the loop.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use headwater_model::proto::worker::worker_client::WorkerClient;
use headwater_model::proto::worker::{Assignment, ReleaseRequest};
use headwater_model::{BroadcastId, WorkerId};
use headwater_platform::rpc::{self, RpcConfig};
use tokio::task::JoinSet;
use tonic::{Request, Status};

use crate::plan::Timestamp;

/// Longest that a worker may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Calls under way at once; what does not fit is said at the next look.
const CALLS_MAX: usize = 256;
/// The same release is not repeated within this time, milliseconds.
const RELEASE_AGAIN_AFTER_MS: i64 = 5_000;
/// Connections kept to workers; when there are more, all are closed and made anew as needed.
const CLIENTS_MAX: usize = 4_096;

/// What is said, of which lease, to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) broadcast: BroadcastId,
    pub(crate) generation: u64,
    pub(crate) worker: WorkerId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Assign,
    Release { finish: bool },
}

/// How a call ended.
pub(crate) struct Outcome {
    pub(crate) call: Call,
    /// The edge that an assignment named.
    pub(crate) edge_url: String,
    pub(crate) result: Result<(), Status>,
}

impl Outcome {
    /// Whether the worker was not there at all, as opposed to saying no.
    pub(crate) fn unreachable(&self) -> bool {
        let code = self.result.as_ref().err().map(Status::code);
        matches!(
            code,
            Some(
                tonic::Code::Unavailable
                    | tonic::Code::DeadlineExceeded
                    | tonic::Code::Cancelled
                    | tonic::Code::Unknown
            )
        )
    }
}

/// Calls under way. Dropping it abandons them.
pub(crate) struct Dialler {
    config: RpcConfig,
    clients: HashMap<String, WorkerClient<rpc::Client>>,
    under_way: JoinSet<Outcome>,
    /// When each call was begun; assignments leave with their outcome, releases stay to be paced.
    begun: BTreeMap<Call, Timestamp>,
}

impl Dialler {
    pub(crate) fn new(config: RpcConfig) -> Self {
        Self {
            config,
            clients: HashMap::new(),
            under_way: JoinSet::new(),
            begun: BTreeMap::new(),
        }
    }

    /// Begins an assignment unless the same one is under way.
    pub(crate) fn assign(
        &mut self,
        worker: WorkerId,
        url: &str,
        assignment: Assignment,
        broadcast: BroadcastId,
        now: Timestamp,
    ) {
        let call = Call {
            kind: Kind::Assign,
            broadcast,
            generation: assignment.generation,
            worker,
        };
        let Some(mut client) = self.begin(call, url, now) else {
            return;
        };
        self.under_way.spawn(async move {
            let edge_url = assignment.edge_url.clone();
            let result = bounded(client.assign(limited(assignment))).await;
            Outcome { call, edge_url, result }
        });
    }

    /// Begins a release unless the same one was begun a moment ago.
    pub(crate) fn release(
        &mut self,
        worker: WorkerId,
        url: &str,
        broadcast: BroadcastId,
        generation: u64,
        finish: bool,
        now: Timestamp,
    ) {
        let call = Call {
            kind: Kind::Release { finish },
            broadcast,
            generation,
            worker,
        };
        let Some(mut client) = self.begin(call, url, now) else {
            return;
        };
        let request = ReleaseRequest {
            broadcast_id: broadcast.into(),
            generation,
            finish,
        };
        self.under_way.spawn(async move {
            let result = bounded(client.release(limited(request))).await;
            Outcome {
                call,
                edge_url: String::new(),
                result,
            }
        });
    }

    fn begin(&mut self, call: Call, url: &str, now: Timestamp) -> Option<WorkerClient<rpc::Client>> {
        self.begun
            .retain(|begun, at| begun.kind == Kind::Assign || now.ms_since(*at) < RELEASE_AGAIN_AFTER_MS);
        if self.begun.contains_key(&call) || self.under_way.len() >= CALLS_MAX {
            return None;
        }
        let client = match self.clients.get(url) {
            Some(client) => client.clone(),
            None => {
                let channel = rpc::client(url, &self.config)
                    .inspect_err(
                        |error| tracing::warn!(worker.id = %call.worker, "cannot dial {}: {error:#}", call.worker),
                    )
                    .ok()?;
                if self.clients.len() >= CLIENTS_MAX {
                    self.clients.clear();
                }
                let client = WorkerClient::new(channel);
                self.clients.insert(url.to_owned(), client.clone());
                client
            }
        };
        self.begun.insert(call, now);
        Some(client)
    }

    /// The next call that ends; waits for ever while none is under way. Cancel safe.
    pub(crate) async fn next(&mut self) -> Outcome {
        loop {
            match self.under_way.join_next().await {
                Some(Ok(outcome)) => {
                    if outcome.call.kind == Kind::Assign {
                        self.begun.remove(&outcome.call);
                    }
                    return outcome;
                }
                Some(Err(error)) => tracing::error!("a call to a worker ended badly: {error}"),
                None => std::future::pending().await,
            }
        }
    }
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

async fn bounded<T>(call: impl Future<Output = Result<T, Status>>) -> Result<(), Status> {
    // The worker is told of the limit too; this one also covers a connection that does not come about.
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(result) => result.map(|_| ()),
        Err(_) => Err(Status::deadline_exceeded("the worker did not answer in time")),
    }
}
