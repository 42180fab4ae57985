//! Streams that break off and are taken up: S08, S09 and S14 with `stream_recovery`, in both dialects and between them.
//!
//! Whatever happens, the client has one answer with one beginning, or an error; and every attempt is accounted for.

use std::collections::BTreeMap;

use scoring::outcome::Outcome;
use serde_json::{Value, json};
use trimtab::mock::{Attempt, End};

use super::{
    Cast, PACED, WORDS, assert_broken_off, assert_complete, assert_usage, kind, ms, secs, told,
};
use crate::support::Tongue::{Anthropic, OpenAi};
use crate::support::{
    Answer, Bench, Call, Client, Ended, Mode, Raw, Reply, Spec, Tongue, bench, chat, pass_ms,
    paused, words,
};

const HOW: [&str; 2] = ["restart", "continue"];

/// A model whose provider fails in this way, and what else is said in the configuration.
struct Scene<'a> {
    cast: Cast,
    how: &'a str,
    fault: &'a str,
    /// Further lines of the fallback's stand-in.
    spare: &'a str,
    retry: &'a str,
    clocks: &'a str,
}

impl<'a> Scene<'a> {
    fn new(cast: Cast, how: &'a str, fault: &'a str) -> Self {
        Self {
            cast,
            how,
            fault,
            spare: "",
            retry: "max_attempts = 3",
            clocks: "between_tokens = \"5s\"",
        }
    }

    fn spec(&self) -> Spec {
        let Self {
            cast,
            how,
            fault,
            spare,
            retry,
            clocks,
        } = self;
        Spec::new()
            .with(&format!("[timeouts]\n{clocks}\n[retry]\n{retry}"))
            .with(&format!(
                "[models.main]\nroutes = [{{ provider = \"primary\", model = \"{fault}\" }}]\n\
                 fallbacks = [\"spare\"]\nstream_recovery = \"{how}\"\n\
                 [models.spare]\nroutes = [{{ provider = \"spare\" }}]"
            ))
            .stand_in_of(cast.primary, "primary", PACED)
            .stand_in_of(cast.spare, "spare", &format!("{PACED}\n{spare}"))
    }
}

fn body(attempt: &Attempt) -> Value {
    serde_json::from_slice(&attempt.received.as_ref().unwrap().body).unwrap()
}

/// Every outcome of a route, with its number.
fn outcomes(bench: &Bench, route: &str) -> BTreeMap<&'static str, u32> {
    let view = bench.route(route);
    assert_eq!(view.inflight, 0);
    let all = Outcome::ALL.iter().zip(view.outcomes);
    let told = all.filter(|(_, count)| *count > 0);
    told.map(|(outcome, count)| (outcome.name(), count as u32))
        .collect()
}

/// Each attempt has one outcome, the request one end.
async fn assert_accounts(bench: &Bench, ending: &str) {
    let metrics = bench.metrics().await;
    let count = |name: &str, labels: &[&str]| metrics.sum(name, labels).round() as usize;
    assert_eq!(count("router_requests_started_total", &[]), 1);
    assert_eq!(count("router_requests_total", &[]), 1);
    assert_eq!(count("router_requests_total", &[ending]), 1, "{ending}");
    assert_eq!(count("router_inflight_requests", &[]), 0);
    assert_eq!(count("provider_inflight_attempts", &[]), 0);
    let attempts = bench.mock.attempts().len();
    assert_eq!(count("provider_attempts_total", &[]), attempts);
}

