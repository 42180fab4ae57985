//! Carries a request to one account and its answer back, unread: what a provider keeps, and what the gateway does not know.
//!
//! Stored responses, files and batches belong to the account that made them, so there is nothing to choose and nothing to score.
//!
//! # Invariants
//! - Bytes pass unchanged in both directions, but for the credential.
//! - The answer is streamed as it comes; nothing of it is kept.
//! - A path never leaves the provider's own base.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::Full;
use scoring::outcome::Outcome;
use scoring::time::{Span, Time};

use super::body::Body;
use super::clocks;
use super::life::Life;
use super::payment::{self, Payment};
use super::respond::{self, Failed};
use super::serving::{Post, Serving};
use super::worker::Worker;
use crate::clock;
use crate::config::Dialect;
use crate::dialects::failure::Failure;
use crate::dialects::format::{Endpoint, Surface};
use crate::dialects::openai::peek;
use crate::dialects::overhear::Overhearer;
use crate::dialects::seen::Usage;
use crate::governance::Member;
use crate::observe::metrics::Ending;
use crate::upstream::{self, Fault};

/// How long a key that has expired or fallen may still be answered in silence.
const LOOK_AGAIN: Span = Span::from_millis(500);

/// Accounts asked for something whose maker is not remembered, at most.
const MOST_ASKED: usize = 8;

/// Client headers that go on, besides those of [`Post`].
const FORWARDED: [HeaderName; 8] = [
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("range"),
];

/// Headers of an answer that come back.
const RETURNED: [HeaderName; 10] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    HeaderName::from_static("content-disposition"),
    HeaderName::from_static("content-range"),
    HeaderName::from_static("location"),
    HeaderName::from_static("retry-after"),
    // What vendors of images say beside a picture: whether it was filtered, its seed, what it costs.
    HeaderName::from_static("finish-reason"),
    HeaderName::from_static("seed"),
    HeaderName::from_static("x-fal-request-id"),
    HeaderName::from_static("x-fal-billable-units"),
];

/// Where an errand leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// To the provider of this name.
    Provider(String),
    /// To whoever made the response of this id.
    Maker(String),
    /// To the account that keeps files and batches in these words.
    Keeper(Surface),
}

/// A request that is carried unread.
#[derive(Debug)]
pub struct Errand {
    /// Where it leads.
    pub to: To,
    /// In whose words errors are told.
    pub surface: Surface,
    /// The method.
    pub method: Method,
    /// The path below the provider's base URL, with its query.
    pub path: String,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who pays.
    pub payer: Option<Arc<Member>>,
}

impl Errand {
    /// Whether a model may be asked by it, though none is named: what passes through to any path, and batches, but not what is kept.
    pub(super) fn may_ask_a_model(&self) -> bool {
        match &self.to {
            To::Provider(_) => true,
            To::Maker(_) => false,
            To::Keeper(_) => self.path.contains("batches"),
        }
    }

    /// The most output tokens that it asks for, over all choices, where it says so.
    pub(super) fn max_tokens(&self, endpoint: Endpoint) -> Option<u32> {
        if endpoint.is_form() {
            return None;
        }
        peek::peek_named(&self.body, "").ok()?.max_tokens
    }
}

/// Runs an errand.
pub async fn run(worker: &Rc<Worker>, errand: Errand) -> Response<Body> {
    let payer = errand.payer.clone();
    let mut life = Life::begin(worker, &errand.headers, (errand.surface, payer));
    let serving = Arc::clone(&life.serving);
    let posts = match accounts(&serving, worker, &errand) {
        Ok(posts) => posts,
        Err(failed) => return respond::failed(life, *failed),
    };
    if let Err(failed) = payment::let_in(&mut life) {
        return respond::failed(life, *failed);
    }
    let deadline = life.began.plus(serving.config.timeouts.total.into());
    let mut last = None;
    let count = posts.len();
    for (number, (place, post)) in posts.into_iter().enumerate() {
        let payment = match payment::reserve_errand(&life, &errand, place) {
            Ok(payment) => Paid::new(&life, payment),
            Err(unpaid) => {
                last.get_or_insert(unpaid);
                continue;
            }
        };
        life.attempts += 1;
        match send(&mut life, &errand, post, deadline).await {
            // Another account may know it.
            Ok(response) if response.head.status == StatusCode::NOT_FOUND && number + 1 < count => {
                payment.settle(Outcome::Rejected);
            }
            Ok(response) => return answer(life, (response, payment), &errand.path, deadline),
            Err(failed) => {
                payment.settle(Outcome::ServerError);
                last = Some(failed);
            }
        }
    }
    let failed = last.unwrap_or_else(|| {
        let message = "No provider keeps what this path names.";
        Box::new(Failed::local(Failure::NoPath, message))
    });
    respond::failed(life, *failed)
}

