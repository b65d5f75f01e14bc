//! May this key publish? Asks the api, remembers the answer, and goes on with it while the api is away.
//!
//! A grant is used for [`Lifetimes::fresh`] without asking and, when the api does not answer, for as long as the
//! grant itself says. A refusal is repeated for [`Lifetimes::refused`]. Keys that nothing is known of cost their
//! address a turn, given back when the key is good: an address that guesses waits, then is refused unasked, while
//! known keys and other addresses go on as ever.

mod cache;
mod throttle;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_model::proto::api::ingest_client::IngestClient;
use headwater_model::proto::api::{AuthorizeRequest, AuthorizeResponse};
use headwater_model::{ChannelId, IdError, PlaybackId, StreamKey, StreamKeyId, TenantId};
use headwater_platform::rpc;
use metrics::{counter, histogram};
use tokio::time::Instant;
use tonic::Code;

pub use cache::{Cache, KeyHash, Lifetimes, Recall, hash};
pub use throttle::{Rate, Throttle};

/// The api has this long to answer.
const API_TIMEOUT: Duration = Duration::from_secs(2);
/// Unknown keys of one address: this many at once, then one per interval.
const UNKNOWN_KEYS: Rate = Rate {
    burst: 20,
    interval: Duration::from_millis(200),
};
/// An address that is out of turns waits this long at most.
const TURN_WAIT_MAX: Duration = Duration::from_secs(2);

/// What a key's publisher may do, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The paying account.
    pub tenant_id: TenantId,
    /// The lasting address it publishes to.
    pub channel_id: ChannelId,
    /// Which of the channel's keys.
    pub stream_key_id: StreamKeyId,
    /// What viewers ask for.
    pub playback_id: PlaybackId,
    /// How long a publisher that dropped may take to come back.
    pub reconnect_window: Duration,
    /// How long this answer may be used while the api is away.
    pub cache_ttl: Duration,
    /// Bits per second over ten seconds; `None`: the edge's own limit.
    pub bitrate_max_bps: Option<u64>,
}

impl TryFrom<AuthorizeResponse> for Grant {
    type Error = IdError;

    fn try_from(said: AuthorizeResponse) -> Result<Self, IdError> {
        Ok(Self {
            tenant_id: said.tenant_id.parse()?,
            channel_id: said.channel_id.parse()?,
            stream_key_id: said.stream_key_id.parse()?,
            playback_id: said.playback_id.parse()?,
            reconnect_window: Duration::from_secs(said.reconnect_window_s.into()),
            cache_ttl: Duration::from_secs(said.cache_ttl_s.into()),
            bitrate_max_bps: (said.bitrate_max_bps > 0).then_some(said.bitrate_max_bps),
        })
    }
}

/// Why a key may not publish. `Display` is for the streamer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not even shaped like a key.
    #[error("This is not a stream key. Copy the whole key from the channel's page, without spaces, and try again.")]
    Malformed,
    /// The api does not know the key, or no longer.
    #[error("{0}")]
    Unknown(String),
    /// The key is right, its owner may not publish.
    #[error("{0}")]
    NotAllowed(String),
    /// The address has sent too many wrong keys.
    #[error("Too many wrong stream keys came from your network address. Wait a minute, check the key, and try again.")]
    Busy,
    /// The api does not answer and the key is not known here.
    #[error("The stream key cannot be checked right now. Try again in a moment.")]
    Unchecked,
}

/// See the [module](self).
pub struct Keys {
    api: IngestClient<rpc::Client>,
    cache: Mutex<Cache>,
    turns: Mutex<Throttle>,
}

impl Keys {
    /// Asks the api behind `channel`.
    pub fn new(channel: rpc::Client, lifetimes: Lifetimes) -> Self {
        Self {
            api: IngestClient::new(channel),
            cache: Mutex::new(Cache::new(lifetimes)),
            turns: Mutex::new(Throttle::new(UNKNOWN_KEYS)),
        }
    }

    /// Whether `key`, sent from `peer`, may publish. Takes at most about four seconds.
    pub async fn authorise(&self, key: &str, protocol: &'static str, peer: IpAddr) -> Result<Arc<Grant>, Refused> {
        let key = StreamKey::parse(key).map_err(|_| Refused::Malformed)?;
        let hash = hash(&key);
        let recalled = self.cache().recall(&hash, Instant::now());
        match recalled {
            Recall::Fresh(grant) => Ok(grant),
            Recall::Refused(refused) => Err(refused),
            Recall::Stale(grant) => match self.ask(&key, hash, protocol, peer).await {
                Err(Refused::Unchecked) => {
                    counter!("ingest_keys_used_stale_total").increment(1);
                    Ok(grant)
                }
                answer => answer,
            },
            Recall::Unknown => {
                let Some(wait) = lock(&self.turns).charge(peer, Instant::now(), TURN_WAIT_MAX) else {
                    counter!("ingest_keys_throttled_total").increment(1);
                    return Err(Refused::Busy);
                };
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                let answer = self.ask(&key, hash, protocol, peer).await;
                if answer.is_ok() {
                    lock(&self.turns).refund(peer);
                }
                answer
            }
        }
    }

    async fn ask(
        &self,
        key: &StreamKey,
        hash: KeyHash,
        protocol: &'static str,
        peer: IpAddr,
    ) -> Result<Arc<Grant>, Refused> {
        let mut request = tonic::Request::new(AuthorizeRequest {
            stream_key: key.expose().to_owned(),
            protocol: protocol.to_owned(),
            peer_address: peer.to_string(),
        });
        request.set_timeout(API_TIMEOUT);
        let begun = Instant::now();
        let asked = tokio::time::timeout(API_TIMEOUT, self.api.clone().authorize(request)).await;
        histogram!("ingest_authorise_seconds").record(begun.elapsed());
        let refused = match asked {
            Ok(Ok(said)) => {
                let grant = match Grant::try_from(said.into_inner()) {
                    Ok(grant) => Arc::new(grant),
                    Err(error) => {
                        tracing::error!("the api granted a stream key with a malformed answer: {error}");
                        return Err(Refused::Unchecked);
                    }
                };
                self.cache().granted(hash, grant.clone(), Instant::now());
                return Ok(grant);
            }
            // The farm's own secret was refused, which says nothing about the key.
            Ok(Err(status)) if status.message().contains("HEADWATER_RPC_SECRET") => {
                tracing::error!("the api refuses this edge: {}", status.message());
                return Err(Refused::Unchecked);
            }
            Ok(Err(status)) => match status.code() {
                Code::Unauthenticated => Refused::Unknown(status.message().to_owned()),
                Code::PermissionDenied => Refused::NotAllowed(status.message().to_owned()),
                code => {
                    tracing::warn!("the api could not check a stream key ({code:?}): {}", status.message());
                    return Err(Refused::Unchecked);
                }
            },
            Err(_) => {
                tracing::warn!("the api did not check a stream key within {} s", API_TIMEOUT.as_secs());
                return Err(Refused::Unchecked);
            }
        };
        self.cache().refused(hash, refused.clone(), Instant::now());
        Err(refused)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