/// The whole answer, one beginning, usage, a proper end; the broken route was asked once.
#[test]
fn s08_and_s09_are_whole() {
    for fault in [
        "s08",
        "s09",
        "fault-cut-eof-40",
        "fault-cut-clean-40",
        "fault-cut-1",
        "fault-cut-59",
        "fault-cut-60",
        "fault-error-event-20",
        "fault-truncated-json",
    ] {
        for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
            for prefill in ["own", "continue", "ignore"] {
                if fault == "fault-cut-60" && (*how, prefill) != ("restart", "own") {
                    // A stand-in that goes on says at least one word more.
                    continue;
                }
                let spare = format!("prefill = \"{prefill}\"");
                let scene = Scene {
                    spare: &spare,
                    ..Scene::new(cast, how, fault)
                };
                bench(&scene.spec(), async |bench| {
                    let answer = cast.ask(&bench, Mode::Stream, "whole").await;
                    assert_complete(&answer, fault);
                    assert_usage(&answer);
                    let (primary, spare) = (bench.seen("primary"), bench.seen("spare"));
                    assert_eq!(
                        (primary.len(), spare.len()),
                        (1, 1),
                        "{fault} {how} {cast:?}"
                    );
                    assert!(answer.took < secs(9), "{:?}", answer.took);
                    assert_eq!(outcomes(&bench, "primary/"), [("truncated", 1)].into());
                    assert_eq!(outcomes(&bench, "spare/"), [("success", 1)].into());
                    assert_accounts(&bench, "\"ok\"").await;
                });
            }
        }
    }
}

/// The stalled provider is let go of before another is asked, so that it bills nothing more.
#[test]
fn s09_lets_the_stalled_provider_go_first() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        bench(&Scene::new(cast, how, "s09").spec(), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "nine").await;
            assert_complete(&answer, "s09");
            let (primary, spare) = (&bench.seen("primary")[0], &bench.seen("spare")[0]);
            assert_eq!(primary.end, End::ClientLeft);
            assert!(
                primary.ended_us <= spare.at_us + 1_000,
                "{primary:?} {spare:?}"
            );
        });
    }
}

/// What a route is told depends on what it can do: Anthropic's older models go on by themselves, the rest is asked to.
#[test]
fn to_go_on_is_asked_in_each_dialects_way() {
    for cast in Cast::ALL {
        bench(&Scene::new(cast, "continue", "s08").spec(), async |bench| {
            assert_complete(&cast.ask(&bench, Mode::Stream, "on").await, "s08");
            let sent = body(&bench.seen("spare")[0]);
            let messages = sent["messages"].as_array().unwrap();
            let said = words(40);
            let text = |message: &Value| match &message["content"] {
                Value::String(text) => text.clone(),
                blocks => blocks[0]["text"].as_str().unwrap().to_owned(),
            };
            let (last, before) = (&messages[messages.len() - 1], &messages[messages.len() - 2]);
            match cast.spare {
                Anthropic => {
                    assert_eq!((&last["role"], text(last)), (&"assistant".into(), said));
                }
                OpenAi => {
                    assert_eq!((&before["role"], text(before)), (&"assistant".into(), said));
                    assert_eq!(last["role"], "user");
                    assert!(text(last).contains("Continue"), "{last}");
                }
            }
            assert_eq!(sent["model"], "spare");
            assert_eq!(sent["stream"], true);
        });
        bench(&Scene::new(cast, "restart", "s08").spec(), async |bench| {
            assert_complete(&cast.ask(&bench, Mode::Stream, "anew").await, "s08");
            let sent = body(&bench.seen("spare")[0]);
            assert_eq!(sent["messages"].as_array().unwrap().len(), 1);
        });
    }
}

/// The refusal of the prefill never reaches the caller: the answer is begun anew.
#[test]
fn s14_begins_anew_where_it_cannot_go_on() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        let scene = Scene {
            spare: "prefill = \"refuse\"",
            ..Scene::new(cast, how, "s14")
        };
        bench(&scene.spec(), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "fourteen").await;
            assert_complete(&answer, "s14");
            assert_usage(&answer);
            assert!(!answer.text().contains("prefill"));
            let refused = u32::from(*how == "continue" && cast.spare == Anthropic);
            let spare = bench.seen("spare");
            assert_eq!(spare.len(), 1 + refused as usize, "{how} {cast:?}");
            let seen = outcomes(&bench, "spare/");
            assert_eq!(seen.get("rejected").copied().unwrap_or(0), refused);
            assert_eq!(seen["success"], 1);
            assert_accounts(&bench, "\"ok\"").await;
        });
    }
}

