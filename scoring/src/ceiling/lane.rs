//! Everything off the hot line that is known of one dimension: what was told, what was read, what was learned.
//!
//! The ceiling in force is the lowest of the three; its depth is the window of whoever set it, made shallower when the provider turns out to cap shorter slices.
//! An operator's own limit goes before all of them as long as it is there.
//!
//! # Invariants
//! - No ceiling is ever above what the configuration told, unless an operator said so since.
//! - The learner's words have one writer at a time: whoever took the claim; others skip, nobody waits.

use crate::cell::Word;
use crate::time::{Span, Time};
use crate::tuning::CeilingTuning;

use super::learner::{Learner, Mark, WORDS};
use super::mirror::Rule;
use super::report::{LimitSource, MINUTE, QUOTA_WINDOW};
use super::view::Source;

/// Slices shorter than a minute that providers cap, from the longest: 10 s and 1 s.
const SLICES: [Span; 2] = [Span::from_secs(10), Span::from_secs(1)];

/// Rate kept where slices are capped, as a part: one request too many in a slice closes the key to its end, which costs more than this.
const SLICED: f64 = 0.99;

/// Bits of the slice's number, below the time.
const SLICE_BITS: u32 = 2;

/// Mask of the slice's number.
const SLICE_MASK: u64 = (1 << SLICE_BITS) - 1;

/// Requests that a learned bucket holds at least: pacing single requests of a small limit would hold back what it admits.
const LEAST_BURST: f64 = 3.0;

/// How often in a row a window must have been seen before, to be believed: a fixed window looks plausible by chance once in twenty readings.
const BELIEVED_AFTER: u64 = 2;

/// Bit of the claim word that is set while somebody works on the learner.
const BUSY: u64 = 1 << 63;

/// Source of a limit that was read in a body.
const BODY: u64 = 1;

/// How far a limit may differ before it counts as another one, as a part: headers are exact, but kept in 32 bits.
const SAME_LIMIT: f64 = 1e-3;

/// One dimension's cold state.
#[derive(Debug)]
pub(super) struct Lane {
    /// Units per second that the operator told; 0 = none.
    told: f64,
    /// Units per minute that an operator has put before everything else; 0 = none.
    own: Word,
    /// Limit and window in seconds last read, two `f32`; 0 = none.
    stated: Word,
    /// Where the limit was last read: 0 in a header, or [`BODY`].
    stated_source: Word,
    /// When a slice was last found to be capped, in µs, and below it which: 0 none, 1 and 2 the first and second of [`SLICES`].
    slices: Word,
    /// A window seen but not believed yet, in µs, and below it how often in a row (2 bits).
    rumour: Word,
    /// Whether a refusal has named this dimension.
    named: Word,
    /// Part of unused tokens that the provider gives back, as `f32` bits; 0..=1.
    refund: Word,
    /// When the mirror was last compared with a header, in µs.
    pub(super) compared_at: Word,
    /// Busy bit and the end of the pause after the last refusal taken in, in µs.
    claim: Word,
    learner: [Word; WORDS],
}

/// What is in force for a dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Force {
    pub(super) rule: Rule,
    pub(super) source: Source,
}

/// What became of the assumption that the provider caps a shorter slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortened {
    /// It is new.
    Now,
    /// It was made this long ago, and the slice may not have ended yet.
    Before(Span),
    /// There is no shorter slice to assume.
    Already,
}

