//! What was said is kept only where operator and key allow it, without what is nobody's business.

use serde_json::{Value, json};

use super::kept;
use crate::support::{Bench, Call, Folder, Mode, Spec, bench, chat, words};

/// Two keys, of which one allows no content.
fn keyed(folder: &Folder, requests: &str) -> Spec {
    Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"p\" }]")
        .stand_in("p", "ttft = \"20ms\"\ntpot = \"1ms\"\nanswer = 7")
        .with(&format!("[governance]\ndata = {:?}\n[requests]\n{requests}", folder.0))
        .with("[keys.open]\nsecret = \"open-0123456789abcdef\"\n[keys.shut]\nsecret = \"shut-0123456789abcdef\"\nlog_content = false")
}

async fn ask(bench: &Bench, id: &str, key: &str, (text, mode): (&str, Mode)) -> String {
    let mut body = chat("main", mode);
    body["messages"] = json!([{"role": "user", "content": text}]);
    let call = Call::chat(&body)
        .header("x-request-id", id)
        .header("authorization", &format!("Bearer {key}-0123456789abcdef"));
    let answer = bench.call(&call).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

#[test]
fn keys_say_whether_what_is_said_is_kept() {
    for (wanted, is_on) in [("content = true", true), ("", false)] {
        let folder = Folder::new("content");
        bench(&keyed(&folder, wanted), async |bench| {
            for mode in Mode::BOTH {
                for key in ["open", "shut"] {
                    let id = format!("{key}-{mode:?}");
                    let answer = ask(&bench, &id, key, ("what is up", mode)).await;
                    let request = kept(&bench, &id).await;
                    let is_kept = is_on && key == "open";
                    assert_eq!(request["content"].is_object(), is_kept, "{id}");
                    if is_kept {
                        let asked = request["content"]["request"].as_str().unwrap();
                        assert!(asked.contains("what is up"), "{asked}");
                        assert_eq!(request["content"]["response"], answer.as_str(), "{id}");
                        assert_eq!(request["content"]["cut"], false);
                    }
                }
            }
        });
    }
}

#[test]
fn secrets_go_and_what_is_too_long_is_cut() {
    let secret =
        "my key is sk-abcdefghijklmnop0123, mail ann@example.org, card 4111 1111 1111 1111";
    for (redact, shown) in [(true, false), (false, true)] {
        let folder = Folder::new("content");
        let wanted = format!("content = true\ncontent_size = \"1KiB\"\nredact = {redact}");
        bench(&keyed(&folder, &wanted), async |bench| {
            ask(&bench, "a", "open", (secret, Mode::Whole)).await;
            let long = format!("{} {secret}", "x".repeat(3_000));
            ask(&bench, "b", "open", (&long, Mode::Stream)).await;
            let content = |request: &Value| request["content"].clone();
            let short = content(&kept(&bench, "a").await);
            let asked = short["request"].as_str().unwrap();
            for text in [
                "sk-abcdefghijklmnop0123",
                "ann@example.org",
                "4111 1111 1111 1111",
            ] {
                assert_eq!(asked.contains(text), shown, "{asked}");
            }
            assert_eq!(
                asked.contains("my key is [credential], mail [email], card [card]"),
                !shown
            );
            let long = content(&kept(&bench, "b").await);
            assert_eq!(long["cut"], true);
            assert_eq!(long["request"].as_str().unwrap().len(), 1_024);
            assert!(!long["request"].as_str().unwrap().contains("sk-"));
        });
    }
}

#[test]
fn a_refusal_is_kept_as_the_client_got_it() {
    let spec = Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"p\" }]\n[requests]\ncontent = true")
        .stand_in("p", "answer = 3");
    bench(&spec, async |bench| {
        let call = Call::chat(&chat("nobody", Mode::Whole)).header("x-request-id", "refused");
        let answer = bench.call(&call).await;
        let request = kept(&bench, "refused").await;
        assert_eq!(request["content"]["response"], answer.text().as_str());
        let call = Call::chat(&chat("main", Mode::Whole)).header("x-request-id", "answered");
        let answer = bench.call(&call).await;
        assert_eq!(answer.content(), words(3));
        let request = kept(&bench, "answered").await;
        assert_eq!(request["content"]["response"], answer.text().as_str());
    });
}