/// A model that is known to refuse a prefill is not sent one.
#[test]
fn s14_knows_who_refuses() {
    let cast = Cast::SAME[1];
    let spec = Scene {
        spare: "prefill = \"refuse\"",
        ..Scene::new(cast, "continue", "s14")
    };
    let text = spec.spec().text().replace(
        "[{ provider = \"spare\" }]",
        "[{ provider = \"spare\", model = \"claude-opus-4-6\" }]",
    );
    paused(|| async {
        let bench = Bench::start(&text, None).await;
        let answer = cast.ask(&bench, Mode::Stream, "fourteen").await;
        assert_complete(&answer, "s14");
        assert_eq!(bench.seen("spare").len(), 1);
    });
}

/// Whole answers know nothing of it.
#[test]
fn whole_answers_fail_over_as_ever() {
    for fault in ["s08", "s09", "s14"] {
        for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
            bench(&Scene::new(cast, how, fault).spec(), async |bench| {
                let answer = cast.ask(&bench, Mode::Whole, "whole").await;
                assert_complete(&answer, "spare");
                assert_usage(&answer);
            });
        }
    }
}

/// Without recovery the caller hears that the stream broke off, and nobody else is asked.
#[test]
fn s14_is_safe_without_recovery() {
    for cast in Cast::ALL {
        for fault in ["s08", "s09", "s14"] {
            bench(&Scene::new(cast, "error", fault).spec(), async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "safe").await;
                let error = assert_broken_off(&answer);
                let (upstream, timeout) = told(cast.client);
                let expected = if fault == "s09" { timeout } else { upstream };
                assert_eq!(kind(cast.client, &error), expected);
                assert_eq!(bench.seen("spare").len(), 0);
                assert_accounts(&bench, "upstream_error").await;
            });
        }
    }
}

/// The tokens that are counted are those of the client's answer; those of the attempts are their own.
#[test]
fn tokens_are_counted_once() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        bench(&Scene::new(cast, how, "s08").spec(), async |bench| {
            assert_complete(&cast.ask(&bench, Mode::Stream, "tokens").await, "s08");
            let metrics = bench.metrics().await;
            let output = metrics.sum("router_tokens_total", &["direction=\"output\""]);
            assert!(
                (output - f64::from(WORDS)).abs() < 0.5,
                "{how} {cast:?}: {output}"
            );
            assert_eq!(bench.route("primary/").tokens_out, 40);
            let made = bench.seen("spare")[0].output_tokens;
            assert_eq!(bench.route("spare/").tokens_out, u64::from(made));
            let failovers = metrics.sum("provider_failover_total", &["truncated"]);
            assert!((failovers - 1.0).abs() < 0.1, "{failovers}");
        });
    }
}

fn three(cast: Cast, how: &str, lines: &str) -> Spec {
    let [first, second] = [("main", "fault-cut-40"), ("spare", "fault-cut-10")];
    Spec::new()
        .with(&format!(
            "[timeouts]\nbetween_tokens = \"5s\"\n[retry]\n{lines}"
        ))
        .with(&format!(
            "[models.{}]\nroutes = [{{ provider = \"primary\", model = \"{}\" }}]\n\
             fallbacks = [\"spare\", \"third\"]\nstream_recovery = \"{how}\"\n\
             [models.{}]\nroutes = [{{ provider = \"spare\", model = \"{}\" }}]\n\
             [models.third]\nroutes = [{{ provider = \"third\" }}]",
            first.0, first.1, second.0, second.1
        ))
        .stand_in_of(cast.primary, "primary", PACED)
        .stand_in_of(cast.spare, "spare", PACED)
        .stand_in_of(cast.primary, "third", PACED)
}

