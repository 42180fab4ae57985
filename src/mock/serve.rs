//! One request's way out: fault → model → limits → answer, in its time.
//!
//! Faults that refuse come before limits, since a provider that is down charges nobody.
//!
//! # Invariants
//! - Where the script has no latency, no timer is set.
//! - A refused request reserves nothing.

use std::rc::Rc;

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use scoring::time::{Span, Time};
use tokio::time::{sleep, sleep_until};

use super::answer::{Answer, Broken, Link, Source};
use super::ask::{Ask, Endpoint};
use super::catalogue::Kind;
use super::embedding;
use super::faults::{Strike, is_fault_model};
use super::ledger::End;
use super::limits::{Charge, Standings};
use super::openai::{Plan, Shape, Usage};
use super::refusals::{self, JSON, Reply};
use super::state::Witness;
use super::stream::{Events, Twist, bent_whole};
use super::vendors;
use super::world::{Load, Pace, answer_length};
use crate::clock;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");

/// A request for an answer, on its way.
pub(super) struct Call<'a> {
    pub(super) ask: Ask,
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
pub(super) async fn serve(witness: Witness, call: Call<'_>) -> Result<Response<Answer>, Broken> {
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
                if let Some(response) = refusals::refuse(fault, &call.ask.model) {
                    return Ok(refused(witness, response));
                }
            }
        }
    }
    let models = &witness.provider().script.models;
    if !models.is_empty() && !models.contains(&call.ask.model) && !is_fault_model(&call.ask.model) {
        return Ok(refused(
            witness,
            Reply::no_model(&call.ask.model).response(),
        ));
    }
    charge(witness, call).await
}

/// Charges the limits and answers.
async fn charge(mut witness: Witness, call: Call<'_>) -> Result<Response<Answer>, Broken> {
    let state = Rc::clone(&witness.state);
    let provider = &state.providers[witness.provider];
    let plan = plan(&witness, &call);
    let standings = match admit(&mut witness, &call, plan.output) {
        Ok(standings) => standings,
        Err(response) => return Ok(refused(witness, *response)),
    };
    let load = Load {
        in_flight: provider.in_flight.get(),
        factor: call.factor,
    };
    let input = call.ask.input_tokens;
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
        work_on(&witness, pace.whole(plan.output), plan.output);
    }
    let course = Course { plan, pace, twist };
    let (seq, now) = (witness.seq, call.now);
    let mut response = if call.ask.stream {
        stream(witness, call, course).await
    } else {
        whole(witness, call, course).await
    };
    finish_head(response.headers_mut(), seq, now);
    if let Some(standings) = standings {
        let dialect = provider.script.limits.dialect;
        vendors::tell(dialect, &standings, clock::unix(), response.headers_mut());
    }
    Ok(response)
}

/// Charges the key's limits for an answer of `output` tokens: the limits as they stand then, or the refusal.
fn admit(
    witness: &mut Witness,
    call: &Call<'_>,
    output: u32,
) -> Result<Option<Standings>, Box<Response<Answer>>> {
    let limits = &witness.provider().script.limits;
    let (dialect, settle) = (limits.dialect, limits.settle);
    let reserved = match call.ask.endpoint {
        Endpoint::Embedding => 0,
        _ => call
            .ask
            .max_tokens
            .or(limits.unset_max_tokens)
            .unwrap_or(output),
    };
    let charge = Charge {
        input: call.ask.input_tokens,
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
            let body = vendors::refusal_body(dialect, &refusal, &call.ask.model);
            let mut response = refusals::response(429, JSON, body);
            vendors::tell(dialect, &standings, clock::unix(), response.headers_mut());
            vendors::tell_wait(dialect, refusal.wait, response.headers_mut());
            Err(Box::new(response))
        }
    }
}

/// Streams an answer; headers go out when the first token is due, or at once where the twist says so.
async fn stream(witness: Witness, call: Call<'_>, course: Course) -> Response<Answer> {
    let Course { plan, pace, twist } = course;
    if pace.first > Span::ZERO && !twist.headers_first() {
        sleep_until(clock::instant_at(call.now.plus(pace.first))).await;
    }
    witness.status(200);
    let end = if twist.spoils() {
        End::Faulted
    } else {
        End::Completed
    };
    let events = Source::Events(Box::new(Events::new(plan, pace.between, twist)));
    let mut response = Response::new(Answer::paced(events, None, call.link, (witness, end)));
    response.headers_mut().insert(CONTENT_TYPE, EVENT_STREAM);
    response.headers_mut().insert(CACHE_CONTROL, NO_CACHE);
    response
}