/// The accounts to ask, in order.
fn accounts<'s>(
    serving: &'s Serving,
    worker: &Worker,
    errand: &Errand,
) -> Result<Vec<(usize, &'s Post)>, Box<Failed>> {
    let asked = errand.headers.get("x-trimtab-provider");
    let named = match &errand.to {
        To::Provider(name) => Some(name.as_str()),
        To::Maker(_) | To::Keeper(_) => asked.and_then(|name| name.to_str().ok()),
    };
    if let Some(name) = named {
        let mut posts = serving.posts.iter().enumerate();
        let post = posts.find(|(_, post)| &*post.provider == name);
        return post.map(|post| vec![post]).ok_or_else(|| {
            let message = format!("There is no provider named `{name}`.");
            Box::new(Failed::local(Failure::NoPath, &message))
        });
    }
    let posts = serving.posts.iter().enumerate();
    let found: Vec<(usize, &Post)> = match &errand.to {
        To::Maker(id) => {
            let makers = &worker.shared.lasting.makers;
            let maker = makers.recall(id.as_bytes());
            let all = posts.filter(|(_, post)| post.responses);
            match maker.and_then(|maker| all.clone().find(|(_, post)| post.maker == maker)) {
                Some(post) => vec![post],
                None => all.take(MOST_ASKED).collect(),
            }
        }
        To::Keeper(Surface::Anthropic) => posts
            .filter(|(_, post)| post.dialect == Dialect::Anthropic)
            .take(1)
            .collect(),
        _ => posts
            .filter(|(_, post)| matches!(post.dialect, Dialect::OpenAi | Dialect::Azure))
            .take(1)
            .collect(),
    };
    Ok(found)
}

async fn send(
    life: &mut Life,
    errand: &Errand,
    post: &Post,
    deadline: Time,
) -> Result<upstream::Response, Box<Failed>> {
    let uri: Uri = format!("{}{}", post.base, errand.path)
        .parse()
        .map_err(|_| {
            Box::new(Failed::local(
                Failure::BadRequest,
                "The path cannot be sent.",
            ))
        })?;
    let mut headers = post.headers.clone();
    for name in FORWARDED {
        if let Some(value) = errand.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if errand.body.is_empty() {
        headers.remove(CONTENT_TYPE);
    }
    if post.dialect == Dialect::Anthropic {
        headers
            .entry(HeaderName::from_static("anthropic-version"))
            .or_insert(HeaderValue::from_static("2023-06-01"));
    }
    let mut request = http::Request::new(Full::new(errand.body.clone()));
    *request.method_mut() = errand.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let began = clock::now();
    let head = life.serving.config.timeouts.head;
    let head = match post.dialect {
        Dialect::Stability | Dialect::Fal | Dialect::Replicate | Dialect::Bfl => {
            clocks::patient(head)
        }
        _ => head,
    };
    let until = deadline.min(began.plus(head.into()));
    let sending = upstream::send(&life.worker.pools, &post.origin, request, began, |_| {});
    let sent = tokio::time::timeout_at(clock::instant_at(until), sending).await;
    life.waited = life.waited.plus(clock::now().since(began));
    match sent {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(fault)) => Err(Box::new(Failed::local(
            Failure::Upstream,
            &fault.to_string(),
        ))),
        Err(_) => {
            let message = "the provider did not answer in time";
            Err(Box::new(Failed::local(Failure::Timeout, message)))
        }
    }
}

/// What pays for an errand, and what is heard of its answer.
struct Paid {
    worker: Rc<Worker>,
    payment: Option<Payment>,
    ear: Option<Overhearer>,
}

impl Paid {
    fn new(life: &Life, payment: Option<Payment>) -> Self {
        Self {
            worker: Rc::clone(&life.worker),
            payment,
            ear: None,
        }
    }

    /// Listens to a successful answer of this type, if somebody pays for it.
    fn listen(&mut self, path: &str, headers: &HeaderMap) {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        if self.payment.is_some() {
            let path = path.split('?').next().unwrap_or_default();
            self.ear = Overhearer::new(path, kind.unwrap_or_default());
        }
    }