/// A route that takes a stream up may break off as well; the next one takes up what the client has by then.
#[test]
fn a_second_break_is_taken_up_too() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        bench(&three(cast, how, "max_attempts = 4"), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "twice").await;
            assert_complete(&answer, "fault-cut-40");
            assert_usage(&answer);
            let seen = ["primary", "spare", "third"].map(|name| bench.seen(name).len());
            assert_eq!(seen, [1, 1, 1], "{how} {cast:?}");
            assert_eq!(outcomes(&bench, "spare/"), [("truncated", 1)].into());
            assert_accounts(&bench, "\"ok\"").await;
        });
    }
}

/// Attempts are bounded over all breaks together.
#[test]
fn attempts_are_those_of_the_request() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        for (attempts, seen) in [(1, [1, 0, 0]), (2, [1, 1, 0])] {
            let lines = format!("max_attempts = {attempts}");
            bench(&three(cast, how, &lines), async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "bound").await;
                assert_broken_off(&answer);
                let all = ["primary", "spare", "third"].map(|name| bench.seen(name).len());
                assert_eq!(all, seen, "{how} {cast:?}");
                assert_accounts(&bench, "upstream_error").await;
            });
        }
    }
}

/// With one route only, that route is asked again, and no more often than attempts allow.
#[test]
fn a_route_alone_is_asked_again() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        for (fault, whole) in [("fault-once-cut-40", true), ("fault-cut-40", false)] {
            let text = Scene::new(cast, how, fault).spec().text();
            let text = text.replace("fallbacks = [\"spare\"]\n", "");
            paused(|| async {
                let bench = Bench::start(&text, None).await;
                let answer = cast.ask(&bench, Mode::Stream, "alone").await;
                let primary = bench.seen("primary").len();
                if whole {
                    assert_complete(&answer, fault);
                    assert_eq!(primary, 2);
                } else {
                    assert_ne!(answer.ended, Ended::Whole, "{answer:?}");
                    assert!(!answer.is_done());
                    assert_eq!(primary, 3);
                }
            });
        }
    }
}

/// When nobody takes it up the caller hears how the stream broke off, not what became of the rescue.
#[test]
fn a_rescue_that_fails_is_not_told() {
    for fault in ["503", "content-policy", "429-after-30", "html", "reset"] {
        for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
            bench(&Scene::new(cast, how, "s08").spec(), async |bench| {
                let fault = fault.parse().unwrap();
                bench.mock.set_fault("spare", Some(fault)).unwrap();
                let answer = cast.ask(&bench, Mode::Stream, "fails").await;
                let error = assert_broken_off(&answer);
                assert_eq!(kind(cast.client, &error), told(cast.client).0, "{error}");
                assert_eq!(answer.content(), words(40));
                assert!(bench.mock.attempts().len() <= 3);
                assert!(!bench.seen("spare").is_empty());
                assert_accounts(&bench, "upstream_error").await;
            });
        }
    }
}

/// The budget that all requests share pays for it: two extra attempts, then no more.
#[test]
fn the_budget_is_paid() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        let scene = Scene {
            retry: "max_attempts = 3\nbudget_ratio = 0.0\nbudget_floor_per_second = 0.0\nbudget_cap = 2",
            ..Scene::new(cast, how, "s08")
        };
        bench(&scene.spec(), async |bench| {
            for user in ["one", "two"] {
                assert_complete(&cast.ask(&bench, Mode::Stream, user).await, "s08");
            }
            // The primary may be left by now, which is not recovery's doing.
            let before = bench.seen("primary").len();
            let answer = cast.ask(&bench, Mode::Stream, "three").await;
            if bench.seen("primary").len() > before {
                assert_broken_off(&answer);
            }
        });
    }
}

