//! Counts of tokens: every client on every provider, what the providers saw of it, and what is told where none can count.

use serde_json::{Value, json};

use crate::support::{Answer, Bench, Call, Spec, bench};

use super::{PROVIDERS, Provider, alone};

/// A client that asks for a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    Anthropic,
    OpenAi,
    Gemini,
}

/// How a count of this client's is asked of each provider that counts, besides the mark that its body bears.
const PATHS: [(&str, &str, &str); 3] = [
    ("anthropic", "/anthropic/v1/messages/count_tokens", ""),
    (
        "gemini",
        "/gemini/v1beta/models/gemini-2.5-flash:countTokens",
        "generateContentRequest",
    ),
    (
        "bedrock",
        "/bedrock/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/count-tokens",
        "converse",
    ),
];

impl Counter {
    const ALL: [Self; 3] = [Self::Anthropic, Self::OpenAi, Self::Gemini];

    /// Whether the provider is asked in this client's own words.
    fn is_own(self, provider: &str) -> bool {
        match self {
            Self::Anthropic => provider == "anthropic",
            Self::OpenAi => provider == "openai",
            Self::Gemini => provider == "gemini",
        }
    }

    fn body(self, model: &str) -> Value {
        match self {
            Self::Anthropic => json!({"model": model, "system": "be kind",
                "messages": [{"role": "user", "content": "hello there"}],
                "tools": [{"name": "find", "input_schema": {"type": "object"}}]}),
            Self::OpenAi => {
                json!({"model": model, "instructions": "be kind", "input": "hello there",
                "tools": [{"type": "function", "name": "find", "parameters": {"type": "object"}}]})
            }
            Self::Gemini => {
                json!({"contents": [{"role": "user", "parts": [{"text": "be kind hello there"}]}]})
            }
        }
    }

    fn call(self, model: &str, body: &Value) -> Call {
        let path = match self {
            Self::Anthropic => "/anthropic/v1/messages/count_tokens".to_owned(),
            Self::OpenAi => "/v1/responses/input_tokens".to_owned(),
            Self::Gemini => format!("/genai/v1beta/models/{model}:countTokens"),
        };
        let call = Call::post(&path, body.to_string());
        match self {
            Self::Anthropic => call.header("anthropic-version", "2023-06-01"),
            _ => call,
        }
    }

    async fn ask(self, bench: &Bench) -> Answer {
        bench.call(&self.call("main", &self.body("main"))).await
    }

    fn tokens(self, answer: &Answer) -> u64 {
        let json = answer.json();
        let tokens = match self {
            Self::Anthropic => &json["input_tokens"],
            Self::OpenAi => {
                assert_eq!(json["object"], "response.input_tokens", "{answer:?}");
                &json["input_tokens"]
            }
            Self::Gemini => &json["totalTokens"],
        };
        tokens.as_u64().unwrap_or_else(|| panic!("{answer:?}"))
    }
}

/// OpenAI's own, which counts.
fn full_openai() -> Spec {
    Spec::new()
        .stand_in("openai", "")
        .with("[models.main]\nroutes = [{ provider = \"openai\", model = \"gpt-4o\" }]")
}

#[test]
fn every_client_is_counted_by_every_provider_that_counts() {
    let mut cases = vec![(
        full_openai(),
        "openai",
        "/openai/v1/responses/input_tokens",
        "",
    )];
    for (name, path, mark) in PATHS {
        let provider = PROVIDERS.iter().find(|it| it.name == name).unwrap();
        cases.push((alone(provider, provider.model), name, path, mark));
    }
    for (spec, name, path, mark) in cases {
        bench(&spec, async |bench| {
            for client in Counter::ALL {
                let answer = client.ask(&bench).await;
                let case = format!("{client:?} on {name}: {answer:?}");
                assert_eq!(answer.status, 200, "{case}");
                assert_eq!(answer.header("x-trimtab-estimated"), None, "{case}");
                assert!(
                    answer
                        .header("x-trimtab-route")
                        .is_some_and(|it| it.starts_with(name)),
                    "{case}"
                );
                let seen = bench.seen(name).pop().unwrap();
                assert_eq!(
                    client.tokens(&answer),
                    u64::from(seen.input_tokens),
                    "{case}"
                );
                assert!(seen.input_tokens >= 4, "{case}");
                let received = seen.received.unwrap();
                assert_eq!(&*received.target, path, "{case}");
                let body = String::from_utf8_lossy(&received.body).into_owned();
                if client.is_own(name) {
                    let model = ["gpt-4o", "claude-sonnet-4-5"][usize::from(name == "anthropic")];
                    assert_eq!(body, client.body(model).to_string(), "{case}");
                } else {
                    assert!(body.contains(mark), "{body}: {case}");
                }
            }
        });
    }
}

