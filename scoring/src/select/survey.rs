//! What every candidate looks like for one request: gates, cost, band and draw weight.
//!
//! Two passes over the candidates, on the stack: the first reads a line or two of each route, the second prices them against the best alternative.
//! The route that served the request's session last then costs less by what it still keeps of the prompt.
//! Both go by blocks of eight, each quantity side by side, so that the arithmetic is vectorised.
//!
//! # Invariants
//! - A survey writes nothing: selecting and explaining compute it by the same functions.
//! - Draw weights are finite, not negative, and positive only inside the band and its soft edge.

use crate::affinity::{self, Affinity, Warmth};
use crate::cost::{self, Reading, Terms};
use crate::float::{larger, smaller};
use crate::route::Asked;
use crate::rules::Rules;

use super::block::{Block, SAW_PINNED};
use super::lanes::{LANES, Lane, Lanes};
use super::{Candidate, Gate, Pool, Tried};

/// Part of the weight left by failures below which a route gets too few requests to clear itself, and is explored like one outside the band.
const TAPERED: f32 = 0.5;
/// Relative error that sums over all candidates may have: alone in the band, a route costs as much as the draw.
const SUM_ERROR: f32 = 1e-5;
/// Multiples of `explore_stale` after which that happens: its failures are known, so it is less worth knowing.
const TAPERED_PATIENCE: u32 = 5;

/// The candidate that still keeps a part of the request's prompt.
#[derive(Clone, Copy, Debug)]
struct Home {
    index: usize,
    /// What that saves, in ms; > 0.
    saved_ms: f32,
}

/// Every candidate, surveyed; `N` blocks hold at least their number.
#[derive(Debug)]
pub(super) struct Survey<const N: usize> {
    len: usize,
    blocks: [Block; N],
    /// Latency of the best alternative, in ms.
    pub(super) alternative_ms: f32,
    /// Least cost of any candidate that regular traffic may use; of any at all if there is none.
    best: f32,
    /// Sum of the draw weights.
    pub(super) total: f32,
    pub(super) band: u16,
    /// Gates seen, as bits of `1 << Gate`, and [`SAW_PINNED`].
    seen: u32,
    /// Where the request's session is at home, if that is worth anything.
    home: Option<Home>,
}

impl<const N: usize> Survey<N> {
    /// Nothing surveyed yet.
    pub(super) const EMPTY: Self = Self {
        len: 0,
        blocks: [Block::EMPTY; N],
        alternative_ms: f32::MAX,
        best: f32::MAX,
        total: 0.0,
        band: 0,
        seen: 0,
        home: None,
    };

    /// Looks at every candidate of `pool` for the request, by these rules.
    ///
    /// Why in place: returned, it would be copied.
    #[inline(always)]
    pub(super) fn take(&mut self, pool: &Pool, rules: &Rules, asked: &Asked, tried: &Tried) {
        self.len = pool.candidates().len().min(N * LANES);
        self.look(pool, rules, asked, tried);
        self.succeed(rules);
        if let Some(affinity) = asked.affinity {
            self.welcome(affinity, pool, rules, asked);
        }
        self.weigh(rules);
    }

    /// The blocks that hold a candidate.
    fn blocks(&self) -> &[Block] {
        &self.blocks[..self.len.div_ceil(LANES).min(N)]
    }

    fn blocks_mut(&mut self) -> &mut [Block] {
        &mut self.blocks[..self.len.div_ceil(LANES).min(N)]
    }

    /// The first pass: what each route says of itself.
    #[inline(always)]
    fn look(&mut self, pool: &Pool, rules: &Rules, asked: &Asked, tried: &Tried) {
        let mut lanes = Lanes::EMPTY;
        let mut measured = true;
        for (block, candidates) in self.blocks.iter_mut().zip(pool.candidates().chunks(LANES)) {
            block.look(&mut lanes, candidates, asked, rules);
            measured &= block.is_measured();
        }
        if !tried.is_empty() {
            for (index, block) in self.blocks_mut().iter_mut().enumerate() {
                block.exclude(tried, index * LANES);
            }
        }
        if !measured {
            self.seed();
        }
        self.seen = self
            .blocks()
            .iter()
            .fold(0, |seen, block| seen | block.seen);
    }

    /// A route never measured is assumed to be like its peers: neither the best nor the worst.
    fn seed(&mut self) {
        let (sum, count) = self.blocks().iter().fold((0.0, 0), |(sum, count), block| {
            let (more, known) = block.measured();
            (sum + more, count + known)
        });
        if count > 0 {
            let mean = sum / count as f32;
            self.blocks_mut()
                .iter_mut()
                .for_each(|block| block.seed(mean));
        }
    }

