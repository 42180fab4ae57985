//! The same request twice: the second is answered from what was kept.

use serde_json::json;

use super::{asking, attempts, keeping, status};
use crate::support::{Call, Mode, bench, chat, words};

#[test]
fn the_second_is_the_first_byte_for_byte() {
    for mode in Mode::BOTH {
        bench(&keeping(""), async |bench| {
            let call = Call::chat(&chat("main", mode));
            let first = bench.call(&call).await;
            assert_eq!((first.status, status(&first)), (200, "MISS"));
            assert_eq!(first.header("age"), None);
            let second = bench.call(&call).await;
            assert_eq!((second.status, status(&second)), (200, "HIT"));
            assert_eq!(second.body, first.body);
            assert_eq!(second.header("content-type"), first.header("content-type"));
            assert_eq!(second.header("age"), Some("0"));
            assert_eq!(second.header("x-trimtab-attempts"), Some("0"));
            assert_eq!(second.header("x-trimtab-route"), None);
            assert_eq!(second.content(), words(60));
            assert_eq!(attempts(&bench), 1);
            let metrics = bench.metrics().await;
            let count = |name: &str, labels: &[&str]| metrics.sum(name, labels).round() as i64;
            assert_eq!(count("router_cache_requests_total", &["\"hit\""]), 1);
            assert_eq!(count("router_cache_requests_total", &["\"miss\""]), 1);
            assert_eq!(count("router_cache_saved_tokens_total", &["output"]), 60);
            assert!((metrics.sum("cache_hit_ratio", &[]) - 0.5).abs() < 1e-9);
            assert_eq!(count("router_requests_total", &["\"ok\""]), 2);
        });
    }
}

