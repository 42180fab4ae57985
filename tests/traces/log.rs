//! The log of requests, of a gateway that serves.

use std::path::Path;

use serde_json::Value;

use super::{end, spec};
use crate::support::collector::Collector;
use crate::support::{Folder, Mode, bench, chat};

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let read = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(read).collect()
}

#[test]
fn every_request_has_its_line() {
    let folder = Folder::new("request-log");
    let path = folder.file("requests.jsonl");
    let table = format!("[request_log]\npath = {path:?}");
    let answers = bench(&spec(&table), async |bench| {
        let mut answers = Vec::new();
        for (model, mode) in [
            ("other", Mode::Stream),
            ("main", Mode::Whole),
            ("nobody", Mode::Whole),
            ("kept", Mode::Whole),
            ("kept", Mode::Whole),
        ] {
            answers.push(bench.chat(&chat(model, mode)).await);
        }
        let metrics = end(bench).await;
        let dropped = metrics.sum("request_log_lines_dropped_total", &[]);
        assert_eq!(dropped as u64, 0);
        answers
    });
    let lines = lines(&path);
    assert_eq!(lines.len(), 5);
    for (line, answer) in lines.iter().zip(&answers) {
        assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
        assert_eq!(line["status"], answer.status);
        assert_eq!(line["trace_id"], Value::Null);
    }
    let [stream, fallen, unknown, miss, hit] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(stream["stream"], true);
    assert!((stream["ttft_ms"].as_f64().unwrap() - 300.0).abs() < 50.0);
    assert_eq!(stream["tokens"]["out"], 60);
    let outcomes = fallen["attempts"].as_array().unwrap();
    assert_eq!(
        (outcomes.len(), &outcomes[1]["outcome"]),
        (2, &"success".into())
    );
    assert_ne!(outcomes[0]["outcome"], "success");
    assert_eq!(fallen["provider"], "b");
    assert_eq!(
        (&unknown["model"], &unknown["asked"]),
        (&Value::Null, &"nobody".into())
    );
    assert_eq!(
        (&unknown["error_type"], &unknown["ending"]),
        (&"no_model".into(), &"client_error".into())
    );
    assert_eq!(
        (&miss["cache"], &hit["cache"]),
        (&"MISS".into(), &"HIT".into())
    );
    assert_eq!(hit["attempts"], Value::Array(Vec::new()));
    let whole = std::fs::read_to_string(&path).unwrap();
    for content in ["sixty words", "w1 w2"] {
        assert!(!whole.contains(content), "{content} is in the log");
    }
}

#[test]
fn a_line_names_the_trace() {
    let folder = Folder::new("request-log-trace");
    let path = folder.file("requests.jsonl");
    let collector = Collector::start(Vec::new());
    let table = format!(
        "[request_log]\npath = {path:?}\n{}",
        collector.table("sample = 1.0")
    );
    let answer = bench(&spec(&table), async |bench| {
        let answer = bench.chat(&chat("other", Mode::Whole)).await;
        end(bench).await;
        answer
    });
    let told = answer.header("traceresponse").unwrap();
    assert_eq!(lines(&path)[0]["trace_id"], told[3..35]);
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_start() {
    let folder = Folder::new("request-log-none");
    let path = folder.file("none/requests.jsonl");
    let text = spec(&format!("[request_log]\npath = {path:?}")).text();
    crate::support::paused(|| async move {
        let config = crate::support::parse(&text);
        let started = trimtab::app::Local::start(config, None, Some(([127, 0, 0, 1], 1).into()));
        let error = started.err().unwrap().to_string();
        assert!(error.starts_with("cannot log requests to "), "{error}");
    });
}
