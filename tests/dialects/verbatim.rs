//! Between two sides of one dialect, bytes are the client's and the provider's own.

use crate::support::{Call, Mode, bench};

use super::{PROVIDERS, alone};

/// A request of 50 kB as a coding agent sends it: odd spacing, escapes, number text, unknown fields.
fn agents_request(model: &str, mode: Mode) -> String {
    // A signature that the stand-in takes for its own.
    let fixture = include_str!("../golden/anthropic/claude-code.json")
        .replace("EtQCCkYICxgCKkCq0mJ1r8s", "mockEqQBCkYIBhgCKkA");
    let start = fixture.find("\"messages\"").unwrap();
    let (head, rest) = fixture.split_at(start);
    let head = head.replacen("\"claude-opus-5\"", &format!("{model:?}"), 1);
    assert!(head.contains(model));
    let head = match mode {
        Mode::Stream => head,
        Mode::Whole => head.replacen("\"stream\": true", "\"stream\" :  false", 1),
    };
    let padding = "caf\\u00e9 \\/ 2.50 1E3 ".repeat(2_300);
    format!("{head}\"x_unknown\" : {{ \"a\":1.0, \"b\" : 1E3, \"text\":\"{padding}\" }} ,\n {rest}")
}

#[test]
fn an_agents_request_is_changed_in_model_and_key_only() {
    let anthropic = &PROVIDERS[2];
    bench(&alone(anthropic, "claude-up"), async |bench| {
        for mode in Mode::BOTH {
            let body = agents_request("main", mode);
            assert!(body.len() > 50_000, "{}", body.len());
            let call = Call::post("/anthropic/v1/messages?beta=true", body)
                .header("authorization", "Bearer client")
                .header("anthropic-version", "2026-10-21")
                .header("anthropic-beta", "a-1,b-2")
                .header("x-claude-code-session-id", "s");
            let answer = bench.call(&call).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let seen = bench.seen("anthropic").pop().unwrap().received.unwrap();
            let expected = agents_request("claude-up", mode);
            assert!(seen.body == expected.as_bytes(), "the body was changed");
            assert_eq!(&*seen.target, "/anthropic/v1/messages?beta=true");
            assert_eq!(seen.headers["anthropic-version"], "2026-10-21");
            assert_eq!(seen.headers["anthropic-beta"], "a-1,b-2");
            assert_eq!(seen.headers["x-api-key"], anthropic.key);
            assert!(!seen.headers.contains_key("authorization"));
        }
    });
}

#[test]
fn gemini_and_responses_pass_unchanged() {
    let gemini = &PROVIDERS[3];
    bench(&alone(gemini, gemini.model), async |bench| {
        let body = "{ \"contents\" : [{\"role\":\"user\",\"parts\":[{\"text\":\"h\\u0069\"}]}], \"generationConfig\":{\"temperature\":1.0} }";
        let answer = bench
            .call(&Call::post("/v1/models/main:generateContent", body))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = bench.seen("gemini").pop().unwrap().received.unwrap();
        assert_eq!(seen.body, body);
    });
    let openai = crate::support::Spec::new()
        .stand_in("o", "")
        .with("[models.main]\nroutes = [{ provider = \"o\", model = \"up\" }]");
    bench(&openai, async |bench| {
        let body = |model: &str| {
            format!(
                "{{\"input\" : \"h\\u0069\",\n\"model\":\"{model}\",\"temperature\":1.0,\"metadata\":{{ }} }}"
            )
        };
        let answer = bench.call(&Call::post("/v1/responses", body("main"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = bench.seen("o").pop().unwrap().received.unwrap();
        assert_eq!(seen.body, body("up"));
    });
}
