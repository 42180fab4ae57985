//! A connected socket, plain or TLS, as one type.
//!
//! # Invariants
//! - `TCP_NODELAY` is set before the first byte: a stream's small writes must never wait for an acknowledgement.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connected socket to a provider.
#[derive(Debug)]
pub(super) enum Socket {
    /// Plain text.
    Plain(TcpStream),
    /// TLS; boxed, because the session state is some kilobytes.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Whether the TLS handshake settled on HTTP/2.
    pub(super) fn agreed_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

/// Most bytes that [`write_gathered`] copies together; a small request or answer with its head fits.
const GATHERED: usize = 4 * 1024;

/// Writes several slices, together in one plain write if they are small.
///
/// A gathering write costs the kernel more than copying a few kilobytes: with a 1 KiB request, a tenth of the gateway's whole work.
pub(crate) fn write_gathered<S: AsyncWrite>(
    socket: Pin<&mut S>,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    if slices.len() < 2 || total > GATHERED {
        return socket.poll_write_vectored(cx, slices);
    }
    let mut flat = [0; GATHERED];
    let mut end = 0;
    for slice in slices {
        flat[end..end + slice.len()].copy_from_slice(slice);
        end += slice.len();
    }
    socket.poll_write(cx, &flat[..end])
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => write_gathered(Pin::new(stream), cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
