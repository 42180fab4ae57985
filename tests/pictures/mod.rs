//! Pictures through the gateway: OpenAI's requests served by vendors with APIs of their own, and the answer in OpenAI's words.
//!
//! # Invariants
//! - The ledger is the witness of what was submitted, polled and cancelled, and of the words in which it was.

mod bounds;
mod edits;
mod failover;
mod leaving;
mod passthrough;
mod streams;
mod vendors;

use serde_json::{Value, json};
use trimtab::mock::Attempt;

use crate::support::{Answer, Bench, Call, Spec};

/// Pace of a stand-in: two seconds in the queue, then three for 28 steps.
const PACE: &str = "ttft = \"2s\"\ntpot = \"111ms\"";

/// Adds a vendor of this dialect with a stand-in.
fn vendor(spec: Spec, dialect: &str, script: &str) -> Spec {
    let known = as_told(dialect);
    spec.with(&format!(
        "[providers.{dialect}]\n{known}\nbase_url = \"mock\"\nkeys = [{{ name = \"key\", secret = \"sk-{dialect}-0123\" }}]\n\
         [mock.providers.{dialect}]\nkeys = [\"sk-{dialect}-0123\"]\n{script}"
    ))
}

/// How an operator says who a provider is: one that converses like OpenAI, by its name.
fn as_told(dialect: &str) -> String {
    match dialect {
        "together" | "fireworks" => format!("vendor = \"{dialect}\""),
        _ => format!("dialect = \"{dialect}\""),
    }
}

/// A model `draw` with these routes, tried in this order.
fn model(spec: Spec, routes: &[(&str, &str)]) -> Spec {
    let weight = |place: usize| 10_f64.powi(-9 * i32::try_from(place).unwrap());
    let routes = routes.iter().enumerate().map(|(place, (provider, model))| {
        let weight = weight(place);
        format!("{{ provider = \"{provider}\", model = \"{model}\", weight = {weight:.12} }}")
    });
    let routes: Vec<String> = routes.collect();
    spec.with(&format!("[models.draw]\nroutes = [{}]", routes.join(", ")))
}

/// A request for pictures.
fn draw(more: Value) -> Call {
    let mut body = json!({"model": "draw", "prompt": "a cat"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    Call::post("/v1/images/generations", body.to_string())
}

/// The attempts of one sort at a provider: `submit`, `poll`, `result`, `cancel` or `picture`.
fn attempts(bench: &Bench, provider: &str, what: &str) -> Vec<Attempt> {
    let path = format!("images/{what}");
    let plain = "images/generations";
    let mut seen = bench.seen(provider);
    seen.retain(|it| it.path == path || (what == "submit" && it.path == plain));
    seen
}

/// How many of each there were: submissions, cancellations.
fn submitted_and_cancelled(bench: &Bench, provider: &str) -> (usize, usize) {
    let count = |what| attempts(bench, provider, what).len();
    (count("submit"), count("cancel"))
}

/// The pictures of a whole answer, of which each is a PNG in base64.
fn inline(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    assert!(json["created"].as_u64().unwrap() > 1_700_000_000, "{json}");
    let data = json["data"].as_array().unwrap();
    for image in data {
        let picture = image["b64_json"].as_str().unwrap();
        assert!(picture.starts_with("iVBORw0KGgo"), "{picture}");
    }
    data.len()
}
