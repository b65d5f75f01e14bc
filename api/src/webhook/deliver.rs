//! Sending: every api process takes endpoints whose queue is due, and works on each alone.
//!
//! A process claims an endpoint for [`CLAIM`] and says so in PostgreSQL; others skip it. It sends a few deliveries at a
//! time, writes down what became of them, and lets go when nothing more is due. A process that vanishes loses its claims
//! when they run out, and what it may have sent is sent again. An endpoint that fails waits longer from delivery to delivery,
//! alone: it holds one of [`ENDPOINTS_AT_ONCE_MAX`] places for the length of one attempt, and then none.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::future::join_all;
use headwater_model::{TenantId, WebhookEndpointId};
use rand::Rng as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue::{Claimed, Due, Endpoint};
use super::send::{self, Message, Outcome};
use super::signature;
use crate::database::{Database, DatabaseError, id};
use crate::op::Services;
use crate::outbound::Outbound;
use crate::seal::Seals;

/// Endpoints that one process works on at once.
pub const ENDPOINTS_AT_ONCE_MAX: usize = 64;
/// Deliveries to one endpoint in flight at once.
const PER_ENDPOINT_MAX: i64 = 4;
/// How long a process may hold an endpoint without a sign of life.
pub(super) const CLAIM: Duration = Duration::from_secs(90);
/// How long a process works on one endpoint before it lets others come first.
const TURN: Duration = Duration::from_secs(30);
/// How often the queues are looked at where nobody says that something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Failures in a row from which on the whole endpoint pauses.
pub(super) const FAILURES_FREE: i32 = 3;

/// How long things take; tests shorten them.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Waits between the attempts of one delivery; after the last, it has failed.
    pub waits: Vec<Duration>,
    /// One attempt, from resolving the name to the end of the answer.
    pub attempt: Duration,
    /// First and longest pause of an endpoint that fails several times in a row; each is twice the one before.
    pub pause: (Duration, Duration),
    /// An endpoint without any success for so long is disabled.
    pub dead_after: Duration,
    /// Certificate authorities that are trusted beside the machine's own.
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Default for Rules {
    /// Ten attempts over 75 hours and a half; five days to come back.
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let mut waits: Vec<_> = [5, 300, 1_800].into_iter().map(Duration::from_secs).collect();
        waits.extend([2, 5, 10, 14, 20, 24].map(hours));
        Self {
            waits,
            attempt: Duration::from_secs(15),
            pause: (Duration::from_secs(5), Duration::from_secs(300)),
            dead_after: hours(120),
            authorities: Vec::new(),
        }
    }
}

/// Sends what is due; any number of processes do.
pub struct Deliverer {
    shared: Arc<Shared>,
    due: Arc<Notify>,
}

/// What the tasks of one process share.
pub(super) struct Shared {
    pub(super) database: Database,
    seals: Seals,
    outbound: Outbound,
    pub(super) rules: Rules,
    /// This process, as claims name it.
    pub(super) name: String,
    stop: CancellationToken,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Delivered,
    Again(Duration),
    Failed,
}

impl Deliverer {
    /// Works with `services` until `stop` fires.
    pub fn new(services: &Services, rules: Rules, stop: CancellationToken) -> Self {
        let outbound = Outbound::new(services.webhooks.clone(), rules.authorities.clone());
        Self {
            shared: Arc::new(Shared {
                database: services.database.clone(),
                seals: services.seals.clone(),
                outbound,
                rules,
                name: crate::secret::hex(&rand::rng().random::<[u8; 8]>()),
                stop,
            }),
            due: services.changes.due(),
        }
    }

