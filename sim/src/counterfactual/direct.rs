//! What does a request cost on a route in the fitted world? The direct model of the doubly robust estimate.
//!
//! # Invariants
//! - Pure in request, route and instant; finite and never negative.

use scoring::time::Time;

use super::fitted::Fitted;
use crate::engine;
use crate::measure::FAILED_MS;
use crate::scenario::LOST_MS;
use crate::world::{Expected, START, Truth, World};

/// Expected costs of one request, by route.
#[derive(Clone, Debug)]
pub(super) struct Direct<'a> {
    fitted: &'a Fitted,
    world: &'a World<'a>,
    expected: Vec<Expected>,
    costs: Vec<f64>,
}

impl<'a> Direct<'a> {
    pub(super) fn new(fitted: &'a Fitted, world: &'a World<'a>) -> Self {
        Self {
            fitted,
            world,
            expected: Vec::new(),
            costs: Vec::new(),
        }
    }

    /// What the request at `place` is expected to cost on each route, in ms.
    ///
    /// A failed attempt is followed by one on another route, drawn by weight; a second failure counts as its time and its penalty, without a third attempt.
    pub(super) fn costs(&mut self, place: usize) -> &[f64] {
        let scenario = &self.fitted.scenario;
        let request = &self.fitted.trace.requests[place];
        let now: Time = START.plus(request.at);
        let routes = &scenario.models[0].routes;
        let truth = Truth {
            world: self.world,
            routes,
            request,
        };
        let ask = engine::ask(request, now.plus(scenario.clocks.total));
        let expected = (0..routes.len()).map(|it| truth.expected(it, &ask, now));
        self.expected.clear();
        self.expected.extend(expected);
        let weight = |route: usize| f64::from(scenario.routes[route].weight);
        let once = |it: &Expected| {
            (1.0 - it.failure) * it.latency_ms + it.failure * (it.fail_ms + FAILED_MS)
        };
        let weights: f64 = (0..routes.len()).map(weight).sum();
        let all: f64 = (0..routes.len())
            .map(|it| weight(it) * once(&self.expected[it]))
            .sum();
        self.costs.clear();
        for (route, it) in self.expected.iter().enumerate() {
            let others = weights - weight(route);
            let next = match others > 0.0 {
                true => (all - weight(route) * once(it)) / others,
                false => LOST_MS,
            };
            self.costs.push(once(it) + it.failure * next.max(0.0));
        }
        &self.costs
    }
}
