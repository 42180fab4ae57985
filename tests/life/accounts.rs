//! The books: every request that began has ended in one way, and what is written about it.

use serde_json::Value;

use crate::support::{
    Bench, Call, Client, Folder, Metrics, Mode, Spec, bench, chat, pass_ms, paused,
};

/// Names that dashboards are built on.
const PROMISED: [&str; 14] = [
    "build_info",
    "router_requests_started_total",
    "router_requests_total",
    "router_inflight_requests",
    "router_request_duration_seconds_bucket",
    "router_request_duration_seconds_count",
    "router_request_duration_seconds_sum",
    "router_ttft_seconds_bucket",
    "router_overhead_seconds_count",
    "router_tokens_total",
    "provider_attempts_total",
    "provider_failover_total",
    "provider_circuit_state",
    "provider_inflight_attempts",
];

/// Text that stands in every prompt here and may stand nowhere else.
const SECRET: &str = "the-text-of-the-prompt";

fn spec() -> Spec {
    Spec::new()
        .with(
            "[models.good]\nroutes = [{ provider = \"alpha\" }]\n\
             [models.failing]\nroutes = [{ provider = \"alpha\", model = \"s04\" }]\nfallbacks = [\"good\"]\n\
             [models.cut]\nroutes = [{ provider = \"alpha\", model = \"s08\" }]\n\
             [models.refusing]\nroutes = [{ provider = \"alpha\", model = \"s13\" }]",
        )
        .stand_in("alpha", "ttft = \"100ms\"\ntpot = \"10ms\"\nanswer = 60")
}

fn ask(model: &str, mode: Mode) -> Call {
    let mut body = chat(model, mode);
    body["messages"][0]["content"] = SECRET.into();
    Call::chat(&body)
}

/// Requests of every kind: those for configured models, and all.
async fn mixed(bench: &Bench) -> (u32, u32) {
    let (mut known, mut all) = (0, 0);
    for mode in Mode::BOTH {
        for model in ["good", "failing", "cut", "refusing", "nobody"] {
            bench.call(&ask(model, mode)).await;
            known += u32::from(model != "nobody");
            all += 1;
        }
        let mut client = Client::open(bench.address).await;
        client.send(&ask("good", mode).bytes()).await;
        pass_ms(50).await;
        drop(client);
        pass_ms(1).await;
        (known, all) = (known + 1, all + 1);
    }
    for call in [
        Call::post("/v1/chat/completions", "nonsense"),
        Call::get("/v1/nothing"),
        Call::get("/v1/models"),
        Call::get("/v1/chat/completions"),
    ] {
        bench.call(&call).await;
        all += 1;
    }
    (known, all)
}

fn assert_conserved(metrics: &Metrics) {
    let started = metrics.sum("router_requests_started_total", &[]);
    let ended = metrics.sum("router_requests_total", &[]);
    let inflight = metrics.sum("router_inflight_requests", &[]);
    assert!(
        (started - ended - inflight).abs() < 0.1,
        "{started} = {ended} + {inflight}"
    );
}

#[test]
fn what_began_has_ended_or_is_in_flight() {
    bench(&spec(), async |bench| {
        let (_, all) = mixed(&bench).await;
        let metrics = bench.metrics().await;
        assert_conserved(&metrics);
        let count = |name: &str, label: &str| metrics.sum(name, &[label]).round() as u32;
        assert_eq!(count("router_requests_started_total", ""), all);
        let endings = [
            ("\"ok\"", 5),
            ("client_error", 7),
            ("upstream_error", 2),
            ("client_gone", 2),
            ("shed", 0),
            ("internal", 0),
        ];
        for (ending, expected) in endings {
            assert_eq!(
                count("router_requests_total", ending),
                expected,
                "{ending}\n{}",
                metrics.0
            );
        }
        assert_eq!(count("router_request_duration_seconds_count", ""), all);
        let attempts = bench.mock.attempts().len() as u32;
        assert_eq!(count("provider_attempts_total", ""), attempts);
        assert_eq!(count("provider_failover_total", "overloaded"), 2);

        let mut open = Vec::new();
        for mode in Mode::BOTH {
            let mut client = Client::open(bench.address).await;
            client.send(&ask("good", mode).bytes()).await;
            open.push(client);
        }
        pass_ms(300).await;
        let metrics = bench.metrics().await;
        assert!((metrics.sum("router_inflight_requests", &[]) - 2.0).abs() < 0.1);
        assert!((metrics.sum("provider_inflight_attempts", &[]) - 2.0).abs() < 0.1);
        assert_conserved(&metrics);
    });
}

