//! Do the books hold what happened, whatever happened?
//!
//! Deeds of workers and operators run against a plain twin, with crashes, tears and repetitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::merge::{Merged, merge};
use super::*;
use crate::config::{Nano, Sync, Window};
use crate::governance::journal::faulty::{Fault, Faulty};
use crate::governance::journal::{
    Adjust, Disk, Flags, Journal, Kind, Names, Parties, Readable, Record, Reserve, Roll, SIZE,
    Settle, Slot, Slots, Tokens, Writer,
};
use crate::store::{Database, Day, DayKey, Entry, Filter, State, Total};

const MINUTE: i64 = 60_000_000;

/// One thing that a worker or an operator does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Reserve {
        worker: usize,
        id: u128,
        amount: u64,
    },
    Settle {
        worker: usize,
        id: u128,
        amount: u64,
    },
    Adjust {
        id: u128,
        amount: u64,
    },
    Give {
        id: u128,
        amount: i64,
    },
    Ingest,
    Turn,
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let attempt = (0..3usize, 0..12u128, 0..1000u64);
    prop_oneof![
        4 => attempt.clone().prop_map(|(worker, id, amount)| Deed::Reserve { worker, id, amount }),
        4 => attempt.clone().prop_map(|(worker, id, amount)| Deed::Settle { worker, id, amount }),
        1 => attempt.prop_map(|(_, id, amount)| Deed::Adjust { id, amount }),
        1 => (100..110u128, -50..50i64).prop_map(|(id, amount)| Deed::Give { id, amount }),
        2 => Just(Deed::Ingest),
        1 => Just(Deed::Turn),
    ]
}

/// Whom an attempt charges: always the same, as of its id.
fn slots(id: u128) -> Slots {
    let mut slots = Slots::default();
    for account in 0..=(id % 3) as u32 {
        let start = 60 * (id % 2) as i64;
        slots.push(Slot { account, start }).unwrap();
    }
    slots
}

fn parties(id: u128) -> Parties {
    Parties {
        key: 1 + (id % 2) as u32,
        model: 3,
        route: 4,
        labels: 5,
    }
}

fn reserve(id: u128, amount: u64) -> Reserve {
    let at = id as i64 * MINUTE;
    Reserve {
        id,
        at,
        amount: Nano::new(amount),
        parties: parties(id),
        request: 7,
        price: 2,
        slots: slots(id),
    }
}

fn settle(id: u128, amount: u64) -> Settle {
    let tokens = Tokens {
        input: 10,
        output: 5,
        ..Tokens::default()
    };
    let at = id as i64 * MINUTE + 9;
    Settle {
        id,
        at,
        amount: Nano::new(amount),
        parties: parties(id),
        request: 7,
        tokens,
        flags: Flags::ESTIMATED,
        slots: slots(id),
    }
}

fn adjust(id: u128, at: i64, amount: i64, target: Option<u128>) -> Adjust {
    let slots = slots(target.unwrap_or(id));
    Adjust {
        id,
        at,
        target,
        amount,
        slots,
        ..Adjust::default()
    }
}

/// Disk, journal, database: a gateway without its gateway.
struct Shop {
    disk: Faulty,
    journal: Journal,
    writers: Vec<Writer>,
    books: Books,
    database: Database,
    instant: i64,
    /// Amounts by id as a plain twin holds them: reserved, settled, adjusted.
    twin: BTreeMap<u128, [Option<i64>; 3]>,
}

impl Shop {
    fn open(disk: &Faulty, database: Database) -> Self {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut journal = Journal::open(Arc::clone(&shared), Sync::EverySecond).unwrap();
        let writers = (0..4).map(|_| journal.writer(1)).collect();
        Self {
            disk: disk.clone(),
            journal,
            writers,
            books: Books::new(shared),
            database,
            instant: 1 << 40,
            twin: BTreeMap::new(),
        }
    }

    fn new() -> Self {
        Self::open(&Faulty::default(), Database::in_memory().unwrap())
    }

    fn files(&mut self) -> Vec<Readable> {
        self.journal.files().unwrap()
    }

    fn ingest(&mut self) {
        let files = self.files();
        while self.books.ingest(&mut self.database, &files).unwrap().more {}
    }

