//! Accounts through everything that befalls a gateway, against a plain twin that forgets nothing.
//!
//! Clocks step back and forth, configurations come and go, processes die and read the journals again: what is left of a budget is what the twin says.
//!
//! # Invariants
//! - An aligned budget has exactly what the twin has left in the calendar's window.
//! - A rolling one has nothing left of what was spent within its length, and everything a slice or two after that.

use proptest::prelude::*;

use super::super::books::Books;
use super::super::journal::faulty::Faulty;
use super::super::journal::{Disk, Journal};
use super::super::pen::{Asked, Bill, Pen, Spent};
use super::*;
use crate::config::Sync;
use crate::config::{self, Nano, Paint, Surroundings};
use crate::store::Database;

/// When it begins: a few minutes before the clocks in Berlin are set forward.
const BEGIN: i64 = 1_774_745_700;

/// µs in a second.
const SECOND: i64 = 1_000_000;

/// Budgets of each tier, as they may be written.
const BUDGETS: [&str; 4] = [
    "{ limit = LIMIT, period = \"1m\" }, { limit = LIMIT, period = \"1d\", zone = \"Europe/Berlin\" }",
    "{ limit = LIMIT, period = \"1h\", zone = \"Australia/Lord_Howe\" }, { limit = LIMIT, period = \"1M\", zone = \"Europe/Berlin\" }",
    "{ limit = LIMIT, period = \"5m\", style = \"rolling\" }",
    "{ limit = LIMIT, period = \"1d\", style = \"rolling\" }, { limit = LIMIT, period = \"1d\" }",
];

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A key reserves so many micro-dollars.
    Reserve(usize, u64),
    /// One of the open attempts ends, at a part of what was reserved.
    Settle(usize, u64),
    /// The clock moves, and windows are turned.
    Turn(i64),
    /// Another configuration is taken over: which tables it has, and what its limits are.
    Reload(u8, u64),
    /// The process dies and another one begins, so many seconds later; it may have lost the database.
    Restart(i64, bool),
}

fn events() -> impl Strategy<Value = Event> {
    let step = prop_oneof![
        5 => 0..90_i64,
        2 => 0..7_200_i64,
        1 => 0..200_000_i64,
        1 => -7_200..0_i64,
        1 => -200_000..0_i64,
    ];
    prop_oneof![
        8 => (0..2_usize, 1..400_u64).prop_map(|(key, amount)| Event::Reserve(key, amount)),
        6 => (0..8_usize, 0..=100_u64).prop_map(|(which, part)| Event::Settle(which, part)),
        5 => step.clone().prop_map(Event::Turn),
        2 => (0..16_u8, 500..2_000_u64).prop_map(|(tables, limit)| Event::Reload(tables, limit)),
        2 => (step, any::<bool>()).prop_map(|(step, lost)| Event::Restart(step, lost)),
    ]
}

/// What the configuration's tables are.
fn text(tables: u8, limit: u64) -> String {
    let has = |bit: u8| tables & (1 << bit) != 0;
    let budgets = |place: usize| {
        let dollars = format!("{:.6}", limit as f64 / 1e6);
        format!("budgets = [{}]", BUDGETS[place].replace("LIMIT", &dollars))
    };
    let or_none = |bit: u8, place: usize| {
        if has(bit) {
            budgets(place)
        } else {
            String::new()
        }
    };
    let second = if has(3) {
        format!(
            "[keys.two]\nsecret = \"the-secret-of-key-two\"\nteam = \"t\"\n{}",
            budgets(0)
        )
    } else {
        String::new()
    };
    format!(
        "[models.m]\nroutes = [{{ provider = \"alpha\" }}]\n[providers.alpha]\nbase_url = \"http://127.0.0.1:1/v1\"\ndialect = \"openai\"\nkeys = [{{ name = \"key\", secret = \"sk-0123\" }}]\n{}\n\
         [customers.c]\n{}\n[teams.t]\ncustomer = \"c\"\n{}\n\
         [keys.one]\nsecret = \"the-secret-of-key-one\"\nteam = \"t\"\n{}\n{second}",
        or_none(0, 3),
        or_none(1, 1),
        or_none(2, 2),
        budgets(0)
    )
}

fn parse(text: &str) -> Config {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: std::num::NonZeroUsize::MIN,
    };
    config::parse(std::path::Path::new("t.toml"), text, &around)
        .unwrap_or_else(|report| panic!("{}\n{text}", report.render(Paint::Plain)))
}

