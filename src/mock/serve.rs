//! One request's way out: fault → model → rules → limits → answer, in its time.
//!
//! Faults that refuse come before limits, since a provider that is down charges nobody.
//!
//! # Invariants
//! - Where the script has no latency, no timer is set.
//! - A refused request reserves nothing.

use std::rc::Rc;

use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use scoring::time::{Span, Time};
use tokio::time::{sleep, sleep_until};

use super::answer::{Answer, Broken, Link, Source};
use super::ask::Ask;
use super::bill::Bill;
use super::catalogue::Kind;
use super::faults::{Strike, is_fault_model};
use super::ledger::{End, Received};
use super::limits::{Charge, Refusal, Standings};
use super::narration::{self, Whole};
use super::plan::{Plan, Usage};
use super::refusals::{self, JSON, Reply};
use super::responses;
use super::rules;
use super::script::Vendor;
use super::state::Witness;
use super::stream::{Events, Twist, bent_whole};
use super::tongue::{Tongue, Voice};
use super::vendors;
use super::world::{Load, Pace, answer_length};
use crate::clock;

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");

/// A request for an answer, on its way.
pub(super) struct Call<'a> {
    pub(super) request: &'a Received,
    pub(super) voice: Voice,
    pub(super) key: &'a str,
    pub(super) link: Rc<Link>,
    /// When it had been read.
    pub(super) now: Time,
    /// Factor that faults and operators put on its latency.
    pub(super) factor: f64,
    pub(super) strike: Option<Strike>,
}

/// An answer and how it comes.
struct Course {
    plan: Plan,
    pace: Pace,
    twist: Twist,
}

/// Lets the fault have its way where it ends the request outright, and serves the request otherwise.
pub(super) async fn serve(
    witness: Witness,
    ask: Ask,
    call: Call<'_>,
) -> Result<Response<Answer>, Broken> {
    if let Some(Strike { fault, delay }) = call.strike {
        witness.struck(fault);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        match fault.kind {
            Kind::Down | Kind::Reset => {
                witness.end(End::Faulted);
                call.link.reset();
                return Err(Broken::ByFault);
            }
            Kind::Silence => {
                sleep(Span::from_secs(u64::from(fault.number)).into()).await;
                witness.end(End::Faulted);
                return Err(Broken::ByFault);
            }
            _ => {
                if let Some(response) = refusals::refuse(fault, &ask.model, call.voice) {
                    return Ok(refused(witness, call.voice, response));
                }
            }
        }
    }
    if let Some(reply) = objection(&witness, &ask, &call) {
        return Ok(refused(witness, call.voice, reply.response(call.voice)));
    }
    charge(witness, ask, call).await
}

/// What the provider has against a request, if anything.
fn objection(witness: &Witness, ask: &Ask, call: &Call<'_>) -> Option<Reply> {
    let provider = witness.provider();
    let models = &provider.script.models;
    let serves = models.is_empty() || models.contains(&ask.model) || is_fault_model(&ask.model);
    if !serves && ask.endpoint.takes_model(&ask.model) {
        return Some(Reply::no_model(&ask.model));
    }
    rules::objection(provider, ask, call.request, call.voice.tongue)
}

