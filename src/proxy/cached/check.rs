//! Was a semantic hit right? The question is asked afresh in the background, and the answers are compared.
//!
//! One task a worker, which lasts as long as the worker does: the path of a request only leaves something in its queue.
//!
//! # Invariants
//! - Nothing here delays an answer, and no key pays for it.
//! - A check that finds the queue full, the minute full or the day's money spent is counted as skipped.
//! - What cannot be told is unsure, and moves nothing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::super::body::Body;
use super::super::life::Life;
use super::super::worker::Worker;
use super::super::{Asked, Way, ask};
use super::question;
use super::recall::vector;
use crate::cache::audit::{
    self, Answer, Audited, Comparison, Consequence, Ending, How, Shape, Skip, Texts, Verdict,
};
use crate::cache::semantic::policy::{Settings, Source, Truth};
use crate::cache::{Entry, Label, Lesson, Manner};
use crate::clock;
use crate::config::Nano;
use crate::dialects::format::Endpoint;
use crate::dialects::replay::{self, Told};

/// Checks that wait on one worker, at most.
const MOST: usize = 64;

/// Largest fresh answer that is compared, bytes.
const MOST_ANSWER: usize = 4 << 20;

/// What a worker has to check.
#[derive(Debug, Default)]
pub(in super::super) struct Checks {
    queue: RefCell<VecDeque<Check>>,
    due: Notify,
}

/// Something to be checked.
#[derive(Debug)]
pub(in super::super) enum Check {
    /// A hit that was drawn for the audit.
    Hit(Box<Served>),
    /// An answer that came anyway, beside the stored one that was not served.
    Miss(Box<Passed>),
}

/// A semantic hit.
#[derive(Debug)]
pub(in super::super) struct Served {
    pub(super) asked: Asked,
    pub(super) manner: Manner,
    pub(super) pair: Pair,
    pub(super) threshold: f32,
    pub(super) probability: f64,
    /// The request that was served.
    pub(super) request: Box<str>,
    pub(super) question: Box<str>,
    /// Whether its key lets what it sends be written down.
    pub(super) is_open: bool,
}

/// An entry that was not served, and the answer that was given instead.
#[derive(Debug)]
pub(in super::super) struct Passed {
    pub(super) pair: Pair,
    pub(super) fresh: String,
}

/// A stored answer and the question it stood beside.
#[derive(Debug)]
pub(in super::super) struct Pair {
    pub(super) entry: Arc<Entry>,
    pub(super) similarity: f32,
    pub(super) lesson: Arc<Lesson>,
    pub(super) settings: Settings,
    pub(super) structured: bool,
}

impl Checks {
    /// Leaves something to be checked.
    pub(in super::super) fn leave(&self, check: Check) {
        let mut queue = self.queue.borrow_mut();
        if queue.len() < MOST {
            queue.push_back(check);
            self.due.notify_one();
        } else if let Check::Hit(served) = check {
            served.pair.lesson.account.skip(Skip::Rate);
        }
    }

    async fn next(&self) -> Check {
        loop {
            if let Some(check) = self.queue.borrow_mut().pop_front() {
                return check;
            }
            self.due.notified().await;
        }
    }
}

/// Checks what a worker's requests leave, as long as the worker lasts.
pub(in super::super) async fn run(worker: Rc<Worker>) {
    loop {
        match worker.checks.next().await {
            Check::Hit(served) => hit(&worker, *served).await,
            Check::Miss(passed) => miss(&worker, *passed).await,
        }
    }
}

/// Compares an answer that came anyway with the one that was not served: a label that costs nothing.
async fn miss(worker: &Rc<Worker>, passed: Passed) {
    let Some(stored) = text_of(&passed.pair.entry) else {
        return;
    };
    // Vectors of another's making are not free.
    let local = worker.shared.lasting.embedder.is_some();
    let cosine = if local {
        cosine(worker, &stored, &passed.fresh).await
    } else {
        None
    };
    let found = compared(&passed.pair, &stored, &passed.fresh, cosine);
    label(worker, &passed.pair, found.verdict, Source::Shadow);
}

/// Asks a hit's question afresh and compares.
async fn hit(worker: &Rc<Worker>, served: Served) {
    let library = &worker.shared.lasting.library;
    let account = Arc::clone(&served.pair.lesson.account);
    let Some(stored) = text_of(&served.pair.entry) else {
        return account.skip(Skip::Failed);
    };
    let now = clock::unix_seconds();
    let expected = served.pair.entry.cost.get();
    let Ok(held) = library.audit().begin(&account, now, expected) else {
        return;
    };
    let bill = Rc::new(Cell::new(Nano::ZERO));
    let fresh = afresh(worker, &served, &bill).await;
    let Some((audit, fresh)) = fresh else {
        library.audit().settle(&account, held, bill.get().get());
        return account.skip(Skip::Failed);
    };
    let cosine = cosine(worker, &stored, &fresh).await;
    let found = compared(&served.pair, &stored, &fresh, cosine);
    let found = judged(worker, found, (&served.question, &stored, &fresh), &bill).await;
    library.audit().settle(&account, held, bill.get().get());
    account.verdict(found.verdict, served.probability);
    let consequence = label(worker, &served.pair, found.verdict, Source::Audit);
    let serving = worker.shared.serving.load();
    let is_open = serving.config.cache.audit.content && served.is_open;
    let texts = is_open.then(|| Texts {
        question: served.question.to_string(),
        stored: stored.clone(),
        fresh: fresh.clone(),
    });
    let entry = &served.pair.entry;
    let at = clock::unix_seconds();
    library.record(Audited {
        at,
        workflow: account.name().to_owned(),
        entry: entry.name(),
        request: served.request.to_string(),
        audit,
        similarity: served.pair.similarity.into(),
        threshold: served.threshold.into(),
        probability: served.probability,
        verdict: found.verdict,
        reason: found.reason,
        path: found.path,
        consequence,
        cost_nano: bill.get().get(),
        entry_age: entry.age_s(at.saturating_mul(1_000)),
        texts,
        left_out: None,
    });
}

