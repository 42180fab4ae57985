//! One HTTP/2 connection, shared by many requests of one worker.
//!
//! # Invariants
//! - No more than the smaller of the peer's limit and [`STREAMS`] requests are in flight on a connection:
//!   a request that would queue behind the peer's limit opens another connection instead, so the wait never looks like provider latency.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::exchange::Fault;
use super::socket::Socket;

/// Requests in flight on one connection before another is opened; servers commonly allow 100.
const STREAMS: usize = 80;

/// How often a silent connection is pinged, and how long an answer may take.
const PING: Duration = Duration::from_secs(20);

/// Receive window of a stream, bytes: a slow client holds back no more than this.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Receive window of a connection, bytes.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// An HTTP/2 connection.
#[derive(Clone)]
pub(super) struct H2 {
    sender: SendRequest<Full<Bytes>>,
    in_flight: Rc<Cell<usize>>,
    /// The peer's limit as it last said, kept up to date by the connection's task.
    allowed: Rc<Cell<usize>>,
}

/// A place on a connection, given back when dropped.
pub(super) struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Runs hyper's tasks on this worker's own thread.
#[derive(Clone, Copy, Debug)]
pub struct OwnThread;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for OwnThread {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

impl H2 {
    pub(super) async fn handshake(socket: Socket) -> Result<Self, Fault> {
        let (sender, driver) = Builder::new(OwnThread)
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| Fault::Unreachable(format!("HTTP/2 handshake failed: {error}")))?;
        let allowed = Rc::new(Cell::new(driver.current_max_send_streams()));
        let told = Rc::clone(&allowed);
        let mut driver = Box::pin(driver);
        tokio::task::spawn_local(std::future::poll_fn(move |cx| {
            let polled = driver.as_mut().poll(cx);
            told.set(driver.current_max_send_streams());
            polled.map(|ended| {
                if let Err(error) = ended {
                    tracing::debug!(%error, "HTTP/2 connection ended");
                }
            })
        }));
        Ok(Self {
            sender,
            in_flight: Rc::default(),
            allowed,
        })
    }

    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Takes a place for one request, if there is one.
    pub(super) fn place(&self) -> Option<Place> {
        let limit = self.allowed.get().min(STREAMS);
        if self.is_closed() || self.in_flight.get() >= limit {
            return None;
        }
        self.in_flight.set(self.in_flight.get() + 1);
        Some(Place(Rc::clone(&self.in_flight)))
    }

    /// Sends a request and waits for the response's head.
    pub(super) async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, hyper::Error> {
        self.sender.send_request(request).await
    }
}