impl Lane {
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        Self {
            told: f64::from(per_minute.unwrap_or(0)) / MINUTE.as_secs_f64(),
            own: Word::new(0),
            stated: Word::new(0),
            stated_source: Word::new(0),
            slices: Word::new(0),
            rumour: Word::new(0),
            named: Word::new(0),
            refund: Word::new(u64::from(1.0_f32.to_bits())),
            compared_at: Word::new(0),
            claim: Word::new(0),
            learner: core::array::from_fn(|_| Word::new(0)),
        }
    }

    /// What is in force, with the learned rate times `slack` unless a refusal named this dimension.
    /// `mean` is the size of a request in units.
    pub(super) fn force(&self, slack: f64, mean: f64, tuning: &CeilingTuning) -> Force {
        if let Some(own) = self.own() {
            return Force {
                rule: Rule::new(f64::from(own) / MINUTE.as_secs_f64(), MINUTE),
                source: Source::Operator,
            };
        }
        let mut force = Force {
            rule: Rule::new(self.told, MINUTE),
            source: Source::Told,
        };
        let lower = |rate: f64, force: &Force| {
            rate > 0.0 && (force.rule.is_none() || rate < force.rule.rate())
        };
        let learned = self.learner().rate;
        let (limit, window) = self.stated();
        let body = self.stated_source.load() == BODY;
        let stated = if body && learned > 0.0 {
            learned
        } else {
            limit / window.as_secs_f64()
        };
        if limit > 0.0 && window < QUOTA_WINDOW && lower(stated, &force) {
            let source = if body { Source::Body } else { Source::Header };
            force = Force {
                rule: Rule::new(stated, window),
                source,
            };
        }
        let slack = if self.named.load() == 0 { slack } else { 1.0 };
        let learned = learned * slack;
        if !body && learned.is_finite() && lower(learned, &force) {
            let depth = Self::slice_depth(SLICES[0], tuning)
                .max(Span::from_secs_f64(LEAST_BURST * mean / learned));
            force = Force {
                rule: Rule::new(learned, depth),
                source: Source::Learned,
            };
        }
        if let Some(slice) = ((self.slices.load() & SLICE_MASK) as usize)
            .checked_sub(1)
            .and_then(|index| SLICES.get(index))
        {
            let depth = force.rule.depth().min(Self::slice_depth(*slice, tuning));
            force.rule = Rule::new(force.rule.rate() * SLICED, depth);
        }
        force
    }

    /// Units per minute that an operator has put before everything else.
    pub(super) fn own(&self) -> Option<u32> {
        u32::try_from(self.own.load()).ok().filter(|own| *own > 0)
    }

    /// Puts an operator's units per minute before everything else, or takes them away.
    pub(super) fn set_own(&self, per_minute: Option<u32>) {
        self.own.store(per_minute.unwrap_or(0).into());
    }

    /// The depth that admits `slice_burst` times the rate in a slice.
    fn slice_depth(slice: Span, tuning: &CeilingTuning) -> Span {
        slice
            .mul_f64(f64::from(tuning.slice_burst) - 1.0)
            .max(Span::from_millis(1))
    }

    /// Assumes a shorter slice than before, unless the last assumption has not had the time to show its effect.
    pub(super) fn shorten(&self, now: Time) -> Shortened {
        let pack = |slices: u64| (now.as_micros() << SLICE_BITS) | slices;
        let soon = |word: u64| {
            let since = now.since(Time::from_micros(word >> SLICE_BITS));
            (word & SLICE_MASK > 0 && since < SLICES[0]).then_some(since)
        };
        let step = |word: u64| {
            let slices = word & SLICE_MASK;
            if soon(word).is_some() || slices >= SLICES.len() as u64 {
                word
            } else {
                pack(slices + 1)
            }
        };
        match self.slices.update(step) {
            Some(swap) if swap.before != swap.after => Shortened::Now,
            Some(swap) => soon(swap.before).map_or(Shortened::Already, Shortened::Before),
            None => Shortened::Already,
        }
    }

    /// The limit and the window last read; a limit of 0 is none.
    fn stated(&self) -> (f64, Span) {
        let word = self.stated.load();
        if word == 0 {
            return (0.0, MINUTE);
        }
        let window = Span::from_secs_f64(f64::from(f32::from_bits(word as u32)));
        (f64::from(f32::from_bits((word >> 32) as u32)), window)
    }

    /// The window to read a limit with, when this reading shows `seen`.
    ///
    /// A continuous bucket shows the same window at every reading; a fixed one shows another each time, some of them plausible.
    pub(super) fn window(&self, seen: Option<Span>) -> Span {
        let (limit, stated) = self.stated();
        let present = if limit > 0.0 { stated } else { MINUTE };
        let Some(seen) = seen.filter(|seen| *seen != present) else {
            if self.rumour.load() != 0 {
                self.rumour.store(0);
            }
            return present;
        };
        let rumour = self.rumour.load();
        let heard = if rumour >> 2 == seen.as_micros() {
            rumour & 3
        } else {
            0
        };
        if heard >= BELIEVED_AFTER {
            self.rumour.store(0);
            return seen;
        }
        self.rumour.store((seen.as_micros() << 2) | (heard + 1));
        present
    }

    /// Takes in a limit that was read when `mark` had been accepted; true if it differs from the last one.
    ///
    /// Another limit makes all that was learned void.
    /// A limit from a body is what to return to after a probe.
    pub(super) fn state(
        &self,
        (limit, window): (f64, Span),
        source: LimitSource,
        mark: Mark,
        tuning: &CeilingTuning,
    ) -> bool {
        let (old, old_window) = self.stated();
        let changed = (limit / old - 1.0).abs() >= SAME_LIMIT || old_window != window;
        let body = source == LimitSource::Body;
        if changed {
            let word = (u64::from((limit as f32).to_bits()) << 32)
                | u64::from((window.as_secs_f64() as f32).to_bits());
            self.stated.store(word);
            self.stated_source.store(if body { BODY } else { 0 });
            self.slices.store(0);
        }
        if (changed || body)
            && let Some(claimed) = self.claim()
        {
            let mut learner = if changed {
                Learner::default()
            } else {
                claimed.learner()
            };
            if body && window < QUOTA_WINDOW {
                learner.told(limit / window.as_secs_f64(), mark, tuning);
            }
            claimed.keep(&learner);
        }
        changed
    }

    /// Part of unused tokens that the provider gives back; 0..=1.
    pub(super) fn refund_share(&self) -> f64 {
        f64::from(f32::from_bits(self.refund.load() as u32))
    }

    /// Moves the part given back by `step`.
    pub(super) fn adapt_refund(&self, step: f32) {
        self.refund.update(|word| {
            u64::from(
                (f32::from_bits(word as u32) + step)
                    .clamp(0.0, 1.0)
                    .to_bits(),
            )
        });
    }

    /// Remembers that a refusal named this dimension.
    pub(super) fn name(&self) {
        self.named.store(1);
    }

    /// What was learned; torn while somebody is writing, which only a view may notice.
    pub(super) fn learner(&self) -> Learner {
        Learner::from_words(&core::array::from_fn(|index| self.learner[index].load()))
    }

    /// The right to change what was learned, unless somebody else has it.
    pub(super) fn claim(&self) -> Option<Claimed<'_>> {
        let swap = self.claim.update(|word| word | BUSY)?;
        // Why lazily: a claim that was not given must not be dropped, which would end somebody else's.
        (swap.before & BUSY == 0).then(|| Claimed {
            lane: self,
            taken_at: swap.before,
        })
    }

    /// The right to take in a refusal of a request sent at `sent`; none if it was sent before the last one was answered, or in the pause that followed.
    pub(super) fn claim_event(&self, sent: Time, now: Time) -> Option<Claimed<'_>> {
        let news = |word: u64| word & BUSY == 0 && sent.as_micros() > word;
        let swap = self
            .claim
            .update(|word| if news(word) { word | BUSY } else { word })?;
        news(swap.before).then(|| Claimed {
            lane: self,
            taken_at: now.as_micros(),
        })
    }
}