    /// Takes note of a piece of the answer; whether it is paid for.
    fn hear(&mut self, bytes: &Bytes) -> bool {
        let (Some(payment), Some(ear)) = (&mut self.payment, &mut self.ear) else {
            return true;
        };
        ear.hear(bytes);
        payment
            .reach(&self.worker, ear.output_tokens().into())
            .is_ok()
    }

    /// Settles it. Only the first call counts.
    fn settle(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(payment) = self.payment.take() else {
            return;
        };
        let usage = match &mut self.ear {
            Some(ear) => {
                ear.end();
                let counted = ear.output_tokens();
                let usage = ear.usage();
                Usage {
                    output: usage.output.or((counted > 0).then_some(counted)),
                    ..usage
                }
            }
            None => Usage::default(),
        };
        payment.settle(&self.worker, outcome, &usage);
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        self.end(Outcome::Canceled);
    }
}

fn answer(
    mut life: Life,
    (response, mut paid): (upstream::Response, Paid),
    path: &str,
    deadline: Time,
) -> Response<Body> {
    let status = response.head.status;
    if status.is_success() {
        paid.listen(path, &response.head.headers);
    }
    let mut headers = respond::head(&mut life, clock::now());
    for name in RETURNED {
        if let Some(value) = response.head.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let look = life.payer.is_some().then(|| {
        let at = clock::now().plus(LOOK_AGAIN).min(deadline);
        Box::pin(tokio::time::sleep_until(clock::instant_at(at)))
    });
    let raw = Raw {
        life,
        paid,
        look,
        body: response.body,
        status: status.as_u16(),
        timer: Box::pin(tokio::time::sleep_until(clock::instant_at(deadline))),
    };
    respond::finish(status, headers, Body::Raw(Box::new(raw)))
}

/// An answer on its way, unread.
pub struct Raw {
    life: Life,
    paid: Paid,
    /// When to look whether the key is still good, where there is one.
    look: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
    body: upstream::Body,
    status: u16,
    timer: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Raw {
    /// The next bytes for the client.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, Fault>>> {
        use std::future::Future as _;
        use std::task::Poll;
        let polled = self.body.poll_data(cx);
        if !self.is_good(cx) {
            return self.cut("the API key has expired or was revoked");
        }
        if let Poll::Ready(Some(Ok(bytes))) = &polled
            && !self.paid.hear(bytes)
        {
            return self.cut("nothing is left to pay with");
        }
        let ending = match &polled {
            Poll::Pending if self.timer.as_mut().poll(cx).is_ready() => {
                self.life
                    .end(Ending::UpstreamError, self.status, clock::now());
                let late = Fault::Broken("the answer took too long".to_owned());
                return Poll::Ready(Some(Err(late)));
            }
            Poll::Pending | Poll::Ready(Some(Ok(_))) => return polled,
            Poll::Ready(Some(Err(_))) => Ending::UpstreamError,
            Poll::Ready(None) if self.status < 400 => Ending::Ok,
            Poll::Ready(None) if self.status < 500 => Ending::ClientError,
            Poll::Ready(None) => Ending::UpstreamError,
        };
        self.paid.end(match ending {
            Ending::Ok => Outcome::Success,
            _ if self.status < 400 => Outcome::Truncated,
            _ => Outcome::Rejected,
        });
        self.life.end(ending, self.status, clock::now());
        polled
    }

    /// Whether the key is good, as far as it is time to look.
    fn is_good(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let (Some(payer), Some(look)) = (&self.life.payer, &mut self.look) else {
            return true;
        };
        let mut is_good = payer.standing.stands();
        while is_good && look.as_mut().poll(cx).is_ready() {
            let unix = clock::unix_seconds();
            is_good = payer.is_valid(unix);
            let at = clock::now().plus(LOOK_AGAIN);
            look.as_mut().reset(clock::instant_at(at));
        }
        is_good
    }

    /// Breaks the transfer off.
    fn cut(&mut self, why: &str) -> std::task::Poll<Option<Result<Bytes, Fault>>> {
        self.paid.end(Outcome::Canceled);
        self.life
            .end(Ending::ClientError, self.status, clock::now());
        std::task::Poll::Ready(Some(Err(Fault::Broken(why.to_owned()))))
    }
}
