//! Killed at any moment under load, the gateway loses nothing and charges nothing twice.
//!
//! Each request has a `max_tokens` of its own, so what was reserved for it tells which it was.
//!
//! # Invariants
//! - What the stand-ins were asked is in the books, once.
//! - What a client has got whole is settled at what it cost, before and after whatever follows.
//! - What is in doubt is charged as reserved, until an operator says what the stand-ins know.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::LocalSet;
use trimtab::config::{Config, Nano, Sync};
use trimtab::governance::books::correction;
use trimtab::governance::journal::{Disk, Folder as Journals, Journal};
use trimtab::store::{Entry, State};

use crate::binary::{self, Binary};
use crate::books::{self, post};
use crate::client::Client;
use crate::folder::Folder;

/// Clients that ask at the same time.
const CLIENTS: usize = 16;

/// Nano-dollars a token: so far apart that the input of a request is less than one token of output.
const INPUT: u64 = 1;
const OUTPUT: u64 = 10_000;

/// What is added to a request's number for its `max_tokens`: more than an answer has.
const BEYOND: u64 = 1_000;

const SECRET: &str = "the-secret-of-the-killed";

const SCRIPT: &str = "[providers.alpha]\nttft = \"2ms\"\ntpot = \"200us\"\nanswer = 30\n[providers.beta]\nttft = \"2ms\"\ntpot = \"200us\"\nanswer = 30";

/// Everything that was found out so far.
#[derive(Debug, Default)]
struct Known {
    /// What each request cost by the stand-ins' count, nano-dollars.
    truth: BTreeMap<u64, u64>,
    /// The last attempt of the stand-ins' that was read.
    last: u64,
    /// What was settled, by id.
    settled: BTreeMap<u128, i64>,
    /// Those in doubt, by id.
    doubted: BTreeMap<u128, Entry>,
}

/// One life of the gateway.
#[derive(Debug)]
struct Load {
    binary: RefCell<Binary>,
    /// Requests sent and answers got after which it is killed.
    left: Cell<u32>,
    /// The next request's number.
    next: Cell<u64>,
    /// Requests that were answered whole.
    answered: RefCell<Vec<u64>>,
}

/// Kills it so often; what is to be said of it.
pub(crate) fn run(seed: u64, kills: u32) -> String {
    let folder = Folder::new("kill");
    let mock = books::stand_ins(SCRIPT);
    let text = configuration(&folder, mock.addr);
    std::fs::write(folder.file("trimtab.toml"), &text).unwrap();
    let config = books::parse(&text);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut known, mut next) = (Known::default(), 0);
    let (mut answers, mut stillborn) = (0, 0);
    for round in 0..kills {
        if rng.random_ratio(1, 4) {
            // While it reads what the one before has left, or not even that.
            let wait = Duration::from_micros(rng.random_range(0..40_000));
            let mut child = binary::spawn(&folder);
            runtime.block_on(async { tokio::time::sleep(wait).await });
            child.kill().unwrap();
            child.wait().unwrap();
            stillborn += 1;
        }
        let load = Rc::new(Load {
            binary: RefCell::new(Binary::start(&folder)),
            left: Cell::new(rng.random_range(1..200)),
            next: Cell::new(next),
            answered: RefCell::default(),
        });
        LocalSet::new().block_on(&runtime, async {
            load.run().await;
            read(&mut known, Client::new(mock.addr)).await;
        });
        next = load.next.get();
        let answered = load.answered.take();
        answers += answered.len();
        known.check(&config, &answered, &format!("kill {round} of seed {seed}"));
    }
    let (doubted, charged) = known.adjust(&config);
    format!(
        "{kills} kills of seed {seed} and {stillborn} at the start: {} attempts, {answers} answered whole, {doubted} in doubt, nothing lost or charged twice; adjusted, ${:.6} agree",
        known.truth.len(),
        charged as f64 / 1e9
    )
}

fn configuration(folder: &Folder, mock: std::net::SocketAddr) -> String {
    let data = folder.file("data");
    let price = format!(
        "price_input = {:?}, price_output = {:?}",
        INPUT as f64 / 1e3,
        OUTPUT as f64 / 1e3
    );
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"error\"\n\
         [governance]\ndata = {data:?}\n\
         [models.chat]\nroutes = [{{ provider = \"alpha\", model = \"m\", {price} }}]\n\
         [models.message]\nroutes = [{{ provider = \"beta\", model = \"m\", {price} }}]\n\
         [providers.alpha]\nbase_url = \"http://{mock}/alpha/v1\"\ndialect = \"openai\"\nkeys = [{{ name = \"key\", secret = \"sk-alpha-0123\" }}]\n\
         [providers.beta]\nbase_url = \"http://{mock}/beta/v1\"\ndialect = \"anthropic\"\nkeys = [{{ name = \"key\", secret = \"sk-beta-0123\" }}]\n\
         [keys.ci]\nsecret = \"{SECRET}\"\nbudgets = [{{ limit = 100000.0, period = \"1Y\" }}, {{ limit = 100000.0, period = \"1Y\", style = \"rolling\" }}]\n"
    )
}

impl Load {
    /// Has all clients ask until the gateway is dead.
    async fn run(self: &Rc<Self>) {
        let address = self.binary.borrow().address;
        let clients = (0..CLIENTS)
            .map(|_| tokio::task::spawn_local(Rc::clone(self).one(Client::new(address))));
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        assert_eq!(self.left.get(), 0);
        let status = self.binary.borrow_mut().child.wait().unwrap();
        assert!(!status.success());
    }

