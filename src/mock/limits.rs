//! Whether a key may send one more request: true token buckets, as providers run them.
//!
//! A bucket refills continuously at `limit / period`, so a refusal can say exactly when the request would pass:
//! `T = (used + requested − limit) × period / limit`.
//! Checks come first and charges after, so a refused request takes nothing (unless the script says that it does).
//!
//! # Invariants
//! - A level stays between 0 and the bucket's capacity.
//! - Repeating a refused request exactly [`Refusal::wait`] later, with nothing in between, is admitted
//!   if it fits the bucket at all.

use std::time::Duration;

use scoring::time::{Span, Time};

use super::script::LimitScript;

/// Seconds in the period of a per-minute limit.
const MINUTE_S: f64 = 60.0;

/// Seconds in the period of a per-day limit.
const DAY_S: f64 = 86_400.0;

/// Token counts that differ by less are equal: rounding of refilled levels must not refuse an exact fit.
const EPSILON: f64 = 1e-3;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Input tokens per minute.
    InputTokens,
    /// Output tokens per minute.
    OutputTokens,
    /// Requests per day.
    DailyRequests,
}

/// What a request costs its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    /// Estimated input tokens.
    pub(super) input: u32,
    /// Output tokens reserved: `max_tokens`.
    pub(super) output: u32,
}

/// One limit as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// Allowance per period.
    pub(super) limit: f64,
    /// What could be taken now.
    pub(super) remaining: f64,
    /// Time until nothing is used any more.
    pub(super) reset: Span,
}

/// Every limit of a key as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standings {
    pub(super) requests: Option<Standing>,
    pub(super) tokens: Option<Standing>,
    pub(super) input: Option<Standing>,
    pub(super) output: Option<Standing>,
    pub(super) daily: Option<Standing>,
}

/// Why and for how long a request is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) counted: Counted,
    pub(super) limit: f64,
    pub(super) used: f64,
    pub(super) requested: f64,
    pub(super) wait: Span,
}

/// A continuously refilled bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    limit: f64,
    period_s: f64,
    capacity: f64,
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

/// The limits of one key.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    input: Option<Bucket>,
    output: Option<Bucket>,
    daily: Option<Bucket>,
    slice: Option<Slice>,
    charge_refused: bool,
}

impl Bucket {
    /// A full bucket of `limit` per `period_s`, of which `burst_s` worth may be taken at once.
    pub(super) fn full(limit: u32, period_s: f64, burst_s: f64, now: Time) -> Self {
        let limit = f64::from(limit);
        // A bucket below one request would never pass any.
        let capacity = (limit * burst_s / period_s).clamp(1.0, limit.max(1.0));
        Self {
            limit,
            period_s,
            capacity,
            level: capacity,
            at: now,
        }
    }

    /// Brings the level up to `now`.
    fn refill(&mut self, now: Time) {
        let gained = now.since(self.at).as_secs_f64() * self.limit / self.period_s;
        self.level = (self.level + gained).min(self.capacity);
        self.at = self.at.max(now);
    }

    /// Why `requested` does not fit now, if so; the bucket must be refilled.
    fn refuses(&self, counted: Counted, requested: f64) -> Option<Refusal> {
        let missing = requested - self.level;
        (missing > EPSILON).then(|| Refusal {
            counted,
            limit: self.limit,
            used: self.limit - self.level,
            requested,
            wait: span_up(missing * self.period_s / self.limit),
        })
    }

    fn take(&mut self, amount: f64) {
        self.level = (self.level - amount).max(0.0);
    }

    fn give_back(&mut self, amount: f64) {
        self.level = (self.level + amount).min(self.capacity);
    }

    fn standing(&self) -> Standing {
        Standing {
            limit: self.limit,
            remaining: (self.level + EPSILON).floor(),
            reset: span_up((self.capacity - self.level) * self.period_s / self.limit),
        }
    }
}

impl Slice {
    fn new(rpm: u32, length: Duration) -> Self {
        let allowed = (f64::from(rpm) * length.as_secs_f64() / MINUTE_S).ceil();
        Self {
            length_us: length.as_micros() as u64,
            allowed,
            index: 0,
            count: 0.0,
        }
    }

