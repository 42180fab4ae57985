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
use http::{HeaderMap, Method};
use scoring::outcome::Outcome;
use scoring::time::Span;

use super::errand::Errand;
use super::life::Life;
use super::most::{Most, Served};
use super::plan::Plan;
use super::respond::Failed;
use super::serving::Wire;
use super::till::Till;
use super::used::used;
use super::worker::Worker;
use crate::clock;
use crate::config::{Governance, Nano, UnknownPrice};
use crate::dialects::failure::Failure;
use crate::dialects::format::Endpoint;
use crate::dialects::openai::peek;
use crate::dialects::overhear;
use crate::dialects::seen::Usage;
use crate::governance::journal::{Flags, JournalError, Parties, Tokens};
use crate::governance::pace::{Passes, TooFast};
use crate::governance::prices::{Cost, Tariff, Used};
use crate::governance::{Asked, Bill, Charge, Member, Payee, Rank, Refusal, Spent, Unpaid};
use crate::observe::metrics::{Metrics, Refused, Tier};

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
    /// Whether it may cost what nobody can tell.
    is_dark: bool,
}

/// Who pays.
#[derive(Clone, Debug)]
struct Payers {
    member: Option<Arc<Member>>,
    purse: Option<Arc<Payee>>,
    provider: Arc<str>,
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

/// What is to be paid for.
struct Order<'a> {
    till: &'a Till,
    /// The number of the model that was asked for; 0 where it has none.
    model: u32,
    tariff: Option<&'a Arc<Tariff>>,
    payers: Payers,
    /// The most that it may use.
    bound: Used,
    /// Input tokens, as estimated.
    estimate: u64,
    /// Whether it may cost what nobody can tell.
    is_dark: bool,
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
    let asked = plan.asked;
    if asked.endpoint.is_count() {
        // What is counted is not used up.
        return Ok(None);
    }
    let bound = if payers.pay() {
        let wire = &serving.wires[model][target];
        let kind = content_type(&asked.headers);
        Most::of(asked.endpoint, &asked.body, kind, plan.peek.max_tokens).used(&Served {
            model: &wire.model.plain,
            tariff: till.tariff.as_deref(),
            max_output: known_output(wire, till),
            assumed_output: serving.config.governance.assumed_output_tokens,
        })
    } else {
        Used::default()
    };
    let asked_for = life.model.and_then(|model| serving.tills.models.get(model));
    let order = Order {
        till,
        model: asked_for.copied().unwrap_or(0),
        tariff: till.tariff.as_ref(),
        payers,
        bound,
        estimate: plan.ask.input_tokens.into(),
        is_dark: false,
    };
    open(life, order)
}

/// Reserves for a request that passes through to an account; nothing where no books are kept.
///
/// # Errors
/// What the client is told.
pub(super) fn reserve_errand(
    life: &Life,
    errand: &Errand,
    place: usize,
) -> Result<Option<Payment>, Box<Failed>> {
    let serving = &life.serving;
    let Some(till) = serving.tills.posts.get(place) else {
        return Ok(None);
    };
    let path = errand.path.split('?').next().unwrap_or_default();
    let sends = errand.method != Method::GET && errand.method != Method::DELETE;
    let asked = overhear::asked(path, &errand.body).filter(|_| sends);
    let (endpoint, model) = match &asked {
        Some((endpoint, model)) => (Some(*endpoint), &**model),
        None => (None, ""),
    };
    if let Some(payer) = life
        .payer
        .as_ref()
        .filter(|_| sends && errand.may_ask_a_model())
    {
        allow(payer, model)?;
    }
    let payers = payers(life, till, model)?;
    if !sends || endpoint.is_some_and(Endpoint::is_count) {
        // To look at something, or to count it, costs nothing.
        return Ok(None);
    }
    let tariff = till.tariff_of(&serving.tills, &serving.config, model);
    let bound = match endpoint.filter(|_| payers.pay()) {
        Some(endpoint) => Most::of(
            endpoint,
            &errand.body,
            content_type(&errand.headers),
            errand.max_tokens(endpoint),
        )
        .used(&Served {
            model,
            tariff: tariff.as_deref(),
            max_output: tariff.as_ref().and_then(|tariff| tariff.max_output),
            assumed_output: serving.config.governance.assumed_output_tokens,
        }),
        None => Used::default(),
    };
    let order = Order {
        till,
        model: serving.tills.upstream.get(model).copied().unwrap_or(0),
        tariff: tariff.as_ref(),
        payers,
        bound,
        estimate: peek::estimated(&errand.body).into(),
        is_dark: endpoint.is_none(),
    };
    open(life, order)
}

