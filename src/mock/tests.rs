//! Loopback tests: a mock and its client on one runtime whose clock is paused, so that minutes cost nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod anthropic;
mod azure;
mod bedrock;
mod bill;
mod cohere;
mod conduct;
mod gemini;
mod images;
mod media;
mod plain;
mod quotas;
mod responses;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, timeout};

use super::{Mock, ProviderScript, Script};

/// A mock that is being served.
struct Bench {
    mock: Mock,
    addr: SocketAddr,
}

/// How a response ended, as seen from the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The transfer was finished as framed.
    Whole,
    /// The connection was closed before that.
    Closed,
    /// The connection was reset.
    Reset,
    /// The client's patience was.
    Hung,
}

/// What a client got.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: String,
    bytes: Vec<u8>,
    ended: Ended,
    /// From the request to the first byte of the body, and to the end.
    first: Duration,
    last: Duration,
}

/// Runs a test against a script with the clock paused.
fn bench<F: Future>(script: Script, test: impl FnOnce(Bench) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mock = Mock::new(script).unwrap();
        let serving = spawn_local(mock.serve(listener, std::future::pending::<()>()));
        let output = test(Bench { mock, addr }).await;
        serving.abort();
        output
    })
}

/// A script with one provider, `alpha`.
fn alpha(provider: ProviderScript) -> Script {
    let mut script = Script::single("alpha");
    script.providers.insert("alpha".to_owned(), provider);
    script
}

/// A provider as in the failover catalogue: 60 words, the first after 300 ms, then one each 15 ms.
fn paced() -> ProviderScript {
    ProviderScript {
        ttft: Duration::from_millis(300),
        tpot: Duration::from_millis(15),
        answer: super::AnswerLength::Fixed(60),
        ..ProviderScript::default()
    }
}

/// A chat request.
fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "12345678"}]})
}

impl Bench {
    /// Posts a body to alpha and reads until the response ends, or for `patience`.
    async fn post_for(&self, path: &str, body: &Value, patience: Duration) -> Got {
        let body = body.to_string();
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer sk-test-1234\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.send(&text, patience).await
    }

    /// Sends a request with those headers to the end.
    async fn call(&self, head: &str, headers: &[&str], body: &str) -> Got {
        let length = body.len();
        let headers: String = headers.iter().map(|it| format!("{it}\r\n")).collect();
        let text = format!(
            "{head} HTTP/1.1\r\nhost: mock\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        self.send(&text, Duration::from_secs(600)).await
    }

    /// Posts a chat request to alpha.
    async fn chat(&self, body: &Value) -> Got {
        self.post_for("/alpha/v1/chat/completions", body, Duration::from_secs(600))
            .await
    }

    /// Sends a request as it is written.
    async fn send(&self, request: &str, patience: Duration) -> Got {
        let began = Instant::now();
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut raw = Vec::new();
        let mut first = None;
        let ended = loop {
            match timeout(
                patience.saturating_sub(began.elapsed()),
                stream.read_buf(&mut raw),
            )
            .await
            {
                Err(_) => break Ended::Hung,
                Ok(Ok(0)) => break Ended::Closed,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                    break Ended::Reset;
                }
            }
            if first.is_none() && find(&raw, b"\r\n\r\n").is_some_and(|at| raw.len() > at + 4) {
                first = Some(began.elapsed());
            }
            if unframe(&raw).is_some_and(|(_, _, whole)| whole) {
                break Ended::Whole;
            }
        };
        let (head, bytes, _) = unframe(&raw).unwrap_or_default();
        let status = head.split(' ').nth(1).map_or(0, |it| it.parse().unwrap());
        Got {
            status,
            head,
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            ended,
            first: first.unwrap_or_default(),
            last: began.elapsed(),
        }
    }

    /// The end and fault of the last attempt, as the ledger has them.
    fn last(&self) -> (super::End, String) {
        let attempts = self.mock.attempts();
        let last = attempts.last().unwrap();
        (
            last.end,
            last.fault.map_or(String::new(), |it| it.to_string()),
        )
    }
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The data of each event.
    fn events(&self) -> Vec<&str> {
        self.body
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect()
    }

    /// Name and data of each event that has both; data that is no JSON is null.
    fn named(&self) -> Vec<(&str, Value)> {
        let parse = |event: &'_ str| -> Option<(usize, Value)> {
            let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
            let value = serde_json::from_str(data).unwrap_or_default();
            Some((name.len(), value))
        };
        self.body
            .split("\n\n")
            .filter_map(|event| {
                let (length, value) = parse(event)?;
                Some((&event[7..7 + length], value))
            })
            .collect()
    }

    /// The content of every valid event, joined.
    fn content(&self) -> String {
        let parsed = self
            .events()
            .into_iter()
            .filter_map(|event| serde_json::from_str::<Value>(event).ok());
        parsed
            .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
            .collect()
    }
}

/// The words that a complete answer of so many tokens has.
fn words(count: u32) -> String {
    (1..=count)
        .map(|n| format!("w{n}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// Splits a response into head and body without framing; the last value says whether it is whole.
fn unframe(raw: &[u8]) -> Option<(String, Vec<u8>, bool)> {
    let end = find(raw, b"\r\n\r\n")?;
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let mut rest = &raw[end + 4..];
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    if let Some(length) = length {
        let whole = rest.len() == length.parse::<usize>().unwrap();
        return Some((head, rest.to_vec(), whole));
    }
    let mut body = Vec::new();
    while let Some(at) = find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        if size == 0 {
            return Some((head, body, true));
        }
        let Some(data) = rest.get(at + 2..at + 2 + size) else {
            break;
        };
        body.extend_from_slice(data);
        rest = rest.get(at + 4 + size..).unwrap_or_default();
    }
    Some((head, body, false))
}