/// Asks the question of the cheapest healthy route; the request's id and the answer's text.
async fn afresh(
    worker: &Rc<Worker>,
    served: &Served,
    bill: &Rc<Cell<Nano>>,
) -> Option<(String, String)> {
    let mut life = Life::begin(
        worker,
        &HeaderMap::new(),
        (served.asked.endpoint.surface(), None),
    );
    life.frugal = true;
    life.bill = Some(Rc::clone(bill));
    let id = life.id.text().to_owned();
    let response = ask(life, copy(&served.asked)).await;
    if !response.status().is_success() {
        return None;
    }
    let bytes = whole(response, MOST_ANSWER).await?;
    let told = Told {
        format: question::endpoint(served.manner).format(),
        form: question::form(served.manner),
        bytes: &bytes,
    };
    Some((id, replay::examine(&told).ok()?.text))
}

/// The same request once more, for nobody's account.
pub(super) fn copy(asked: &Asked) -> Asked {
    Asked {
        endpoint: asked.endpoint,
        model: asked.model.clone(),
        way: asked.way.clone(),
        query: asked.query.clone(),
        headers: asked.headers.clone(),
        body: asked.body.clone(),
        payer: None,
    }
}

/// All of a response's body, if it is no larger and comes whole.
pub(super) async fn whole(response: Response<Body>, most: usize) -> Option<Bytes> {
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame.ok()?.into_data() {
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() > most {
            return None;
        }
    }
    Some(bytes.freeze())
}

/// What a stored answer says.
fn text_of(entry: &Entry) -> Option<String> {
    let told = Told {
        format: question::endpoint(entry.manner).format(),
        form: question::form(entry.manner),
        bytes: &entry.bytes,
    };
    Some(replay::examine(&told).ok()?.text)
}

/// The cosine of two texts.
async fn cosine(worker: &Rc<Worker>, one: &str, other: &str) -> Option<f64> {
    let one = vector(worker, None, one).await?;
    let other = vector(worker, None, other).await?;
    let products = one.iter().zip(other.iter());
    Some(products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum())
}

fn compared(pair: &Pair, stored: &str, fresh: &str, cosine: Option<f64>) -> Comparison {
    let answer = |text| Answer {
        text,
        ending: Ending::Whole,
    };
    let how = How {
        cosine,
        shape: if pair.structured {
            Shape::Json
        } else {
            Shape::Any
        },
        ..How::default()
    };
    audit::compare(&answer(stored), &answer(fresh), &how)
}

/// The comparison after a judge was asked, where there is one and it is needed.
async fn judged(
    worker: &Rc<Worker>,
    found: Comparison,
    (question, stored, fresh): (&str, &str, &str),
    bill: &Rc<Cell<Nano>>,
) -> Comparison {
    let serving = worker.shared.serving.load_full();
    let Some(judge) = serving.config.cache.audit.judge else {
        return found;
    };
    if !found.is_for_judge() {
        return found;
    }
    let nonce = worker.with_rng(|rng| rng.random());
    let prompt = audit::judge_prompt(question, stored, fresh, nonce);
    let body = json!({
        "model": &*serving.names[judge],
        "temperature": 0,
        "messages": [{ "role": "user", "content": prompt }],
    });
    let asked = Asked {
        endpoint: Endpoint::Chat,
        model: None,
        way: Way::Model,
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        payer: None,
    };
    let mut life = Life::begin(worker, &HeaderMap::new(), (asked.endpoint.surface(), None));
    life.bill = Some(Rc::clone(bill));
    let response = ask(life, asked).await;
    let reply = match whole(response, MOST_ANSWER).await {
        Some(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        None => Value::Null,
    };
    let said = reply["choices"][0]["message"]["content"].as_str();
    found.judged(said.and_then(audit::judge_verdict))
}

/// Tells what was found out to whatever it moves.
fn label(worker: &Worker, pair: &Pair, verdict: Verdict, source: Source) -> Consequence {
    let truth = match verdict {
        Verdict::Same => Truth::Same,
        Verdict::Different => Truth::Different,
        Verdict::Unsure => return Consequence::Keep,
    };
    let label = Label {
        lesson: Arc::clone(&pair.lesson),
        settings: pair.settings.clone(),
        similarity: pair.similarity,
        truth,
        source,
    };
    worker.shared.lasting.library.label(&pair.entry, &label)
}