#[test]
fn the_promised_names_are_there() {
    bench(&spec(), async |bench| {
        mixed(&bench).await;
        let text = bench.metrics().await.0;
        for name in PROMISED {
            let there = text.lines().any(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            });
            assert!(there, "{name} is not in\n{text}");
        }
        for hidden in [SECRET, "nobody", "sk-alpha"] {
            assert!(!text.contains(hidden), "{hidden} is in\n{text}");
        }
    });
}

/// Nothing that a failed attempt cost is counted as tokens.
#[test]
fn tokens_are_those_of_answers() {
    bench(&spec(), async |bench| {
        for mode in Mode::BOTH {
            bench.call(&ask("failing", mode)).await;
            bench.call(&ask("refusing", mode)).await;
        }
        let metrics = bench.metrics().await;
        let output = metrics.sum("router_tokens_total", &["output"]);
        assert!((output - 120.0).abs() < 0.1, "{output}");
        let reported: u32 = bench
            .mock
            .attempts()
            .iter()
            .filter(|it| it.status == 200)
            .map(|it| it.input_tokens)
            .sum();
        let input = metrics.sum("router_tokens_total", &["input"]);
        assert!(
            (input - f64::from(reported)).abs() < 0.1,
            "{input} of {reported}"
        );
    });
}

#[test]
fn a_finished_request_is_one_line() {
    let folder = Folder::new("trace");
    let file = folder.file("trace.jsonl");
    let spec = spec().with(&format!("[trace]\npath = {:?}", file.to_str().unwrap()));
    let known = paused(|| async {
        let bench = Bench::start(&spec.text(), None).await;
        let (known, _) = mixed(&bench).await;
        // The writer writes what it has and ends.
        drop(bench.gateway);
        known
    });
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len() as u32, known, "{text}");
    for hidden in [SECRET, "w1 w2", "sk-alpha", "\"w1\""] {
        assert!(!text.contains(hidden), "{hidden} is in\n{text}");
    }
    let count =
        |field: &str, value: Value| lines.iter().filter(|line| line[field] == value).count();
    assert_eq!(count("model", "good".into()), 4);
    assert_eq!(count("outcome", "canceled".into()), 2);
    assert_eq!(count("outcome", "truncated".into()), 1);
    assert_eq!(count("outcome", "rejected".into()), 2);
    assert_eq!(count("status", 400.into()), 2);
    assert_eq!(count("status", 0.into()), 2);
    assert_eq!(count("attempts", 2.into()), 3, "{text}");
    for line in &lines {
        for field in [
            "t_us",
            "class",
            "in",
            "out",
            "stream",
            "deadline_ms",
            "route",
            "total_us",
            "p_select",
            "first",
            "first_us",
            "first_outcome",
        ] {
            assert!(!line[field].is_null(), "{field} in {line}");
        }
        if line["attempts"] == 1 {
            for (first, last) in [
                ("first", "route"),
                ("first_us", "total_us"),
                ("first_outcome", "outcome"),
            ] {
                assert_eq!(line[first], line[last], "{first} of {line}");
            }
        } else {
            assert_ne!(line["first_outcome"], "success", "{line}");
            let ended = line["first_us"].as_u64().unwrap();
            assert!(ended < line["total_us"].as_u64().unwrap(), "{line}");
        }
        let streamed = line["stream"] == true;
        assert_eq!(line["class"], if streamed { "chat_stream" } else { "chat" });
        if streamed && line["status"] == 200 {
            let ttft = line["ttft_us"].as_u64().unwrap();
            assert!((100_000..105_000).contains(&ttft), "{line}");
        }
    }
}
