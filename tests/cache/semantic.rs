//! Questions that mean the same: one is asked, the others are answered from it.
//!
//! The embedder is a stand-in: a vector has a place for every word, so the cosine of two questions is the share of words that they have in common.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::status;
use crate::support::{Answer, Bench, Call, Heard, Raw, Reply, Spec, pass_ms, paused};

/// Numbers in a vector of the stand-in.
const WIDTH: usize = 256;

/// Words that mean nothing to the stand-in.
const EMPTY: [&str; 12] = [
    "a", "the", "is", "of", "please", "can", "you", "tell", "me", "do", "i", "to",
];

/// A text's vector: for every word one of the places is one more.
fn vector(text: &str) -> Vec<f64> {
    let mut vector = vec![0.0; WIDTH];
    let lower = text.to_lowercase();
    let words = lower.split(|it: char| !it.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty() && !EMPTY.contains(word)) {
        let hash = word.bytes().fold(7_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        vector[hash % WIDTH] += 1.0;
    }
    if vector.iter().all(|it| *it <= 0.0) {
        vector[0] = 1.0;
    }
    vector
}

/// The stand-ins: one that embeds, and one that answers `reply` to the last words of a conversation.
pub(super) struct Scene {
    pub(super) bench: Bench,
    pub(super) chat: Raw,
    pub(super) embed: Raw,
    /// Whether the embedder works.
    pub(super) works: Rc<Cell<bool>>,
}

pub(super) fn asked(heard: &Heard) -> String {
    let body: Value = serde_json::from_slice(&heard.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn ok(body: &Value) -> Reply {
    Reply::new(
        "200 OK",
        "content-type: application/json\r\n",
        body.to_string().as_bytes(),
    )
}

impl Scene {
    pub(super) async fn start(lines: &str, reply: impl Fn(&str) -> String + 'static) -> Self {
        let chat = Raw::answering(move |heard| {
            let text = reply(&asked(heard));
            ok(&json!({
                "id": "c", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
            }))
        })
        .await;
        let works = Rc::new(Cell::new(true));
        let working = Rc::clone(&works);
        let embed = Raw::answering(move |heard| {
            if !working.get() {
                return Reply::new("503 Service Unavailable", "", b"{}");
            }
            let body: Value = serde_json::from_slice(&heard.body).unwrap();
            let vector = vector(body["input"].as_str().unwrap());
            ok(&json!({"object": "list", "data": [{"index": 0, "embedding": vector}], "model": "e", "usage": {"prompt_tokens": 3, "total_tokens": 3}}))
        })
        .await;
        let text = Spec::new()
            .stand_in("spare", "answer = 1")
            .with(&format!(
                "[providers.chat]\nbase_url = \"http://{}/v1\"\n[providers.embed]\nbase_url = \"http://{}/v1\"\n\
                 [models.main]\nroutes = [{{ provider = \"chat\" }}]\n[models.vectors]\nroutes = [{{ provider = \"embed\" }}]\n\
                 [cache]\nembedder = {{ model = \"vectors\" }}\n[models.main.cache]\nlayers = \"semantic\"\n{lines}",
                chat.address, embed.address
            ))
            .text();
        Self {
            bench: Bench::start(&text, None).await,
            chat,
            embed,
            works,
        }
    }

    pub(super) async fn call(&self, call: &Call) -> Answer {
        let answer = self.bench.call(call).await;
        // What was kept is taken into the index in the background.
        pass_ms(50).await;
        answer
    }

    pub(super) async fn ask(&self, words: &str) -> Answer {
        self.call(&question(words)).await
    }
}

pub(super) fn question(words: &str) -> Call {
    Call::chat(&json!({"model": "main", "messages": [{"role": "user", "content": words}]}))
}

/// The answers of a provider that says what it was asked.
fn echo(asked: &str) -> String {
    format!("This is what there is to say of it: {asked}")
}

const HOW: &str = "How do I reset the password of my mail account?";
const PLEASE: &str = "Please, can you tell me how to reset the password of my mail account";

fn scene(lines: &'static str, test: impl AsyncFnOnce(Scene)) {
    paused(|| async move { test(Scene::start(lines, echo).await).await });
}

#[test]
fn what_means_the_same_is_answered_from_it() {
    scene("[cache.audit]\nshare = 0.0", async |scene| {
        let first = scene.ask(HOW).await;
        assert_eq!((first.status, status(&first)), (200, "MISS"), "{first:?}");
        let call = question(PLEASE).header("x-trimtab-explain", "1");
        let second = scene.call(&call).await;
        assert_eq!(
            (second.status, status(&second)),
            (200, "SEMANTIC"),
            "{second:?}"
        );
        assert_eq!(second.body, first.body);
        let told: Value = serde_json::from_str(second.header("x-trimtab-cache").unwrap()).unwrap();
        assert!(told["similarity"].as_f64().unwrap() > 0.99, "{told}");
        assert_eq!(told["entry"].as_str().unwrap().len(), 16);
        assert_eq!(scene.chat.heard().len(), 1);
        let metrics = scene.bench.metrics().await;
        assert!((metrics.sum("router_cache_requests_total", &["\"semantic\""]) - 1.0).abs() < 0.1);
        // The vector of a text is asked for once.
        let before = scene.embed.heard().len();
        assert_eq!(status(&scene.ask(PLEASE).await), "SEMANTIC");
        assert_eq!(scene.embed.heard().len(), before);
    });
}

#[test]
fn a_stream_is_answered_from_a_whole_answer() {
    scene("", async |scene| {
        scene.ask(HOW).await;
        let call = Call::chat(
            &json!({"model": "main", "stream": true, "messages": [{"role": "user", "content": PLEASE}]}),
        );
        let stream = scene.call(&call).await;
        assert_eq!(status(&stream), "SEMANTIC", "{stream:?}");
        assert!(stream.is_stream() && stream.is_done());
        assert_eq!(stream.content(), echo(HOW));
        stream.assert_one_answer();
    });
}

#[test]
fn what_differs_in_a_word_that_counts_is_asked() {
    scene("threshold = 0.7", async |scene| {
        let base = "Convert the 12 invoices of customer Miller into one PDF file with page numbers";
        scene.ask(base).await;
        for other in [
            "Convert the 13 invoices of customer Miller into one PDF file with page numbers",
            "Convert the 12 invoices of customer Smith into one PDF file with page numbers",
            "Do not convert the 12 invoices of customer Miller into one PDF file with page numbers",
            "Convert the 12 invoices of customer Miller into one PDF file without page numbers",
        ] {
            let call = question(other).header("x-trimtab-explain", "1");
            let answer = scene.call(&call).await;
            assert_eq!(status(&answer), "MISS", "{other}");
            assert_eq!(answer.content(), echo(other));
            let told: Value =
                serde_json::from_str(answer.header("x-trimtab-cache").unwrap()).unwrap();
            assert!(told["refused_by"].is_string(), "{other}: {told}");
        }
    });
}

#[test]
fn everything_else_must_be_the_same() {
    scene("turns = 3", async |scene| {
        let ask = |extra: Value, before: &[Value]| {
            let mut messages = before.to_vec();
            messages.push(json!({"role": "user", "content": PLEASE}));
            let mut body = json!({"model": "main", "messages": messages});
            for (name, value) in extra.as_object().unwrap() {
                body[name] = value.clone();
            }
            Call::chat(&body)
        };
        scene.ask(HOW).await;
        let system = json!({"role": "system", "content": "Be brief."});
        let turn = |role: &str, words: &str| json!({"role": role, "content": words});
        let history = [turn("user", "Hi"), turn("assistant", "Hello")];
        for (extra, before) in [
            (json!({"temperature": 0.1}), &[][..]),
            (json!({"max_tokens": 77}), &[]),
            (json!({"user": "ann"}), &[]),
            (json!({}), &[system]),
            (json!({}), &history),
        ] {
            let answer = scene.call(&ask(extra.clone(), before)).await;
            assert_eq!(status(&answer), "MISS", "{extra} {before:?}");
        }
        assert_eq!(status(&scene.call(&ask(json!({}), &[])).await), "SEMANTIC");
    });
}

#[test]
fn long_conversations_are_not_compared() {
    scene("", async |scene| {
        let talk = |last: &str| {
            Call::chat(&json!({"model": "main", "messages": [
                {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
                {"role": "user", "content": last},
            ]}))
        };
        scene.call(&talk(HOW)).await;
        assert_eq!(status(&scene.call(&talk(PLEASE)).await), "MISS");
        assert_eq!(scene.embed.heard().len(), 0);
        assert_eq!(status(&scene.call(&talk(HOW)).await), "HIT");
    });
}

/// A client may ask for more likeness, never for less.
#[test]
fn a_client_tightens_and_never_loosens() {
    scene(
        "threshold = 0.96\n[cache.audit]\nshare = 0.0",
        async |scene| {
            scene.ask(HOW).await;
            // The same words, some of them twice: nearer than 0.94 and not as near as 0.96.
            let near = "How do I reset the password of my mail account? My mail account.";
            let ask = |words: &str, threshold: &str| {
                question(words)
                    .header("x-trimtab-cache-threshold", threshold)
                    .header("x-trimtab-explain", "1")
            };
            let answer = scene.call(&ask(near, "0.0")).await;
            let told: Value =
                serde_json::from_str(answer.header("x-trimtab-cache").unwrap()).unwrap();
            assert_eq!(told["refused_by"], Value::Null, "{told}");
            let similarity = told["similarity"].as_f64().unwrap();
            assert!((0.94..0.96).contains(&similarity), "{similarity}");
            assert_eq!(status(&answer), "MISS");
            assert_eq!(status(&scene.call(&ask(PLEASE, "0.99")).await), "SEMANTIC");
        },
    );
    scene(
        "threshold = 0.9\n[cache.audit]\nshare = 0.0",
        async |scene| {
            scene.ask(HOW).await;
            let near = "How do I reset the password of my mail account? My mail account.";
            let ask =
                |threshold: &str| question(near).header("x-trimtab-cache-threshold", threshold);
            assert_eq!(
                status(
                    &scene
                        .call(&ask("0.5").header("x-trimtab-cache-ttl", "1"))
                        .await
                ),
                "SEMANTIC"
            );
            assert_eq!(status(&scene.call(&ask("0.97")).await), "MISS");
        },
    );
}

#[test]
fn an_embedder_that_fails_is_a_miss() {
    scene("", async |scene| {
        scene.ask(HOW).await;
        scene.works.set(false);
        let answer = scene.ask(PLEASE).await;
        assert_eq!((answer.status, status(&answer)), (200, "MISS"));
        assert_eq!(answer.content(), echo(PLEASE));
        assert_eq!(status(&scene.ask(HOW).await), "HIT");
    });
}
