//! The words that every request touches: what they hold, and how a request is charged, settled and waited for.
//!
//! # Invariants
//! - Every function here is a handful of relaxed atomic operations; none fails, waits or allocates.
//! - A charge is given back in full or in part at most once: [`settle`] and `reject` consume the [`Charged`].
//! - Words are independent: a reader may see a charge on one mirror and not yet on the other, and errs by one request.

use crate::cell::Word;
use crate::float::larger;
use crate::outcome::Outcome;
use crate::time::{Span, Time};
use crate::tuning::{CeilingTuning, Tuning};

use super::ToldLimits;
use super::gate::{self, HoldReason};
use super::lane::Lane;
use super::mirror::{Fill, Rule};
use super::report::Dimension;

/// Dimensions that are rates: all but concurrency.
pub(super) const RATES: usize = 4;

/// Slack of a dimension that may or may not be the refused one: 20 %, enough for the mix of requests to vary.
const UNDECIDED: f64 = 1.2;

/// Bit of the suspect word: the dimension that is not blamed is known to be innocent.
pub(super) const CLEARED: u64 = 1 << 8;

/// When to ask again after the concurrency limit was met: 250 ms, a short answer's time; nobody knows when one ends.
const CROWDED: Span = Span::from_millis(250);

/// The part of the ceilings on the selector's line.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Until when the route is held, and why; and whether an operator steers it.
    pub(super) hold: Word,
    /// Mirror of requests.
    tat_requests: Word,
    /// Mirror of tokens.
    tat_tokens: Word,
}

/// The rest: the rates, which are read with the gate, and what they are learned from.
#[derive(Debug)]
pub(crate) struct Limits {
    front: Front,
    /// Units taken and not given back, per dimension; wraps.
    pub(super) taken: Taken,
    pub(super) lanes: [Lane; RATES],
    /// The dimension blamed by refusals that name none: its index, plus [`CLEARED`] once the other one is out of the question.
    pub(super) suspect: Word,
    /// When the concurrency limit was last changed, in µs.
    pub(super) crowd_at: Word,
    /// Concurrency that the operator told; 0 = none.
    pub(super) told_concurrency: u32,
    /// Concurrency that was told or learned; 0 = none.
    pub(super) known_concurrency: Word,
    /// Concurrency that an operator has put before it; 0 = none.
    pub(super) own_concurrency: Word,
    pub(super) tuning: CeilingTuning,
    /// Share from which a route is used last.
    full: f32,
    /// Share from which a route is not used at all.
    pub(super) spent: f32,
}

/// One line that the selector reads and only a change of a limit writes, but for the two rarer mirrors.
#[derive(Debug)]
#[repr(align(64))]
struct Front {
    rules: [Word; RATES],
    tat_input: Word,
    tat_output: Word,
    /// Requests in flight allowed; 0 = any number.
    concurrency: Word,
}

/// Counters on a line of their own.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Taken(pub(super) [Word; RATES]);

/// What the tests ask for.
#[cfg(any(test, loom))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standing {
    /// The end of a hold that is on.
    pub(crate) blocked_until: Option<Time>,
    /// The largest share in use of any limit if the request were sent; 0.., 1 = nothing left.
    pub(crate) utilisation: f32,
}

/// The size of a request before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) input_tokens: u32,
    /// `max_tokens`, or the expected output without one.
    pub(crate) reserved_output_tokens: u32,
}

impl Charge {
    /// The units that it takes of each dimension.
    fn units(self, output_charge: f32) -> [f32; RATES] {
        let input = self.input_tokens as f32;
        let output = self.reserved_output_tokens as f32 * output_charge;
        [1.0, input + output, input, output]
    }
}

/// A request as the selector holds it against the limits of every route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    units: [f32; RATES],
    /// Share from which a route is used last.
    full: f32,
}

