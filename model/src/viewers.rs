//! How many watch a broadcast, as origins count them in Redis: sets that are only ever counted, one for each stretch of time.

use crate::id::BroadcastId;

/// A stretch, seconds. Whoever asked within this one or the one before watches now.
pub const VIEWERS_STRETCH_S: i64 = 15;

/// The sets of those who watch at this Unix second: of this stretch, and of the one before.
pub fn viewer_sets(broadcast: &BroadcastId, now_s: i64) -> [String; 2] {
    let stretch = now_s.div_euclid(VIEWERS_STRETCH_S);
    [stretch, stretch - 1].map(|stretch| format!("hw:viewers:{broadcast}:{stretch}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_asked_for_in_its_stretch_and_the_next() {
        let id = BroadcastId::numbered(1);
        let [now, before] = viewer_sets(&id, 1_500);
        assert_eq!(viewer_sets(&id, 1_514)[0], now);
        assert_eq!(viewer_sets(&id, 1_515)[1], now);
        assert_eq!(viewer_sets(&id, 1_499)[0], before);
    }
}