#[test]
fn another_order_of_keys_and_other_spaces_are_the_same() {
    bench(&keeping(""), async |bench| {
        let post = |body: &str| Call::post("/v1/chat/completions", body);
        let first = bench
            .call(&post(
                r#"{"model":"main","temperature":0.5,"messages":[{"role":"user","content":"Hi"}]}"#,
            ))
            .await;
        let second = bench
            .call(&post(r#"{ "messages": [{"content": "Hi", "role": "user"}], "temperature": 0.5, "model": "main" }"#))
            .await;
        assert_eq!((status(&first), status(&second)), ("MISS", "HIT"));
    });
}

#[test]
fn whatever_changes_the_answer_is_another_request() {
    bench(&keeping(""), async |bench| {
        let mut seen = 0;
        let mut body = chat("main", Mode::Whole);
        for (name, value) in [
            ("temperature", json!(0.1)),
            ("top_p", json!(0.9)),
            ("max_tokens", json!(100)),
            ("seed", json!(3)),
            ("stop", json!(["x"])),
            ("logit_bias", json!({"5": 1})),
            ("response_format", json!({"type": "json_object"})),
            (
                "tools",
                json!([{"type": "function", "function": {"name": "f"}}]),
            ),
            ("user", json!("somebody")),
            ("a_field_of_tomorrow", json!(true)),
        ] {
            body[name] = value;
            let answer = bench.chat(&body).await;
            seen += 1;
            assert_eq!(
                (answer.status, status(&answer)),
                (200, "MISS"),
                "{name}: {answer:?}"
            );
            assert_eq!(attempts(&bench), seen);
        }
    });
}

#[test]
fn what_does_not_change_it_is_not() {
    bench(&keeping("across_users = true"), async |bench| {
        let mut body = chat("main", Mode::Whole);
        bench.chat(&body).await;
        for (name, value) in [
            ("user", json!("somebody")),
            ("prompt_cache_key", json!("k")),
            ("service_tier", json!("flex")),
        ] {
            body[name] = value;
            assert_eq!(status(&bench.chat(&body).await), "HIT", "{name}");
        }
    });
}

#[test]
fn clients_say_what_they_want() {
    bench(&keeping(""), async |bench| {
        let ask = |directive: &str| asking("x", Mode::Whole).header("cache-control", directive);
        let said = async |directive: &str| {
            let answer = bench.call(&ask(directive)).await;
            assert_eq!(answer.status, 200);
            status(&answer).to_owned()
        };
        assert_eq!(said("no-store").await, "BYPASS");
        assert_eq!(said("").await, "MISS", "nothing was stored");
        assert_eq!(said("").await, "HIT");
        assert_eq!(said("max-age=100").await, "HIT");
        assert_eq!(said("no-store").await, "BYPASS");
        assert_eq!(said("no-cache").await, "MISS");
        assert_eq!(said("").await, "HIT");
        assert_eq!(attempts(&bench), 4);
        let bad = asking("x", Mode::Whole).header("x-trimtab-cache-ttl", "soon");
        let refused = bench.call(&bad).await;
        assert_eq!(refused.status, 400);
        let message = refused.error().unwrap()["message"].to_string();
        assert!(message.contains("x-trimtab-cache-ttl"), "{message}");
    });
}

#[test]
fn nothing_is_kept_where_nothing_is_said() {
    let spec = crate::support::Spec::new()
        .stand_in("alpha", "answer = 60")
        .with("[models.main]\nroutes = [{ provider = \"alpha\" }]");
    bench(&spec, async |bench| {
        for _ in 0..2 {
            assert_eq!(
                status(&bench.chat(&chat("main", Mode::Whole)).await),
                "BYPASS"
            );
        }
        assert_eq!(attempts(&bench), 2);
    });
}

#[test]
fn only_whole_and_good_answers_are_kept() {
    for fault in ["503", "error-event", "cut:5", "down"] {
        let Ok(struck) = fault.parse() else {
            continue;
        };
        bench(&keeping(""), async |bench| {
            bench.mock.set_fault("alpha", Some(struck)).unwrap();
            let call = asking("x", Mode::Stream);
            let bad = bench.call(&call).await;
            assert!(bad.status != 200 || !bad.is_done(), "{fault}: {bad:?}");
            bench.mock.set_fault("alpha", None).unwrap();
            let good = bench.call(&call).await;
            assert_ne!(status(&good), "HIT", "{fault}");
        });
    }
}

#[test]
fn an_answer_that_was_cut_short_is_not_kept() {
    for mode in Mode::BOTH {
        bench(&keeping(""), async |bench| {
            let mut body = chat("main", mode);
            body["max_tokens"] = 5.into();
            for _ in 0..2 {
                let answer = bench.chat(&body).await;
                assert!(answer.text().contains("\"length\""), "{answer:?}");
                assert_eq!(status(&answer), "MISS");
            }
        });
    }
}

#[test]
fn hot_answers_are_not_kept_where_the_operator_says_so() {
    bench(&keeping("max_temperature = 0.3"), async |bench| {
        let mut body = chat("main", Mode::Whole);
        assert_eq!(
            status(&bench.chat(&body).await),
            "BYPASS",
            "models draw at 1"
        );
        body["temperature"] = 0.3.into();
        assert_eq!(status(&bench.chat(&body).await), "MISS");
        assert_eq!(status(&bench.chat(&body).await), "HIT");
    });
}

#[test]
fn a_stream_is_told_at_a_pace() {
    let spec = keeping("[cache]\npace = \"10ms\"");
    bench(&spec, async |bench| {
        let call = asking("x", Mode::Stream);
        let first = bench.call(&call).await;
        let second = bench.call(&call).await;
        assert_eq!(status(&second), "HIT");
        assert_eq!(second.body, first.body);
        let events = second.events().len() as u32;
        let least = std::time::Duration::from_millis(10) * (events - 2);
        assert!(
            second.took >= least && second.took < first.took,
            "{:?}",
            second.took
        );
    });
}

#[test]
fn a_client_that_asks_is_told_what_it_got() {
    bench(&keeping(""), async |bench| {
        let call = asking("x", Mode::Whole).header("x-trimtab-explain", "1");
        bench.call(&call).await;
        let hit = bench.call(&call).await;
        let told: serde_json::Value =
            serde_json::from_str(hit.header("x-trimtab-cache").unwrap()).unwrap();
        assert_eq!(told["status"], "HIT");
        assert_eq!(told["entry"].as_str().unwrap().len(), 16);
    });
}
