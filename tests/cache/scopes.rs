//! Whose answers does a key get? Its own, unless the operator says otherwise.

use super::{asking, attempts, status};
use crate::governance::{books_in, with_key};
use crate::support::{Bench, Folder, Mode, Spec, bench};

const KEYS: [&str; 4] = [
    "sk-key-of-ann-0123456789",
    "sk-key-of-bob-0123456789",
    "sk-key-of-cid-0123456789",
    "sk-key-of-dot-0123456789",
];

/// Four keys: Ann and Bob in one team, Cid in another of the same customer, Dot alone.
fn keyed(folder: &Folder, scope: &str) -> Spec {
    let [ann, bob, cid, dot] = KEYS;
    books_in(folder)
        .stand_in("alpha", "answer = 60")
        .with(&format!(
            "[models.main]\nroutes = [{{ provider = \"alpha\" }}]\ncache = {{ layers = \"exact\", scope = \"{scope}\" }}\n\
             [customers.acme]\n[teams.blue]\ncustomer = \"acme\"\n[teams.red]\ncustomer = \"acme\"\n\
             [keys.ann]\nteam = \"blue\"\nsecret = \"{ann}\"\n[keys.bob]\nteam = \"blue\"\nsecret = \"{bob}\"\n\
             [keys.cid]\nteam = \"red\"\nsecret = \"{cid}\"\n[keys.dot]\nsecret = \"{dot}\"\n"
        ))
}

async fn ask(bench: &Bench, key: usize) -> String {
    let call = with_key(asking("What is it?", Mode::Whole), KEYS[key]);
    let answer = bench.call(&call).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    status(&answer).to_owned()
}

/// Who gets an answer that another key has paid for is not told so, since that would tell what the other asked.
#[test]
fn answers_are_shared_as_the_operator_says() {
    for (scope, asked) in [("key", 4), ("team", 3), ("customer", 2), ("all", 1)] {
        let folder = Folder::new("cache");
        bench(&keyed(&folder, scope), async |bench| {
            for key in 0..4 {
                let first = ask(&bench, key).await;
                let own = ask(&bench, key).await;
                if first == "MISS" {
                    assert_eq!(own, "HIT", "{scope}");
                } else {
                    assert_eq!((&*first, &*own), ("", ""), "{scope}");
                }
            }
            assert_eq!(attempts(&bench), asked, "{scope}");
        });
    }
}

/// A client cannot name its scope, loosen a threshold or learn of others' answers.
#[test]
fn no_header_widens_anything() {
    let folder = Folder::new("cache");
    bench(&keyed(&folder, "key"), async |bench| {
        ask(&bench, 0).await;
        for (name, value) in [
            ("x-trimtab-cache-threshold", "0"),
            ("x-trimtab-cache-ttl", "999999999"),
            ("x-trimtab-team", "blue"),
            ("x-trimtab-key", "ann"),
            ("cache-control", "max-stale=9999, only-if-cached"),
            ("x-trimtab-explain", "1"),
        ] {
            let call = asking("What is it?", Mode::Whole).header(name, value);
            let answer = bench
                .call(&with_key(call.header("cache-control", "no-cache"), KEYS[1]))
                .await;
            assert_eq!(status(&answer), "MISS", "{name}");
        }
    });
}

/// A hit costs nothing, is written down as one, and is counted as saved.
#[test]
fn a_hit_costs_nothing() {
    let folder = Folder::new("cache");
    let spec = keyed(&folder, "key").with("[prices.\"alpha/main\"]\ninput = 1.0\noutput = 10.0\n");
    bench(&spec, async |bench| {
        ask(&bench, 0).await;
        let metrics = bench.metrics().await;
        let spent = metrics.sum("router_spend_dollars_total", &[]);
        assert!(spent > 0.0);
        for _ in 0..3 {
            assert_eq!(ask(&bench, 0).await, "HIT");
        }
        let metrics = bench.metrics().await;
        assert!((metrics.sum("router_spend_dollars_total", &[]) - spent).abs() < 1e-12);
        let saved = metrics.sum("router_cache_saved_dollars_total", &[]);
        assert!((saved - 3.0 * spent).abs() < 1e-9, "{saved} {spent}");
    });
}
