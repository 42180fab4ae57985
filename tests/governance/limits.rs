//! Rate limits, shared budgets, and routes that can be afforded.

use crate::support::{Answer, Bench, Call, Mode, bench, chat, pass_ms};

use super::budgets::{answered, member, seen};
use super::{Folder, books_in, with_key};

const SECRET: &str = "a-secret-of-the-operator";
const OTHER: &str = "another-secret-of-his";

/// A dollar for a million tokens of input, four of output: 1,000 and 4,000 nano-dollars each.
const MODEL: &str = "
[models.main]
routes = [{ provider = \"alpha\", model = \"m\", price_input = 1.0, price_output = 4.0 }]";

fn asked(key: &str) -> Call {
    let mut body = chat("main", Mode::Whole);
    body["max_tokens"] = 100.into();
    with_key(Call::chat(&body), key)
}

/// A refusal for being too fast, which says whose limit it is and when to come again.
fn assert_too_fast(answer: &Answer, told: &str) -> u64 {
    assert_eq!(answer.status, 429, "{answer:?}");
    let text = answer.text();
    assert!(text.contains(told), "{told}: {text}");
    assert!(text.contains("rate_limit_exceeded"), "{text}");
    let wait = answer.header("retry-after").unwrap();
    let wait = wait.parse().unwrap();
    assert!((1..=60).contains(&wait), "{answer:?}");
    wait
}

#[test]
fn each_tier_limits_how_fast_its_keys_ask() {
    for (table, told) in [
        ("keys.ci", "key `ci`"),
        ("teams.t", "team `t`"),
        ("customers.c", "customer `c`"),
        ("keys.ci.providers.alpha", "key `ci` at provider `alpha`"),
    ] {
        let folder = Folder::new("governance");
        let mut spec = books_in(&folder).with(MODEL).stand_in("alpha", "");
        let other = format!("[keys.other]\nteam = \"t\"\nsecret = \"{OTHER}\"");
        spec = spec.with(&other);
        for (own, rest) in [
            ("customers.c", String::new()),
            ("teams.t", "customer = \"c\"".to_owned()),
            ("keys.ci", format!("team = \"t\"\nsecret = \"{SECRET}\"")),
            ("keys.ci.providers.alpha", String::new()),
        ] {
            let limit = if own == table {
                "rate_limits = { requests_per_minute = 3 }"
            } else {
                ""
            };
            spec = spec.with(&format!("[{own}]\n{rest}\n{limit}"));
        }
        bench(&spec, async |bench| {
            for _ in 0..3 {
                assert_eq!(bench.call(&asked(SECRET)).await.status, 200, "{table}");
            }
            let wait = assert_too_fast(&bench.call(&asked(SECRET)).await, told);
            assert_eq!(bench.seen("alpha").len(), 3, "what is refused is not sent");
            // Whoever shares the tier is held up as well, and nobody else.
            let other = bench.call(&asked(OTHER)).await;
            if table.starts_with("keys") {
                assert_eq!(other.status, 200, "{table}");
            } else {
                assert_too_fast(&other, told);
            }
            // What was promised holds, and not a second sooner.
            pass_ms(wait * 1_000 - 1_000).await;
            assert_too_fast(&bench.call(&asked(SECRET)).await, told);
            pass_ms(1_000).await;
            assert_eq!(bench.call(&asked(SECRET)).await.status, 200, "{table}");
        });
    }
}

#[test]
fn tokens_and_requests_at_once_are_limited_too() {
    for (limits, told) in [
        ("input_tokens_per_minute = 40", "40 input tokens"),
        ("output_tokens_per_minute = 100", "100 output tokens"),
    ] {
        let folder = Folder::new("governance");
        let key = format!("[keys.ci]\nsecret = \"{SECRET}\"\nrate_limits = {{ {limits} }}");
        let spec = books_in(&folder)
            .with(MODEL)
            .with(&key)
            .stand_in("alpha", "");
        bench(&spec, async |bench| {
            let mut served = 0;
            let refusal = loop {
                let answer = bench.call(&asked(SECRET)).await;
                if answer.status != 200 {
                    break answer;
                }
                served += 1;
                assert!(served < 20, "{limits}");
            };
            assert!(served > 0);
            let wait = assert_too_fast(&refusal, told);
            pass_ms(wait * 1_000).await;
            assert_eq!(bench.call(&asked(SECRET)).await.status, 200, "{limits}");
        });
    }
}

#[test]
fn one_keys_spent_budget_does_not_stop_its_team() {
    let folder = Folder::new("governance");
    let keys = format!(
        "[teams.t]\nbudgets = [{{ limit = 1.0, period = \"1d\" }}]\n\
         [keys.ci]\nteam = \"t\"\nsecret = \"{SECRET}\"\nbudgets = [{{ limit = 0.003, period = \"1d\" }}]\n\
         [keys.other]\nteam = \"t\"\nsecret = \"{OTHER}\"\nbudgets = [{{ limit = 0.01, period = \"1d\" }}]"
    );
    let spec = books_in(&folder)
        .with(MODEL)
        .with(&keys)
        .stand_in("alpha", "");
    bench(&spec, async |bench| {
        while bench.call(&asked(SECRET)).await.status == 200 {}
        let refusal = bench.call(&asked(SECRET)).await;
        assert_eq!(refusal.status, 402, "{refusal:?}");
        assert!(refusal.text().contains("key `ci`"), "{refusal:?}");
        for _ in 0..5 {
            assert_eq!(bench.call(&asked(OTHER)).await.status, 200);
            assert_eq!(bench.call(&asked(SECRET)).await.status, 402);
        }
        let team = member(&bench).team.clone().unwrap();
        assert_eq!(seen(&team), (answered(&bench), 0), "the team paid for both");
    });
}

/// A dear model that falls back to a cheap one.
fn dear_and_cheap(limit: &str) -> String {
    format!(
        "[models.main]\nroutes = [{{ provider = \"dear\", model = \"m\", price_input = 100.0, price_output = 400.0 }}]\nfallbacks = [\"cheap\"]\n\
         [models.cheap]\nroutes = [{{ provider = \"alpha\", model = \"n\", price_input = 1.0, price_output = 4.0 }}]\n\
         [keys.ci]\nsecret = \"{SECRET}\"\nbudgets = [{{ limit = {limit}, period = \"1d\" }}]"
    )
}

#[test]
fn who_cannot_afford_the_dear_route_gets_the_cheap_one() {
    let folder = Folder::new("governance");
    let tables = dear_and_cheap("0.01");
    let spec = books_in(&folder)
        .with(&tables)
        .stand_in("dear", "")
        .stand_in("alpha", "");
    bench(&spec, async |bench: Bench| {
        let member = member(&bench);
        let (mut served, mut refusal) = (0, None);
        while refusal.is_none() {
            let answer = bench.call(&asked(SECRET)).await;
            if answer.status == 200 {
                served += 1;
                assert!(
                    answer
                        .header("x-trimtab-route")
                        .unwrap()
                        .starts_with("alpha/")
                );
            } else {
                refusal = Some(answer);
            }
            assert!(served < 100);
        }
        assert!(served > 10, "{served}");
        let refusal = refusal.unwrap();
        assert_eq!(
            refusal.status, 402,
            "only when none can be afforded: {refusal:?}"
        );
        assert_eq!(bench.seen("dear").len(), 0);
        assert_eq!(seen(&member.own), (answered(&bench), 0));
        assert_eq!(bench.seen("alpha").len(), served);
    });
}

#[test]
fn who_can_afford_the_dear_route_gets_it() {
    let folder = Folder::new("governance");
    let tables = dear_and_cheap("10.0");
    let spec = books_in(&folder)
        .with(&tables)
        .stand_in("dear", "")
        .stand_in("alpha", "");
    bench(&spec, async |bench: Bench| {
        let answer = bench.call(&asked(SECRET)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(bench.seen("dear").len(), 1);
        assert_eq!(bench.seen("alpha").len(), 0);
    });
}

/// What a budget refuses takes nothing of a rate limit, whichever tier has it.
#[test]
fn what_a_budget_refuses_costs_no_rate() {
    for table in ["keys.ci", "keys.ci.providers.alpha"] {
        let folder = Folder::new("governance");
        let rate = "rate_limits = { requests_per_minute = 3 }";
        let [own, there] =
            [table == "keys.ci", table != "keys.ci"].map(|it| if it { rate } else { "" });
        let tables = format!(
            "[keys.ci]\nsecret = \"{SECRET}\"\nbudgets = [{{ limit = 0.01, period = \"1d\" }}]\n{own}\n[keys.ci.providers.alpha]\n{there}"
        );
        let spec = books_in(&folder)
            .with(MODEL)
            .with(&tables)
            .stand_in("alpha", "");
        bench(&spec, async |bench| {
            let mut dear = chat("main", Mode::Whole);
            dear["max_tokens"] = 100_000.into();
            for _ in 0..5 {
                let answer = bench.call(&with_key(Call::chat(&dear), SECRET)).await;
                assert_eq!(answer.status, 402, "{table}: {answer:?}");
            }
            for _ in 0..3 {
                assert_eq!(bench.call(&asked(SECRET)).await.status, 200, "{table}");
            }
            assert_too_fast(&bench.call(&asked(SECRET)).await, "key `ci`");
        });
    }
}
