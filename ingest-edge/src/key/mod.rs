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

use futures::StreamExt as _;
use headwater_model::proto::api::ingest_client::IngestClient;
use headwater_model::proto::api::{AuthorizeRequest, AuthorizeResponse};
use headwater_model::stream_key::STREAM_KEY_TOPIC;
use headwater_model::{ChannelId, IdError, PlaybackId, StreamKey, StreamKeyId, TenantId};
use headwater_platform::hints::SharedHints;
use headwater_platform::rpc;
use metrics::{counter, histogram};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
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
/// Doubts that a publish may be behind at most; beyond it, it is checked.
const DOUBTS_MAX: usize = 256;
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
    doubts: broadcast::Sender<StreamKeyId>,
}

impl Keys {
    /// Asks the api behind `channel`.
    pub fn new(channel: rpc::Client, lifetimes: Lifetimes) -> Self {
        Self {
            api: IngestClient::new(channel),
            cache: Mutex::new(Cache::new(lifetimes)),
            turns: Mutex::new(Throttle::new(UNKNOWN_KEYS)),
            doubts: broadcast::channel(DOUBTS_MAX).0,
        }
    }

    /// Has every publish of this key checked at once: the api said that something happened to it.
    pub fn doubt(&self, key: StreamKeyId) {
        self.cache().doubt(key, Instant::now());
        // An error only says that nobody publishes.
        let _ = self.doubts.send(key);
    }

    /// Hears of doubts until `stop` fires. Without it, or while Redis is away, a publish is checked at its regular times.
    pub async fn hear(&self, hints: SharedHints, stop: CancellationToken) {
        let mut told = hints.subscribe(STREAM_KEY_TOPIC);
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => return,
                message = told.next() => message,
            };
            match message.as_deref().map(StreamKeyId::parse) {
                Some(Ok(key)) => self.doubt(key),
                Some(Err(error)) => tracing::warn!("a stream key to check was told in words unknown here: {error}"),
                None => return,
            }
        }
    }

    /// The doubts from now on, for one publish.
    pub fn doubts(&self) -> Doubts {
        Doubts(self.doubts.subscribe())
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

/// Doubts about keys, as one publish hears them.
pub struct Doubts(broadcast::Receiver<StreamKeyId>);

impl Doubts {
    /// Returns when `key` is to be checked: after `period`, or as soon as it is in doubt.
    pub async fn due(&mut self, key: StreamKeyId, period: Duration) {
        let doubted = async {
            loop {
                match self.0.recv().await {
                    Ok(doubted) if doubted != key => {}
                    // Too many came at once to hear them all: this key may have been among them.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Either way it is time.
        let _ = tokio::time::timeout(period, doubted).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use headwater_platform::rpc::RpcConfig;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_doubted_key_is_due_at_once_and_others_at_their_time() {
        let api = rpc::client("http://127.0.0.1:9", &RpcConfig::with_secret("s")).expect("an address");
        let lifetimes = Lifetimes {
            fresh: Duration::from_secs(5),
            refused: Duration::from_secs(5),
        };
        let keys = Keys::new(api, lifetimes);
        let (mut one, mut other) = (keys.doubts(), keys.doubts());
        let begun = Instant::now();
        keys.doubt(StreamKeyId::numbered(1));
        one.due(StreamKeyId::numbered(1), Duration::from_secs(15)).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        other.due(StreamKeyId::numbered(2), Duration::from_secs(15)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(15));
        // Whoever could not hear all of them is due as well.
        for _ in 0..=DOUBTS_MAX {
            keys.doubt(StreamKeyId::numbered(3));
        }
        other.due(StreamKeyId::numbered(2), Duration::from_secs(15)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(15));
    }
}
