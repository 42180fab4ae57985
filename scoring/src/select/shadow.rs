//! How would other constants choose, on the same statistics and for the same request?
//!
//! The live decision is made as ever; beside it the candidates are surveyed once more under the shadow's rules, and the probabilities of both are compared.
//! The shadow acts on nothing: no attempt begins, no probe is claimed, nothing is earned or counted but on its own account.
//!
//! What is the same for both:
//! - **Probes.** A probe is claimed by whoever comes first, and its constants are not among those that can be tried, so a request that is the live probe is the shadow's too.
//! - **Pins.** Where an operator's pin decides, it decides for both.
//! - **Exclusions.** What a request was already sent to, or may not be sent to, is ruled out for both.
//! - **Sessions.** A session's home is where the live decisions left it.
//!
//! **Exploration.** The shadow has an account of its own, earned and paid by what it would explore at the requests it is asked for.
//! Where both would explore the same candidate by the same `explore`, `explore_cap` and `explore_chance`, the live account speaks for both, so that chance alone does not tell them apart.
//!
//! # Invariants
//! - The live decision is the one that [`select`](super::select) makes from the same state and the same random numbers.
//! - With equal constants both probabilities of every candidate are equal, to the bit, as long as no other thread writes in between.
//! - No allocation, no lock.

use rand::{Rng, RngExt};

use crate::route::{Ask, Asked};
use crate::rules::Rules;
use crate::time::Time;
use crate::tuning::Tuning;

use super::account::Account;
use super::pool::Policy;
use super::survey::Survey;
use super::{
    Course, Credit, Decision, MOST_BLOCKS, Mode, Moment, Pool, Target, Tried, course_with, decide,
    target,
};

/// Constants that are tried beside a pool's own.
#[derive(Debug)]
pub struct Shadow {
    rules: Rules,
    account: Account,
}

/// How the live decision and the shadow's compare for one request.
///
/// Refusing the request counts as one more choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The probability with which the live decision was what it was; 0..=1.
    pub live: f32,
    /// The shadow's probability of that; 0..=1.
    pub shadow: f32,
    /// How much of both is the same: the sum of the smaller probabilities over all choices; 0..=1.
    pub overlap: f32,
    /// The shadow's mass on choices that the live decision could not have been; 0..=1.
    pub unsupported: f32,
    /// Whether the live decision refused the request.
    pub live_refuses: bool,
    /// Whether the shadow would refuse it.
    pub shadow_refuses: bool,
}

impl Shadow {
    /// A shadow with these constants, which differ from the pool's in those alone that [act on the choice](crate::tuning::acts_on_choice).
    #[must_use]
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            rules: Rules::new(tuning),
            account: Account::default(),
        }
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            rules: &self.rules,
            account: &self.account,
        }
    }

    /// Whether an account is earned and paid as the pool's.
    fn explores_as(&self, pool: &Pool) -> bool {
        let of = |rules: &Rules| {
            let draw = &rules.tuning.draw;
            [draw.explore, draw.explore_cap, draw.explore_chance].map(f32::to_bits)
        };
        of(&self.rules) == of(&pool.rules)
    }

    /// What it would explore.
    fn exploration<const N: usize>(
        &self,
        pool: &Pool,
        (live, course): (Seen<'_, N>, Course),
        own: Seen<'_, N>,
        rng: &mut impl Rng,
    ) -> Option<Target> {
        let (survey, draw) = (own.survey, &self.rules.tuning.draw);
        self.account.earn(survey.best(), draw);
        if survey.band == 0 {
            return None;
        }
        let index = survey.stalest(pool, &self.rules, own.asked)?;
        let same = || live.survey.stalest(pool, &pool.rules, live.asked) == Some(index);
        if let Course::Draw { explore, .. } = course
            && self.explores_as(pool)
            && same()
        {
            self.account.copy(&pool.account);
            return explore;
        }
        if !(self.account).can_explore(survey.best(), Credit::Earned, draw) {
            return None;
        }
        let target = target(self.policy(), survey, (index, Credit::Earned))?;
        if rng.random::<f32>() < target.chance {
            self.account.pay(target.price_ms);
        }
        Some(target)
    }
}

