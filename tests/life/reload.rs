//! A new configuration: taken over whole or not at all, without forgetting or disturbing anything.

use std::path::Path;

use super::PACED;
use crate::support::{Bench, Call, Client, Folder, Mode, Spec, chat, pass_ms, paused, words};

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

/// Two routes with these weights, and the other models given.
fn spec(a: f32, b: f32, further: &str) -> String {
    Spec::new()
        .with(&format!(
            "[models.main]\nroutes = [\n{{ provider = \"a\", weight = {a:?} }},\n{{ provider = \"b\", weight = {b:?} }},\n]\n{further}"
        ))
        .stand_in("a", PACED)
        .stand_in("b", PACED)
        .stand_in("slow", "ttft = \"1s\"\ntpot = \"100ms\"\nanswer = 40")
        .text()
}

const SLOW: &str = "[models.slow]\nroutes = [{ provider = \"slow\" }]";

/// Runs a test against a gateway that watches a file.
fn with_file<F: Future>(name: &str, text: &str, test: impl FnOnce(Bench, std::path::PathBuf) -> F) {
    let folder = Folder::new(name);
    let file = folder.file("config.toml");
    write(&file, text);
    paused(|| async move {
        let bench = Bench::start(text, Some(file.clone())).await;
        pass_ms(10).await;
        test(bench, file).await;
    });
}

/// The share of the first route in so many requests.
async fn share_of_a(bench: &Bench, requests: u32) -> f64 {
    bench.mock.forget();
    let mut client = Client::open(bench.address).await;
    for _ in 0..requests {
        let answer = client.call(&Call::chat(&chat("main", Mode::Whole))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    bench.seen("a").len() as f64 / f64::from(requests)
}

async fn reloads(bench: &Bench) -> (f64, f64) {
    let metrics = bench.metrics().await;
    let of = |result: &str| metrics.sum("config_reload_total", &[result]);
    (of("\"ok\""), of("\"refused\""))
}

#[test]
fn weights_change_and_statistics_stay() {
    with_file("weights", &spec(9.0, 1.0, ""), async |bench, file| {
        // Until both are measured, the one that was measured first has the better expectations.
        let cold = share_of_a(&bench, 300).await;
        let share = share_of_a(&bench, 500).await;
        assert!((0.84..0.96).contains(&share), "{share}, {cold} when cold");
        let before = (bench.route("a/").dispatched, bench.route("b/").dispatched);
        assert_eq!(before.0 + before.1, 800);

        write(&file, &spec(1.0, 9.0, SLOW));
        bench.gateway.control.reload();
        pass_ms(50).await;
        assert_eq!(reloads(&bench).await, (1.0, 0.0));
        let after = (bench.route("a/").dispatched, bench.route("b/").dispatched);
        assert_eq!(after, before, "statistics survive by identity");
        let share = share_of_a(&bench, 500).await;
        assert!((0.04..0.16).contains(&share), "{share}");
        assert_eq!(
            bench.route("a/").dispatched + bench.route("b/").dispatched,
            1_300
        );
        assert_eq!(bench.get("/v1/models/slow").await.status, 200);
    });
}

/// A change of the file is noticed without being told of, once.
#[test]
fn the_file_is_watched() {
    with_file("watched", &spec(1.0, 1.0, ""), async |bench, file| {
        assert_eq!(bench.get("/v1/models/slow").await.status, 404);
        write(&file, &spec(1.0, 1.0, SLOW));
        pass_ms(3_000).await;
        assert_eq!(bench.get("/v1/models/slow").await.status, 200);
        pass_ms(10_000).await;
        assert_eq!(reloads(&bench).await, (1.0, 0.0));
    });
}

#[test]
fn an_invalid_file_changes_nothing() {
    let good = spec(1.0, 1.0, "");
    with_file("invalid", &good, async |bench, file| {
        let nowhere = good.replace("provider = \"b\"", "provider = \"nobody\"");
        let unknown = good.replace("weight", "wieght");
        let invalid = ["", "[models", &nowhere, &unknown];
        for (count, text) in invalid.iter().enumerate() {
            write(&file, text);
            bench.gateway.control.reload();
            pass_ms(50).await;
            assert!(reloads(&bench).await.0 < 1.0, "{text}");
            assert!(reloads(&bench).await.1 >= (count + 1) as f64, "{text}");
            let answer = bench.chat(&chat("main", Mode::Stream)).await;
            assert_eq!(answer.content(), words(60));
        }
        std::fs::remove_file(&file).unwrap();
        bench.gateway.control.reload();
        pass_ms(5_000).await;
        assert_eq!(bench.chat(&chat("main", Mode::Whole)).await.status, 200);
        write(&file, &spec(1.0, 1.0, SLOW));
        pass_ms(3_000).await;
        assert_eq!(
            bench.get("/v1/models/slow").await.status,
            200,
            "and it recovers"
        );
    });
}

/// A request keeps the configuration with which it began, though its model is gone.
#[test]
fn requests_in_flight_keep_theirs() {
    with_file("inflight", &spec(1.0, 1.0, SLOW), async |bench, file| {
        let mut clients = Vec::new();
        for mode in Mode::BOTH {
            let mut client = Client::open(bench.address).await;
            client.send(&Call::chat(&chat("slow", mode)).bytes()).await;
            clients.push(client);
        }
        pass_ms(1_500).await;
        write(&file, &spec(1.0, 1.0, ""));
        bench.gateway.control.reload();
        pass_ms(50).await;
        assert_eq!(bench.chat(&chat("slow", Mode::Whole)).await.status, 404);
        for mut client in clients {
            assert_eq!(client.answer().await.content(), words(40));
        }
        assert_eq!(bench.in_flight(), 0);
    });
}
