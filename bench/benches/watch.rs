//! What does it cost to look at 64 routes of 20 models once a second?
//!
//! Every model has every route, which is the most that there can be to look at; the bar is 2 ms of one core a second.
//! A second is one look at everything and three at the routes' states.
//!
//! # Invariants
//! - The gateway serves nothing meanwhile: looking costs the same whatever was counted.

#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::anyhow;
use criterion::{Criterion, criterion_group, criterion_main};
use scoring::time::{Span, Time};
use trimtab::app::Gateway;
use trimtab::config::{Surroundings, parse};
use trimtab::observe::watch::{Scene, Watch};

/// Routes of each model.
const ROUTES: usize = 64;

/// Models.
const MODELS: usize = 20;

/// Looks a second.
const LOOKS: u64 = 4;

fn configuration() -> String {
    let mut text = String::from(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n",
    );
    let mut routes = Vec::new();
    for number in 0..ROUTES {
        routes.push(format!("{{ provider = \"p{number}\", model = \"m\" }}"));
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "[providers.p{number}]\nbase_url = \"mock\"\nkeys = [{{ name = \"k\", secret = \"bench-key\" }}]\n[mock.providers.p{number}]"
        );
    }
    let routes = routes.join(", ");
    for number in 0..MODELS {
        let _ = writeln!(text, "[models.m{number}]\nroutes = [{routes}]");
    }
    text
}

fn start() -> anyhow::Result<Gateway> {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    let config = parse(Path::new("bench.toml"), &configuration(), &around);
    let config = config.map_err(|report| anyhow!("{}", report.json()))?;
    Ok(Gateway::start(config, None)?)
}

#[allow(clippy::panic, reason = "a bench has no other way to fail")]
fn look(criterion: &mut Criterion) {
    let gateway = match start() {
        Ok(gateway) => gateway,
        Err(error) => panic!("no gateway: {error}"),
    };
    let serving = gateway.shared.serving.load_full();
    let lasting = &gateway.shared.lasting;
    let scene = Scene {
        routing: &serving.routing,
        registry: &lasting.registry,
        metrics: &lasting.metrics,
        budget: &gateway.shared.budget,
        events: &lasting.events,
        threshold: serving.config.tuning.circuit.threshold,
    };
    let watch = Watch::default();
    let mut now = trimtab::clock::now();
    criterion.bench_function("watch/a second of 64 routes x 20 models", |bencher| {
        bencher.iter(|| {
            for _ in 0..LOOKS {
                now = now.plus(Span::from_millis(1_000 / LOOKS));
                watch.look(&scene, now, now.as_micros());
            }
        });
    });
    assert!(now > Time::default());
    gateway.control().drain();
    gateway.wait();
}

criterion_group!(benches, look);
criterion_main!(benches);