/// Writes down that a request was answered from what is kept: it costs nothing, whoever it would have been asked of.
pub(super) fn from_cache(life: &Life, (input, output): (u32, u32)) {
    let Some(payer) = life.payer.as_deref() else {
        return;
    };
    let asked_for = life
        .model
        .and_then(|model| life.serving.tills.models.get(model));
    let asked = Asked {
        parties: Parties {
            key: payer.number,
            labels: payer.labels,
            model: asked_for.copied().unwrap_or(0),
            route: 0,
        },
        request: life.number,
        price: life.serving.tills.version,
        at: clock::unix_micros(),
    };
    let spent = Spent {
        amount: Nano::ZERO,
        tokens: Tokens {
            input,
            output,
            ..Tokens::default()
        },
        flags: Flags::FROM_CACHE,
        at: asked.at,
    };
    life.worker.with_pen(|pen| {
        // Nobody pays, so nothing can be refused.
        if let Ok(bill) = pen.reserve(&[], asked, Nano::ZERO) {
            pen.settle(bill, spent);
        }
    });
}

/// Lets a key ask for a model by the name that its provider has for it.
fn allow(payer: &Member, model: &str) -> Result<(), Box<Failed>> {
    if let Err(tier) = payer.may_ask(model) {
        let message = match model {
            "" => format!(
                "The {tier} may only ask for some models, and this request names none that is known."
            ),
            model => format!("The {tier} may not ask for the model `{model}`."),
        };
        return Err(Box::new(Failed::local(Failure::NotAllowed, &message)));
    }
    Ok(())
}

/// Lets a request in at its payer's pace, once.
///
/// # Errors
/// What the client is told.
pub(super) fn let_in(life: &mut Life) -> Result<(), Box<Failed>> {
    let Some(payer) = life.payer.as_ref().filter(|payer| payer.has_pace()) else {
        return Ok(());
    };
    if life.passes.is_some() {
        return Ok(());
    }
    match payer.pass(life.input_tokens.into(), life.began) {
        Ok(passes) => life.passes = Some(passes),
        Err(too_fast) => {
            life.worker.shared.metrics().refused(Refused::Rate);
            return Err(too_soon(too_fast, payer.paced(too_fast.index())));
        }
    }
    Ok(())
}

fn open(life: &Life, order: Order<'_>) -> Result<Option<Payment>, Box<Failed>> {
    let Order {
        till,
        model,
        tariff,
        payers,
        bound,
        estimate,
        is_dark,
    } = order;
    let serving = &life.serving;
    let cost = tariff.map(|tariff| tariff.at_most(&bound));
    let is_unknown = is_dark || !matches!(cost, Some(Cost::Known(_))) && bound != Used::default();
    let amount = affordable(&serving.config.governance, &payers, (cost, is_unknown))?;
    let passes = pass(life, &payers)?;
    let asked = Asked {
        parties: parties(life, till, model),
        request: life.number,
        price: serving.tills.version,
        at: clock::unix_micros(),
    };
    let charges = payers.charges();
    let reserved = life
        .worker
        .with_pen(|pen| pen.reserve(&charges, asked, amount));
    let bill = match reserved {
        None => return Ok(None),
        Some(Ok(bill)) => bill,
        Some(Err(unpaid)) => {
            return Err(not_sent(
                passes,
                refused(unpaid, &payers, life.worker.shared.metrics()),
            ));
        }
    };
    Ok(Some(Payment {
        bill,
        payers,
        tariff: tariff.cloned(),
        output: bound.tokens.output,
        bound,
        estimate,
        passes,
        is_dark,
    }))
}

