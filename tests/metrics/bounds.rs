//! However many names come and go, a scrape stays small.

use std::fmt::Write as _;

use super::{ask, everything};
use crate::support::{Bench, Call, Client, Folder, Mode, Spec, bench, chat, pass_ms, paused};

/// The largest scrape, bytes.
const LARGEST: usize = 2_000_000;

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn names_that_clients_make_up_make_no_series() {
    let folder = Folder::new("metrics-made-up");
    bench(&everything(&folder), async |bench| {
        bench.call(&ask("nobody-0", Mode::Whole)).await;
        bench.call(&Call::get("/v1/nothing-0")).await;
        let before = series(&bench.metrics().await.0);
        let mut client = Client::open(bench.address).await;
        for number in 1..1_000 {
            let call = ask(&format!("nobody-{number}"), Mode::Whole)
                .header("x-stainless-lang", &format!("lang-{number}"))
                .header("x-stainless-retry-count", "1");
            client.call(&call).await;
            client
                .call(&Call::get(&format!("/v1/nothing-{number}")))
                .await;
        }
        assert_eq!(series(&bench.metrics().await.0), before);
    });
}

#[test]
fn a_large_gateway_tells_less_than_two_megabytes() {
    let folder = Folder::new("metrics-large");
    let data = folder.0.join("data");
    let mut text = format!("[governance]\ndata = {data:?}\n");
    for key in 0..1_000 {
        let _ = writeln!(
            text,
            "[keys.virtual-key-{key}]\nsecret = \"the-secret-of-key-{key}\"\nbudgets = [{{ limit = 100, period = \"1M\" }}]"
        );
    }
    let mut spec = Spec::new();
    for provider in 0..64 {
        spec = spec.stand_in(&format!("provider-{provider}"), "answer = 3");
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
    bench(&spec.with(&text), async |bench| {
        // Every route and model has counted what an ordinary one does.
        let serving = bench.gateway.shared.serving.load_full();
        let metrics = bench.gateway.shared.metrics();
        for model in &serving.routing.models {
            let handles = metrics.model(&model.name);
            for target in &model.targets {
                let route = metrics.route(&target.identity.to_string());
                route.attempt(scoring::outcome::Outcome::Success);
                route.attempt(scoring::outcome::Outcome::ServerError);
                route.ttft.observe(scoring::time::Span::from_millis(700));
                route.spend.inc_by(0.25);
                route.tokens(trimtab::observe::metrics::TokenKind::Uncached, 1_000);
                route.tokens(trimtab::observe::metrics::TokenKind::Answer, 200);
                metrics.started.inc();
                handles.ended(
                    trimtab::observe::Ending::Ok,
                    true,
                    scoring::time::Span::from_millis(3_000),
                );
            }
        }
        let metrics = bench.metrics().await;
        assert!(metrics.sum("provider_attempts_total", &["success"]) >= 1_280.0);
        assert!(metrics.sum("budget_limit_dollars", &[]) >= 100_000.0);
        assert!(
            metrics.0.len() < LARGEST,
            "{} bytes, {} series",
            metrics.0.len(),
            series(&metrics.0)
        );
        assert!(metrics.sum("metrics_series_dropped_total", &[]) < 1.0);
    });
}

/// A configuration whose only model has this name.
fn named(model: &str) -> String {
    Spec::new()
        .with(&format!(
            "[models.{model}]\nroutes = [{{ provider = \"alpha\", model = \"{model}-upstream\" }}]"
        ))
        .stand_in("alpha", "ttft = \"1s\"\ntpot = \"100ms\"\nanswer = 20")
        .text()
}

#[test]
fn a_renamed_model_is_counted_until_its_last_request_and_then_forgotten() {
    let folder = Folder::new("metrics-renamed");
    let file = folder.file("config.toml");
    let text = named("before");
    std::fs::write(&file, &text).unwrap();
    paused(|| async move {
        let bench = Bench::start(&text, Some(file.clone())).await;
        pass_ms(10).await;
        let mut client = Client::open(bench.address).await;
        client
            .send(&Call::chat(&chat("before", Mode::Stream)).bytes())
            .await;
        client.words(2).await;
        for turn in 0..30 {
            std::fs::write(&file, named(&format!("after-{turn}"))).unwrap();
            bench.gateway.control.reload();
            pass_ms(50).await;
        }
        let metrics = bench.metrics().await;
        assert!((metrics.sum("config_reload_total", &["ok"]) - 30.0).abs() < 0.1);
        pass_ms(5_000).await;
        let metrics = bench.metrics().await;
        let ended = metrics.sum("router_requests_total", &["\"before\"", "\"ok\""]);
        assert!(
            (ended - 1.0).abs() < 0.1,
            "it was counted under the name that it began with"
        );
        // Longer than whoever is gone is shown.
        pass_ms(700_000).await;
        let metrics = bench.metrics().await;
        let metrics =
            Some(metrics).filter(|it| !it.0.contains("\"before\"") && !it.0.contains("after-3\""));
        let metrics = metrics.expect("what is gone is forgotten");
        let retired = metrics.sum("router_requests_retired_total", &["\"ok\""]);
        let started = metrics.sum("router_requests_started_total", &[]);
        assert!(
            (retired - 1.0).abs() < 0.1 && (started - 1.0).abs() < 0.1,
            "{}",
            metrics.0
        );
    });
}