/// Charges the limits and answers.
async fn charge(
    mut witness: Witness,
    ask: Ask,
    call: Call<'_>,
) -> Result<Response<Answer>, Broken> {
    let state = Rc::clone(&witness.state);
    let provider = &state.providers[witness.provider];
    let plan = plan(&witness, ask, &call);
    let standings = match admit(&mut witness, &call, &plan) {
        Ok(standings) => standings,
        Err(response) => return Ok(refused(witness, call.voice, *response)),
    };
    let load = Load {
        in_flight: provider.in_flight.get(),
        factor: call.factor,
    };
    let input = plan.ask.input_tokens;
    let pace = Pace::draw(
        &provider.script,
        input,
        load,
        &mut provider.rng.borrow_mut(),
    );
    let twist = call
        .strike
        .map_or(Twist::None, |it| Twist::of(it.fault, plan.output));
    if call.strike.is_some_and(|it| it.fault.kind == Kind::Deaf) {
        work_on(&witness, pace.whole(plan.output), &plan);
    }
    let ready = call.now.plus(pace.whole(plan.output));
    responses::remember(provider, &plan, call.request, ready);
    let course = Course { plan, pace, twist };
    let (voice, now) = (call.voice, call.now);
    let mut response = if course.plan.ask.stream {
        stream(witness, call, course).await
    } else {
        whole(witness, call, course).await
    };
    finish_head(response.headers_mut(), voice, now);
    if let Some(standings) = standings {
        let vendor = voice.tongue.vendor(provider.script.limits.dialect);
        vendors::tell(vendor, &standings, clock::unix(), response.headers_mut());
    }
    Ok(response)
}

/// Charges the key's limits for an answer: the limits as they stand then, or the refusal.
fn admit(
    witness: &mut Witness,
    call: &Call<'_>,
    plan: &Plan,
) -> Result<Option<Standings>, Box<Response<Answer>>> {
    let limits = &witness.provider().script.limits;
    let vendor = call.voice.tongue.vendor(limits.dialect);
    let settle = limits.settle;
    let reserved = if plan.ask.endpoint.speaks() {
        plan.ask
            .max_tokens
            .or(limits.unset_max_tokens)
            .unwrap_or(plan.output)
    } else {
        0
    };
    let charge = Charge {
        input: plan.ask.input_tokens,
        output: reserved,
    };
    match witness.provider().admit(call.key, charge, call.now) {
        None => Ok(None),
        Some((Ok(()), standings)) => {
            if settle {
                witness.reserve(call.key, reserved);
            }
            Ok(Some(standings))
        }
        Some((Err(refusal), standings)) => {
            let mut response = over_limit(call.voice, &refusal, plan, vendor);
            vendors::tell(vendor, &standings, clock::unix(), response.headers_mut());
            vendors::tell_wait(vendor, refusal.wait, response.headers_mut());
            Err(Box::new(response))
        }
    }
}

/// The refusal of a request that is above a limit, in the vendor's words or at least in the endpoint's.
fn over_limit(voice: Voice, refusal: &Refusal, plan: &Plan, vendor: Vendor) -> Response<Answer> {
    if voice.tongue.is_of(vendor) {
        let body = vendors::refusal_body(vendor, refusal, &plan.ask.model);
        return refusals::response(429, JSON, body);
    }
    let message = "Too Many Requests";
    Reply::new(429, "rate_limit_error", "rate_limit_exceeded", message).response(voice)
}

/// Streams an answer; headers go out when the first token is due, or at once where the twist says so.
async fn stream(mut witness: Witness, call: Call<'_>, course: Course) -> Response<Answer> {
    let Course { plan, pace, twist } = course;
    if pace.first > Span::ZERO && !twist.headers_first() {
        sleep_until(clock::instant_at(call.now.plus(pace.first))).await;
    }
    witness.status(200);
    witness.bill(Bill::of(&plan));
    let end = if twist.spoils() {
        End::Faulted
    } else {
        End::Completed
    };
    let output = narration::tokens(&plan);
    let (kind, narration) = narration::stream(plan);
    let events = Events::new(narration, output, pace.between, twist);
    let events = Source::Events(Box::new(events));
    let mut response = Response::new(Answer::paced(events, None, call.link, (witness, end)));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, NO_CACHE);
    response
}

