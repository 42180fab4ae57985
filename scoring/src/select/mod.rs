//! Which candidate gets a request: three gates, one currency, one draw.
//!
//! Gates (circuit, ceilings, capability) leave the candidates that may serve; each gets an expected cost in milliseconds; those within the band of the best are drawn by the operator's weights, those at its soft edge by a part of them.
//! A small part of the cost is spent on the others, so that what is known of them stays true.
//! A request of a session stays with the route that served the last one, as long as that costs no more than a draw would; what that route still keeps of the prompt counts.
//! An operator goes before all of it: a drained route gets nothing, and a pinned one everything that it may be used for.
//! No power of two choices: it gives a route that fails fast half of the traffic, because failing fast looks idle.
//! No sharpened draw inside the band: in health the operator's weights hold exactly.
//!
//! # Invariants
//! - No allocation, no lock, two passes over the candidates.
//! - A candidate that was tried, is drained or cannot serve is never picked; a set with any other candidate is never answered with [`Decision::Exhausted`].
//! - The propensity of a pick is the exact probability with which it was picked, given the state it was picked in.
//! - A request without a session is decided as if there were none.
//! - Exploration and probes never happen on a retry that has another choice, nor while a pin decides.

mod account;
mod block;
mod explain;
mod lanes;
mod pool;
mod shadow;
mod survey;
mod thrift;

pub use explain::{Explained, Explanation, explain};
pub use pool::{Candidate, MAX_CANDIDATES, Pool};
pub use shadow::{Compared, Shadow, select_beside};
pub use thrift::all_but_cheapest;

use rand::{Rng, RngExt};

use crate::cost::Terms;
use crate::route::{Ask, Asked};
use crate::rules::ticks;
use crate::time::{Span, Time};

use pool::Policy;
use survey::Survey;

/// Least time that a refused client is asked to wait: shorter would invite it back into the same full ceilings.
const RETRY_AFTER_MIN: Span = Span::from_millis(50);

/// Blocks that hold the largest pool.
const MOST_BLOCKS: usize = MAX_CANDIDATES / lanes::LANES;

/// The candidates that one request has already been sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried([u64; 4]);

impl Tried {
    /// Adds a candidate; an index from 256 up is ignored.
    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether the candidate was tried.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.0
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// How many were tried.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether none was tried: this is the request's first attempt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// Send it to this candidate.
    Picked(Pick),
    /// Refuse it here: every candidate is at its ceiling.
    Shed {
        /// When a candidate is expected to have room.
        retry_after: Span,
        /// Why.
        reason: ShedReason,
    },
    /// Every candidate was tried, is drained or cannot serve it.
    Exhausted,
}

/// Why a request was refused here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShedReason {
    /// The learned or told ceilings are full.
    Full,
    /// Providers asked us to wait.
    Blocked,
}

/// How a candidate was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Drawn from the band and its edge by weight.
    Normal,
    /// The route that served its session last, which costs no more than a draw would.
    Followed,
    /// Sent there to refresh what is known of it.
    Explored,
    /// The one probe of a route that is set aside.
    Probe,
    /// Nearly full, but no other was better.
    Hot,
    /// Every candidate is set aside; this one fails least.
    Panic,
    /// An operator sends everything there.
    Pinned,
}

impl Mode {
    /// The name used in metrics, logs and traces; lower snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Followed => "followed",
            Self::Explored => "explored",
            Self::Probe => "probe",
            Self::Hot => "hot",
            Self::Panic => "panic",
            Self::Pinned => "pinned",
        }
    }
}

/// What keeps regular traffic from a candidate, from nothing to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Nothing.
    Cold = 0,
    /// Nothing, but it gets only a part of its weight.
    Recovering = 1,
    /// It is nearly full and used last.
    Hot = 2,
    /// A ceiling leaves no room for this request.
    Full = 3,
    /// The provider asked us to wait.
    Blocked = 4,
    /// Its circuit is open.
    Open = 5,
    /// Its key was rejected.
    Held = 6,
    /// It cannot serve this model.
    Incapable = 7,
    /// This request was already sent there.
    Tried = 8,
    /// An operator lets nothing go there.
    Drained = 9,
}

