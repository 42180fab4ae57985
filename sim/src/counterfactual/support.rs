//! Does the recording hold enough of what a policy would choose?
//!
//! # Invariants
//! - Only recorded chances are believed, and these only as far as the recorded choices agree with them.

use scoring::shadow::{
    LEAST_EFFECTIVE, LEAST_EFFECTIVE_SHARE, UNSUPPORTED_MOST as MASS, effective,
};

use super::Refusal;
use super::estimate::RouteSupport;
use super::fitted::Fitted;

/// Recorded choices of a route below which nothing is known of it.
const LEAST_LOGGED: u64 = 20;
/// Chances from here on leave no room for another choice.
const CERTAIN: f64 = 1.0 - 1e-6;
/// Standard errors by which choices may exceed their chances.
const ERRORS: f64 = 4.0;
/// The same as a part, whatever the error.
const EXCESS: f64 = 0.02;

/// Sums over the judged requests.
#[derive(Clone, Debug)]
pub(super) struct Support {
    count: f64,
    weights: f64,
    squares: f64,
    /// The policy's mass on other choices where the recorded one was certain, by route.
    forbidden: Vec<f64>,
    logged: Vec<u64>,
    wanted: Vec<f64>,
    least: Vec<f64>,
}

impl Support {
    pub(super) fn new(routes: usize) -> Self {
        Self {
            count: 0.0,
            weights: 0.0,
            squares: 0.0,
            forbidden: vec![0.0; routes],
            logged: vec![0; routes],
            wanted: vec![0.0; routes],
            least: vec![1.0; routes],
        }
    }

    /// A judged request: `route` was chosen with `chance`, the policy would have chosen with `chances`.
    pub(super) fn add(&mut self, route: usize, chance: f64, chances: &[f64]) {
        self.count += 1.0;
        self.logged[route] += 1;
        self.least[route] = self.least[route].min(chance);
        if chance > 0.0 {
            let weight = chances[route] / chance;
            self.weights += weight;
            self.squares += weight * weight;
        }
        for (other, wanted) in chances.iter().enumerate() {
            self.wanted[other] += wanted;
            if chance >= CERTAIN && other != route {
                self.forbidden[other] += wanted;
            }
        }
    }

    /// `(Σw)²/Σw²`.
    pub(super) fn effective(&self) -> f64 {
        effective(self.weights, self.squares)
    }

    /// The policy's mass on choices that were certain not to be made; 0..=1.
    pub(super) fn unsupported(&self) -> f64 {
        self.forbidden.iter().sum::<f64>() / self.count.max(1.0)
    }

    pub(super) fn routes(&self, names: &[String]) -> Vec<RouteSupport> {
        let route = |(place, name): (usize, &String)| RouteSupport {
            name: name.clone(),
            logged: self.logged[place],
            wanted: self.wanted[place] / self.count.max(1.0),
            least_chance: self.least[place],
        };
        names.iter().enumerate().map(route).collect()
    }

    /// # Errors
    /// The first thing that is missing, with the route that it is missing of.
    pub(super) fn check(&self, fitted: &Fitted) -> Result<(), Refusal> {
        let name = |route: usize| fitted.log.routes[route].clone();
        let count = self.count.max(1.0);
        for (route, wanted) in self.wanted.iter().enumerate() {
            let (mass, logged) = (wanted / count, self.logged[route]);
            if logged > 0 && self.least[route] <= 0.0 {
                return Err(Refusal::ZeroChance { route: name(route) });
            }
            if mass > MASS && logged < LEAST_LOGGED {
                return Err(Refusal::NeverChosen {
                    route: name(route),
                    mass: 100.0 * mass,
                    logged,
                });
            }
        }
        wrong_chances(fitted)?;
        if self.unsupported() > MASS {
            let most = self.forbidden.iter().enumerate();
            let most = most.max_by(|a, b| a.1.total_cmp(b.1));
            return Err(Refusal::Forced {
                route: most.map(|it| name(it.0)).unwrap_or_default(),
                mass: 100.0 * self.unsupported(),
            });
        }
        let needed = LEAST_EFFECTIVE.max(LEAST_EFFECTIVE_SHARE * count);
        if self.effective() < needed {
            return Err(Refusal::Thin {
                route: self.rarest().map(name).unwrap_or_default(),
                effective: self.effective(),
                needed,
            });
        }
        Ok(())
    }

    /// The route that the policy would choose most in relation to how often it was.
    fn rarest(&self) -> Option<usize> {
        let part = |route: &usize| self.wanted[*route] / (self.logged[*route] as f64 + 1.0);
        (0..self.wanted.len()).max_by(|a, b| part(a).total_cmp(&part(b)))
    }
}

/// Whether routes were chosen more often than by their recorded chances.
///
/// The mean of `1/chance` over all requests, counting those of one route alone, is the share of requests in which the route could have been chosen: at most 1, if the chances are right.
/// Chances that are wrong and still sum to 1 are too small for some route.
fn wrong_chances(fitted: &Fitted) -> Result<(), Refusal> {
    let routes = fitted.log.routes.len();
    let (mut count, mut sums, mut squares) = (0.0, vec![0.0; routes], vec![0.0; routes]);
    for (route, chance) in fitted.log.chosen().filter(|it| it.1 > 0.0) {
        count += 1.0;
        sums[route] += 1.0 / chance;
        squares[route] += (1.0 - chance) / (chance * chance);
    }
    for route in 0..routes {
        let excess = sums[route] / count - 1.0;
        if excess > EXCESS + ERRORS * f64::sqrt(squares[route]) / count {
            return Err(Refusal::WrongChances {
                route: fitted.log.routes[route].clone(),
                times: 1.0 + excess,
            });
        }
    }
    Ok(())
}