    fn act(&mut self, deed: Deed) {
        self.instant += 1;
        match deed {
            // An id is reserved and settled once, by whoever has it.
            Deed::Reserve { worker, id, amount } => {
                let known = self.twin.entry(id).or_default();
                if known[0].is_none() {
                    known[0] = Some(amount as i64);
                    self.writers[worker].reserve(&reserve(id, amount)).unwrap();
                }
            }
            Deed::Settle { worker, id, amount } => {
                let known = self.twin.entry(id).or_default();
                if known[0].is_some() && known[1].is_none() {
                    known[1] = Some(amount as i64);
                    self.writers[worker].settle(&settle(id, amount)).unwrap();
                }
            }
            Deed::Adjust { id, amount } => {
                if let Some(known) = self.twin.get_mut(&id).filter(|known| known[0].is_some()) {
                    known[2] = Some(amount as i64);
                    let adjust = adjust(1 << 100, self.instant, amount as i64, Some(id));
                    self.writers[3].adjust(&adjust).unwrap();
                }
            }
            Deed::Give { id, amount } => {
                let known = self.twin.entry(id).or_default();
                if known[2].is_none() {
                    known[2] = Some(amount);
                    self.writers[3]
                        .adjust(&adjust(id, self.instant, amount, None))
                        .unwrap();
                }
            }
            Deed::Ingest => self.ingest(),
            Deed::Turn => {
                self.journal.tend(self.instant);
            }
        }
    }

    /// What the twin charges.
    fn charges(&self) -> BTreeMap<u128, i64> {
        let charge = |(id, [reserved, settled, adjusted]): (&u128, &[Option<i64>; 3])| {
            Some((*id, adjusted.or(*settled).or(*reserved)?))
        };
        self.twin.iter().filter_map(charge).collect()
    }
}

fn entries(database: &Database) -> Vec<Entry> {
    let filter = Filter::default();
    let rows = database.pages(&filter, 100).flat_map(Result::unwrap);
    rows.map(|row| row.entry).collect()
}

fn charges(database: &Database) -> BTreeMap<u128, i64> {
    entries(database)
        .into_iter()
        .map(|entry| (entry.id, entry.charged))
        .collect()
}