#[test]
fn where_nobody_counts_an_estimate_is_told_as_one() {
    let cohere = PROVIDERS.iter().find(|it| it.name == "cohere").unwrap();
    for provider in [&PROVIDERS[0], cohere] {
        bench(&alone(provider, provider.model), async |bench| {
            for client in Counter::ALL {
                let answer = client.ask(&bench).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(answer.header("x-trimtab-estimated"), Some("1"));
                assert_eq!(answer.header("x-trimtab-route"), None, "{answer:?}");
                assert_eq!(answer.header("x-trimtab-attempts"), Some("0"));
                let tokens = client.tokens(&answer);
                assert!((8..=30).contains(&tokens), "{tokens}: {answer:?}");
            }
            assert!(bench.seen(provider.name).is_empty());
            let metrics = bench.metrics().await;
            assert!(metrics.sum("router_requests_total", &[]) >= 3.0);
        });
    }
}

/// A provider that fails or does not know the endpoint costs a count its exactness, and nobody anything else.
#[test]
fn a_count_that_fails_is_estimated_and_hurts_no_route() {
    let counts = PROVIDERS
        .iter()
        .filter(|it| matches!(it.name, "anthropic" | "gemini" | "bedrock"));
    for provider in counts {
        let spec = faulty(provider, "503");
        bench(&spec, async |bench| {
            for client in Counter::ALL {
                let answer = client.ask(&bench).await;
                let case = format!("{client:?} on {}: {answer:?}", provider.name);
                assert_eq!(answer.status, 200, "{case}");
                assert_eq!(answer.header("x-trimtab-estimated"), Some("1"), "{case}");
                assert_eq!(answer.header("x-trimtab-attempts"), Some("1"), "{case}");
            }
        });
    }
    let unknown = Spec::new()
        .stand_in("openai", "models = [\"other\"]")
        .with("[models.main]\nroutes = [{ provider = \"openai\", model = \"gpt-4o\" }]");
    bench(&unknown, async |bench| {
        for client in Counter::ALL {
            let answer = client.ask(&bench).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("x-trimtab-estimated"), Some("1"));
        }
        // The stand-in's 404 would hold the route if a conversation had met it.
        assert_eq!(bench.seen("openai").len(), Counter::ALL.len());
        assert_eq!(bench.route("openai").state.name(), "healthy");
    });
}

/// A provider's limit of counts is not that of its model: neither its refusal nor its figures touch the route.
#[test]
fn a_limit_of_counts_is_no_limit_of_the_route() {
    let anthropic = &PROVIDERS[2];
    bench(&alone(anthropic, "fault-429-after-30"), async |bench| {
        for _ in 0..3 {
            for client in Counter::ALL {
                let answer = client.ask(&bench).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(answer.header("x-trimtab-estimated"), Some("1"));
            }
        }
        // A route that was told to wait would not have been asked again.
        assert_eq!(bench.seen("anthropic").len(), 3 * Counter::ALL.len());
    });
}

/// The provider with a fault on every request.
fn faulty(provider: &Provider, kind: &str) -> Spec {
    let fault = format!("faults = [{{ kind = \"{kind}\", from = \"0s\", until = \"1h\" }}]");
    let name = provider.name;
    Spec::new().with(&provider.tables()).with(&fault).with(&format!(
        "[retry]\nmax_attempts = 1\n[models.main]\nroutes = [{{ provider = \"{name}\", model = \"{}\" }}]",
        provider.model
    ))
}

/// What is wrong with a question is told by whoever is asked in these words, and by the gateway where nobody is.
#[test]
fn a_wrong_question_is_refused_in_the_clients_words() {
    let anthropic = &PROVIDERS[2];
    for provider in [anthropic, &PROVIDERS[3], &PROVIDERS[0]] {
        bench(&alone(provider, provider.model), async |bench| {
            let client = Counter::Anthropic;
            let mut body = client.body("main");
            body["messages"] = 7.into();
            let answer = bench.call(&client.call("main", &body)).await;
            if provider.name == "anthropic" {
                // The provider's own affair.
                assert!(answer.status >= 400, "{answer:?}");
                return;
            }
            assert_eq!(answer.status, 400, "{}: {answer:?}", provider.name);
            assert_eq!(answer.json()["type"], "error", "{answer:?}");
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
            assert!(bench.seen(provider.name).is_empty());
        });
    }
    bench(&alone(anthropic, anthropic.model), async |bench| {
        let client = Counter::Anthropic;
        let mut body = client.body("main");
        body["max_tokens"] = 7.into();
        let answer = bench.call(&client.call("main", &body)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains("max_tokens: Extra inputs"));
        let answer = bench.call(&client.call("none", &client.body("none"))).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(answer.json()["error"]["type"], "not_found_error");
    });
}

