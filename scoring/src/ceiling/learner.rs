//! What is the limit of a provider that only ever says "no"?
//!
//! A refusal by a bucket is a measurement: at that moment less was left than the refused request needed.
//! Between two such moments exactly as much was accepted as flowed in, so `rate = accepted / time between`, whatever the bucket's size, and the error shrinks with the time between.
//! The usual rule (cut the rate by a fixed part at each refusal, creep up afterwards) needs tens of refusals for the same precision, because right after the first one it measures how large the bucket was.
//! So: pause, send on at a rate slightly above the estimate, and measure again at the next refusal, until the span is long enough; then stay just below.
//! A limit that was raised is found by creeping up after a quiet time, a lowered one by measuring again.
//!
//! # Invariants
//! - Pure: state, event and tuning in, state out. Units are those of the dimension (requests or tokens).
//! - Without a refusal there is no limit.
//! - A provider that refuses everything is asked ever less often, at longest every [`LONGEST_PAUSE`]; one that accepts in between is not.
//! - A rate is trusted for as long, and for as many requests, as its measurement bears: two refusals in a quiet hour throttle nobody for the rest of the day.

use crate::time::{Span, Time};
use crate::tuning::CeilingTuning;

/// Least requests accepted between two refusals that say anything about the rate.
///
/// Fewer mean that the first pause was too short: a fixed window has not begun anew.
const LEAST_ACCEPTED: u64 = 4;

/// Longest pause after refusals in a row: 16 s, so that a fixed window of a minute is met again within a quarter of it.
const LONGEST_PAUSE: Span = Span::from_secs(16);

/// How many `drained_window`s a measurement may take: after five of them (100 s) demand has probably paused and the bucket filled.
///
/// It must be longer than a fixed window of a minute, which is refused only once in each.
const STALE: f64 = 5.0;

/// Requests from which a single interval is worth believing: its error is about an eighth.
const ENOUGH: u64 = 8;

/// The latest interval against the whole measurement, as a ratio, below which the limit was lowered in between.
const LOWERED: f64 = 0.75;

/// Requests from which an estimate is precise to about 1 %.
const PRECISE: f64 = 150.0;

/// Requests between two refusals from which on a limit is not worth learning: one refusal in 1,000 costs less than a ceiling that is wrong.
const RARE: u64 = 1_000;

/// How many `measure_window`s are enough even for fewer requests, if there are [`TELLING`].
const LONGER: f64 = 4.0;

/// Part of a rate measured over few requests that demand must fill for it to grow: what is seen of demand lags behind a rate that doubles.
const FILLED: f64 = 0.5;

/// Requests for which a ceiling is trusted before it is probed, for each request that it was measured over: with [`PRECISE`] ones as many as `probe_requests` asks.
const TRUST: f64 = 32.0;

/// How far above the estimate a measurement goes on, as a ratio: the bucket must drain again soon to be measured.
const ABOVE: f64 = 1.02;

/// How many requests' worth of error an estimate has: the unknown rest in the bucket at both ends.
const UNCERTAIN: f64 = 0.5;

/// Rate after a refused probe, as a ratio to the ceiling measured before: a limit raised by less is not noticed.
const RECHECK: f64 = 1.1;

/// A probe that came this far, as a ratio to the ceiling, has outrun any bucket of a minute: the limit was raised.
const OUTRUN: f64 = 1.8;

/// Requests from which an interval tells which dimension is limited, and a quiet time confirms its rate: with fewer, the unknown rest in the bucket outweighs the mix of requests.
const TELLING: u64 = 24;

/// Samples that the spread of the estimates remembers.
const SPREAD_MEMORY: f64 = 8.0;

/// How far learning has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// No refusal yet.
    #[default]
    Free,
    /// Between refusals of a drained bucket.
    Measuring,
    /// A rate is known.
    Steady,
    /// Creeping up from the known rate.
    Probing,
}

/// Whether a refusal says that it is for a limit: which, or when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    None,
    Told,
}