/// What accounts have spent is what their entries are charged, each once.
fn consistent(database: &Database) {
    let mut totals: BTreeMap<(u32, i64), i64> = BTreeMap::new();
    let mut days: BTreeMap<DayKey, Day> = BTreeMap::new();
    for entry in entries(database) {
        for slot in &entry.slots {
            *totals.entry(*slot).or_default() += entry.charged;
        }
        let sums = days.entry(DayKey::of(&entry)).or_default();
        for (sum, part) in sums.0.iter_mut().zip(Day::of(&entry).0) {
            *sum += part;
        }
    }
    let kept = database.totals().unwrap();
    let kept = kept.iter().map(
        |Total {
             account,
             start,
             charged,
             ..
         }| ((*account, *start), *charged),
    );
    assert_eq!(kept.collect::<BTreeMap<_, _>>(), totals);
    let range = crate::store::Range {
        from: 0,
        to: 1 << 50,
    };
    let usage = database.usage(range, &[]).unwrap();
    let whole = usage.first().map_or((0, 0, 0), |usage| {
        (usage.attempts, usage.charged, usage.input)
    });
    let sum = |index: usize| days.values().map(|day| day.0[index]).sum::<i64>();
    assert_eq!(whole, (sum(0), sum(1), sum(7)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Appends, readings and turns of the control thread in any order: each id is charged once.
    #[test]
    fn the_books_are_the_twins(deeds in proptest::collection::vec(any_deed(), 0..60)) {
        let mut shop = Shop::new();
        for deed in deeds {
            shop.act(deed);
        }
        shop.ingest();
        prop_assert_eq!(charges(&shop.database), shop.charges());
        consistent(&shop.database);
        prop_assert_eq!(shop.books.counts().contradictions.load(std::sync::atomic::Ordering::Relaxed), 0);
    }

    /// A crash after any deed, the last record torn anywhere, with the database that there was or with none: nothing lost, nothing twice.
    #[test]
    fn a_crash_at_any_point_charges_each_once(
        deeds in proptest::collection::vec(any_deed(), 1..40),
        torn in 1..SIZE,
        fresh in any::<bool>(),
    ) {
        let mut shop = Shop::new();
        for deed in deeds {
            shop.act(deed);
        }
        let disk = shop.disk.copy();
        if let Some(name) = disk.journals().last() {
            let half = Record::Reserve(reserve(999, 5)).encode();
            disk.edit(name, |bytes| bytes.extend(&half[..torn]));
        }
        let (expected, settled): (_, Vec<u128>) = (
            shop.charges(),
            shop.twin.iter().filter(|(_, known)| known[1].or(known[2]).is_some()).map(|(id, _)| *id).collect(),
        );
        let database = if fresh { Database::in_memory().unwrap() } else { shop.database };
        let mut again = Shop::open(&disk, database);
        let files = again.files();
        let recovered = again.books.recover(&mut again.database, &files).unwrap();
        prop_assert_eq!(charges(&again.database), expected.clone());
        consistent(&again.database);
        let doubt = Filter { state: Some(State::InDoubt), ..Filter::default() };
        let listed = again.database.entries(&doubt, 0, 100).unwrap().rows;
        prop_assert_eq!(listed.len(), recovered.in_doubt);
        let doubted: BTreeSet<u128> = listed.iter().map(|row| row.entry.id).collect();
        let unsettled: BTreeSet<u128> = expected.keys().copied().filter(|id| !settled.contains(id)).collect();
        prop_assert_eq!(doubted, unsettled);
        // Once more from the start, and all journals can go.
        let second = again.books.recover(&mut again.database, &files).unwrap();
        prop_assert_eq!(second.in_doubt, 0);
        prop_assert_eq!(&second.balances, &recovered.balances);
        again.books.tidy(&mut again.database, &files).unwrap();
        prop_assert!(again.files().iter().all(|file| file.end.is_some()), "only this start's own are left");
        prop_assert_eq!(charges(&again.database), expected);
    }

    /// The order in which the records of an attempt are read does not matter, nor how often.
    #[test]
    fn order_and_repetition_do_not_matter(order in Just(vec![0, 1, 2, 3, 0, 1, 2, 3]).prop_shuffle()) {
        let records = [
            Record::Reserve(reserve(4, 100)),
            Record::Settle(settle(4, 60)),
            Record::Adjust(adjust(50, 900, 70, Some(4))),
            Record::Adjust(adjust(51, 901, 80, Some(4))),
        ];
        let read = |order: &[usize]| {
            let mut entry: Option<Entry> = None;
            for index in order {
                match merge(entry.as_ref(), &records[*index], 1) {
                    Merged::Changed(changed) => entry = Some(changed),
                    Merged::Known => {}
                    Merged::Contradicts => panic!("nothing contradicts"),
                }
            }
            entry.unwrap()
        };
        let entry = read(&order);
        prop_assert_eq!(&entry, &read(&[0, 1, 2, 3]));
        prop_assert_eq!((entry.charged, entry.reserved, entry.ended.is_some()), (80, Some(100), true));
    }
}

/// Every prefix of a journal, in bytes, is a state that there was.
#[test]
fn every_prefix_is_an_earlier_state() {
    let mut shop = Shop::new();
    let mut states = vec![shop.charges()];
    for id in 0..3 {
        shop.act(Deed::Reserve {
            worker: 0,
            id,
            amount: 100 + id as u64,
        });
        states.push(shop.charges());
        if id % 2 == 0 {
            shop.act(Deed::Settle {
                worker: 0,
                id,
                amount: 50,
            });
            states.push(shop.charges());
        }
    }
    let name = shop.disk.journals().remove(0);
    for len in 0..=shop.disk.content(&name).len() {
        let disk = shop.disk.copy();
        disk.edit(&name, |bytes| bytes.truncate(len));
        let mut again = Shop::open(&disk, Database::in_memory().unwrap());
        let files = again.files();
        again.books.recover(&mut again.database, &files).unwrap();
        assert_eq!(charges(&again.database), states[len / SIZE], "{len} bytes");
        consistent(&again.database);
    }
}

#[test]
fn a_settlement_counts_although_its_reservation_is_damaged() {
    let mut shop = Shop::new();
    shop.writers[0].reserve(&reserve(1, 100)).unwrap();
    shop.writers[0].settle(&settle(1, 60)).unwrap();
    let name = shop.disk.journals().remove(0);
    let disk = shop.disk.copy();
    disk.edit(&name, |bytes| bytes[30] ^= 1);
    let mut again = Shop::open(&disk, Database::in_memory().unwrap());
    let files = again.files();
    let recovered = again.books.recover(&mut again.database, &files).unwrap();
    assert_eq!(recovered.in_doubt, 0);
    assert_eq!(charges(&again.database), BTreeMap::from([(1, 60)]));
    assert_eq!(recovered.balances[0].spent_from(60), Nano::new(60));
    assert_eq!(
        again
            .books
            .counts()
            .damaged
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
}

#[test]
fn what_is_in_doubt_stays_charged_until_an_operator_says_otherwise() {
    let mut shop = Shop::new();
    shop.writers[0].reserve(&reserve(2, 100)).unwrap();
    let mut again = Shop::open(&shop.disk.copy(), shop.database);
    let files = again.files();
    let recovered = again.books.recover(&mut again.database, &files).unwrap();
    assert_eq!(
        (recovered.in_doubt, recovered.balances[0].spent_from(0)),
        (1, Nano::new(100))
    );
    let entry = entries(&again.database).remove(0);
    assert_eq!((entry.state, entry.charged), (State::InDoubt, 100));
    again.writers[0]
        .adjust(&correction(&entry, 77, 1, Nano::new(30)))
        .unwrap();
    again.ingest();
    let entry = entries(&again.database).remove(0);
    assert_eq!(
        (entry.state, entry.charged, entry.reserved),
        (State::Adjusted, 30, Some(100))
    );
    consistent(&again.database);
}

#[test]
fn a_second_settlement_that_differs_changes_nothing_and_is_counted() {
    // A smaller reservation is one that was read late.
    let mut shop = Shop::new();
    shop.writers[0].reserve(&reserve(1, 100)).unwrap();
    for amount in [60, 60, 10] {
        shop.writers[0].settle(&settle(1, amount)).unwrap();
    }
    shop.writers[1].reserve(&reserve(1, 40)).unwrap();
    shop.ingest();
    assert_eq!(charges(&shop.database), BTreeMap::from([(1, 60)]));
    assert_eq!(
        shop.books
            .counts()
            .contradictions
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
}

#[test]
fn a_journal_stays_while_something_in_it_is_in_flight() {
    let mut shop = Shop::new();
    shop.writers[0].reserve(&reserve(1, 100)).unwrap();
    let first = shop.disk.journals().remove(0);
    // The worker is gone, its request is not: another one settles it.
    drop(shop.writers.remove(0));
    shop.journal.tend(5);
    shop.ingest();
    let files = shop.files();
    assert_eq!(files.iter().filter(|file| file.end.is_none()).count(), 1);
    assert_eq!(shop.books.tidy(&mut shop.database, &files).unwrap(), 0);
    shop.writers[0].settle(&settle(1, 60)).unwrap();
    shop.ingest();
    assert_eq!(shop.books.tidy(&mut shop.database, &files).unwrap(), 1);
    assert!(!shop.disk.journals().contains(&first));
    assert_eq!(charges(&shop.database), BTreeMap::from([(1, 60)]));
}

#[test]
fn a_journal_that_was_not_read_to_its_end_stays() {
    let mut shop = Shop::new();
    shop.writers[0].settle(&settle(1, 60)).unwrap();
    let mut again = Shop::open(&shop.disk.copy(), Database::in_memory().unwrap());
    let files = again.files();
    let closed: Vec<_> = files
        .iter()
        .filter(|file| file.end.is_none())
        .cloned()
        .collect();
    again.books.tidy(&mut again.database, &files).unwrap();
    assert_eq!(
        closed.len()
            - again
                .files()
                .iter()
                .filter(|file| file.end.is_none())
                .count(),
        3,
        "the empty ones"
    );
    // A removal that fails is done later.
    again.ingest();
    again
        .disk
        .fail(again.disk.calls(), again.disk.calls() + 1, Fault::Broken(0));
    let files = again.files();
    assert!(again.books.tidy(&mut again.database, &files).is_err());
    again.ingest();
    assert_eq!(again.books.tidy(&mut again.database, &files).unwrap(), 1);
    assert_eq!(charges(&again.database), BTreeMap::from([(1, 60)]));
}

#[test]
fn windows_and_slices_are_restored() {
    let mut shop = Shop::new();
    let window = Window {
        start: 60,
        end: 120,
    };
    shop.writers[0]
        .roll(&Roll {
            at: 1,
            account: 0,
            window,
        })
        .unwrap();
    for (id, start) in [(1, 0), (2, 10), (3, 11), (4, 319), (5, 320)] {
        let mut slots = Slots::default();
        slots.push(Slot { account: 8, start }).unwrap();
        let settle = Settle {
            slots,
            ..settle(id, 1 << id)
        };
        shop.writers[0].settle(&settle).unwrap();
    }
    shop.ingest();
    let balances = balances(&shop.database).unwrap();
    assert_eq!(
        balances[0].windows,
        [Spent {
            start: 60,
            end: Some(120),
            amount: Nano::ZERO
        }]
    );
    let slices = balances[1].slices(0, 320).map(Nano::get);
    assert_eq!((slices[0], slices[1], slices[31]), (2, 12, 16));
    assert_eq!(
        slices.iter().sum::<u64>(),
        30,
        "what began outside is left out"
    );
    assert_eq!(balances[1].slices(300, 0), [Nano::ZERO; SLICES]);
}

#[test]
fn names_reach_the_database_and_a_failed_turn_is_repeated() {
    let mut shop = Shop::new();
    let shared: Arc<dyn Disk> = Arc::new(shop.disk.clone());
    let mut names = Names::open(&shared).unwrap();
    let key = names.number(Kind::Key, "ci").unwrap();
    let mut settled = settle(1, 60);
    settled.parties.key = key;
    shop.writers[0].settle(&settled).unwrap();
    shop.books.learn(names.take_new());
    // An id twice in one table of names would fail; so does a database that is read-only.
    let files = shop.files();
    shop.database = Database::in_memory().unwrap();
    shop.database.refuse_writes(true);
    assert!(shop.books.ingest(&mut shop.database, &files).is_err());
    shop.database.refuse_writes(false);
    shop.ingest();
    let rows = shop
        .database
        .entries(&Filter::default(), 0, 9)
        .unwrap()
        .rows;
    assert_eq!(rows[0].names[0].as_deref(), Some("ci"));
}

/// A running keeper over a disk and a database in memory.
fn running(disk: &Faulty, store: &Arc<crate::store::Writer>) -> (Running, Writer) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut journal = Journal::open(Arc::clone(&shared), Sync::EverySecond).unwrap();
    let writer = journal.writer(1);
    let names = Arc::new(std::sync::Mutex::new(Names::open(&shared).unwrap()));
    let keeper = Keeper {
        journal,
        names,
        books: Books::new(shared),
        turns: Arc::default(),
        store: Arc::clone(store),
        keep_for: None,
        keep_bytes: None,
    };
    (keeper.start().unwrap(), writer)
}

#[test]
fn a_keeper_that_ends_has_synced_and_read_everything() {
    let disk = Faulty::default();
    let database = Database::in_memory().unwrap();
    let store = Arc::new(crate::store::Writer::start(database).unwrap());
    let (keeper, mut writer) = running(&disk, &store);
    writer.reserve(&reserve(1, 100)).unwrap();
    writer.settle(&settle(1, 60)).unwrap();
    drop((keeper, writer));
    let read = store.submit(|database| charges(database)).unwrap();
    assert_eq!(read.wait(), Ok(BTreeMap::from([(1, 60)])));
    assert!(disk.syncs() > 0);
}

#[test]
fn a_database_that_refuses_costs_history_its_freshness_and_no_more() {
    let disk = Faulty::default();
    let database = Database::in_memory().unwrap();
    database.refuse_writes(true);
    let store = Arc::new(crate::store::Writer::start(database).unwrap());
    let (keeper, mut writer) = running(&disk, &store);
    let counted = keeper.counted();
    writer.settle(&settle(1, 60)).unwrap();
    drop((keeper, writer));
    assert!(
        counted
            .books()
            .failures
            .load(std::sync::atomic::Ordering::Relaxed)
            > 0
    );
    assert!(disk.syncs() > 0, "the journal was synced all the same");
    let allow = store.submit(|database| database.refuse_writes(false));
    allow.unwrap().wait().unwrap();
    let (keeper, _writer) = running(&disk, &store);
    drop(keeper);
    let read = store.submit(|database| charges(database)).unwrap();
    assert_eq!(read.wait(), Ok(BTreeMap::from([(1, 60)])));
}
