//! From a parsed head to the proxy: path, credential, body.
//!
//! # Invariants
//! - Nothing but health and readiness is answered before the credential was checked.
//! - Every refusal is the dialect's own error object.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::guard::{Verdict, Violation};
use super::intake::{self, Bounds};
use super::paths::{self, Place};
use super::roster::{Presence, Roster};
use crate::config::Secret;
use crate::dialects::openai::error::Failure;
use crate::proxy::{self, Asked, Worker};

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

impl Service {
    /// Serves one request.
    pub(super) async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let working = self.presence.work();
        let violation = self.verdict.as_ref().and_then(Verdict::next);
        let (head, body) = request.into_parts();
        let inner = match violation {
            Some(violation) => self.turn_away(&head.headers, violation),
            None => self.respond(head, body).await,
        };
        inner.map(|inner| Body { inner, working })
    }

    /// Refuses a request whose framing is ambiguous, and ends the connection.
    fn turn_away(&self, headers: &HeaderMap, violation: Violation) -> Response<proxy::Body> {
        let mut response = self.refuse(headers, Failure::BadRequest, violation.message());
        *response.status_mut() = violation.status();
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    async fn respond(&self, head: http::request::Parts, body: Incoming) -> Response<proxy::Body> {
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
            return self.refuse(&head.headers, Failure::Unauthorized, message);
        }
        let Some(place) = place else {
            let message = format!("Unknown request URL: {} {}.", head.method, head.uri.path());
            return self.refuse(&head.headers, Failure::NoPath, &message);
        };
        let bounds = Bounds {
            size: server.max_body,
            time: server.body_timeout,
        };
        match place {
            Place::Proxy(endpoint) if head.method == Method::POST => {
                drop(serving);
                match self.body(&head.headers, body, bounds).await {
                    Ok(body) => {
                        let headers = head.headers;
                        let asked = Asked {
                            endpoint,
                            headers,
                            body,
                        };
                        proxy::handle(&self.worker, asked).await
                    }
                    Err((failure, message)) => {
                        let mut response = self.refuse(&head.headers, failure, &message);
                        // What is left of the body is not worth reading.
                        response
                            .headers_mut()
                            .insert(CONNECTION, HeaderValue::from_static("close"));
                        response
                    }
                }
            }
            Place::Models if head.method == Method::GET => {
                proxy::answer(&self.worker, &head.headers, serving.models_json.clone())
            }
            Place::Model(name) if head.method == Method::GET => {
                match serving.model_json(&decode(name)) {
                    Some(json) => proxy::answer(&self.worker, &head.headers, json),
                    None => {
                        let message = format!("The model `{name}` does not exist.");
                        self.refuse(&head.headers, Failure::NoModel, &message)
                    }
                }
            }
            _ => {
                let message = format!("Not allowed here: {} {}.", head.method, head.uri.path());
                self.refuse(&head.headers, Failure::Method, &message)
            }
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

    fn refuse(
        &self,
        headers: &HeaderMap,
        failure: Failure,
        message: &str,
    ) -> Response<proxy::Body> {
        proxy::refuse(&self.worker, headers, failure, message)
    }
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

/// Decodes a model's name as it stands in a path; clients write `/` as `%2F` or as it is.
fn decode(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_decoded_once() {
        for (written, name) in [
            ("gpt-4o", "gpt-4o"),
            ("org%2Fname", "org/name"),
            ("org/name", "org/name"),
            ("a%252Fb", "a%2Fb"),
            ("a%2", "a%2"),
            ("a%zz", "a%zz"),
        ] {
            assert_eq!(decode(written), name);
        }
    }
}
