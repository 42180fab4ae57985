//! Whether a key may send one more request: true token buckets, as providers run them.
//!
//! A bucket refills continuously at `limit / period`, so a refusal can say exactly when the request would pass.
//! Checks come first and charges after, so a refused request takes nothing unless the scenario says that it does.
//! The stand-in providers of the gateway follow the same rules; `tests/conformance.rs` holds the two against each other.
//!
//! # Invariants
//! - A level stays between 0 and the bucket's capacity.
//! - A request refused with a wait, sent again after it with nothing in between, is admitted if it fits the bucket at all.

use scoring::ceiling::Dimension;
use scoring::time::{Span, Time};

use crate::scenario::Limits;

/// Seconds in the period of a per-minute limit.
const MINUTE_S: f64 = 60.0;

/// Seconds in the period of a per-day limit.
const DAY_S: f64 = 86_400.0;

/// Counts that differ by less are equal: rounding of refilled levels must not refuse an exact fit.
const EPSILON: f64 = 1e-3;

/// Buckets of a key: requests, tokens, input tokens, output tokens, requests per day.
pub(crate) const BUCKETS: usize = 5;

/// The bucket of requests per day.
pub(crate) const DAILY: usize = 4;

/// One limit as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Allowance per period.
    pub(crate) limit: f64,
    /// What could be taken now, whole units.
    pub(crate) remaining: f64,
    /// Time until nothing is used any more.
    pub(crate) reset: Span,
}

/// Why and for how long a request is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// Which bucket; see [`BUCKETS`].
    pub(crate) bucket: usize,
    pub(crate) limit: f64,
    pub(crate) used: f64,
    pub(crate) requested: f64,
    pub(crate) wait: Span,
}

impl Refusal {
    /// The dimension that is blamed.
    pub(crate) fn dimension(&self) -> Dimension {
        match self.bucket {
            1 => Dimension::Tokens,
            2 => Dimension::InputTokens,
            3 => Dimension::OutputTokens,
            _ => Dimension::Requests,
        }
    }
}

/// A continuously refilled bucket.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// As written, before any change.
    written: f64,
    limit: f64,
    period_s: f64,
    burst_s: f64,
    level: f64,
    at: Time,
}

/// A fixed window that counts requests.
#[derive(Clone, Copy, Debug)]
struct Slice {
    length_us: u64,
    allowed: f64,
    index: u64,
    count: f64,
}

/// The limits of one key, as they stand.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    buckets: [Option<Bucket>; BUCKETS],
    slice: Option<Slice>,
    charge_refused: bool,
    changes: Vec<(Time, f64)>,
    changed: usize,
    factor: f64,
}

/// What a request takes of each bucket.
pub(crate) type Charge = [f64; BUCKETS];

/// The charge of a request of so many tokens.
pub(crate) fn charge(input: u32, output: u32) -> Charge {
    let (input, output) = (f64::from(input), f64::from(output));
    [1.0, input + output, input, output, 1.0]
}

impl Bucket {
    fn full(limit: u32, period_s: f64, burst_s: f64, now: Time) -> Self {
        let mut bucket = Self {
            written: f64::from(limit),
            limit: f64::from(limit),
            period_s,
            burst_s,
            level: 0.0,
            at: now,
        };
        bucket.level = bucket.capacity();
        bucket
    }

    /// A bucket below one request would never pass any.
    fn capacity(&self) -> f64 {
        (self.limit * self.burst_s / self.period_s).clamp(1.0, self.limit.max(1.0))
    }

    fn level_at(&self, now: Time) -> f64 {
        let gained = now.since(self.at).as_secs_f64() * self.limit / self.period_s;
        (self.level + gained).min(self.capacity())
    }

    fn refill(&mut self, now: Time) {
        self.level = self.level_at(now);
        self.at = self.at.max(now);
    }

    /// How long until `requested` fits; zero if it fits now.
    fn wait(&self, requested: f64, now: Time) -> Span {
        let missing = requested - self.level_at(now);
        if missing > EPSILON {
            span_up(missing * self.period_s / self.limit)
        } else {
            Span::ZERO
        }
    }
}

impl Slice {
    fn wait(&self, now: Time) -> Span {
        let index = now.as_micros() / self.length_us;
        if index == self.index && self.count + 1.0 > self.allowed {
            Time::from_micros((index + 1) * self.length_us).since(now)
        } else {
            Span::ZERO
        }
    }