    fn refuses(&mut self, now: Time) -> Option<Refusal> {
        let index = now.as_micros() / self.length_us;
        if index != self.index {
            (self.index, self.count) = (index, 0.0);
        }
        let next = Time::from_micros((index + 1) * self.length_us);
        (self.count + 1.0 > self.allowed).then(|| Refusal {
            counted: Counted::Requests,
            limit: self.allowed * MINUTE_S * 1e6 / self.length_us as f64,
            used: self.count,
            requested: 1.0,
            wait: next.since(now),
        })
    }
}

impl Quota {
    /// Full limits, or nothing when the script has none.
    pub(super) fn new(script: &LimitScript, now: Time) -> Option<Self> {
        let burst = script.burst.as_secs_f64();
        let minute =
            |limit: Option<u32>| limit.map(|limit| Bucket::full(limit, MINUTE_S, burst, now));
        let quota = Self {
            requests: minute(script.rpm),
            tokens: minute(script.tpm),
            input: minute(script.itpm),
            output: minute(script.otpm),
            daily: script
                .rpd
                .map(|limit| Bucket::full(limit, DAY_S, DAY_S, now)),
            slice: script
                .rpm
                .zip(script.slice)
                .map(|(rpm, slice)| Slice::new(rpm, slice)),
            charge_refused: script.charge_refused,
        };
        let limited = [
            &quota.requests,
            &quota.tokens,
            &quota.input,
            &quota.output,
            &quota.daily,
        ];
        limited.iter().any(|it| it.is_some()).then_some(quota)
    }

    /// Charges a request, or says which limit refuses it for longest.
    pub(super) fn admit(&mut self, charge: Charge, now: Time) -> Result<(), Refusal> {
        let mut worst: Option<Refusal> = self.slice.as_mut().and_then(|it| it.refuses(now));
        for (bucket, counted, amount) in self.buckets(charge) {
            bucket.refill(now);
            if let Some(refusal) = bucket.refuses(counted, amount)
                && worst.is_none_or(|it| refusal.wait > it.wait)
            {
                worst = Some(refusal);
            }
        }
        if let Some(refusal) = worst {
            if let (true, Some(requests)) = (self.charge_refused, &mut self.requests) {
                requests.take(1.0);
            }
            return Err(refusal);
        }
        for (bucket, _, amount) in self.buckets(charge) {
            bucket.take(amount);
        }
        if let Some(slice) = &mut self.slice {
            slice.count += 1.0;
        }
        Ok(())
    }

    /// Gives back `output` tokens that were reserved and not used.
    pub(super) fn settle(&mut self, output: u32) {
        for bucket in [&mut self.tokens, &mut self.output].into_iter().flatten() {
            bucket.give_back(f64::from(output));
        }
    }

    /// Every limit as it stands at the last charge.
    pub(super) fn standings(&self) -> Standings {
        let standing = |bucket: &Option<Bucket>| bucket.as_ref().map(Bucket::standing);
        Standings {
            requests: standing(&self.requests),
            tokens: standing(&self.tokens),
            input: standing(&self.input),
            output: standing(&self.output),
            daily: standing(&self.daily),
        }
    }

    /// Each bucket with what the charge takes from it.
    fn buckets(&mut self, charge: Charge) -> impl Iterator<Item = (&mut Bucket, Counted, f64)> {
        let (input, output) = (f64::from(charge.input), f64::from(charge.output));
        [
            (&mut self.requests, Counted::Requests, 1.0),
            (&mut self.tokens, Counted::Tokens, input + output),
            (&mut self.input, Counted::InputTokens, input),
            (&mut self.output, Counted::OutputTokens, output),
            (&mut self.daily, Counted::DailyRequests, 1.0),
        ]
        .into_iter()
        .filter_map(|(bucket, counted, amount)| Some((bucket.as_mut()?, counted, amount)))
    }
}

