//! How is an attempt paid for, from before it is sent until it has ended?
//!
//! The most that it may use is priced and reserved on every tier: the key's, its team's and customer's, the key's at the provider, and the provider's.
//! What the provider says that was used replaces it when the attempt has landed.
//!
//! # Invariants
//! - Nothing is sent that is not reserved for; what is reserved is settled once, by whoever lands the attempt.
//! - An attempt that failed costs nothing; one whose client left costs what was generated until then.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use scoring::outcome::Outcome;
use scoring::time::Span;

use super::life::Life;
use super::most::most;
use super::plan::Plan;
use super::respond::Failed;
use super::till::Till;
use super::used::used;
use super::worker::Worker;
use crate::clock;
use crate::config::{Governance, Nano, UnknownPrice};
use crate::dialects::failure::Failure;
use crate::dialects::seen::Usage;
use crate::governance::journal::{Flags, JournalError, Parties, Tokens};
use crate::governance::pace::{Passes, TooFast};
use crate::governance::prices::{Cost, Tariff, Used};
use crate::governance::{Asked, Bill, Charge, Member, Payee, Refusal, Spent, Unpaid};
use crate::observe::metrics::Refused;

/// Output tokens that a stream reserves more when it has used up what was reserved: some seconds of a fast model.
const MORE: u64 = 1_024;

/// When to try again while the ledger cannot be written: whoever makes room needs longer, and the disk may come back by itself.
const LEDGER_WAIT: Span = Span::from_secs(5);

/// What is reserved for an attempt.
#[derive(Debug)]
pub(super) struct Payment {
    bill: Bill,
    payers: Payers,
    tariff: Option<Arc<Tariff>>,
    /// The most that it was thought to use.
    bound: Used,
    /// Output tokens that are reserved for.
    output: u64,
    /// Input tokens, as estimated.
    estimate: u64,
    /// What lets it be in flight at its key's pace at the provider.
    passes: Option<Passes>,
}

/// Who pays.
#[derive(Clone, Debug)]
struct Payers {
    member: Option<Arc<Member>>,
    purse: Option<Arc<Payee>>,
    provider: Box<str>,
}

/// Tiers that pay for one attempt: key, team, customer, the key at the provider, the provider.
const TIERS: usize = 5;

impl Payers {
    fn tiers(&self) -> [Option<&Payee>; TIERS] {
        let member = self.member.as_deref();
        [
            member.map(|it| &it.own),
            member.and_then(|it| it.team.as_deref()),
            member.and_then(|it| it.customer.as_deref()),
            member.and_then(|it| it.at(&self.provider)),
            self.purse.as_deref(),
        ]
    }

    fn charges(&self) -> [&[Charge]; TIERS] {
        self.tiers()
            .map(|tier| tier.map_or(&[][..], |tier| &tier.charges))
    }

    fn pay(&self) -> bool {
        self.charges().iter().any(|charges| !charges.is_empty())
    }

    fn are_hard(&self) -> bool {
        self.charges().iter().copied().flatten().any(|it| it.hard)
    }
}

/// Reserves for an attempt on a route; nothing where no books are kept.
///
/// # Errors
/// What the client is told if no other route serves it.
pub(super) fn reserve(
    life: &Life,
    plan: &Plan<'_>,
    (model, target): (usize, usize),
) -> Result<Option<Payment>, Box<Failed>> {
    let serving = &life.serving;
    let Some(till) = serving.tills.wires.get(model).and_then(|it| it.get(target)) else {
        return Ok(None);
    };
    let payers = payers(life, till, &plan.peek.model)?;
    let passes = pass(life, &payers)?;
    let asked = plan.asked;
    let kind = asked.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let known = known_output(life, (model, target), till);
    let assumed = serving.config.governance.assumed_output_tokens;
    let bound = if payers.pay() && !asked.endpoint.is_count() {
        let tokens = (plan.peek.max_tokens, known, assumed);
        priced(
            most(
                asked.endpoint,
                &asked.body,
                kind,
                tokens.0,
                tokens.1,
                tokens.2,
            ),
            till.tariff.as_deref(),
        )
    } else {
        Used::default()
    };
    let cost = till.tariff.as_ref().map(|tariff| tariff.at_most(&bound));
    let asked = Asked {
        parties: parties(life, till),
        request: life.number,
        price: serving.tills.version,
        at: micros(),
    };
    let amount = match affordable(&serving.config.governance, &payers, cost, &bound) {
        Ok(amount) => amount,
        Err(failed) => return Err(not_sent(passes, failed)),
    };
    let reserved = life
        .worker
        .with_pen(|pen| pen.reserve(&payers.charges(), asked, amount));
    let bill = match reserved {
        None => return Ok(None),
        Some(Ok(bill)) => bill,
        Some(Err(unpaid)) => return Err(not_sent(passes, refused(unpaid, &payers))),
    };
    Ok(Some(Payment {
        bill,
        payers,
        tariff: till.tariff.clone(),
        output: bound.tokens.output,
        bound,
        estimate: plan.ask.input_tokens.into(),
        passes,
    }))
}

