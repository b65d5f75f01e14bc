//! How many watch: whoever asks for media is noted, and told to Redis every few seconds, where the origins' notes come together.
//!
//! A player is known by its network address, its user agent and its token, mixed into 64 bits with the farm's secret. Redis keeps
//! no more of that than it takes to count to within one in a hundred. A broadcast costs 8 bytes and some for each player, for
//! [`TELL_EVERY`].

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_model::BroadcastId;
use headwater_model::viewers::{VIEWERS_STRETCH_S, viewer_sets};
use headwater_platform::clock::WallClock;
use headwater_platform::hints::SharedHints;
use metrics::counter;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::lock;

/// Notes are told this often.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Players of one broadcast that are noted within [`TELL_EVERY`]; further ones are not counted.
const PLAYERS_MAX: usize = 65_536;
/// Broadcasts with notes at a time.
const BROADCASTS_MAX: usize = 4_096;

/// See the [module](self).
pub(crate) struct Viewers {
    seen: Mutex<HashMap<BroadcastId, HashSet<u64>>>,
    /// Fed with the secret.
    base: DefaultHasher,
}

/// What a player is known by.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Player<'r> {
    pub address: Option<IpAddr>,
    pub user_agent: &'r [u8],
    pub token: Option<&'r str>,
}

impl Viewers {
    pub(crate) fn new(secret: &str) -> Arc<Self> {
        let mut base = DefaultHasher::new();
        secret.hash(&mut base);
        Arc::new(Self {
            seen: Mutex::default(),
            base,
        })
    }

    /// A player was given media of a broadcast.
    pub(crate) fn note(&self, broadcast: &str, player: Player<'_>) {
        let Ok(broadcast) = BroadcastId::parse(broadcast) else {
            return;
        };
        let mut hasher = self.base.clone();
        (broadcast, player).hash(&mut hasher);
        let mut seen = lock(&self.seen);
        if seen.len() >= BROADCASTS_MAX && !seen.contains_key(&broadcast) {
            return;
        }
        let players = seen.entry(broadcast).or_default();
        if players.len() < PLAYERS_MAX {
            players.insert(hasher.finish());
        }
    }

    /// What was noted since the last call, as sets of this Unix second.
    fn take(&self, now_s: i64) -> Vec<(String, Vec<u64>)> {
        let seen = std::mem::take(&mut *lock(&self.seen));
        let set = |(broadcast, players): (BroadcastId, HashSet<u64>)| {
            let [now, _] = viewer_sets(&broadcast, now_s);
            (now, players.into_iter().collect())
        };
        seen.into_iter().map(set).collect()
    }

    /// Tells every few seconds, until `stop` fires. Without Redis viewers are not counted, and nothing else changes.
    pub(crate) async fn tell(self: Arc<Self>, hints: SharedHints, clock: WallClock, stop: CancellationToken) {
        let mut every = interval(TELL_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let kept = Duration::from_secs(3 * VIEWERS_STRETCH_S.unsigned_abs());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = every.tick() => {}
            }
            let sets = self.take(clock.unix_ms() / 1_000);
            if !sets.is_empty() && hints.mark(sets, kept).await.is_err() {
                counter!("origin_viewer_notes_lost_total").increment(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_counts_once_wherever_it_asks_and_others_beside_it() {
        let (one, other) = (Viewers::new("secret"), Viewers::new("secret"));
        let id = BroadcastId::numbered(1);
        let player = |last: u8, agent: &'static [u8], token| Player {
            address: Some(IpAddr::from([127, 0, 0, last])),
            user_agent: agent,
            token,
        };
        for _ in 0..100 {
            one.note(id.as_str(), player(1, b"a", None));
            other.note(id.as_str(), player(1, b"a", None));
        }
        one.note("no broadcast", player(1, b"a", None));
        let (here, there) = (one.take(30), other.take(30));
        assert_eq!(here.len(), 1);
        assert_eq!(here[0].1.len(), 1);
        assert_eq!(here, there, "origins of one farm agree");
        for (last, agent, token) in [(1, b"a", None), (2, b"a", None), (1, b"b", None), (1, b"a", Some("t"))] {
            one.note(id.as_str(), player(last, agent, token));
        }
        assert_eq!(one.take(30)[0].1.len(), 4);
        assert!(one.take(30).is_empty());
    }

    #[test]
    fn a_crowd_beyond_the_bound_is_left_out() {
        let viewers = Viewers::new("secret");
        for n in 0..PLAYERS_MAX as u32 + 10 {
            let player = Player {
                address: Some(IpAddr::from(n.to_be_bytes())),
                user_agent: b"a",
                token: None,
            };
            viewers.note(BroadcastId::numbered(1).as_str(), player);
        }
        assert_eq!(viewers.take(0)[0].1.len(), PLAYERS_MAX);
    }
}