/// A span of so many seconds, rounded up to the microsecond.
fn span_up(seconds: f64) -> Span {
    Span::from_micros((seconds.max(0.0) * 1e6).ceil() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    #![allow(clippy::float_cmp, reason = "whole numbers are exact")]

    use super::*;

    const START: Time = Time::from_micros(1_000_000);

    fn tpm(limit: u32) -> LimitScript {
        LimitScript {
            tpm: Some(limit),
            ..LimitScript::default()
        }
    }

    fn tokens(input: u32) -> Charge {
        Charge { input, output: 0 }
    }

    #[test]
    fn the_wait_is_used_plus_requested_less_limit_at_the_refill_rate() {
        for (limit, used, requested, seconds) in [
            (250_000, 250_000, 149_514, "35.883"),
            (10_000, 8_782, 8_172, "41.724"),
            (15_000, 11_972, 4_351, "5.292"),
        ] {
            let mut quota = Quota::new(&tpm(limit), START).unwrap();
            quota.admit(tokens(used), START).unwrap();
            let refusal = quota.admit(tokens(requested), START).unwrap_err();
            assert_eq!(format!("{:.3}", refusal.wait.as_secs_f64()), seconds);
            assert_eq!(
                (refusal.limit, refusal.used),
                (f64::from(limit), f64::from(used))
            );
        }
    }

    #[test]
    fn a_refused_request_passes_exactly_when_promised() {
        let mut quota = Quota::new(&tpm(10_000), START).unwrap();
        quota.admit(tokens(8_782), START).unwrap();
        let wait = quota.admit(tokens(8_172), START).unwrap_err().wait;
        let early = START.plus(wait).minus(Span::from_millis(1));
        assert!(quota.admit(tokens(8_172), early).is_err());
        assert_eq!(quota.admit(tokens(8_172), START.plus(wait)), Ok(()));
    }

    #[test]
    fn one_request_of_5000_a_minute_resets_in_12_ms() {
        let script = LimitScript {
            rpm: Some(5_000),
            ..LimitScript::default()
        };
        let mut quota = Quota::new(&script, START).unwrap();
        quota.admit(tokens(10), START).unwrap();
        let standing = quota.standings().requests.unwrap();
        assert_eq!((standing.limit, standing.remaining), (5_000.0, 4_999.0));
        assert_eq!(standing.reset, Span::from_millis(12));
    }

    #[test]
    fn a_slice_refuses_until_its_end() {
        let script = LimitScript {
            rpm: Some(60),
            slice: Some(Duration::from_secs(10)),
            ..LimitScript::default()
        };
        let mut quota = Quota::new(&script, START).unwrap();
        let at = Time::from_micros(23_000_000);
        for _ in 0..10 {
            quota.admit(tokens(1), at).unwrap();
        }
        assert_eq!(
            quota.admit(tokens(1), at).unwrap_err().wait,
            Span::from_secs(7)
        );
        assert_eq!(
            quota.admit(tokens(1), Time::from_micros(30_000_000)),
            Ok(())
        );
    }

    #[test]
    fn burst_bounds_what_is_taken_at_once_and_settling_gives_back() {
        let script = LimitScript {
            burst: Duration::from_secs(6),
            otpm: Some(1_000),
            ..tpm(1_000)
        };
        let mut quota = Quota::new(&script, START).unwrap();
        let charge = Charge {
            input: 0,
            output: 100,
        };
        quota.admit(charge, START).unwrap();
        let refusal = quota.admit(charge, START).unwrap_err();
        assert_eq!((refusal.used, refusal.wait), (1_000.0, Span::from_secs(6)));
        quota.settle(100);
        assert_eq!(quota.admit(charge, START), Ok(()));
    }

    #[test]
    fn refused_requests_count_only_where_the_script_says_so() {
        for (charge_refused, admitted) in [(false, true), (true, false)] {
            let script = LimitScript {
                rpm: Some(60),
                charge_refused,
                ..tpm(60)
            };
            let mut quota = Quota::new(&script, START).unwrap();
            quota.admit(tokens(60), START).unwrap();
            for _ in 0..60 {
                assert!(quota.admit(tokens(60), START).is_err());
            }
            let later = START.plus(Span::from_millis(500));
            assert_eq!(quota.admit(tokens(0), later).is_ok(), admitted);
        }
    }

    #[test]
    fn no_limit_means_no_quota() {
        assert!(Quota::new(&LimitScript::default(), START).is_none());
    }
}
