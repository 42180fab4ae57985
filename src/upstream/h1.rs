//! One HTTP/1.1 connection, driven by whoever borrows it.
//!
//! hyper splits a client connection into a handle and a future that moves the bytes; the usual way spawns that future as a task.
//! Here the borrower polls it, so the response arrives in the same wake-up that reads the socket.
//!
//! # Invariants
//! - The driver is never polled again after it has ended.
//! - [`H1::is_reusable`] is true only between messages, with no byte of a response left unread.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::exchange::Fault;
use super::socket::Socket;

/// Largest response head, bytes; hyper's own minimum for a read buffer is 8 KiB.
const MAX_HEAD: usize = 64 * 1024;

type Driver = Connection<TokioIo<Socket>, Full<Bytes>>;

/// An HTTP/1.1 connection.
pub(super) struct H1 {
    sender: SendRequest<Full<Bytes>>,
    driver: Option<Pin<Box<Driver>>>,
}

impl H1 {
    pub(super) async fn handshake(socket: Socket) -> Result<Self, Fault> {
        let (sender, driver) = Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| Fault::Unreachable(format!("handshake failed: {error}")))?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver)),
        })
    }

    /// Moves bytes in both directions as far as they go without waiting.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            self.driver = None;
        }
    }

    /// Whether another request may be sent now.
    ///
    /// Looks at the socket once, so a connection that the provider has closed meanwhile is found out.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the response's head.
    ///
    /// # Errors
    /// [`Refused::Unsent`] gives the request back when not a byte of it was written.
    pub(super) async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, Refused> {
        let mut response = pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        std::future::poll_fn(|cx| {
            if let Some(alive) = driver
                && alive.as_mut().poll(cx).is_ready()
            {
                *driver = None;
            }
            match response.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => Poll::Ready(Ok(response)),
                Poll::Ready(Err(mut error)) => Poll::Ready(Err(match error.take_message() {
                    Some(request) => Refused::Unsent(Box::new(request)),
                    None => Refused::Lost(error.into_error()),
                })),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Why a request on this connection got no response.
pub(super) enum Refused {
    /// Not a byte of the request left; it is given back for another connection.
    Unsent(Box<http::Request<Full<Bytes>>>),
    /// The connection was lost after bytes of the request had left.
    Lost(hyper::Error),
}
