//! How is a request taken in, and who answers it?
//!
//! The route is found, its parameters and body are checked, and a thread that may block does what is asked.
//!
//! # Invariants
//! - A body has at most [`LARGEST_BODY`] bytes and [`BODY_TIME`] to arrive, and an answer [`ANSWER_TIME`].
//! - What changes something by POST, PUT or PATCH is JSON by its content type: no page can send that from a form.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::clock;
use crate::config::{Config, Kind};
use crate::governance::office::{Asked, Office};
use crate::proxy::Shared;

use super::ask::{self, Ask, Plus};
use super::cache::Counter;
use super::outgoing::{Outgoing, Reader, json_response, response};
use super::refusal::Refusal;
use super::routes::{self, Route, Run, Takes};
use super::seen::{self, View};
use super::steer::Wheel;

/// Largest body, bytes: 1 MiB holds thousands of tags; a document is some hundred bytes.
const LARGEST_BODY: usize = 1 << 20;

/// Time for a whole body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Time for an answer to be had: a question over a large ledger takes seconds.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Requests that wait for the database at once; more would only hide that it is too slow.
const AT_ONCE: usize = 8;

/// Lets a few requests at once do what blocks.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Gate(Arc<Semaphore>);

/// Told when a connection is to be ended because its client does not read; goes with every request of it.
#[derive(Clone, Debug, Default)]
pub(in crate::admin) struct Cut(pub(in crate::admin) Arc<Notify>);

/// What a handler works with.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) office: Arc<Office>,
    pub(super) config: Arc<Config>,
    who: &'static str,
    /// Now, µs since 1970.
    pub(super) at: i64,
    kind: Option<Kind>,
}

/// What a handler gives.
pub(super) enum Reply {
    Json(Value),
    /// JSON that is written already.
    Text(String),
    Nothing,
    /// A file of CSV, page by page from a cursor on.
    Csv(Reader, i64),
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Desk {
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            config: &self.config,
            who: self.who,
            at: self.at,
        }
    }

    /// The kind of tenant that the route is about.
    pub(super) fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Key)
    }
}

/// Answers a request below `/api`.
pub(in crate::admin) async fn answer(
    shared: &Shared,
    office: Option<&Arc<Office>>,
    gate: &Gate,
    request: Request<Incoming>,
) -> Response<Outgoing> {
    let answered = respond(shared, office, gate, request).await;
    answered.unwrap_or_else(|refusal| refusal.response())
}

async fn respond(
    shared: &Shared,
    office: Option<&Arc<Office>>,
    gate: &Gate,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Refusal> {
    let (head, body) = request.into_parts();
    let (route, path) = find(&head.method, head.uri.path())?;
    let query = ask::query(head.uri.query().unwrap_or_default(), &route.query)?;
    let body = match [Method::POST, Method::PUT, Method::PATCH].contains(&route.method) {
        true => read(&head.headers, body, route.takes).await?,
        false => Map::new(),
    };
    let ask = Ask { path, query, body };
    let reply = match route.run {
        Run::Plain(text) => {
            let body = Outgoing::whole(text(shared));
            return Ok(response(route.status, "application/json", body));
        }
        Run::Live => {
            let cut = head.extensions.get::<Cut>().cloned();
            return seen::live(shared, &ask, cut.unwrap_or_default());
        }
        Run::Cache(run) => {
            let counter = counter(shared);
            blocking(gate, move || run(&counter, &ask)).await
        }
        Run::File(run) => {
            let reloads = Arc::clone(&shared.lasting.reloads);
            let config = Arc::clone(&shared.serving.load().config);
            blocking(gate, move || Ok(Reply::Json(run(&reloads, &config)))).await
        }
        Run::Records(run) => {
            let records = shared.lasting.records.clone().ok_or_else(not_kept)?;
            blocking(gate, move || run(&records, &ask)).await
        }
        Run::Seen(run) => {
            let view = View::of(shared);
            blocking(gate, move || run(&view, &ask)).await
        }
        Run::Steer(run) => {
            let wheel = wheel(shared, office);
            blocking(gate, move || run(&wheel, &ask)).await
        }
        Run::Office(run) => {
            let desk = desk(shared, office.ok_or_else(no_ledger)?, route);
            blocking(gate, move || run(&desk, &ask)).await
        }
    };
    Ok(send(route, reply?))
}

fn desk(shared: &Shared, office: &Arc<Office>, route: &Route) -> Desk {
    let config = Arc::clone(&shared.serving.load().config);
    Desk {
        office: Arc::clone(office),
        who: who(&config),
        config,
        at: clock::unix_micros(),
        kind: route.kind,
    }
}

fn no_ledger() -> Refusal {
    Refusal::unavailable(
        "no ledger is kept: add [governance] to the configuration file and start again",
    )
}

fn not_kept() -> Refusal {
    Refusal::unavailable(
        "no requests are kept: set `keep` in [requests] to `memory` or `disk` and start again",
    )
}

/// Does what may block on a thread where that may be.
async fn blocking(
    gate: &Gate,
    run: impl FnOnce() -> Result<Reply, Refusal> + Send + 'static,
) -> Result<Reply, Refusal> {
    let done = async {
        // Why: the gate is never closed.
        let pass = Arc::clone(&gate.0).acquire_owned().await;
        let job = tokio::task::spawn_blocking(move || {
            let _pass = pass;
            run()
        });
        job.await.unwrap_or_else(|_| {
            Err(Refusal::unavailable(
                "the request was given up; see the log",
            ))
        })
    };
    timeout(ANSWER_TIME, done).await.map_err(|_| {
        Refusal::unavailable(
            "the database takes too long; look whether a change was made before asking again",
        )
    })?
}

/// Whoever may ask here, for the audit log.
const fn who(config: &Config) -> &'static str {
    match config.admin.token {
        Some(_) => "admin.token",
        None => "loopback",
    }
}

