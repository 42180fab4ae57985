//! Looks into the books while no gateway has them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use trimtab::clock;
use trimtab::config::{self, Config, Paint, Surroundings};
use trimtab::governance::Ledger;
use trimtab::governance::journal::NamesError;
use trimtab::mock::{Mock, Running, Script};
use trimtab::store::{Database, Entry, Filter};

use crate::client::Client;

/// The configuration that a text is.
pub(crate) fn parse(text: &str) -> Config {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    match config::parse(Path::new("trimtab.toml"), text, &around) {
        Ok(config) => config,
        Err(report) => panic!("{}\n{text}", report.render(Paint::Plain)),
    }
}

/// Stand-ins of this script, which outlive every gateway.
pub(crate) fn stand_ins(script: &str) -> Running {
    let script: Script = toml::from_str(script).unwrap();
    Mock::start(script).unwrap()
}

/// What is in the books after everything that was written down has been read.
#[derive(Debug)]
pub(crate) struct Books {
    /// Spent of each key's first budget, nano-dollars, by its name; what is in doubt included.
    pub(crate) spent: BTreeMap<String, u64>,
    /// Attempts that were in flight when the last process ended.
    pub(crate) in_doubt: usize,
    /// Every entry, with its key.
    pub(crate) entries: Vec<(String, Entry)>,
}

/// Opens the ledger as a gateway does at its start, and closes it again.
pub(crate) fn open(config: &Config) -> Books {
    let folder = &config.governance.data;
    let around = (clock::unix_micros(), &mut clock::secrets());
    let opened = Ledger::open(&config.governance, 1, around).unwrap();
    let who = || (Arc::new(config.clone()), config.tenants.clone());
    let enrolled = opened
        .ledger
        .enroll(who, clock::unix_seconds(), |_| Ok::<_, NamesError>(()));
    enrolled.unwrap();
    let roster = opened.ledger.roster.load();
    let spent = roster.members().filter_map(|member| {
        let charge = member.own.charges.first()?;
        let view = charge.account.view(charge.limit);
        assert_eq!(view.reserved.get(), 0, "nothing is in flight");
        Some((member.own.name.to_string(), view.spent.get()))
    });
    let (spent, in_doubt) = (spent.collect(), opened.in_doubt);
    drop(roster);
    drop(opened);
    Books {
        spent,
        in_doubt,
        entries: entries(folder),
    }
}

fn entries(folder: &Path) -> Vec<(String, Entry)> {
    let database = Database::open_to_read(&folder.join("history.db")).unwrap();
    let (mut all, mut after) = (Vec::new(), Some(0));
    while let Some(cursor) = after {
        let page = database
            .entries(&Filter::default(), cursor, 10_000)
            .unwrap();
        let rows = page.rows.into_iter();
        all.extend(rows.map(|row| {
            let [key, ..] = row.names;
            (key.unwrap(), row.entry)
        }));
        after = page.next;
    }
    all
}

/// What the stand-ins say at one of their own paths.
pub(crate) async fn told(client: &mut Client, path: &str) -> Value {
    let request = format!("GET /mock/{path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let answer = client.call(request.as_bytes()).await.unwrap();
    serde_json::from_slice(answer.body()).unwrap()
}

/// A request with a key and a body.
pub(crate) fn post(path: &str, secret: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\nanthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
