//! What goes to Google's cloud, with a token for a service account's key, and what becomes of a request while there is none.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::support::{Bench, Mode, Raw, Reply, Spec, chat, parse, pass_ms, paused};

/// Looks at the clock that a test waits for the token, at most, a second each.
const LOOKS: u32 = 30;

/// The file of a service account whose tokens are fetched from here.
fn account(tokens: &Raw) -> String {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let key = BASE64_STANDARD.encode(key.as_der().unwrap().as_ref());
    let mark = concat!("PRIVATE", " KEY");
    json!({
        "client_email": "gateway@project.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": format!("-----BEGIN {mark}-----\n{key}\n-----END {mark}-----\n"),
        "token_uri": format!("http://{}/token", tokens.address),
    })
    .to_string()
}

/// A model on the cloud alone, and one that has a route elsewhere, which is dearer.
fn spec(cloud: &Raw, secret: &str) -> String {
    let secret = json!(secret.replace('$', "$$"));
    Spec::new()
        .with("[retry]\nsame_route = 0")
        .with(&format!(
            "[providers.cloud]\ndialect = \"vertex\"\nbase_url = \"http://{}/v1\"\nkeys = [{{ name = \"key\", secret = {secret} }}]\n\
             [models.alone]\nroutes = [{{ provider = \"cloud\", model = \"gemini-2.5-flash\" }}]\n\
             [models.both]\nroutes = [{{ provider = \"cloud\", model = \"gemini-2.5-flash\" }}]\nfallbacks = [\"other\"]\n\
             [models.other]\nroutes = [{{ provider = \"elsewhere\", model = \"m\" }}]",
            cloud.address
        ))
        .stand_in("elsewhere", "ttft = \"1ms\"")
        .text()
}

/// A provider that answers in Gemini's words.
async fn cloud() -> Raw {
    let answer = json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    });
    let kind = "content-type: application/json\r\n";
    Raw::start(Reply::new("200 OK", kind, answer.to_string().as_bytes())).await
}

async fn asked(tokens: &Raw) {
    for _ in 0..LOOKS {
        if !tokens.heard().is_empty() {
            break;
        }
        pass_ms(1_000).await;
    }
    // The answer is taken in after the request was heard.
    pass_ms(1_000).await;
    assert!(!tokens.heard().is_empty(), "no token was asked for");
}

#[test]
fn a_request_carries_the_token_and_nothing_of_the_key() {
    paused(|| async {
        let token = br#"{"access_token":"ya29.test","expires_in":3599,"token_type":"Bearer"}"#;
        let tokens = Raw::start(Reply::new("200 OK", "", token)).await;
        let cloud = cloud().await;
        let bench = Bench::start(&spec(&cloud, &account(&tokens)), None).await;
        asked(&tokens).await;
        let answer = bench.chat(&chat("alone", Mode::Whole)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.content(), "Hello");
        let heard = cloud.only();
        let head = heard.head.to_ascii_lowercase();
        assert!(
            head.contains("authorization: bearer ya29.test\r\n"),
            "{head}"
        );
        assert!(!head.contains("private"), "{head}");
        let exchange = String::from_utf8(tokens.heard()[0].body.clone()).unwrap();
        assert!(
            exchange.contains("jwt-bearer") && exchange.contains("assertion="),
            "{exchange}"
        );
    });
}

#[test]
fn nothing_leaves_without_a_token() {
    paused(|| async {
        let tokens = Raw::start(Reply::new("500 Internal Server Error", "", b"no")).await;
        let cloud = cloud().await;
        let bench = Bench::start(&spec(&cloud, &account(&tokens)), None).await;
        asked(&tokens).await;
        for mode in Mode::BOTH {
            let answer = bench.chat(&chat("alone", mode)).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            let message = answer.error().unwrap()["message"].clone();
            assert!(
                message.as_str().unwrap().contains("no credential"),
                "{message}"
            );
            let answer = bench.chat(&chat("both", mode)).await;
            assert_eq!(
                answer.status, 200,
                "another model's route serves: {answer:?}"
            );
        }
        assert_eq!(
            cloud.heard().len(),
            0,
            "nothing is sent without a credential"
        );
        assert_eq!(bench.seen("elsewhere").len(), 2);
    });
}

/// A key that is none is refused at the start, with nothing of the file repeated.
#[test]
fn a_broken_key_is_refused_by_name() {
    paused(|| async {
        let cloud = cloud().await;
        let file = json!({"client_email": "a@b", "private_key": "sesame"}).to_string();
        let config = parse(&spec(&cloud, &file));
        let error = trimtab::app::Local::start(config, None, Some(cloud.address)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("provider `cloud`, key `key`"), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    });
}
