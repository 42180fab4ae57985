//! One client connection, from accept to close.
//!
//! # Invariants
//! - `TCP_NODELAY` is on before the first byte is written.
//! - When the worker drains, the connection ends after the request in flight.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::guard::{Guarded, Verdict, is_http2_preface};
use super::roster::{Roster, Seat};
use super::service::Service;
use crate::proxy::Worker;
use crate::upstream::OwnThread;

/// Bytes by which HTTP/2 with prior knowledge is told from HTTP/1.
const PEEKED: usize = 3;

/// How long to wait before looking again at a first line that arrives byte by byte: nothing tells when more is there.
const PEEK_AGAIN: Duration = Duration::from_millis(1);

/// Requests in flight on one HTTP/2 connection; what browsers and SDKs expect of a server.
const H2_STREAMS: u32 = 128;

/// Header fields in a head, at most.
const MAX_HEADERS: usize = 100;

/// Most bytes of response that one HTTP/2 stream may have waiting for a slow client.
const H2_SEND_BUFFER: usize = 64 * 1024;

/// Serves a connection until it ends.
pub(super) async fn serve(worker: Rc<Worker>, roster: Rc<Roster>, stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(peer) = stream.peer_addr() else {
        return;
    };
    let seat = roster.join();
    let is_h2 = until_expired(&seat, speaks_h2(&stream)).await;
    let mut service = Service {
        worker,
        roster: Rc::clone(&roster),
        presence: Rc::clone(&seat.presence),
        source: peer.ip(),
        verdict: None,
    };
    match is_h2 {
        Some(Some(true)) => over_h2(Rc::new(service), &roster, &seat, stream).await,
        Some(Some(false)) => {
            let verdict = Verdict::default();
            service.verdict = Some(verdict.clone());
            let guarded = (verdict, stream);
            over_h1(Rc::new(service), &roster, &seat, guarded).await;
        }
        _ => {}
    }
}

/// Whether the client begins with HTTP/2's preface; `None` if it left first. Consumes nothing.
async fn speaks_h2(stream: &TcpStream) -> Option<bool> {
    let mut first = [0; PEEKED];
    loop {
        let count = stream.peek(&mut first).await.ok()?;
        match first[..count] {
            [] => return None,
            ref enough if count == PEEKED => return Some(is_http2_preface(enough)),
            // Methods of HTTP/1 that begin like the preface differ from it within these bytes.
            [b'P', ..] => tokio::time::sleep(PEEK_AGAIN).await,
            _ => return Some(false),
        }
    }
}

/// Waits for `future` unless the roster says that the connection has waited too long.
async fn until_expired<F: Future>(seat: &Seat, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        seat.presence.listen(cx.waker());
        if seat.presence.is_expired() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The two things that both kinds of hyper connection can do.
macro_rules! drive {
    ($roster:expr, $seat:expr, $connection:expr) => {{
        let mut connection = pin!($connection);
        let mut told = false;
        let driven = std::future::poll_fn(|cx| {
            $seat.presence.listen(cx.waker());
            if $roster.is_draining() && !told {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            if $seat.presence.is_expired() {
                return Poll::Ready(Ok(()));
            }
            connection.as_mut().poll(cx)
        });
        if let Err(error) = driven.await {
            tracing::debug!(%error, "client connection ended");
        }
    }};
}

async fn over_h1(
    service: Rc<Service>,
    roster: &Roster,
    seat: &Seat,
    (verdict, stream): (Verdict, TcpStream),
) {
    let max_head = {
        let serving = service.worker.shared.serving.load();
        serving.config.server.max_head
    };
    let stream = Guarded::new(stream, verdict, max_head);
    let answer = service_fn(move |request| {
        let service = Rc::clone(&service);
        async move { Ok::<_, Infallible>(service.call(request).await) }
    });
    let connection = http1::Builder::new()
        .max_buf_size(max_head.max(8192))
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), answer);
    drive!(roster, seat, connection);
}

async fn over_h2(service: Rc<Service>, roster: &Roster, seat: &Seat, stream: TcpStream) {
    let max_head = {
        let serving = service.worker.shared.serving.load();
        u32::try_from(serving.config.server.max_head).unwrap_or(u32::MAX)
    };
    let answer = service_fn(move |request| {
        let service = Rc::clone(&service);
        async move { Ok::<_, Infallible>(service.call(request).await) }
    });
    let connection = http2::Builder::new(OwnThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(max_head)
        .max_send_buf_size(H2_SEND_BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    drive!(roster, seat, connection);
}
