//! What is wrong, cut short or meant for one question alone is never told to anybody else.

use std::cell::Cell;

use serde_json::{Value, json};

use super::shop::{self, Shop, Words, event, ok, stream, whole};
use super::status;
use crate::support::{Client, Folder, Heard, Reply, pass_ms, paused};

const QUESTION: &str = "How do I reset the password of my mail account?";
const ALIKE: &str = "Please, can you tell me how to reset the password of my mail account";

fn message(content: &str) -> Value {
    json!({"role": "assistant", "content": content})
}

/// Answers in one piece that must not be kept.
fn bad_wholes() -> Vec<(&'static str, Reply)> {
    let refused = json!({"role": "assistant", "content": null, "refusal": "I will not."});
    let call = |arguments: &str| {
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}]})
    };
    let two = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "message": message("Good."), "finish_reason": "stop"},
            {"index": 1, "message": message("Cut"), "finish_reason": "length"}]});
    vec![
        ("length", whole(&message("Half of it"), "length")),
        ("filter", whole(&message("Some of it"), "content_filter")),
        ("refusal", whole(&refused, "stop")),
        ("empty", whole(&message(""), "stop")),
        ("blank", whole(&message(" \n"), "stop")),
        ("broken call", whole(&call("{\"a\":"), "tool_calls")),
        ("second choice is cut", ok(&two)),
        (
            "error",
            ok(&json!({"error": {"message": "no", "type": "server_error"}})),
        ),
        ("nothing", ok(&json!({}))),
        (
            "no json",
            Reply::new("200 OK", "content-type: application/json\r\n", b"<html>"),
        ),
    ]
}