impl Gate {
    /// Whether regular traffic is drawn to it.
    #[must_use]
    pub const fn is_cold(self) -> bool {
        matches!(self, Self::Cold | Self::Recovering)
    }

    /// Whether its circuit is closed and it has room.
    const fn is_closed(self) -> bool {
        matches!(self, Self::Cold | Self::Recovering | Self::Hot)
    }
}

/// The chosen candidate and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// Its index in the pool.
    pub index: usize,
    /// The probability with which it was chosen; 0..=1.
    pub propensity: f32,
    /// How it was chosen.
    pub mode: Mode,
    /// Best expected cost divided by its own; 0..=1.
    pub score: f32,
    /// How many candidates were in the band or at its edge.
    pub band: u16,
    /// Its expected cost.
    pub cost: Terms,
}

/// A request at the moment of its decision.
#[derive(Clone, Copy, Debug)]
struct Moment<'a> {
    ask: &'a Ask,
    tried: &'a Tried,
    now: Time,
}

/// Chooses a candidate for `ask`.
pub fn select(pool: &Pool, ask: &Ask, tried: &Tried, now: Time, rng: &mut impl Rng) -> Decision {
    let moment = Moment { ask, tried, now };
    // Why several sizes: clearing 256 lines costs more than surveying four.
    match pool.candidates().len() {
        0..=8 => select_among::<1>(pool, moment, rng),
        9..=16 => select_among::<2>(pool, moment, rng),
        17..=64 => select_among::<8>(pool, moment, rng),
        _ => select_among::<MOST_BLOCKS>(pool, moment, rng),
    }
}

fn select_among<const N: usize>(pool: &Pool, moment: Moment<'_>, rng: &mut impl Rng) -> Decision {
    let Moment { ask, tried, now } = moment;
    pool.refresh(now);
    let asked = Asked::new(ask, pool.expected_output(ask), now, &pool.rules);
    let mut survey = Survey::<N>::EMPTY;
    survey.take(pool, &pool.rules, &asked, tried);
    decide(pool, (&survey, &asked), moment, rng).0
}

/// Decides by a survey; also tells the course, of which the decision is one draw.
#[inline(always)]
fn decide<const N: usize>(
    pool: &Pool,
    (survey, asked): (&Survey<N>, &Asked),
    Moment { ask, tried, now }: Moment<'_>,
    rng: &mut impl Rng,
) -> (Decision, Course) {
    if tried.is_empty() {
        pool.account.earn(survey.best(), &pool.rules.tuning.draw);
        pass_over(pool, survey);
    }
    if let Some(index) = due_probe(pool, survey, ask, tried, now)
        && pool.candidates()[index].route.claim_probe(now, &pool.rules)
    {
        let picked = Decision::Picked(pick(pool, survey, index, 1.0, Mode::Probe));
        return (picked, Course::One(index, Mode::Probe));
    }
    let course = course(
        (pool, pool.policy()),
        survey,
        asked,
        (tried, Credit::Earned),
    );
    let decision = match course {
        Course::Shed(reason) => Decision::Shed {
            retry_after: room_after(pool, survey, asked),
            reason,
        },
        Course::Exhausted => Decision::Exhausted,
        Course::One(index, mode) => Decision::Picked(pick(pool, survey, index, 1.0, mode)),
        Course::Pinned { total } => {
            let index = drawn_pinned(pool, survey, rng.random::<f32>() * total);
            let propensity = course.propensity(index, pool, survey);
            Decision::Picked(pick(pool, survey, index, propensity, Mode::Pinned))
        }
        Course::Draw { explore, follow } => {
            let explored =
                |it: &Target| rng.random::<f32>() < it.chance && pool.account.pay(it.price_ms);
            let (index, mode) = match (explore.filter(explored), follow) {
                (Some(Target { index, .. }), _) => (index, Mode::Explored),
                (None, Some(index)) => (index, Mode::Followed),
                (None, None) => (
                    survey.drawn(rng.random::<f32>() * survey.total),
                    Mode::Normal,
                ),
            };
            let propensity = course.propensity(index, pool, survey);
            Decision::Picked(pick(pool, survey, index, propensity, mode))
        }
    };
    (decision, course)
}

