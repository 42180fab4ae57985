//! Which provider answers the load?
//!
//! One with a fixed answer and no work of its own, so that the gateway is what is measured: 1,020 bytes of chat completion, or a stream of 50 content events.
//! The provider under `trimtab mock` keeps ledgers and limits, and would share a core with the load.
//! A request whose body holds [`PACED`] gets its events [`GAP`] apart.
//! Any other stream gets them without pauses, each in its own write and in turn with the other open streams, so that a proxy sees events and not one block.
//!
//! # Invariants
//! - One thread; it ends with its process.
//! - A request is answered only once its whole body is there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

/// Content events of a stream; the reference measurements use the same.
pub const CONTENT_EVENTS: usize = 50;

/// Events of a stream: the role, the content, the finish reason, `[DONE]`.
pub const EVENTS: usize = CONTENT_EVENTS + 3;

/// What in a request's body asks for events apart from one another.
pub const PACED: &str = "bench-paced";

/// Between the events of a paced stream: 100 tokens a second.
pub const GAP: Duration = Duration::from_millis(10);

/// The epoll key of the listener; connections use their index.
const LISTENER: u64 = u64::MAX;

/// What is to be done for a client after its request was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing: the answer is complete.
    Rest,
    /// Events follow, one in each turn.
    Continue,
    /// Events follow, [`GAP`] apart.
    Pace,
}

/// One client's connection.
#[derive(Debug)]
struct Client {
    socket: TcpStream,
    received: Vec<u8>,
    /// The event to be sent next, of the stream in progress.
    next: usize,
}

/// The answers, made once.
#[derive(Debug)]
struct Answers {
    whole: Vec<u8>,
    stream_head: Vec<u8>,
    events: Vec<Vec<u8>>,
}

/// The server's state.
#[derive(Debug)]
struct Upstream {
    epoll: OwnedFd,
    listener: TcpListener,
    clients: Vec<Option<Client>>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    eager: Vec<usize>,
    answers: Answers,
}

/// Serves on the listener until the process ends.
///
/// # Errors
/// If the kernel refuses an epoll set.
pub fn serve(listener: TcpListener) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let key = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, &listener, key, epoll::EventFlags::IN)?;
    let mut upstream = Upstream {
        epoll,
        listener,
        clients: Vec::new(),
        timers: BinaryHeap::new(),
        eager: Vec::new(),
        answers: Answers::new(),
    };
    let mut events = Vec::with_capacity(256);
    loop {
        upstream.wait(&mut events)?;
        for event in events.drain(..) {
            upstream.serve(event.data.u64())?;
        }
        upstream.send_due();
        upstream.take_turns();
    }
}

impl Upstream {
    fn wait(&self, events: &mut Vec<epoll::Event>) -> anyhow::Result<()> {
        let left = if self.eager.is_empty() {
            let until = self.timers.peek().map(|Reverse((at, _))| *at);
            until.map(|at| at.saturating_duration_since(Instant::now()))
        } else {
            Some(Duration::ZERO)
        };
        let bound = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match epoll::wait(&self.epoll, spare_capacity(events), bound.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn serve(&mut self, key: u64) -> anyhow::Result<()> {
        if key == LISTENER {
            return self.accept();
        }
        let index = usize::try_from(key)?;
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        let then = client.receive().and_then(|whole| match whole {
            true => client.answer(&self.answers),
            false => Ok(Then::Rest),
        });
        match then {
            Ok(Then::Rest) => {}
            Ok(Then::Continue) => self.eager.push(index),
            Ok(Then::Pace) => self.timers.push(Reverse((Instant::now() + GAP, index))),
            Err(_) => self.clients[index] = None,
        }
        Ok(())
    }

    /// Sends one event of each stream without pauses.
    fn take_turns(&mut self) {
        let (clients, answers) = (&mut self.clients, &self.answers);
        self.eager.retain(|&index| {
            let Some(client) = clients[index].as_mut() else {
                return false;
            };
            client.send_next(answers).unwrap_or_else(|_| {
                clients[index] = None;
                false
            })
        });
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let free = self.clients.iter().position(Option::is_none);
            let index = free.unwrap_or(self.clients.len());
            let key = epoll::EventData::new_u64(index as u64);
            epoll::add(&self.epoll, &socket, key, epoll::EventFlags::IN)?;
            let client = Client {
                socket,
                received: Vec::with_capacity(16 * 1024),
                next: 0,
            };
            match self.clients.get_mut(index) {
                Some(slot) => *slot = Some(client),
                None => self.clients.push(Some(client)),
            }
        }
        Ok(())
    }

    /// Sends the events of paced streams whose time has come.
    fn send_due(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((at, index))) = self.timers.peek() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(client) = self.clients[index].as_mut() else {
                continue;
            };
            match client.send_next(&self.answers) {
                Ok(true) => self.timers.push(Reverse((at + GAP, index))),
                Ok(false) => {}
                Err(_) => self.clients[index] = None,
            }
        }
    }
}