/// What is known of one amount.
#[derive(Clone, Copy, Debug)]
struct Charged {
    /// The account's own time when it was reserved, and when it counts from.
    reserved_at: i64,
    at: i64,
    amount: u64,
    /// Whether it is in flight, and so counts whenever it was.
    open: bool,
    id: u64,
}

/// An account that remembers everything.
#[derive(Clone, Debug)]
struct Twin {
    schedule: Schedule,
    /// The latest instant that it was told; none while no process has it open.
    time: Option<i64>,
    charged: Vec<Charged>,
}

/// What the twin expects of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Paid,
    Refused,
    Either,
}

impl Twin {
    /// Seconds of a slice, if it is rolling.
    fn slice(&self) -> Option<i64> {
        match self.schedule.style {
            Style::Rolling => Some((self.schedule.seconds() + 31) / 32),
            Style::Aligned(_) => None,
        }
    }

    /// The first second of the window, or the slice, of an instant.
    fn start_of(&self, at: i64) -> i64 {
        match self.slice() {
            Some(width) => at.div_euclid(width) * width,
            None => self.schedule.window_at(at).start,
        }
    }

    /// A process opens it: its time is the present, or that of the latest thing that it reads of.
    fn open(&mut self, now: i64) {
        let known = self.charged.iter().map(|it| self.start_of(it.at));
        let known = known.max().unwrap_or(now);
        self.time.get_or_insert(now.max(known));
    }

    fn turn(&mut self, now: i64) {
        if let Some(time) = &mut self.time {
            *time = now.max(*time);
        }
    }

    /// The process that had it open is gone: what was in flight is in doubt.
    fn close(&mut self) {
        self.time = None;
        for charged in &mut self.charged {
            charged.open = false;
        }
    }

    /// What counts that was charged after an instant.
    fn since(&self, from: i64) -> u64 {
        let counts = |it: &&Charged| it.open || it.at > from;
        self.charged.iter().filter(counts).map(|it| it.amount).sum()
    }

    fn expect(&self, amount: u64, limit: u64) -> Expected {
        let time = self.time.unwrap();
        let (least, most) = match self.slice() {
            None => {
                let window = self.schedule.window_at(time);
                let counts = |it: &&Charged| window.holds(it.reserved_at);
                let sum = self.charged.iter().filter(counts).map(|it| it.amount).sum();
                (sum, sum)
            }
            Some(width) => {
                // Whole slices: what is in the same slice as the end of the length may be gone.
                let from = time - self.schedule.seconds();
                (self.since(from), self.since(from - 2 * width))
            }
        };
        if least + amount > limit {
            Expected::Refused
        } else if most + amount <= limit {
            Expected::Paid
        } else {
            Expected::Either
        }
    }
}

/// A gateway's books without a gateway.
struct World {
    disk: Faulty,
    database: Database,
    now: i64,
    config: Config,
    process: Option<Process>,
    twins: HashMap<String, Twin>,
    open: Vec<(u64, Bill)>,
    next: u64,
}

