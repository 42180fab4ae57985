//! The admin plane: metrics, states, and what may be asked and changed of a running gateway.
//!
//! It has a listener of its own, so nothing of it can be reached through the data plane.
//!
//! # Invariants
//! - No data is answered without the token where one is configured, and none is needed only on loopback; the dashboard's files hold none.
//! - A request whose `Host` is a foreign name, or that a foreign page has sent, is refused: a browser must not be a way in.

mod api;
mod page;
mod scrape;

use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use scoring::route::Route;
use scoring::time::Time;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::clock;
use crate::governance::office::Office;
use crate::observe::explain;
use crate::proxy::Shared;
use crate::routing::Identity;

use api::{Cut, Gate, Outgoing};

/// How long a head may take, and how long a connection may be idle.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long the listener rests after an error, so that too many open files do not make it spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection answers from.
#[derive(Debug)]
struct Plane {
    shared: Arc<Shared>,
    /// None where no ledger is kept.
    office: Option<Arc<Office>>,
    gate: Gate,
}

/// Serves the admin plane until told to drain; must run inside a `LocalSet`.
///
/// Without an office, whatever needs a ledger is refused.
pub async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    office: Option<Arc<Office>>,
    mut drain: watch::Receiver<bool>,
) {
    let plane = Rc::new(Plane {
        shared,
        office,
        gate: Gate::default(),
    });
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = drain.wait_for(|draining| *draining) => {
                // Nobody who follows holds the end up.
                plane.shared.lasting.watch.close();
                return;
            }
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::task::spawn_local(connection(stream, Rc::clone(&plane)));
            }
            Err(error) => {
                tracing::warn!(%error, "an admin connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, plane: Rc<Plane>) {
    let cut = Cut::default();
    let own = cut.clone();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let plane = Rc::clone(&plane);
        request.extensions_mut().insert(own.clone());
        async move { Ok::<_, Infallible>(respond(&plane, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), answer);
    let served = tokio::select! {
        served = served => served,
        // Why: a client that does not read would hold what waits for it as long as it likes.
        () = cut.0.notified() => {
            tracing::debug!("a client that does not read was cut off");
            return;
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "admin connection ended");
    }
}

async fn respond(plane: &Plane, request: Request<Incoming>) -> Response<Outgoing> {
    let shared = &*plane.shared;
    let headers = request.headers();
    if !is_own(headers) {
        return error(StatusCode::FORBIDDEN, "this host or origin is not allowed");
    }
    let path = request.uri().path();
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    if is_read && page::is_meant(path, headers) {
        return page::answer(path, headers)
            .unwrap_or_else(|| error(StatusCode::NOT_FOUND, "the dashboard has no such file"));
    }
    if path != "/health" && !is_known(shared, headers) {
        return error(
            StatusCode::UNAUTHORIZED,
            "send the admin token as `Authorization: Bearer …`",
        );
    }
    if path.starts_with("/api/") {
        let office = plane.office.as_ref();
        return api::answer(shared, office, &plane.gate, request).await;
    }
    if !is_read {
        return error(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
    }
    match path {
        "/" => text(
            "text/plain; charset=utf-8",
            "Trimtab admin; open this address in a browser for the dashboard\n\n/metrics      Prometheus exposition\n/api          what is seen live and over time, requests, routes, customers, teams, keys, budgets, usage, ledger, audit; /api/openapi.json describes it\n/health       liveness\n".to_owned(),
        ),
        "/health" => text("application/json", json!({"status": "ok"}).to_string()),
        "/metrics" => scrape::answer(shared, plane.office.as_ref(), headers),
        _ => error(StatusCode::NOT_FOUND, "there is nothing here; / lists what there is"),
    }
}

/// Whether the request has the token, where one is asked for.
fn is_known(shared: &Shared, headers: &HeaderMap) -> bool {
    let serving = shared.serving.load();
    let Some(token) = &serving.config.admin.token else {
        return true;
    };
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .is_some_and(|presented| token.matches(presented))
}

/// Whether the request is meant for this listener: by address or as `localhost`, and not sent by another site's page.
fn is_own(headers: &HeaderMap) -> bool {
    let own_name = |authority: &str| {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<IpAddr>().is_ok()
    };
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let origin_is_own = match headers.get(ORIGIN) {
        None => true,
        Some(origin) => origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, authority)| authority == host),
    };
    // Why: browsers send it where they leave the origin out, as with a plain link.
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let page_is_own = site.is_none_or(|site| site == b"same-origin" || site == b"none");
    origin_is_own && page_is_own && own_name(host)
}

fn routes(shared: &Shared) -> String {
    let now = clock::now();
    let routes: Vec<_> = shared
        .lasting
        .registry
        .all()
        .into_iter()
        .map(|(identity, route)| told(&identity, &route, now))
        .collect();
    json!({ "routes": routes }).to_string()
}

/// A route and its state.
fn told(identity: &Identity, route: &Route, now: Time) -> Value {
    json!({
        "route": identity.to_string(),
        "provider": identity.provider,
        "model": identity.model,
        "key": identity.key,
        "region": identity.region,
        "now": explain::route(&route.view(now), now),
    })
}

fn text(kind: &'static str, body: String) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn error(status: StatusCode, message: &str) -> Response<Outgoing> {
    let code = match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        _ => "not_found",
    };
    let error = json!({"code": code, "message": message, "param": null});
    let mut response = text("application/json", json!({ "error": error }).to_string());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_hosts_and_pages_are_refused() {
        let check = |host: &str, origin: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(host).unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            assert_eq!(is_own(&headers), expected, "{host} {origin:?}");
        };
        check("127.0.0.1:9090", None, true);
        check("localhost:9090", Some("http://localhost:9090"), true);
        check("[::1]:9090", None, true);
        check("evil.example", None, false);
        check("127.0.0.1:9090", Some("http://evil.example"), false);
        check("127.0.0.1:9090", Some("null"), false);
    }
}