/// What one side saw of the candidates.
#[derive(Clone, Copy)]
struct Seen<'a, const N: usize> {
    survey: &'a Survey<N>,
    asked: &'a Asked,
}

/// Chooses a candidate for `ask` by the pool's constants, and compares with what the shadow's would choose.
///
/// `each` is told every candidate's place and its probabilities, the live one and the shadow's, where one of them is above 0.
pub fn select_beside(
    (pool, shadow): (&Pool, &Shadow),
    (ask, tried): (&Ask, &Tried),
    now: Time,
    rng: &mut impl Rng,
    each: impl FnMut(usize, f32, f32),
) -> (Decision, Compared) {
    let moment = Moment { ask, tried, now };
    match pool.candidates().len() {
        0..=8 => beside::<1>((pool, shadow), moment, rng, each),
        9..=16 => beside::<2>((pool, shadow), moment, rng, each),
        17..=64 => beside::<8>((pool, shadow), moment, rng, each),
        _ => beside::<MOST_BLOCKS>((pool, shadow), moment, rng, each),
    }
}

fn beside<const N: usize>(
    (pool, shadow): (&Pool, &Shadow),
    moment: Moment<'_>,
    rng: &mut impl Rng,
    each: impl FnMut(usize, f32, f32),
) -> (Decision, Compared) {
    let Moment { ask, tried, now } = moment;
    pool.refresh(now);
    let output = pool.expected_output(ask);
    let asked = Asked::new(ask, output, now, &pool.rules);
    let mut survey = Survey::<N>::EMPTY;
    survey.take(pool, &pool.rules, &asked, tried);
    // Before the decision, which may claim a probe.
    let own_asked = Asked::new(ask, output, now, &shadow.rules);
    let mut own = Survey::<N>::EMPTY;
    own.take(pool, &shadow.rules, &own_asked, tried);

    let (decision, live) = decide(pool, (&survey, &asked), moment, rng);
    let course = match live {
        Course::One(_, Mode::Probe) | Course::Pinned { .. } => live,
        _ => {
            let explore = if tried.is_empty() {
                let seen = |survey, asked| Seen { survey, asked };
                let live = (seen(&survey, &asked), live);
                shadow.exploration(pool, live, seen(&own, &own_asked), rng)
            } else {
                None
            };
            course_with(&own, explore)
        }
    };
    let compared = compare((pool, &decision), (live, &survey), (course, &own), each);
    (decision, compared)
}

fn compare<const N: usize>(
    (pool, decision): (&Pool, &Decision),
    (live, survey): (Course, &Survey<N>),
    (shadow, own): (Course, &Survey<N>),
    mut each: impl FnMut(usize, f32, f32),
) -> Compared {
    let refuses = |course| matches!(course, Course::Shed(_) | Course::Exhausted);
    let (live_refuses, shadow_refuses) = (refuses(live), refuses(shadow));
    let certain = |refuses| f32::from(u8::from(refuses));
    let mut apart = (certain(live_refuses) - certain(shadow_refuses)).abs();
    let mut unsupported = certain(shadow_refuses && !live_refuses);
    let chosen = match decision {
        Decision::Picked(pick) => Some(pick.index),
        Decision::Shed { .. } | Decision::Exhausted => None,
    };
    let mut of_chosen = (certain(live_refuses), certain(shadow_refuses));
    for index in 0..survey.len() {
        let (was, would) = (
            live.propensity(index, pool, survey),
            shadow.propensity(index, pool, own),
        );
        if chosen == Some(index) {
            of_chosen = (was, would);
        }
        if was > 0.0 || would > 0.0 {
            apart += (was - would).abs();
            if was <= 0.0 {
                unsupported += would;
            }
            each(index, was, would);
        }
    }
    Compared {
        live: of_chosen.0,
        shadow: of_chosen.1,
        // Why not the sum itself: rounded, equal probabilities would not sum to 1.
        overlap: (1.0 - apart / 2.0).clamp(0.0, 1.0),
        unsupported: unsupported.min(1.0),
        live_refuses,
        shadow_refuses,
    }
}
