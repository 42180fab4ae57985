//! What is asked, of which model, by when?
//!
//! # Invariants
//! - Rules are asked once per request, also if its stream is taken up again.
//! - No plan is made of a request for a workflow that has not entered it.

use std::rc::Rc;

use http::header::CONTENT_TYPE;
use scoring::route::Ask;
use scoring::time::Time;

use super::life::Life;
use super::meaning::{Foreign, Meaning};
use super::payment;
use super::picture::Wish;
use super::picture::stream::Ticker;
use super::rescue::Resume;
use super::respond::Failed;
use super::serving::Serving;
use super::session::Turn;
use super::{Asked, Way};
use crate::clock;
use crate::config::{Model, StreamRecovery};
use crate::dialects::failure::Failure;
use crate::dialects::foreign;
use crate::dialects::format::{Endpoint, Format};
use crate::dialects::openai::form;
use crate::dialects::openai::peek::{self, Peek, PeekError};
use crate::dialects::responses;
use crate::governance::Member;
use crate::images::USUAL_WORK;
use crate::routing::Maker;
use crate::routing::rules::{self, Facts};

/// A request that short may serve as a probe of a route: it risks little.
const PROBE_TOKENS: u32 = 16_384;

/// Input tokens that a count of tokens costs of a route's limits: none, and 0 would mean unknown.
const COUNTED: u32 = 1;

/// Where the team of who asks is said, where no key says it.
const TEAM: &str = "x-trimtab-team";

/// Where the name of the key of who asks is said, where no key says it.
const KEY: &str = "x-trimtab-key";

/// What is left of the budgets of who asks, where there are none.
const UNBOUND: f64 = 1.0;

/// Why there is no plan.
#[derive(Debug)]
pub(super) enum Stop {
    /// The request is refused.
    Refused(Box<Failed>),
    /// It has to enter this workflow first.
    Enter(usize),
}

/// Longest name of an unknown model that is kept, bytes.
const MOST_ASKED: usize = 128;

impl Stop {
    /// What the client is told.
    pub(super) fn refusal(self) -> Box<Failed> {
        match self {
            Self::Refused(failed) => failed,
            Self::Enter(_) => Box::new(Failed::local(
                Failure::Internal,
                "A workflow leads into a workflow.",
            )),
        }
    }
}

/// A request, understood.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) asked: &'a Asked,
    pub(super) peek: Peek<'a>,
    /// The index of the model that was asked for.
    pub(super) named: usize,
    /// The index of the model whose routes serve it: the one that was asked for, or the one that a rule chose.
    pub(super) model: usize,
    pub(super) ask: Ask,
    /// When the request has had its time.
    pub(super) deadline: Time,
    /// What it means, for routes of other dialects.
    pub(super) meaning: Meaning,
    /// The account that alone can serve it, since it keeps what the request refers to.
    pub(super) maker: Option<Maker>,
    /// What becomes of a stream that breaks off.
    pub(super) recovery: StreamRecovery,
    /// The stream that is to be taken up, if one broke off.
    pub(super) resume: Option<Resume>,
    /// Which pictures are asked for, if any are.
    pub(super) wish: Wish,
    /// What tells the client how far its pictures are, if it is to be told.
    pub(super) ticker: Option<Rc<Ticker>>,
}

impl Plan<'_> {
    /// The models to fall back to: a workflow's own, if it has any, else those of the model whose routes serve.
    pub(super) fn fallbacks<'s>(&self, serving: &'s Serving) -> &'s [usize] {
        let workflow = serving.config.models[self.named].workflow.as_ref();
        workflow
            .and_then(|workflow| workflow.fallbacks.as_deref())
            .unwrap_or(&serving.routing.models[self.model].fallbacks)
    }
}

/// Understands a request, or says why not.
pub(super) fn plan<'a>(life: &mut Life, asked: &'a Asked) -> Result<Plan<'a>, Stop> {
    life.format = asked.endpoint.format();
    life.label = asked.endpoint.name();
    if let Way::Path(name) = &asked.way {
        return Err(way_to(life, name));
    }
    let peek = scan(asked).map_err(|error| refused(Failure::BadRequest, &error.to_string()))?;
    let (class, name) = asked.endpoint.class(peek.stream);
    life.class = name;
    life.stream = peek.stream;
    life.max_tokens = peek.max_tokens;
    life.input_tokens = peek.input_tokens;
    let Some(named) = life.serving.routing.find(&peek.model) else {
        life.input_tokens = 0;
        let cut = peek.model.floor_char_boundary(MOST_ASKED);
        life.asked = life.legs.is_some().then(|| peek.model[..cut].into());
        let message = format!(
            "The model `{}` does not exist or you do not have access to it.",
            peek.model
        );
        return Err(refused(Failure::NoModel, &message));
    };
    life.model = Some(named);
    admit(life, &peek.model)?;
    let settings = &life.serving.config.models[named];
    if settings.workflow.is_some() && asked.way != Way::Entered {
        return Err(Stop::Enter(named));
    }
    let model = match life.chosen {
        Some(chosen) => chosen,
        None => chosen(life, settings, asked, &peek).unwrap_or(named),
    };
    life.chosen = Some(model);
    let total = life.serving.routing.models[named].clocks.total;
    let deadline = life.began.plus(total.into());
    let wish = Wish::default();
    let (size, probe) = size(life, asked, &wish);
    let ask = Ask {
        class,
        input_tokens: size,
        max_tokens: peek.max_tokens,
        deadline: Some(deadline),
        probe_ok: size <= probe,
        affinity: None,
    };
    life.turn = Turn::of(life, asked, &peek);
    let (maker, foreign) = ties(life, asked);
    let meaning = Meaning::new(peek.stream, foreign);
    let wanted = life.serving.config.models[named].stream_recovery;
    let streams = peek.stream && asked.endpoint.is_conversation();
    let told = &life.worker.shared.lasting.recollections;
    // Nothing of an answer is given up for the case that it breaks off.
    let may = streams && wanted != StreamRecovery::Error && meaning.is_carried_whole(asked, told);
    let recovery = if may { wanted } else { StreamRecovery::Error };
    Ok(Plan {
        maker,
        recovery,
        resume: None,
        wish,
        ticker: None,
        meaning,
        asked,
        peek,
        named,
        model,
        ask,
        deadline,
    })
}