    fn refuses(&mut self, now: Time) -> Option<Refusal> {
        let index = now.as_micros() / self.length_us;
        if index != self.index {
            (self.index, self.count) = (index, 0.0);
        }
        let wait = self.wait(now);
        (wait > Span::ZERO).then(|| Refusal {
            bucket: 0,
            limit: self.allowed * MINUTE_S * 1e6 / self.length_us as f64,
            used: self.count,
            requested: 1.0,
            wait,
        })
    }
}

impl Quota {
    /// Full limits, or nothing when there are none.
    pub(crate) fn new(limits: &Limits, now: Time) -> Option<Self> {
        let burst = limits.burst.as_secs_f64();
        let minute = |limit: Option<u32>| limit.map(|it| Bucket::full(it, MINUTE_S, burst, now));
        let buckets = [
            minute(limits.rpm),
            minute(limits.tpm),
            minute(limits.itpm),
            minute(limits.otpm),
            limits.rpd.map(|it| Bucket::full(it, DAY_S, DAY_S, now)),
        ];
        if buckets.iter().all(Option::is_none) {
            return None;
        }
        let slice = limits.rpm.zip(limits.slice).map(|(rpm, length)| Slice {
            length_us: length.as_micros(),
            allowed: (f64::from(rpm) * length.as_secs_f64() / MINUTE_S).ceil(),
            index: 0,
            count: 0.0,
        });
        let mut changes: Vec<_> = limits
            .changes
            .iter()
            .map(|&(at, factor)| (now.plus(at), factor))
            .collect();
        changes.sort_by_key(|change| change.0);
        Some(Self {
            buckets,
            slice,
            charge_refused: limits.charge_refused,
            changes,
            changed: 0,
            factor: 1.0,
        })
    }

    /// Puts changes of the limits in force that are due.
    fn advance(&mut self, now: Time) {
        while let Some(&(at, factor)) = self.changes.get(self.changed).filter(|it| it.0 <= now) {
            self.changed += 1;
            if let Some(slice) = &mut self.slice {
                slice.allowed = (slice.allowed * factor / self.factor).ceil();
            }
            self.factor = factor;
            for bucket in self.buckets.iter_mut().flatten() {
                bucket.refill(at);
                bucket.limit = bucket.written * factor;
                bucket.level = bucket.level.min(bucket.capacity());
            }
        }
    }

    /// Charges a request, or says which limit refuses it for longest.
    pub(crate) fn admit(&mut self, charge: &Charge, now: Time) -> Result<(), Refusal> {
        self.advance(now);
        let mut worst = self.slice.as_mut().and_then(|it| it.refuses(now));
        for (index, bucket) in self.buckets.iter_mut().enumerate() {
            let Some(bucket) = bucket else { continue };
            bucket.refill(now);
            let wait = bucket.wait(charge[index], now);
            if wait > Span::ZERO && worst.is_none_or(|it| wait > it.wait) {
                worst = Some(Refusal {
                    bucket: index,
                    limit: bucket.limit,
                    used: bucket.limit - bucket.level,
                    requested: charge[index],
                    wait,
                });
            }
        }
        if let Some(refusal) = worst {
            if let (true, Some(requests)) = (self.charge_refused, &mut self.buckets[0]) {
                requests.level = (requests.level - 1.0).max(0.0);
            }
            return Err(refusal);
        }
        for (bucket, amount) in self.buckets.iter_mut().zip(charge) {
            if let Some(bucket) = bucket {
                bucket.level = (bucket.level - amount).max(0.0);
            }
        }
        if let Some(slice) = &mut self.slice {
            slice.count += 1.0;
        }
        Ok(())
    }

    /// How long until a request of this charge would be admitted; zero if it would be now.
    pub(crate) fn wait(&self, charge: &Charge, now: Time) -> Span {
        let slice = self.slice.map_or(Span::ZERO, |it| it.wait(now));
        let buckets = self.buckets.iter().zip(charge);
        buckets
            .filter_map(|(bucket, amount)| Some(bucket.as_ref()?.wait(*amount, now)))
            .fold(slice, Span::max)
    }

    /// Gives back `output` tokens that were reserved and not used.
    pub(crate) fn settle(&mut self, output: u32) {
        for index in [1, 3] {
            if let Some(bucket) = &mut self.buckets[index] {
                bucket.level = (bucket.level + f64::from(output)).min(bucket.capacity());
            }
        }
    }

