//! What the ledger says was billed is what the answer's usage says, and what was made of an answer that was cut off.

use super::super::{Billed, End};
use super::*;

const HEADERS: [&str; 3] = [
    "authorization: Bearer sk-test-1234",
    "content-type: application/json",
    "anthropic-version: 2023-06-01",
];

impl Bench {
    /// What was billed for the last attempt.
    fn billed(&self) -> Billed {
        self.mock.attempts().last().unwrap().billed
    }
}

async fn post(bench: &Bench, path: &str, body: &Value) -> Got {
    let got = bench
        .call(&format!("POST /alpha/{path}"), &HEADERS, &body.to_string())
        .await;
    assert_eq!(got.status, 200, "{path}: {}", got.body);
    got
}

fn billed(input_tokens: u32, output_tokens: u32) -> Billed {
    Billed {
        input_tokens,
        output_tokens,
        ..Billed::default()
    }
}

#[test]
fn whole_answers_cost_what_their_usage_says() {
    bench(alpha(paced()), async |bench| {
        let words = "12345678";
        let turn = json!([{"role": "user", "content": words}]);
        let effort = json!({"effort": "low"});
        let texts = json!([{"role": "user", "parts": [{"text": words}]}]);
        // Path, body, where the usage is, and the names of input, output and reasoning in it; the reasoning is in the output or beside it.
        let cases = [
            (
                "v1/chat/completions",
                json!({"model": "m", "messages": turn}),
                "/usage",
                ["prompt_tokens", "completion_tokens", "-"],
            ),
            (
                "v1/messages",
                json!({"model": "m", "max_tokens": 2_000, "messages": turn, "thinking": {"type": "enabled", "budget_tokens": 1_024}}),
                "/usage",
                ["input_tokens", "output_tokens", "-"],
            ),
            (
                "v1/responses",
                json!({"model": "m", "input": words, "reasoning": effort}),
                "/usage",
                ["input_tokens", "output_tokens", "-"],
            ),
            (
                "v1beta/models/m:generateContent",
                json!({"contents": texts}),
                "/usageMetadata",
                [
                    "promptTokenCount",
                    "candidatesTokenCount",
                    "thoughtsTokenCount",
                ],
            ),
            (
                "v1/embeddings",
                json!({"model": "m", "input": words}),
                "/usage",
                ["prompt_tokens", "-", "-"],
            ),
        ];
        for (path, body, place, [input, output, beside]) in cases {
            let got = post(&bench, path, &body).await.json();
            let usage = got.pointer(place).unwrap();
            let count = |name: &str| usage[name].as_u64().unwrap_or(0);
            let billed = bench.billed();
            assert!(billed.input_tokens > 0, "{path}");
            assert_eq!(u64::from(billed.input_tokens), count(input), "{path}");
            assert_eq!(
                u64::from(billed.output_tokens),
                count(output) + count(beside),
                "{path}"
            );
            if path.ends_with("responses") {
                let told = &usage["output_tokens_details"]["reasoning_tokens"];
                assert!(billed.reasoning_tokens > 0);
                assert_eq!(json!(billed.reasoning_tokens), *told);
            }
        }
    });
}

#[test]
fn pictures_sound_and_searches_are_billed() {
    bench(alpha(paced()), async |bench| {
        let mut picture = json!({"model": "gpt-image-1", "prompt": "12345678", "n": 2});
        let usage = post(&bench, "v1/images/generations", &picture).await.json()["usage"].clone();
        let two = Billed {
            image_tokens: 2 * 1_056,
            images: 2,
            ..billed(2, 2 * 1_056)
        };
        assert_eq!(bench.billed(), two);
        assert_eq!(
            (&usage["input_tokens"], &usage["output_tokens"]),
            (&json!(2), &json!(2_112))
        );
        picture["stream"] = json!(true);
        post(&bench, "v1/images/generations", &picture).await;
        let one = Billed {
            image_tokens: 1_056,
            images: 1,
            ..billed(2, 1_056)
        };
        assert_eq!(bench.billed(), one);
        let old = json!({"model": "dall-e-3", "prompt": "x"});
        post(&bench, "v1/images/generations", &old).await;
        let by_picture = Billed {
            images: 1,
            ..Billed::default()
        };
        assert_eq!(bench.billed(), by_picture);
        let speech = json!({"model": "tts-1", "input": "12345678", "voice": "alloy"});
        post(&bench, "v1/audio/speech", &speech).await;
        assert_eq!(
            (bench.billed().characters, bench.billed().input_tokens),
            (8, 2)
        );
        let rank = json!({"model": "m", "query": "q", "documents": ["a", "b"]});
        let units = post(&bench, "v2/rerank", &rank).await.json();
        assert_eq!(
            units["meta"]["billed_units"]["search_units"],
            bench.billed().queries
        );
        assert_eq!(bench.billed().queries, 1);
    });
}

#[test]
fn what_is_refused_costs_nothing() {
    let script = ProviderScript {
        keys: vec!["sk-other".to_owned()],
        ..paced()
    };
    bench(alpha(script), async |bench| {
        let got = bench.chat(&chat("m", false)).await;
        assert_eq!(got.status, 401);
        assert_eq!(bench.billed(), Billed::default());
        assert!(bench.mock.attempts().remove(0).input_tokens > 0);
    });
}

#[test]
fn a_stream_costs_what_was_made_up_to_the_cut() {
    bench(alpha(paced()), async |bench| {
        let body = chat("m", true);
        let whole = bench.chat(&body).await;
        let all = whole.content().split(' ').count();
        assert_eq!(bench.billed(), billed(2, u32::try_from(all).unwrap()));
        let path = "/alpha/v1/chat/completions";
        let cut = bench
            .post_for(path, &body, Duration::from_millis(455))
            .await;
        assert_eq!(cut.ended, Ended::Hung);
        // The mock sees that its client is gone when it writes next.
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(bench.last().0, End::ClientLeft);
        let made = bench.billed();
        assert_eq!(made.input_tokens, 2);
        let attempts = bench.mock.attempts();
        let seen = attempts.last().unwrap().output_tokens;
        assert_eq!(made.output_tokens, seen);
        let heard = u32::try_from(cut.content().split(' ').count()).unwrap();
        assert!(
            heard > 0 && heard <= seen && (seen as usize) < all,
            "{heard} of {seen} of {all}"
        );
        let broken = bench.chat(&chat("fault-cut-3", true)).await;
        assert_ne!(broken.ended, Ended::Whole);
        assert_eq!(bench.billed(), billed(2, 3));
    });
}
