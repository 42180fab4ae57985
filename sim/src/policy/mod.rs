//! Who decides where a request goes: ours, and what a user would otherwise have.
//!
//! Every policy drives the same walk of retries and fallbacks and sees the same events at the same instants, so that only the choice of the route differs.
//! One instance decides for one model in one gateway replica; routes are counted by their position in that model's pool.
//!
//! # Invariants
//! - A policy reads no clock: `now` is an argument, as is the generator.
//! - Only the oracles read [`Moment::truth`].

use rand::rngs::SmallRng;
use scoring::Outcome;
use scoring::affinity::Affinity;
use scoring::ceiling::LimitReport;
use scoring::route::{Ask, End};
use scoring::select::{Decision, Mode, Pick, Tried};
use scoring::time::Time;

use crate::world::Truth;

mod kind;

mod adaptive;
mod static_weighted;

mod draw;
mod pending;

mod round_robin;

mod least_outstanding;

mod agentgateway;
mod linkerd_biaser;
mod p2c_peak_ewma;

mod litellm;

mod grpc_wrr;
mod outlier;

mod bifrost;

mod prequal;

mod d_ucb;
mod epsilon_greedy;

mod oracle;
mod oracle_weighted;

#[cfg(test)]
mod drive;
#[cfg(test)]
mod tests;

pub use adaptive::Adaptive;
pub use agentgateway::Agentgateway;
pub use bifrost::Bifrost;
pub use d_ucb::DUcb;
pub use epsilon_greedy::EpsilonGreedy;
pub use grpc_wrr::GrpcWrr;
pub use kind::{Kind, Seat, Visitor};
pub use least_outstanding::LeastOutstanding;
pub use linkerd_biaser::LinkerdBiaser;
pub use litellm::{LitellmLatency, LitellmShuffle, LitellmUsage};
pub use oracle::Oracle;
pub use oracle_weighted::OracleWeighted;
pub use p2c_peak_ewma::P2cPeakEwma;
pub use prequal::Prequal;
pub use round_robin::RoundRobin;
pub use static_weighted::StaticWeighted;

/// One decision to be made.
#[derive(Debug)]
pub struct Moment<'a> {
    /// What is asked.
    pub ask: &'a Ask,
    /// Candidates that this request was already sent to; never to be picked again.
    pub tried: &'a Tried,
    /// Now.
    pub now: Time,
    /// What is really the case; for oracles.
    pub truth: &'a Truth<'a>,
}

/// One candidate as the operator configured it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The route's name.
    pub name: String,
    /// Provider and region: routes with the same text share a parent.
    pub parent: String,
    /// The operator's weight; > 0.
    pub weight: f32,
    /// Nano-dollars per input token.
    pub price_input: f64,
    /// Nano-dollars per output token.
    pub price_output: f64,
    /// Requests per minute that the operator configured; used by policies that want to be told.
    pub told_rpm: Option<u32>,
    /// Tokens per minute that the operator configured.
    pub told_tpm: Option<u32>,
}

/// An attempt, as far as a gateway knows it.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    /// The engine's number for it; below the number of attempts in flight, reused after its end.
    pub slot: usize,
    /// The candidate.
    pub route: usize,
    /// What was asked.
    pub ask: Ask,
    /// When it was sent.
    pub sent: Time,
    /// When its first token came, if it has.
    pub first_byte: Option<Time>,
    /// The session whose turn it is.
    pub session: Option<u64>,
}

/// Where a policy stands towards one candidate, for plots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Glimpse {
    /// Its score, weight or inverse load in the policy's own terms, relative to the best; 0..=1.
    pub score: f32,
    /// 0 in use, 1 recovering, 2 set aside.
    pub state: u8,
}

/// A rule that chooses routes.
pub trait Policy {
    /// Chooses a candidate.
    fn decide(&mut self, moment: &Moment<'_>, rng: &mut SmallRng) -> Decision;

    /// The probability with which [`decide`](Self::decide) would choose each candidate now, summing to 1, or to less where it might choose none; `None` if that is not known.
    ///
    /// Changes nothing, and so can be asked about a request that somebody else decided.
    fn propensities(&self, moment: &Moment<'_>) -> Option<Vec<f64>> {
        let _ = moment;
        None
    }

    /// Where the session is at home that asks a turn of `input` tokens, for policies that follow sessions.
    fn affinity(&self, session: u64, input: u32, now: Time) -> Option<Affinity> {
        let _ = (session, input, now);
        None
    }

    /// An attempt was sent; returns when it is to be told that nothing has come, if it wants to know.
    fn begin(&mut self, flight: &Flight, pick: &Pick) -> Option<Time> {
        let _ = (flight, pick);
        None
    }

    /// The instant that [`begin`](Self::begin) returned has come, and no byte of an answer.
    fn overdue(&mut self, flight: &Flight, now: Time) {
        let _ = (flight, now);
    }

    /// The first token of a stream has come.
    fn first_byte(&mut self, flight: &Flight, now: Time) {
        let _ = (flight, now);
    }

    /// The response told something about limits.
    fn limits(&mut self, flight: &Flight, report: &LimitReport, now: Time) {
        let _ = (flight, report, now);
    }

    /// The attempt has ended; told exactly once.
    fn finish(&mut self, flight: &Flight, end: &End, now: Time);

    /// Called every 250 ms.
    fn tick(&mut self, now: Time) {
        let _ = now;
    }

    /// Whether regular traffic may use the candidate: asked after a wait, before the same route is tried again.
    fn admits(&self, route: usize, now: Time) -> bool {
        let _ = (route, now);
        true
    }

    /// Where it stands towards each candidate.
    fn glimpse(&self, now: Time) -> Vec<Glimpse>;

    /// The pool, if this policy is the product's own: for explanations and views.
    fn pool(&self) -> Option<&scoring::select::Pool> {
        None
    }
}

/// The decision to pick `index`, chosen with `propensity` (0..=1).
#[must_use]
pub fn picked(index: usize, propensity: f32) -> Decision {
    Decision::Picked(Pick {
        index,
        propensity,
        mode: Mode::Normal,
        score: 1.0,
        band: 0,
        cost: scoring::cost::Terms::default(),
    })
}

/// The candidate at `point` (0..1) of the weights laid end to end, with its share; `None` if no weight is positive.
#[must_use]
pub fn drawn(weights: impl Iterator<Item = f64> + Clone, point: f64) -> Option<(usize, f64)> {
    let total: f64 = weights.clone().sum();
    if total <= 0.0 {
        return None;
    }
    let mut left = point * total;
    let mut chosen = None;
    for (index, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        chosen = Some((index, weight / total));
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    chosen
}

/// Each weight's part of all weights; nothing if none is positive.
#[must_use]
pub fn shares(weights: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let total: f64 = weights.clone().sum();
    let share = |weight: f64| if total > 0.0 { weight / total } else { 0.0 };
    weights.map(share).collect()
}

/// Whether an outcome counts as a failure of the provider to balancers that know no more than success and failure.
///
/// The client's own faults and departures do not; a refusal for our own quota does.
#[must_use]
pub fn is_failure(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Success | Outcome::Rejected | Outcome::Canceled
    )
}
