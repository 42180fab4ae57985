//! One tier with one dollar: gateway, stand-ins and clients, and what came of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use trimtab::app::Gateway;
use trimtab::clock;
use trimtab::config::{self, Paint, Surroundings};

use crate::audit::{self, Agreed, Prices};
use crate::client::Client;
use crate::folder::Folder;
use crate::mix::{self, KEYS, Kind};
use crate::sample::{self, Sampler};

/// How long the last attempts may take to end once their clients have left.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which tier has one dollar; the others have a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Key,
    Team,
    Customer,
    KeyAtProvider,
    Provider,
}

impl Tier {
    pub(crate) const ALL: [Self; 5] = [
        Self::Key,
        Self::Team,
        Self::Customer,
        Self::KeyAtProvider,
        Self::Provider,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Customer => "customer",
            Self::KeyAtProvider => "key-at-provider",
            Self::Provider => "provider",
        }
    }

    /// How a refusal names it.
    const fn told(self) -> &'static str {
        match self {
            Self::Key => "budget of key `",
            Self::Team => "budget of team `t`",
            Self::Customer => "budget of customer `c`",
            Self::KeyAtProvider => "at provider `alpha`",
            Self::Provider => "budget of provider `alpha`",
        }
    }
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) tier: Tier,
    pub(crate) clients: usize,
    pub(crate) requests: u64,
    pub(crate) workers: usize,
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    tier: Tier,
    seconds: f64,
    statuses: BTreeMap<u16, u64>,
    looks: u64,
    agreed: Agreed,
}

