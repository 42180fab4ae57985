//! Every client on every provider, whole and streamed, and what the providers saw of it.

mod asked;
mod cloud;
mod counting;
mod turns;
mod verbatim;

use serde_json::{Value, json};

use crate::support::{Call, Ended, Mode, Spec, bench, words};
use asked::Client;

/// Words of an answer.
const WORDS: u32 = 12;

/// A provider's name, dialect, further lines, model, and what its requests' targets and keys look like.
struct Provider {
    name: &'static str,
    lines: &'static str,
    model: &'static str,
    key: &'static str,
    target: [&'static str; 2],
    credential: &'static str,
}

const PROVIDERS: [Provider; 6] = [
    Provider {
        name: "openai",
        lines: "responses = false",
        model: "gpt-4o",
        key: "sk-o",
        target: ["/openai/v1/chat/completions"; 2],
        credential: "authorization: Bearer sk-o",
    },
    Provider {
        name: "azure",
        lines: "api_version = \"2024-10-21\"",
        model: "dep",
        key: "az",
        target: ["/azure/openai/deployments/dep/chat/completions?api-version=2024-10-21"; 2],
        credential: "api-key: az",
    },
    Provider {
        name: "anthropic",
        lines: "",
        model: "claude-sonnet-4-5",
        key: "sk-ant-1",
        target: ["/anthropic/v1/messages"; 2],
        credential: "x-api-key: sk-ant-1",
    },
    Provider {
        name: "gemini",
        lines: "",
        model: "gemini-2.5-flash",
        key: "g-1",
        target: [
            "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
            "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ],
        credential: "x-goog-api-key: g-1",
    },
    Provider {
        name: "bedrock",
        lines: "region = \"eu-west-1\"",
        model: "anthropic.claude-3-5-sonnet-20241022-v2:0",
        key: "AKIA0123456789ABCDEF:secret",
        target: [
            "/bedrock/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
            "/bedrock/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse-stream",
        ],
        credential: "authorization: AWS4-HMAC-SHA256 Credential=AKIA0123456789ABCDEF/",
    },
    Provider {
        name: "cohere",
        lines: "",
        model: "command-r",
        key: "co-1",
        target: ["/cohere/v2/chat"; 2],
        credential: "authorization: Bearer co-1",
    },
];

impl Provider {
    /// The table of the provider and of its stand-in.
    fn tables(&self) -> String {
        let Self {
            name, lines, key, ..
        } = self;
        format!(
            "[providers.{name}]\ndialect = \"{name}\"\nbase_url = \"mock\"\n{lines}\n\
             keys = [{{ name = \"key\", secret = \"{key}\" }}]\n\
             [mock.providers.{name}]\nttft = \"50ms\"\ntpot = \"5ms\"\nanswer = {WORDS}"
        )
    }
}

/// A model of one provider, asked as `model`.
fn alone(provider: &Provider, model: &str) -> Spec {
    let name = provider.name;
    Spec::new().with(&provider.tables()).with(&format!(
        "[retry]\nmax_attempts = 1\n[models.main]\nroutes = [{{ provider = \"{name}\", model = \"{model}\" }}]"
    ))
}

#[test]
fn every_client_is_served_by_every_provider() {
    for provider in &PROVIDERS {
        bench(&alone(provider, provider.model), async |bench| {
            for client in Client::ALL {
                for mode in Mode::BOTH {
                    let answer = bench.call(&client.ask("main", mode)).await;
                    let case = format!("{client:?} on {} {mode:?}: {answer:?}", provider.name);
                    assert_eq!(answer.status, 200, "{case}");
                    assert_eq!(answer.ended, Ended::Whole, "{case}");
                    assert_eq!(answer.is_stream(), mode == Mode::Stream, "{case}");
                    assert_eq!(client.words(&answer), words(WORDS), "{case}");
                    assert!(client.is_complete(&answer), "{case}");
                    let seen = bench.seen(provider.name).pop().unwrap();
                    let told = (seen.input_tokens.into(), u64::from(WORDS));
                    assert_eq!(client.usage(&answer), told, "{case}");
                    assert_eq!(seen.stream, mode == Mode::Stream, "{case}");
                    let received = seen.received.unwrap();
                    let target = provider.target[usize::from(mode == Mode::Stream)];
                    assert_eq!(&*received.target, target, "{case}");
                    let (name, value) = provider.credential.split_once(": ").unwrap();
                    let credential = received.headers[name].to_str().unwrap();
                    assert!(credential.starts_with(value), "{credential}: {case}");
                    let body = String::from_utf8_lossy(&received.body).into_owned();
                    assert!(
                        body.contains("be kind") && body.contains("hello there"),
                        "{body}"
                    );
                }
            }
        });
    }
}

/// Errors that a provider tells reach a client in its own words, with one status for one failure.
#[test]
fn failures_are_told_in_the_clients_words() {
    let faults = [
        ("fault-429", 429, ["rate", "RESOURCE_EXHAUSTED", "requests"]),
        ("fault-500", 502, ["api_error", "INTERNAL", "server_error"]),
        (
            "fault-context-length",
            400,
            [
                "invalid_request_error",
                "INVALID_ARGUMENT",
                "invalid_request_error",
            ],
        ),
        ("fault-html", 502, ["api_error", "INTERNAL", "server_error"]),
        (
            "fault-truncated-json",
            502,
            ["api_error", "INTERNAL", "server_error"],
        ),
    ];
    for provider in &PROVIDERS {
        for (fault, status, kinds) in faults {
            bench(&alone(provider, fault), async |bench| {
                for client in Client::ALL {
                    let answer = bench.call(&client.ask("main", Mode::Whole)).await;
                    let case = format!("{fault}: {client:?} on {}: {answer:?}", provider.name);
                    if answer.status == 404 {
                        // Bedrock knows models by their names only.
                        continue;
                    }
                    // In its own words a provider's 500 is passed on as it is.
                    let own = status == 502 && answer.status == 500;
                    assert!(own || answer.status == status, "{case}");
                    let (kind, message) = client.error(&answer);
                    let known = kinds.iter().any(|known| kind.contains(known));
                    // Azure's own errors have a code and no type.
                    assert!(known || provider.name == "azure", "{kind}: {case}");
                    assert!(!message.is_empty(), "{case}");
                    for secret in [provider.key, "127.0.0.1", "<html>"] {
                        assert!(!answer.text().contains(secret), "{secret}: {case}");
                    }
                }
            });
        }
    }
}

/// A model's routes may mix dialects: one that is down is left for another within the request.
#[test]
fn fail_over_crosses_vendors() {
    for (down, up) in [(2, 0), (0, 2), (3, 2), (4, 3)] {
        let (down, up) = (&PROVIDERS[down], &PROVIDERS[up]);
        let spec = Spec::new()
            .with(&down.tables())
            .with("faults = [{ kind = \"503\", from = \"0s\", until = \"1h\" }]")
            .with(&up.tables())
            .with(&format!(
                "[models.main]\nroutes = [{{ provider = \"{}\", model = \"{}\", weight = 1000000.0 }}, {{ provider = \"{}\", model = \"{}\" }}]",
                down.name, down.model, up.name, up.model
            ));
        bench(&spec, async |bench| {
            for client in Client::ALL {
                for mode in Mode::BOTH {
                    let answer = bench.call(&client.ask("main", mode)).await;
                    assert_eq!(answer.status, 200, "{client:?} {mode:?}: {answer:?}");
                    assert_eq!(client.words(&answer), words(WORDS), "{client:?} {mode:?}");
                }
            }
            assert!(!bench.seen(down.name).is_empty());
            assert_eq!(bench.seen(up.name).len(), 2 * Client::ALL.len());
        });
    }
}

/// What a provider's dialect cannot say is named, and a route that cannot say what matters is passed over.
#[test]
fn what_cannot_be_said_is_told() {
    let (openai, anthropic) = (&PROVIDERS[0], &PROVIDERS[2]);
    bench(&alone(anthropic, anthropic.model), async |bench| {
        let mut body =
            json!({"model": "main", "seed": 7, "messages": [{"role": "user", "content": "hi"}]});
        let answer = bench.chat(&body).await;
        assert_eq!(
            answer.header("x-trimtab-dropped"),
            Some("seed"),
            "{answer:?}"
        );
        body["n"] = 2.into();
        let answer = bench.chat(&body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains('n'), "{answer:?}");
        assert_eq!(bench.seen("anthropic").len(), 1);
    });
    let both = Spec::new()
        .with(&openai.tables())
        .with(&anthropic.tables())
        .with("[models.main]\nroutes = [{ provider = \"openai\", model = \"gpt-4o\" }, { provider = \"anthropic\", model = \"claude-sonnet-4-5\", weight = 1000000.0 }]");
    bench(&both, async |bench| {
        let body =
            json!({"model": "main", "n": 2, "messages": [{"role": "user", "content": "hi"}]});
        let answer = bench.chat(&body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(bench.seen("anthropic").len(), 0);
    });
}

/// A response is read, continued and deleted where it was made, whichever account a draw would choose.
#[test]
fn responses_stay_with_their_account() {
    let spec = Spec::new().with(
        "[providers.a]\nbase_url = \"mock\"\nkeys = [{ name = \"k\", secret = \"sk-a\" }]\n\
         [providers.b]\nbase_url = \"mock\"\nkeys = [{ name = \"k\", secret = \"sk-b\" }]\n\
         [models.main]\nroutes = [{ provider = \"a\", model = \"gpt-4o\" }, { provider = \"b\", model = \"gpt-4o\" }]\n\
         [mock.providers.a]\n[mock.providers.b]",
    );
    bench(&spec, async |bench| {
        let mut made = Vec::new();
        // So many that both accounts are drawn but once in millions of runs.
        for number in 0..24 {
            let stream = number % 2 == 1;
            let body = json!({"model": "main", "input": "hi", "stream": stream});
            let answer = bench
                .call(&Call::post("/v1/responses", body.to_string()))
                .await;
            let values = asked::payloads(&answer);
            let id = |value: &Value| {
                let id = value["response"]["id"].as_str().or(value["id"].as_str());
                id.filter(|id| id.starts_with("resp_"))
                    .map(ToOwned::to_owned)
            };
            made.push(values.iter().find_map(id).unwrap());
        }
        for id in &made {
            let more = json!({"model": "main", "input": "go on", "previous_response_id": id});
            let answer = bench
                .call(&Call::post("/v1/responses", more.to_string()))
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let path = format!("/v1/responses/{id}");
            assert_eq!(bench.get(&path).await.json()["id"], id.as_str());
            let gone = bench.call(&Call::get(&path).method("DELETE")).await;
            assert_eq!(gone.status, 200, "{gone:?}");
            assert_eq!(bench.get(&path).await.status, 404);
        }
        let used = |name| bench.seen(name).len();
        assert!(used("a") > 4 && used("b") > 4, "both accounts were drawn");
    });
}

/// Codex asks for a WebSocket first, and falls back at once on this status only.
#[test]
fn a_websocket_is_declined_at_once() {
    bench(&alone(&PROVIDERS[0], "gpt-4o"), async |bench| {
        let call = Call::get("/v1/responses")
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        assert_eq!(bench.call(&call).await.status, 426);
    });
}
