//! Does it work, now and here?
//!
//! Two calls: which models there are, and a few words from one of them, streamed as the client would.
//!
//! # Invariants
//! - A call ends within [`PATIENCE`].
//! - Texts of the gateway are shown without control characters.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::Full;
use scoring::time::{Span, Time};
use serde_json::Value;

use crate::clock;
use crate::upstream::{self, Fault, Origin, Origins, Pools, Protocol, Scheme, Transport};

use super::DoctorError;
use super::advice::{Trouble, advice};
use super::answer::{self, Answer, MOST, Reading};
use super::call::{self, Call};
use super::client::{Client, Kind};
use super::facts::Facts;

/// How long an answer is awaited: longer than a gateway tries by its defaults before the first token.
const PATIENCE: Duration = Duration::from_secs(90);

/// Time to open a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What came of the calls.
#[derive(Clone, Debug)]
pub(super) struct Checkup {
    pub(super) text: String,
    pub(super) holds: bool,
}

/// The gateway, to be called.
struct Gateway {
    pools: Pools,
    origin: std::sync::Arc<Origin>,
    host: HeaderValue,
}

/// A response, as far as it came.
struct Called {
    status: StatusCode,
    headers: HeaderMap,
    /// The body, if it was no stream.
    body: BytesMut,
    /// The stream, if it was one.
    answer: Option<Answer>,
    /// Time to the first content and to the end.
    first: Option<Span>,
    whole: Span,
    /// What cut it short.
    fault: Option<Fault>,
}

/// Calls the gateway as the client would; a model that nothing names is taken from the gateway's list.
pub(super) async fn check(client: Client, facts: &mut Facts) -> Result<Checkup, DoctorError> {
    let gateway = Gateway::new(&facts.base)?;
    let mut text = format!("Calls to {}:\n", facts.base);
    let call = call::models(client, facts.token.as_ref());
    let listed = gateway.call(&call, None).await;
    let models = listed
        .as_ref()
        .ok()
        .and_then(|called| serde_json::from_slice(&called.body).ok())
        .map_or_else(Vec::new, |value: Value| answer::names(&value));
    if !tell_models(&mut text, (&call, &listed), facts, &models) {
        return Ok(Checkup { text, holds: false });
    }
    if facts.model.is_none() {
        facts.model = models.iter().find(|name| !name.contains("embed")).cloned();
    }
    let call = call::words(client, facts.model(), facts.token.as_ref());
    let called = gateway.call(&call, Some(client.kind())).await;
    let holds = tell_words(&mut text, (&call, &called), facts, &models);
    if holds {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{} can use this gateway.", client.title());
    }
    Ok(Checkup { text, holds })
}

/// Tells of the list of models; says whether there is any use in going on.
fn tell_models(
    text: &mut String,
    (call, called): (&Call, &Result<Called, Fault>),
    facts: &Facts,
    models: &[String],
) -> bool {
    let called = match called {
        Ok(called) => called,
        Err(fault) => return tell_fault(text, call, fault, facts),
    };
    let line = line(call, called);
    if called.status == StatusCode::OK {
        let count = match models.len() {
            1 => "1 model".to_owned(),
            count => format!("{count} models"),
        };
        let _ = writeln!(text, "  {line}  {count}, {}", millis(called.whole));
        return true;
    }
    let _ = writeln!(text, "  {line}");
    tell_refusal(text, call, called, facts, models);
    // Why: a gateway before this one may list nothing and still serve.
    !matches!(called.status.as_u16(), 401 | 403)
}

/// Tells of the words; says whether all is well.
fn tell_words(
    text: &mut String,
    (call, called): (&Call, &Result<Called, Fault>),
    facts: &Facts,
    models: &[String],
) -> bool {
    let called = match called {
        Ok(called) => called,
        Err(fault) => return tell_fault(text, call, fault, facts),
    };
    let mut said = line(call, called);
    if let Some(answer) = &called.answer {
        let model = answer.model.as_deref().unwrap_or("not told");
        let _ = write!(said, "  model {model}");
        if let (Some(input), Some(output)) = (answer.input_tokens, answer.output_tokens) {
            let _ = write!(said, ", {input} + {output} tokens");
        }
        if let Some(first) = called.first {
            let _ = write!(said, ", first content after {}", millis(first));
        }
        let _ = write!(said, ", whole after {}", millis(called.whole));
    }
    let _ = writeln!(text, "  {said}");
    let own = called
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-trimtab-"));
    for (name, value) in own {
        let value = answer::shown(&String::from_utf8_lossy(value.as_bytes()));
        let _ = writeln!(text, "    {name}: {value}");
    }
    if called.status != StatusCode::OK {
        tell_refusal(text, call, called, facts, models);
        return false;
    }
    let trouble = match (&called.fault, &called.answer) {
        (Some(_), _) => Trouble::Lost,
        (
            None,
            Some(Answer {
                error: Some(message),
                ..
            }),
        ) => {
            let _ = writeln!(text, "    error: {message}");
            Trouble::Failed
        }
        (None, Some(answer)) if !answer.is_complete => Trouble::Cut,
        (None, Some(answer))
            if answer.has_content || answer.output_tokens.is_some_and(|it| it > 0) =>
        {
            return true;
        }
        (None, _) => Trouble::Empty,
    };
    let _ = writeln!(text, "  {}", advice(&trouble, facts, models));
    false
}