    async fn one(self: Rc<Self>, mut client: Client) {
        while self.left.get() > 0 {
            let number = self.next.replace(self.next.get() + 1);
            self.count();
            let Ok(answer) = client.call(&request(number)).await else {
                return;
            };
            assert_eq!(answer.status, 200, "{}", answer.text());
            self.answered.borrow_mut().push(number);
            self.count();
        }
    }

    /// Counts down to the kill.
    fn count(&self) {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left == 1 {
            self.binary.borrow_mut().child.kill().unwrap();
        }
    }
}

/// The request of this number.
fn request(number: u64) -> Vec<u8> {
    let most = BEYOND + number;
    let messages = json!([{"role": "user", "content": "Tell me thirty words."}]);
    let stream = number.is_multiple_of(2);
    let tag = number.to_string();
    if number.is_multiple_of(3) {
        let body = json!({"model": "message", "max_tokens": most, "stream": stream,
            "messages": messages, "metadata": {"user_id": tag}});
        post("/v1/messages", SECRET, &body)
    } else {
        let body = json!({"model": "chat", "max_tokens": most, "stream": stream,
            "messages": messages, "user": tag});
        post("/v1/chat/completions", SECRET, &body)
    }
}

/// Waits until the stand-ins have seen that the gateway is gone, and reads what they were asked.
async fn read(known: &mut Known, mut client: Client) {
    loop {
        let state = books::told(&mut client, "state").await;
        let in_flight = ["alpha", "beta"].map(|it| state["providers"][it]["in_flight"].as_u64());
        if in_flight == [Some(0); 2] {
            break;
        }
        tokio::task::yield_now().await;
    }
    let path = format!("attempts?since={}", known.last);
    let attempts = books::told(&mut client, &path).await;
    for attempt in attempts.as_array().unwrap() {
        let count = |name: &str| attempt[name].as_u64().unwrap();
        known.last = count("seq");
        let number = attempt["tag"].as_str().unwrap().parse().unwrap();
        let cost = INPUT * count("input_tokens") + OUTPUT * count("output_tokens");
        let before = known.truth.insert(number, cost);
        assert_eq!(before, None, "request {number} was sent twice");
    }
    let totals = books::told(&mut client, "totals").await;
    let cost = |it: &Value| {
        let count = |name: &str| it[name].as_u64().unwrap();
        INPUT * count("input_tokens") + OUTPUT * count("output_tokens")
    };
    let all: u64 = totals.as_array().unwrap().iter().map(cost).sum();
    assert_eq!(
        known.truth.values().sum::<u64>(),
        all,
        "no attempt is missed"
    );
}

/// The number of the request that an entry is about.
fn number(entry: &Entry) -> u64 {
    let reserved = entry.reserved.expect("what is in the books was reserved");
    reserved.cast_unsigned() / OUTPUT - BEYOND
}

impl Known {
    /// Checks the books after a kill.
    fn check(&mut self, config: &Config, answered: &[u64], when: &str) {
        let books = books::open(config);
        let mut seen = BTreeSet::new();
        let mut doubted = 0;
        for (_, entry) in &books.entries {
            let number = number(entry);
            assert!(seen.insert(number), "{when}: {number} is there twice");
            let truth = self.truth.get(&number).copied().unwrap_or(0);
            match entry.state {
                State::Settled => {
                    assert_eq!(entry.charged.cast_unsigned(), truth, "{when}: {entry:?}");
                    let before = self.settled.insert(entry.id, entry.charged);
                    assert!(
                        before.is_none_or(|it| it == entry.charged),
                        "{when}: {entry:?}"
                    );
                }
                State::InDoubt => {
                    assert!(!self.settled.contains_key(&entry.id), "{when}: {entry:?}");
                    assert!(!answered.contains(&number), "{when}: {entry:?}");
                    assert_eq!(Some(entry.charged), entry.reserved, "{when}");
                    assert!(entry.charged.cast_unsigned() >= truth, "{when}: {entry:?}");
                    let new = self.doubted.insert(entry.id, entry.clone()).is_none();
                    doubted += usize::from(new);
                }
                State::Open | State::Adjusted => panic!("{when}: {entry:?}"),
            }
        }
        assert_eq!(books.in_doubt, doubted, "{when}");
        assert!(doubted <= CLIENTS, "{when}: {doubted} in doubt");
        for number in self.truth.keys() {
            assert!(seen.contains(number), "{when}: {number} is lost");
        }
        let known = self.settled.len() + self.doubted.len();
        assert_eq!(known, books.entries.len(), "{when}: an entry is lost");
        let charged: i64 = books.entries.iter().map(|(_, it)| it.charged).sum();
        assert_eq!(books.spent["ci"], charged.cast_unsigned(), "{when}");
    }

    /// Says what everything in doubt did cost; how many there were, and what is charged then.
    fn adjust(&self, config: &Config) -> (usize, u64) {
        let path = config.governance.data.join("ledger");
        let disk: Arc<dyn Disk> = Arc::new(Journals::open(path).unwrap());
        let mut journal = Journal::open(disk, Sync::Os).unwrap();
        let at = i64::try_from(trimtab::clock::unix().as_micros()).unwrap();
        let mut writer = journal.writer(at);
        for (place, entry) in self.doubted.values().enumerate() {
            let truth = self.truth.get(&number(entry)).copied().unwrap_or(0);
            let adjust = correction(entry, place as u128 + 1, at, Nano::new(truth));
            writer.adjust(&adjust).unwrap();
            // Said twice, it counts once.
            writer.adjust(&adjust).unwrap();
        }
        drop(writer);
        drop(journal);
        let books = books::open(config);
        let truth: u64 = self.truth.values().sum();
        assert_eq!(books.spent["ci"], truth, "after everything was adjusted");
        (self.doubted.len(), truth)
    }
}
