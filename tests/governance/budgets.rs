//! What is spent never exceeds what may be, and is what the providers answered.

use trimtab::config::Nano;
use trimtab::governance::{Member, Payee};

use crate::support::{Bench, Call, Client, Mode, Spec, bench, chat};

use super::{Folder, books_in, with_key};

const SECRET: &str = "a-secret-of-the-operator";

/// A dollar for a million tokens of input, four of output: 1,000 and 4,000 nano-dollars each.
const MODEL: &str = "
[models.main]
routes = [{ provider = \"alpha\", model = \"m\", price_input = 1.0, price_output = 4.0 }]";

fn asked(max_tokens: u32, mode: Mode) -> Call {
    let mut body = chat("main", mode);
    body["max_tokens"] = max_tokens.into();
    with_key(Call::chat(&body), SECRET)
}

/// Spent and reserved of the first budget of a tier.
pub(super) fn seen(tier: &Payee) -> (u64, u64) {
    let charge = &tier.charges[0];
    let view = charge.account.view(charge.limit);
    assert!(view.spent.plus(view.reserved) <= view.limit, "{view:?}");
    (view.spent.get(), view.reserved.get())
}

pub(super) fn member(bench: &Bench) -> std::sync::Arc<Member> {
    let ledger = bench.gateway.shared.lasting.ledger.as_ref().unwrap();
    let roster = ledger.roster.load();
    let member = roster.members().next().unwrap();
    std::sync::Arc::clone(member)
}

/// What the stand-in `alpha` says that it answered, nano-dollars.
pub(super) fn answered(bench: &Bench) -> u64 {
    let cost = |it: &trimtab::mock::Attempt| {
        1_000 * u64::from(it.input_tokens) + 4_000 * u64::from(it.output_tokens)
    };
    bench.seen("alpha").iter().map(cost).sum()
}

/// One of a key's tiers.
type Of = fn(&Member) -> &Payee;

#[test]
fn each_tier_may_be_the_tightest() {
    let tiers: [(&str, &str, Of); 4] = [
        ("keys.ci", "key `ci`", |it| &it.own),
        ("teams.t", "team `t`", |it| it.team.as_ref().unwrap()),
        ("customers.c", "customer `c`", |it| {
            it.customer.as_ref().unwrap()
        }),
        (
            "keys.ci.providers.alpha",
            "key `ci` at provider `alpha`",
            |it| it.at("alpha").unwrap(),
        ),
    ];
    for (table, told, of) in tiers {
        let folder = Folder::new("governance");
        let mut spec = books_in(&folder).with(MODEL).stand_in("alpha", "");
        let budget = |own: &str| if own == table { "0.003" } else { "1.0" };
        for (own, rest) in [
            ("customers.c", ""),
            ("teams.t", "customer = \"c\""),
            (
                "keys.ci",
                "team = \"t\"\nsecret = \"a-secret-of-the-operator\"",
            ),
            ("keys.ci.providers.alpha", ""),
        ] {
            let limit = budget(own);
            spec = spec.with(&format!(
                "[{own}]\n{rest}\nbudgets = [{{ limit = {limit}, period = \"1d\" }}]"
            ));
        }
        bench(&spec, async |bench| {
            let member = member(&bench);
            let mut served = 0;
            let refusal = loop {
                let answer = bench.call(&asked(100, Mode::Whole)).await;
                assert_eq!(seen(of(&member)).1, 0, "nothing is in flight");
                assert_eq!(seen(of(&member)).0, answered(&bench), "{table}");
                if answer.status != 200 {
                    break answer;
                }
                served += 1;
                assert!(served < 100);
            };
            assert!(served > 2, "{table}: {served}");
            assert_eq!(refusal.status, 402, "{refusal:?}");
            assert_eq!(
                refusal.header("x-should-retry"),
                Some("false"),
                "{refusal:?}"
            );
            assert_eq!(refusal.header("retry-after"), None);
            let text = refusal.text();
            assert!(
                text.contains("budget_exceeded") && text.contains(told),
                "{text}"
            );
            assert!(text.contains("$0.003 in 1d"), "{text}");
            assert_eq!(
                bench.seen("alpha").len(),
                served,
                "what is refused is not sent"
            );
        });
    }
}

#[test]
fn streams_pay_for_what_was_generated() {
    let folder = Folder::new("governance");
    let key = "[keys.ci]\nsecret = \"a-secret-of-the-operator\"\nbudgets = [{ limit = 1.0, period = \"1d\" }]";
    let spec = books_in(&folder)
        .with(MODEL)
        .with(key)
        .stand_in("alpha", "");
    bench(&spec, async |bench| {
        let member = member(&bench);
        let answer = bench.call(&asked(100, Mode::Stream)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(seen(&member.own), (answered(&bench), 0));
    });
}

#[test]
fn spent_money_is_spent_after_a_restart() {
    let folder = Folder::new("governance");
    let key = "[keys.ci]\nsecret = \"a-secret-of-the-operator\"\nbudgets = [{ limit = 0.005, period = \"1Y\" }, { limit = 0.005, period = \"1Y\", style = \"rolling\" }]";
    let spec = || {
        books_in(&folder)
            .with(MODEL)
            .with(key)
            .stand_in("alpha", "")
    };
    let mut before = 0;
    for _ in 0..3 {
        bench(&spec(), async |bench| {
            let member = member(&bench);
            assert_eq!(seen(&member.own).0, before);
            let answer = bench.call(&asked(100, Mode::Whole)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            before += answered(&bench);
            for charge in &member.own.charges {
                let view = charge.account.view(charge.limit);
                assert_eq!((view.spent, view.reserved), (Nano::new(before), Nano::ZERO));
            }
        });
    }
}

/// A price that nobody knows is never taken for nothing: it is marked, or no budget pays for it.
#[test]
fn an_unknown_price_is_marked_or_refused() {
    let key = "[keys.ci]\nsecret = \"a-secret-of-the-operator\"\nbudgets = [{ limit = 1.0, period = \"1d\" }]";
    let model = "[models.main]\nroutes = [{ provider = \"alpha\", model = \"m\" }]";
    for (setting, status, sent) in [("flag", 200, 1), ("refuse", 403, 0)] {
        let folder = Folder::new("governance");
        let path = folder.0.display();
        let tables = format!("[governance]\ndata = \"{path}\"\nunknown_price = \"{setting}\"");
        let spec = Spec::new().with(&tables).with(model).with(key);
        let spec = spec.stand_in("alpha", "");
        bench(&spec, async |bench| {
            let answer = bench.call(&asked(10, Mode::Whole)).await;
            assert_eq!(answer.status, status, "{setting}: {answer:?}");
            assert_eq!(bench.seen("alpha").len(), sent, "{setting}");
            assert_eq!(seen(&member(&bench).own), (0, 0), "{setting}");
            let told = answer.text().contains("price_unknown");
            assert_eq!(told, setting == "refuse", "{answer:?}");
        });
        // What was written down has been read at a start.
        bench(&spec, async |bench| {
            let mut client = Client::open(bench.gateway.admin).await;
            let csv = client
                .call(&Call::get("/api/ledger?format=csv"))
                .await
                .text();
            let mut lines = csv.lines();
            let head: Vec<_> = lines.next().unwrap().split(',').collect();
            let column = head.iter().position(|it| *it == "unpriced").unwrap();
            let marked: Vec<_> = lines.map(|it| it.split(',').nth(column)).collect();
            assert_eq!(marked, vec![Some("1"); sent], "{csv}");
        });
    }
}
