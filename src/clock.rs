//! The only reader of time and entropy in the gateway.
//!
//! Everything that decides takes `now` and an RNG as arguments; this file is where they come from.
//! Time is tokio's clock, so a test that pauses the runtime's clock moves the whole gateway.
//!
//! # Invariants
//! - [`now`] never goes backwards within a process.
//! - Nothing else under `src/` calls `Instant::now`, `SystemTime::now` or an OS random source.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::{SmallRng, StdRng};
use scoring::time::Time;
use tokio::time::Instant;

/// The instant that [`Time`] zero stands for, less a head start so that "never" can be zero.
static BASE: OnceLock<Instant> = OnceLock::new();

/// Microseconds that [`now`] reads at its first call in the process.
///
/// Larger than any look-back window's resolution, so that `Time` zero is safely in the past.
const HEAD_START_US: u64 = 1_000_000;

/// Microseconds since the process began to look at the clock, monotonic.
#[must_use]
pub fn now() -> Time {
    let base = *BASE.get_or_init(base);
    let elapsed = Instant::now().saturating_duration_since(base);
    Time::from_micros(HEAD_START_US + u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX >> 1))
}

/// The machine's own clock, so that a test that has moved its runtime's clock ahead does not move the base of others.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
fn base() -> Instant {
    Instant::from_std(std::time::Instant::now())
}

/// The runtime's instant at which `time` is reached; for timers.
#[must_use]
pub fn instant_at(time: Time) -> Instant {
    let base = *BASE.get_or_init(base);
    base + Duration::from_micros(time.as_micros().saturating_sub(HEAD_START_US))
}

/// Wall-clock time since the Unix epoch; for logs, HTTP dates, and what the calendar governs, such as budgets and the expiry of keys; never for latencies.
#[must_use]
pub fn unix() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The same in whole seconds, as windows and expiries are kept.
#[must_use]
pub fn unix_seconds() -> i64 {
    i64::try_from(unix().as_secs()).unwrap_or(i64::MAX)
}

/// The same in microseconds, as the ledger keeps instants.
#[must_use]
pub fn unix_micros() -> i64 {
    i64::try_from(unix().as_micros()).unwrap_or(i64::MAX)
}

/// The hour of the day, UTC; for rules that the operator wrote about it.
#[must_use]
pub fn hour() -> u8 {
    u8::try_from(unix().as_secs() / 3_600 % 24).unwrap_or(0)
}

/// A generator seeded by the operating system.
#[must_use]
pub fn rng() -> SmallRng {
    rand::make_rng()
}

/// A generator for secrets, seeded by the operating system: who has seen all it made cannot tell what it makes next.
#[must_use]
pub fn secrets() -> StdRng {
    rand::make_rng()
}
