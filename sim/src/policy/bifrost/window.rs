//! Attempts and errors of one key over the last five minutes and ever.
//!
//! # Invariants
//! - A bucket is the time between two renewals, 5 s; sixty are five minutes.

/// Buckets in five minutes.
const BUCKETS: usize = 60;

/// Counts of one key.
#[derive(Clone, Debug)]
pub(super) struct Window {
    ever: Count,
    ring: [Count; BUCKETS],
    head: usize,
}

/// Attempts and errors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) attempts: u32,
    pub(super) errors: u32,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.errors += other.errors;
    }

    /// Errors per attempt; 0 without attempts.
    pub(super) fn rate(self) -> f64 {
        f64::from(self.errors) / f64::from(self.attempts.max(1))
    }
}

impl Window {
    /// Nothing counted.
    pub(super) const fn new() -> Self {
        let none = Count {
            attempts: 0,
            errors: 0,
        };
        Self {
            ever: none,
            ring: [none; BUCKETS],
            head: 0,
        }
    }

    /// An attempt has ended.
    pub(super) fn count(&mut self, errors: u32) {
        let one = Count {
            attempts: 1,
            errors,
        };
        self.ever.add(one);
        self.ring[self.head].add(one);
    }

    /// Counts of the last `buckets` buckets.
    pub(super) fn last(&self, buckets: usize) -> Count {
        let mut sum = Count::default();
        for back in 0..buckets {
            sum.add(self.ring[(self.head + BUCKETS - back) % BUCKETS]);
        }
        sum
    }

    /// `0.2·R_all + 0.3·R_5min + 0.5·R_1min`.
    pub(super) fn error_rate(&self) -> f64 {
        let five_minutes = self.last(BUCKETS).rate();
        0.2 * self.ever.rate() + 0.3 * five_minutes + 0.5 * self.last(12).rate()
    }

    /// Begins the next bucket.
    pub(super) fn turn(&mut self) {
        self.head = (self.head + 1) % BUCKETS;
        self.ring[self.head] = Count::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_blend_one_minute_five_minutes_and_ever() {
        let mut window = Window::new();
        (0..10).for_each(|it| window.count(u32::from(it < 5)));
        assert!((window.error_rate() - 0.5).abs() < 1e-12);
        (0..12).for_each(|_| window.turn());
        (0..10).for_each(|_| window.count(0));
        assert!(
            (window.error_rate() - 0.5 * 0.25).abs() < 1e-12,
            "a minute later"
        );
        (0..48).for_each(|_| window.turn());
        assert!(
            (window.error_rate() - 0.2 * 0.25).abs() < 1e-12,
            "five minutes later"
        );
        assert_eq!(window.last(60).attempts, 10);
    }
}
