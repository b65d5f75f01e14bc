//! What the api last said of a key, by the key's hash. Time comes in as an argument.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_model::{StreamKey, StreamKeyId};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{Grant, Refused};

/// Keys remembered at a time, good and bad apart; about 300 bytes each.
const KEYS_MAX: usize = 16_384;

/// SHA-256 of a stream key: the only form in which the edge remembers one.
pub type KeyHash = [u8; 32];

/// Hashes a key.
pub fn hash(key: &StreamKey) -> KeyHash {
    Sha256::digest(key.expose().as_bytes()).into()
}

/// How long answers count.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A good answer is used without asking again.
    pub fresh: Duration,
    /// A bad answer is repeated without asking again.
    pub refused: Duration,
}

#[derive(Debug)]
struct Known {
    grant: Arc<Grant>,
    fresh_until: Instant,
    stale_until: Instant,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Cache {
    lifetimes: Lifetimes,
    known: HashMap<KeyHash, Known>,
    refused: HashMap<KeyHash, (Refused, Instant)>,
}

/// What the cache knows.
#[derive(Clone, Debug)]
pub enum Recall {
    /// Good, and asked a moment ago.
    Fresh(Arc<Grant>),
    /// Good when last asked: ask again, and use this when the api does not answer.
    Stale(Arc<Grant>),
    /// Bad, and asked a moment ago.
    Refused(Refused),
    /// Nothing.
    Unknown,
}

impl Cache {
    /// An empty cache.
    pub fn new(lifetimes: Lifetimes) -> Self {
        Self {
            lifetimes,
            known: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// What is known of a key.
    pub fn recall(&self, key: &KeyHash, now: Instant) -> Recall {
        if let Some(known) = self.known.get(key).filter(|k| now < k.stale_until) {
            let grant = known.grant.clone();
            return if now < known.fresh_until {
                Recall::Fresh(grant)
            } else {
                Recall::Stale(grant)
            };
        }
        match self.refused.get(key).filter(|(_, until)| now < *until) {
            Some((refused, _)) => Recall::Refused(refused.clone()),
            None => Recall::Unknown,
        }
    }

    /// The api says yes.
    pub fn granted(&mut self, key: KeyHash, grant: Arc<Grant>, now: Instant) {
        self.refused.remove(&key);
        let stale_until = now + grant.cache_ttl.max(self.lifetimes.fresh);
        make_room(&mut self.known, now, |k| k.stale_until);
        self.known.insert(
            key,
            Known {
                grant,
                fresh_until: now + self.lifetimes.fresh,
                stale_until,
            },
        );
    }

    /// Something may have happened to this key: the api is asked the next time.
    pub fn doubt(&mut self, key: StreamKeyId, now: Instant) {
        for known in self.known.values_mut().filter(|k| k.grant.stream_key_id == key) {
            known.fresh_until = now;
        }
    }

    /// The api says no.
    pub fn refused(&mut self, key: KeyHash, refused: Refused, now: Instant) {
        self.known.remove(&key);
        make_room(&mut self.refused, now, |(_, until)| *until);
        self.refused.insert(key, (refused, now + self.lifetimes.refused));
    }
}

/// At the bound: what has expired goes, else what would expire first.
fn make_room<V>(map: &mut HashMap<KeyHash, V>, now: Instant, until: impl Fn(&V) -> Instant) {
    if map.len() < KEYS_MAX {
        return;
    }
    map.retain(|_, v| until(v) > now);
    while map.len() >= KEYS_MAX {
        let Some(first) = map.iter().min_by_key(|(_, v)| until(v)).map(|(k, _)| *k) else {
            return;
        };
        map.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use headwater_model::{ChannelId, PlaybackId, TenantId};

    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        fresh: Duration::from_secs(5),
        refused: Duration::from_secs(3),
    };

    fn grant() -> Arc<Grant> {
        Arc::new(Grant {
            tenant_id: TenantId::numbered(1),
            channel_id: ChannelId::numbered(1),
            stream_key_id: StreamKeyId::numbered(1),
            playback_id: PlaybackId::numbered(1),
            reconnect_window: Duration::from_secs(60),
            cache_ttl: Duration::from_secs(60),
            bitrate_max_bps: None,
        })
    }

    #[test]
    fn a_grant_is_fresh_then_stale_then_forgotten() {
        let (mut cache, key, now) = (Cache::new(LIFETIMES), [1; 32], Instant::now());
        cache.granted(key, grant(), now);
        let at = |s| cache.recall(&key, now + Duration::from_secs(s));
        assert!(matches!(at(4), Recall::Fresh(_)));
        assert!(matches!(at(5), Recall::Stale(_)));
        assert!(matches!(at(59), Recall::Stale(_)));
        assert!(matches!(at(60), Recall::Unknown));
    }

    #[test]
    fn a_doubted_grant_is_stale_and_others_stay_fresh() {
        let (mut cache, key, now) = (Cache::new(LIFETIMES), [1; 32], Instant::now());
        cache.granted(key, grant(), now);
        cache.doubt(StreamKeyId::numbered(2), now);
        assert!(matches!(cache.recall(&key, now), Recall::Fresh(_)));
        cache.doubt(StreamKeyId::numbered(1), now);
        assert!(matches!(cache.recall(&key, now), Recall::Stale(_)));
    }

    #[test]
    fn a_refusal_replaces_a_grant_and_passes_soon() {
        let (mut cache, key, now) = (Cache::new(LIFETIMES), [1; 32], Instant::now());
        cache.granted(key, grant(), now);
        cache.refused(key, Refused::Unknown("no".into()), now);
        assert!(matches!(cache.recall(&key, now), Recall::Refused(_)));
        assert!(matches!(
            cache.recall(&key, now + Duration::from_secs(3)),
            Recall::Unknown
        ));
    }

    #[test]
    fn the_cache_is_bounded_and_forgets_the_oldest_first() {
        let (mut cache, now) = (Cache::new(LIFETIMES), Instant::now());
        let key = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            key
        };
        for n in 0..KEYS_MAX + 1 {
            cache.refused(key(n), Refused::Busy, now + Duration::from_micros(n as u64));
        }
        assert_eq!(cache.refused.len(), KEYS_MAX);
        assert!(matches!(cache.recall(&key(0), now), Recall::Unknown));
        assert!(matches!(cache.recall(&key(1), now), Recall::Refused(_)));
    }
}