impl Want {
    /// What a request of the size `charge` wants.
    pub(crate) fn of(charge: Charge, output_charge: f32, full: f32) -> Self {
        Self {
            units: charge.units(output_charge),
            full,
        }
    }
}

/// What one request was charged with, and what had been charged by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charged {
    pub(super) at: Time,
    pub(super) units: [f32; RATES],
    /// The counters right after the charge.
    pub(super) marks: [u64; RATES],
    /// The dimension that the refusal names.
    pub(super) named: Option<Dimension>,
    /// Whether the refusal says when to come back.
    pub(super) hinted: bool,
    /// What the provider told about the room that is left.
    pub(super) room: Room,
}

/// What a provider told about the room left for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// Nothing.
    Unknown,
    /// Every limit that it told has room.
    Enough,
    /// A limit that it told has none.
    Spent,
}

/// The size of a request when it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    pub(crate) input: Option<u32>,
    pub(crate) output: Option<u32>,
    pub(crate) outcome: Outcome,
}

impl Gate {
    pub(crate) fn new(_told: &ToldLimits, _tuning: &Tuning) -> Self {
        Self {
            hold: Word::new(0),
            tat_requests: Word::new(0),
            tat_tokens: Word::new(0),
        }
    }

    /// Holds the route until `until`, if it is not held longer already.
    pub(super) fn hold_until(&self, until: Time, reason: HoldReason) {
        self.hold.update(|word| gate::held(word, until, reason));
    }

    /// Whether there is a hold.
    pub(crate) fn is_held(&self, now: Time) -> bool {
        gate::open_hold(self.hold.load(), now).is_some()
    }

    /// Which of the operator's bits are set.
    pub(crate) fn steered(&self) -> u64 {
        gate::steering(self.hold.load())
    }

    /// Sets these of the operator's bits and clears the others; false if it was given up.
    pub(crate) fn steer(&self, bits: u64) -> bool {
        self.hold.update(|word| gate::steered(word, bits)).is_some()
    }
}

impl Limits {
    pub(crate) fn new(told: &ToldLimits, tuning: &Tuning) -> Self {
        let lanes = [
            Lane::new(told.requests_per_minute),
            Lane::new(told.tokens_per_minute),
            Lane::new(told.input_tokens_per_minute),
            Lane::new(told.output_tokens_per_minute),
        ];
        let limits = Self {
            front: Front {
                rules: core::array::from_fn(|_| Word::new(0)),
                tat_input: Word::new(0),
                tat_output: Word::new(0),
                concurrency: Word::new(u64::from(told.concurrency.unwrap_or(0))),
            },
            taken: Taken(core::array::from_fn(|_| Word::new(0))),
            lanes,
            suspect: Word::new(Dimension::Tokens.index() as u64),
            crowd_at: Word::new(0),
            told_concurrency: told.concurrency.unwrap_or(0),
            known_concurrency: Word::new(u64::from(told.concurrency.unwrap_or(0))),
            own_concurrency: Word::new(0),
            tuning: tuning.ceiling,
            full: tuning.cost.hot_from,
            spent: tuning.cost.full_from,
        };
        for index in 0..RATES {
            limits.publish(index);
        }
        limits
    }

    /// The rule in force of the dimension `index`.
    #[inline]
    pub(super) fn rule(&self, index: usize) -> Rule {
        Rule::unpack(self.front.rules[index].load())
    }

    /// Requests in flight allowed; 0 = any number.
    pub(super) fn concurrency(&self) -> u64 {
        self.front.concurrency.load()
    }

    /// Puts the operator's concurrency in force, else the one that is known.
    pub(super) fn publish_concurrency(&self) {
        self.front
            .concurrency
            .update(|_| match self.own_concurrency.load() {
                0 => self.known_concurrency.load(),
                own => own,
            });
    }

    /// The mirror of the dimension `index`.
    #[inline]
    pub(super) fn tat<'a>(&'a self, gate: &'a Gate, index: usize) -> &'a Word {
        match index {
            0 => &gate.tat_requests,
            1 => &gate.tat_tokens,
            2 => &self.front.tat_input,
            _ => &self.front.tat_output,
        }
    }

