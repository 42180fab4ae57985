//! Which spans are sent of which request, and what providers are told.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::{PARENT, TRACE, end, spec};
use crate::support::collector::{Collector, attribute};
use crate::support::{Answer, Bench, Call, Folder, Mode, bench, chat, pass_ms, paused};

/// What one request sends: its own span, and those of its attempts in their order.
fn one(collector: &Collector) -> (Span, Vec<Span>) {
    let spans = collector.spans();
    let (servers, clients): (Vec<_>, Vec<_>) = spans
        .into_iter()
        .partition(|span| span.kind() == SpanKind::Server);
    let [server] = servers.try_into().unwrap();
    for client in &clients {
        assert_eq!(client.kind(), SpanKind::Client);
        assert_eq!(client.parent_span_id, server.span_id, "siblings below it");
        assert_eq!(client.trace_id, server.trace_id);
        assert!(client.start_time_unix_nano >= server.start_time_unix_nano);
        assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
    }
    (server, clients)
}

fn code(span: &Span) -> StatusCode {
    let status = span.status.as_ref();
    status.map_or(StatusCode::Unset, |status| status.code())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes one request of a gateway that sends everything; what the client got, and the spans.
fn traced(call: &Call) -> (Answer, Span, Vec<Span>) {
    let collector = Collector::start(Vec::new());
    let table =
        collector.table("sample = 1.0\nservice = \"shop\"\nheaders = { x-tenant = \"t1\", authorization = \"Bearer t-1\" }");
    let answer = bench(&spec(&table), async |bench| {
        let answer = bench.call(call).await;
        let metrics = end(bench).await;
        let sent = metrics.sum("otlp_spans_sent_total", &[]);
        let dropped = metrics.sum("otlp_spans_dropped_total", &[]);
        let counted = (sent as usize, dropped as u64);
        assert_eq!(counted, (collector.spans().len(), 0));
        answer
    });
    let heads = collector.heads();
    let head = heads[0].to_ascii_lowercase();
    assert!(head.starts_with("post /below/v1/traces http/1.1"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    assert!(head.contains("x-tenant: t1"), "{head}");
    assert!(head.contains("authorization: bearer t-1"), "{head}");
    let (server, clients) = one(&collector);
    (answer, server, clients)
}

#[test]
fn a_plain_request_is_told_below_its_clients_span() {
    let call = Call::chat(&chat("other", Mode::Whole)).header("traceparent", PARENT);
    let (answer, server, clients) = traced(&call.header("tracestate", "foo=1"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(hex(&server.trace_id), TRACE);
    assert_eq!(hex(&server.parent_span_id), "b7ad6b7169203331");
    assert_eq!(server.trace_state, "foo=1");
    let own = hex(&server.span_id);
    let told = format!("00-{TRACE}-{own}-01");
    assert_eq!(answer.header("traceresponse"), Some(told.as_str()));
    assert_eq!(server.name, "POST /v1/chat/completions");
    assert_eq!(attribute(&server, "trimtab.model"), "other");
    assert_eq!(attribute(&server, "http.response.status_code"), "200");
    assert_eq!(code(&server), StatusCode::Unset);
    let [client] = clients.try_into().unwrap();
    assert_eq!(client.name, "chat other");
    assert_eq!(attribute(&client, "gen_ai.provider.name"), "b");
    assert_eq!(attribute(&client, "gen_ai.request.stream"), "false");
    assert_eq!(attribute(&client, "gen_ai.usage.output_tokens"), "60");
    assert_eq!(attribute(&client, "server.address"), "127.0.0.1");
    assert_eq!(attribute(&client, "trimtab.propensity"), "1");
    assert_eq!(attribute(&client, "error.type"), "");
}

#[test]
fn a_stream_tells_when_its_first_token_came() {
    let (answer, server, clients) = traced(&Call::chat(&chat("other", Mode::Stream)));
    assert!(answer.is_done(), "{answer:?}");
    assert!(server.parent_span_id.is_empty());
    let [client] = clients.try_into().unwrap();
    let first: f64 = attribute(&client, "gen_ai.response.time_to_first_chunk")
        .parse()
        .unwrap();
    assert!((first - 0.3).abs() < 0.05, "{first}");
    assert_eq!(attribute(&client, "gen_ai.request.stream"), "true");
    let took = server.end_time_unix_nano - server.start_time_unix_nano;
    assert_eq!(took / 1_000_000, answer.took.as_millis() as u64);
}

#[test]
fn a_fallback_has_two_attempts_that_are_siblings() {
    let (answer, server, clients) = traced(&Call::chat(&chat("main", Mode::Whole)));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(attribute(&server, "trimtab.attempts"), "2");
    assert_eq!(code(&server), StatusCode::Unset);
    let [first, second] = clients.try_into().unwrap();
    assert_ne!(first.span_id, second.span_id);
    assert_eq!(
        (code(&first), code(&second)),
        (StatusCode::Error, StatusCode::Unset)
    );
    assert_eq!(attribute(&first, "gen_ai.provider.name"), "a");
    assert_ne!(attribute(&first, "error.type"), "");
    assert_eq!(attribute(&second, "gen_ai.provider.name"), "b");
}

#[test]
fn a_failure_is_an_error_of_both() {
    let (answer, server, clients) = traced(&Call::chat(&chat("sole", Mode::Whole)));
    assert!(answer.status >= 500, "{answer:?}");
    assert_eq!(code(&server), StatusCode::Error);
    let status = attribute(&server, "http.response.status_code");
    assert_eq!(status, answer.status.to_string());
    assert!(attribute(&server, "error.type").starts_with("upstream_"));
    assert!(
        clients
            .iter()
            .all(|client| code(client) == StatusCode::Error)
    );
}

#[test]
fn an_unknown_model_has_no_attempt() {
    let (answer, server, clients) = traced(&Call::chat(&chat("nobody", Mode::Whole)));
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(clients, []);
    assert_eq!(attribute(&server, "error.type"), "no_model");
    assert_eq!(attribute(&server, "trimtab.model.asked"), "nobody");
    assert_eq!(code(&server), StatusCode::Unset, "it is the client's");
}

#[test]
fn a_hit_of_the_cache_has_no_attempt() {
    let collector = Collector::start(Vec::new());
    bench(&spec(&collector.table("sample = 1.0")), async |bench| {
        for _ in 0..2 {
            bench.chat(&chat("kept", Mode::Whole)).await;
        }
        end(bench).await;
    });
    let spans = collector.spans();
    let status = |span: &Span| attribute(span, "trimtab.cache.status");
    let told: Vec<_> = spans
        .iter()
        .map(|span| (span.kind(), status(span)))
        .collect();
    let expected = [
        (SpanKind::Server, "MISS"),
        (SpanKind::Client, ""),
        (SpanKind::Server, "HIT"),
    ];
    assert_eq!(
        told,
        expected.map(|(kind, status)| (kind, status.to_owned()))
    );
}

#[test]
fn nothing_sampled_leaves_what_went_wrong() {
    let asked = |lines: &str| {
        let collector = Collector::start(Vec::new());
        bench(&spec(&collector.table(lines)), async |bench| {
            for model in ["other", "main", "nobody"] {
                bench.chat(&chat(model, Mode::Whole)).await;
            }
            end(bench).await;
        });
        let spans = collector.spans();
        let models = spans.iter().map(|span| attribute(span, "trimtab.model"));
        let mut models: Vec<_> = models.filter(|model| !model.is_empty()).collect();
        models.sort();
        (models, spans.len())
    };
    assert_eq!(asked("sample = 0.0"), (vec!["main".to_owned()], 4));
    assert_eq!(asked("sample = 0.0\nfailures = false"), (vec![], 0));
}

#[test]
fn a_client_that_does_not_record_is_not_recorded() {
    let collector = Collector::start(Vec::new());
    bench(&spec(&collector.table("sample = 1.0")), async |bench| {
        let unsampled = PARENT.replace("-01", "-00");
        let call = Call::chat(&chat("other", Mode::Whole)).header("traceparent", &unsampled);
        let answer = bench.call(&call).await;
        assert!(answer.header("traceresponse").unwrap().ends_with("-00"));
        end(bench).await;
    });
    assert_eq!(collector.spans(), []);
}

/// What the stand-ins were told in these headers.
fn told(bench: &Bench, name: &str) -> Vec<Option<String>> {
    let attempts = bench.mock.attempts();
    let header = |attempt: &trimtab::mock::Attempt| {
        let received = attempt.received.as_ref().unwrap();
        received.header(name).map(str::to_owned)
    };
    attempts.iter().map(header).collect()
}

#[test]
fn providers_are_told_of_the_trace_only_where_that_is_wanted() {
    let call = |model| {
        let call = Call::chat(&chat(model, Mode::Whole)).header("traceparent", PARENT);
        call.header("tracestate", "foo=1")
    };
    let collector = Collector::start(Vec::new());
    let table = collector.table("propagate = true");
    bench(&spec(&table), async |bench| {
        bench.call(&call("main")).await;
        let (parents, states) = (told(&bench, "traceparent"), told(&bench, "tracestate"));
        end(bench).await;
        let (_, clients) = one(&collector);
        let spans = clients.iter().map(|span| {
            let span = hex(&span.span_id);
            Some(format!("00-{TRACE}-{span}-01"))
        });
        assert_eq!(
            parents,
            spans.collect::<Vec<_>>(),
            "a span for each attempt"
        );
        assert_eq!(states, vec![Some("foo=1".to_owned()); 2]);
    });
    for table in [collector.table("propagate = false"), String::new()] {
        bench(&spec(&table), async |bench| {
            bench.call(&call("main")).await;
            assert_eq!(told(&bench, "traceparent"), [None, None]);
            assert_eq!(told(&bench, "tracestate"), [None, None]);
        });
    }
}

#[test]
fn without_a_table_there_is_no_trace() {
    bench(&spec(""), async |bench| {
        let call = Call::chat(&chat("other", Mode::Whole)).header("traceparent", PARENT);
        assert_eq!(bench.call(&call).await.header("traceresponse"), None);
    });
}

#[test]
fn a_changed_sample_holds_from_the_next_request_on() {
    let folder = Folder::new("otlp-reload");
    let file = folder.file("config.toml");
    let collector = Collector::start(Vec::new());
    let text = |sample: &str| spec(&collector.table(sample)).text();
    std::fs::write(&file, text("sample = 0.0")).unwrap();
    paused(|| async {
        let bench = Bench::start(&text("sample = 0.0"), Some(file.clone())).await;
        pass_ms(10).await;
        bench.chat(&chat("other", Mode::Whole)).await;
        std::fs::write(&file, text("sample = 1.0")).unwrap();
        bench.gateway.control.reload();
        pass_ms(50).await;
        bench.chat(&chat("other", Mode::Stream)).await;
        end(bench).await;
    });
    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_eq!(attribute(&spans[0], "trimtab.stream"), "true");
}