/// Why an attempt is not sent, whose pace at the provider gets back what was taken of it.
fn not_sent(passes: Option<Passes>, why: Box<Failed>) -> Box<Failed> {
    if let Some(passes) = passes {
        passes.unspend();
    }
    why
}

/// Who pays on this route, if the payer may use its provider.
fn payers(life: &Life, till: &Till, model: &str) -> Result<Payers, Box<Failed>> {
    if let Some(payer) = &life.payer
        && let Err(tier) = payer.may_use(&till.provider, model)
    {
        let message = format!("The {tier} may not use a provider of `{model}`.");
        return Err(Box::new(Failed::local(Failure::NotAllowed, &message)));
    }
    Ok(Payers {
        member: life.payer.clone(),
        purse: till.purse.clone(),
        provider: till.provider.clone(),
    })
}

/// Lets the attempt in at the pace of its key at the provider.
fn pass(life: &Life, payers: &Payers) -> Result<Option<Passes>, Box<Failed>> {
    let member = payers.member.as_ref();
    let Some(tier) = member.and_then(|it| it.at(&payers.provider)) else {
        return Ok(None);
    };
    let Some(pace) = &tier.pace else {
        return Ok(None);
    };
    let input = life.input_tokens.into();
    match crate::governance::pass(std::slice::from_ref(pace), input, clock::now()) {
        Ok(passes) => Ok(Some(passes)),
        Err(too_fast) => {
            life.worker.shared.metrics().refused(Refused::Rate);
            Err(too_soon(too_fast, tier))
        }
    }
}

/// The most output tokens that the route writes, if known.
fn known_output(life: &Life, (model, target): (usize, usize), till: &Till) -> Option<u32> {
    let wire = &life.serving.wires[model][target];
    let of_tariff = till.tariff.as_ref().and_then(|tariff| tariff.max_output);
    wire.max_output_tokens.or(of_tariff)
}

/// The bound, with what one picture of it costs.
fn priced(bound: Used, tariff: Option<&Tariff>) -> Used {
    let _ = tariff;
    bound
}

fn parties(life: &Life, till: &Till) -> Parties {
    let payer = life.payer.as_deref();
    let model = life
        .model
        .and_then(|model| life.serving.tills.models.get(model));
    Parties {
        key: payer.map_or(0, |it| it.number),
        labels: payer.map_or(0, |it| it.labels),
        model: model.copied().unwrap_or(0),
        route: till.number,
    }
}

/// What is to be reserved, unless it is not known and has to be.
fn affordable(
    governance: &Governance,
    payers: &Payers,
    cost: Option<Cost>,
    bound: &Used,
) -> Result<Nano, Box<Failed>> {
    let is_unknown = !matches!(cost, Some(Cost::Known(_))) && *bound != Used::default();
    if is_unknown && governance.unknown_price == UnknownPrice::Refuse && payers.are_hard() {
        let message = "Nobody knows what this model costs at its provider, and a budget has to pay for it; the operator can set its price.";
        return Err(Box::new(Failed::local(Failure::PriceUnknown, message)));
    }
    Ok(cost.map_or(Nano::ZERO, Cost::amount))
}

fn refused(unpaid: Unpaid, payers: &Payers) -> Box<Failed> {
    match unpaid {
        Unpaid::Unwritten(error) => unwritten(error),
        Unpaid::Refused(Refusal::TooMany(count)) => {
            let message = format!("{count} budgets would have to pay for this request.");
            Box::new(Failed::local(Failure::Internal, &message))
        }
        Unpaid::Refused(Refusal::Spent {
            tier,
            index,
            left,
            opens_at,
        }) => {
            let tier = payers.tiers().get(tier).copied().flatten();
            let charge = tier.and_then(|tier| tier.charges.get(index));
            let (Some(tier), Some(charge)) = (tier, charge) else {
                let message = "A budget is spent.";
                return Box::new(Failed::local(Failure::BudgetSpent, message));
            };
            let (limit, length) = (charge.limit, charge.length);
            let opens = match opens_at.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
                Some(at) => format!("it opens again at {at}"),
                None => "the request may cost more than all of it".to_owned(),
            };
            let message = format!(
                "The budget of {tier}, {limit} in {length}, has {left} left, which is not enough for this request; {opens}."
            );
            Box::new(Failed::local(Failure::BudgetSpent, &message))
        }
    }
}