    /// Sends whatever is due.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(ENDPOINTS_AT_ONCE_MAX));
        let (tasks, stop) = (TaskTracker::new(), self.shared.stop.clone());
        loop {
            let heard = self.due.notified();
            let claimed = match places.clone().acquire_owned().await {
                Ok(place) => self.take(place, &tasks).await,
                Err(_) => break,
            };
            if claimed && !stop.is_cancelled() {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = heard => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Takes one endpoint, if any is due.
    async fn take(&self, place: OwnedSemaphorePermit, tasks: &TaskTracker) -> bool {
        match self.shared.claim().await {
            Ok(Some(claimed)) => {
                let shared = self.shared.clone();
                tasks.spawn(async move {
                    shared.hold(claimed).await;
                    drop(place);
                });
                true
            }
            Ok(None) => false,
            Err(DatabaseError(error)) => {
                tracing::debug!("webhooks wait: {error}");
                false
            }
        }
    }
}

impl Shared {
    /// Works on an endpoint for a turn.
    async fn hold(&self, claimed: Claimed) {
        let ids = (id(claimed.tenant_id.parse()), id(claimed.webhook_endpoint_id.parse()));
        let (Ok(tenant), Ok(endpoint)) = ids else {
            tracing::error!(
                "the queue of webhook endpoint {} cannot be read",
                claimed.webhook_endpoint_id
            );
            return;
        };
        if let Err(DatabaseError(error)) = self.turn(tenant, endpoint, claimed.failures).await {
            tracing::warn!(tenant.id = %tenant, "deliveries to {endpoint} wait: {error}");
        }
        if let Err(DatabaseError(error)) = self.let_go(tenant, endpoint).await {
            tracing::debug!(tenant.id = %tenant, "{endpoint} stays claimed until its time is over: {error}");
        }
    }

    async fn turn(
        &self,
        tenant: TenantId,
        endpoint: WebhookEndpointId,
        mut failures: i32,
    ) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        while begun.elapsed() < TURN && !self.stop.is_cancelled() {
            // An endpoint that keeps failing is tried with one delivery, not with four.
            let many = if failures >= FAILURES_FREE { 1 } else { PER_ENDPOINT_MAX };
            let Some((to, due)) = self.read(tenant, endpoint, many).await? else {
                return Ok(());
            };
            if due.is_empty() {
                return Ok(());
            }
            let Some(secrets) = self.secrets(endpoint, &to) else {
                tracing::error!(tenant.id = %tenant, "the secret of {endpoint} does not open with HEADWATER_API_SEALING_KEYS");
                return Ok(());
            };
            let sending = join_all(due.iter().map(|delivery| self.attempt(&to.url, &secrets, delivery)));
            let outcomes = tokio::select! {
                outcomes = sending => outcomes,
                () = self.stop.cancelled() => return Ok(()),
            };
            let attempts: Vec<_> = due.iter().zip(&outcomes).collect();
            match self.write(tenant, endpoint, &attempts).await? {
                Some(now) => failures = now,
                None => return Ok(()),
            }
            if failures >= FAILURES_FREE {
                return Ok(());
            }
        }
        Ok(())
    }

    fn secrets(&self, endpoint: WebhookEndpointId, to: &Endpoint) -> Option<Vec<String>> {
        let open = |sealed: &Vec<u8>| String::from_utf8(self.seals.open(endpoint.as_str(), sealed)?).ok();
        std::iter::once(&to.secret).chain(&to.old_secret).map(open).collect()
    }

    async fn attempt(&self, url: &str, secrets: &[String], delivery: &Due) -> Outcome {
        let (body, timestamp_s) = (delivery.event.body(), Utc::now().timestamp());
        let message = Message {
            id: delivery.event.event_id.clone(),
            timestamp_s,
            signature: signature::sign(secrets, &delivery.event.event_id, timestamp_s, body.as_bytes()),
            body: body.into(),
        };
        let outcome = send::post(&self.outbound, url, message, self.rules.attempt).await;
        let told = if outcome.delivered() { "delivered" } else { "failed" };
        metrics::counter!("api_webhook_attempts_total", "outcome" => told).increment(1);
        metrics::histogram!("api_webhook_attempt_seconds").record(outcome.took);
        outcome
    }

    pub(super) fn next(&self, attempts: i32, outcome: &Outcome) -> Next {
        if outcome.delivered() {
            return Next::Delivered;
        }
        match usize::try_from(attempts)
            .ok()
            .and_then(|done| self.rules.waits.get(done))
        {
            // A tenth more or less, so that what failed together does not come back together.
            Some(wait) => {
                let wait = wait.mul_f64(rand::rng().random_range(0.9..=1.1));
                Next::Again(outcome.retry_after.map_or(wait, |asked| asked.max(wait)))
            }
            None => Next::Failed,
        }
    }
}
