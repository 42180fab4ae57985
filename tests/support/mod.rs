//! What every test stands on: a gateway before stand-in providers, and clients that see what is on the wire.
//!
//! # Invariants
//! - Times are the runtime's, whose clock is paused: they are exact, up to the order of what happens at one instant.

pub(crate) mod accumulate;
mod client;
pub(crate) mod collector;
mod config;
mod folder;
mod sse;
mod upstream;
mod wire;

pub(crate) use client::{Client, Pace};
pub(crate) use config::{Spec, parse};
pub(crate) use folder::Folder;
pub(crate) use upstream::{Heard, Raw, Reply};
pub(crate) use wire::{Answer, Call, Ended};

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};
use trimtab::app::Local;
use trimtab::clock;
use trimtab::mock::{Attempt, Mock};

/// Longest time that any test waits for anything, so that a hang fails and does not hang: longer than any clock of the gateway.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1_000);

/// A gateway, its stand-in providers, and where they are.
pub(crate) struct Bench {
    pub(crate) gateway: Local,
    pub(crate) mock: Mock,
    pub(crate) address: SocketAddr,
}

/// Runs a future with tasks of its own on a runtime whose clock is paused.
pub(crate) fn paused<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    // Before the runtime, so that no test begins before the clock's base.
    let _ = clock::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async { test().await })
}

/// Runs a test against a gateway.
pub(crate) fn bench<F: Future>(spec: &Spec, test: impl FnOnce(Bench) -> F) -> F::Output {
    let text = spec.text();
    paused(|| async move { test(Bench::start(&text, None).await).await })
}

impl Bench {
    /// Starts stand-ins and gateway as the text says; the gateway watches `file`.
    pub(crate) async fn start(text: &str, file: Option<PathBuf>) -> Self {
        let config = parse(text);
        let mock = Mock::new(config.mock.clone().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mock_at = listener.local_addr().unwrap();
        spawn_local(mock.serve(listener, std::future::pending::<()>()));
        let gateway = Local::start(config, file, Some(mock_at)).unwrap();
        Self {
            address: gateway.address,
            gateway,
            mock,
        }
    }

    /// Makes one request on a connection of its own.
    pub(crate) async fn call(&self, call: &Call) -> Answer {
        Client::open(self.address).await.call(call).await
    }

    /// Asks for a chat completion.
    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.call(&Call::chat(body)).await
    }

    /// Asks for a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(&Call::get(path)).await
    }

    /// The attempts that a provider saw, oldest first.
    pub(crate) fn seen(&self, provider: &str) -> Vec<Attempt> {
        let mut attempts = self.mock.attempts();
        attempts.retain(|attempt| &*attempt.provider == provider);
        attempts
    }

    /// The admin plane's metrics.
    pub(crate) async fn metrics(&self) -> Metrics {
        let mut client = Client::open(self.gateway.admin).await;
        let answer = client.call(&Call::get("/metrics")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Metrics(answer.text())
    }

    /// Requests being served.
    pub(crate) fn in_flight(&self) -> i64 {
        self.gateway.shared.metrics().inflight.get()
    }

    /// The statistics of the route whose name begins so.
    pub(crate) fn route(&self, name: &str) -> scoring::route::RouteView {
        let all = self.gateway.shared.lasting.registry.all();
        let found = all.iter().find(|(id, _)| id.to_string().starts_with(name));
        found.unwrap().1.view(clock::now())
    }
}

/// A scrape.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The sum of the samples of this name whose labels contain every one of `labels`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let lines = self.0.lines().filter(of_name);
        let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }
}

/// A chat request for `model`.
pub(crate) fn chat(model: &str, mode: Mode) -> Value {
    let mut body = json!({
        "model": model,
        "messages": [{"role": "user", "content": "Tell me sixty words."}],
    });
    if mode == Mode::Stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

/// Whose words a client or a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

impl Tongue {
    /// Asks `model` for an answer; counted faults strike once per `user`.
    pub(crate) fn ask(self, model: &str, mode: Mode, user: &str) -> Call {
        let mut body = chat(model, mode);
        match self {
            Self::OpenAi => {
                body["user"] = user.into();
                Call::chat(&body)
            }
            Self::Anthropic => {
                let fields = body.as_object_mut().unwrap();
                fields.remove("stream_options");
                body["max_tokens"] = 1_000.into();
                body["metadata"] = json!({"user_id": user});
                Call::message(&body)
            }
        }
    }

    /// The dialect, as a configuration names it.
    pub(crate) const fn dialect(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

/// How an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In one piece.
    Whole,
    /// As a stream, with usage.
    Stream,
}

impl Mode {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::Whole, Self::Stream];
}

/// The text of a complete answer of so many tokens.
pub(crate) fn words(count: u32) -> String {
    let words: Vec<_> = (1..=count).map(|number| format!("w{number}")).collect();
    words.join(" ")
}

/// Lets a moment of so many milliseconds pass.
pub(crate) async fn pass_ms(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
