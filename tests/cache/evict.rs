//! What is to be forgotten is: in every layer, on disk, and over a restart.

use serde_json::{Value, json};

use super::shop::{KEYS, Shop, Words};
use super::status;
use crate::support::{Answer, Call, Client, Folder, Mode, chat, pass_ms, paused};

const QUESTION: &str = "How do I reset the password of my mail account?";
const ALIKE: &str = "Please, can you tell me how to reset the password of my mail account";
const OTHER: &str = "How does one bake bread at home?";
const CACHING: &str = "layers = \"semantic\"\nthreshold = 0.7";
const DISK: &str = "[cache]\ndisk = true\n[cache.audit]\nshare = 0.0\n";

impl Shop {
    async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let call = match body {
            Some(body) => Call::post(path, body.to_string()),
            None => Call::get(path),
        };
        let mut client = Client::open(self.bench.gateway.admin).await;
        client.call(&call.method(method)).await
    }

    async fn forget(&self, which: &str) -> u64 {
        let path = format!("/api/cache/entries{which}");
        let answer = self.admin("DELETE", &path, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        assert_eq!(json["waits_for_disk"], false);
        json["forgotten"].as_u64().unwrap()
    }
}

/// A question of Ann's that can be evicted in every way; the answer says how.
async fn kept(shop: &Shop, question: &str) -> Answer {
    let call = Words::Chat
        .ask(question, false)
        .header("x-trimtab-cache-tags", "faq, v2")
        .header("x-trimtab-explain", "1");
    shop.call(0, call).await
}

#[test]
fn answers_are_evicted_by_whatever_names_them() {
    for way in ["entry", "request", "key", "tag", "model", "all"] {
        let folder = Folder::new("cache-evict");
        let evict = async |shop: &Shop| {
            let first = kept(shop, QUESTION).await;
            assert_eq!(status(&first), "MISS", "{way}");
            let hit = kept(shop, QUESTION).await;
            assert_eq!(status(&hit), "HIT");
            assert_eq!(status(&kept(shop, ALIKE).await), "SEMANTIC");
            // Somebody else's answer stays unless all go.
            let theirs = shop.ask(3, OTHER).await;
            assert_eq!(status(&theirs), "MISS");
            let told: Value = serde_json::from_str(hit.header("x-trimtab-cache").unwrap()).unwrap();
            let which = match way {
                "entry" => format!("/{}", told["entry"].as_str().unwrap()),
                "request" => format!("?request={}", first.header("x-request-id").unwrap()),
                "key" => "?key=ann".to_owned(),
                "tag" => "?tag=v2".to_owned(),
                "model" => "?model=main".to_owned(),
                _ => "?all=true".to_owned(),
            };
            let wide = ["model", "all"].contains(&way);
            assert_eq!(shop.forget(&which).await, if wide { 2 } else { 1 }, "{way}");
            assert_eq!(shop.forget(&which).await, 0, "{way}");
            wide
        };
        paused(async || {
            let shop = Shop::start(&folder, CACHING, DISK).await;
            let wide = evict(&shop).await;
            for question in [ALIKE, QUESTION] {
                let again = kept(&shop, question).await;
                assert_ne!(status(&again), "HIT", "{way}");
                assert_eq!(shop.origin(&again).2, ALIKE, "{way}: asked afresh");
            }
            let theirs = shop.ask(3, OTHER).await;
            assert_eq!(status(&theirs), if wide { "MISS" } else { "HIT" }, "{way}");
            shop.forget("?all=true").await;
            evict(&shop).await;
        });
        // What was evicted just before the end is not there after it.
        paused(async || {
            let shop = Shop::start(&folder, CACHING, DISK).await;
            assert_eq!(status(&kept(&shop, ALIKE).await), "MISS", "{way}");
        });
    }
}

