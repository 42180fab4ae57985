//! What does it cost to count, alone and while another thread counts the same, and how long does a scrape of a large gateway take?
//!
//! # Invariants
//! - Counting is free of allocations; the bench stops if it is not.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(
    clippy::expect_used,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use allocation_counter::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use scoring::outcome::Outcome;
use scoring::time::Span;
use trimtab::app::Gateway;
use trimtab::config::{self, Surroundings};
use trimtab::observe::Ending;
use trimtab::observe::metrics::{Metrics, ModelHandles, RouteHandles, TokenKind};

/// Everything that one request updates, streams included.
fn request(metrics: &Metrics, model: &ModelHandles, route: &RouteHandles, took: Span) {
    metrics.started.inc();
    metrics.inflight.inc();
    metrics.overhead.observe(took);
    route.ttft.observe(took);
    route.attempt(Outcome::Success);
    route.tokens(TokenKind::Uncached, 100);
    route.tokens(TokenKind::Answer, 100);
    route.spend.inc_by(0.001);
    metrics.inflight.dec();
    model.ended(Ending::Ok, true, took);
    model.streamed(100, took);
    model.tokens_in.inc_by(100);
    model.tokens_out.inc_by(100);
}

fn count(c: &mut Criterion) {
    let metrics = Metrics::default();
    let (model, route) = (metrics.model("m"), metrics.route("p/m/k"));
    let mut span = 1_u64;
    let mut next = move || {
        span = span.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Span::from_micros(span >> 40)
    };
    request(&metrics, &model, &route, next());
    let allocated = measure(|| request(&metrics, &model, &route, next()));
    assert_eq!(allocated.count_total, 0, "counting allocates");

    c.bench_function("counter", |b| b.iter(|| black_box(&metrics.started).inc()));
    c.bench_function("span alone", |b| b.iter(&mut next));
    c.bench_function("histogram and span", |b| {
        b.iter(|| black_box(&route.ttft).observe(next()));
    });
    c.bench_function("a request's 20 updates", |b| {
        b.iter(|| request(&metrics, &model, &route, next()));
    });
    let plain = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                metrics.started.inc();
                plain.fetch_add(1, Ordering::Relaxed);
            }
        });
        c.bench_function("counter, another thread counts too", |b| {
            b.iter(|| black_box(&metrics.started).inc());
        });
        c.bench_function("one atomic that two threads share", |b| {
            b.iter(|| black_box(&plain).fetch_add(1, Ordering::Relaxed));
        });
        over.store(true, Ordering::Relaxed);
    });
}

/// A thousand keys with budgets, and 20 models of 64 routes each.
fn large(folder: &Path) -> String {
    let data = folder.join("data");
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[governance]\ndata = {data:?}\n"
    );
    for key in 0..1_000 {
        let _ = writeln!(
            text,
            "[keys.virtual-key-{key}]\nsecret = \"the-secret-of-key-{key}\"\nbudgets = [{{ limit = 100, period = \"1M\" }}]"
        );
    }
    for provider in 0..64 {
        let _ = writeln!(
            text,
            "[providers.provider-{provider}]\nbase_url = \"mock\"\nkeys = [{{ name = \"key\", secret = \"sk-{provider}\" }}]\n[mock.providers.provider-{provider}]"
        );
    }
    for model in 0..20 {
        let routes: Vec<String> = (0..64)
            .map(|provider| {
                format!("{{ provider = \"provider-{provider}\", model = \"upstream-{model}\" }}")
            })
            .collect();
        let _ = writeln!(
            text,
            "[models.model-{model}]\nroutes = [{}]",
            routes.join(", ")
        );
    }
    text
}

fn fetch(from: SocketAddr, accept: &str) -> usize {
    let mut stream = TcpStream::connect(from).expect("the admin plane listens");
    let head = format!(
        "GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    answer.len()
}

fn scrape(c: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("trimtab-bench-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the books");
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    let config = config::parse(Path::new("bench.toml"), &large(&folder), &around);
    let config = config.expect("the configuration is sound");
    let gateway = Gateway::start(config, None).expect("it starts");
    let metrics = gateway.shared.metrics();
    let serving = gateway.shared.serving.load_full();
    for model in &serving.routing.models {
        let handles = metrics.model(&model.name);
        for target in &model.targets {
            let route = metrics.route(&target.identity.to_string());
            request(metrics, &handles, &route, Span::from_millis(300));
        }
    }
    drop(serving);
    let formats = [
        ("text", "text/plain"),
        ("OpenMetrics", "application/openmetrics-text"),
        (
            "protobuf",
            "application/vnd.google.protobuf;encoding=delimited",
        ),
    ];
    let mut group = c.benchmark_group("scrape of 1,000 keys and 1,280 routes");
    group.sample_size(10);
    for (name, accept) in formats {
        let bytes = fetch(gateway.admin, accept);
        group.bench_function(format!("{name}, {bytes} bytes"), |b| {
            b.iter(|| fetch(gateway.admin, accept));
        });
    }
    group.finish();
    gateway.control().drain();
    gateway.wait();
    // What is left in the system's folder for such things is no harm.
    let _ = std::fs::remove_dir_all(&folder);
}

criterion_group!(benches, count, scrape);
criterion_main!(benches);
