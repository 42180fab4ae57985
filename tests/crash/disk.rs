//! A full disk stops what hard budgets pay for and nothing else, and when there is room again everything goes on.
//!
//! The disk is full because the process may not write to files any more: its limit is taken from outside and given back.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::task::LocalSet;
use trimtab::store::State;

use crate::binary::{Binary, stderr};
use crate::books::{self, post, told};
use crate::client::{Answer, Client};
use crate::folder::Folder;

/// Nano-dollars a token.
const INPUT: u64 = 1_000;
const OUTPUT: u64 = 4_000;

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keys with a hard budget, with one that is only watched, and with none.
const KEYS: [(&str, &str); 3] = [
    ("hard", "budgets = [{ limit = 100.0, period = \"1Y\" }]"),
    (
        "soft",
        "budgets = [{ limit = 100.0, period = \"1Y\", hard = false }]",
    ),
    ("free", ""),
];

fn secret(key: &str) -> String {
    format!("the-secret-of-the-{key}-key")
}

/// The same request in each dialect.
fn asked(key: &str, stream: bool) -> Vec<(&'static str, Vec<u8>)> {
    let messages = json!([{"role": "user", "content": "Tell me thirty words."}]);
    let body = json!({"model": "main", "max_tokens": 50, "stream": stream, "messages": messages});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Tell me."}]}],
        "generationConfig": {"maxOutputTokens": 50}});
    let verb = if stream {
        "/v1beta/models/main:streamGenerateContent?alt=sse"
    } else {
        "/v1beta/models/main:generateContent"
    };
    let secret = secret(key);
    vec![
        ("openai", post("/v1/chat/completions", &secret, &body)),
        ("anthropic", post("/v1/messages", &secret, &body)),
        ("gemini", post(verb, &secret, &gemini)),
    ]
}

async fn call(binary: &Binary, request: &[u8]) -> Answer {
    let mut client = Client::new(binary.address);
    let answer = tokio::time::timeout(PATIENCE, client.call(request)).await;
    answer.expect("it hangs").unwrap()
}

/// Lets the process write no more, or as it likes.
fn set_full(binary: &Binary, full: bool) {
    let pid = Pid::from_child(&binary.child);
    let limit = Rlimit {
        current: full.then_some(0),
        maximum: None,
    };
    prlimit(Some(pid), Resource::Fsize, limit).unwrap();
}

pub(crate) fn run() -> String {
    let folder = Folder::new("disk");
    let script = "[providers.alpha]\nanswer = 30\n[providers.slow]\nttft = \"1ms\"\ntpot = \"10ms\"\nanswer = 30";
    let mock = books::stand_ins(script);
    let text = configuration(&folder, mock.addr);
    std::fs::write(folder.file("trimtab.toml"), &text).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let binary = Binary::start(&folder);
    LocalSet::new().block_on(&runtime, async {
        all_pass(&binary).await;
        for _ in 0..3 {
            // A stream that is reserved for while the disk works and ends while it does not.
            let owed = slow(&binary, mock.addr).await;
            set_full(&binary, true);
            let owed = tokio::time::timeout(PATIENCE, owed).await;
            assert_eq!(owed.expect("it hangs").unwrap(), 200);
            full(&binary).await;
            set_full(&binary, false);
            all_pass(&binary).await;
        }
    });
    binary.end();
    let told = LocalSet::new().block_on(&runtime, told(&mut Client::new(mock.addr), "totals"));
    let charged = agree(&text, &told, &folder);
    format!(
        "3 times full: hard budgets refused in 3 dialects, the rest went on, nothing hung; ${:.6} of all keys agree",
        charged as f64 / 1e9
    )
}