impl Client {
    /// Reads what is there; whether a whole request is.
    fn receive(&mut self) -> anyhow::Result<bool> {
        let mut scratch = [0; 16 * 1024];
        match self.socket.read(&mut scratch) {
            Ok(0) => anyhow::bail!("closed"),
            Ok(count) => self.received.extend_from_slice(&scratch[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(whole_request(&self.received))
    }

    /// Answers the received request, or begins to.
    fn answer(&mut self, answers: &Answers) -> anyhow::Result<Then> {
        let streamed = memmem::find(&self.received, b"\"stream\":true").is_some();
        let paced = memmem::find(&self.received, PACED.as_bytes()).is_some();
        self.received.clear();
        if !streamed {
            self.send(&answers.whole)?;
            return Ok(Then::Rest);
        }
        self.send(&answers.stream_head)?;
        self.next = 0;
        self.send_next(answers)?;
        Ok(if paced { Then::Pace } else { Then::Continue })
    }

    /// Sends the next event of the stream; whether more are left.
    fn send_next(&mut self, answers: &Answers) -> anyhow::Result<bool> {
        let Some(event) = answers.events.get(self.next) else {
            return Ok(false);
        };
        self.next += 1;
        self.send(event)?;
        Ok(self.next < answers.events.len())
    }

    /// Writes all of it, waiting for room where the reader is slow: a real provider would buffer.
    fn send(&mut self, mut bytes: &[u8]) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(0) => anyhow::bail!("closed"),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether the bytes are a whole request: its head, and a body as long as it says.
fn whole_request(received: &[u8]) -> bool {
    let Some(end) = memmem::find(received, b"\r\n\r\n") else {
        return false;
    };
    let mut body = 0;
    for line in received[..end].split(|&byte| byte == b'\n') {
        let name = b"content-length:";
        if line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name) {
            let value = std::str::from_utf8(line[name.len()..].trim_ascii());
            body = value.ok().and_then(|value| value.parse().ok()).unwrap_or(0);
        }
    }
    received.len() >= end + 4 + body
}

impl Answers {
    fn new() -> Self {
        let text = "A trim tab is a small surface on the edge of a rudder. ".repeat(11);
        let body = format!(
            "{{\"id\":\"chatcmpl-bench0123456789\",\"object\":\"chat.completion\",\"created\":1700000000,\
             \"model\":\"bench-model\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{text}\",\"refusal\":null,\"annotations\":[]}},\"logprobs\":null,\
             \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":210,\"completion_tokens\":120,\
             \"total_tokens\":330}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\"}}"
        );
        let whole = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let stream_head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
             cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut events = vec![event("{\"role\":\"assistant\",\"content\":\"\"}", "null")];
        for number in 0..CONTENT_EVENTS {
            let delta = format!("{{\"content\":\"token number {number:02}, \"}}");
            events.push(event(&delta, "null"));
        }
        events.push(event("{}", "\"stop\""));
        events.push(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n".to_vec());
        Self {
            whole: whole.into_bytes(),
            stream_head: stream_head.as_bytes().to_vec(),
            events,
        }
    }
}

/// One event of a stream, in its own chunk; about 280 bytes.
fn event(delta: &str, finish: &str) -> Vec<u8> {
    let data = format!(
        "data: {{\"id\":\"chatcmpl-bench0123456789\",\"object\":\"chat.completion.chunk\",\
         \"created\":1700000000,\"model\":\"bench-model\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\
         \"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
    );
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use crate::load::Response;

    #[test]
    fn the_answers_are_right() {
        let answers = Answers::new();
        let mut whole = Response::default();
        whole.feed(&answers.whole).unwrap();
        assert!(whole.is_complete());
        let body = memmem::find(&answers.whole, b"\r\n\r\n").unwrap() + 4;
        serde_json::from_slice::<serde_json::Value>(&answers.whole[body..]).unwrap();
        let mut stream = Response::default();
        stream.feed(&answers.stream_head).unwrap();
        answers
            .events
            .iter()
            .for_each(|event| stream.feed(event).unwrap());
        assert!(stream.is_complete());
        assert_eq!(
            (stream.events(), stream.check_stream(EVENTS)),
            (EVENTS, Ok(()))
        );
    }

    #[test]
    fn a_request_is_whole_with_its_body() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        assert!(whole_request(request));
        assert!(!whole_request(&request[..request.len() - 1]));
        assert!(!whole_request(b"POST / HTTP/1.1\r\n"));
    }
}
