//! When encoded renditions fall behind, and which of them to go without.
//!
//! A machine that cannot encode all that it was given falls behind by a little more every second. Nothing is lost by that,
//! but live viewers of those renditions wait. What they are served best by is stated in `docs/decisions/0013`: the costliest
//! encoded rungs go, as many as it takes, and the cheapest, which everybody can play, stays to the last.

use std::time::{Duration, Instant};

use headwater_media::segmenter::LatencyMode;

/// Thousandths of real time at which what is behind counts as catching up.
const CATCHING_UP_MILLI: i64 = 1_100;
/// Hundredths of what the machine has shown to manage that the remaining rungs may ask for, so that they catch up.
const MANAGED_PERCENT: u64 = 80;

/// Most by which the newest media out of the codecs may lie behind the newest media from the edge, 1/90000 s: a target
/// duration, the longest that a live playlist may stand still. Of this the codecs hold up to half a second at low latency
/// and one and a half at standard latency when nothing is wrong.
pub(super) fn lag_max_90k(latency: LatencyMode) -> i64 {
    i64::from(latency.target_duration_s()) * 90_000
}

/// For how long it has to lie further behind before rungs are left out.
pub(super) fn lag_hold(latency: LatencyMode) -> Duration {
    Duration::from_secs(u64::from(latency.target_duration_s()))
}

/// Follows how far encoding lies behind.
#[derive(Debug, Default)]
pub(super) struct Lagging {
    /// Since when it has lain too far behind, and what had been encoded then.
    since: Option<(Instant, i64)>,
}

impl Lagging {
    /// One look: `taken_90k` came from the edge and `given_90k` out of the codecs so far. Says at how many thousandths of
    /// real time encoding goes where it has been too far behind for too long, and is not catching up.
    pub(super) fn look(&mut self, now: Instant, taken_90k: i64, given_90k: i64, latency: LatencyMode) -> Option<i64> {
        if taken_90k.saturating_sub(given_90k) <= lag_max_90k(latency) {
            self.since = None;
            return None;
        }
        let (since, before_90k) = *self.since.get_or_insert((now, given_90k));
        let lasted = now.saturating_duration_since(since);
        if lasted < lag_hold(latency) {
            return None;
        }
        self.since = Some((now, given_90k));
        let media_ms = given_90k.saturating_sub(before_90k).max(0) / 90;
        let speed_milli = media_ms.saturating_mul(1_000) / i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX).max(1);
        (speed_milli < CATCHING_UP_MILLI).then_some(speed_milli)
    }
}

/// Which of the encoded rungs to go without, each with the pixels per second that it costs, while encoding all of them goes
/// at `speed_milli` thousandths of real time. `watchable` says that there is a picture without any of them.
///
/// From the costliest down as many as it takes, by what was measured, for the rest to catch up, but at least one. The
/// cheapest stays as long as there is another one to leave out, and for good where it is all the picture there is.
pub(super) fn shed(rungs: &[(&str, u64)], speed_milli: i64, watchable: bool) -> Vec<String> {
    let mut rungs = rungs.to_vec();
    rungs.sort_by_key(|(_, px_per_s)| std::cmp::Reverse(*px_per_s));
    let kept_min = usize::from(rungs.len() > 1 || !watchable);
    let mut rest: u64 = rungs.iter().map(|(_, px_per_s)| px_per_s).sum();
    let speed_milli = u64::try_from(speed_milli).unwrap_or(0);
    let managed =
        u64::try_from(u128::from(rest) * u128::from(speed_milli * MANAGED_PERCENT) / 100_000).unwrap_or(u64::MAX);
    let may_go = rungs.len().saturating_sub(kept_min);
    let mut gone = Vec::new();
    for (name, px_per_s) in &rungs[..may_go] {
        if !gone.is_empty() && rest <= managed {
            break;
        }
        gone.push((*name).to_owned());
        rest -= px_per_s;
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said over `seconds` of looks, four a second, of encoding that starts `behind_s` behind and goes at `speed`.
    fn said(latency: LatencyMode, behind_s: f64, speed: f64, seconds: u32) -> Vec<(u32, i64)> {
        let (mut lagging, start) = (Lagging::default(), Instant::now());
        let looks = (0..seconds * 4).filter_map(|look| {
            let at_s = f64::from(look) / 4.0;
            let taken = (at_s + behind_s) * 90_000.0;
            let given = (at_s * speed * 90_000.0).min(taken);
            let now = start + Duration::from_millis(u64::from(look) * 250);
            let speed = lagging.look(now, taken as i64, given as i64, latency)?;
            Some((look / 4, speed))
        });
        looks.collect()
    }

    #[test]
    fn too_far_behind_for_too_long() {
        let (low, standard) = (LatencyMode::Low, LatencyMode::Standard);
        assert_eq!(said(low, 1.5, 1.0, 60), [], "what codecs hold");
        assert_eq!(
            said(low, 0.0, 0.5, 13),
            [(12, 500)],
            "four seconds behind after eight, for four"
        );
        assert_eq!(said(low, 0.0, 0.5, 17), [(12, 500), (16, 500)], "and again");
        assert_eq!(said(low, 0.0, 0.0, 9), [(8, 0)], "a child that stands still");
        assert_eq!(said(low, 30.0, 1.5, 60), [], "it catches up by itself");
        assert_eq!(
            said(low, 30.0, 1.0, 5),
            [(4, 1_000)],
            "it keeps pace but does not catch up"
        );
        assert_eq!(said(standard, 6.0, 1.0, 60), []);
        assert_eq!(said(standard, 0.0, 0.5, 30), [(24, 500)]);
    }

    #[test]
    fn the_costliest_go_first_and_the_cheapest_stays() {
        let ladder = [("360p", 7), ("720p", 28), ("480p", 12)];
        assert_eq!(shed(&ladder, 900, true), ["720p"], "at least one");
        assert_eq!(shed(&ladder, 600, true), ["720p"]);
        assert_eq!(shed(&ladder, 400, true), ["720p", "480p"], "as many as it takes");
        assert_eq!(shed(&ladder, 0, true), ["720p", "480p"], "never all at once");
        assert_eq!(shed(&ladder[..1], 900, true), ["360p"], "the source is there");
        assert!(shed(&ladder[..1], 100, false).is_empty(), "all the picture there is");
        assert!(shed(&[], 100, true).is_empty());
    }
}
