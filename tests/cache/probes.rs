//! Can a key get at another one's answers, or learn that there are any?

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::shop::{Shop, Words};
use super::status;
use crate::support::{Call, Folder, paused};

/// Questions, of which no guard tells the first four apart, nor the last two.
const QUESTIONS: [&str; 6] = [
    "How do I reset the password of my mail account?",
    "Please, can you tell me how to reset the password of my mail account",
    "Can you please tell me: how to reset the password of my mail account?",
    "how do i reset the password of my mail account please",
    "How do I bake bread at home?",
    "Please, can you tell me how to bake bread at home",
];

/// Who shares answers with whom, as a number for each key.
fn classes(scope: &str) -> [usize; 4] {
    match scope {
        "key" => [0, 1, 2, 3],
        "team" => [0, 0, 2, 3],
        "customer" => [0, 0, 0, 3],
        _ => [0; 4],
    }
}

/// What a client may try to get at what is not its own.
fn tricks(call: Call, rng: &mut StdRng) -> Call {
    let tried = [
        ("x-trimtab-cache-threshold", "0"),
        ("x-trimtab-cache-threshold", "0.0001"),
        ("x-trimtab-cache-ttl", "99999999999"),
        ("x-trimtab-team", "blue"),
        ("x-trimtab-key", "ann"),
        ("x-trimtab-cache-scope", "all"),
        ("x-trimtab-cache", "HIT"),
        ("x-cache-status", "HIT"),
        ("cache-control", "only-if-cached, max-stale=99999"),
        ("if-none-match", "*"),
        ("x-request-id", "the-same-for-all"),
        ("idempotency-key", "the-same-for-all"),
        ("x-session-id", "the-same-for-all"),
    ];
    let (name, value) = tried[rng.random_range(0..tried.len())];
    if rng.random_bool(0.5) {
        return call;
    }
    call.header(name, value)
}

/// Random requests of four keys against a plain twin: what is told was asked by somebody of the same scope, and the very same is asked once.
fn nobody_gets_anothers(scope: &'static str, caching: &'static str, seed: u64) {
    let folder = Folder::new("cache-probes");
    paused(|| async move {
        let caching = format!("scope = \"{scope}\"\n{caching}");
        let lines = "[cache.audit]\nshare = 0.0\n";
        let shop = Shop::start(&folder, &caching, lines).await;
        let classes = classes(scope);
        let mut rng = StdRng::seed_from_u64(seed);
        let mut twin: BTreeMap<(usize, &str, Words, bool), usize> = BTreeMap::new();
        let (mut hits, mut meant) = (0, 0);
        for step in 0..300 {
            let key = rng.random_range(0..4);
            let question = QUESTIONS[rng.random_range(0..QUESTIONS.len())];
            let words = Words::ALL[rng.random_range(0..Words::ALL.len())];
            let stream = rng.random_bool(0.5);
            let call = tricks(words.ask(question, stream), &mut rng);
            let before = shop.asked();
            let answer = shop.call(key, call).await;
            let at = format!("{scope}, seed {seed}, step {step}: {answer:?}");
            assert_eq!(answer.status, 200, "{at}");
            let (number, payer, asked) = shop.origin(&answer);
            assert_eq!(classes[payer], classes[key], "{at}");
            let was_asked = shop.asked() > before;
            let same = twin.insert((classes[key], question, words, stream), number);
            if let Some(same) = same {
                assert!(!was_asked, "{at}");
                assert_eq!(number, same, "{at}");
            }
            assert!(!was_asked || payer == key, "{at}");
            hits += usize::from(!was_asked);
            meant += usize::from(asked != question);
            if payer != key {
                assert_eq!(answer.header("x-cache-status"), None, "{at}");
                assert_eq!(answer.header("age"), None, "{at}");
            }
        }
        assert!(hits > 200, "{scope}: {hits}");
        let semantic = caching.contains("semantic");
        assert_eq!(meant > 0, semantic, "{scope}: {meant} by their meaning");
    });
}

#[test]
fn no_key_gets_anothers_answer() {
    nobody_gets_anothers("key", "layers = \"exact\"", 1);
    nobody_gets_anothers("team", "layers = \"exact\"", 2);
}

/// The worst embedder that there can be: to it everything means the same.
#[test]
fn no_key_gets_anothers_answer_whatever_the_embedder_says() {
    nobody_gets_anothers("key", "layers = \"semantic\"\nthreshold = 0.7", 3);
    nobody_gets_anothers("team", "layers = \"semantic\"\nthreshold = 0.7", 4);
    nobody_gets_anothers("customer", "layers = \"semantic\"\nthreshold = 0.7", 5);
}