/// Lets the request in if its payer may ask for the model, and not too fast.
fn admit(life: &mut Life, model: &str) -> Result<(), Stop> {
    let Some(payer) = &life.payer else {
        return Ok(());
    };
    if let Err(tier) = payer.may_ask(model) {
        let message = format!("The {tier} may not ask for the model `{model}`.");
        return Err(refused(Failure::NotAllowed, &message));
    }
    payment::let_in(life).map_err(Stop::Refused)
}

/// How large a request is, and up to which size it may serve as a probe.
fn size(life: &mut Life, asked: &Asked, wish: &Wish) -> (u32, u32) {
    if asked.endpoint.is_count() {
        // What is counted is not used up.
        return (COUNTED, PROBE_TOKENS);
    }
    if asked.endpoint.is_picture() {
        let work = wish.work(asked);
        (life.work, life.input_tokens) = (Some(work), 0);
        return (work, USUAL_WORK);
    }
    (life.input_tokens, PROBE_TOKENS)
}

fn refused(failure: Failure, message: &str) -> Stop {
    Stop::Refused(Box::new(Failed::local(failure, message)))
}

/// The workflow that a path names.
fn way_to(life: &Life, name: &str) -> Stop {
    let full = format!("{}{name}", Model::WORKFLOWS);
    match life.serving.routing.find(&full) {
        Some(model) => Stop::Enter(model),
        None => {
            let message = format!("The workflow `{name}` does not exist.");
            refused(Failure::NoModel, &message)
        }
    }
}

/// The model that the first matching rule chooses, if there is one.
fn chosen(life: &Life, model: &Model, asked: &Asked, peek: &Peek<'_>) -> Option<usize> {
    if model.rules.is_empty() {
        return None;
    }
    let said = |name: &str| {
        let value = asked.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let payer = life.payer.as_deref();
    let facts = Facts {
        model: &peek.model,
        endpoint: asked.endpoint.name(),
        stream: peek.stream,
        input_tokens: peek.input_tokens,
        max_tokens: peek.max_tokens,
        headers: &asked.headers,
        key: payer.map_or_else(|| said(KEY), |payer| &payer.own.name),
        team: payer.map_or_else(
            || said(TEAM),
            |payer| payer.team.as_ref().map_or("", |team| &team.name),
        ),
        hour: clock::hour(),
        budget_left: payer.map_or(UNBOUND, Member::share_left),
    };
    rules::choose(&model.rules, &facts, &mut |(expression, why)| {
        if expression.is_untold() {
            let (model, rule) = (&*model.name, expression.text());
            tracing::warn!(
                model,
                rule,
                why,
                "a rule's condition failed and does not match"
            );
        }
    })
}

/// What ties a request to one account, and whether it holds thoughts that no provider of its own words can read.
fn ties(life: &Life, asked: &Asked) -> (Option<Maker>, Foreign) {
    let told = |foreign| if foreign { Foreign::Yes } else { Foreign::No };
    if asked.endpoint != Endpoint::Responses {
        let foreign = foreign::is_in(asked.endpoint.format(), &asked.body);
        return (None, told(foreign));
    }
    let Ok(ties) = responses::peek::peek(&asked.body) else {
        return (None, Foreign::No);
    };
    let makers = &life.worker.shared.lasting.makers;
    let kept = [
        &ties.previous_response_id,
        &ties.item_reference,
        &ties.reasoning_id,
    ];
    let maker = kept
        .into_iter()
        .flatten()
        .find_map(|id| makers.recall(id.as_bytes()));
    (maker, told(ties.foreign))
}

impl Plan<'_> {
    /// Whether the client asked for a stream of pictures that may be made by jobs, whose progress it can be told.
    pub(super) fn tells_progress(&self, life: &Life) -> bool {
        let endpoint = self.asked.endpoint;
        if !self.peek.stream || !endpoint.is_picture() {
            return false;
        }
        let serving = &life.serving;
        let models = self.fallbacks(serving).iter().chain([&self.model]);
        let mut wires = models.flat_map(|&model| &serving.wires[model]);
        wires.any(|wire| {
            wire.lane(endpoint)
                .is_some_and(|lane| lane.format == Format::Images)
        })
    }
}

/// Finds what governs the request, wherever its format puts it.
fn scan(asked: &Asked) -> Result<Peek<'_>, PeekError> {
    let mut peek = match &asked.model {
        Some(model) => peek::peek_named(&asked.body, model)?,
        None if asked.endpoint.is_form() => {
            let kind = asked.headers.get(CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            form::peek(&asked.body, kind)?
        }
        None => peek::peek(&asked.body)?,
    };
    peek.stream = match asked.endpoint {
        Endpoint::StreamGenerate => true,
        endpoint => peek.stream && endpoint.may_stream(),
    };
    Ok(peek)
}
