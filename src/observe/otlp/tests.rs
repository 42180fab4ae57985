//! What is sent, read with the official types.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use scoring::outcome::Outcome;
use std::time::Duration;

use super::super::kinds::{Ending, Fault};
use super::super::sample::{AT_US, leg, story};
use super::super::story::Story;
use super::retry::{Told, told};
use super::{Batch, Teller, wanted, write};

/// What is sent of these requests.
fn sent(stories: &[Story]) -> ExportTraceServiceRequest {
    let teller = Teller::new("shop", "i-1");
    let mut batch = Batch::default();
    for story in stories {
        batch.add(|pen| write(pen, story));
    }
    let count = batch.spans();
    let sealed = teller.seal(&mut batch);
    assert_eq!((sealed.spans, batch.spans()), (count, 0));
    let request = ExportTraceServiceRequest::decode(sealed.body.clone()).unwrap();
    assert_eq!(
        request.encode_to_vec(),
        sealed.body,
        "as the library writes it"
    );
    assert_eq!(spans(&request).len(), count as usize);
    request
}

fn spans(request: &ExportTraceServiceRequest) -> &[Span] {
    &request.resource_spans[0].scope_spans[0].spans
}

fn shown(attributes: &[KeyValue]) -> Vec<String> {
    let value = |of: &KeyValue| match of.value.clone().unwrap().value.unwrap() {
        Value::StringValue(text) => format!("{text:?}"),
        Value::BoolValue(flag) => flag.to_string(),
        Value::IntValue(count) => count.to_string(),
        Value::DoubleValue(measure) => format!("{measure:?}"),
        other => panic!("{other:?}"),
    };
    let shown = |of: &KeyValue| format!("{}={}", of.key, value(of));
    attributes.iter().map(shown).collect()
}

/// What the request's span says.
const SERVER: [&str; 15] = [
    "http.request.method=\"POST\"",
    "http.route=\"/v1/chat/completions\"",
    "url.path=\"/v1/chat/completions\"",
    "http.response.status_code=200",
    "trimtab.request.id=\"req-deadbeef00000012\"",
    "trimtab.model=\"m\"",
    "trimtab.key=\"app\"",
    "trimtab.team=\"growth\"",
    "trimtab.cache.status=\"MISS\"",
    "trimtab.ending=\"ok\"",
    "trimtab.stream=true",
    "trimtab.attempts=1",
    "trimtab.overhead_ms=0.042",
    "trimtab.ttft_ms=250.31",
    "trimtab.cost.dollars=0.000391",
];

/// What its attempt's says.
const CLIENT: [&str; 29] = [
    "gen_ai.operation.name=\"chat\"",
    "gen_ai.provider.name=\"openai\"",
    "gen_ai.request.model=\"m-1\"",
    "gen_ai.request.stream=true",
    "gen_ai.request.max_tokens=1000",
    "gen_ai.conversation.id=\"000000000000004d\"",
    "server.address=\"api.example.com\"",
    "server.port=443",
    "gen_ai.response.time_to_first_chunk=0.25",
    "gen_ai.usage.input_tokens=1200",
    "gen_ai.usage.output_tokens=350",
    "gen_ai.usage.cache_read.input_tokens=1024",
    "gen_ai.usage.reasoning.output_tokens=128",
    "trimtab.cost.dollars=0.000391",
    "http.response.status_code=200",
    "trimtab.route=\"openai-eu/m-1/key-a@eu\"",
    "trimtab.provider=\"openai-eu\"",
    "trimtab.provider.key=\"key-a\"",
    "trimtab.region=\"eu\"",
    "trimtab.mode=\"normal\"",
    "trimtab.score=0.5",
    "trimtab.propensity=0.75",
    "trimtab.cost.latency_ms=412.5",
    "trimtab.cost.drift_ms=12.0",
    "trimtab.cost.utilisation_ms=0.5",
    "trimtab.cost.failure_ms=3.25",
    "trimtab.cost.price_ms=0.0",
    "trimtab.cost.affinity_ms=-4.0",
    "trimtab.sent_ms=0.5",
];

#[test]
fn the_teller_names_itself() {
    let request = sent(&[story()]);
    let resource = request.resource_spans[0].resource.clone().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        shown(&resource.attributes),
        [
            "service.name=\"shop\"",
            &format!("service.version=\"{version}\""),
            "service.instance.id=\"i-1\"",
            "telemetry.sdk.name=\"trimtab\"",
            "telemetry.sdk.language=\"rust\"",
            &format!("telemetry.sdk.version=\"{version}\""),
        ]
    );
    let scope = request.resource_spans[0].scope_spans[0].scope.clone();
    assert_eq!(
        scope.map(|it| (it.name, it.version)),
        Some(("trimtab".into(), version.into()))
    );
}