/// Whether a pick's share of the exploration is saved already, or would be if it were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credit {
    Earned,
    ToCome,
}

/// A candidate worth exploring.
#[derive(Clone, Copy, Debug)]
struct Target {
    index: usize,
    /// The chance that it is explored; 0..=1.
    chance: f32,
    /// What that would cost more than the best, in ms; counted as at least what the best costs, so that picks are bounded too, and as at most `explore_cap` of it.
    price_ms: f32,
}

/// How a request is decided once no probe is due.
#[derive(Clone, Copy, Debug)]
enum Course {
    /// Drawn from the band, or sent where its session is at home; or, with this chance, sent to that candidate to learn.
    Draw {
        explore: Option<Target>,
        follow: Option<usize>,
    },
    /// Drawn from the pinned ones by the operator's weights, whose sum this is.
    Pinned {
        total: f32,
    },
    /// No choice.
    One(usize, Mode),
    Shed(ShedReason),
    Exhausted,
}

impl Course {
    fn mode(self) -> Option<Mode> {
        match self {
            Self::Draw { follow: None, .. } => Some(Mode::Normal),
            Self::Draw { .. } => Some(Mode::Followed),
            Self::Pinned { .. } => Some(Mode::Pinned),
            Self::One(_, mode) => Some(mode),
            Self::Shed(_) | Self::Exhausted => None,
        }
    }

    /// The probability with which `index` is picked; 0..=1.
    fn propensity<const N: usize>(self, index: usize, pool: &Pool, survey: &Survey<N>) -> f32 {
        match self {
            Self::Pinned { total } if survey.pinned().any(|it| it == index) => {
                pool.candidates()[index].weight / total
            }
            Self::Draw { explore, follow } => {
                let chance = explore.map_or(0.0, |it| it.chance);
                let explored = if explore.is_some_and(|it| it.index == index) {
                    chance
                } else {
                    0.0
                };
                let drawn = match follow {
                    Some(home) if home == index => 1.0,
                    Some(_) => 0.0,
                    None => survey.weight(index) / survey.total,
                };
                explored + (1.0 - chance) * drawn
            }
            Self::One(chosen, _) if chosen == index => 1.0,
            _ => 0.0,
        }
    }
}