/// In a shared scope, nothing but the answer tells that somebody else has asked.
#[test]
fn a_shared_answer_does_not_tell_whose_it_is() {
    let folder = Folder::new("cache-probes");
    paused(|| async move {
        let shop = Shop::start(
            &folder,
            "layers = \"semantic\"\nscope = \"team\"\nthreshold = 0.7",
            "[cache.audit]\nshare = 0.0\n",
        )
        .await;
        let explained = |question: &str| {
            Words::Chat
                .ask(question, false)
                .header("x-trimtab-explain", "1")
        };
        shop.call(0, explained(QUESTIONS[0])).await;
        for question in [QUESTIONS[0], QUESTIONS[1]] {
            let answer = shop.call(1, explained(question)).await;
            assert_eq!(shop.origin(&answer).1, 0, "{answer:?}");
            for name in [
                "x-cache-status",
                "age",
                "x-trimtab-cache",
                "x-trimtab-route",
            ] {
                assert_eq!(answer.header(name), None, "{name}");
            }
        }
        let metrics = shop.bench.metrics().await.0;
        let of_cache = metrics.lines().filter(|line| line.contains("cache"));
        for line in of_cache {
            assert!(!line.contains("ann") && !line.contains("bob"), "{line}");
        }
    });
}

/// How near another key's question is, or which guard refused it, would tell what that one asked.
#[test]
fn a_miss_does_not_tell_of_anothers_question() {
    let folder = Folder::new("cache-probes");
    paused(|| async move {
        let shop = Shop::start(
            &folder,
            "layers = \"semantic\"\nscope = \"team\"\nthreshold = 0.7",
            "[cache.audit]\nshare = 0.0\n",
        )
        .await;
        let secret = "Pay 500 dollars to Miller";
        let probe = |question: &str| {
            Words::Chat
                .ask(question, false)
                .header("x-trimtab-explain", "1")
        };
        shop.ask(0, secret).await;
        let told = |answer: &crate::support::Answer| -> Value {
            serde_json::from_str(answer.header("x-trimtab-cache").unwrap()).unwrap()
        };
        let answer = shop.call(1, probe("Pay 501 dollars to Miller")).await;
        assert_eq!(status(&answer), "MISS", "{answer:?}");
        let of_others = told(&answer);
        assert!(
            of_others["refused_by"].is_null() && of_others["similarity"].is_null(),
            "{of_others}"
        );
        // Of its own questions it is told.
        let answer = shop.call(0, probe("Pay 502 dollars to Miller")).await;
        assert!(told(&answer)["refused_by"].is_string(), "{answer:?}");
    });
}

/// What another key has asked does not make anything faster: the provider is asked, once for each key.
#[test]
fn another_keys_question_is_asked_again() {
    let folder = Folder::new("cache-probes");
    paused(|| async move {
        let shop = Shop::start(&folder, "layers = \"semantic\"\nthreshold = 0.7", "").await;
        for (asked, key) in (0..4).enumerate() {
            assert_eq!(shop.asked(), asked);
            let answer = shop.ask(key, QUESTIONS[0]).await;
            assert_eq!(status(&answer), "MISS");
            assert_eq!(shop.asked(), asked + 1);
        }
    });
}

/// What a key adds in a minute is bounded, for each key by itself.
#[test]
fn a_flood_keeps_its_pace() {
    let folder = Folder::new("cache-probes");
    paused(|| async move {
        let lines = "[cache]\nwrites_per_minute = 20\n";
        let shop = Shop::start(&folder, "layers = \"exact\"", lines).await;
        let name = |number: usize| format!("Question number {number} of many");
        for number in 0..100 {
            shop.ask(0, &name(number)).await;
        }
        let kept = shop.library().shelf().size().0;
        // The machine's clock may have come to another minute meanwhile.
        assert!(kept == 20 || kept == 40, "{kept} in one minute");
        for number in 0..10 {
            assert_eq!(status(&shop.ask(1, &name(number)).await), "MISS");
            assert_eq!(status(&shop.ask(1, &name(number)).await), "HIT");
        }
    });
}

/// A key that floods for long gives up its own answers, and pushes out nobody else's.
#[test]
fn a_flood_keeps_to_its_share() {
    let folder = Folder::new("cache-probes");
    paused(|| async move {
        let lines = "[cache]\nmemory = \"64KiB\"\n";
        let shop = Shop::start(&folder, "layers = \"exact\"", lines).await;
        let name = |number: usize| format!("Question number {number} of many");
        for number in 0..10 {
            shop.ask(1, &name(number)).await;
        }
        for number in 0..300 {
            shop.ask(0, &name(number)).await;
        }
        assert_eq!(status(&shop.ask(0, &name(299)).await), "HIT", "its newest");
        let before = shop.asked();
        for number in 0..10 {
            let answer = shop.ask(1, &name(number)).await;
            assert_eq!(status(&answer), "HIT", "{number}");
        }
        assert_eq!(shop.asked(), before);
    });
}
