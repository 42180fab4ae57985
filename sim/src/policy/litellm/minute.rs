//! What each deployment used in this calendar minute, against what the operator configured.
//!
//! # Invariants
//! - What was used in another minute is nothing.

use scoring::time::Time;

use super::super::Candidate;

/// Microseconds in a minute.
const MINUTE: u64 = 60_000_000;

/// The calendar minute that `now` lies in.
pub(super) const fn minute(now: Time) -> u64 {
    now.as_micros() / MINUTE
}

/// Tokens and requests of one deployment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    minute: u64,
    tokens: u64,
    requests: u64,
    /// Tokens per minute that the operator configured; all there are if none.
    tpm: u64,
    rpm: u64,
}

impl Used {
    /// Nothing used.
    pub(super) fn new(candidate: &Candidate) -> Self {
        Self {
            minute: 0,
            tokens: 0,
            requests: 0,
            tpm: candidate.told_tpm.map_or(u64::MAX, u64::from),
            rpm: candidate.told_rpm.map_or(u64::MAX, u64::from),
        }
    }

    /// Counts what was used.
    pub(super) fn add(&mut self, tokens: u64, requests: u64, now: Time) {
        if self.minute != minute(now) {
            (self.minute, self.tokens, self.requests) = (minute(now), 0, 0);
        }
        self.tokens += tokens;
        self.requests += requests;
    }

    /// Tokens used in this minute.
    pub(super) fn tokens(&self, now: Time) -> u64 {
        if self.minute == minute(now) {
            self.tokens
        } else {
            0
        }
    }

    /// Whether one more request of `input` tokens stays within what was configured.
    pub(super) fn has_room(&self, input: u64, now: Time) -> bool {
        let requests = if self.minute == minute(now) {
            self.requests
        } else {
            0
        };
        self.tokens(now).saturating_add(input) <= self.tpm && requests < self.rpm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::drive::candidates;

    #[test]
    fn another_minute_begins_with_nothing() {
        let mut told = candidates(&[1.0]).remove(0);
        (told.told_tpm, told.told_rpm) = (Some(100), Some(2));
        let mut used = Used::new(&told);
        let now = Time::from_micros(59_999_999);
        used.add(40, 1, now);
        assert!(used.has_room(60, now) && !used.has_room(61, now));
        used.add(0, 1, now);
        assert!(!used.has_room(0, now), "two requests are all");
        let next = Time::from_micros(60_000_000);
        assert!(used.has_room(100, next));
        used.add(1, 1, next);
        assert!(used.has_room(99, next) && !used.has_room(100, next));
    }
}