/// What is known of one dimension from refusals alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Learner {
    pub(super) phase: Phase,
    /// Rate to keep to, in units per second; 0 = none.
    pub(super) rate: f64,
    /// Rate last measured, in units per second; 0 = none.
    pub(super) ceiling: f64,
    /// The refusal that the measurement began with.
    anchor: Mark,
    /// The refusal before this one.
    previous: Mark,
    /// When the last refusal was answered by a pause.
    event_at: Time,
    /// Requests accepted until then.
    event_requests: u64,
    /// Requests that the rate was measured over.
    proof: u64,
    /// The last pause.
    pause: Span,
    /// Refusals in a row between which nothing was accepted.
    in_a_row: u64,
    /// Quiet time before the next probe.
    probe_interval: Span,
    /// Spread of the single estimates: weight, mean and variance of their logarithm.
    spread: (f64, f64, f64),
    /// Last look at the counters, and the smoothed rate seen by then.
    seen: Mark,
    recent: f64,
}

/// The counters at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mark {
    pub(super) at: Time,
    /// Units accepted so far, net of what was given back; wraps.
    pub(super) units: u64,
    /// Requests accepted so far; wraps.
    pub(super) requests: u64,
}

impl Mark {
    fn requests_since(self, earlier: Self) -> u64 {
        u64::try_from(self.requests.wrapping_sub(earlier.requests) as i64).unwrap_or(0)
    }

    /// Units per second between two marks; `None` if no time lies between or nothing was accepted.
    fn rate_since(self, earlier: Self) -> Option<f64> {
        let seconds = self.at.since(earlier.at).as_secs_f64();
        let units = self.units.wrapping_sub(earlier.units) as i64 as f64;
        (seconds > 0.0 && units > 0.0).then(|| units / seconds)
    }
}

/// Words that a stored learner takes.
pub(super) const WORDS: usize = 22;

impl Mark {
    fn words(self) -> [u64; 3] {
        [self.at.as_micros(), self.units, self.requests]
    }

    fn from_words(words: &[u64]) -> Self {
        let word = |index: usize| words.get(index).copied().unwrap_or(0);
        Self {
            at: Time::from_micros(word(0)),
            units: word(1),
            requests: word(2),
        }
    }
}

impl Learner {
    /// The state as words, to be kept in atomics.
    pub(super) fn words(&self) -> [u64; WORDS] {
        let [a, b, c] = self.anchor.words();
        let [d, e, f] = self.previous.words();
        let [g, h, i] = self.seen.words();
        let (weight, mean, variance) = self.spread;
        let real = f64::to_bits;
        [
            self.phase as u64,
            real(self.rate),
            real(self.ceiling),
            self.event_at.as_micros(),
            self.event_requests,
            self.pause.as_micros(),
            self.probe_interval.as_micros(),
            real(self.recent),
            real(weight),
            real(mean),
            real(variance),
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            self.in_a_row,
            self.proof,
        ]
    }

    /// The state that `words` hold.
    pub(super) fn from_words(words: &[u64; WORDS]) -> Self {
        let real = |index: usize| f64::from_bits(words[index]);
        Self {
            phase: match words[0] {
                0 => Phase::Free,
                1 => Phase::Measuring,
                2 => Phase::Steady,
                _ => Phase::Probing,
            },
            rate: real(1),
            ceiling: real(2),
            event_at: Time::from_micros(words[3]),
            event_requests: words[4],
            pause: Span::from_micros(words[5]),
            probe_interval: Span::from_micros(words[6]),
            recent: real(7),
            spread: (real(8), real(9), real(10)),
            anchor: Mark::from_words(&words[11..14]),
            previous: Mark::from_words(&words[14..17]),
            seen: Mark::from_words(&words[17..20]),
            in_a_row: words[20],
            proof: words[21],
        }
    }

