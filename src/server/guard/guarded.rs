//! How does the guard stand between the socket and hyper?
//!
//! Reads go through [`Follower`]; writes go through untouched.
//! After a violation reads are thrown away: closing a socket with unread bytes resets it, and the client would lose the answer that says what was wrong.
//!
//! # Invariants
//! - A read never reports an end of stream that the socket did not report.
//! - At most [`DISCARDED_MOST`] bytes are thrown away on a connection.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::follower::{Ending, Follower};
use super::violation::Verdict;
use crate::upstream::write_gathered;

/// Bytes thrown away after a violation: a body that was already on its way, 256 KiB.
///
/// Fewer resets more clients that were sending a body; more lets a refused client keep us reading.
const DISCARDED_MOST: usize = 256 * 1024;

/// Bytes thrown away at a time when the connection closes.
const DISCARDED_AT_ONCE: usize = 2 * 1024;

/// A client's HTTP/1 connection whose messages are followed and, where ambiguous, refused.
#[derive(Debug)]
pub struct Guarded<S> {
    inner: S,
    follower: Follower,
    verdict: Verdict,
    /// Bytes thrown away so far.
    discarded: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// Guards `inner`, telling `verdict`; `max_head` is the most bytes that a line of a head may have, the gateway's limit of the whole head.
    #[must_use]
    pub fn new(inner: S, verdict: Verdict, max_head: usize) -> Self {
        Self {
            inner,
            follower: Follower::new(max_head),
            verdict,
            discarded: 0,
        }
    }

    /// Throws away what the client still sends.
    ///
    /// Its end of stream is passed on, so that an earlier request in flight learns that the client left, until only the refusal is left to be written.
    fn poll_discard(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        while self.discarded < DISCARDED_MOST {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
            let read = buf.filled().len() - before;
            if read == 0 && self.verdict.is_told() {
                return Poll::Pending;
            }
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
            self.discarded += read;
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.follower.ending() {
            None => {}
            Some(Ending::Refused) => return this.poll_discard(cx, buf),
            Some(Ending::Broken) => return Poll::Ready(Err(broken())),
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let passed = this.follower.follow(&buf.filled()[before..]);
        if let Some((number, violation)) = this.follower.refusal() {
            this.verdict.refuse(number, violation);
        }
        buf.set_filled(before + passed);
        Poll::Ready(Ok(()))
    }
}

/// The error of a chunked body whose framing is wrong.
fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed chunked body")
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        write_gathered(Pin::new(&mut self.inner), cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        while self.follower.ending().is_some() && self.discarded < DISCARDED_MOST {
            let mut scratch = [const { MaybeUninit::uninit() }; DISCARDED_AT_ONCE];
            let mut buf = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.discarded += buf.filled().len();
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
