//! Which routes a request goes to by its headers, its size and what an expression says of it.

use std::process::Command;

use serde_json::json;

use super::{body_at, two};
use crate::support::{Bench, Call, Folder, Mode, Spec, bench, chat, pass_ms, paused};

/// The model `main` on the routes of `small`, with these rules.
fn ruled(rules: &str) -> Spec {
    two().with(&format!(
        "[models.main]\nroutes = [{{ provider = \"a\", model = \"upstream-a\" }}]\nrules = [{rules}]"
    ))
}

/// Where a call goes: to `a`, the model's own, or to `b`.
async fn goes_to(bench: &Bench, call: &Call) -> &'static str {
    bench.mock.forget();
    let answer = bench.call(call).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    match (bench.seen("a").len(), bench.seen("b").len()) {
        (1, 0) => "a",
        (0, 1) => "b",
        other => panic!("{other:?}"),
    }
}

fn main_with(header: (&str, &str)) -> Call {
    Call::chat(&chat("main", Mode::Whole)).header(header.0, header.1)
}

#[test]
fn headers_choose() {
    let rules = "{ header = { x-tier = \"gold\", x-zone = \"eu\" }, model = \"large\" }, { team = \"search\", model = \"large\" }";
    bench(&ruled(rules), async |bench| {
        let both = main_with(("X-Tier", "gold")).header("x-zone", "eu");
        assert_eq!(goes_to(&bench, &both).await, "b");
        assert_eq!(body_at(&bench, "b")["model"], "upstream-b");
        assert_eq!(goes_to(&bench, &main_with(("X-Tier", "gold"))).await, "a");
        let team = main_with(("x-trimtab-team", "search"));
        assert_eq!(goes_to(&bench, &team).await, "b");
        let metrics = bench.metrics().await;
        let label = "model=\"main\"";
        let counted = metrics.sum("router_request_duration_seconds_count", &[label]);
        assert!(counted >= 3.0, "counted as what was asked for: {counted}");
    });
}

#[test]
fn sizes_choose() {
    let rules = "{ min_input_tokens = 1000, model = \"large\" }";
    bench(&ruled(rules), async |bench| {
        let sized = |letters: usize| {
            let text = "x".repeat(letters);
            Call::chat(&json!({"model": "main", "messages": [{"role": "user", "content": text}]}))
        };
        assert_eq!(goes_to(&bench, &sized(3_500)).await, "a");
        assert_eq!(goes_to(&bench, &sized(4_000)).await, "b");
    });
}

#[test]
fn expressions_choose_and_the_first_match_decides() {
    let rules = r#"
        { when = 'endpoint == "messages" && !stream', model = "main" },
        { when = 'stream || headers["x-n"].contains("7") || endpoint == "messages"', model = "large" },
        { when = 'input_tokens / max_tokens < 0', model = "large" }"#;
    bench(&ruled(rules), async |bench| {
        let plain = Call::chat(&chat("main", Mode::Whole));
        assert_eq!(
            goes_to(&bench, &plain).await,
            "a",
            "a division by zero is no match"
        );
        let stream = Call::chat(&chat("main", Mode::Stream));
        assert_eq!(goes_to(&bench, &stream).await, "b");
        assert_eq!(goes_to(&bench, &main_with(("x-n", "17"))).await, "b");
        assert_eq!(goes_to(&bench, &main_with(("x-n", "16"))).await, "a");
        let mut body = chat("main", Mode::Whole);
        body["max_tokens"] = 5.into();
        let messages = |body: &serde_json::Value| Call::post("/v1/messages", body.to_string());
        assert_eq!(goes_to(&bench, &messages(&body)).await, "a");
        body["stream"] = true.into();
        body.as_object_mut().unwrap().remove("stream_options");
        assert_eq!(goes_to(&bench, &messages(&body)).await, "b");
    });
}

/// The routes are the chosen model's, the parameters the workflow's; it falls back as it says itself.
#[test]
fn workflows_have_rules_of_their_own() {
    let spec = ruled("{ stream = false, model = \"large\" }")
        .with("[models.broken]\nroutes = [{ provider = \"c\" }]\nfallbacks = [\"large\"]")
        .with("[workflows.own]\nmodel = \"main\"\nfallbacks = [\"small\"]\nparameters = { n = 1 }\nrules = [{ header = { x-to = \"broken\" }, model = \"broken\" }]")
        .with("[workflows.heir]\nmodel = \"main\"")
        .with("[workflows.late]\nmodel = \"main\"\nrules = [{ header = { x-to = \"broken\" }, model = \"broken\" }]")
        .stand_in("c", "faults = [{ kind = \"500\" }]");
    bench(&spec, async |bench| {
        let call =
            |workflow: &str| Call::chat(&chat(&format!("workflows/{workflow}"), Mode::Whole));
        assert_eq!(
            goes_to(&bench, &call("heir")).await,
            "b",
            "the model's rules"
        );
        assert_eq!(goes_to(&bench, &call("own")).await, "a", "only its own");
        let broken = call("own").header("x-to", "broken");
        assert_eq!(goes_to(&bench, &broken).await, "a", "its own fallback");
        assert_eq!(body_at(&bench, "a")["n"], 1);
        assert!(!bench.seen("c").is_empty());
        let broken = call("late").header("x-to", "broken");
        assert_eq!(
            goes_to(&bench, &broken).await,
            "b",
            "the chosen model's fallback"
        );
    });
}

#[test]
fn a_reload_changes_rules_and_limits_and_keeps_what_is_spent() {
    let text = |rules: &str, limits: &str| {
        let workflow = format!("[workflows.w]\nmodel = \"main\"\nlimits = {limits}");
        ruled(rules).with(&workflow).text()
    };
    let none = text("", "{ requests_per_minute = 2 }");
    let folder = Folder::new("workflow-rules");
    let file = folder.file("config.toml");
    std::fs::write(&file, &none).unwrap();
    paused(|| async move {
        let bench = Bench::start(&none, Some(file.clone())).await;
        pass_ms(10).await;
        let plain = Call::chat(&chat("main", Mode::Whole));
        let flow = Call::chat(&chat("workflows/w", Mode::Whole));
        assert_eq!(goes_to(&bench, &plain).await, "a");
        assert_eq!(goes_to(&bench, &flow).await, "a");
        assert_eq!(goes_to(&bench, &flow).await, "a");
        let rules = "{ stream = false, model = \"large\" }";
        for (limits, expected) in [("{ requests_per_minute = 2 }", 429), ("{}", 200)] {
            std::fs::write(&file, text(rules, limits)).unwrap();
            bench.gateway.control.reload();
            pass_ms(50).await;
            assert_eq!(goes_to(&bench, &plain).await, "b");
            assert_eq!(bench.call(&flow).await.status, expected, "{limits}");
        }
        assert_eq!(goes_to(&bench, &flow).await, "b");
    });
}

#[test]
fn check_marks_what_is_wrong_with_a_condition() {
    let folder = Folder::new("workflow-check");
    let file = folder.file("config.toml");
    let rule = "{ when = 'stream && tokenz > 5', model = \"large\" }";
    std::fs::write(&file, ruled(rule).text()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_trimtab"))
        .arg("check")
        .arg(&file)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let marked = lines
        .iter()
        .position(|line| line.contains("tokenz > 5"))
        .unwrap();
    let (column, caret) = (
        lines[marked].find("tokenz"),
        lines[marked + 1].find("^^^^^^"),
    );
    assert!(column.is_some() && column == caret, "{told}");
    assert!(told.contains("unknown variable \"tokenz\""), "{told}");
}