/// Streams that must not be kept.
fn bad_streams() -> Vec<(&'static str, Reply)> {
    let begin = event(&json!({"role": "assistant", "content": "Some of it"}), None);
    let done = "data: [DONE]\n\n".to_owned();
    let error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n".to_owned();
    let ends = |finish| event(&json!({}), Some(finish));
    let refusal = event(
        &json!({"role": "assistant", "refusal": "I will not."}),
        None,
    );
    let call = json!({"role": "assistant", "tool_calls": [
        {"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":"}}]});
    vec![
        ("error event", stream(&[begin.clone(), error.clone()])),
        (
            "error event and an end",
            stream(&[begin.clone(), error, done.clone()]),
        ),
        ("no end", stream(std::slice::from_ref(&begin))),
        ("no reason", stream(&[begin.clone(), done.clone()])),
        (
            "length",
            stream(&[begin.clone(), ends("length"), done.clone()]),
        ),
        (
            "filter",
            stream(&[begin.clone(), ends("content_filter"), done.clone()]),
        ),
        (
            "broken event",
            stream(&[
                begin,
                "data: {\"cho\n\n".to_owned(),
                ends("stop"),
                done.clone(),
            ]),
        ),
        ("refusal", stream(&[refusal, ends("stop"), done.clone()])),
        ("empty", stream(&[ends("stop"), done.clone()])),
        (
            "broken call",
            stream(&[event(&call, None), ends("tool_calls"), done]),
        ),
    ]
}

/// A provider that gives one bad answer, and good ones from then on.
fn poisoned(reply: Reply) -> impl Fn(&Heard) -> Reply {
    let asked = Cell::new(0);
    move |heard| {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => reply.clone(),
            number => shop::says(
                heard,
                &format!("Answer {number} to: {}", shop::asked(heard)),
            ),
        }
    }
}

fn never_kept(bad: Vec<(&'static str, Reply)>, streamed: bool) {
    for (name, reply) in bad {
        for words in [Words::Chat, Words::Messages] {
            let (folder, reply) = (Folder::new("cache-poison"), reply.clone());
            paused(|| async move {
                let caching = "layers = \"semantic\"\nthreshold = 0.7";
                let shop = Shop::before(poisoned(reply), &folder, caching, "").await;
                // What shows before the first token is tried again, and then well answered.
                shop.call(0, words.ask(QUESTION, streamed)).await;
                // A route that has failed is left alone for a while.
                pass_ms(120_000).await;
                for (question, stream) in
                    [(ALIKE, false), (QUESTION, streamed), (QUESTION, !streamed)]
                {
                    let next = shop.call(0, words.ask(question, stream)).await;
                    assert_eq!(next.status, 200, "{name}: {next:?}");
                    assert!(shop::told(&next).starts_with("Answer "), "{name}: {next:?}");
                }
                for entry in shop.library().shelf().those(|_| true) {
                    let kept = String::from_utf8_lossy(&entry.bytes);
                    assert!(kept.contains("Answer"), "{name}: {kept}");
                }
            });
        }
    }
}

#[test]
fn bad_answers_are_never_kept() {
    never_kept(bad_wholes(), false);
}

#[test]
fn bad_streams_are_never_kept() {
    never_kept(bad_streams(), true);
}

/// A client that leaves in the middle has got no whole answer, and nobody gets it from it.
#[test]
fn what_a_client_has_left_is_not_kept() {
    let folder = Folder::new("cache-poison");
    paused(|| async move {
        let shop = Shop::start(&folder, "layers = \"semantic\"\nthreshold = 0.7", "").await;
        for words in Words::ALL {
            let call = crate::governance::with_key(words.ask(QUESTION, true), shop::KEYS[0]);
            let mut client = Client::open(shop.bench.address).await;
            client.send(&call.bytes()).await;
            pass_ms(6).await;
            drop(client);
            pass_ms(100).await;
            assert_eq!(shop.library().shelf().size().0, 0, "{words:?}");
        }
        assert_eq!(shop.asked(), Words::ALL.len(), "they were under way");
        assert_eq!(status(&shop.ask(0, QUESTION).await), "MISS");
    });
}

/// A call of tools answers the very question, and no other that means the same.
#[test]
fn a_call_of_tools_is_for_its_own_question() {
    let folder = Folder::new("cache-poison");
    paused(|| async move {
        let message = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]});
        let chat = move |_: &Heard| whole(&message, "tool_calls");
        let caching = "layers = \"semantic\"\nthreshold = 0.7";
        let shop = Shop::before(chat, &folder, caching, "").await;
        let statuses = [
            (QUESTION, "MISS"),
            (QUESTION, "HIT"),
            (ALIKE, "MISS"),
            (ALIKE, "HIT"),
        ];
        for (question, expected) in statuses {
            assert_eq!(status(&shop.ask(0, question).await), expected, "{question}");
        }
    });
}

/// Two questions that the embedder takes for one: the audit finds that the answers differ.
#[test]
fn a_collision_is_found_and_serves_no_more() {
    let folder = Folder::new("cache-poison");
    paused(|| async move {
        let chat = |heard: &Heard| {
            let asked = shop::asked(heard);
            let text = if asked == QUESTION {
                "No, never: it takes 7 days and a letter."
            } else {
                "Yes, always: 9 minutes are enough for it."
            };
            shop::says(heard, text)
        };
        let caching = "layers = \"semantic\"\nthreshold = 0.7";
        let shop = Shop::before(chat, &folder, caching, "[cache.audit]\nshare = 1.0\n").await;
        assert_eq!(status(&shop.ask(0, QUESTION).await), "MISS");
        assert_eq!(status(&shop.ask(0, ALIKE).await), "SEMANTIC");
        pass_ms(1_000).await;
        let library = shop.library();
        let standing = &library.audit().standings(None)[0];
        assert_eq!((standing.hits, standing.different), (1, 1), "{standing:?}");
        // Nobody is told it for another question again; its own it still answers.
        let third = "how do i reset the password of my mail account please";
        for question in [ALIKE, third] {
            let answer = shop.ask(0, question).await;
            assert!(answer.text().contains('9'), "{answer:?}");
        }
        assert!(shop.ask(0, QUESTION).await.text().contains('7'));
    });
}

/// What a client may say in its address or head and the provider hears is part of what it asks.
#[test]
fn what_the_provider_hears_is_in_the_key() {
    let folder = Folder::new("cache-poison");
    paused(|| async move {
        let shop = Shop::start(&folder, "layers = \"exact\"\nscope = \"all\"", "").await;
        let ask = |path: &str, headers: &[(&str, &str)]| {
            let body = json!({"model": "main", "max_tokens": 100,
                "messages": [{"role": "user", "content": QUESTION}]});
            let call = crate::support::Call::post(path, body.to_string());
            headers
                .iter()
                .fold(call, |call, (name, value)| call.header(name, value))
        };
        let beta = [("anthropic-beta", "context-1m")];
        let version = [("anthropic-version", "2023-01-01")];
        let usual = [("anthropic-version", "2023-06-01")];
        let newest = [("anthropic-version", "2026-10-21")];
        for (path, headers, is_new) in [
            ("/v1/messages", &[][..], true),
            ("/v1/messages", &usual[..], false),
            ("/v1/messages", &newest, false),
            ("/v1/messages?beta=true", &[], true),
            ("/v1/messages?beta=true", &usual, false),
            ("/v1/messages", &beta, true),
            ("/v1/messages", &version, true),
            ("/v1/messages", &version, false),
        ] {
            let before = shop.asked();
            let answer = shop.call(0, ask(path, headers)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let asked = shop.asked() > before;
            assert_eq!(asked, is_new, "{path} {headers:?}");
        }
    });
}
