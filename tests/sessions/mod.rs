//! Sessions stay with the route that still keeps their prompts, and leave it when it is not well.

use serde_json::{Value, json};

use crate::support::{Answer, Bench, Call, Mode, Spec, bench, chat, pass_ms};

/// Characters of a prompt of about 20 000 tokens.
const LONG: usize = 80_000;

/// Routes of the model, all alike.
const ROUTES: [&str; 3] = ["a", "b", "c"];

/// A gateway before three equal routes; nothing is explored, so that every pick is a draw or a session's.
fn equals(script_of_a: &str) -> Spec {
    let plain = "ttft = \"200ms\"\ntpot = \"5ms\"\nanswer = 12";
    let routes = ROUTES.map(|name| format!("{{ provider = \"{name}\" }}"));
    Spec::new()
        .with("[scoring.draw]\nexplore = 0.0")
        .with(&format!("[models.main]\nroutes = [{}]", routes.join(", ")))
        .stand_in("a", &format!("{plain}\n{script_of_a}"))
        .stand_in("b", plain)
        .stand_in("c", plain)
}

fn long() -> Value {
    let mut body = chat("main", Mode::Stream);
    body["messages"] = json!([{"role": "user", "content": "x".repeat(LONG)}]);
    body
}

/// The provider that answered.
fn provider(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let route = answer.header("x-trimtab-route").unwrap();
    route.split('/').next().unwrap().to_owned()
}

async fn turn(bench: &Bench, name: &str) -> String {
    let call = Call::chat(&long()).header("x-session-affinity", name);
    provider(&bench.call(&call).await)
}

/// Serves a few requests of nobody's, so that every route is measured.
async fn warm_up(bench: &Bench) {
    for _ in 0..60 {
        provider(&bench.chat(&long()).await);
    }
}

/// How many different routes served.
fn different(mut routes: Vec<String>) -> usize {
    routes.sort();
    routes.dedup();
    routes.len()
}

#[test]
fn a_session_stays_and_sessions_spread() {
    bench(&equals(""), async |bench| {
        warm_up(&bench).await;
        let mut first = Vec::new();
        for session in 0..20 {
            let name = format!("session-{session}");
            let home = turn(&bench, &name).await;
            for number in 1..10 {
                assert_eq!(turn(&bench, &name).await, home, "{name}, turn {number}");
            }
            first.push(home);
        }
        assert_eq!(different(first.clone()), 3, "{first:?}");
        // Without a name, as before.
        let mut drawn = Vec::new();
        for _ in 0..20 {
            drawn.push(provider(&bench.chat(&long()).await));
        }
        assert_eq!(different(drawn), 3);
    });
}

#[test]
fn a_session_leaves_a_route_that_degrades() {
    let slow = "[[mock.providers.a.faults]]\nfrom = \"120s\"\nlatency_factor = 6.0";
    bench(&equals(slow), async |bench| {
        warm_up(&bench).await;
        let mut names = (0..40).map(|number| format!("session-{number}"));
        let name = loop {
            let name = names.next().unwrap();
            if turn(&bench, &name).await == "a" {
                break name;
            }
        };
        assert_eq!(turn(&bench, &name).await, "a");
        pass_ms(120_000).await;
        let mut after = Vec::new();
        for _ in 0..30 {
            after.push(turn(&bench, &name).await);
        }
        let stayed = after.iter().take_while(|route| *route == "a").count();
        assert!((1..15).contains(&stayed), "{after:?}");
        // Where it went it stays, and nothing draws it back.
        assert_eq!(different(after[stayed..].to_vec()), 1, "{after:?}");
    });
}

#[test]
fn what_is_five_minutes_old_is_no_home() {
    bench(&equals(""), async |bench| {
        warm_up(&bench).await;
        let mut routes = Vec::new();
        for _ in 0..20 {
            routes.push(turn(&bench, "sleeper").await);
            pass_ms(301_000).await;
        }
        assert!(different(routes.clone()) > 1, "{routes:?}");
    });
}

/// Each name's own way, and that it reaches the provider as it was.
#[test]
fn sessions_are_named_in_many_ways() {
    bench(&equals(""), async |bench| {
        warm_up(&bench).await;
        for header in ["x-session-id", "x-claude-code-session-id", "session-id"] {
            let ask = || Call::chat(&long()).header(header, "mine");
            let home = provider(&bench.call(&ask()).await);
            for _ in 0..6 {
                assert_eq!(provider(&bench.call(&ask()).await), home, "{header}");
            }
        }
        let claude = r#"{"device_id":"d","session_id":"s-1"}"#;
        for (field, value) in [
            ("prompt_cache_key", json!("key-1")),
            ("metadata", json!({"user_id": claude})),
        ] {
            let mut body = long();
            body[field] = value.clone();
            let home = provider(&bench.chat(&body).await);
            for _ in 0..6 {
                assert_eq!(provider(&bench.chat(&body).await), home, "{field}");
            }
        }
    });
}

#[test]
fn an_explanation_says_what_kept_tokens_save() {
    bench(&equals(""), async |bench| {
        warm_up(&bench).await;
        let home = turn(&bench, "mine").await;
        let call = Call::chat(&long()).header("x-session-affinity", "mine");
        let answer = bench.call(&call.header("x-trimtab-explain", "1")).await;
        let decision = answer.header("x-trimtab-decision").unwrap();
        let decision: Value = serde_json::from_str(decision).unwrap();
        assert_eq!(decision["picked"]["mode"], "followed", "{decision}");
        for candidate in decision["candidates"].as_array().unwrap() {
            let at_home = candidate["route"].as_str().unwrap().starts_with(&home);
            let saved = candidate["terms_ms"]["affinity"].as_f64().unwrap();
            assert_eq!(saved < 0.0, at_home, "{decision}");
            let p = candidate["p"].as_f64().unwrap();
            assert_eq!(p > 0.5, at_home, "{decision}");
        }
    });
}
