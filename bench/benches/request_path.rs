//! How long does one request take through the whole gateway, in this process and over loopback?
//!
//! Gateway and stand-in provider run on threads of this process, and one kept-alive connection asks again and again.
//! It is for comparing two versions of the code; what the gateway *adds* is measured by the overhead harness, beside others and with its own core.
//!
//! # Invariants
//! - Every answer is checked.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{anyhow, ensure};
use bench::load::{Response, post};
use bench::proxy::{GATEWAY_PATH, chat_body};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use trimtab::app::Gateway;
use trimtab::config::{Surroundings, parse};

/// One model on one stand-in provider that answers at once.
const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
workers = 1

[admin]
listen = "127.0.0.1:0"

[providers.bench]
base_url = "mock"
keys = [{ name = "only", secret = "bench-key" }]

[models.bench]
routes = [{ provider = "bench", model = "bench-upstream" }]

[mock.providers.bench]
"#;

/// Events of a complete stream, at least: the stand-in answers with 50 words.
const EVENTS: usize = 50;

/// A kept-alive client that waits for each answer.
#[derive(Debug)]
struct Client {
    socket: TcpStream,
    response: Response,
    scratch: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            response: Response::default(),
            scratch: vec![0; 64 * 1024],
        })
    }

    /// Sends the request and reads the whole answer; `events` is what a stream has at least, zero for a plain answer.
    fn ask(&mut self, request: &[u8], events: usize) -> anyhow::Result<()> {
        self.response.reset();
        self.socket.write_all(request)?;
        while !self.response.is_complete() {
            let count = self.socket.read(&mut self.scratch)?;
            ensure!(count > 0, "the connection was closed");
            self.response
                .feed(&self.scratch[..count])
                .map_err(|wrong| anyhow!("{wrong:?}"))?;
        }
        if events > 0 {
            self.response
                .check_stream(events)
                .map_err(|wrong| anyhow!("{wrong:?}"))?;
        }
        Ok(())
    }
}

/// Starts the gateway with its stand-in provider.
fn start() -> anyhow::Result<Gateway> {
    let around = Surroundings {
        env: &|_| None,
        read: &|path| {
            Err(io::Error::other(format!(
                "{} is not read here",
                path.display()
            )))
        },
        cores: NonZeroUsize::MIN,
    };
    let parsed = parse(Path::new("bench.toml"), CONFIGURATION, &around);
    let config = parsed.map_err(|report| anyhow!("{report:?}"))?;
    Ok(Gateway::start(config, None)?)
}

#[allow(clippy::panic, reason = "a bench has no other way to fail")]
fn request_path(criterion: &mut Criterion) {
    let gateway = start().unwrap_or_else(|error| panic!("the gateway does not start: {error:#}"));
    let mut group = criterion.benchmark_group("request path");
    for (name, streamed, events) in [("chat", false, 0), ("stream of 50", true, EVENTS)] {
        let body = chat_body("bench", streamed);
        let request = post(gateway.address, GATEWAY_PATH, "unused", &body);
        let client = Client::connect(gateway.address);
        let mut client = client.unwrap_or_else(|error| panic!("connecting: {error:#}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let asked = client.ask(&request, events);
                asked.unwrap_or_else(|error| panic!("{name}: {error:#}"));
            });
        });
    }
    group.finish();
    gateway.control().drain();
    gateway.wait();
}

criterion_group!(benches, request_path);
criterion_main!(benches);