/// When the whole request has had its time, nobody is asked any more.
#[test]
fn no_time_no_rescue() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        let scene = Scene {
            clocks: "between_tokens = \"30s\"\ntotal = \"6s\"",
            ..Scene::new(cast, how, "s09")
        };
        bench(&scene.spec(), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "late").await;
            let error = assert_broken_off(&answer);
            assert_eq!(kind(cast.client, &error), told(cast.client).1);
            assert!(answer.took < ms(6_100));
            assert_eq!(bench.seen("spare").len(), 0);
        });
    }
}

/// A request with a tool, which must be called.
fn with_tool(client: Tongue) -> Call {
    let mut body = chat("main", Mode::Stream);
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    match client {
        OpenAi => {
            body["tools"] =
                json!([{"type": "function", "function": {"name": "find", "parameters": schema}}]);
            body["tool_choice"] = "required".into();
            Call::chat(&body)
        }
        Anthropic => {
            body.as_object_mut().unwrap().remove("stream_options");
            body["max_tokens"] = 1_000.into();
            body["tools"] = json!([{"name": "find", "input_schema": schema}]);
            body["tool_choice"] = json!({"type": "any"});
            Call::message(&body)
        }
    }
}

/// A tool call that has begun cannot be taken up.
#[test]
fn a_tool_call_is_not_joined() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        bench(
            &Scene::new(cast, how, "fault-cut-3").spec(),
            async |bench| {
                let answer = bench.call(&with_tool(cast.client)).await;
                assert_ne!(answer.ended, Ended::Whole, "{answer:?}");
                let error = answer.error().unwrap();
                assert_eq!(kind(cast.client, &error), told(cast.client).0);
                assert!(!answer.is_done());
                assert_eq!(bench.seen("spare").len(), 0);
                assert_accounts(&bench, "upstream_error").await;
            },
        );
    }
}

/// Before the first token nothing has broken off yet: it fails over as ever, and the answer is the other model's.
#[test]
fn nothing_said_is_no_break() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        bench(
            &Scene::new(cast, how, "fault-cut-0").spec(),
            async |bench| {
                let answer = cast.ask(&bench, Mode::Stream, "nothing").await;
                assert_complete(&answer, "spare");
                assert_usage(&answer);
            },
        );
    }
}

/// A client that leaves while its stream is being taken up ends the attempt at once.
#[test]
fn leaving_ends_the_rescue() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        bench(&Scene::new(cast, how, "s08").spec(), async |bench| {
            let mut client = Client::open(bench.address).await;
            let call = cast.client.ask("main", Mode::Stream, "leave");
            client.send(&call.bytes()).await;
            client.words(40).await;
            pass_ms(100).await;
            assert_eq!(bench.seen("spare").len(), 1, "the rescue is under way");
            drop(client);
            pass_ms(10).await;
            assert_eq!(bench.seen("spare")[0].end, End::ClientLeft);
            assert_eq!(bench.in_flight(), 0);
            assert_eq!(outcomes(&bench, "primary/"), [("truncated", 1)].into());
            assert_eq!(outcomes(&bench, "spare/"), [("canceled", 1)].into());
            assert_accounts(&bench, "client_gone").await;
            let metrics = bench.metrics().await;
            let output = metrics.sum("router_tokens_total", &["direction=\"output\""]);
            assert!((output - 40.0).abs() < 0.5, "what the client has: {output}");
        });
    }
}

/// A client that waits for a slow rescue hears that its answer is still being made.
#[test]
fn a_slow_rescue_keeps_the_client() {
    for cast in Cast::ALL {
        let scene = Scene {
            clocks: "head = \"60s\"\nfirst_token = \"60s\"",
            ..Scene::new(cast, "restart", "s08")
        };
        let text = scene.spec().text();
        let (first, second) = text.split_once("[mock.providers.spare]").unwrap();
        let slow = second.replace("300ms", "40s");
        paused(|| async {
            let text = format!("{first}[mock.providers.spare]{slow}");
            let bench = Bench::start(&text, None).await;
            let answer = cast.ask(&bench, Mode::Stream, "slow").await;
            assert_complete(&answer, "s08");
            assert_eq!(answer.comments(), 2, "{answer:?}");
        });
    }
}