/// The right to change what a lane has learned; ends when dropped.
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    lane: &'a Lane,
    taken_at: u64,
}

impl Claimed<'_> {
    /// What is sent until `until` is a retry on a route known to be full: its refusal will be no news.
    pub(super) fn pause_until(&mut self, until: Time) {
        self.taken_at = until.as_micros();
    }

    /// Writes what was learned.
    pub(super) fn keep(&self, learner: &Learner) {
        for (word, bits) in self.lane.learner.iter().zip(learner.words()) {
            word.store(bits);
        }
    }

    /// What was learned so far.
    pub(super) fn learner(&self) -> Learner {
        self.lane.learner()
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        self.lane.claim.store(self.taken_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_not_given_leaves_the_others_alone() {
        let at = |ms: u64| Time::from_micros(ms * 1_000);
        let lane = Lane::new(None);
        let mut held = lane.claim_event(at(10), at(20)).unwrap();
        assert!(lane.claim().is_none() && lane.claim_event(at(30), at(40)).is_none());
        assert!(lane.claim().is_none(), "it is still held");
        held.pause_until(at(1_000));
        drop(held);
        assert!(lane.claim_event(at(500), at(510)).is_none());
        assert!(
            lane.claim_event(at(600), at(610)).is_none(),
            "nor after that"
        );
        assert!(lane.claim().is_some());
        assert!(lane.claim_event(at(1_001), at(1_002)).is_some());
    }
}