fn course<const N: usize>(
    (pool, policy): (&Pool, Policy<'_>),
    survey: &Survey<N>,
    asked: &Asked,
    (tried, credit): (&Tried, Credit),
) -> Course {
    if survey.is_pinned() {
        let weights = survey.pinned().map(|it| pool.candidates()[it].weight);
        return Course::Pinned {
            total: weights.sum(),
        };
    }
    let draw = &policy.rules.tuning.draw;
    let may_explore = survey.band > 0
        && tried.is_empty()
        && policy.account.can_explore(survey.best(), credit, draw);
    let stalest = may_explore
        .then(|| survey.stalest(pool, policy.rules, asked))
        .flatten();
    let explore = stalest.and_then(|index| target(policy, survey, (index, credit)));
    course_with(survey, explore)
}

/// The course, given what it may explore.
fn course_with<const N: usize>(survey: &Survey<N>, explore: Option<Target>) -> Course {
    if survey.band > 0 {
        return Course::Draw {
            follow: survey.follows(),
            explore,
        };
    }
    if let Some(index) = survey.least_utilised(Gate::Hot) {
        return Course::One(index, Mode::Hot);
    }
    if let Some(index) = survey.least_failing(Gate::Open) {
        return Course::One(index, Mode::Panic);
    }
    if survey.saw(Gate::Full) {
        return Course::Shed(ShedReason::Full);
    }
    if survey.saw(Gate::Blocked) {
        return Course::Shed(ShedReason::Blocked);
    }
    survey
        .least_failing(Gate::Held)
        .map_or(Course::Exhausted, |i| Course::One(i, Mode::Panic))
}

/// The exploration of `index`, if it can be paid for.
///
/// A route dearer than `1 + explore_cap` times the best is charged less than it costs: it would otherwise never be seen again.
/// Why by cost: a twentieth of the picks may be images that take as long as all the rest; bounded by their number, exploring a slow route would cost them a tenth of their time.
fn target<const N: usize>(
    policy: Policy<'_>,
    survey: &Survey<N>,
    (index, credit): (usize, Credit),
) -> Option<Target> {
    let draw = &policy.rules.tuning.draw;
    let best = survey.best();
    let excess = survey.cost(index) - best;
    let price_ms = excess.clamp(best, best * draw.explore_cap.max(1.0));
    let affords = policy.account.affords(price_ms, (best, credit), draw);
    affords.then_some(Target {
        index,
        chance: draw.explore_chance,
        price_ms,
    })
}

/// The candidate set aside whose probe has been due the longest, if this request may be it.
fn due_probe<const N: usize>(
    pool: &Pool,
    survey: &Survey<N>,
    ask: &Ask,
    tried: &Tried,
    now: Time,
) -> Option<usize> {
    if !survey.saw(Gate::Open) && !survey.saw(Gate::Held) && !survey.saw(Gate::Incapable) {
        return None;
    }
    if survey.is_pinned() {
        return None;
    }
    let alternatives = survey.band > 0 || survey.saw(Gate::Hot);
    if !tried.is_empty() && alternatives {
        return None;
    }
    let circuit = &pool.rules.tuning.circuit;
    let patience = if ask.probe_ok || !alternatives {
        0
    } else {
        ticks(circuit.probe_patience)
    };
    let aside = survey.gates().zip(pool.candidates()).enumerate();
    let aside =
        aside.filter(|(_, (gate, _))| matches!(gate, Gate::Open | Gate::Held | Gate::Incapable));
    let due = aside.filter_map(|(index, (_, candidate))| {
        let route = &candidate.route;
        let past = route.circuit().due(now.tick(), route.skipped(), circuit)?;
        (past >= patience).then_some((past, index))
    });
    due.max().map(|(_, index)| index)
}

/// The pinned candidate at `point` of their weights laid end to end.
fn drawn_pinned<const N: usize>(pool: &Pool, survey: &Survey<N>, point: f32) -> usize {
    let mut left = point;
    let mut chosen = 0;
    for index in survey.pinned() {
        chosen = index;
        left -= pool.candidates()[index].weight;
        if left < 0.0 {
            break;
        }
    }
    chosen
}

/// Counts the request for every route that is set aside.
fn pass_over<const N: usize>(pool: &Pool, survey: &Survey<N>) {
    if !survey.saw(Gate::Open) {
        return;
    }
    for (gate, candidate) in survey.gates().zip(pool.candidates()) {
        if gate == Gate::Open {
            candidate.route.skip();
        }
    }
}

fn pick<const N: usize>(
    pool: &Pool,
    survey: &Survey<N>,
    index: usize,
    propensity: f32,
    mode: Mode,
) -> Pick {
    Pick {
        index,
        propensity,
        mode,
        score: survey.score(index),
        band: survey.band,
        cost: survey.terms(index, &pool.rules),
    }
}

/// When the first full or blocked candidate is expected to have room.
fn room_after<const N: usize>(pool: &Pool, survey: &Survey<N>, asked: &Asked) -> Span {
    let gated = survey.gates().zip(pool.candidates());
    let gated = gated.filter(|(gate, _)| matches!(gate, Gate::Full | Gate::Blocked));
    let soonest = gated
        .map(|(_, candidate)| candidate.route.wait(asked))
        .min();
    soonest.unwrap_or(RETRY_AFTER_MIN).max(RETRY_AFTER_MIN)
}