/// Answers at once, when the whole answer is due.
async fn whole(mut witness: Witness, call: Call<'_>, course: Course) -> Response<Answer> {
    let Course { plan, pace, twist } = course;
    let due = if responses::is_background(&plan) {
        Span::ZERO
    } else {
        pace.whole(plan.output)
    };
    if due > Span::ZERO && !twist.headers_first() {
        sleep_until(clock::instant_at(call.now.plus(due))).await;
    }
    witness.status(200);
    // A whole answer has been made, whatever becomes of it on its way.
    let bill = Bill::of(&plan).whole(narration::tokens(&plan));
    witness.bill(Bill::at_once(bill));
    let Whole { kind, body } = narration::whole(&plan, &witness.state, witness.provider());
    let intact = !twist.spoils_whole();
    if intact {
        witness.sent(plan.output);
    }
    let body = if twist == Twist::None {
        witness.end(End::Completed);
        Answer::whole(body)
    } else {
        let (steps, length) = bent_whole(body, narration::whole_error(&plan), twist);
        let end = if intact { End::Completed } else { End::Faulted };
        Answer::paced(
            Source::Steps(steps.into()),
            length,
            call.link,
            (witness, end),
        )
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Lays out the answer to a call.
fn plan(witness: &Witness, ask: Ask, call: &Call<'_>) -> Plan {
    let provider = witness.provider();
    let after = ask
        .prefill
        .filter(|_| rules::continues(provider.script.prefill, call.voice.tongue));
    let drawn = if ask.endpoint.speaks() {
        let length = answer_length(provider.script.answer, &mut provider.rng.borrow_mut());
        length
            .saturating_sub(after.map_or(0, |prefix| prefix.last))
            .max(1)
    } else {
        0
    };
    let allowed = ask.max_tokens.unwrap_or(u32::MAX).max(1);
    let output = if ask.tool.is_some() {
        Plan::tool_tokens(drawn)
    } else {
        drawn.min(allowed)
    };
    let fault = call.strike.map(|it| it.fault.kind);
    Plan {
        tongue: call.voice.tongue,
        provider: Rc::clone(&provider.name),
        id: witness.seq,
        created: clock::unix().as_secs(),
        output,
        cut_short: drawn > allowed,
        after: after.filter(|_| ask.tool.is_none()),
        usage: match fault {
            Some(Kind::NoUsage) => Usage::Missing,
            Some(Kind::NegativeUsage) => Usage::Negative,
            Some(Kind::HugeUsage) => Usage::Huge,
            _ => Usage::Honest,
        },
        ask,
    }
}

/// Has the provider work to the end of an answer whether or not the client stays.
fn work_on(witness: &Witness, due: Span, plan: &Plan) {
    let (state, seq) = (Rc::clone(&witness.state), witness.seq);
    let (output, billed) = (plan.output, Bill::of(plan).whole(narration::tokens(plan)));
    tokio::task::spawn_local(async move {
        sleep(due.into()).await;
        let age = state.age().as_micros();
        if let Some(attempt) = state.ledger.borrow_mut().get_mut(seq)
            && attempt.end == End::ClientLeft
        {
            (attempt.end, attempt.ended_us) = (End::AnsweredNobody, age);
            (attempt.output_tokens, attempt.billed) = (output, billed);
        }
    });
}

/// Ends an attempt with an error response.
pub(super) fn refused(
    witness: Witness,
    voice: Voice,
    mut response: Response<Answer>,
) -> Response<Answer> {
    let status = response.status();
    witness.status(status.as_u16());
    tell_id(response.headers_mut(), voice);
    witness.end(if status.is_success() {
        End::Faulted
    } else {
        End::Refused
    });
    response
}

/// Writes the headers that every answer has.
fn finish_head(headers: &mut HeaderMap, voice: Voice, began: Time) {
    tell_id(headers, voice);
    if voice.tongue == Tongue::OpenAi {
        let millis = clock::now().since(began).as_micros() / 1_000;
        headers.insert(PROCESSING_MS, HeaderValue::from(millis));
    }
}

fn tell_id(headers: &mut HeaderMap, voice: Voice) {
    if let Some(name) = voice.tongue.id_header()
        && let Ok(id) = HeaderValue::from_str(&voice.request_id())
    {
        headers.insert(name, id);
    }
}