    /// Puts the lowest ceiling of the dimension `index` in force.
    pub(super) fn publish(&self, index: usize) {
        let rule = self.lanes[index]
            .force(self.slack(index), self.mean(index), &self.tuning)
            .rule;
        self.front.rules[index].update(|_| rule.pack());
    }

    /// The dimension blamed by refusals that name none: its index.
    pub(super) fn suspect(&self) -> usize {
        (self.suspect.load() & !CLEARED) as usize
    }

    /// By how much the rate learned for the dimension `index` may be exceeded, as a ratio: 1 if it is blamed.
    pub(super) fn slack(&self, index: usize) -> f64 {
        let word = self.suspect.load();
        if word & !CLEARED == index as u64 {
            1.0
        } else if word & CLEARED == 0 && index <= Dimension::Tokens.index() {
            UNDECIDED
        } else {
            f64::INFINITY
        }
    }

    /// Mean units of a request.
    pub(super) fn mean(&self, index: usize) -> f64 {
        let requests = self.taken.0[Dimension::Requests.index()].load().max(1);
        self.taken.0[index].load() as f64 / requests as f64
    }

    /// The units that `charge` takes of each dimension.
    fn units(&self, charge: Charge) -> [f32; RATES] {
        charge.units(self.tuning.output_charge)
    }
}

/// What the selector reads of a route's ceilings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The mirrors of requests and of tokens.
    pub(crate) fills: [Fill; 2],
    /// The largest share in use of all other ceilings; 0 upward.
    pub(crate) others: f32,
    /// Whether it is held, or an operator may steer it.
    pub(crate) aside: bool,
}

/// Reads the ceilings as they would be if `want` were sent now.
#[inline(always)]
pub(crate) fn see(gate: &Gate, limits: &Limits, want: &Want, inflight: u32, now: Time) -> Seen {
    let front = &limits.front;
    let most = front.concurrency.load();
    // Why together: few providers count input and output apart, and few limits of concurrency are known.
    let rare = front.rules[2].load() | front.rules[3].load() | most;
    let fill = |index: usize, tat: &Word| Fill::of(limits.rule(index), tat.load(), now);
    Seen {
        fills: [fill(0, &gate.tat_requests), fill(1, &gate.tat_tokens)],
        others: if rare == 0 {
            0.0
        } else {
            others(limits, want, inflight, most, now)
        },
        aside: gate::is_aside(gate.hold.load(), now),
    }
}

/// The largest share in use of the ceilings that few providers have.
#[inline(never)]
fn others(limits: &Limits, want: &Want, inflight: u32, most: u64, now: Time) -> f32 {
    let crowd = if most == 0 {
        0.0
    } else {
        inflight as f32 / most as f32
    };
    let used = |index: usize, tat: &Word| {
        let fill = Fill::of(limits.rule(index), tat.load(), now);
        fill.used(want.units[index], want.full)
    };
    crowd
        .max(used(2, &limits.front.tat_input))
        .max(used(3, &limits.front.tat_output))
}

/// The largest share in use: of the mirrors that are always read, and of `others`.
#[inline(always)]
pub(crate) fn utilisation(fills: [Fill; 2], others: f32, want: &Want) -> f32 {
    let [requests, tokens] = fills;
    let both = larger(
        requests.used(want.units[0], want.full),
        tokens.used(want.units[1], want.full),
    );
    larger(both, others)
}

/// How the route stands towards its limits if a request like `charge` were sent now.
#[cfg(any(test, loom))]
pub(crate) fn standing(
    gate: &Gate,
    limits: &Limits,
    charge: Charge,
    inflight: u32,
    now: Time,
) -> Standing {
    let want = Want::of(charge, limits.tuning.output_charge, limits.full);
    let seen = see(gate, limits, &want, inflight, now);
    Standing {
        blocked_until: gate::open_hold(gate.hold.load(), now),
        utilisation: utilisation(seen.fills, seen.others, &want),
    }
}

