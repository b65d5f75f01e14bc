//! How often a caller may ask. Counted in Redis for all api processes together; while Redis is away each counts alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headwater_platform::hints::{Hints as _, MemoryHints, SharedHints};

use crate::problem::{Answer, Problem};

/// Over which every rate is counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Wrong passwords for one account, and sign-ups and wrong passwords from one address, in [`SIGN_IN_WINDOW`].
const SIGN_IN_MAX: u64 = 10;
/// Letters to one account that somebody who is not signed in may ask for, in [`SIGN_IN_WINDOW`]; from one address ten times as many.
const MAIL_MAX: u64 = 5;
const SIGN_IN_WINDOW: Duration = Duration::from_secs(15 * 60);

/// How long Redis is left alone after it did not answer.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Counts.
#[derive(Clone)]
pub(crate) struct Limits {
    shared: SharedHints,
    alone: Arc<MemoryHints>,
    /// Until when Redis is not asked: it did not answer a moment ago, and asking holds every request up.
    away_until: Arc<Mutex<Option<Instant>>>,
}

/// Where a caller stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) reset_s: u64,
    pub(crate) over: bool,
}

impl Limits {
    pub(crate) fn new(shared: SharedHints) -> Self {
        Self {
            shared,
            alone: Arc::new(MemoryHints::new()),
            away_until: Arc::default(),
        }
    }

    async fn count(&self, key: &str, window: Duration) -> u64 {
        let away = |limits: &Self| *limits.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        if away(self).is_none_or(|until| until <= Instant::now()) {
            match self.shared.count(key, window).await {
                Ok(count) => return count,
                Err(_) => {
                    let until = Instant::now() + ASK_AGAIN_AFTER;
                    *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
                }
            }
        }
        // The twin is told to fail only in tests of others.
        self.alone.count(key, window).await.unwrap_or(0)
    }

    /// Counts one request of `caller`.
    pub(crate) async fn request(&self, caller: &str, limit: u64) -> Standing {
        // Windows begin on the minute for everybody, so the key itself says when this one ends.
        let now_s = chrono::Utc::now().timestamp().unsigned_abs();
        let window_s = WINDOW.as_secs();
        let key = format!("hw:rate:{caller}:{}", now_s / window_s);
        let count = self.count(&key, WINDOW).await;
        Standing {
            limit,
            remaining: limit.saturating_sub(count),
            reset_s: window_s - now_s % window_s,
            over: count > limit,
        }
    }

    /// Refuses an attempt to sign in, or up, after too many from one address or for one account.
    pub(crate) async fn sign_in(&self, account: &str, address: &str) -> Answer<()> {
        self.attempt("sign-in", SIGN_IN_MAX, account, address).await
    }

    /// Refuses to have more mail sent to one account, or asked for from one address.
    pub(crate) async fn mail(&self, account: &str, address: &str) -> Answer<()> {
        self.attempt("mail", MAIL_MAX, account, address).await
    }

    /// Refuses more guesses at the codes of one account, or from one address.
    pub(crate) async fn second_factor(&self, account: &str, address: &str) -> Answer<()> {
        self.attempt("second-factor", SIGN_IN_MAX, account, address).await
    }

    /// Refuses more guesses at the secrets of links from one address.
    pub(crate) async fn secret(&self, address: &str) -> Answer<()> {
        self.attempt("secret", SIGN_IN_MAX, "", address).await
    }

    /// An office shares an address, which may do ten times as much as an account, which belongs to one person.
    async fn attempt(&self, what: &'static str, max: u64, account: &str, address: &str) -> Answer<()> {
        for (whose, who, max) in [("account", account, max), ("address", address, max * 10)] {
            if who.is_empty() {
                continue;
            }
            if self.count(&format!("hw:{what}:{whose}:{who}"), SIGN_IN_WINDOW).await > max {
                metrics::counter!("api_sign_in_throttled_total", "what" => what).increment(1);
                let sentence = "Too many attempts. Wait a quarter of an hour, then try again.";
                return Err(Problem::rate_limited(sentence, SIGN_IN_WINDOW.as_secs()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counting_goes_on_while_hints_are_away() {
        let hints = Arc::new(MemoryHints::new());
        let limits = Limits::new(hints.clone());
        assert!(!limits.request("tok_x", 1).await.over);
        hints.set_down(true);
        let first = limits.request("tok_y", 1).await;
        assert!(!first.over && first.remaining == 0 && first.reset_s <= 60);
        let (second, third) = (limits.request("tok_y", 1).await, limits.request("tok_z", 1).await);
        // The minute may turn between the two, and then only the count starts again.
        assert!(second.over || second.reset_s > first.reset_s);
        assert!(!third.over);
    }

    #[tokio::test]
    async fn an_account_is_closed_after_ten_attempts_and_others_are_not() {
        let limits = Limits::new(Arc::new(MemoryHints::new()));
        for _ in 0..SIGN_IN_MAX {
            assert!(limits.sign_in("a@example.com", "127.0.0.1").await.is_ok());
        }
        let refused = limits.sign_in("a@example.com", "127.0.0.1").await;
        assert_eq!(refused.expect_err("refused").code(), "RATE_LIMITED");
        assert!(limits.sign_in("b@example.com", "127.0.0.1").await.is_ok());
    }
}