/// Answers at once, when the whole answer is due.
async fn whole(mut witness: Witness, call: Call<'_>, course: Course) -> Response<Answer> {
    let Course { plan, pace, twist } = course;
    let due = pace.whole(plan.output);
    if due > Span::ZERO && !twist.headers_first() {
        sleep_until(clock::instant_at(call.now.plus(due))).await;
    }
    witness.status(200);
    let body = match &call.ask.embedding {
        Some(inputs) => {
            let dimensions = witness.provider().script.dimensions;
            Bytes::from(embedding::body(inputs, &plan.model, plan.input, dimensions))
        }
        None => plan.whole(&mut witness.state.words.borrow_mut()),
    };
    let intact = !twist.spoils_whole();
    if intact {
        witness.sent(plan.output);
    }
    let body = if twist == Twist::None {
        witness.end(End::Completed);
        Answer::whole(body)
    } else {
        let (steps, length) = bent_whole(body, twist);
        let end = if intact { End::Completed } else { End::Faulted };
        Answer::paced(
            Source::Steps(steps.into()),
            length,
            call.link,
            (witness, end),
        )
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Lays out the answer to a call.
fn plan(witness: &Witness, call: &Call<'_>) -> Plan {
    let ask = &call.ask;
    let provider = witness.provider();
    let drawn = match ask.endpoint {
        Endpoint::Embedding => 0,
        _ => answer_length(provider.script.answer, &mut provider.rng.borrow_mut()),
    };
    let allowed = ask.max_tokens.unwrap_or(u32::MAX).max(1);
    let output = if ask.tool.is_some() {
        Plan::tool_tokens(drawn)
    } else {
        drawn.min(allowed)
    };
    let fault = call.strike.map(|it| it.fault.kind);
    Plan {
        shape: if ask.endpoint == Endpoint::Text {
            Shape::Text
        } else {
            Shape::Chat
        },
        id: witness.seq,
        created: clock::unix().as_secs(),
        model: ask.model.clone(),
        input: ask.input_tokens,
        output,
        cut_short: drawn > allowed,
        tool: ask.tool.clone(),
        include_usage: ask.include_usage,
        usage: match fault {
            Some(Kind::NoUsage) => Usage::Missing,
            Some(Kind::NegativeUsage) => Usage::Negative,
            Some(Kind::HugeUsage) => Usage::Huge,
            _ => Usage::Honest,
        },
    }
}

/// Has the provider work to the end of an answer whether or not the client stays.
fn work_on(witness: &Witness, due: Span, output: u32) {
    let (state, seq) = (Rc::clone(&witness.state), witness.seq);
    tokio::task::spawn_local(async move {
        sleep(due.into()).await;
        let age = state.age().as_micros();
        if let Some(attempt) = state.ledger.borrow_mut().get_mut(seq)
            && attempt.end == End::ClientLeft
        {
            (attempt.end, attempt.ended_us) = (End::AnsweredNobody, age);
            attempt.output_tokens = output;
        }
    });
}

/// Ends an attempt with an error response.
pub(super) fn refused(witness: Witness, mut response: Response<Answer>) -> Response<Answer> {
    let status = response.status();
    witness.status(status.as_u16());
    if let Ok(id) = HeaderValue::from_str(&format!("req_mock{:016x}", witness.seq)) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    witness.end(if status.is_success() {
        End::Faulted
    } else {
        End::Refused
    });
    response
}

/// Writes the headers that every answer has.
fn finish_head(headers: &mut HeaderMap, seq: u64, began: Time) {
    if let Ok(id) = HeaderValue::from_str(&format!("req_mock{seq:016x}")) {
        headers.insert(REQUEST_ID, id);
    }
    let millis = clock::now().since(began).as_micros() / 1_000;
    headers.insert(PROCESSING_MS, HeaderValue::from(millis));
}
