//! Who is let in, and what strangers are told.

use serde_json::json;
use trimtab::clock;

use crate::support::{Bench, Call, Client, Mode, bench, chat, pass_ms};

use super::{Folder, books_in, with_key};

const SECRET: &str = "a-secret-of-the-operator";

/// Two keys, one of which may ask for little.
const KEYS: &str = "
[models.main]
routes = [{ provider = \"alpha\", model = \"m\" }]
[models.other]
routes = [{ provider = \"alpha\", model = \"n\" }]
[keys.ci]
secret = \"a-secret-of-the-operator\"
[keys.narrow]
secret = \"another-secret-of-his\"
models = [\"oth*\"]
[keys.past]
secret = \"a-secret-of-yesterday\"
expires = \"2020-01-01T00:00:00Z\"
[keys.off]
secret = \"a-secret-switched-off\"
disabled = true";

fn asked() -> Call {
    Call::chat(&chat("main", Mode::Whole))
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(Bench) -> F) {
    let folder = Folder::new("governance");
    bench(&books_in(&folder).with(KEYS).stand_in("alpha", ""), test);
}

#[test]
fn every_sdks_header_carries_a_key() {
    run(async |bench| {
        for (name, value) in [
            ("authorization", format!("Bearer {SECRET}")),
            ("authorization", format!("bearer {SECRET}")),
            ("x-api-key", SECRET.to_owned()),
            ("x-goog-api-key", SECRET.to_owned()),
            ("api-key", SECRET.to_owned()),
        ] {
            let answer = bench.call(&asked().header(name, &value)).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
        }
        // The provider sees its own key and nothing of the client's.
        for attempt in bench.seen("alpha") {
            let received = attempt.received.unwrap();
            assert_eq!(
                received.header("authorization"),
                Some("Bearer sk-alpha-0123")
            );
            for (_, value) in &received.headers {
                assert!(!String::from_utf8_lossy(value.as_bytes()).contains(SECRET));
            }
        }
    });
}

#[test]
fn strangers_are_told_why_and_guess_slowly() {
    run(async |bench| {
        let answer = bench.call(&asked()).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(
            answer.text().contains("No API key was provided"),
            "{answer:?}"
        );
        for (key, why) in [
            ("wrong-wrong-wrong-wrong", "Incorrect API key"),
            ("sk-tt-0000", "Incorrect API key"),
            ("a-secret-of-yesterday", "expired or was revoked"),
            ("a-secret-switched-off", "expired or was revoked"),
        ] {
            let answer = bench.call(&with_key(asked(), key)).await;
            assert_eq!(answer.status, 401, "{key}: {answer:?}");
            assert!(answer.text().contains(why), "{key}: {answer:?}");
        }
        let mut refusals = 0;
        for _ in 0..40 {
            let answer = bench
                .call(&with_key(asked(), "another-wrong-key-here"))
                .await;
            if answer.status == 429 {
                refusals += 1;
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                assert!(
                    answer.text().contains("too_many_failed_logins"),
                    "{answer:?}"
                );
            }
        }
        assert!(refusals > 5, "{refusals}");
        let answer = bench.call(&with_key(asked(), SECRET)).await;
        assert_eq!(
            answer.status, 200,
            "a good key is never refused: {answer:?}"
        );
        assert_eq!(bench.seen("alpha").len(), 1);
    });
}

#[test]
fn a_key_asks_for_its_models_and_sees_no_others() {
    run(async |bench| {
        let narrow = |call: Call| with_key(call, "another-secret-of-his");
        let answer = bench.call(&narrow(asked())).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.text().contains("model_not_allowed"), "{answer:?}");
        assert!(answer.text().contains("key `narrow`"), "{answer:?}");
        let answer = bench
            .call(&narrow(Call::chat(&chat("other", Mode::Whole))))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let listed = bench.call(&narrow(Call::get("/v1/models"))).await.text();
        assert!(
            listed.contains("other") && !listed.contains("main"),
            "{listed}"
        );
        let hidden = bench.call(&narrow(Call::get("/v1/models/main"))).await;
        assert_eq!(hidden.status, 404);
        let all = bench
            .call(&with_key(Call::get("/v1/models"), SECRET))
            .await
            .text();
        assert!(all.contains("other") && all.contains("main"), "{all}");
    });
}

/// Asks the admin plane.
async fn admin(bench: &Bench, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let mut client = Client::open(bench.gateway.admin).await;
    let answer = client.call(&Call::post(path, body.to_string())).await;
    assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
    answer.json()
}

#[test]
fn a_key_made_over_the_api_is_taken_at_once_and_ends_with_its_streams() {
    let folder = Folder::new("governance");
    let spec = books_in(&folder)
        .with(KEYS)
        .stand_in("alpha", "tpot = \"400ms\"\nanswer = 200");
    bench(&spec, async |bench| {
        let made = admin(
            &bench,
            "/api/keys",
            &json!({"name": "made", "models": ["main"]}),
        )
        .await;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let answer = bench
            .call(&with_key(Call::get("/v1/models"), &secret))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.text().contains("other"), "{answer:?}");

        let stream = with_key(Call::chat(&chat("main", Mode::Stream)), &secret);
        let address = bench.address;
        let streaming = tokio::task::spawn_local(async move {
            let answer = Client::open(address).await.call(&stream).await;
            (answer, clock::now())
        });
        pass_ms(2_000).await;
        assert_eq!(bench.in_flight(), 1);
        let revoked = clock::now();
        admin(&bench, "/api/keys/made/revoke", &json!({})).await;
        let (answer, ended) = streaming.await.unwrap();
        assert!(ended.since(revoked).as_micros() <= 1_000_000, "{answer:?}");
        assert!(
            answer.text().contains("expired or was revoked"),
            "{answer:?}"
        );
        assert!(!answer.is_done(), "{answer:?}");
        let answer = bench.call(&with_key(asked(), &secret)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    });
}