impl Trial {
    /// Has the clients spend, and checks everything that must hold.
    pub(crate) fn run(&self) -> Outcome {
        let folder = Folder::new("spend");
        let data = folder.file("data");
        let text = self.config(&data);
        let gateway = Gateway::start(parse(&text), None).unwrap();
        let ledger = gateway.shared.lasting.ledger.as_ref().unwrap();
        let charges = sample::charges(&ledger.roster.load());
        let sampler = Sampler::start(charges.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mock = gateway.mock().unwrap().addr;
        let crowd = Rc::new(Crowd::default());
        let began = clock::now();
        let (took, totals) = LocalSet::new().block_on(&runtime, async {
            self.ask(&gateway, &crowd).await;
            let took = clock::now().since(began);
            settled(&charges).await;
            (took, audit::totals(mock).await)
        });
        let looks = sampler.stop();
        let spent: BTreeMap<String, u64> = charges
            .iter()
            .map(|(whose, charge)| (whose.clone(), sample::check(whose, charge).0.get()))
            .collect();
        gateway.control().drain();
        gateway.wait();
        let statuses = crowd.statuses.take();
        self.check(&statuses, &crowd.refusals.take());
        let agreed = audit::audit(&data, &totals, &spent, self.prices());
        Outcome {
            tier: self.tier,
            seconds: took.as_micros() as f64 / 1e6,
            statuses,
            looks,
            agreed,
        }
    }

    /// Nano-dollars a token: a dollar pays for less than what one key asks of one provider, and for about a quarter of what everybody asks for.
    fn prices(&self) -> Prices {
        let output = (1_000_000_000 / (self.requests * 25)).max(4) / 4 * 4;
        Prices {
            input: output / 4,
            output,
        }
    }

    /// Asks until every request was made.
    async fn ask(&self, gateway: &Gateway, crowd: &Rc<Crowd>) {
        let clients = (0..self.clients).map(|_| {
            let (crowd, client) = (Rc::clone(crowd), Client::new(gateway.address));
            tokio::task::spawn_local(crowd.one(client, (self.seed, self.requests)))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }

    fn check(&self, statuses: &BTreeMap<u16, u64>, refusals: &[String]) {
        assert_eq!(
            statuses.values().sum::<u64>(),
            self.requests,
            "{statuses:?}"
        );
        assert!(statuses[&200] > 0, "{statuses:?}");
        assert!(statuses[&402] > 0, "{statuses:?}");
        for refusal in refusals {
            assert!(
                refusal.contains(self.tier.told()),
                "{:?}: {refusal}",
                self.tier
            );
        }
    }

    fn config(&self, folder: &Path) -> String {
        let Prices { input, output } = self.prices();
        let (input, output) = (input as f64 / 1e3, output as f64 / 1e3);
        let price = format!("price_input = {input:?}, price_output = {output:?}");
        let budget = |tier: Tier| {
            let limit = if tier == self.tier { "1.0" } else { "1000.0" };
            format!("budgets = [{{ limit = {limit}, period = \"1Y\" }}]")
        };
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = {}\n[admin]\nlisten = \"127.0.0.1:0\"\n[governance]\ndata = {folder:?}\n[log]\nlevel = \"error\"\n",
            self.workers
        );
        for (model, provider, rest) in [
            ("chat", "alpha", ""),
            ("embedding", "alpha", ""),
            ("image", "alpha", ""),
            ("message", "beta", ""),
            ("shaky", "gamma", "fallbacks = [\"chat\"]"),
            ("left", "delta", ""),
        ] {
            let _ = writeln!(
                text,
                "[models.{model}]\nroutes = [{{ provider = \"{provider}\", model = \"m\", {price} }}]\n{rest}"
            );
        }
        // What passes through has no route to say its price.
        let _ = writeln!(
            text,
            "[prices.\"alpha/m\"]\ninput = {input:?}\noutput = {output:?}"
        );
        for (provider, dialect, script) in [
            ("alpha", "openai", "answer = 50"),
            ("beta", "anthropic", "answer = 50"),
            (
                "gamma",
                "openai",
                "answer = 50\nfaults = [{ kind = \"503\", probability = 0.5 }]",
            ),
            ("delta", "openai", "answer = 100\ntpot = \"1ms\""),
        ] {
            let budgets = match provider {
                "alpha" => budget(Tier::Provider),
                _ => String::new(),
            };
            let _ = writeln!(
                text,
                "[providers.{provider}]\nbase_url = \"mock\"\ndialect = \"{dialect}\"\nkeys = [{{ name = \"key\", secret = \"sk-{provider}-0123\" }}]\n{budgets}\n[mock.providers.{provider}]\n{script}"
            );
        }
        let _ = writeln!(
            text,
            "[customers.c]\n{}\n[teams.t]\ncustomer = \"c\"\n{}",
            budget(Tier::Customer),
            budget(Tier::Team)
        );
        for (name, secret) in KEYS {
            let _ = writeln!(
                text,
                "[keys.{name}]\nteam = \"t\"\nsecret = \"{secret}\"\n{}\n[keys.{name}.providers.alpha]\n{}",
                budget(Tier::Key),
                budget(Tier::KeyAtProvider)
            );
        }
        text
    }
}

/// What all clients share.
#[derive(Debug, Default)]
struct Crowd {
    next: Cell<u64>,
    statuses: RefCell<BTreeMap<u16, u64>>,
    /// Some of what the refused were told.
    refusals: RefCell<Vec<String>>,
}

impl Crowd {
    /// One client, until no request is left.
    async fn one(self: Rc<Self>, mut client: Client, (seed, requests): (u64, u64)) {
        loop {
            let number = self.next.replace(self.next.get() + 1);
            if number >= requests {
                return;
            }
            let request = mix::request(seed, number);
            let status = match request.leave_after {
                Some(after) => client.leave(&request.bytes, after).await.unwrap(),
                None => {
                    let answer = client.call(&request.bytes).await.unwrap();
                    let may_fail = request.kind == Kind::Fallback && answer.status == 503;
                    assert!(
                        matches!(answer.status, 200 | 402) || may_fail,
                        "request {number} of seed {seed}, {:?}: {} {}",
                        request.kind,
                        answer.status,
                        answer.text()
                    );
                    if answer.status == 402 && number.is_multiple_of(16) {
                        self.refusals.borrow_mut().push(answer.text());
                    }
                    answer.status
                }
            };
            *self.statuses.borrow_mut().entry(status).or_default() += 1;
        }
    }
}

/// Waits until nothing is reserved any more: those who left have been noticed.
async fn settled(charges: &[(String, trimtab::governance::Charge)]) {
    let all = async {
        loop {
            let reserved = charges
                .iter()
                .map(|(whose, charge)| sample::check(whose, charge).1.get());
            if reserved.sum::<u64>() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, all).await;
    done.expect("something stays reserved that nobody waits for");
}

fn parse(text: &str) -> config::Config {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: NonZeroUsize::MIN,
    };
    match config::parse(Path::new("spend.toml"), text, &around) {
        Ok(config) => config,
        Err(report) => panic!("{}\n{text}", report.render(Paint::Plain)),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tier,
            seconds,
            statuses,
            looks,
            agreed,
        } = self;
        write!(
            f,
            "{:>16}: {seconds:.1} s, statuses {statuses:?}, {looks} looks, {agreed}",
            tier.name()
        )
    }
}
