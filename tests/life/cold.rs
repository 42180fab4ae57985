//! Routes that nothing is known of: alike, they soon share alike, however far they are from what is assumed of a stranger.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat};

/// Time between requests: 20 a second.
const APART: Duration = Duration::from_millis(50);

/// The smallest share of three alike routes in each ten seconds, in per cent of a third.
async fn shares(bench: &Bench, call: &Call, seconds: u32) -> Vec<u32> {
    let mut client = Client::open(bench.address).await;
    let began = Instant::now();
    let mut shares = Vec::new();
    for number in 1..=20 * seconds {
        sleep_until(began + APART * number).await;
        assert_eq!(client.call(call).await.status, 200);
        if number % 200 == 0 {
            let counts = ["a", "b", "c"].map(|name| bench.seen(name).len() as u32);
            bench.mock.forget();
            shares.push(counts.iter().min().unwrap() * 300 / 200);
        }
    }
    shares
}

fn check(script: &str, call: &Call) {
    let mut spec = Spec::new().with(
        "[models.main]\nroutes = [{ provider = \"a\" }, { provider = \"b\" }, { provider = \"c\" }]",
    );
    for name in ["a", "b", "c"] {
        spec = spec.stand_in(name, script);
    }
    bench(&spec, async |bench| {
        let shares = shares(&bench, call, 150).await;
        eprintln!("{script}: {shares:?}");
        let late = &shares[2..];
        assert!(late.iter().all(|share| *share > 50), "{shares:?}");
    });
}

#[test]
fn fast_answers() {
    check(
        "ttft = \"20ms\"\ntpot = \"2ms\"\nanswer = 3\nnoise = 0.1",
        &Call::chat(&chat("main", Mode::Whole)),
    );
}

#[test]
fn fast_streams() {
    check(
        "ttft = \"20ms\"\ntpot = \"2ms\"\nanswer = 3\nnoise = 0.1",
        &Call::chat(&chat("main", Mode::Stream)),
    );
}

#[test]
fn embeddings() {
    let body = json!({"model": "main", "input": "a"}).to_string();
    check(
        "ttft = \"20ms\"\ndimensions = 8\nnoise = 0.1",
        &Call::post("/v1/embeddings", body),
    );
}