    /// The second pass: costs.
    #[inline(always)]
    fn succeed(&mut self, rules: &Rules) {
        let tuning = &rules.tuning;
        for block in self.blocks_mut() {
            block.succeed(&tuning.cost);
        }
        let alternative_ms = self.least_cost(Gate::is_closed);
        let alternative_ms = alternative_ms.unwrap_or_else(|| self.least_of_all());
        for block in self.blocks_mut() {
            block.cost(alternative_ms, &tuning.cost);
        }
        self.alternative_ms = alternative_ms;
    }

    /// Takes what its kept tokens save off the cost of the session's last route, unless there is anything the matter with that.
    #[inline(never)]
    fn welcome(&mut self, affinity: Affinity, pool: &Pool, rules: &Rules, asked: &Asked) {
        let index = affinity.candidate;
        let part = rules.tuning.cost.affinity;
        if index >= self.len || part <= 0.0 || !asked.class.decodes() {
            return;
        }
        let (block, lane) = (&mut self.blocks[index / LANES], index % LANES);
        let Candidate { route, rates, .. } = &pool.candidates()[index];
        if !block.is_well(lane) || route.is_degraded(asked.class, asked.tick) {
            return;
        }
        let reading = block.reading(lane);
        let tokens = smaller(affinity.cached_tokens as f32, asked.input);
        let warmth = Warmth {
            tokens,
            per_input_us: route.model(asked.class).per_input_us,
            drift: reading.drift,
            failure: reading.failure,
            price_ms: rates.saved_ms(tokens, &rules.tuning.cost),
        };
        let saved_ms = affinity::saved_ms(&warmth, part);
        if saved_ms > 0.0 {
            block.cost[lane] -= saved_ms;
            self.home = Some(Home { index, saved_ms });
        }
    }

    /// Band and draw weights.
    #[inline(always)]
    fn weigh(&mut self, rules: &Rules) {
        let tuning = &rules.tuning;
        let usable = self.least_cost(Gate::is_cold);
        self.best = usable.unwrap_or_else(|| self.least_of_all());
        // Why: a recovering route alone in the band would get everything at once, ramp or no ramp.
        let anchor = if self.saw(Gate::Recovering) {
            self.least_cost(|gate| gate == Gate::Cold).or(usable)
        } else {
            usable
        };
        let Some(anchor) = anchor else {
            self.blocks_mut()
                .iter_mut()
                .for_each(|block| block.weight = [0.0; LANES]);
            return;
        };
        let edge = anchor * (1.0 + tuning.draw.band);
        // Why above `edge` even if the edge has no width: with a band of no width either, the best itself must be inside.
        let outer = larger(
            edge + anchor * tuning.draw.edge,
            edge * (1.0 + f32::EPSILON),
        );
        let slope = 1.0 / (outer - edge);
        let mut total = [0.0; LANES];
        let mut band = 0;
        for block in self.blocks_mut() {
            band += block.weigh((outer, slope), &mut total);
        }
        self.total = total.iter().sum();
        self.band = band as u16;
    }

    /// The least cost behind the gates that are `wanted`; `None` if there is no such candidate.
    #[inline(always)]
    fn least_cost(&self, wanted: impl Fn(Gate) -> bool) -> Option<f32> {
        let mut least: Lane<f32> = [f32::MAX; LANES];
        for block in self.blocks() {
            block.lower(&mut least, &wanted);
        }
        let least = least.into_iter().fold(f32::MAX, smaller);
        (least < f32::MAX).then_some(least)
    }

    fn least_of_all(&self) -> f32 {
        self.least_cost(|_| true).unwrap_or(f32::MAX)
    }

