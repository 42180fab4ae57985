//! The admin API: the life of keys, every mistake, who may ask, what is documented, what is kept, what is tried, and how routes are steered.

mod console;
mod life;
mod lists;
mod live;
mod matrix;
mod mistakes;
mod openapi;
mod page;
mod schema;
mod secrets;
mod setting;
mod shadow;
mod steering;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use trimtab::store::{Batch, Database, Entry, Shift, State};

use crate::support::{Answer, Bench, Call, Client, Folder, Spec, paused};

/// What the file declares in these tests.
const DECLARED: &str = "
[customers.acme]
budgets = [{ limit = 5000, period = \"1M\", zone = \"Europe/Berlin\" }]
[teams.search]
customer = \"acme\"
models = [\"main\"]
[keys.ci]
team = \"search\"
secret = \"0123456789abcdef\"
tags = { project = \"nightly\" }
";

/// A configuration with a ledger in a folder.
fn governed(folder: &Folder) -> Spec {
    let data = folder.0.join("data");
    Spec::new()
        .stand_in("p", "")
        .with("[models.main]\nroutes = [{ provider = \"p\" }]")
        .with(&format!("[governance]\ndata = {data:?}\nkeep = \"10Y\""))
        .with(DECLARED)
}

/// A gateway whose admin plane is asked.
struct Plane {
    bench: Bench,
}

/// Runs a test against a gateway with a ledger in a folder.
fn with_plane<F: Future<Output = ()>>(folder: &Folder, test: impl FnOnce(Plane) -> F) {
    let text = governed(folder).text();
    paused(|| async move {
        let bench = Bench::start(&text, None).await;
        test(Plane { bench }).await;
    });
}

impl Plane {
    async fn call(&self, call: &Call) -> Answer {
        Client::open(self.bench.gateway.admin)
            .await
            .call(call)
            .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(&Call::get(path)).await
    }

    /// Asks with a body of JSON.
    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let call = Call::post(path, body.to_string()).method(method);
        self.call(&call).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body).await
    }

    fn office(&self) -> &trimtab::governance::office::Office {
        self.bench.gateway.office.as_deref().unwrap()
    }
}

/// What is in every file below a folder, by its path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path.display().to_string(), bytes);
        }
    }
    found
}

/// Puts entries into a folder's ledger before a gateway has it: so many settled ones of key `ci`, and one in doubt.
fn fill(folder: &Folder, settled: u128) {
    let data = folder.0.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let mut database = Database::open(&data.join("history.db")).unwrap();
    let mut batch = Batch::default();
    for id in 1..=settled + 1 {
        let entry = Entry {
            id,
            state: if id > settled {
                State::InDoubt
            } else {
                State::Settled
            },
            at: 1_700_000_000_000_000 + i64::try_from(id).unwrap(),
            reserved: Some(2_000_000),
            charged: 1_000_000,
            // Beyond the numbers that a gateway gives in these tests.
            key: 1_001,
            model: 1_002,
            labels: 1_003,
            ..Entry::default()
        };
        batch.count(&entry, Shift::Add);
        batch.entries.push(entry);
    }
    let labels = "{\"customer\":\"acme\",\"tags\":{\"project\":\"nightly\"}}";
    // A key that no file declares: the gateway gives those numbers of its own.
    batch.names = vec![
        (1_001, "key", "gone".to_owned()),
        (1_002, "model", "=cmd()".to_owned()),
        (1_003, "labels", labels.to_owned()),
    ];
    database.commit(&batch).unwrap();
}

/// Status, code and parameter of a refusal.
fn refused(answer: &Answer) -> (u16, String, Option<String>) {
    let error = answer.json()["error"].clone();
    let text = |key: &str| error[key].as_str().map(str::to_owned);
    assert!(!text("message").unwrap().is_empty(), "{answer:?}");
    (answer.status, text("code").unwrap(), text("param"))
}
