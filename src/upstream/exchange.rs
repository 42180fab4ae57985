//! One request to a provider, up to the head of its response.
//!
//! A pooled connection may die at the very moment it is used; as long as not one byte of a response has come back,
//! the request is sent once more on a fresh connection, and nobody is blamed.
//!
//! # Invariants
//! - At most two connections carry bytes of one request, and the second only if the first had served before and answered nothing.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use scoring::time::Time;

use super::body::Body;
use super::h1::Refused;
use super::h2::{H2, Place};
use super::origin::Origin;
use super::pool::{Lease, Pool, Pools};
use crate::clock;

/// What is sent: head and whole body.
pub type Request = http::Request<Full<Bytes>>;

/// What came back: the head, the body as it arrives, and when the request was handed to a live connection.
#[derive(Debug)]
pub struct Response {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The body as it arrives.
    pub body: Body,
    /// When a live connection took the request; what lies before is not the provider's latency.
    pub sent: Time,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection could be had: look-up, TCP, TLS or handshake failed.
    #[error("{0}")]
    Unreachable(String),
    /// The connection was lost before or in the head of the response.
    #[error("connection lost: {0}")]
    Disconnected(String),
    /// The connection was lost in the body.
    #[error("response broke off: {0}")]
    Broken(String),
}

/// Sends `request` to `origin` and waits for the head of the response.
///
/// `on_sent` hears when a live connection has taken the request; `now` is the present moment.
///
/// # Errors
/// [`Fault::Unreachable`] or [`Fault::Disconnected`].
pub async fn send(
    pools: &Pools,
    origin: &Origin,
    request: Request,
    now: Time,
    on_sent: impl Fn(Time),
) -> Result<Response, Fault> {
    let pool = pools.of(origin);
    let (mut connection, reused, sent) = match pools.lease(&pool, origin, now).await? {
        Lease::H1 { connection, reused } => {
            // Taking a connection from the pool takes no time worth another look at the clock.
            let sent = if reused { now } else { clock::now() };
            (connection, reused, sent)
        }
        Lease::H2 { connection, place } => {
            let sent = clock::now();
            on_sent(sent);
            return Box::pin(on_shared(connection, place, request, origin, sent)).await;
        }
    };
    on_sent(sent);
    // Cloning a request shares its bytes; it is kept only while the connection may turn out to be stale.
    let spare = reused.then(|| request.clone());
    let refused = match connection.send(request).await {
        Ok(response) => return Ok(own(pool, connection, response, sent)),
        Err(refused) => refused,
    };
    let request = match (refused, spare) {
        (Refused::Unsent(request), _) => *request,
        (Refused::Lost(error), Some(request)) if answered_nothing(&error) => request,
        (Refused::Lost(error), _) => return Err(lost(&error)),
    };
    Box::pin(send_afresh(pools, pool, origin, request, on_sent)).await
}

/// Sends on a new connection, whatever is in the pool.
async fn send_afresh(
    pools: &Pools,
    pool: Rc<Pool>,
    origin: &Origin,
    request: Request,
    on_sent: impl Fn(Time),
) -> Result<Response, Fault> {
    let lease = pools.fresh(&pool, origin).await?;
    let sent = clock::now();
    on_sent(sent);
    match lease {
        Lease::H1 { mut connection, .. } => match connection.send(request).await {
            Ok(response) => Ok(own(pool, connection, response, sent)),
            Err(Refused::Unsent(_)) => {
                Err(Fault::Disconnected("closed before the request".to_owned()))
            }
            Err(Refused::Lost(error)) => Err(lost(&error)),
        },
        Lease::H2 { connection, place } => {
            on_shared(connection, place, request, origin, sent).await
        }
    }
}

/// Sends on a place of a shared connection; HTTP/2 names the host in the target, not in a header.
async fn on_shared(
    mut connection: H2,
    place: Place,
    mut request: Request,
    origin: &Origin,
    sent: Time,
) -> Result<Response, Fault> {
    let mut target = std::mem::take(request.uri_mut()).into_parts();
    target.scheme = Some(origin.scheme());
    target.authority = Some(origin.authority.clone());
    *request.uri_mut() = http::Uri::from_parts(target)
        .map_err(|error| Fault::Unreachable(format!("no target: {error}")))?;
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().remove(http::header::HOST);
    let (head, body) = connection
        .send(request)
        .await
        .map_err(|error| lost(&error))?
        .into_parts();
    let body = Body::shared(body, place);
    Ok(Response { head, body, sent })
}

fn own(
    pool: Rc<Pool>,
    connection: super::h1::H1,
    response: http::Response<hyper::body::Incoming>,
    sent: Time,
) -> Response {
    let (head, body) = response.into_parts();
    Response {
        head,
        body: Body::own(body, connection, pool),
        sent,
    }
}

/// Whether the connection ended without a single byte of a response.
fn answered_nothing(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || is_reset(error)
}

fn is_reset(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<std::io::Error>())
        .is_some_and(|cause| {
            matches!(
                cause.kind(),
                std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
            )
        })
}

fn lost(error: &hyper::Error) -> Fault {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    Fault::Disconnected(match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}
