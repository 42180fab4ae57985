//! A few candidates, priced side by side.
//!
//! Every formula is a function of one route; here it is applied to [`LANES`] of them in loops that the compiler vectorises.
//! What only ailing routes need (ramp, taper, gates) is decided one by one, and not at all while every route of the block is well.
//!
//! # Invariants
//! - A lane without a candidate is gated as tried, costs `f32::MAX` and weighs nothing.

#![expect(
    clippy::needless_range_loop,
    reason = "a lane is an index into a dozen arrays at once, and the loops are vectorised as they stand"
)]

use crate::ceiling;
use crate::cost::{self, Reading};
use crate::float::{larger, smaller};
use crate::health::{Circuit, Position};
use crate::latency::Model;
use crate::route::{self, Asked};
use crate::rules::Rules;
use crate::time::Time;
use crate::tuning::CostTuning;

use super::lanes::{LANES, Lane, Lanes};
use super::{Candidate, Gate, Tried};

/// What [`Block::seen`] is when every candidate is cold.
const ALL_COLD: u32 = 1 << Gate::Cold as u32;

/// Bit of [`Block::seen`] above those of the gates: a candidate is pinned, and may be used.
pub(super) const SAW_PINNED: u32 = 1 << 31;

/// Up to [`LANES`] candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// How many.
    len: usize,
    /// Gates seen, as bits of `1 << Gate`, and [`SAW_PINNED`].
    pub(super) seen: u32,
    /// Lanes that are pinned and may be used, as bits.
    pinned: u32,
    /// Lanes whose class was never measured, as bits.
    unmeasured: u32,
    /// Lanes that are recovering, as bits.
    recovering: u32,
    pub(super) gates: Lane<Gate>,
    model_ms: Lane<f32>,
    drift: Lane<f32>,
    failure: Lane<f32>,
    fail_ms: Lane<f32>,
    utilisation: Lane<f32>,
    price_ms: Lane<f32>,
    /// Part of the weight left by ramp or taper; 0..=1.
    share: Lane<f32>,
    /// What a success takes, then the expected cost.
    pub(super) cost: Lane<f32>,
    /// Draw weights; 0 outside the band.
    pub(super) weight: Lane<f32>,
}

impl Block {
    pub(super) const EMPTY: Self = Self {
        len: 0,
        seen: 0,
        pinned: 0,
        unmeasured: 0,
        recovering: 0,
        gates: [Gate::Cold; LANES],
        model_ms: [0.0; LANES],
        drift: [0.0; LANES],
        failure: [0.0; LANES],
        fail_ms: [0.0; LANES],
        utilisation: [0.0; LANES],
        price_ms: [0.0; LANES],
        share: [0.0; LANES],
        cost: [0.0; LANES],
        weight: [0.0; LANES],
    };

    /// What each route says of itself.
    #[inline(always)]
    pub(super) fn look(
        &mut self,
        lanes: &mut Lanes,
        candidates: &[Candidate],
        asked: &Asked,
        rules: &Rules,
    ) {
        self.len = candidates.len().min(LANES);
        for (lane, candidate) in candidates.iter().enumerate() {
            // Why: tells the compiler that no index below is out of bounds.
            if lane >= LANES {
                break;
            }
            lanes.put(lane, &candidate.route.glance(asked, rules));
            self.weight[lane] = candidate.weight;
        }
        let odd = self.compute(lanes, asked, rules);
        self.share = [1.0; LANES];
        let any = odd.iter().fold(0, |any, odd| any | odd);
        if any == 0 && self.len == LANES {
            self.seen = ALL_COLD;
        } else {
            self.gate(lanes, &odd, rules);
            if lanes.aside.iter().take(self.len).any(|aside| *aside) {
                self.look_closer(lanes, candidates, asked.now(), rules);
            }
        }
        if rules.tuning.cost.ms_per_millidollar > 0.0 {
            self.price(candidates, asked, &rules.tuning.cost);
        }
    }

    /// Latency, failure and utilisation; not 0 for the candidates that must be looked at one by one.
    #[inline(always)]
    fn compute(&mut self, lanes: &Lanes, asked: &Asked, rules: &Rules) -> Lane<u32> {
        let tuning = &rules.tuning;
        let (limit, hot) = (tuning.draw.taper_from, tuning.cost.hot_from);
        let mut odd = [0; LANES];
        for lane in 0..LANES {
            let (slow, fast) = lanes.counts(lane);
            let failure = route::failure(slow, fast, lanes.parent[lane], &tuning.error);
            let used = ceiling::utilisation(lanes.fills(lane), lanes.others[lane], &asked.want);
            let drift = lanes.drift(lane);
            self.failure[lane] = failure;
            self.utilisation[lane] = used;
            self.model_ms[lane] = Model::predict(lanes.model(lane), &asked.weights);
            self.drift[lane] = cost::exp(drift.exponent(&tuning.latency));
            let proven = route::is_proven(slow, limit);
            let doubted = Circuit::doubt_of(lanes.circuit[lane]) >= rules.doubt_from;
            odd[lane] = lanes.shut[lane]
                | u32::from(doubted)
                | u32::from(drift.scale == 0)
                | u32::from(used >= hot)
                | u32::from(proven);
        }
        self.fail_ms = lanes.fail_ms;
        odd
    }