    /// Takes in a refusal of a request sent at `mark.at`, when `mark` was accepted before it; returns how long to pause from `now`.
    pub(super) fn refused(
        &mut self,
        mark: Mark,
        hint: Hint,
        now: Time,
        tuning: &CeilingTuning,
    ) -> Span {
        self.note_spread(mark, tuning);
        if self.phase == Phase::Steady && mark.at.since(self.previous.at) <= tuning.drained_window {
            // The bucket was empty a moment ago, so this is a measurement already.
            self.phase = Phase::Measuring;
            self.anchor = self.previous;
        }
        let fresh = mark.at.since(self.anchor.at) <= tuning.drained_window.mul_f64(STALE);
        let isolated = hint == Hint::None && self.is_isolated(mark, tuning);
        let pause = if self.phase != Phase::Measuring || !fresh || isolated {
            self.begin(mark, tuning);
            tuning.gate_default
        } else if mark.requests_since(self.anchor) < LEAST_ACCEPTED {
            self.still_drained(mark, now, tuning)
        } else {
            self.measure(mark, tuning);
            tuning.gate_default
        };
        self.event_at = now;
        self.event_requests = mark.requests;
        self.previous = mark;
        self.pause = pause;
        pause
    }

    /// Takes in a rate that a refusal told at `mark`; it is probed upward like a measured one, for nobody tells when it is raised.
    pub(super) fn told(&mut self, rate: f64, mark: Mark, tuning: &CeilingTuning) {
        self.settle(rate, tuning);
        self.proof = u64::from(tuning.probe_requests);
        self.rate = rate;
        self.event_at = mark.at;
        self.event_requests = mark.requests;
    }

    /// Looks at the counters about once a second: probes upward and ends what has gone quiet.
    pub(super) fn advance(&mut self, mark: Mark, tuning: &CeilingTuning) {
        let elapsed = mark.at.since(self.seen.at);
        if self.seen.at > Time::default() && elapsed > Span::ZERO {
            let rate = mark.rate_since(self.seen).unwrap_or(0.0);
            let weight = 1.0 - (-elapsed.as_secs_f64() / tuning.measure_window.as_secs_f64()).exp();
            self.recent += weight * (rate - self.recent);
        }
        self.seen = mark;
        let quiet = mark.at.since(self.event_at);
        let busy = self.recent > f64::from(tuning.probe_from) * self.rate;
        let thin = self.rate > 0.0 && self.proof < TELLING;
        match self.phase {
            Phase::Measuring if thin && self.recent > FILLED * self.rate => {
                self.outgrow(quiet, elapsed, tuning);
            }
            // Why not a thin one: it would be kept to as if it had been confirmed.
            Phase::Measuring if !thin && quiet > tuning.drained_window.mul_f64(STALE) => {
                self.give_up();
            }
            Phase::Steady if busy && quiet >= self.probe_interval.max(tuning.probe_interval) => {
                let requests = mark.requests.wrapping_sub(self.event_requests);
                let trusted = (TRUST * self.proof as f64) as u64;
                if requests >= trusted.min(u64::from(tuning.probe_requests)) {
                    self.phase = Phase::Probing;
                }
            }
            Phase::Probing if busy => {
                let seconds = elapsed.as_secs_f64().min(tuning.event_gap.as_secs_f64());
                self.rate *= 1.0 + f64::from(tuning.probe_speed) * seconds;
            }
            _ => {}
        }
    }

    /// Variance of the logarithm of single estimates, once there are enough of them to compare.
    pub(super) fn variance(&self) -> Option<f64> {
        let (weight, _, variance) = self.spread;
        (weight >= 3.0).then_some(variance)
    }

    /// Opens a measurement at `mark`.
    fn begin(&mut self, mark: Mark, tuning: &CeilingTuning) {
        if self.phase == Phase::Probing && self.ceiling > 0.0 {
            self.rate = if self.rate > OUTRUN * self.ceiling {
                self.recent * f64::from(tuning.unknown_cut)
            } else {
                self.rate.min(RECHECK * self.ceiling)
            };
        }
        self.phase = Phase::Measuring;
        self.anchor = mark;
        self.in_a_row = 1;
    }