/// A provider at the level of bytes as the fallback.
async fn with_raw(cast: Cast, how: &str, fault: &str, reply: Reply) -> (Bench, Raw) {
    let raw = Raw::start(reply).await;
    let spec = Spec::new()
        .with("[timeouts]\nbetween_tokens = \"5s\"\n[retry]\nmax_attempts = 3")
        .with(&format!(
            "[models.main]\nroutes = [{{ provider = \"primary\", model = \"{fault}\" }}]\n\
             fallbacks = [\"spare\"]\nstream_recovery = \"{how}\"\n\
             [models.spare]\nroutes = [{{ provider = \"spare\" }}]\n\
             [providers.spare]\nbase_url = \"http://{}/v1\"\ndialect = \"{}\"",
            raw.address,
            cast.spare.dialect()
        ))
        .stand_in_of(cast.primary, "primary", PACED);
    (Bench::start(&spec.text(), None).await, raw)
}

/// The events of a stream with these pieces of text; whole, unless it is to break off.
fn events(tongue: Tongue, pieces: &[&str], whole: bool) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    match tongue {
        OpenAi => {
            let chunk = |choices: Value| {
                let chunk = json!({"id": "x", "object": "chat.completion.chunk", "created": 1,
                    "model": "raw", "choices": choices});
                format!("data: {chunk}\n\n").into_bytes()
            };
            for piece in pieces {
                all.push(chunk(json!([{"index": 0, "delta": {"content": piece}}])));
            }
            if whole {
                all.push(chunk(
                    json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
                ));
                all.push(b"data: [DONE]\n\n".to_vec());
            }
        }
        Anthropic => {
            let mut event = |data: Value| {
                let name = data["type"].as_str().unwrap();
                all.push(format!("event: {name}\ndata: {data}\n\n").into_bytes());
            };
            event(
                json!({"type": "message_start", "message": {"id": "x", "type": "message",
                "role": "assistant", "model": "raw", "content": [],
                "usage": {"input_tokens": 9, "output_tokens": 1}}}),
            );
            event(json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": ""}}));
            for piece in pieces {
                event(json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "text_delta", "text": piece}}));
            }
            if whole {
                event(json!({"type": "content_block_stop", "index": 0}));
                event(
                    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": pieces.len()}}),
                );
                event(json!({"type": "message_stop"}));
            }
        }
    }
    all
}

fn reply(tongue: Tongue, pieces: &[&str]) -> Reply {
    let all = events(tongue, pieces, true);
    let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    Reply::stream(&all, ms(10))
}

/// Another answer than the one that the client has the beginning of: an error, and nobody's fault.
#[test]
fn another_answer_is_not_joined() {
    let same = words(39);
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        for pieces in [&["Quite", " another"][..], &[&same, " w_40 w41"]] {
            if *how == "continue" && pieces[0] == "Quite" {
                // What goes on in other words is a continuation.
                continue;
            }
            paused(|| async {
                let reply = reply(cast.spare, pieces);
                let (bench, raw) = with_raw(cast, how, "s08", reply).await;
                let answer = cast.ask(&bench, Mode::Stream, "other").await;
                let error = assert_broken_off(&answer);
                assert_eq!(kind(cast.client, &error), told(cast.client).0);
                assert_eq!(answer.content(), words(40));
                assert_eq!(raw.heard().len(), 1, "{how} {cast:?} {pieces:?}");
                assert_eq!(outcomes(&bench, "spare/"), [("canceled", 1)].into());
                assert_eq!(bench.in_flight(), 0);
            });
        }
    }
}

