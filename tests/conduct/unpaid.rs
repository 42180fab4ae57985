//! A bill that the operator has not paid is told alike to every client, whoever sent it, and nobody is made to ask again.

use serde_json::{Value, json};

use crate::support::{Answer, Bench, Call, Mode, Spec, bench, chat};

/// The dialects of providers, as a configuration names them.
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gemini"];

/// Words of the client's own dialect: where the error is, and what kind it is.
struct Client {
    name: &'static str,
    ask: fn(&str, Mode) -> Call,
    /// Where the kind of an error stands, and what it is.
    kind: (&'static str, &'static str),
}

const CLIENTS: [Client; 4] = [
    Client {
        name: "chat",
        ask: |model, mode| Call::chat(&chat(model, mode)),
        kind: ("/error/code", "insufficient_quota"),
    },
    Client {
        name: "responses",
        ask: |model, mode| {
            let body = json!({"model": model, "input": "Tell.", "stream": mode == Mode::Stream});
            Call::post("/v1/responses", body.to_string())
        },
        kind: ("/error/code", "insufficient_quota"),
    },
    Client {
        name: "messages",
        ask: |model, mode| {
            let mut body = json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Tell."}]});
            body["stream"] = (mode == Mode::Stream).into();
            Call::message(&body)
        },
        kind: ("/error/type", "billing_error"),
    },
    Client {
        name: "gemini",
        ask: |model, mode| {
            let verb = match mode {
                Mode::Whole => "generateContent",
                Mode::Stream => "streamGenerateContent?alt=sse",
            };
            let body = json!({"contents": [{"role": "user", "parts": [{"text": "Tell."}]}]});
            Call::post(&format!("/v1beta/models/{model}:{verb}"), body.to_string())
        },
        kind: ("/error/status", "RESOURCE_EXHAUSTED"),
    },
];

/// A stand-in of a dialect, and the routes of `main`.
fn spec(dialect: &str, routes: &str) -> Spec {
    Spec::new().with(&format!(
        "[models.main]\nroutes = [{routes}]\n\
         [providers.alpha]\nbase_url = \"mock\"\ndialect = \"{dialect}\"\nkeys = [{{ name = \"key\", secret = \"sk-alpha-0123\" }}]\n\
         [mock.providers.alpha]"
    ))
}

async fn asked(bench: &Bench, client: &Client, mode: Mode) -> (Answer, Value) {
    let answer = bench.call(&(client.ask)("main", mode)).await;
    let error = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer, error)
}

#[test]
fn every_client_hears_the_same_of_an_unpaid_bill() {
    for dialect in PROVIDERS {
        for client in &CLIENTS {
            for mode in Mode::BOTH {
                let routes = "{ provider = \"alpha\", model = \"fault-429-quota\" }";
                bench(&spec(dialect, routes), async |bench| {
                    // Once while the key is in use, and once while it is held.
                    for attempts in 1..=2 {
                        let (answer, error) = asked(&bench, client, mode).await;
                        let what = format!("{} to {dialect}: {answer:?}", client.name);
                        assert_eq!(answer.status, 429, "{what}");
                        assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
                        assert_eq!(answer.header("retry-after"), None, "{what}");
                        assert_eq!(answer.header("retry-after-ms"), None, "{what}");
                        let (place, kind) = client.kind;
                        assert_eq!(error.pointer(place), Some(&kind.into()), "{what}");
                        let message = error["error"]["message"].as_str().unwrap();
                        assert!(message.contains("no quota or credit left"), "{what}");
                        assert_eq!(bench.seen("alpha").len(), attempts, "{what}");
                    }
                });
            }
        }
    }
}

/// What may pass is told before what will not: a client that may succeed later is not sent away.
#[test]
fn an_unpaid_bill_hides_no_failure_that_passes() {
    for (fault, status) in [("503", 503), ("429", 429)] {
        for client in &CLIENTS {
            for order in 0..4 {
                let routes = format!(
                    "{{ provider = \"alpha\", model = \"fault-429-quota\", weight = {} }}, \
                     {{ provider = \"alpha\", model = \"fault-{fault}\", weight = {} }}",
                    1 + order,
                    4 - order
                );
                bench(&spec("openai", &routes), async |bench| {
                    let (answer, error) = asked(&bench, client, Mode::Whole).await;
                    let what = format!("{}: {answer:?}", client.name);
                    assert_eq!(answer.status, status, "{what}");
                    assert_eq!(answer.header("x-should-retry"), Some("true"), "{what}");
                    let (place, kind) = client.kind;
                    if kind != "RESOURCE_EXHAUSTED" {
                        assert_ne!(error.pointer(place), Some(&kind.into()), "{what}");
                    }
                });
            }
        }
    }
}

/// Another route serves, and the client notices nothing.
#[test]
fn another_route_pays() {
    for dialect in PROVIDERS {
        let routes = "{ provider = \"alpha\", model = \"fault-429-quota\", weight = 1000 }, { provider = \"alpha\", model = \"fine\" }";
        bench(&spec(dialect, routes), async |bench| {
            for client in &CLIENTS {
                let (answer, _) = asked(&bench, client, Mode::Whole).await;
                assert_eq!(answer.status, 200, "{}: {answer:?}", client.name);
            }
        });
    }
}
