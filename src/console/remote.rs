//! How is the admin plane asked?
//!
//! # Invariants
//! - An answer ends within [`PATIENCE`] and has at most [`MOST`] bytes.
//! - A list is read to its end, page by page.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body_util::Full;
use serde_json::Value;

use crate::clock;
use crate::upstream::{self, Fault, Origin, Origins, Pools, Protocol, Scheme, Transport};

use super::ConsoleError;
use super::table::clean;
use super::target::{Target, VARIABLE};

/// How long an answer is awaited: longer than the admin plane gives itself.
const PATIENCE: Duration = Duration::from_secs(45);

/// Time to open a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read: a page has some hundred kilobytes.
const MOST: usize = 64 << 20;

/// Rows of a page.
const PAGE: usize = 1_000;

/// Pages that are read: a hundred thousand rows, as many as can be made.
const PAGES: usize = 100;

/// The admin plane of a gateway.
pub(super) struct Plane {
    target: Target,
    pools: Pools,
    origin: Arc<Origin>,
    host: HeaderValue,
    token: Option<HeaderValue>,
}

impl Plane {
    pub(super) fn new(target: &Target) -> Result<Self, ConsoleError> {
        let senseless = |why: &dyn std::fmt::Display| ConsoleError::Senseless(why.to_string());
        let uri: Uri = target.url.parse().map_err(|why| senseless(&why))?;
        let authority = uri
            .authority()
            .ok_or_else(|| senseless(&"the address has no host"))?;
        let (scheme, port) = match uri.scheme_str() {
            Some("https") => (Scheme::Https, 443),
            _ => (Scheme::Http, 80),
        };
        let transport = Transport {
            protocol: Protocol::Http1,
            connect: CONNECT,
            idle: CONNECT,
            extra_roots: Vec::new(),
        };
        let name = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(port);
        let origin = Origins::default()
            .get(scheme, name, port, transport)
            .map_err(|why| senseless(&why))?;
        let token = target.token.as_ref().map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|_| senseless(&"the token has characters that no header can carry"))?;
            value.set_sensitive(true);
            Ok::<_, ConsoleError>(value)
        });
        Ok(Self {
            host: HeaderValue::from_str(authority.as_str()).map_err(|why| senseless(&why))?,
            token: token.transpose()?,
            target: target.clone(),
            pools: Pools::default(),
            origin,
        })
    }

    /// Asks for something.
    pub(super) async fn get(&self, path: &str) -> Result<Value, ConsoleError> {
        self.call(Method::GET, path, None).await
    }

    /// Begins to read something that does not end.
    pub(super) async fn follow(&self, path: &str) -> Result<upstream::Body, ConsoleError> {
        let mut request = upstream::Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = path
            .parse()
            .map_err(|_| ConsoleError::Senseless(format!("{path:?} is no path")))?;
        self.present(&mut request);
        let now = clock::now();
        let answered = upstream::send(&self.pools, &self.origin, request, now, |_| {});
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(fault)) => return Err(self.unreachable(fault.to_string())),
            Err(_) => return Err(self.unreachable("no answer".to_owned())),
        };
        let upstream::Response { head, mut body, .. } = response;
        let kind = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if head.status.is_success() && kind == Some(b"text/event-stream") {
            return Ok(body);
        }
        let whole = tokio::time::timeout(PATIENCE, whole(&mut body)).await;
        let bytes = whole.ok().and_then(Result::ok).unwrap_or_default();
        match self.read(head.status, &bytes) {
            Err(error) => Err(error),
            Ok(_) => Err(self.unreachable("no answer of a gateway's admin plane".to_owned())),
        }
    }

    /// Says who is called, and who calls.
    fn present(&self, request: &mut upstream::Request) {
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
    }

    /// Changes something.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, ConsoleError> {
        let body = Some(body).filter(|body| !body.is_null());
        self.call(method, path, body).await
    }

    /// The first page with the rows of all that follow; `path` ends with its query, if it has one.
    pub(super) async fn all(&self, path: &str) -> Result<Value, ConsoleError> {
        let join = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{join}limit={PAGE}");
        let mut whole = self.get(&path).await?;
        for _ in 1..PAGES {
            let Some(after) = whole["next"].as_str() else {
                return Ok(whole);
            };
            let next = format!("{path}&after={}", encoded(after));
            let mut page = self.get(&next).await?;
            if let (Some(rows), Some(more)) =
                (whole["data"].as_array_mut(), page["data"].as_array_mut())
            {
                rows.append(more);
            }
            whole["next"] = page["next"].take();
        }
        let most = PAGE * PAGES;
        match whole["next"].is_null() {
            true => Ok(whole),
            false => Err(ConsoleError::Senseless(format!(
                "there are more than {most} rows: ask for less"
            ))),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ConsoleError> {
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let mut request = upstream::Request::new(Full::new(bytes));
        *request.method_mut() = method;
        *request.uri_mut() = path
            .parse()
            .map_err(|_| ConsoleError::Senseless(format!("{path:?} is no path")))?;
        self.present(&mut request);
        if body.is_some() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        let answered = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let (status, body) = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(fault)) => return Err(self.unreachable(fault.to_string())),
            Err(_) => {
                let why = format!("no whole answer within {} s", PATIENCE.as_secs());
                return Err(self.unreachable(why));
            }
        };
        self.read(status, &body)
    }

    async fn exchange(&self, request: upstream::Request) -> Result<(StatusCode, BytesMut), Fault> {
        let now = clock::now();
        let response = upstream::send(&self.pools, &self.origin, request, now, |_| {}).await?;
        let upstream::Response { head, mut body, .. } = response;
        let bytes = whole(&mut body).await?;
        Ok((head.status, bytes))
    }

    /// What an answer says.
    fn read(&self, status: StatusCode, body: &[u8]) -> Result<Value, ConsoleError> {
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let value: Option<Value> = serde_json::from_slice(body).ok();
        if let (true, Some(value)) = (status.is_success(), &value) {
            return Ok(value.clone());
        }
        let message = value
            .as_ref()
            .and_then(|it| it["error"]["message"].as_str());
        let Some(message) = message else {
            let why = format!("{status}, and no answer of a gateway's admin plane");
            return Err(self.unreachable(why));
        };
        let message = match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, None) => {
                format!("the gateway asks for its admin token: set {VARIABLE}, or give --token")
            }
            (StatusCode::UNAUTHORIZED, Some(_)) => {
                "the gateway does not know this admin token".to_owned()
            }
            _ => clean(message),
        };
        Err(ConsoleError::Refused {
            status: status.as_u16(),
            message,
        })
    }

    fn unreachable(&self, why: String) -> ConsoleError {
        ConsoleError::Unreachable {
            url: self.target.url.clone(),
            why: clean(&why),
            help: format!(
                "The address is from {}; is the gateway running there? Another one: --admin URL.",
                self.target.from
            ),
        }
    }
}

/// All of a body.
async fn whole(body: &mut upstream::Body) -> Result<BytesMut, Fault> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        if bytes.len() + piece.len() > MOST {
            return Err(Fault::Broken("it is too long".to_owned()));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A text as part of a path or a query.
pub(super) fn encoded(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            made.push(char::from(byte));
        } else {
            made.push_str(&format!("%{byte:02X}"));
        }
    }
    made
}
