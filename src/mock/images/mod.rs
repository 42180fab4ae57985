//! Stand-in makers of images: each vendor's paths below `/{provider}/`, its jobs, and its way to refuse.
//!
//! | vendor | paths below `/{provider}/` |
//! | --- | --- |
//! | OpenAI | `v1/images/{generations,edits,variations}` |
//! | Stability | `v2beta/stable-image/generate/{core,ultra,sd3}`, `v2beta/stable-image/edit/inpaint` |
//! | fal, queued | `queue.fal.run/{app}`, `…/requests/{id}/status`, `…/requests/{id}`, `…/requests/{id}/cancel` |
//! | fal, at once | `fal.run/{app}` |
//! | Replicate | `v1/predictions`, `v1/models/{owner}/{name}/predictions`, `v1/predictions/{id}`, `…/cancel` |
//! | BFL | `v1/{flux…}`, `v1/get_result?id=` |
//! | the pictures | `pictures/{id}-{n}.png` |
//!
//! A job waits for the script's `ttft` and then takes its `tpot` for each step after the first; vendors without jobs answer when it is done.
//! The ledger has one attempt for each request, with the path `images/submit`, `images/poll`, `images/result`, `images/cancel` or `images/picture`.
//!
//! # Invariants
//! - A job's end is settled when it is submitted; only a cancellation changes it.
//! - Scheduled faults strike submissions; a fault that the operator sets strikes every request.

mod ask;
mod doors;
mod jobs;
mod wording;

use std::rc::Rc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use scoring::time::Span;
use tokio::time::{sleep, sleep_until};

use super::answer::{Answer, Broken, Link};
use super::bill::Bill;
use super::catalogue::Kind;
use super::faults::{Strike, Victim};
use super::ledger::{Attempt, End, Received};
use super::limits::Charge;
use super::refusals::{self, JSON};
use super::state::{State, Witness};
use super::world::{Load, Pace};
use crate::clock;

use ask::Ask;
use doors::{Action, Maker};
pub(super) use doors::{Door, find};
use jobs::Job;
pub(super) use jobs::Jobs;

/// The longest that Replicate waits within a submission, in seconds. Source: its HTTP API reference.
const LONGEST_WAIT_S: u64 = 60;

/// A request for or about an image, as it was heard.
pub(super) struct Heard<'a> {
    /// All of it, for the ledger.
    pub(super) received: Rc<Received>,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: Option<&'a str>,
    pub(super) body: Bytes,
}

/// What is said to a client.
struct Said {
    status: u16,
    media: HeaderValue,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
}

impl Said {
    fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            media: JSON,
            body: Bytes::from(body.to_string()),
            headers: Vec::new(),
        }
    }
}

/// Answers a request at one of the image vendors' paths.
pub(super) async fn respond(
    state: Rc<State>,
    link: Rc<Link>,
    door: Door,
    heard: Heard<'_>,
) -> Result<Response<Answer>, Broken> {
    let ask = Ask::read(&door, &heard);
    let key = key(heard.headers);
    let tag = heard.headers.get("x-mock-tag");
    let tag = tag.and_then(|it| it.to_str().ok()).unwrap_or(&ask.user);
    let index = door.provider;
    let mut record = Attempt::begun(
        &state.providers[index].name,
        door.action.path(),
        state.age(),
    );
    record.model = ask.model.as_str().into();
    record.key = last_four(key).into();
    record.tag = tag.into();
    record.received = Some(Rc::clone(&heard.received));
    let witness = Witness::open(Rc::clone(&state), index, record);
    let keys = &state.providers[index].script.keys;
    let open = matches!(door.action, Action::Picture(_));
    if !open && !keys.is_empty() && !keys.iter().any(|accepted| accepted == key) {
        let said = wording::refusal(door.maker, 401, "Unauthorized");
        return Ok(tell(witness, said));
    }
    let Some(Strike { fault, delay }) = strike(&witness, &door, &ask, tag) else {
        return Ok(serve(witness, &door, &ask, (&heard, None)).await);
    };
    witness.struck(fault);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    match fault.kind {
        Kind::Down | Kind::Reset => {
            witness.end(End::Faulted);
            link.reset();
            Err(Broken::ByFault)
        }
        Kind::Silence => {
            sleep(Span::from_secs(u64::from(fault.number)).into()).await;
            witness.end(End::Faulted);
            Err(Broken::ByFault)
        }
        kind => match wording::fault(door.maker, fault) {
            Some(said) => Ok(tell(witness, said)),
            None => Ok(serve(witness, &door, &ask, (&heard, Some(kind))).await),
        },
    }
}

/// The fault that strikes a request, if one does.
fn strike(witness: &Witness, door: &Door, ask: &Ask, tag: &str) -> Option<Strike> {
    let provider = witness.provider();
    if !matches!(door.action, Action::Submit) {
        let fault = provider.faults.borrow().operator();
        let delay = std::time::Duration::ZERO;
        return fault.map(|fault| Strike { fault, delay });
    }
    let victim = Victim {
        model: &ask.model,
        tag,
        now: clock::now(),
        age: witness.state.age(),
    };
    let schedule = &provider.script.faults;
    let mut rng = provider.rng.borrow_mut();
    provider
        .faults
        .borrow_mut()
        .strike(schedule, victim, &mut rng)
}