    /// Whether the bucket has not been empty since the last refusal, so that what was accepted since measures demand and not the limit.
    ///
    /// A bucket that is drained is drained again soon after a pause. If it takes longer than `drained_window`, then demand exceeds the
    /// limit by a twentieth at most, or the refusal had another reason: that is believed of a key without a rate only if the
    /// sample is precise and refusals are not rare, and of one that keeps to a settled rate never, for each would lower it further.
    fn is_isolated(&self, mark: Mark, tuning: &CeilingTuning) -> bool {
        let apart = mark.at.since(self.previous.at) > tuning.drained_window;
        let requests = mark.requests_since(self.previous);
        let tells = requests as f64 >= PRECISE && requests < RARE;
        apart && (self.rate < self.ceiling || (self.rate <= 0.0 && !tells))
    }

    /// Refused again before much was accepted: pauses twice as long if that was nothing, and lowers the rate if it happens in a row.
    fn still_drained(&mut self, mark: Mark, now: Time, tuning: &CeilingTuning) -> Span {
        self.in_a_row += 1;
        let soon = now.since(self.anchor.at) <= tuning.lowered_window;
        if soon && self.in_a_row >= u64::from(tuning.lowered_refusals) {
            self.rate *= f64::from(tuning.lowered_cut);
        }
        if mark.requests_since(self.previous) > 0 {
            // It does accept: a longer pause would only keep requests away that it has room for.
            return tuning.gate_default;
        }
        self.pause
            .plus(self.pause)
            .max(tuning.gate_default)
            .min(LONGEST_PAUSE)
    }

    /// Estimates the rate from what was accepted since the anchor, for good if that was long enough.
    fn measure(&mut self, mark: Mark, tuning: &CeilingTuning) {
        self.in_a_row = 1;
        let Some(whole) = mark.rate_since(self.anchor) else {
            return;
        };
        let latest = mark
            .rate_since(self.previous)
            .filter(|_| mark.requests_since(self.previous) >= ENOUGH);
        let estimate = match latest {
            Some(latest) if latest < LOWERED * whole => {
                self.anchor = self.previous;
                latest
            }
            _ => whole,
        };
        let span = mark.at.since(self.anchor.at);
        let accepted = mark.requests_since(self.anchor);
        let requests = accepted as f64;
        self.proof = accepted;
        let longer = span >= tuning.measure_window.mul_f64(LONGER) && accepted >= TELLING;
        if span < tuning.measure_window || !(longer || requests >= PRECISE) {
            self.rate = estimate * (1.0 + UNCERTAIN / requests) * ABOVE;
            return;
        }
        self.settle(estimate, tuning);
        self.rate = estimate * f64::from(tuning.drained_cut);
    }

    /// Takes `ceiling` for the limit; probes less often if it is the same as before.
    fn settle(&mut self, ceiling: f64, tuning: &CeilingTuning) {
        let same = (ceiling / self.ceiling - 1.0).abs() <= f64::from(tuning.same_ceiling);
        self.probe_interval = if same {
            self.probe_interval
                .plus(self.probe_interval)
                .min(tuning.probe_interval_max)
        } else {
            tuning.probe_interval
        };
        self.ceiling = ceiling;
        self.phase = Phase::Steady;
    }

    /// No refusal for a while: the present rate holds.
    fn give_up(&mut self) {
        if self.rate > 0.0 {
            self.phase = Phase::Steady;
            self.ceiling = self.rate;
        } else {
            self.phase = Phase::Free;
        }
    }

    /// Demand fills a rate measured over few requests: past the time that it was measured over, a `measure_window` at least, it doubles in each such time.
    ///
    /// Why: it was low because little was asked for, or the bucket drains soon and is measured again; what was accepted in between tells the rate either way.
    fn outgrow(&mut self, quiet: Span, elapsed: Span, tuning: &CeilingTuning) {
        let measured = self
            .previous
            .at
            .since(self.anchor.at)
            .max(tuning.measure_window);
        if quiet > measured {
            let part =
                elapsed.as_secs_f64().min(tuning.event_gap.as_secs_f64()) / measured.as_secs_f64();
            self.rate *= part.exp2();
        }
    }