#[test]
fn one_trace_to_the_letter() {
    let request = sent(&[story()]);
    let [server, client] = spans(&request) else {
        panic!("{request:?}");
    };
    let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
    for span in [server, client] {
        assert_eq!(span.trace_id, trace);
        assert_eq!(span.trace_state, "foo=1");
        assert_eq!(span.status, None);
    }
    assert_eq!(server.span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(
        server.parent_span_id,
        0xb7ad_6b71_6920_3331_u64.to_be_bytes()
    );
    assert_eq!((server.kind(), server.flags), (SpanKind::Server, 0x301));
    assert_eq!(server.name, "POST /v1/chat/completions");
    assert_eq!(server.start_time_unix_nano, AT_US * 1_000);
    assert_eq!(server.end_time_unix_nano, (AT_US + 1_251_007) * 1_000);
    assert_eq!(shown(&server.attributes), SERVER);
    let context = story().trace.unwrap();
    assert_eq!(client.span_id, context.attempt(1).to_be_bytes());
    assert_eq!(client.parent_span_id, server.span_id);
    assert_eq!((client.kind(), client.flags), (SpanKind::Client, 0x101));
    assert_eq!(client.name, "chat m-1");
    assert_eq!(client.start_time_unix_nano, (AT_US + 310) * 1_000);
    assert_eq!(client.end_time_unix_nano, (AT_US + 1_250_310) * 1_000);
    assert_eq!(shown(&client.attributes), CLIENT);
}

#[test]
fn attempts_are_siblings_numbered_by_their_beginnings() {
    let mut story = story();
    // Told in the order of their ends: the second began first.
    let mut early = leg("bedrock-eu", "bedrock");
    early.began = scoring::time::Span::from_micros(300);
    early.outcome = Outcome::TimedOut;
    early.status = 0;
    story.legs.push(early);
    let context = story.trace.clone().unwrap();
    let request = sent(&[story]);
    let [server, late, early] = spans(&request) else {
        panic!("{request:?}");
    };
    assert_eq!(late.span_id, context.attempt(2).to_be_bytes());
    assert_eq!(early.span_id, context.attempt(1).to_be_bytes());
    assert_eq!(late.parent_span_id, server.span_id);
    assert_eq!(early.parent_span_id, server.span_id);
    let code = |span: &Span| span.status.as_ref().map(|status| status.code());
    assert_eq!((code(late), code(early)), (None, Some(StatusCode::Error)));
    let told = shown(&early.attributes);
    assert!(
        told.contains(&"error.type=\"timed_out\"".to_owned()),
        "{told:?}"
    );
    assert!(told.contains(&"gen_ai.provider.name=\"aws.bedrock\"".to_owned()));
    assert!(
        !told.iter().any(|it| it.starts_with("http.response")),
        "{told:?}"
    );
}

#[test]
fn a_server_is_in_error_where_it_is_at_fault() {
    let check = |status, ending, expected: bool| {
        let mut story = story();
        (story.status, story.ending) = (status, ending);
        story.fault = (ending != Ending::Ok).then_some(Fault::Truncated);
        let request = sent(&[story]);
        let failed = spans(&request)[0].status.is_some();
        assert_eq!(failed, expected, "{status} {ending:?}");
    };
    check(200, Ending::Ok, false);
    check(200, Ending::UpstreamError, true);
    check(200, Ending::ClientGone, false);
    check(0, Ending::ClientGone, false);
    check(400, Ending::ClientError, false);
    check(429, Ending::Shed, false);
    check(429, Ending::UpstreamError, false);
    check(502, Ending::UpstreamError, true);
    check(500, Ending::Internal, true);
}

#[test]
fn what_is_sampled_or_went_wrong_is_wanted() {
    let check = |sampled: bool, spoil: &dyn Fn(&mut Story), failures, expected| {
        let mut story = story();
        if let Some(trace) = &mut story.trace {
            trace.sampled = sampled;
        }
        spoil(&mut story);
        assert_eq!(wanted(&story, failures), expected, "{story:?}");
    };
    check(true, &|_| {}, false, true);
    check(false, &|_| {}, true, false);
    check(false, &|it| it.ending = Ending::Shed, true, true);
    check(false, &|it| it.ending = Ending::Shed, false, false);
    check(false, &|it| it.legs.push(leg("b", "b")), true, true);
    check(true, &|it| it.trace = None, true, false);
}

#[test]
fn many_requests_make_one_batch() {
    let request = sent(&vec![story(); 300]);
    assert_eq!(spans(&request).len(), 600);
    let mut bare = story();
    bare.endpoint = "other";
    bare.legs.clear();
    bare.who = None;
    let request = sent(&[bare]);
    assert_eq!(spans(&request)[0].name, "HTTP");
}

#[test]
fn a_partial_success_is_read_and_nonsense_is_none() {
    let answer = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 300,
            error_message: "too old".to_owned(),
        }),
    };
    let read = |body: &[u8]| told(200, None, body, Duration::ZERO);
    let taken = |rejected, message: &str| Told::Taken {
        rejected,
        message: message.to_owned(),
    };
    assert_eq!(read(&answer.encode_to_vec()), taken(300, "too old"));
    let whole = ExportTraceServiceResponse::default().encode_to_vec();
    assert_eq!(read(&whole), taken(0, ""));
    assert_eq!(read(b"<html>200 OK</html>"), taken(0, ""));
    assert_eq!(read(&[0xff; 4_096]), taken(0, ""));
}
