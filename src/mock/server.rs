//! Listens, speaks HTTP/1.1 and HTTP/2, and breaks connections where a fault says so.
//!
//! The accept loop is the mock's own, because a reset needs the socket: each is wrapped so that, when its connection
//! is dropped, it is either closed in good order or reset, as the [`Link`] shared with the handlers says.
//!
//! # Invariants
//! - A connection lives in one task, and all of them end with the future that serves.
//! - `TCP_NODELAY` is set on every connection.
//! - HTTP/2 is spoken to a client that opens with its preface, HTTP/1.1 to any other.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};

use super::answer::Link;
use super::catalogue::Fault;
use super::error::MockError;
use super::exchange;
use super::ledger::{Attempt, Total};
use super::script::Script;
use super::state::State;

/// What an HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Path of the mock's own endpoints, which answer even when every provider is down.
const CONTROL: &[u8] = b"/mock/";

/// Bytes that tell what a client begins with: a method and the start of a path, or the preface.
const LOOK: usize = 32;

/// Looks at a connection before it is taken for HTTP/1.1 whatever it is: 1 s, since a slow client is a rare one.
const LOOKS: u32 = 1_000;

/// Pause between two looks at a connection that has sent too little to tell.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Streams that one HTTP/2 connection may carry at once, as large providers allow.
const HTTP2_STREAMS: u32 = 1_000;

/// Stand-in providers that share one thread.
#[derive(Clone, Debug)]
pub struct Mock {
    pub(super) state: Rc<State>,
    listen: Option<SocketAddr>,
}

/// A mock that runs on a thread of its own until dropped.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Mock {
    /// Checks a script and makes its providers; times count from here.
    ///
    /// # Errors
    /// Returns what is wrong with the script.
    pub fn new(script: Script) -> Result<Self, MockError> {
        let listen = script.listen;
        Ok(Self {
            state: Rc::new(State::new(script)?),
            listen,
        })
    }

    /// The attempts still in the ledger, oldest first.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.state.ledger.borrow().since(0).cloned().collect()
    }

    /// What all attempts that have ended came to, by provider, path and end; nothing makes it forget them.
    #[must_use]
    pub fn totals(&self) -> Vec<Total> {
        self.state.ledger.borrow().totals().to_vec()
    }

    /// Forgets the attempts, and how often counted faults struck.
    pub fn forget(&self) {
        self.state.forget();
    }

    /// Sets the fault of a provider, or clears it.
    ///
    /// # Errors
    /// Fails if there is no provider of that name.
    pub fn set_fault(&self, provider: &str, fault: Option<Fault>) -> Result<(), MockError> {
        let index = self.index(provider)?;
        self.state.providers[index]
            .faults
            .borrow_mut()
            .set(fault, None);
        Ok(())
    }

    /// Sets the factor on a provider's latency; 0 or more, 1 is normal.
    ///
    /// # Errors
    /// Fails if there is no provider of that name.
    pub fn set_latency_factor(&self, provider: &str, factor: f64) -> Result<(), MockError> {
        let index = self.index(provider)?;
        self.state.providers[index]
            .faults
            .borrow_mut()
            .set_factor(factor);
        Ok(())
    }

    /// Serves `listener` until `shutdown` resolves or the returned future is dropped, which ends every connection.
    ///
    /// Must be polled within a [`LocalSet`].
    pub fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future + 'static,
    ) -> impl Future<Output = ()> + 'static {
        let state = Rc::clone(&self.state);
        async move {
            let mut connections = JoinSet::new();
            tokio::pin!(shutdown);
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => admit(&state, stream, &mut connections),
                        Err(error) => {
                            tracing::warn!(%error, "mock: accept failed");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    },
                    Some(_) = connections.join_next(), if !connections.is_empty() => {}
                    _ = &mut shutdown => break,
                }
            }
        }
    }

    /// Runs a script on a thread of its own, at its address or at an ephemeral port on loopback.
    ///
    /// # Errors
    /// Returns what is wrong with the script, or why the address, runtime or thread cannot be had.
    pub fn start(script: Script) -> Result<Running, MockError> {
        script.check()?;
        let listener = std::net::TcpListener::bind(address(script.listen))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("mock".to_owned())
            .spawn(move || {
                let served = LocalSet::new().block_on(&runtime, async {
                    Self::new(script)?
                        .serve(TcpListener::from_std(listener)?, stopped)
                        .await;
                    Ok::<(), MockError>(())
                });
                if let Err(error) = served {
                    tracing::error!(%error, "mock: cannot serve");
                }
            })?;
        Ok(Running {
            addr,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn index(&self, provider: &str) -> Result<usize, MockError> {
        self.state
            .find(provider)
            .ok_or_else(|| MockError::UnknownProvider(provider.to_owned()))
    }
}

impl Running {
    /// Stops the mock and waits for its thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

/// Runs a script on this thread until interrupted, at its address or at an ephemeral port on loopback.
///
/// # Errors
/// Returns what is wrong with the script, or why the address or runtime cannot be had.
pub fn run(script: Script) -> Result<(), MockError> {
    let mock = Mock::new(script)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address(mock.listen)).await?;
        tracing::info!(address = %listener.local_addr()?, "mock: listening");
        mock.serve(listener, tokio::signal::ctrl_c()).await;
        Ok(())
    })
}

