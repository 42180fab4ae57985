//! The body of a provider's response, as it arrives.
//!
//! Frames that arrived together are joined, so a burst of small stream events costs one write to the client, not one each.
//!
//! # Invariants
//! - The bytes are the provider's, in order, none added, none lost.
//! - An HTTP/1.1 connection goes back to its pool exactly when the body has been read to its proper end.
//! - No more than [`JOINED`] bytes and one frame are held.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;

use super::exchange::Fault;
use super::h1::H1;
use super::h2::Place;
use super::pool::Pool;

/// Bytes joined before they are handed on even though more may be there.
const JOINED: usize = 32 * 1024;

/// The body of a provider's response.
pub struct Body {
    incoming: Incoming,
    carrier: Carrier,
    /// A fault met while joining, told after the bytes that came before it.
    fault: Option<Fault>,
}

enum Carrier {
    Own { connection: H1, pool: Rc<Pool> },
    Shared { _place: Place },
    Released,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl Body {
    pub(super) fn own(incoming: Incoming, connection: H1, pool: Rc<Pool>) -> Self {
        let mut body = Self {
            incoming,
            carrier: Carrier::Own { connection, pool },
            fault: None,
        };
        if body.incoming.is_end_stream() {
            body.release();
        }
        body
    }

    pub(super) fn shared(incoming: Incoming, place: Place) -> Self {
        Self {
            incoming,
            carrier: Carrier::Shared { _place: place },
            fault: None,
        }
    }

    /// The next bytes; `None` at the proper end.
    ///
    /// # Errors
    /// [`Fault::Broken`] when the body ends before its announced end.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        let first = match self.poll_piece(cx) {
            Poll::Ready(Some(Ok(bytes))) => bytes,
            other => return other,
        };
        let Some(second) = self.more(cx, first.len()) else {
            return Poll::Ready(Some(Ok(first)));
        };
        let mut joined = BytesMut::with_capacity(4 * (first.len() + second.len()));
        joined.extend_from_slice(&first);
        joined.extend_from_slice(&second);
        while let Some(more) = self.more(cx, joined.len()) {
            joined.extend_from_slice(&more);
        }
        Poll::Ready(Some(Ok(joined.freeze())))
    }

    /// The next bytes, awaited.
    ///
    /// # Errors
    /// As [`Body::poll_data`].
    pub async fn data(&mut self) -> Option<Result<Bytes, Fault>> {
        std::future::poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Another piece to join to `held` bytes, if one is there already.
    fn more(&mut self, cx: &mut Context<'_>, held: usize) -> Option<Bytes> {
        if held >= JOINED || matches!(self.carrier, Carrier::Released) {
            return None;
        }
        match self.poll_piece(cx) {
            Poll::Ready(Some(Ok(bytes))) => Some(bytes),
            Poll::Ready(Some(Err(fault))) => {
                self.fault = Some(fault);
                None
            }
            Poll::Ready(None) | Poll::Pending => None,
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
            if polled.is_pending()
                && let Carrier::Own { connection, .. } = &mut self.carrier
            {
                connection.drive(cx);
                polled = Pin::new(&mut self.incoming).poll_frame(cx);
            }
            return match polled {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => Poll::Ready(Some(Ok(bytes))),
                    Err(_trailers) => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    Poll::Ready(Some(Err(Fault::Broken(error.to_string()))))
                }
                Poll::Ready(None) => {
                    self.release();
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            };
        }
    }

    fn release(&mut self) {
        if let Carrier::Own { connection, pool } =
            std::mem::replace(&mut self.carrier, Carrier::Released)
        {
            pool.give_back(connection);
        }
    }
}
