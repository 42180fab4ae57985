//! What does one kept-alive connection do between a request and its response?
//!
//! It holds a nonblocking socket, the response being read and the instants that matter.
//!
//! # Invariants
//! - At most one request is in flight on a connection.
//! - A request is written in one call: it fits any socket's send buffer.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::response::Response;
use super::{Measured, Target};

/// One connection to the target.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    response: Response,
    due: Instant,
    last_event: Option<Instant>,
    busy: bool,
}

/// What reading from a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is to come.
    Waiting,
    /// The response is complete and right.
    Done {
        /// When its request was due.
        due: Instant,
    },
}

impl Connection {
    /// Connects to the target, without delay for small writes.
    pub(super) fn open(address: SocketAddr, now: Instant) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let response = Response::default();
        Ok(Self {
            socket,
            response,
            due: now,
            last_event: None,
            busy: false,
        })
    }

    /// Whether a response is awaited.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Sends a request that was due at `due`.
    pub(super) fn send(&mut self, request: &[u8], due: Instant) -> anyhow::Result<()> {
        self.response.reset();
        self.due = due;
        self.last_event = None;
        self.busy = true;
        let written = (&self.socket).write(request)?;
        anyhow::ensure!(
            written == request.len(),
            "the request did not fit the socket's buffer"
        );
        Ok(())
    }

    /// Reads what is there, and checks what is complete.
    pub(super) fn read(
        &mut self,
        scratch: &mut [u8],
        target: &Target,
        measured: &mut Measured,
    ) -> anyhow::Result<Progress> {
        let events = target.events;
        let count = match (&self.socket).read(scratch) {
            Ok(0) => anyhow::bail!("the connection was closed, busy: {}", self.busy),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waiting),
            Err(error) => return Err(error.into()),
        };
        anyhow::ensure!(self.busy, "bytes came with no request in flight");
        let before = self.response.events();
        self.response
            .feed(&scratch[..count])
            .map_err(|wrong| anyhow::anyhow!("{wrong:?}"))?;
        if events > 0 && self.response.events() > before {
            self.note_event(measured);
        }
        if !self.response.is_complete() {
            return Ok(Progress::Waiting);
        }
        if events > 0 {
            self.response
                .check_stream(events)
                .map_err(|wrong| anyhow::anyhow!("{wrong:?}"))?;
        }
        anyhow::ensure!(
            self.response.has_line(target.line),
            "the head of an answer has no line `{}`",
            target.line
        );
        self.busy = false;
        Ok(Progress::Done { due: self.due })
    }

    /// Notes the arrival of events: the first byte's delay, or the gap since the events before.
    fn note_event(&mut self, measured: &mut Measured) {
        let now = Instant::now();
        match self.last_event.replace(now) {
            None => measured.note_first(self.due, now),
            Some(last) => measured.note_gap(last, now),
        }
    }
}