fn configuration(folder: &Folder, mock: std::net::SocketAddr) -> String {
    let price = format!(
        "price_input = {:?}, price_output = {:?}",
        INPUT as f64 / 1e3,
        OUTPUT as f64 / 1e3
    );
    let data = folder.file("data");
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n[governance]\ndata = {data:?}\n"
    );
    for (model, provider) in [("main", "alpha"), ("slow", "slow")] {
        text.push_str(&format!(
            "[models.{model}]\nroutes = [{{ provider = \"{provider}\", model = \"m\", {price} }}]\n\
             [providers.{provider}]\nbase_url = \"http://{mock}/{provider}/v1\"\ndialect = \"openai\"\nkeys = [{{ name = \"key\", secret = \"sk-{provider}-0123\" }}]\n"
        ));
    }
    for (key, budgets) in KEYS {
        let secret = secret(key);
        text.push_str(&format!("[keys.{key}]\nsecret = \"{secret}\"\n{budgets}\n"));
    }
    text
}

/// Everybody is answered.
async fn all_pass(binary: &Binary) {
    for (key, _) in KEYS {
        for stream in [false, true] {
            for (dialect, request) in asked(key, stream) {
                let answer = call(binary, &request).await;
                assert_eq!(answer.status, 200, "{key}, {dialect}: {}", answer.text());
            }
        }
    }
}

/// A stream of the hard key's that has begun.
async fn slow(
    binary: &Binary,
    mock: std::net::SocketAddr,
) -> impl Future<Output = std::io::Result<u16>> + use<> {
    let messages = json!([{"role": "user", "content": "Tell me thirty words."}]);
    let body = json!({"model": "slow", "max_tokens": 50, "stream": true, "messages": messages});
    let request = post("/v1/chat/completions", &secret("hard"), &body);
    let mut client = Client::new(binary.address);
    let stream =
        tokio::task::spawn_local(async move { client.call(&request).await.map(|it| it.status) });
    let mut control = Client::new(mock);
    while told(&mut control, "state").await["providers"]["slow"]["in_flight"] != 1 {
        tokio::task::yield_now().await;
    }
    async move { stream.await.unwrap() }
}

/// Who has a hard budget is refused, and nobody else.
async fn full(binary: &Binary) {
    for (key, _) in KEYS {
        for stream in [false, true] {
            for (dialect, request) in asked(key, stream) {
                let answer = call(binary, &request).await;
                let text = answer.text();
                if key != "hard" {
                    assert_eq!(answer.status, 200, "{key}, {dialect}: {text}");
                    continue;
                }
                assert_eq!(answer.status, 503, "{key}, {dialect}: {text}");
                let head = String::from_utf8_lossy(&answer.raw).to_ascii_lowercase();
                assert!(head.contains("\r\nretry-after: "), "{dialect}: {head}");
                let error: Value = serde_json::from_str(&text).unwrap();
                let said = error["error"]["message"].as_str().unwrap();
                assert!(said.contains("cannot be written down"), "{dialect}: {text}");
                if dialect == "openai" {
                    assert_eq!(error["error"]["code"], "ledger_unavailable", "{text}");
                }
            }
        }
    }
}

/// The books say what the stand-ins say; what is charged in all.
fn agree(text: &str, totals: &Value, folder: &Folder) -> u64 {
    let books = books::open(&books::parse(text));
    assert_eq!(books.in_doubt, 0, "{}", stderr(folder));
    let cost = |it: &Value| {
        assert_eq!(it["end"], "completed", "{totals}");
        let count = |name: &str| it[name].as_u64().unwrap();
        INPUT * count("input_tokens") + OUTPUT * count("output_tokens")
    };
    let truth: u64 = totals.as_array().unwrap().iter().map(cost).sum();
    for (_, entry) in &books.entries {
        assert_eq!(entry.state, State::Settled, "{entry:?}");
    }
    let sum = |which: &dyn Fn(&str) -> bool| {
        let charged = books.entries.iter().filter(|it| which(&it.0));
        let charged: i64 = charged.map(|it| it.1.charged).sum();
        charged.cast_unsigned()
    };
    assert_eq!(sum(&|_| true), truth, "{}", stderr(folder));
    for (key, spent) in &books.spent {
        assert_eq!(*spent, sum(&|it| it == key), "{key}");
    }
    truth
}