/// A route that goes on says only what is new, and its usage is added to what was said before.
#[test]
fn a_route_that_goes_on_is_joined() {
    let rest: Vec<String> = (41..=60).map(|number| format!(" w{number}")).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    for cast in Cast::ALL {
        paused(|| async {
            let reply = reply(cast.spare, &rest);
            let (bench, _raw) = with_raw(cast, "continue", "s08", reply).await;
            let answer = cast.ask(&bench, Mode::Stream, "on").await;
            assert_complete(&answer, "s08");
            if cast.spare == Anthropic {
                assert_usage(&answer);
            }
        });
    }
}

/// A text that is shorter than what the client has is no answer to it; nor is a refusal.
#[test]
fn a_shorter_answer_is_not_joined() {
    for cast in Cast::ALL {
        paused(|| async {
            let reply = reply(cast.spare, &["w1 w2"]);
            let (bench, _raw) = with_raw(cast, "restart", "s08", reply).await;
            let answer = cast.ask(&bench, Mode::Stream, "short").await;
            assert_broken_off(&answer);
        });
    }
}

/// What asks for JSON is not gone on from, since a model that is held to JSON would begin a new object.
#[test]
fn json_is_begun_anew() {
    for cast in [Cast::SAME[0], Cast::ALL[2]] {
        bench(&Scene::new(cast, "continue", "s08").spec(), async |bench| {
            let mut body = chat("main", Mode::Stream);
            body["response_format"] = json!({"type": "json_schema", "json_schema":
                {"name": "a", "schema": {"type": "object"}}});
            let answer = bench.chat(&body).await;
            assert_complete(&answer, "s08");
            let sent = self::body(&bench.seen("spare")[0]);
            let messages = sent["messages"].as_array().unwrap();
            assert!(
                messages.iter().all(|it| it["role"] != "assistant"),
                "{sent}"
            );
        });
    }
}

/// A request of which a part would be lost on the way through another form keeps its bytes, and has no recovery.
#[test]
fn what_cannot_be_rewritten_passes_as_it_is() {
    bench(
        &Scene::new(Cast::SAME[0], "restart", "s08").spec(),
        async |bench| {
            let mut body = chat("main", Mode::Stream);
            body["logprobs"] = true.into();
            let answer = bench.chat(&body).await;
            assert_broken_off(&answer);
            assert!(answer.text().contains("system_fingerprint"), "{answer:?}");
            assert_eq!(bench.seen("spare").len(), 0);
        },
    );
}

/// Asks an Anthropic provider to think first.
async fn think(bench: &Bench, client: Tongue) -> Answer {
    let mut body = chat("main", Mode::Stream);
    match client {
        OpenAi => {
            body["reasoning_effort"] = "high".into();
            bench.chat(&body).await
        }
        Anthropic => {
            body.as_object_mut().unwrap().remove("stream_options");
            body["max_tokens"] = 4_000.into();
            body["thinking"] = json!({"type": "enabled", "budget_tokens": 2_000});
            bench.call(&Call::message(&body)).await
        }
    }
}

/// A thought that is finished and signed stays; the words that it lacks may be another's.
#[test]
fn a_finished_thought_is_taken_up() {
    for (how, cast) in HOW.iter().flat_map(|how| Cast::ALL.map(|cast| (how, cast))) {
        if cast.primary != Anthropic {
            continue;
        }
        for fault in ["fault-cut-0", "fault-cut-40"] {
            bench(&Scene::new(cast, how, fault).spec(), async |bench| {
                let answer = think(&bench, cast.client).await;
                assert_complete(&answer, fault);
                let thoughts = answer.text().matches("\" me\"").count();
                assert_eq!(thoughts, 1, "one thought: {answer:?}");
                assert_eq!(bench.seen("spare").len(), 1, "{how} {cast:?} {fault}");
            });
        }
    }
}

/// The beginning of a thought, and the stream breaks off.
fn half_a_thought() -> Vec<Vec<u8>> {
    let mut all = events(Anthropic, &[], false);
    all.pop();
    for data in [
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "Let"}}),
    ] {
        let name = data["type"].as_str().unwrap();
        all.push(format!("event: {name}\ndata: {data}\n\n").into_bytes());
    }
    all
}

