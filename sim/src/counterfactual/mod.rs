//! What would another policy have made of the traffic that a gateway recorded?
//!
//! A recording tells which route each request was sent to first, with which probability, and what came of it.
//! That is enough for two answers that lean on different things: [`world`] fits a scenario in which every policy can be simulated, and [`estimate()`] reweighs the recorded costs by how likely a policy would have chosen the recorded routes, without simulating anything.
//! Where both agree, neither is likely to be wrong.
//!
//! What the estimate is about: for each recorded request, the policy takes the place of the recorded one for the first attempt, knowing what the recorded policy's choices taught; retries stay the recorded policy's.
//! So it does not see that a policy that sends more to a route would have filled that route's limits, nor that its own choices would have taught it other things.
//!
//! # Invariants
//! - A recording, a policy and a seed give the same answer.
//! - An estimate that the recording does not support is refused, with the route that is missing and what to do.

mod direct;
mod estimate;
mod fitted;
mod log;
mod pace;
mod shadow;
mod stretch;
mod support;
mod told;

#[cfg(test)]
mod tests;

pub use estimate::{Estimate, Range, RouteSupport, estimate, recorded};
pub use fitted::{Fitted, world};
pub use log::LeftOut;
pub use told::{Production, Told, production, text};

/// A recording tells too little to fit a world to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the recording has {answered} answered requests whose route and times are known; fitting a world needs {needed}: record longer"
)]
pub struct TooThin {
    /// Answered requests.
    pub answered: usize,
    /// How many are needed.
    pub needed: usize,
}

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No chance is recorded.
    #[error(
        "the recording does not tell with which probability routes were chosen (`p_select`); record with a gateway that does"
    )]
    NoChances,
    /// The policy's chances are not known.
    #[error(
        "with which probability {policy} would have chosen the recorded routes is not known: its choice depends on what itself has in flight or on draws that cannot be told; see what it costs in the fitted world instead"
    )]
    Unknown {
        /// The policy's name.
        policy: &'static str,
    },
    /// A route was chosen that could not be.
    #[error("{route} was chosen with a recorded probability of 0: the recording is wrong")]
    ZeroChance {
        /// The route.
        route: String,
    },
    /// A route that matters was hardly ever chosen.
    #[error(
        "{route} would get {mass:.0} % of the requests but was chosen {logged} times in the recording: turn exploration up (`scoring.draw.explore`, or a wider `scoring.draw.band`) and record longer"
    )]
    NeverChosen {
        /// The route.
        route: String,
        /// The policy's share, in %.
        mass: f64,
        /// How often it was chosen.
        logged: u64,
    },
    /// Routes were chosen more often than their chances say.
    #[error(
        "{route} was chosen {times:.2} times as often as the recorded probabilities allow: they are not those with which routes were chosen"
    )]
    WrongChances {
        /// The route.
        route: String,
        /// Recorded choices over possible ones.
        times: f64,
    },
    /// The recorded policy had no choice where this one would have chosen otherwise.
    #[error(
        "for {mass:.0} % of its choices, most of them of {route}, the recorded policy could not have chosen so (its own choice was certain): turn exploration up (`scoring.draw.explore`, or a wider `scoring.draw.band`) and record anew"
    )]
    Forced {
        /// The route it would have chosen most of those times.
        route: String,
        /// The policy's mass on such choices, in %.
        mass: f64,
    },
    /// Too little of the recording bears on the policy.
    #[error(
        "the recording is worth {effective:.0} requests of this policy and {needed:.0} are needed; {route} was chosen too seldom for it: turn exploration up (`scoring.draw.explore`, or a wider `scoring.draw.band`) or record longer"
    )]
    Thin {
        /// The route that is missing most.
        route: String,
        /// Effective sample size.
        effective: f64,
        /// Least that is accepted.
        needed: f64,
    },
}