    /// Each limit as it stood at the last charge.
    pub(crate) fn levels(&self) -> [Option<Level>; BUCKETS] {
        self.buckets.map(|bucket| {
            let it = bucket?;
            Some(Level {
                limit: it.limit,
                remaining: (it.level + EPSILON).floor(),
                reset: span_up((it.capacity() - it.level) * it.period_s / it.limit),
            })
        })
    }

    /// Units per second that the bucket admits in the long run at `now`; 0 if there is no such limit.
    pub(crate) fn rate(&self, bucket: usize, now: Time) -> f64 {
        let due = self.changes.iter().take_while(|change| change.0 <= now);
        let factor = due.last().map_or(1.0, |change| change.1);
        let rate = self.buckets[bucket].map_or(0.0, |it| it.written * factor / it.period_s);
        match (bucket, self.slice) {
            (0, Some(slice)) => rate.min(slice.allowed * 1e6 / slice.length_us as f64),
            _ => rate,
        }
    }
}

/// A span of so many seconds, rounded up to the microsecond.
fn span_up(seconds: f64) -> Span {
    Span::from_micros((seconds.max(0.0) * 1e6).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_micros(1_000_000);

    fn limits() -> Limits {
        Limits {
            burst: Span::from_secs(60),
            ..Limits::default()
        }
    }

    #[test]
    fn the_wait_is_used_plus_requested_less_limit_at_the_refill_rate() {
        for (limit, used, requested, seconds) in [
            (250_000, 250_000, 149_514, "35.883"),
            (10_000, 8_782, 8_172, "41.724"),
            (15_000, 11_972, 4_351, "5.292"),
        ] {
            let tpm = Limits {
                tpm: Some(limit),
                ..limits()
            };
            let mut quota = Quota::new(&tpm, START).unwrap();
            quota.admit(&charge(used, 0), START).unwrap();
            let refusal = quota.admit(&charge(requested, 0), START).unwrap_err();
            assert_eq!(format!("{:.3}", refusal.wait.as_secs_f64()), seconds);
            assert_eq!(quota.wait(&charge(requested, 0), START), refusal.wait);
            let early = START.plus(refusal.wait).minus(Span::from_millis(1));
            assert!(quota.admit(&charge(requested, 0), early).is_err());
            assert!(
                quota
                    .admit(&charge(requested, 0), START.plus(refusal.wait))
                    .is_ok()
            );
        }
    }

    #[test]
    fn a_slice_opens_with_the_next_one() {
        let rpm = Limits {
            rpm: Some(60),
            slice: Some(Span::from_secs(10)),
            ..limits()
        };
        let mut quota = Quota::new(&rpm, START).unwrap();
        for _ in 0..10 {
            quota.admit(&charge(1, 1), START).unwrap();
        }
        let refusal = quota.admit(&charge(1, 1), START).unwrap_err();
        assert_eq!(refusal.wait, Span::from_secs(9));
        assert!(quota.admit(&charge(1, 1), START.plus(refusal.wait)).is_ok());
    }

    #[test]
    fn a_halved_limit_admits_half() {
        let mut halved = Limits {
            rpm: Some(600),
            burst: Span::from_secs(1),
            ..limits()
        };
        halved.changes = vec![(Span::from_secs(60), 0.5)];
        let mut quota = Quota::new(&halved, START).unwrap();
        let admitted = |quota: &mut Quota, from: u64| {
            (0..6_000)
                .filter(|i| {
                    let at = START.plus(Span::from_millis(from + i * 10));
                    quota.admit(&charge(1, 1), at).is_ok()
                })
                .count()
        };
        assert!((600..=611).contains(&admitted(&mut quota, 0)));
        assert!((300..=306).contains(&admitted(&mut quota, 60_000)));
        assert!((quota.rate(0, START.plus(Span::from_secs(90))) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn unused_output_comes_back() {
        let tpm = Limits {
            tpm: Some(1_000),
            ..limits()
        };
        let mut quota = Quota::new(&tpm, START).unwrap();
        quota.admit(&charge(100, 900), START).unwrap();
        assert!(quota.admit(&charge(100, 0), START).is_err());
        quota.settle(800);
        assert!(quota.admit(&charge(100, 0), START).is_ok());
    }
}
