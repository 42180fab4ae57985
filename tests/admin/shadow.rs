//! Constants that are tried beside the live ones: what is told of them, and that nothing else changes.

use serde_json::Value;

use super::Folder;
use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat, pass_ms};

/// Two routes of which one is a fifth slower, inside a band that is wide enough for both.
fn spec(shadow: &str) -> Spec {
    Spec::new()
        .with("[scoring.draw]\nband = 0.6\nexplore = 0.0")
        .with("[models.main]\nroutes = [{ provider = \"fast\" }, { provider = \"slow\" }]")
        .stand_in("fast", "ttft = \"200ms\"\ntpot = \"5ms\"\nanswer = 12")
        .stand_in("slow", "ttft = \"260ms\"\ntpot = \"5ms\"\nanswer = 12")
        .with(shadow)
}

async fn told(bench: &Bench) -> Value {
    let mut client = Client::open(bench.gateway.admin).await;
    let answer = client.call(&Call::get("/api/shadow")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Serves so many streams, one after the other.
async fn serve(bench: &Bench, count: usize) {
    for _ in 0..count {
        let answer = bench.chat(&chat("main", Mode::Stream)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        pass_ms(10).await;
    }
}

/// Shares of a route, live and the shadow's.
fn shares(model: &Value, route: &str) -> (f64, f64) {
    let routes = model["routes"].as_array().unwrap();
    let of = |it: &&Value| it["route"].as_str().unwrap().starts_with(route);
    let found = routes.iter().find(of).unwrap();
    let share = |key: &str| found[key].as_f64().unwrap();
    (share("live_share"), share("shadow_share"))
}

#[test]
fn a_narrower_band_prefers_the_faster_route() {
    let shadow = "[scoring.shadow]\nsample = 1.0\n[scoring.shadow.draw]\nband = 0.05\nedge = 0.0";
    bench(&spec(shadow), async |bench| {
        serve(&bench, 500).await;
        let told = told(&bench).await;
        let names: Vec<&str> = told["constants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["draw.band", "draw.edge"]);
        let band = &told["constants"][0];
        assert_eq!(
            (&band["live"], &band["shadow"]),
            (&0.6.into(), &0.05.into())
        );
        let model = &told["data"][0];
        assert_eq!(
            (&model["model"], &model["sampled"]),
            (&"main".into(), &500.into())
        );
        let (live, shadow) = shares(model, "fast/");
        assert!((live - 0.5).abs() < 0.1 && shadow > 0.8, "{model:#}");
        let agreement = model["agreement"].as_f64().unwrap();
        assert!((0.4..0.75).contains(&agreement), "{model:#}");
        for time in ["cost_ms", "ttft_ms"] {
            let it = &model["estimates"][time];
            let number = |key: &str| it[key].as_f64().unwrap_or(f64::NAN);
            // Half of the requests would have been 60 ms faster, less what was unknown at first.
            assert!(number("high") < 0.0 && number("low") > -60.0, "{model:#}");
            assert!(number("shadow") < number("live"), "{model:#}");
        }
        let rate = &model["estimates"]["success_rate"];
        assert_eq!((&rate["live"], &rate["shadow"]), (&1.0.into(), &1.0.into()));
        // What the providers saw is what the live constants chose.
        let seen = (bench.seen("fast").len(), bench.seen("slow").len());
        assert!(seen.0 + seen.1 == 500 && seen.1 > 150, "{seen:?}");
    });
}

#[test]
fn an_equal_shadow_agrees_and_differs_by_nothing() {
    bench(&spec("[scoring.shadow]\nsample = 1.0"), async |bench| {
        serve(&bench, 150).await;
        let told = told(&bench).await;
        let model = &told["data"][0];
        assert_eq!(told["constants"], Value::Array(Vec::new()));
        assert_eq!(model["agreement"], 1.0, "{model:#}");
        assert_eq!(model["clipped"], 0);
        for name in ["success_rate", "cost_ms", "ttft_ms"] {
            let it = &model["estimates"][name];
            for key in ["difference", "low", "high"] {
                assert!(
                    it[key].as_f64().is_some_and(|it| it.abs() <= 0.0),
                    "{model:#}"
                );
            }
        }
        let (live, shadow) = shares(model, "slow/");
        assert!((live - shadow).abs() <= 0.0 && live > 0.3, "{model:#}");
    });
}

#[test]
fn a_part_is_asked_and_none_without_a_shadow() {
    bench(&spec("[scoring.shadow]\nsample = 0.2"), async |bench| {
        serve(&bench, 200).await;
        let model = &told(&bench).await["data"][0];
        let sampled = model["sampled"].as_u64().unwrap();
        assert!((15..75).contains(&sampled), "{model:#}");
        // Too few to tell: the reason stands in the estimate's place.
        let refused = model["estimates"]["cost_ms"]["refused"].as_str().unwrap();
        assert!(refused.contains("sample more"), "{refused}");
    });
    bench(&spec(""), async |bench| {
        serve(&bench, 5).await;
        let told = told(&bench).await;
        assert!(told["sample"].is_null() && told["data"] == Value::Array(Vec::new()));
    });
}

/// What could not be chosen is not estimated.
#[test]
fn a_wider_band_than_the_live_one_is_refused() {
    let wide = spec("[scoring.shadow]\nsample = 1.0\n[scoring.shadow.draw]\nband = 2.0").text();
    let narrow = wide.replace("band = 0.6", "band = 0.01\nedge = 0.0");
    crate::support::paused(|| async move {
        let bench = Bench::start(&narrow, None).await;
        serve(&bench, 300).await;
        let model = &told(&bench).await["data"][0];
        let refused = model["estimates"]["cost_ms"]["refused"].as_str().unwrap();
        assert!(refused.contains("leave no chance"), "{model:#}");
        let (live, shadow) = shares(model, "slow/");
        assert!(live < 0.3 && shadow > 0.35, "{model:#}");
    });
}

/// Counts go on over a reload that leaves the constants, and begin anew with one that changes them.
#[test]
fn a_reload_takes_the_shadow_over() {
    let folder = Folder::new("shadow");
    let file = folder.0.join("config.toml");
    let shadow = |band: &str, more: &str| {
        let table = format!("[scoring.shadow]\nsample = 1.0\n[scoring.shadow.draw]\nband = {band}");
        spec(&format!("{table}\n{more}")).text()
    };
    let more = "[timeouts]\ntotal = \"90s\"";
    let texts = [
        shadow("0.05", ""),
        shadow("0.05", more),
        shadow("0.1", more),
    ];
    std::fs::write(&file, &texts[0]).unwrap();
    crate::support::paused(|| async move {
        let bench = Bench::start(&texts[0], Some(file.clone())).await;
        for (text, before) in [(&texts[1], 10), (&texts[2], 0)] {
            serve(&bench, 10).await;
            std::fs::write(&file, text).unwrap();
            bench.gateway.control.reload();
            pass_ms(1_000).await;
            serve(&bench, 3).await;
            let model = &told(&bench).await["data"][0];
            assert_eq!(model["sampled"], before + 3, "{model:#}");
        }
    });
}