#[test]
fn what_cannot_be_forgotten_is_told() {
    let folder = Folder::new("cache-evict");
    paused(|| async move {
        let shop = Shop::start(&folder, CACHING, "").await;
        kept(&shop, QUESTION).await;
        for (path, status, param) in [
            ("/api/cache/entries", 400, None),
            ("/api/cache/entries?all=false", 400, None),
            ("/api/cache/entries?all=maybe", 400, Some("all")),
            ("/api/cache/entries?all=true&tag=faq", 400, None),
            ("/api/cache/entries?tag=faq&key=ann", 400, None),
            ("/api/cache/entries?key=nobody", 400, Some("key")),
            ("/api/cache/entries?what=ever", 400, Some("what")),
            ("/api/cache/entries/nothing", 400, Some("id")),
            ("/api/cache/entries/12345", 400, Some("id")),
            ("/api/cache/entries/00000000000000zz", 400, Some("id")),
            ("/api/cache/entries/+000000000000001", 400, Some("id")),
        ] {
            let answer = shop.admin("DELETE", path, None).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            let error = &answer.json()["error"];
            assert!(!error["message"].as_str().unwrap().is_empty());
            if let Some(param) = param {
                assert_eq!(error["param"], param, "{path}");
            }
        }
        for (path, method, status) in [
            ("/api/cache/entries", "GET", 405),
            ("/api/cache/entries", "POST", 405),
            ("/api/cache", "DELETE", 405),
            ("/api/cache/entries/a/b", "DELETE", 404),
        ] {
            let body = (method == "POST").then(|| json!({}));
            assert_eq!(
                shop.admin(method, path, body).await.status,
                status,
                "{method} {path}"
            );
        }
        assert_eq!(
            self::status(&kept(&shop, QUESTION).await),
            "HIT",
            "nothing was forgotten"
        );
        assert_eq!(shop.forget("/0000000000000001").await, 0);
    });
}

/// The name of a key may be given out again: whoever has it then finds nothing of the one before.
#[test]
fn what_a_key_leaves_is_forgotten_when_it_ends() {
    for end in ["delete", "revoke", "disable"] {
        let folder = Folder::new("cache-evict");
        paused(async || {
            let shop = Shop::start(&folder, CACHING, DISK).await;
            let ask = async |secret: &str, question: &str| {
                let call = Words::Chat.ask(question, false);
                let answer = shop
                    .bench
                    .call(&crate::governance::with_key(call, secret))
                    .await;
                pass_ms(50).await;
                answer
            };
            let make = async |name: &str| {
                let made = shop
                    .admin("POST", "/api/keys", Some(json!({"name": name})))
                    .await;
                assert_eq!(made.status, 201, "{made:?}");
                made.json()["secret"].as_str().unwrap().to_owned()
            };
            let secret = make("app").await;
            assert_eq!(status(&ask(&secret, QUESTION).await), "MISS");
            assert_eq!(status(&ask(&secret, QUESTION).await), "HIT");
            assert_eq!(status(&ask(KEYS[3], OTHER).await), "MISS");
            let ended = match end {
                "delete" => shop.admin("DELETE", "/api/keys/app", None).await,
                "revoke" => {
                    shop.admin("POST", "/api/keys/app/revoke", Some(json!({})))
                        .await
                }
                _ => {
                    shop.admin("PATCH", "/api/keys/app", Some(json!({"disabled": true})))
                        .await
                }
            };
            assert!(ended.status < 300, "{end}: {ended:?}");
            assert_eq!(shop.library().shelf().size().0, 1, "{end}");
            assert_eq!(ask(&secret, QUESTION).await.status, 401, "{end}");
            assert_eq!(status(&ask(KEYS[3], OTHER).await), "HIT", "{end}");
            let again = match end {
                "delete" => make("app").await,
                "revoke" => return,
                _ => {
                    let on = json!({"disabled": false});
                    assert_eq!(
                        shop.admin("PATCH", "/api/keys/app", Some(on)).await.status,
                        200
                    );
                    secret
                }
            };
            assert_eq!(status(&ask(&again, ALIKE).await), "MISS", "{end}");
            let answer = ask(&again, QUESTION).await;
            assert_eq!(status(&answer), "SEMANTIC", "{end}");
            assert!(answer.text().contains(ALIKE), "{end}: {answer:?}");
        });
    }
}

/// A key that is taken out of the file while nothing runs has nothing left either.
#[test]
fn what_a_key_leaves_is_forgotten_when_it_ends_while_nothing_runs() {
    let folder = Folder::new("cache-evict");
    let data = folder.file("data");
    let text = |key: &str| {
        let secret = "sk-key-of-somebody-0123456789";
        let keys = format!(
            "[keys.{key}]\nsecret = \"{secret}\"\n[keys.other]\nsecret = \"sk-key-of-other-0123456789\"\n"
        );
        super::keeping(&format!(
            "[cache]\ndisk = true\n[governance]\ndata = {data:?}\n{keys}"
        ))
        .text()
    };
    let ask = |key: &str| {
        let text = text(key);
        paused(|| async move {
            let bench = crate::support::Bench::start(&text, None).await;
            let call = Call::chat(&chat("main", Mode::Whole));
            let call = crate::governance::with_key(call, "sk-key-of-somebody-0123456789");
            let answer = bench.call(&call).await;
            pass_ms(100).await;
            status(&answer).to_owned()
        })
    };
    assert_eq!(ask("first"), "MISS");
    assert_eq!(ask("first"), "HIT");
    assert_eq!(ask("second"), "MISS", "another key with the same secret");
    assert_eq!(ask("first"), "MISS", "it was away");
}
