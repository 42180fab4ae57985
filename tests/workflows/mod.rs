//! Workflows and rules, from the client to the stand-in: what a request becomes, what is refused, and where it goes.

mod enter;
mod rules;

use serde_json::Value;

use crate::support::{Bench, Spec};

/// Two stand-ins, each with a model of its name.
fn two() -> Spec {
    Spec::new()
        .with("[models.small]\nroutes = [{ provider = \"a\", model = \"upstream-a\" }]")
        .with("[models.large]\nroutes = [{ provider = \"b\", model = \"upstream-b\" }]")
        .stand_in("a", "ttft = \"20ms\"\ntpot = \"5ms\"\nanswer = 3")
        .stand_in("b", "ttft = \"20ms\"\ntpot = \"5ms\"\nanswer = 3")
}

/// The body of the last request that a stand-in has got.
fn body_at(bench: &Bench, provider: &str) -> Value {
    let attempt = bench.seen(provider).pop().unwrap();
    let received = attempt.received.unwrap();
    serde_json::from_slice(&received.body).unwrap()
}