/// Of a model's routes those that count are asked, whatever the weights of the others.
#[test]
fn routes_that_cannot_count_are_passed_over() {
    let (plain, anthropic) = (&PROVIDERS[0], &PROVIDERS[2]);
    let spec = Spec::new()
        .with(&plain.tables())
        .with(&anthropic.tables())
        .with("[models.main]\nroutes = [{ provider = \"openai\", model = \"gpt-4o\", weight = 1000000.0 }, { provider = \"anthropic\", model = \"claude-sonnet-4-5\" }]");
    bench(&spec, async |bench| {
        for client in Counter::ALL {
            let answer = client.ask(&bench).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("x-trimtab-estimated"), None, "{answer:?}");
        }
        assert_eq!(bench.seen("anthropic").len(), Counter::ALL.len());
        assert!(bench.seen("openai").is_empty());
    });
}

/// Google's cloud counts for both makers' models, each at its own path.
#[test]
fn googles_cloud_counts_for_both_makers() {
    for (model, path, mark) in [
        (
            "claude-sonnet-4-5",
            "/vertex/v1/projects/mock/locations/mock/publishers/anthropic/models/count-tokens:rawPredict",
            "\"model\":\"claude-sonnet-4-5\"",
        ),
        (
            "gemini-2.5-flash",
            "/vertex/v1/projects/mock/locations/mock/publishers/google/models/gemini-2.5-flash:countTokens",
            "\"contents\":[",
        ),
    ] {
        let spec = Spec::new().with(&format!(
            "[providers.vertex]\ndialect = \"vertex\"\nbase_url = \"mock\"\nkeys = [{{ name = \"key\", secret = \"ya29.x\" }}]\n\
             [mock.providers.vertex]\n[models.main]\nroutes = [{{ provider = \"vertex\", model = \"{model}\" }}]"
        ));
        bench(&spec, async |bench| {
            for client in Counter::ALL {
                let answer = client.ask(&bench).await;
                assert_eq!(answer.status, 200, "{client:?}: {answer:?}");
                assert_eq!(answer.header("x-trimtab-estimated"), None, "{answer:?}");
                let seen = bench.seen("vertex").pop().unwrap().received.unwrap();
                assert_eq!(&*seen.target, path);
                let body = String::from_utf8_lossy(&seen.body).into_owned();
                assert!(body.contains(mark), "{body}");
                assert!(!body.contains("generateContentRequest"), "{body}");
            }
        });
    }
}

/// What a coding agent asks about its prompt before a turn is counted wherever its model is.
#[test]
fn an_agents_prompt_is_counted_everywhere() {
    let fixture = include_str!("../golden/anthropic/claude-code.json")
        .replace("EtQCCkYICxgCKkCq0mJ1r8s", "mockEqQBCkYIBhgCKkA");
    let whole: Value = serde_json::from_str(&fixture).unwrap();
    let mut body = json!({"model": "main"});
    for name in ["messages", "system", "tools", "thinking"] {
        body[name] = whole[name].clone();
    }
    let mut cases = vec![
        (full_openai(), "openai", None),
        (alone(&PROVIDERS[0], "m"), "", Some("1")),
    ];
    for provider in PROVIDERS
        .iter()
        .filter(|it| it.name != "openai" && it.name != "azure")
    {
        let estimated = (provider.name == "cohere").then_some("1");
        let name = if estimated.is_some() {
            ""
        } else {
            provider.name
        };
        cases.push((alone(provider, provider.model), name, estimated));
    }
    for (spec, name, estimated) in cases {
        bench(&spec, async |bench| {
            let call = Counter::Anthropic.call("main", &body).header(
                "anthropic-beta",
                "claude-code-20250219,context-1m-2025-08-07",
            );
            let answer = bench.call(&call).await;
            let case = format!("{name}: {answer:?}");
            assert_eq!(answer.status, 200, "{case}");
            assert_eq!(answer.header("x-trimtab-estimated"), estimated, "{case}");
            assert!(Counter::Anthropic.tokens(&answer) > 100, "{case}");
            if let Some(seen) = bench.seen(name).pop() {
                assert_eq!(
                    Counter::Anthropic.tokens(&answer),
                    u64::from(seen.input_tokens)
                );
            }
        });
    }
}