    /// Gates, ramp, taper and doubt of the candidates that are `odd`, one by one.
    fn gate(&mut self, lanes: &Lanes, odd: &Lane<u32>, rules: &Rules) {
        for lane in self.len..LANES {
            self.gates[lane] = Gate::Tried;
        }
        for lane in 0..self.len.min(LANES) {
            if odd[lane] != 0 {
                self.gate_one(lane, lanes, rules);
            }
            self.seen |= 1 << self.gates[lane] as u32;
        }
    }

    fn gate_one(&mut self, lane: usize, lanes: &Lanes, rules: &Rules) {
        let draw = &rules.tuning.draw;
        let position = Position::of(lanes.circuit[lane]);
        self.gates[lane] = self.gate_of(lane, position, lanes.aside[lane], rules);
        self.unmeasured |= u32::from(lanes.drift(lane).scale == 0) << lane;
        if position == Position::Recovering {
            // Why: its past is what the ramp is for; counted in the cost as well, it would keep the route from ever proving itself.
            self.recovering |= 1 << lane;
            self.share[lane] = Circuit::unpack(lanes.circuit[lane]).share(&rules.tuning.circuit);
            self.failure[lane] = smaller(self.failure[lane], draw.taper_from);
        } else {
            let (slow, _) = lanes.counts(lane);
            if route::is_proven(slow, draw.taper_from) {
                self.share[lane] = rules.taper(route::proven_failure(slow));
            }
            let doubt = Circuit::doubt_of(lanes.circuit[lane]);
            if doubt >= rules.doubt_from {
                let left = doubt as f32 * lanes.rested[lane];
                self.share[lane] = smaller(self.share[lane], rules.trust(left));
            }
        }
        self.weight[lane] *= self.share[lane];
    }

    /// The gate of a candidate, where it is or is not held.
    fn gate_of(&self, lane: usize, position: Position, held: bool, rules: &Rules) -> Gate {
        let cost = &rules.tuning.cost;
        gate(
            position,
            held,
            self.utilisation[lane],
            (cost.hot_from, cost.full_from),
        )
    }

    /// Tells candidates that are held from those that an operator steers: drained, or pinned and free to be used.
    #[cold]
    #[inline(never)]
    fn look_closer(&mut self, lanes: &Lanes, candidates: &[Candidate], now: Time, rules: &Rules) {
        for (lane, candidate) in candidates.iter().enumerate().take(self.len) {
            let (route, position) = (&candidate.route, Position::of(lanes.circuit[lane]));
            if !lanes.aside[lane] || !route.may_be_steered() {
                continue;
            }
            let steered = route.steered(now);
            self.gates[lane] = if steered & ceiling::DRAINED != 0 {
                Gate::Drained
            } else {
                self.gate_of(lane, position, route.is_held(now), rules)
            };
            if steered & ceiling::PINNED != 0 && self.gates[lane].is_closed() {
                self.pinned |= 1 << lane;
            }
        }
        self.see();
    }

    /// Notes which gates there are.
    fn see(&mut self) {
        let pinned = if self.pinned == 0 { 0 } else { SAW_PINNED };
        let gates = self.gates.iter().take(self.len);
        self.seen = gates.fold(pinned, |seen, gate| seen | 1 << *gate as u32);
    }

    /// Whether a candidate is pinned, and may be used.
    pub(super) fn is_pinned(&self, lane: usize) -> bool {
        self.pinned >> lane & 1 == 1
    }

    #[inline(never)]
    fn price(&mut self, candidates: &[Candidate], asked: &Asked, tuning: &CostTuning) {
        for (candidate, price_ms) in candidates.iter().zip(&mut self.price_ms) {
            *price_ms = candidate.rates.price_ms(asked.input, asked.output, tuning);
        }
    }

    /// Gates what was tried; the first candidate is number `first` of the pool.
    pub(super) fn exclude(&mut self, tried: &Tried, first: usize) {
        for lane in 0..self.len {
            if tried.contains(first + lane) {
                self.gates[lane] = Gate::Tried;
                self.pinned &= !(1 << lane);
            }
        }
        self.see();
    }

