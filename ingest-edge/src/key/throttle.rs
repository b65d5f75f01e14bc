//! Rates per address, so that one address's noise costs the others nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Addresses remembered at a time. Beyond it, new ones are let through unmeasured: each lasts only until it has
/// been quiet for as long as its burst takes to come back.
const ADDRESSES_MAX: usize = 65_536;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Between two in the long run.
    pub interval: Duration,
}

/// One rate, kept for each address apart. IPv6 counts by its /64.
#[derive(Debug)]
pub struct Throttle {
    rate: Rate,
    /// When the address's whole burst is back.
    whole_at: HashMap<u64, Instant>,
}

impl Throttle {
    /// Nobody has done anything yet.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            whole_at: HashMap::new(),
        }
    }

    /// Charges `address` for one and says how long it has to wait before it may; `None`, uncharged, when that would be
    /// longer than `wait_max`.
    pub fn charge(&mut self, address: IpAddr, now: Instant, wait_max: Duration) -> Option<Duration> {
        if self.whole_at.len() >= ADDRESSES_MAX {
            self.whole_at.retain(|_, at| *at > now);
        }
        let full = self.whole_at.len() >= ADDRESSES_MAX;
        let id = group(address);
        let whole_at = self.whole_at.get(&id).copied().unwrap_or(now).max(now) + self.rate.interval;
        let wait = whole_at.saturating_duration_since(now + self.rate.interval * self.rate.burst);
        if wait > wait_max {
            return None;
        }
        if !full || self.whole_at.contains_key(&id) {
            self.whole_at.insert(id, whole_at);
        }
        Some(wait)
    }

    /// Takes a charge back.
    pub fn refund(&mut self, address: IpAddr) {
        if let Some(at) = self.whole_at.get_mut(&group(address))
            && let Some(earlier) = at.checked_sub(self.rate.interval)
        {
            *at = earlier;
        }
    }
}

/// What counts as one address: all of IPv4, the network half of IPv6.
fn group(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        // Global unicast never has a zero upper half, so the two never meet.
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        interval: Duration::from_millis(100),
    };

    #[test]
    fn a_noisy_address_waits_then_is_refused_and_others_do_not_notice() {
        let (noisy, quiet) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let now = Instant::now();
        let mut throttle = Throttle::new(RATE);
        let wait_max = Duration::from_millis(200);
        let waits: Vec<_> = (0..7)
            .map(|_| throttle.charge(noisy, now, wait_max).map(|d| d.as_millis()))
            .collect();
        assert_eq!(waits, [Some(0), Some(0), Some(0), Some(100), Some(200), None, None]);
        assert_eq!(throttle.charge(quiet, now, wait_max), Some(Duration::ZERO));
        let later = now + Duration::from_secs(1);
        assert_eq!(throttle.charge(noisy, later, wait_max), Some(Duration::ZERO));
    }

    #[test]
    fn a_refund_gives_the_turn_back() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let (now, mut throttle) = (Instant::now(), Throttle::new(RATE));
        for _ in 0..100 {
            assert_eq!(throttle.charge(address, now, Duration::ZERO), Some(Duration::ZERO));
            throttle.refund(address);
        }
    }

    #[test]
    fn ipv6_counts_by_network() {
        let (now, mut throttle) = (Instant::now(), Throttle::new(Rate { burst: 1, ..RATE }));
        let host = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
        assert!(throttle.charge(host(1), now, Duration::ZERO).is_some());
        assert!(throttle.charge(host(2), now, Duration::ZERO).is_none());
    }
}