/// What a body is said to be.
fn content_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default()
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
        provider: Arc::clone(&till.provider),
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
fn known_output(wire: &Wire, till: &Till) -> Option<u32> {
    let of_tariff = till.tariff.as_ref().and_then(|tariff| tariff.max_output);
    wire.max_output_tokens.or(of_tariff)
}

fn parties(life: &Life, till: &Till, model: u32) -> Parties {
    let payer = life.payer.as_deref();
    Parties {
        key: payer.map_or(0, |it| it.number),
        labels: payer.map_or(0, |it| it.labels),
        model,
        route: till.number,
    }
}

/// What is to be reserved, unless it is not known and has to be.
fn affordable(
    governance: &Governance,
    payers: &Payers,
    (cost, is_unknown): (Option<Cost>, bool),
) -> Result<Nano, Box<Failed>> {
    if is_unknown && governance.unknown_price == UnknownPrice::Refuse && payers.are_hard() {
        let message = "Nobody knows what this model costs at its provider, and a budget has to pay for it; the operator can set its price.";
        return Err(Box::new(Failed::local(Failure::PriceUnknown, message)));
    }
    Ok(cost.map_or(Nano::ZERO, Cost::amount))
}

fn refused(unpaid: Unpaid, payers: &Payers, metrics: &Metrics) -> Box<Failed> {
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
            metrics.rejected(whose(tier.rank));
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

/// Whose budget is spent, as metrics have it.
const fn whose(rank: Rank) -> Tier {
    match rank {
        Rank::Customer => Tier::Customer,
        Rank::Team => Tier::Team,
        Rank::Key => Tier::Key,
        Rank::KeyAtProvider => Tier::KeyAtProvider,
        Rank::Provider => Tier::Provider,
    }
}

fn unwritten(error: JournalError) -> Box<Failed> {
    // The books' own thread tells it once a second, whoever asks how often.
    tracing::debug!(%error, "a request was refused that a budget pays for");
    let message = "What this request spends cannot be written down, and a budget has to pay for it; try again later.";
    Box::new(Failed {
        retry_after: Some(LEDGER_WAIT),
        ..Failed::local(Failure::LedgerDown, message)
    })
}

/// Why a tier lets nobody in.
fn too_soon(too_fast: TooFast, tier: &Payee) -> Box<Failed> {
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
            Some(Err(unpaid)) => Err(refused(unpaid, &self.payers, worker.shared.metrics())),
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
            _ if self.is_dark => flags.and(Flags::UNPRICED),
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
            at: clock::unix_micros(),
        };
        worker.with_pen(|pen| pen.settle(self.bill, told));
        amount
    }

    /// What was used, as far as it is known, and how that is to be marked.
    fn spent(&self, outcome: Outcome, usage: &Usage) -> (Used, Flags) {
        let mut spent = used(usage);
        let told = spent != Used::default() || usage.input.is_some();
        // What only the request tells.
        spent.picture = self.bound.picture;
        let pictures = self.bound.images.max(1);
        spent.pixels = self.bound.pixels / pictures * spent.images;
        if spent.characters == 0 {
            spent.characters = self.bound.characters;
        }
        let flags = match outcome {
            // A stream whose provider tells no usage is counted as it passes.
            Outcome::Success if told && usage.input.is_none() && usage.output.is_some() => {
                spent.tokens.input = self.estimate;
                return (spent, Flags::ESTIMATED);
            }
            Outcome::Success if told => return (spent, Flags::default()),
            // Nobody says: what was reserved is the most that it can have been.
            Outcome::Success => return (self.bound, Flags::ESTIMATED),
            // The provider has read it, whatever it has written.
            Outcome::Canceled => Flags::CANCELED,
            Outcome::Truncated if told => Flags::FAILED,
            _ => return (Used::default(), Flags::FAILED),
        };
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
