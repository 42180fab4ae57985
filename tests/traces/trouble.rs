//! Collectors that are slow, gone or talk nonsense: requests go on, and every span is counted.

use std::net::TcpListener;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;

use super::{end, spec};
use crate::support::collector::{Collector, answer};
use crate::support::{Metrics, Mode, bench, chat};

/// Makes so many requests of two spans each; what is counted in the end.
fn counted(table: &str, requests: u32) -> Metrics {
    bench(&spec(table), async |bench| {
        for _ in 0..requests {
            let answer = bench.chat(&chat("other", Mode::Whole)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        end(bench).await
    })
}

fn check(metrics: &Metrics, sent: f64, reason: &str, lost: f64) {
    let told = metrics.sum("otlp_spans_sent_total", &[]);
    let dropped = metrics.sum("otlp_spans_dropped_total", &[]);
    let of_reason = metrics.sum("otlp_spans_dropped_total", &[reason]);
    assert_eq!((told, dropped, of_reason), (sent, lost, lost));
}

#[test]
fn one_that_says_later_is_asked_again() {
    let later = || answer("503 Service Unavailable", "retry-after: 0\r\n", b"busy");
    let collector = Collector::start(vec![later(), later()]);
    let metrics = counted(&collector.table("sample = 1.0"), 1);
    check(&metrics, 2.0, "", 0.0);
    let requests = collector.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| *request == requests[0]));
}

#[test]
fn one_that_refuses_is_not() {
    let collector = Collector::start(vec![answer("400 Bad Request", "", b"no")]);
    let metrics = counted(&collector.table("sample = 1.0"), 1);
    check(&metrics, 0.0, "refused", 2.0);
    assert_eq!(collector.requests().len(), 1);
}

#[test]
fn one_that_rejects_some_is_believed() {
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "one is too old".to_owned(),
        }),
    };
    let collector = Collector::start(vec![answer("200 OK", "", &partial.encode_to_vec())]);
    let metrics = counted(&collector.table("sample = 1.0"), 1);
    check(&metrics, 1.0, "rejected", 1.0);
}

#[test]
fn nonsense_is_no_reason_to_send_again() {
    let collector = Collector::start(vec![answer("200 OK", "", &[0xff; 300_000])]);
    let metrics = counted(&collector.table("sample = 1.0"), 1);
    check(&metrics, 2.0, "", 0.0);
    // What is no HTTP is as if the connection was lost; that is tried again, for as long as there is time.
    let collector = Collector::start(vec![Some(b"go away\r\n\r\n".to_vec()); 1_000]);
    let metrics = counted(&collector.table("sample = 1.0"), 1);
    check(&metrics, 0.0, "shutdown", 2.0);
}

#[test]
fn one_that_never_answers_holds_nothing_up() {
    let collector = Collector::start(vec![None; 1_000]);
    let metrics = counted(&collector.table("sample = 1.0"), 20);
    check(&metrics, 0.0, "shutdown", 40.0);
}

#[test]
fn one_that_is_not_there_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let table = format!("[otlp]\nendpoint = \"http://{address}\"\nsample = 1.0");
    check(&counted(&table, 20), 0.0, "shutdown", 40.0);
}

#[test]
fn what_finds_the_queue_full_is_dropped() {
    let collector = Collector::start(Vec::new());
    let metrics = counted(&collector.table("sample = 1.0\nqueue = 1"), 5);
    check(&metrics, 0.0, "queue_full", 10.0);
    assert_eq!(collector.requests(), []);
}