/// Serves a request that no fault refuses.
async fn serve(
    witness: Witness,
    door: &Door,
    ask: &Ask,
    (heard, fault): (&Heard<'_>, Option<Kind>),
) -> Response<Answer> {
    let here = here(&witness, heard.headers);
    match &door.action {
        Action::Submit => submit(witness, door, ask, (heard, fault)).await,
        Action::Picture(_) => tell(witness, wording::picture(ask.seed, "image/png")),
        Action::Poll(id) | Action::Result(id) | Action::Cancel(id) => {
            let id = match heard.query.and_then(|query| query.strip_prefix("id=")) {
                Some(queried) if id.is_empty() => queried,
                _ => id,
            };
            let cancel = matches!(door.action, Action::Cancel(_));
            let now = clock::now();
            let job = {
                let mut jobs = witness.state.jobs.borrow_mut();
                if cancel {
                    jobs.cancel(id, now);
                }
                jobs.get(id).cloned()
            };
            let said = match job.filter(|job| job.provider == door.provider) {
                None => wording::refusal(door.maker, 404, "Task not found"),
                Some(job) => match door.action {
                    Action::Poll(_) => wording::status(&job, now, &here),
                    Action::Cancel(_) => wording::canceled(&job, now, &here),
                    _ => wording::result(&job, now, &here),
                },
            };
            tell(witness, said)
        }
    }
}

/// Takes a job on, and answers at once, when it is done, or when the client's patience is.
async fn submit(
    mut witness: Witness,
    door: &Door,
    ask: &Ask,
    (heard, fault): (&Heard<'_>, Option<Kind>),
) -> Response<Answer> {
    let (maker, now) = (door.maker, clock::now());
    if let Some(problem) = &ask.problem {
        return tell(witness, wording::refusal(maker, 422, problem));
    }
    if let Some(wait) = refused(&witness, key(heard.headers)) {
        let mut said = wording::refusal(maker, 429, "Too many requests");
        let seconds = wait.as_micros().div_ceil(1_000_000);
        said.headers
            .push((RETRY_AFTER.as_str(), seconds.to_string()));
        return tell(witness, said);
    }
    let job = begin(&witness, door, ask, fault == Some(Kind::ContentPolicy));
    witness.state.jobs.borrow_mut().take_on(job.clone());
    // What a filter stops is not billed.
    if !job.moderated {
        witness.bill(Bill::at_once(wording::billed(&job)));
    }
    let patience = match maker {
        Maker::OpenAi | Maker::Stability | Maker::FalSync => Some(job.done),
        Maker::Replicate => ask.wait.map(|wait| {
            let wait = wait.min(LONGEST_WAIT_S);
            job.done.min(now.plus(Span::from_secs(wait)))
        }),
        Maker::Fal | Maker::Bfl => None,
    };
    if let Some(due) = patience.filter(|due| *due > now) {
        sleep_until(clock::instant_at(due)).await;
    }
    let here = here(&witness, heard.headers);
    tell(witness, wording::submitted(&job, clock::now(), &here))
}

/// Charges one request; how long to wait if the limits refuse it.
fn refused(witness: &Witness, key: &str) -> Option<Span> {
    let charge = Charge {
        input: 0,
        output: 0,
    };
    match witness.provider().admit(key, charge, clock::now()) {
        Some((Err(refusal), _)) => Some(refusal.wait),
        _ => None,
    }
}

/// Settles when a job begins, when it is done, and how it ends.
fn begin(witness: &Witness, door: &Door, ask: &Ask, moderated: bool) -> Job {
    let now = clock::now();
    let provider = witness.provider();
    let victim = Victim {
        model: &ask.model,
        tag: "",
        now,
        age: witness.state.age(),
    };
    let load = Load {
        in_flight: provider.in_flight.get(),
        factor: provider
            .faults
            .borrow()
            .latency_factor(&provider.script.faults, victim),
    };
    let pace = Pace::draw(&provider.script, 0, load, &mut provider.rng.borrow_mut());
    Job {
        id: format!("{}{:08x}", door.maker.prefix(), witness.seq),
        maker: door.maker,
        provider: door.provider,
        app: ask.app.clone(),
        ask: ask.clone(),
        began: now.plus(pace.first),
        done: now.plus(pace.whole(ask.steps)),
        moderated,
        canceled: false,
    }
}

/// Ends an attempt with what is said.
fn tell(witness: Witness, said: Said) -> Response<Answer> {
    witness.status(said.status);
    let mut response = refusals::response(said.status, said.media, said.body);
    for (name, value) in said.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    let end = if StatusCode::is_success(&response.status()) {
        End::Completed
    } else {
        End::Refused
    };
    witness.end(end);
    response
}

/// Where the provider is, as the client reached it.
fn here(witness: &Witness, headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let name = &witness.provider().name;
    format!("http://{}/{name}", host.unwrap_or("localhost"))
}

/// The API key, in whichever header and form it came; empty if there is none.
fn key(headers: &HeaderMap) -> &str {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let bearer = text("authorization").map(|value| {
        let plain = value.strip_prefix("Bearer ");
        plain
            .or_else(|| value.strip_prefix("Key "))
            .unwrap_or(value)
    });
    bearer.or_else(|| text("x-key")).unwrap_or("")
}

/// The end of a key that tells keys apart without giving them away.
fn last_four(key: &str) -> &str {
    let at = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    key.get(at..).unwrap_or(key)
}