/// The script's address, or an ephemeral port on loopback.
fn address(listen: Option<SocketAddr>) -> SocketAddr {
    listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Gives a new connection its task.
fn admit(state: &Rc<State>, stream: TcpStream, connections: &mut JoinSet<()>) {
    if stream.set_nodelay(true).is_ok() {
        connections.spawn_local(connection(Rc::clone(state), stream));
    }
}

/// Serves one connection to its end.
async fn connection(state: Rc<State>, stream: TcpStream) {
    let Ok(opening) = opening(&stream).await else {
        return;
    };
    if opening != Opening::Control && state.is_down() {
        let _ = stream.set_zero_linger();
        return;
    }
    let http2 = opening == Opening::Http2;
    let link = Rc::new(Link::default());
    let io = TokioIo::new(Wire {
        stream,
        link: Rc::clone(&link),
    });
    let service = service_fn(move |request| {
        // Why: a fault on one HTTP/2 stream ends that stream, not the connection that others share.
        let link = if http2 {
            Rc::default()
        } else {
            Rc::clone(&link)
        };
        exchange::respond(Rc::clone(&state), link, request)
    });
    let ended = if http2 {
        http2::Builder::new(Local)
            .max_concurrent_streams(HTTP2_STREAMS)
            .serve_connection(io, service)
            .await
    } else {
        http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(io, service)
            .await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "mock: connection ended");
    }
}

/// What a client begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Http2,
    /// An HTTP/1.1 request to the mock's own endpoints.
    Control,
    Http1,
}

/// Looks, without taking anything, what a client begins with.
async fn opening(stream: &TcpStream) -> io::Result<Opening> {
    let mut seen = [0; LOOK];
    for _ in 0..LOOKS {
        let length = stream.peek(&mut seen).await?;
        let seen = &seen[..length];
        if seen.starts_with(PREFACE) {
            return Ok(Opening::Http2);
        }
        // Why: a request line may come in pieces, and its path must be seen to know whose it is.
        let may_be_preface = length > 0 && PREFACE.starts_with(seen);
        let path = seen.split(|byte| *byte == b' ').nth(1);
        if length > 0 && (may_be_preface || (path.is_none() && length < LOOK)) {
            tokio::time::sleep(LOOK_PAUSE).await;
            continue;
        }
        let is_control = path.is_some_and(|path| path.starts_with(CONTROL));
        return Ok(if is_control {
            Opening::Control
        } else {
            Opening::Http1
        });
    }
    Ok(Opening::Http1)
}

/// A socket that is reset on drop where its link says so.
struct Wire {
    stream: TcpStream,
    link: Rc<Link>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.link.is_reset() {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.link.is_reset() {
            // Why: an orderly close first would let the peer see an end and not a reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Runs HTTP/2 streams on the thread of their connection.
#[derive(Clone, Copy, Debug)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