/// Half a thought lacks its signature: a client that sends thoughts back would be refused with it, so it is told;
/// a client that only shows thoughts gets its words.
#[test]
fn half_a_thought_is_taken_up_only_where_it_does_no_harm() {
    for how in HOW {
        for client in [OpenAi, Anthropic] {
            paused(|| async {
                let all = half_a_thought();
                let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
                let raw = Raw::start(Reply::stream(&all, ms(10))).await;
                let spec = Spec::new()
                    .with("[retry]\nmax_attempts = 3")
                    .with(&format!(
                        "[models.main]\nroutes = [{{ provider = \"primary\" }}]\n\
                         fallbacks = [\"spare\"]\nstream_recovery = \"{how}\"\n\
                         [models.spare]\nroutes = [{{ provider = \"spare\" }}]\n\
                         [providers.primary]\nbase_url = \"http://{}/v1\"\ndialect = \"anthropic\"",
                        raw.address
                    ))
                    .stand_in_of(Anthropic, "spare", PACED);
                let bench = Bench::start(&spec.text(), None).await;
                let answer = think(&bench, client).await;
                match client {
                    OpenAi => assert_complete(&answer, "raw"),
                    Anthropic => {
                        assert_broken_off(&answer);
                        assert_eq!(bench.seen("spare").len(), 0);
                    }
                }
            });
        }
    }
}

/// Clients of the other dialects have one answer as well.
#[test]
fn other_clients_are_served_alike() {
    for (how, cast) in HOW
        .iter()
        .flat_map(|how| Cast::SAME.map(|cast| (how, cast)))
    {
        bench(&Scene::new(cast, how, "s08").spec(), async |bench| {
            let body = json!({"model": "main", "input": "Tell me sixty words.", "stream": true});
            let call = Call::post("/v1/responses", body.to_string());
            let answer = bench.call(&call).await;
            assert_eq!(answer.ended, Ended::Whole, "{answer:?}");
            let all: Vec<Value> = answer.events().iter().filter_map(|it| it.json()).collect();
            let of = |kind: &str| {
                all.iter()
                    .filter(|it| it["type"] == kind)
                    .collect::<Vec<_>>()
            };
            assert_eq!(of("response.created").len(), 1);
            let deltas = of("response.output_text.delta");
            let text: String = deltas
                .iter()
                .filter_map(|it| it["delta"].as_str())
                .collect();
            assert_eq!(text, words(WORDS));
            let last = &of("response.completed")[0]["response"];
            assert_eq!(last["output"][0]["content"][0]["text"], words(WORDS));
            assert_eq!(last["usage"]["output_tokens"], WORDS);
            let numbers: Vec<_> = all
                .iter()
                .map(|it| it["sequence_number"].as_u64())
                .collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            assert_eq!(bench.mock.attempts().len(), 2);
        });
        bench(&Scene::new(cast, how, "s08").spec(), async |bench| {
            let body = json!({"contents": [{"role": "user", "parts": [{"text": "Sixty words."}]}]});
            let path = "/v1beta/models/main:streamGenerateContent";
            let call = Call::post(&format!("{path}?alt=sse"), body.to_string());
            let answer = bench.call(&call).await;
            assert_eq!(answer.ended, Ended::Whole, "{answer:?}");
            let all = answer.text();
            let all = all.lines().filter_map(|line| line.strip_prefix("data: "));
            let text = |data: &str| {
                let it: Value = serde_json::from_str(data).unwrap();
                let text = &it["candidates"][0]["content"]["parts"][0]["text"];
                text.as_str().unwrap_or_default().to_owned()
            };
            assert_eq!(all.map(text).collect::<String>(), words(WORDS));
            // A list that has begun cannot be begun again.
            let listed = bench.call(&Call::post(path, body.to_string())).await;
            assert_ne!(listed.ended, Ended::Whole, "{listed:?}");
        });
    }
}