fn tell_refusal(text: &mut String, call: &Call, called: &Called, facts: &Facts, models: &[String]) {
    let value: Value = serde_json::from_slice(&called.body).unwrap_or_default();
    if let Some(message) = answer::message(&value) {
        let _ = writeln!(text, "    error: {message}");
    }
    let trouble = Trouble::Refused {
        status: called.status.as_u16(),
        code: answer::code(&value),
        path: call.path.split('?').next().unwrap_or_default(),
    };
    let _ = writeln!(text, "  {}", advice(&trouble, facts, models));
}

fn tell_fault(text: &mut String, call: &Call, fault: &Fault, facts: &Facts) -> bool {
    let trouble = match fault {
        Fault::Unreachable(_) => Trouble::Unreachable,
        Fault::Disconnected(_) | Fault::Broken(_) => Trouble::Lost,
    };
    let _ = writeln!(
        text,
        "  {:<4} {}  {}",
        call.method.as_str(),
        call.path,
        answer::shown(&fault.to_string())
    );
    let _ = writeln!(text, "  {}", advice(&trouble, facts, &[]));
    false
}

fn line(call: &Call, called: &Called) -> String {
    format!(
        "{:<4} {}  {}",
        call.method.as_str(),
        call.path,
        called.status.as_u16()
    )
}

fn millis(span: Span) -> String {
    format!("{} ms", span.as_micros().div_ceil(1_000))
}

impl Gateway {
    fn new(base: &str) -> Result<Self, DoctorError> {
        let uri: http::Uri = base
            .parse()
            .map_err(|_| DoctorError::Url(base.to_owned()))?;
        if uri.scheme_str() != Some("http") {
            return Err(DoctorError::Https);
        }
        let authority = uri
            .authority()
            .ok_or_else(|| DoctorError::Url(base.to_owned()))?;
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|error| DoctorError::Address(error.to_string()))?;
        let transport = Transport {
            protocol: Protocol::Http1,
            connect: CONNECT,
            idle: CONNECT,
            extra_roots: Vec::new(),
        };
        let name = authority.host().trim_matches(['[', ']']);
        let origin = Origins::default()
            .get(
                Scheme::Http,
                name,
                authority.port_u16().unwrap_or(80),
                transport,
            )
            .map_err(|error| DoctorError::Address(error.to_string()))?;
        Ok(Self {
            pools: Pools::default(),
            origin,
            host,
        })
    }

    /// Makes a call; a stream is read in the dialect of `stream`.
    async fn call(&self, call: &Call, stream: Option<Kind>) -> Result<Called, Fault> {
        let begun = clock::now();
        let reading = self.read(call, stream, begun);
        tokio::time::timeout(PATIENCE, reading)
            .await
            .unwrap_or_else(|_| {
                Err(Fault::Disconnected(format!(
                    "no whole answer within {} s",
                    PATIENCE.as_secs()
                )))
            })
    }

    async fn read(&self, call: &Call, stream: Option<Kind>, begun: Time) -> Result<Called, Fault> {
        let mut request = upstream::Request::new(Full::new(Bytes::clone(&call.body)));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call
            .uri()
            .ok_or_else(|| Fault::Unreachable(format!("{:?} is no path", call.path)))?;
        *request.headers_mut() = call.headers.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        let response = upstream::send(&self.pools, &self.origin, request, begun, |_| {}).await?;
        let upstream::Response { head, mut body, .. } = response;
        let is_stream = head
            .headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|it| it.as_bytes().starts_with(b"text/event-stream"));
        let mut reading = stream.filter(|_| is_stream).map(Reading::new);
        let mut called = Called {
            status: head.status,
            headers: head.headers,
            body: BytesMut::new(),
            answer: None,
            first: None,
            whole: Span::ZERO,
            fault: None,
        };
        while let Some(bytes) = body.data().await {
            match (bytes, &mut reading) {
                (Err(fault), _) => {
                    called.fault = Some(fault);
                    break;
                }
                (Ok(bytes), Some(reading)) => {
                    reading.push(bytes);
                    if reading.has_content() && called.first.is_none() {
                        called.first = Some(clock::now().since(begun));
                    }
                }
                (Ok(bytes), None) if called.body.len() + bytes.len() <= MOST => {
                    called.body.extend_from_slice(&bytes);
                }
                (Ok(_), None) => break,
            }
        }
        called.whole = clock::now().since(begun);
        called.answer = reading.map(Reading::end);
        Ok(called)
    }
}
