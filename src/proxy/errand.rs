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
use scoring::time::Time;

use super::body::Body;
use super::clocks;
use super::life::Life;
use super::respond::{self, Failed};
use super::serving::{Post, Serving};
use super::worker::Worker;
use crate::clock;
use crate::config::Dialect;
use crate::dialects::failure::Failure;
use crate::dialects::format::Surface;
use crate::governance::Member;
use crate::observe::metrics::Ending;
use crate::upstream::{self, Fault};

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

/// Runs an errand.
pub async fn run(worker: &Rc<Worker>, errand: Errand) -> Response<Body> {
    let payer = errand.payer.clone();
    let mut life = Life::begin(worker, &errand.headers, (errand.surface, payer));
    let serving = Arc::clone(&life.serving);
    let posts = match accounts(&serving, worker, &errand) {
        Ok(posts) => posts,
        Err(failed) => return respond::failed(life, *failed),
    };
    let deadline = life.began.plus(serving.config.timeouts.total.into());
    let mut last = None;
    let count = posts.len();
    for (number, post) in posts.into_iter().enumerate() {
        life.attempts += 1;
        match send(&mut life, &errand, post, deadline).await {
            // Another account may know it.
            Ok(response) if response.head.status == StatusCode::NOT_FOUND && number + 1 < count => {
            }
            Ok(response) => return answer(life, response, deadline),
            Err(failed) => last = Some(failed),
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
) -> Result<Vec<&'s Post>, Box<Failed>> {
    let asked = errand.headers.get("x-trimtab-provider");
    let named = match &errand.to {
        To::Provider(name) => Some(name.as_str()),
        To::Maker(_) | To::Keeper(_) => asked.and_then(|name| name.to_str().ok()),
    };
    if let Some(name) = named {
        let post = serving.posts.iter().find(|post| &*post.provider == name);
        return post.map(|post| vec![post]).ok_or_else(|| {
            let message = format!("There is no provider named `{name}`.");
            Box::new(Failed::local(Failure::NoPath, &message))
        });
    }
    let posts = serving.posts.iter();
    let found: Vec<&Post> = match &errand.to {
        To::Maker(id) => {
            let makers = &worker.shared.lasting.makers;
            let maker = makers.recall(id.as_bytes());
            let all = posts.filter(|post| post.responses);
            match maker.and_then(|maker| all.clone().find(|post| post.maker == maker)) {
                Some(post) => vec![post],
                None => all.take(MOST_ASKED).collect(),
            }
        }
        To::Keeper(Surface::Anthropic) => posts
            .filter(|post| post.dialect == Dialect::Anthropic)
            .take(1)
            .collect(),
        _ => posts
            .filter(|post| matches!(post.dialect, Dialect::OpenAi | Dialect::Azure))
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

fn answer(mut life: Life, response: upstream::Response, deadline: Time) -> Response<Body> {
    let status = response.head.status;
    let mut headers = respond::head(&mut life, clock::now());
    for name in RETURNED {
        if let Some(value) = response.head.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let raw = Raw {
        life,
        body: response.body,
        status: status.as_u16(),
        timer: Box::pin(tokio::time::sleep_until(clock::instant_at(deadline))),
    };
    respond::finish(status, headers, Body::Raw(Box::new(raw)))
}

/// An answer on its way, unread.
pub struct Raw {
    life: Life,
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
        self.life.end(ending, self.status, clock::now());
        polled
    }
}