    /// Whether a candidate is measured, cold, and drawn with its whole weight.
    pub(super) fn is_well(&self, lane: usize) -> bool {
        self.gates[lane] == Gate::Cold
            && self.unmeasured >> lane & 1 == 0
            && self.share[lane] >= 1.0
    }

    /// The sum of the latencies that were measured, and their number.
    pub(super) fn measured(&self) -> (f32, usize) {
        let known = (0..self.len).filter(|lane| self.unmeasured >> lane & 1 == 0);
        known.fold((0.0, 0), |(sum, count), lane| {
            (sum + self.model_ms[lane] * self.drift[lane], count + 1)
        })
    }

    /// Whether every candidate was measured.
    pub(super) fn is_measured(&self) -> bool {
        self.unmeasured == 0
    }

    /// Assumes `mean_ms` of what was not measured.
    pub(super) fn seed(&mut self, mean_ms: f32) {
        for lane in (0..self.len).filter(|lane| self.unmeasured >> lane & 1 == 1) {
            self.model_ms[lane] = mean_ms;
            self.drift[lane] = 1.0;
        }
    }

    /// Puts what a success takes into the cost.
    #[inline(always)]
    pub(super) fn succeed(&mut self, tuning: &CostTuning) {
        for lane in 0..LANES {
            self.cost[lane] = cost::success_ms(&self.reading(lane), tuning);
        }
        self.pad();
    }

    /// Turns what a success takes into the expected cost.
    #[inline(always)]
    pub(super) fn cost(&mut self, alternative_ms: f32, tuning: &CostTuning) {
        for lane in 0..LANES {
            self.cost[lane] = cost::expected_ms(&self.reading(lane), alternative_ms, tuning);
        }
        self.pad();
    }

    #[inline(always)]
    fn pad(&mut self) {
        if self.len < LANES {
            self.cost[self.len..].fill(f32::MAX);
        }
    }

    /// Lowers `least`, lane by lane, to the cost of the candidates whose gate is `wanted`.
    #[inline(always)]
    pub(super) fn lower(&self, least: &mut Lane<f32>, wanted: impl Fn(Gate) -> bool) {
        if self.seen == ALL_COLD && wanted(Gate::Cold) {
            for lane in 0..LANES {
                least[lane] = smaller(self.cost[lane], least[lane]);
            }
            return;
        }
        for lane in 0..self.len {
            if wanted(self.gates[lane]) {
                least[lane] = smaller(self.cost[lane], least[lane]);
            }
        }
    }

    /// Takes the weight from what costs more than `outer` or is not cold, and a part of it above the band, where it falls by `slope` for each ms; adds the rest to `total`, and returns how many are inside.
    #[inline(always)]
    pub(super) fn weigh(&mut self, (outer, slope): (f32, f32), total: &mut Lane<f32>) -> u32 {
        if self.seen != ALL_COLD {
            for lane in 0..LANES {
                if lane >= self.len || !self.gates[lane].is_cold() {
                    self.weight[lane] = 0.0;
                }
            }
        }
        let mut inside = 0;
        for lane in 0..LANES {
            let left = (outer - self.cost[lane]) * slope;
            let part = larger(smaller(left, 1.0), 0.0);
            self.weight[lane] *= part;
            total[lane] += self.weight[lane];
            inside += u32::from(self.weight[lane] > 0.0);
        }
        inside
    }

    /// What was read of a candidate.
    #[inline(always)]
    pub(super) fn reading(&self, lane: usize) -> Reading {
        Reading {
            model_ms: self.model_ms[lane],
            drift: self.drift[lane],
            failure: self.failure[lane],
            fail_ms: self.fail_ms[lane],
            utilisation: self.utilisation[lane],
            price_ms: self.price_ms[lane],
        }
    }

    /// Parts of a candidate's weight left by the ramp, and by taper and doubt; 0..=1 each.
    pub(super) fn parts(&self, lane: usize) -> (f32, f32) {
        if self.recovering >> lane & 1 == 1 {
            (self.share[lane], 1.0)
        } else {
            (1.0, self.share[lane])
        }
    }
}

#[inline]
fn gate(position: Position, blocked: bool, utilisation: f32, (hot, full): (f32, f32)) -> Gate {
    match position {
        Position::Unsupported => Gate::Incapable,
        Position::KeyHeld => Gate::Held,
        _ if blocked => Gate::Blocked,
        Position::Open => Gate::Open,
        _ if utilisation >= full => Gate::Full,
        _ if utilisation >= hot => Gate::Hot,
        Position::Recovering => Gate::Recovering,
        Position::Closed => Gate::Cold,
    }
}