/// How long until a request like `charge` would fit; zero if it fits now.
pub(crate) fn wait(gate: &Gate, limits: &Limits, charge: Charge, inflight: u32, now: Time) -> Span {
    let most = limits.front.concurrency.load();
    let crowded = most > 0 && inflight as f32 >= limits.full * most as f32;
    let mut longest = if crowded { CROWDED } else { Span::ZERO };
    if let Some(until) = gate::open_hold(gate.hold.load(), now) {
        longest = longest.max(until.since(now));
    }
    longest.max(mirror_wait(gate, limits, limits.units(charge), now))
}

/// How long until `units` fit every mirror.
pub(super) fn mirror_wait(gate: &Gate, limits: &Limits, units: [f32; RATES], now: Time) -> Span {
    let one = |index: usize| {
        limits.rule(index).wait(
            limits.tat(gate, index).load(),
            units[index],
            limits.full,
            now,
        )
    };
    (0..RATES).map(one).max().unwrap_or(Span::ZERO)
}

/// Charges a request that is about to be sent.
pub(crate) fn charge(gate: &Gate, limits: &Limits, charge: Charge, now: Time) -> Charged {
    let units = limits.units(charge);
    let mut marks = [0; RATES];
    for index in 0..RATES {
        let rule = limits.rule(index);
        if !rule.is_none() {
            limits
                .tat(gate, index)
                .update(|tat| rule.charged(tat, f64::from(units[index]), now));
        }
        let whole = units[index] as u64;
        marks[index] = limits.taken.0[index].fetch_add(whole).wrapping_add(whole);
    }
    Charged {
        at: now,
        units,
        marks,
        named: None,
        hinted: false,
        room: Room::Unknown,
    }
}

/// Replaces the charge of a request that has ended by what it used.
pub(crate) fn settle(gate: &Gate, limits: &Limits, charged: Charged, settled: Settled, now: Time) {
    let [request, _, input, output] = charged.units;
    let (spent_input, spent_output) = match settled.outcome {
        // Nothing was generated; whether the prompt was counted is not known.
        Outcome::ServerError
        | Outcome::Overloaded
        | Outcome::KeyRejected
        | Outcome::Unsupported
        | Outcome::Rejected => (input, 0.0),
        Outcome::Unreachable | Outcome::RateLimited => (0.0, 0.0),
        _ => (input, output),
    };
    let input = settled.input.map_or(spent_input, |tokens| tokens as f32);
    let output = settled.output.map_or(spent_output, |tokens| tokens as f32);
    let request = if settled.outcome == Outcome::Unreachable {
        0.0
    } else {
        request
    };
    correct(
        gate,
        limits,
        &charged,
        [request, input + output, input, output],
        now,
    );
}

/// Moves the mirrors and the counters from what was charged to what was `spent`.
pub(super) fn correct(
    gate: &Gate,
    limits: &Limits,
    charged: &Charged,
    spent: [f32; RATES],
    now: Time,
) {
    for (index, spent) in spent.into_iter().enumerate() {
        let surplus = charged.units[index] - spent;
        let rule = limits.rule(index);
        if surplus > 0.0 {
            let returned = f64::from(surplus) * limits.lanes[index].refund_share();
            if !rule.is_none() {
                limits
                    .tat(gate, index)
                    .update(|tat| rule.refunded(tat, returned));
            }
            limits.taken.0[index].fetch_sub(returned as u64);
        } else if surplus < 0.0 {
            if !rule.is_none() {
                limits
                    .tat(gate, index)
                    .update(|tat| rule.charged(tat, f64::from(-surplus), now));
            }
            limits.taken.0[index].fetch_add(-surplus as u64);
        }
    }
}
