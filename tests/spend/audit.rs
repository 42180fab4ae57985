//! Do the books say what the stand-ins say?
//!
//! # Invariants
//! - Whatever was answered is compared to the token; where a client left, the provider cannot tell, and the books must lie between nothing and what was reserved.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use trimtab::store::{Database, Entry, Filter, State};

use crate::client::Client;

/// Tokens that a picture of the stand-ins has.
const PICTURE_TOKENS: u64 = 1_056;

/// Whose clients leave.
const LEFT: &str = "delta";

/// Flags of entries.
const FAILED: u8 = 4;
const OVERRUN: u8 = 8;

/// Nano-dollars a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

/// What was compared.
#[derive(Debug)]
pub(crate) struct Agreed {
    entries: usize,
    /// Of answers, nano-dollars.
    answered: u64,
    /// Of what nobody waited for, nano-dollars, and what the stand-ins say that it was.
    left: (u64, u64),
}

/// What the stand-ins say that all attempts came to.
pub(crate) async fn totals(mock: SocketAddr) -> Vec<Value> {
    let request = b"GET /mock/totals HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = Client::new(mock).call(request).await.unwrap();
    serde_json::from_slice(answer.body()).unwrap()
}

/// Holds the books in a folder against the stand-ins' totals and the accounts.
pub(crate) fn audit(
    folder: &Path,
    totals: &[Value],
    accounts: &BTreeMap<String, u64>,
    prices: Prices,
) -> Agreed {
    let entries = entries(folder);
    for line in &entries {
        let (provider, entry) = (&line.provider, &line.entry);
        assert_eq!(entry.state, State::Settled, "{entry:?}");
        assert!(Some(entry.charged) <= entry.reserved, "{entry:?}");
        assert_eq!(entry.flags & OVERRUN, 0, "{entry:?}");
        assert!(
            entry.flags & FAILED == 0 || entry.charged == 0,
            "{provider}: {entry:?}"
        );
    }
    let charged = |provider: &str| sum(&entries, |it| it.provider == provider);
    let of_answers = |provider: &str| sum(&entries, |it| it.provider == provider);
    let mut answered = 0;
    for provider in ["alpha", "beta", "gamma"] {
        let told = told(totals, provider, "completed", prices);
        assert_eq!(of_answers(provider), told, "{provider}: {totals:?}");
        answered += told;
    }
    let all = sum(&entries, |_| true);
    for (whose, spent) in accounts {
        let of_key = |it: &Line| whose.contains(&format!("key `{}`", it.key));
        let expected = match &**whose {
            "team `t`" | "customer `c`" => all,
            "provider `alpha`" => charged("alpha"),
            it if it.ends_with("at provider `alpha`") => {
                sum(&entries, |it| of_key(it) && it.provider == "alpha")
            }
            _ => sum(&entries, of_key),
        };
        assert_eq!(*spent, expected, "{whose}");
    }
    let ends = ["completed", "client_left"].map(|end| told(totals, LEFT, end, prices));
    Agreed {
        entries: entries.len(),
        answered,
        left: (charged(LEFT), ends.iter().sum()),
    }
}

/// An entry with the names in it.
#[derive(Debug)]
struct Line {
    key: String,
    provider: String,
    entry: Entry,
}

fn sum(entries: &[Line], which: impl Fn(&Line) -> bool) -> u64 {
    let charged = entries
        .iter()
        .filter(|it| which(it))
        .map(|it| it.entry.charged);
    u64::try_from(charged.sum::<i64>()).unwrap()
}

/// Every entry of the books.
fn entries(folder: &Path) -> Vec<Line> {
    let database = Database::open_to_read(&folder.join("history.db")).unwrap();
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(cursor) = after {
        let page = database
            .entries(&Filter::default(), cursor, 10_000)
            .unwrap();
        all.extend(page.rows.into_iter().map(|row| {
            let [key, _, route, _] = row.names;
            let route = route.unwrap();
            Line {
                key: key.unwrap(),
                provider: route.split('/').next().unwrap().to_owned(),
                entry: row.entry,
            }
        }));
        after = page.next;
    }
    all
}

/// What attempts at a provider that ended so cost by its own count.
fn told(totals: &[Value], provider: &str, end: &str, prices: Prices) -> u64 {
    let which = |it: &&Value| it["provider"] == provider && it["end"] == end;
    let cost = |it: &Value| {
        let number = |name: &str| it[name].as_u64().unwrap();
        let output = match it["path"].as_str() {
            Some("images/generations") => PICTURE_TOKENS * number("attempts"),
            _ => number("output_tokens"),
        };
        prices.input * number("input_tokens") + prices.output * output
    };
    totals.iter().filter(which).map(cost).sum()
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = |nano: u64| nano as f64 / 1e9;
        write!(
            f,
            "{} entries, ${:.6} of answers agree, ${:.6} of streams left early (stand-ins: ${:.6})",
            self.entries,
            dollars(self.answered),
            dollars(self.left.0),
            dollars(self.left.1)
        )
    }
}