    /// Takes the estimate since the previous refusal into the spread.
    fn note_spread(&mut self, mark: Mark, tuning: &CeilingTuning) {
        let fresh = mark.at.since(self.previous.at) <= tuning.drained_window.mul_f64(STALE);
        if !fresh || mark.requests_since(self.previous) < TELLING {
            return;
        }
        let Some(estimate) = mark.rate_since(self.previous) else {
            return;
        };
        let (weight, mean, variance) = self.spread;
        let weight = (weight + 1.0).min(SPREAD_MEMORY);
        let away = estimate.ln() - mean;
        let mean = mean + away / weight;
        let variance = variance + ((estimate.ln() - mean) * away - variance) / weight;
        self.spread = (weight, mean, variance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::Tuning;

    fn tuning() -> CeilingTuning {
        Tuning::default().ceiling
    }

    /// The mark at `millis` after `requests` of 10 units each.
    fn mark(millis: u64, requests: u64) -> Mark {
        Mark {
            at: Time::from_micros(10_000_000 + millis * 1_000),
            units: requests * 10,
            requests,
        }
    }

    fn refused(learner: &mut Learner, mark: Mark) -> Span {
        learner.refused(mark, Hint::None, mark.at, &tuning())
    }

    #[test]
    fn words_hold_the_whole_state() {
        let mut learner = Learner::default();
        refused(&mut learner, mark(0, 100));
        refused(&mut learner, mark(5_000, 150));
        learner.advance(mark(6_000, 160), &tuning());
        learner.advance(mark(7_000, 170), &tuning());
        assert_eq!(Learner::from_words(&learner.words()), learner);
    }

    #[test]
    fn what_was_accepted_between_refusals_is_the_rate() {
        let mut learner = Learner::default();
        refused(&mut learner, mark(0, 10_000));
        assert!(
            learner.rate <= 0.0,
            "the first refusal says when, not how much"
        );
        refused(&mut learner, mark(3_000, 10_030));
        assert!(
            (learner.rate / 100.0 - 1.03).abs() < 0.02,
            "10 requests of 10 units a second, and a little more"
        );
        refused(&mut learner, mark(20_000, 10_200));
        assert_eq!(learner.phase, Phase::Steady);
        assert!((learner.ceiling - 100.0).abs() < 1e-9 && (learner.rate - 97.0).abs() < 1e-3);
    }

    #[test]
    fn a_provider_that_refuses_everything_is_asked_ever_less() {
        let mut learner = Learner {
            rate: 100.0,
            ..Learner::default()
        };
        let mut at = 0;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let pause = refused(&mut learner, mark(at, 500));
            pauses.push(pause.as_micros() / 1_000_000);
            at += pause.as_micros() / 1_000 + 10;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 16, 16]);
        assert!(
            (learner.rate - 70.0).abs() < 1e-3,
            "three refusals in five seconds lower the rate once"
        );
    }

    #[test]
    fn a_pause_grows_only_while_nothing_is_accepted() {
        let mut learner = Learner::default();
        let pauses = [(0, 10), (2_000, 10), (5_000, 11), (8_000, 12), (10_000, 12)];
        let pauses = pauses.map(|(at, requests)| refused(&mut learner, mark(at, requests)));
        assert_eq!(pauses.map(|it| it.as_micros() / 1_000_000), [1, 2, 1, 1, 2]);
    }

    #[test]
    fn a_limit_lowered_meanwhile_is_not_averaged() {
        let mut learner = Learner::default();
        refused(&mut learner, mark(0, 1_000));
        refused(&mut learner, mark(10_000, 1_200));
        refused(&mut learner, mark(14_000, 1_240));
        assert!(
            (learner.rate / 100.0 - 1.03).abs() < 0.02,
            "{}",
            learner.rate
        );
    }

    #[test]
    fn quiet_and_busy_is_probed_upward() {
        let mut learner = Learner {
            phase: Phase::Steady,
            rate: 100.0,
            ceiling: 103.0,
            ..Learner::default()
        };
        for second in 1..=700 {
            learner.advance(mark(second * 1_000, second * 10), &tuning());
        }
        assert_eq!(learner.phase, Phase::Probing);
        assert!(
            learner.rate > 105.0 && learner.rate < 115.0,
            "it stops where demand does: {}",
            learner.rate
        );
        refused(&mut learner, mark(700_500, 7_005));
        assert!(learner.rate <= 1.1 * 103.0 + 1e-9);
    }
}