/// What dies with a process.
struct Process {
    treasury: Treasury,
    turns: Arc<Mutex<Turns>>,
    roster: Roster,
    pen: Pen,
    _journal: Journal,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            disk: Faulty::default(),
            database: Database::in_memory().unwrap(),
            now: BEGIN,
            config: parse(&text(u8::MAX, 1_000)),
            process: None,
            twins: HashMap::new(),
            open: Vec::new(),
            next: 0,
        };
        world.start();
        world
    }

    /// Begins a process on what the one before has left.
    fn start(&mut self) {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let mut journal = Journal::open(Arc::clone(&disk), Sync::Os).unwrap();
        let mut names = Names::open(&disk).unwrap();
        let mut books = Books::new(disk);
        books.learn(names.take_new());
        let files = journal.files().unwrap();
        let recovered = books.recover(&mut self.database, &files).unwrap();
        let turns = Arc::new(Mutex::new(Turns::default()));
        let names = Arc::new(Mutex::new(names));
        self.next += 1;
        self.process = Some(Process {
            treasury: Treasury::new(names, Arc::clone(&turns), recovered.balances),
            turns,
            roster: Roster::default(),
            pen: Pen::new(
                journal.writer(self.now * SECOND + self.next as i64),
                self.next,
            ),
            _journal: journal,
        });
        self.seat();
    }

    /// Takes the configuration over.
    fn seat(&mut self) {
        let process = self.process.as_mut().unwrap();
        let (config, pepper) = (&self.config, Pepper::new(&[7; 32]));
        let roster = process
            .treasury
            .roster(
                (config, &config.tenants),
                (&process.roster, &pepper),
                self.now,
            )
            .unwrap();
        process.roster = roster;
        for draft in drafts(config, &config.tenants) {
            for (name, budget) in draft.accounts().into_iter().zip(draft.budgets) {
                let twin = self.twins.entry(name).or_insert_with(|| Twin {
                    schedule: budget.schedule.clone(),
                    time: None,
                    charged: Vec::new(),
                });
                twin.open(self.now);
            }
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Reserve(key, amount) => self.reserve(["one", "two"][key], amount * 1_000),
            Event::Settle(which, part) if which < self.open.len() => self.settle(which, part),
            Event::Settle(..) => {}
            Event::Turn(step) => {
                self.now += step;
                let turns = &self.process.as_ref().unwrap().turns;
                turns.lock().unwrap().turn(self.now);
                self.twins.values_mut().for_each(|twin| twin.turn(self.now));
            }
            Event::Reload(tables, limit) => {
                self.config = parse(&text(tables, limit));
                self.seat();
            }
            Event::Restart(step, lost) => {
                // Dropped unsettled, as in a process that dies.
                self.open.clear();
                self.process = None;
                self.now += step;
                if lost {
                    self.database = Database::in_memory().unwrap();
                }
                self.twins.values_mut().for_each(Twin::close);
                self.start();
            }
        }
    }

    /// The names of the accounts that pay for a key, with their limits; none where there is no such key.
    fn accounts(&self, key: &str) -> Option<Vec<(String, u64)>> {
        let config = &self.config;
        config.tenants.keys.iter().find(|it| it.name == key)?;
        let pays = |draft: &Draft<'_>| draft.rank != Rank::Key || draft.name == key;
        let all = drafts(config, &config.tenants);
        let of_draft = |draft: Draft<'_>| {
            let limits = draft.budgets.iter().map(|budget| budget.limit.get());
            draft.accounts().into_iter().zip(limits).collect::<Vec<_>>()
        };
        Some(all.into_iter().filter(pays).flat_map(of_draft).collect())
    }

    fn reserve(&mut self, key: &str, amount: u64) {
        let Some(accounts) = self.accounts(key) else {
            return;
        };
        let expected = accounts
            .iter()
            .map(|(name, limit)| self.twins[name].expect(amount, *limit));
        let expected: Vec<Expected> = expected.collect();
        let process = self.process.as_mut().unwrap();
        let member = process.roster.members().find(|it| &*it.own.name == key);
        let member = Arc::clone(member.unwrap());
        let purse = Arc::clone(process.roster.provider("alpha").unwrap());
        let tiers: Vec<&[Charge]> = member
            .tiers()
            .map(|tier| &*tier.charges)
            .chain([&*purse.charges])
            .collect();
        let asked = Asked {
            at: self.now * SECOND,
            ..Asked::default()
        };
        let done = process.pen.reserve(&tiers, asked, Nano::new(amount));
        let told = || format!("{accounts:?}\n{expected:?}");
        match done {
            Ok(bill) => {
                assert!(!expected.contains(&Expected::Refused), "paid: {}", told());
                self.next += 1;
                for (name, _) in &accounts {
                    let twin = self.twins.get_mut(name).unwrap();
                    let at = twin.time.unwrap();
                    twin.charged.push(Charged {
                        reserved_at: at,
                        at,
                        amount,
                        open: true,
                        id: self.next,
                    });
                }
                self.open.push((self.next, bill));
            }
            Err(_) => {
                let must = expected.iter().all(|it| *it == Expected::Paid);
                assert!(!must, "refused: {}", told());
            }
        }
    }

    fn settle(&mut self, which: usize, part: u64) {
        let (id, bill) = self.open.swap_remove(which);
        let amount = bill.reserved().get() * part / 100;
        let spent = Spent {
            amount: Nano::new(amount),
            at: self.now * SECOND,
            ..Spent::default()
        };
        self.process.as_mut().unwrap().pen.settle(bill, spent);
        for twin in self.twins.values_mut() {
            let Some(time) = twin.time else { continue };
            for charged in twin.charged.iter_mut().filter(|it| it.id == id) {
                (charged.amount, charged.at, charged.open) = (amount, time, false);
            }
        }
    }
}

/// How many stories are tried: few, unless `PROPTEST_CASES` says otherwise.
fn cases() -> u32 {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn nothing_reopens_a_window(events in prop::collection::vec(events(), 1..80)) {
        let mut world = World::new();
        for event in events {
            world.step(event);
        }
    }
}
