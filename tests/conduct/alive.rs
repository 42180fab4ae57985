//! What a client hears while its answer is being made: a comment where it skips comments, nothing where it would not.

use serde_json::json;

use super::{Cast, PACED, secs, words};
use crate::support::{Call, Ended, Mode, Spec, bench};

/// Silent for 30 s after 20 tokens: a comment after 15 s, perhaps another with the next token, in every dialect whose clients skip them.
#[test]
fn a_silent_stream_is_kept_alive() {
    for cast in Cast::ALL {
        let clocks = "between_tokens = \"60s\"";
        bench(&cast.with_clocks("s09", clocks), async |bench| {
            let answer = cast.ask(&bench, Mode::Stream, "alive").await;
            assert_eq!(answer.ended, Ended::Whole);
            assert_eq!(answer.content(), words(60));
            assert!((1..=2).contains(&answer.comments()), "{answer:?}");
            let calm = cast.ask_for(&bench, "spare", Mode::Stream, "calm").await;
            assert_eq!(calm.comments(), 0);
        });
    }
}

fn one_provider() -> Spec {
    Spec::new()
        .with("[timeouts]\nbetween_tokens = \"60s\"")
        .with("[models.main]\nroutes = [{ provider = \"primary\", model = \"s09\" }]")
        .stand_in("primary", PACED)
}

#[test]
fn responses_are_kept_alive() {
    bench(&one_provider(), async |bench| {
        let body = json!({"model": "main", "input": "Tell me sixty words.", "stream": true});
        let answer = bench
            .call(&Call::post("/v1/responses", body.to_string()))
            .await;
        assert_eq!(answer.ended, Ended::Whole, "{answer:?}");
        assert!(answer.took >= secs(30));
        assert!((1..=2).contains(&answer.comments()), "{answer:?}");
    });
}

/// Google's SDK takes whatever it reads for JSON.
#[test]
fn geminis_clients_get_no_comment() {
    for query in ["?alt=sse", ""] {
        bench(&one_provider(), async |bench| {
            let path = format!("/v1beta/models/main:streamGenerateContent{query}");
            let body = json!({"contents": [{"role": "user", "parts": [{"text": "Sixty words."}]}]});
            let answer = bench.call(&Call::post(&path, body.to_string())).await;
            assert_eq!(answer.ended, Ended::Whole, "{answer:?}");
            assert!(answer.took >= secs(30));
            assert!(!answer.text().contains("keep-alive"), "{answer:?}");
        });
    }
}