fn unwritten(error: JournalError) -> Box<Failed> {
    tracing::warn!(%error, "a request was refused that a budget pays for");
    let message = "What this request spends cannot be written down, and a budget has to pay for it; try again later.";
    Box::new(Failed {
        retry_after: Some(LEDGER_WAIT),
        ..Failed::local(Failure::LedgerDown, message)
    })
}

/// Why a tier lets nobody in.
pub(super) fn too_soon(too_fast: TooFast, tier: &Payee) -> Box<Failed> {
    let TooFast::Limit { rate, wait, .. } = too_fast else {
        let message = too_fast.to_string();
        return Box::new(Failed::local(Failure::Internal, &message));
    };
    let limits = tier
        .pace
        .as_ref()
        .map(|pace| pace.limits)
        .unwrap_or_default();
    let (most, what) = rate.of(limits);
    let seconds = wait.as_micros().div_ceil(1_000_000);
    let message =
        format!("The {tier} is at its limit of {most} {what}; it opens again in {seconds} s.");
    Box::new(Failed {
        retry_after: Some(wait),
        ..Failed::local(Failure::RateLimited, &message)
    })
}

impl Payment {
    /// Reserves more where a stream has more output tokens than were reserved for.
    ///
    /// # Errors
    /// What the client is told; the stream must end.
    pub(super) fn reach(&mut self, worker: &Worker, output: u64) -> Result<(), Box<Failed>> {
        if output <= self.output || !self.payers.pay() {
            return Ok(());
        }
        let Some(tariff) = &self.tariff else {
            return Ok(());
        };
        let mut more = Used::default();
        more.tokens.output = output - self.output + MORE;
        let amount = tariff.at_most(&more).amount();
        let charges = self.payers.charges();
        let bill = &mut self.bill;
        match worker.with_pen(|pen| pen.reserve_more(bill, &charges, amount)) {
            None | Some(Ok(())) => {
                self.output += more.tokens.output;
                Ok(())
            }
            Some(Err(unpaid)) => Err(refused(unpaid, &self.payers)),
        }
    }

    /// Replaces what was reserved by what the attempt did cost, and tells it.
    pub(super) fn settle(self, worker: &Worker, outcome: Outcome, usage: &Usage) -> Nano {
        let (spent, flags) = self.spent(outcome, usage);
        let cost = match &self.tariff {
            Some(tariff) => tariff.cost(&spent),
            None => Cost::Unknown(Nano::ZERO),
        };
        let is_free = spent == Used::default();
        let flags = match cost {
            Cost::Unknown(_) if !is_free => flags.and(Flags::UNPRICED),
            _ => flags,
        };
        let amount = if is_free { Nano::ZERO } else { cost.amount() };
        if let Some(passes) = self.passes {
            let tokens = &spent.tokens;
            passes.settle(tokens.total_input(), tokens.total_output(), clock::now());
        }
        let told = Spent {
            amount,
            tokens: tokens(&spent),
            flags,
            at: micros(),
        };
        worker.with_pen(|pen| pen.settle(self.bill, told));
        amount
    }

    /// What was used, as far as it is known, and how that is to be marked.
    fn spent(&self, outcome: Outcome, usage: &Usage) -> (Used, Flags) {
        let mut spent = used(usage);
        // What only the request tells.
        spent.picture = self.bound.picture;
        spent.pixels = self.bound.pixels;
        spent.characters = self.bound.characters;
        let told = usage.input.is_some() || usage.output.is_some() || spent.images > 0;
        let flags = match outcome {
            // Streams of some providers tell no usage; their output is counted as it comes.
            Outcome::Success if told && usage.input.is_none() && usage.output.is_some() => {
                spent.tokens.input = self.estimate;
                return (spent, Flags::ESTIMATED);
            }
            Outcome::Success if told => return (spent, Flags::default()),
            // Nobody says: what was reserved is the most that it can have been.
            Outcome::Success => return (self.bound, Flags::ESTIMATED),
            Outcome::Canceled => Flags::CANCELED,
            Outcome::Truncated => Flags::FAILED,
            _ => return (Used::default(), Flags::FAILED),
        };
        if usage.output.unwrap_or(0) == 0 && usage.input.is_none() {
            return (Used::default(), flags);
        }
        if usage.input.is_none() {
            spent.tokens.input = self.estimate;
        }
        (spent, flags.and(Flags::ESTIMATED))
    }
}

fn tokens(used: &Used) -> Tokens {
    let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    let text = &used.tokens;
    Tokens {
        input: count(text.input + used.audio_input + used.image_input),
        cached: count(text.cache_read),
        write_5m: count(text.cache_write),
        write_1h: count(text.cache_write_1h),
        output: count(text.output + used.audio_output + used.image_output),
        reasoning: count(text.reasoning),
        units: count(used.images + used.queries),
    }
}

/// µs since 1970.
fn micros() -> i64 {
    i64::try_from(clock::unix().as_micros()).unwrap_or(i64::MAX)
}
