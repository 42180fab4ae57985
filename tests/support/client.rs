//! A client of HTTP/1.1 that sees what is on the wire and when.
//!
//! # Invariants
//! - A connection is its [`Client`]: dropping one is how a client leaves.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::PATIENCE;
use super::wire::{self, Answer, Call, Ended};

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// What was read and belongs to no answer yet.
    raw: Vec<u8>,
    /// How much of `raw` had arrived when.
    reads: Vec<(usize, Instant)>,
    began: Instant,
}

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Bytes,
    End(Ended),
}

/// How fast bytes are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes at a time.
    pub(crate) bytes: usize,
    /// Time between.
    pub(crate) every: Duration,
}

impl Client {
    /// Connects.
    pub(crate) async fn open(to: SocketAddr) -> Self {
        Self::try_open(to).await.unwrap()
    }

    /// Connects, if anybody listens.
    pub(crate) async fn try_open(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            raw: Vec::new(),
            reads: Vec::new(),
            began: Instant::now(),
        })
    }

    /// Makes a request and reads its answer.
    pub(crate) async fn call(&mut self, call: &Call) -> Answer {
        self.send(&call.bytes()).await;
        self.answer().await
    }

    /// Writes bytes, of which the gateway may not want all; times count from here.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.began = Instant::now();
        let _ = self.stream.write_all(bytes).await;
    }

    /// Writes bytes slowly until all are written or the other side has closed; returns how many were.
    pub(crate) async fn drip(&mut self, bytes: &[u8], pace: Pace) -> usize {
        self.began = Instant::now();
        let mut written = 0;
        for piece in bytes.chunks(pace.bytes) {
            tokio::select! {
                got = self.read() => if matches!(got, Got::End(_)) { break },
                () = tokio::time::sleep(pace.every) => {}
            }
            if self.stream.write_all(piece).await.is_err() {
                break;
            }
            written += piece.len();
        }
        written
    }

    /// Reads the next answer to its end.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_within(PATIENCE)
            .await
            .unwrap_or_else(|ended| panic!("no head: {ended:?}"))
    }

    /// Reads the next answer to its end; what ended the connection if there is not even a head.
    pub(crate) async fn answer_within(&mut self, patience: Duration) -> Result<Answer, Ended> {
        let until = Instant::now() + patience;
        let ended = loop {
            if wire::parse(&self.raw).is_some_and(|parsed| parsed.length.is_some()) {
                break Ended::Whole;
            }
            match timeout_at(until, self.read()).await {
                Ok(Got::Bytes) => {}
                Ok(Got::End(ended)) => break ended,
                Err(_) => break Ended::Hung,
            }
        };
        let parsed = wire::parse(&self.raw).ok_or(ended)?;
        let arrivals = self.arrivals();
        let length = parsed.length.unwrap_or(self.raw.len());
        self.raw.drain(..length);
        self.reads.clear();
        self.reads.push((self.raw.len(), Instant::now()));
        Ok(Answer {
            status: parsed.status,
            headers: parsed.headers,
            body: parsed.body,
            arrivals,
            ended,
            took: self.began.elapsed(),
        })
    }

    /// Reads until so many words have arrived.
    pub(crate) async fn words(&mut self, count: usize) {
        let seen = |raw: &[u8]| {
            let text = String::from_utf8_lossy(raw);
            let words = [
                "\"content\":\"w",
                "\"content\":\" w",
                "\"text\":\"w",
                "\"text\":\" w",
            ];
            let count = |word: &str| text.matches(word).count();
            words.into_iter().map(count).sum::<usize>()
        };
        while seen(&self.raw) < count {
            assert_eq!(self.read().await, Got::Bytes, "{} words", seen(&self.raw));
        }
    }

    /// Waits for the other side to close; false if it has not within `patience`.
    pub(crate) async fn is_closed_within(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            match timeout_at(until, self.read()).await {
                Ok(Got::Bytes) => {}
                Ok(Got::End(_)) => return true,
                Err(_) => return false,
            }
        }
    }

    /// What was read and belongs to no answer.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.raw
    }

    async fn read(&mut self) -> Got {
        match self.stream.read_buf(&mut self.raw).await {
            Ok(0) => Got::End(Ended::Closed),
            Ok(_) => {
                self.reads.push((self.raw.len(), Instant::now()));
                Got::Bytes
            }
            Err(_) => Got::End(Ended::Reset),
        }
    }

    /// How much of the body had arrived when.
    fn arrivals(&self) -> Vec<(usize, Duration)> {
        let of_body = |upto: usize| wire::parse(&self.raw[..upto]).map(|parsed| parsed.body.len());
        let reads = self.reads.iter();
        reads
            .filter_map(|(upto, at)| Some((of_body(*upto)?, at.duration_since(self.began))))
            .collect()
    }
}