/// What handlers of routes work with.
fn wheel(shared: &Shared, office: Option<&Arc<Office>>) -> Wheel {
    let config = Arc::clone(&shared.serving.load().config);
    Wheel {
        registry: Arc::clone(&shared.lasting.registry),
        events: Arc::clone(&shared.lasting.events),
        office: office.map(Arc::clone),
        who: who(&config),
        config,
    }
}

/// What handlers of the cache work with.
fn counter(shared: &Shared) -> Counter {
    let roster = shared.lasting.ledger.as_ref().map(|it| it.roster.load());
    Counter {
        library: Arc::clone(&shared.lasting.library),
        config: Arc::clone(&shared.serving.load().config),
        members: roster
            .iter()
            .flat_map(|roster| roster.members().map(Arc::clone))
            .collect(),
    }
}

/// The route of a method and a path, and the parameters of the path.
fn find(method: &Method, path: &str) -> Result<(&'static Route, Vec<String>), Refusal> {
    let (routes, parameters) = routes::at(path);
    if routes.is_empty() {
        let message = "there is nothing here; /api/openapi.json lists what there is";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", message));
    }
    let asked = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let Some(route) = routes.iter().find(|route| route.method == asked) else {
        let methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
        let allow = methods.join(", ");
        let message = format!("{method} is not answered here, only {allow}");
        return Err(Refusal {
            allow: Some(allow),
            ..Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                message,
            )
        });
    };
    let decoded = parameters
        .into_iter()
        .map(|part| ask::decoded(part, Plus::Itself));
    let decoded: Option<Vec<String>> = decoded.collect();
    let broken = || Refusal::invalid("path", "the path is not UTF-8 text, percent-encoded");
    Ok((route, decoded.ok_or_else(broken)?))
}

/// Reads the body of a request that changes something.
async fn read(
    headers: &HeaderMap,
    body: Incoming,
    takes: Takes,
) -> Result<Map<String, Value>, Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = kind.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim();
    let is_json = ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|json| essence.eq_ignore_ascii_case(json));
    if !is_json {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send `content-type: application/json`",
        ));
    }
    let too_large = || {
        let message = format!("a body has at most {LARGEST_BODY} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let length = length.and_then(|it| it.parse::<usize>().ok());
    if length.is_some_and(|length| length > LARGEST_BODY) {
        return Err(too_large());
    }
    let late = || {
        let message = "the body did not arrive in time";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    };
    let collected = timeout(BODY_TIME, Limited::new(body, LARGEST_BODY).collect()).await;
    let bytes = match collected.map_err(|_| late())? {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_) => return Err(Refusal::invalid("", "the body broke off")),
    };
    if bytes.is_empty() && !matches!(takes, Takes::Whole | Takes::Amount) {
        return Ok(Map::new());
    }
    let object: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("the body is not an object of JSON: {error}");
        Refusal::invalid("", message)
    })?;
    if !takes.is_something()
        && let Some(key) = object.keys().next()
    {
        return Err(Refusal::invalid(key, "nothing is taken here"));
    }
    Ok(object)
}

fn send(route: &Route, reply: Reply) -> Response<Outgoing> {
    match reply {
        Reply::Json(value) => json_response(route.status, &value),
        Reply::Text(text) => response(route.status, "application/json", Outgoing::whole(text)),
        Reply::Nothing => {
            let mut response = json_response(route.status, &Value::Null);
            response.headers_mut().remove(CONTENT_TYPE);
            *response.body_mut() = Outgoing::whole(Vec::new());
            response
        }
        Reply::Csv(reader, after) => {
            let pages = Outgoing::pages(reader, after);
            let mut response = response(route.status, "text/csv; charset=utf-8", pages);
            let name = HeaderValue::from_static("attachment; filename=\"ledger.csv\"");
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
            response
        }
    }
}
