//! How often may one address present a bad credential?
//!
//! Guessing is bounded per source: each bad credential takes from a small allowance that comes back with time, and a source whose allowance is spent is told to wait.
//! A good credential is never refused here, whatever its address has tried.
//! The table has a fixed size; addresses whose place is the same share an allowance, which makes an attacker's life harder and never a client's with a good key.
//!
//! # Invariants
//! - Nothing grows, locks or allocates.
//! - A refusal's wait is exact: after it one more attempt is looked at.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use scoring::time::{Span, Time};

/// Places in the table: 32 KiB, and a few thousand guessing addresses share little.
const PLACES: usize = 4_096;

/// Time that one bad credential costs: three a minute are a person with a wrong key, or a client that retries.
const COST: u64 = 20_000_000;

/// Bad credentials in a row before there is a wait; a fleet that starts with a revoked key is told 401, not 429.
const BURST: u64 = 30;

/// Addresses and what they have tried.
#[derive(Debug)]
pub struct Sources {
    /// Until when each place's allowance is spent, microseconds; each word stands for itself.
    places: Box<[AtomicU64]>,
    /// Random, so that nobody can choose whose place to share.
    hasher: RandomState,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Sources {
    /// Notes a bad credential.
    ///
    /// # Errors
    /// How long the source has to wait, if its allowance is spent; the attempt is not noted then.
    pub fn failed(&self, source: IpAddr, now: Time) -> Result<(), Span> {
        let Some(place) = self.place(source) else {
            return Ok(());
        };
        let now = now.as_micros();
        let after = |until: u64| until.max(now) + COST;
        let latest = now + COST * BURST;
        place
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                Some(after(until)).filter(|after| *after <= latest)
            })
            .map(|_| ())
            .map_err(|until| Span::from_micros(after(until) - latest))
    }

    fn place(&self, source: IpAddr) -> Option<&AtomicU64> {
        // Who has one IPv6 address has a network of them.
        let source = match source {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64 | 1 << 63,
        };
        let hash = self.hasher.hash_one(source) as usize;
        self.places.get(hash % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Time {
        Time::from_micros(micros)
    }

    #[test]
    fn guessing_is_bounded_and_waits_are_exact() {
        let sources = Sources::default();
        let guesser: IpAddr = "192.0.2.7".parse().unwrap();
        let start = 5_000_000;
        for _ in 0..BURST {
            assert_eq!(sources.failed(guesser, at(start)), Ok(()));
        }
        let wait = sources.failed(guesser, at(start)).unwrap_err();
        assert_eq!(wait, Span::from_micros(COST));
        let ready = start + wait.as_micros();
        assert!(sources.failed(guesser, at(ready - 1)).is_err());
        assert_eq!(sources.failed(guesser, at(ready)), Ok(()));
        assert!(sources.failed(guesser, at(ready)).is_err());
        // An hour has at most the burst and one each twenty seconds.
        let noted = (0..3_600_000)
            .filter(|milli| sources.failed(guesser, at(ready + milli * 1_000)).is_ok())
            .count();
        assert_eq!(noted, 179);
    }

    #[test]
    fn one_network_is_one_source() {
        let sources = Sources::default();
        let address = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        for host in 0..30 {
            assert_eq!(sources.failed(address(host), at(1)), Ok(()));
        }
        assert!(sources.failed(address(10), at(1)).is_err());
    }
}