    /// How many candidates.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn saw(&self, gate: Gate) -> bool {
        self.seen >> gate as u32 & 1 == 1
    }

    /// Whether an operator's pin decides: a candidate is pinned, and may be used.
    pub(super) fn is_pinned(&self) -> bool {
        self.seen & SAW_PINNED != 0
    }

    /// The candidates among which a pin decides.
    pub(super) fn pinned(&self) -> impl Iterator<Item = usize> {
        (0..self.len).filter(|&index| self.blocks[index / LANES].is_pinned(index % LANES))
    }

    pub(super) fn gates(&self) -> impl Iterator<Item = Gate> {
        let gates = self.blocks().iter().flat_map(|block| block.gates);
        gates.take(self.len)
    }

    pub(super) fn gate(&self, index: usize) -> Gate {
        self.blocks[index / LANES].gates[index % LANES]
    }

    /// A candidate's draw weight; 0 outside the band and its edge.
    pub(super) fn weight(&self, index: usize) -> f32 {
        self.blocks[index / LANES].weight[index % LANES]
    }

    /// The candidate at `point` (0..total) of the weights laid end to end.
    pub(super) fn drawn(&self, point: f32) -> usize {
        let mut left = point;
        let mut chosen = 0;
        for (number, block) in self.blocks().iter().enumerate() {
            for (lane, &weight) in block.weight.iter().enumerate() {
                if weight > 0.0 {
                    chosen = number * LANES + lane;
                    left -= weight;
                    if left < 0.0 {
                        return chosen;
                    }
                }
            }
        }
        chosen
    }

    /// What was read of a candidate.
    pub(super) fn reading(&self, index: usize) -> Reading {
        self.blocks[index / LANES].reading(index % LANES)
    }

    /// Parts of a candidate's weight left by the ramp, and by taper and doubt; 0..=1 each.
    pub(super) fn parts(&self, index: usize) -> (f32, f32) {
        self.blocks[index / LANES].parts(index % LANES)
    }

    /// The terms of one candidate's cost.
    pub(super) fn terms(&self, index: usize, rules: &Rules) -> Terms {
        let terms = cost::terms(
            &self.reading(index),
            self.alternative_ms,
            &rules.tuning.cost,
        );
        let home = self.home.filter(|home| home.index == index);
        Terms {
            affinity_ms: home.map_or(0.0, |home| -home.saved_ms),
            ..terms
        }
    }

    /// The candidate that the request's session stays with: the one where it is at home, if that costs no more than a draw would in the mean.
    ///
    /// Why not the cheapest alone: routes of the band count as equal, so any of them may be drawn, and moving away from one that is no dearer than what would be drawn buys nothing.
    pub(super) fn follows(&self) -> Option<usize> {
        let home = self.home?;
        let lanes = self.blocks().iter().flat_map(|block| {
            let drawn = block.weight.iter().zip(&block.cost);
            drawn.filter(|(weight, _)| **weight > 0.0)
        });
        let drawn: f32 = lanes.map(|(weight, cost)| weight * cost).sum();
        let stays = self.cost(home.index) * self.total <= drawn * (1.0 + SUM_ERROR);
        (stays && self.weight(home.index) > 0.0).then_some(home.index)
    }

    /// The least cost of any candidate that regular traffic may use, in ms; of any at all if there is none.
    pub(super) fn best(&self) -> f32 {
        self.best
    }

    /// A candidate's cost, in ms.
    pub(super) fn cost(&self, index: usize) -> f32 {
        self.blocks[index / LANES].cost[index % LANES]
    }

    /// Best cost over this one's; 0..=1.
    pub(super) fn score(&self, index: usize) -> f32 {
        let cost = self.cost(index);
        if cost > 0.0 {
            (self.best / cost).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }

    /// The least utilised candidate behind `gate`.
    pub(super) fn least_utilised(&self, gate: Gate) -> Option<usize> {
        self.least(gate, |reading| reading.utilisation)
    }

    /// The candidate behind `gate` that fails least.
    pub(super) fn least_failing(&self, gate: Gate) -> Option<usize> {
        self.least(gate, |reading| reading.failure)
    }

    fn least(&self, gate: Gate, key: impl Fn(Reading) -> f32) -> Option<usize> {
        if !self.saw(gate) {
            return None;
        }
        let key = |index: usize| key(self.reading(index));
        let behind = (0..self.len).filter(|&index| self.gate(index) == gate);
        behind.min_by(|&left, &right| key(left).total_cmp(&key(right)))
    }

    /// The candidate worth exploring: usable, outside the band and its edge or hardly drawn, and longest without a sample.
    pub(super) fn stalest(&self, pool: &Pool, rules: &Rules, asked: &Asked) -> Option<usize> {
        let stale = rules.explore_stale;
        let aged = (0..self.len)
            .filter(|&i| self.gate(i).is_cold())
            .filter_map(|i| {
                let limit = match self.weight(i) {
                    weight if weight <= 0.0 => stale,
                    _ if self.parts(i).1 < TAPERED => stale.saturating_mul(TAPERED_PATIENCE),
                    _ => return None,
                };
                let age = pool.candidates()[i].route.staleness(asked);
                (age > limit).then_some((age, i))
            });
        aged.max().map(|(_, i)| i)
    }
}
