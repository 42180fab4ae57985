//! From a parsed head to the proxy: path, credential, body.
//!
//! # Invariants
//! - Nothing but health and readiness is answered before the credential was checked.
//! - Every refusal is the dialect's own error object.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::guard::{Verdict, Violation};
use super::intake::{self, Bounds};
use super::paths::{self, Kept, Place};
use super::roster::{Presence, Roster};
use crate::config::Secret;
use crate::dialects::failure::Failure;
use crate::dialects::format::{Endpoint, Surface, path};
use crate::proxy::{self, Asked, Errand, To, Way, Worker};

/// Headers in which clients of the various SDKs put their key, besides `Authorization`.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// What serves the requests of one connection.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) worker: Rc<Worker>,
    pub(super) roster: Rc<Roster>,
    pub(super) presence: Rc<Presence>,
    /// What the guard has found; none on HTTP/2, whose framing leaves no room for it.
    pub(super) verdict: Option<Verdict>,
}

/// A request whose head is understood and whose body is not read.
struct Arrival {
    head: Parts,
    body: Incoming,
    bounds: Bounds,
}

impl Service {
    /// Serves one request.
    pub(super) async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let working = self.presence.work();
        let violation = self.verdict.as_ref().and_then(Verdict::next);
        let (head, body) = request.into_parts();
        let inner = match violation {
            Some(violation) => self.turn_away(&head, violation),
            None => self.respond(head, body).await,
        };
        inner.map(|inner| Body { inner, working })
    }

    /// Refuses a request whose framing is ambiguous, and ends the connection.
    fn turn_away(&self, head: &Parts, violation: Violation) -> Response<proxy::Body> {
        let mut response = self.refuse(head, Failure::BadRequest, violation.message());
        *response.status_mut() = violation.status();
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    async fn respond(&self, head: Parts, body: Incoming) -> Response<proxy::Body> {
        let place = paths::find(head.uri.path());
        match place {
            Some(Place::Health) => return plain(StatusCode::OK, "{\"status\":\"ok\"}"),
            Some(Place::Ready) if self.roster.is_draining() => {
                return plain(StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"draining\"}");
            }
            Some(Place::Ready) => return plain(StatusCode::OK, "{\"status\":\"ready\"}"),
            _ => {}
        }
        if head.method == Method::HEAD {
            return plain(StatusCode::OK, "");
        }
        let serving = self.worker.shared.serving.load();
        let server = &serving.config.server;
        if let Some(token) = &server.token
            && !authorized(token, &head.headers)
        {
            let message = "Incorrect API key provided. Send the gateway's token as `Authorization: Bearer …`.";
            return self.refuse(&head, Failure::Unauthorized, message);
        }
        if place.is_none() {
            let message = format!("Unknown request URL: {} {}.", head.method, head.uri.path());
            return self.refuse(&head, Failure::NoPath, &message);
        }
        let bounds = Bounds {
            size: server.max_body,
            time: server.body_timeout,
        };
        drop(serving);
        self.serve(Arrival { head, body, bounds }).await
    }

    /// Serves a request for a place that exists.
    async fn serve(&self, arrival: Arrival) -> Response<proxy::Body> {
        let head = &arrival.head;
        let path = head.uri.path();
        match (paths::find(path), &head.method) {
            (Some(Place::Proxy(endpoint)), &Method::POST) => {
                self.proxy((endpoint, None, Way::Model), arrival).await
            }
            (Some(Place::Workflow(endpoint, name)), &Method::POST) => {
                let way = Way::Path(path::decoded(name));
                self.proxy((endpoint, None, way), arrival).await
            }
            (Some(Place::Named(endpoint, name)), &Method::POST) => {
                let name = Some(path::decoded(name));
                self.proxy((endpoint, name, Way::Model), arrival).await
            }
            (
                Some(Place::Proxy(Endpoint::Responses) | Place::Workflow(Endpoint::Responses, _)),
                _,
            ) if is_websocket(&head.headers) => {
                // Codex falls back to plain requests at once on this status, and only on this.
                let message = "WebSockets are not served here; send plain requests.";
                let mut response = self.refuse(head, Failure::Method, message);
                *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
                response
            }
            (Some(Place::Kept(kept, below)), _) => {
                let to = match kept {
                    Kept::Response(id) => To::Maker(id.to_owned()),
                    Kept::OpenAi => To::Keeper(Surface::OpenAi),
                    Kept::Anthropic => To::Keeper(Surface::Anthropic),
                };
                let below = below.to_owned();
                self.errand(to, &below, arrival).await
            }
            (Some(Place::Through(name, below)), _) => {
                let (to, below) = (To::Provider(name.to_owned()), below.to_owned());
                self.errand(to, &below, arrival).await
            }
            (Some(Place::Models), &Method::GET) => {
                let json = self
                    .worker
                    .shared
                    .serving
                    .load()
                    .models_json(asked_in(head));
                proxy::answer(&self.worker, &head.headers, json)
            }
            (Some(Place::Model(name)), &Method::GET) => self.model(head, &path::decoded(name)),
            _ => {
                let message = format!("Not allowed here: {} {path}.", head.method);
                self.refuse(head, Failure::Method, &message)
            }
        }
    }

    fn model(&self, head: &Parts, name: &str) -> Response<proxy::Body> {
        let serving = self.worker.shared.serving.load();
        match serving.model_json(asked_in(head), name) {
            Some(json) => proxy::answer(&self.worker, &head.headers, json),
            None => {
                let message = format!("The model `{name}` does not exist.");
                self.refuse(head, Failure::NoModel, &message)
            }
        }
    }

    /// Takes the body in and carries the request to an account, unread.
    async fn errand(&self, to: To, path: &str, arrival: Arrival) -> Response<proxy::Body> {
        let Arrival { head, body, bounds } = arrival;
        if paths::climbs(path) {
            let message = "The path must not lead out of the provider's own.";
            return self.refuse(&head, Failure::BadRequest, message);
        }
        let body = match self.body(&head.headers, body, bounds).await {
            Ok(body) => body,
            Err((failure, message)) => return self.refuse_unread(&head, failure, &message),
        };
        let path = match head.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let errand = Errand {
            to,
            surface: asked_in(&head),
            method: head.method,
            path,
            headers: head.headers,
            body,
        };
        proxy::run_errand(&self.worker, errand).await
    }

    /// Refuses a request whose body was not read to its end.
    fn refuse_unread(
        &self,
        head: &Parts,
        failure: Failure,
        message: &str,
    ) -> Response<proxy::Body> {
        let mut response = self.refuse(head, failure, message);
        // What is left of the body is not worth reading.
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    /// Takes the body in and hands the request to the proxy.
    async fn proxy(
        &self,
        (endpoint, model, way): (Endpoint, Option<String>, Way),
        arrival: Arrival,
    ) -> Response<proxy::Body> {
        let Arrival { head, body, bounds } = arrival;
        match self.body(&head.headers, body, bounds).await {
            Ok(body) => {
                let asked = Asked {
                    endpoint,
                    model,
                    way,
                    query: head.uri.query().map(ToOwned::to_owned),
                    headers: head.headers,
                    body,
                };
                proxy::handle(&self.worker, asked).await
            }
            Err((failure, message)) => self.refuse_unread(&head, failure, &message),
        }
    }

    async fn body(
        &self,
        headers: &HeaderMap,
        body: Incoming,
        bounds: Bounds,
    ) -> Result<Bytes, (Failure, String)> {
        if headers
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity")
        {
            let message = "request bodies must not be compressed".to_owned();
            return Err((Failure::Encoding, message));
        }
        intake::whole(body, bounds).await
    }

    fn refuse(&self, head: &Parts, failure: Failure, message: &str) -> Response<proxy::Body> {
        proxy::refuse(
            &self.worker,
            &head.headers,
            asked_in(head),
            (failure, message),
        )
    }
}

/// Whether a client wants to speak over a WebSocket.
fn is_websocket(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// In whose words a request is asked: the path tells, else a header that only Anthropic's SDKs send.
fn asked_in(head: &Parts) -> Surface {
    let by_path = paths::surface(head.uri.path());
    by_path.unwrap_or_else(|| {
        let tells = |name: &str| head.headers.contains_key(name);
        if tells("anthropic-version") {
            Surface::Anthropic
        } else if tells("x-goog-api-key") {
            // Google's SDKs ask below /v1 too, where paths tell nothing.
            Surface::Gemini
        } else {
            Surface::OpenAi
        }
    })
}

fn authorized(token: &Secret, headers: &HeaderMap) -> bool {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked("Bearer ".len()))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .is_some_and(|(_, presented)| token.matches(presented));
    bearer
        || KEY_HEADERS.iter().any(|name| {
            headers
                .get(name)
                .is_some_and(|value| token.matches(value.as_bytes()))
        })
}

fn plain(status: StatusCode, json: &'static str) -> Response<proxy::Body> {
    let mut response = Response::new(proxy::Body::from(Bytes::from_static(json.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
