//! Blocks against a plain list: what is read is what was written, and a search finds what a filter over the list does.

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::block::Block;
use super::columns::MOST_ROWS;
use super::open::Open;
use super::*;

/// A request as a test has it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Plain {
    number: u64,
    id: Option<String>,
    at_us: u64,
    took_us: u64,
    stream: bool,
    status: u16,
    session: Option<u64>,
    trace: Option<u128>,
    /// Model, asked, key, team, customer, workflow, fault, cache.
    texts: [Option<&'static str>; 8],
    ending: &'static str,
    numbers: [u32; 8],
    legs: Vec<(usize, u64)>,
}

const ROUTES: [Via<'static>; 4] = [
    via("a/m/k", "a", ""),
    via("a/n/k", "a", "eu"),
    via("b/m/k", "b", ""),
    via("c/ü/k", "c", ""),
];

const fn via(route: &'static str, provider: &'static str, region: &'static str) -> Via<'static> {
    Via {
        route,
        provider,
        model: "m",
        key: "k",
        region,
    }
}

const WORDS: [&str; 7] = ["", "main", "other", "ü\n\"", "null", "x y", "rare"];

impl Plain {
    fn random(rng: &mut StdRng, index: u64) -> Self {
        let maybe = |rng: &mut StdRng, chance: f64| rng.random_bool(chance);
        let word =
            |rng: &mut StdRng| maybe(rng, 0.7).then(|| WORDS[rng.random_range(0..WORDS.len() - 1)]);
        let wide = rng.random_range(0..64);
        Self {
            number: (rng.random_range(0..3_u64) << 32) + index,
            id: maybe(rng, 0.3).then(|| format!("id-{}", rng.random_range(0..50))),
            at_us: 1_000_000 + index * 100 + rng.random_range(0..500),
            took_us: rng.random::<u64>() >> wide >> 1,
            stream: maybe(rng, 0.5),
            status: [200, 200, 429, 0][rng.random_range(0..4)],
            session: maybe(rng, 0.4).then(|| rng.random_range(0..40)),
            trace: maybe(rng, 0.2).then(|| rng.random()),
            texts: std::array::from_fn(|_| word(rng)),
            ending: ["ok", "shed"][rng.random_range(0..2)],
            numbers: std::array::from_fn(|_| rng.random::<u32>() >> (wide / 2)),
            legs: (0..rng.random_range(0..4))
                .map(|_| {
                    (
                        rng.random_range(0..ROUTES.len()),
                        rng.random::<u64>() >> wide >> 1,
                    )
                })
                .collect(),
        }
    }

    fn row(&self) -> Row<'_> {
        let [model, asked, key, team, customer, workflow, fault, cache] = self.texts;
        let wide = |at: usize| u64::from(self.numbers[at]);
        Row {
            number: self.number,
            id: self.id.as_deref(),
            at_us: self.at_us,
            took_us: self.took_us,
            overhead_us: wide(0),
            first_us: self.stream.then(|| wide(1)),
            endpoint: "chat",
            surface: "openai",
            model,
            asked,
            workflow,
            key,
            team,
            customer,
            ending: self.ending,
            fault,
            cache,
            stream: self.stream,
            explained: self.status == 429,
            content: self.status == 0,
            status: self.status,
            max_tokens: (!self.stream).then_some(self.numbers[2]),
            session: self.session,
            trace: self.trace,
            tokens: Tokens {
                input: self.numbers[3],
                cached: self.numbers[4],
                cache_write: self.numbers[5],
                output: self.numbers[6],
                reasoning: self.numbers[7],
            },
            cost: wide(3) * wide(4),
            saved: wide(5),
        }
    }

    fn legs(&self) -> Vec<Leg<'static>> {
        let leg = |(route, number): &(usize, u64)| Leg {
            via: ROUTES[*route],
            mode: ["normal", "probe"][route % 2],
            outcome: "success",
            propensity: *number as u32,
            score: self.numbers[0],
            terms_us: std::array::from_fn(|at| (*number as i64 >> at) * (1 - 2 * (at as i64 % 2))),
            began_us: *number,
            sent_us: (number % 2 == 0).then_some(*number),
            first_us: (number % 3 == 0).then_some(*number),
            took_us: number / 2,
            status: 200,
            tokens: Tokens::default(),
            cost: *number,
        };
        self.legs.iter().map(leg).collect()
    }

    fn shown_id(&self) -> String {
        let own = || format!("req-{:016x}", self.number);
        self.id.clone().unwrap_or_else(own)
    }

    /// What a filter must say of it.
    fn passes(&self, filter: &Filter) -> bool {
        let [model, asked, key, team, customer, workflow, fault, cache] = self.texts;
        let is = |have: Option<&str>, text: &str| have == Some(text);
        let texts = filter.texts.iter().all(|(field, text)| match field {
            Field::Key => is(key, text),
            Field::Team => is(team, text),
            Field::Customer => is(customer, text),
            Field::Model => is(model, text) || is(asked, text),
            Field::Asked => is(asked, text),
            Field::Workflow => is(workflow, text),
            Field::Route => self.legs.iter().any(|it| ROUTES[it.0].route == text),
            Field::Provider => self.legs.iter().any(|it| ROUTES[it.0].provider == text),
            Field::Ending => self.ending == text,
            Field::Fault => is(fault, text),
            Field::Cache => is(cache, text),
        });
        let id = match &filter.id {
            None => true,
            Some(Id::Prefix(text)) => self.shown_id().starts_with(text),
            Some(Id::Exact(text)) => {
                let number = format!("{:016x}", self.number);
                self.shown_id() == *text || number == *text || format!("req-{number}") == *text
            }
        };
        texts
            && id
            && filter.from_us.is_none_or(|it| self.at_us >= it)
            && filter.to_us.is_none_or(|it| self.at_us < it)
            && filter.min_us.is_none_or(|it| self.took_us >= it)
            && filter.status.is_none_or(|it| self.status == it)
            && filter.stream.is_none_or(|it| self.stream == it)
            && filter.session.is_none_or(|it| self.session == Some(it))
            && filter.trace.is_none_or(|it| self.trace == Some(it))
    }
}

fn filter(rng: &mut StdRng, all: &[Plain]) -> Filter {
    const FIELDS: [Field; 11] = Field::ALL;
    let some = all[rng.random_range(0..all.len())].clone();
    let mut filter = Filter::default();
    for _ in 0..rng.random_range(0..3) {
        match rng.random_range(0..8) {
            0 => filter.from_us = Some(some.at_us),
            1 => filter.to_us = Some(some.at_us),
            2 => filter.min_us = Some(some.took_us),
            3 => filter.stream = Some(some.stream),
            4 => filter.session = some.session.or(Some(7_777)),
            5 => filter.trace = some.trace,
            6 => {
                let text = [
                    some.shown_id(),
                    format!("{:016x}", some.number),
                    "none".to_owned(),
                ];
                let text = text[rng.random_range(0..3)].clone();
                filter.id = Some(match rng.random_range(0..3) {
                    0 => Id::Exact(text),
                    _ => Id::Prefix(text[..rng.random_range(0..=text.len())].to_owned()),
                });
            }
            _ => filter.status = Some(some.status),
        }
    }
    for _ in 0..rng.random_range(0..3) {
        let field = FIELDS[rng.random_range(0..FIELDS.len())];
        let text = match field {
            Field::Route => ROUTES[rng.random_range(0..4)].route,
            Field::Provider => ROUTES[rng.random_range(0..4)].provider,
            Field::Ending => some.ending,
            _ => WORDS[rng.random_range(0..WORDS.len())],
        };
        filter.texts.push((field, text.to_owned()));
    }
    filter
}

/// When counting begins, µs since 1970, and the place of the first row then.
const START_US: u64 = 1 << 30;
const BASE: u64 = START_US / 4_096 * MOST_ROWS as u64;

/// A folder that no other test has.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trimtab-requests-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("requests.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn push(shelf: &Shelf, plain: &Plain) {
    shelf.push(&plain.row(), plain.legs().into_iter(), None);
}

/// The places of all that a search finds, page by page, counted from the first there was; `act` is done between pages.
fn found(records: &Records, filter: &Filter, limit: usize, mut act: impl FnMut()) -> Vec<u64> {
    let (mut numbers, mut before) = (Vec::new(), None);
    loop {
        let page = records
            .search(filter, Wish { before, limit }, &mut || true)
            .unwrap();
        assert!(page.complete && page.hits.len() <= limit);
        numbers.extend(page.hits.iter().map(|hit| hit.place - BASE));
        match page.next {
            None => return numbers,
            next => before = next,
        }
        act();
    }
}

/// The numbers of all requests, the newest first.
fn numbers(records: &Records) -> Vec<u64> {
    let wish = Wish {
        before: None,
        limit: usize::MAX,
    };
    let page = records
        .search(&Filter::default(), wish, &mut || true)
        .unwrap();
    page.hits
        .iter()
        .map(|hit| hit.with(|row, _| row.number))
        .collect()
}

fn expected(all: &[Plain], filter: &Filter) -> Vec<u64> {
    let passing = all
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, it)| it.passes(filter));
    passing.map(|(at, _)| at as u64).collect()
}

#[test]
fn blocks_give_back_what_was_put_in() {
    for seed in 0..30 {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = [0, 1, 2, 127, 128, 129, 500, MOST_ROWS][seed as usize % 8];
        let all: Vec<Plain> = (0..count as u64)
            .map(|it| Plain::random(&mut rng, it))
            .collect();
        let mut open = Open::default();
        for plain in &all {
            open.push(&plain.row(), plain.legs().into_iter());
        }
        let from = rng.random_range(0..=count.min(200));
        for from in [0, from] {
            let block = Block::new(open.encode(from).into_boxed_slice()).unwrap();
            let reader = block.reader().unwrap();
            assert_eq!(block.len(), count - from);
            for (at, plain) in all[from..].iter().enumerate() {
                assert_eq!(reader.row(at), plain.row(), "seed {seed}, row {at}");
                assert_eq!(reader.legs(at), plain.legs(), "seed {seed}, row {at}");
            }
        }
        let summary = open.summary();
        let mut read = summary::Summary::decode(&summary.encode()).unwrap();
        read.set_sieve(&summary.sieve_bytes());
        assert_eq!(read, summary, "seed {seed}");
    }
}

#[test]
fn broken_blocks_do_no_harm() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut open = Open::default();
    for index in 0..300 {
        let plain = Plain::random(&mut rng, index);
        open.push(&plain.row(), plain.legs().into_iter());
    }
    let whole = open.encode(0);
    for seed in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            // The head most of all, where everything is found by.
            let most = if rng.random() { 200 } else { bytes.len() };
            let at = rng.random_range(0..most);
            bytes[at] = rng.random();
        }
        bytes.truncate(rng.random_range(0..=2 * bytes.len()).min(bytes.len()));
        let Some(block) = Block::new(bytes.into_boxed_slice()) else {
            continue;
        };
        let all = (0..block.len()).map(|it| Plain::random(&mut rng, it as u64));
        let all: Vec<Plain> = all.chain([Plain::default()]).collect();
        let wanted = filter(&mut rng, &all).select(&block, usize::MAX);
        if let Some(reader) = block.reader() {
            let read = wanted
                .last_first()
                .map(|at| (reader.row(at), reader.legs(at)));
            assert!(read.count() <= MOST_ROWS, "seed {seed}");
        }
        let _ = summary::Summary::decode(block.bytes());
    }
}

#[test]
fn a_search_finds_what_a_plain_list_has() {
    for seed in 0..4 {
        let mut rng = StdRng::seed_from_u64(seed);
        let folder = Folder::new();
        let on_disk = seed % 2 == 0;
        let stay = if on_disk { Stay::OnDisk } else { Stay::Here };
        let shelf = Arc::new(Shelf::new(stay, 64 << 20, START_US));
        let path = on_disk.then(|| folder.file());
        let mut disk = path.as_ref().map(|path| Disk::open(path, &shelf).unwrap());
        let records = Records::new(Arc::clone(&shelf), path);
        let count = 2 * MOST_ROWS as u64 + rng.random_range(0..2_000);
        let mut all = Vec::new();
        for index in 0..count {
            let plain = Plain::random(&mut rng, index);
            push(&shelf, &plain);
            all.push(plain);
            if let Some(disk) = &mut disk
                && rng.random_bool(0.001)
            {
                disk.write(&shelf).unwrap();
            }
        }
        let before = all.len();
        for question in 0..40 {
            let filter = filter(&mut rng, &all[..before]);
            let limit = [1_000, 100_000, 370][question % 3];
            let wanted = expected(&all, &filter);
            let mut later = Vec::new();
            let told = found(&records, &filter, limit, || {
                // Rows that come meanwhile stand before the first page.
                let plain = Plain::random(&mut rng, count + all.len() as u64 + later.len() as u64);
                push(&shelf, &plain);
                later.push(plain);
            });
            all.append(&mut later);
            assert_eq!(told, wanted, "seed {seed}: {filter:?}");
        }
    }
}

#[test]
fn a_search_whose_time_is_up_can_be_gone_on_with() {
    let folder = Folder::new();
    let shelf = Arc::new(Shelf::new(Stay::OnDisk, 64 << 20, START_US));
    let mut disk = Disk::open(&folder.file(), &shelf).unwrap();
    let records = Records::new(Arc::clone(&shelf), Some(folder.file()));
    let mut rng = StdRng::seed_from_u64(9);
    let mut all = Vec::new();
    for index in 0..4 * MOST_ROWS as u64 + 10 {
        let plain = Plain::random(&mut rng, index);
        push(&shelf, &plain);
        all.push(plain);
        if index % 3_000 == 0 {
            disk.write(&shelf).unwrap();
        }
    }
    let filter = Filter {
        min_us: Some(u64::MAX / 4),
        ..Filter::default()
    };
    let (mut numbers, mut before, mut turns) = (Vec::new(), None, 0);
    loop {
        let page = records
            .search(
                &filter,
                Wish {
                    before,
                    limit: 10_000,
                },
                &mut || false,
            )
            .unwrap();
        numbers.extend(page.hits.iter().map(|hit| hit.place - BASE));
        turns += 1;
        assert_eq!(page.complete, page.next.is_none());
        match page.next {
            None => break,
            next => before = next,
        }
    }
    assert_eq!(numbers, expected(&all, &filter));
    assert!(turns >= 5, "{turns}");
}

fn said(text: &str) -> Texts {
    Texts {
        decisions: "[]".into(),
        said: Some(Said {
            request: text.into(),
            response: "".into(),
            cut: true,
        }),
    }
}

#[test]
fn what_was_written_is_there_after_a_restart_with_its_texts() {
    let folder = Folder::new();
    let mut rng = StdRng::seed_from_u64(3);
    let mut all: Vec<Plain> = Vec::new();
    for life in 0..3_u64 {
        let shelf = Arc::new(Shelf::new(Stay::OnDisk, 64 << 20, 1_000 + life));
        let mut disk = Disk::open(&folder.file(), &shelf).unwrap();
        assert_eq!(disk.take_aside(), None);
        let records = Records::new(Arc::clone(&shelf), Some(folder.file()));
        let told = numbers(&records);
        let wanted = all.iter().rev().map(|it| it.number);
        assert!(told.into_iter().eq(wanted), "life {life}");
        for index in 0..5_000 {
            let plain = Plain::random(&mut rng, 10_000 * life + index);
            let texts = said(&plain.number.to_string());
            shelf.push(&plain.row(), plain.legs().into_iter(), Some(texts));
            all.push(plain);
            if index % 100 == 0 {
                disk.write(&shelf).unwrap();
            }
        }
        disk.write(&shelf).unwrap();
        assert!(matches!(
            Disk::open(&folder.file(), &shelf),
            Err(super::super::StoreError::Locked)
        ));
        let wish = Wish {
            before: None,
            limit: 200,
        };
        let page = records
            .search(&Filter::default(), wish, &mut || true)
            .unwrap();
        for hit in page.hits {
            let number = hit.with(|row, _| row.number.to_string());
            assert_eq!(records.texts(hit.place).unwrap(), Some(said(&number)));
        }
    }
}

#[test]
fn memory_is_bounded_and_the_oldest_go_first() {
    let shelf = Arc::new(Shelf::new(Stay::Here, 4 << 20, 0));
    let records = Records::new(Arc::clone(&shelf), None);
    let mut rng = StdRng::seed_from_u64(1);
    let text = "x".repeat(1_000);
    for index in 0..100_000_u64 {
        let plain = Plain::random(&mut rng, index);
        shelf.push(&plain.row(), plain.legs().into_iter(), Some(said(&text)));
    }
    let page = records
        .search(
            &Filter::default(),
            Wish {
                before: None,
                limit: 1_000_000,
            },
            &mut || true,
        )
        .unwrap();
    assert!(
        (MOST_ROWS..60_000).contains(&page.hits.len()),
        "{}",
        page.hits.len()
    );
    assert_eq!(page.hits[0].with(|row, _| row.number as u32), 99_999);
    let kept = page
        .hits
        .iter()
        .take_while(|it| records.texts(it.place).unwrap().is_some());
    assert!((500..1_100).contains(&kept.count()));
    assert_eq!(shelf.take_dropped(), 0);
}

#[test]
fn a_disk_that_takes_nothing_costs_the_oldest_rows_and_goes_on_by_itself() {
    let folder = Folder::new();
    let shelf = Arc::new(Shelf::new(Stay::OnDisk, 16 << 20, START_US));
    let mut disk = Disk::open(&folder.file(), &shelf).unwrap();
    let records = Records::new(Arc::clone(&shelf), Some(folder.file()));
    disk.refuse_writes(true);
    let rows = 12 * MOST_ROWS as u64;
    for index in 0..rows {
        push(
            &shelf,
            &Plain {
                number: index,
                ending: "ok",
                ..Plain::default()
            },
        );
        if index % 1_000 == 0 && index > 0 {
            assert!(disk.write(&shelf).is_err());
        }
    }
    let dropped = shelf.take_dropped();
    assert_eq!(dropped, 4 * MOST_ROWS as u64);
    disk.refuse_writes(false);
    disk.write(&shelf).unwrap();
    assert_eq!(
        found(&records, &Filter::default(), 100_000, || ()).len() as u64,
        rows - dropped
    );
    assert!(shelf.snapshot().is_empty());
}

#[test]
fn what_is_too_old_or_too_much_goes_a_little_at_a_time() {
    let folder = Folder::new();
    let shelf = Arc::new(Shelf::new(Stay::OnDisk, 16 << 20, START_US));
    let mut disk = Disk::open(&folder.file(), &shelf).unwrap();
    let records = Records::new(Arc::clone(&shelf), Some(folder.file()));
    let mut rng = StdRng::seed_from_u64(2);
    let blocks = 14;
    for index in 0..blocks * MOST_ROWS as u64 {
        let plain = Plain {
            at_us: index,
            ..Plain::random(&mut rng, index)
        };
        let texts = (index % 4 == 0).then(|| said("something"));
        if shelf.push(&plain.row(), plain.legs().into_iter(), texts) {
            disk.write(&shelf).unwrap();
        }
    }
    let left = |records: &Records| {
        let wish = Wish {
            before: None,
            limit: 1_000_000,
        };
        records
            .search(&Filter::default(), wish, &mut || true)
            .unwrap()
            .hits
            .len()
    };
    let since_us = 2 * MOST_ROWS as u64;
    let old = Limits {
        since_us,
        bytes: u64::MAX,
    };
    let mut turns = 0;
    while disk.prune(&old).unwrap() {
        turns += 1;
    }
    assert!(turns > 2, "{turns}");
    assert_eq!(left(&records), 12 * MOST_ROWS);
    let half = Limits {
        since_us: 0,
        bytes: disk.bytes().unwrap() / 2,
    };
    while disk.prune(&half).unwrap() {}
    let rows = left(&records);
    assert!((5 * MOST_ROWS..8 * MOST_ROWS).contains(&rows), "{rows}");
    assert!(disk.bytes().unwrap() <= half.bytes);
    // Closing moves the log into the file.
    drop(disk);
    let size = std::fs::metadata(folder.file()).unwrap().len();
    assert!(size < half.bytes * 5 / 4, "{size}");
}

#[test]
fn a_damaged_file_is_set_aside() {
    let folder = Folder::new();
    let shelf = Arc::new(Shelf::new(Stay::OnDisk, 16 << 20, START_US));
    for number in 1..=3 {
        std::fs::write(folder.file(), vec![b'x'; 10_000]).unwrap();
        let mut disk = Disk::open(&folder.file(), &shelf).unwrap();
        let told = disk.take_aside().unwrap();
        let name = format!("requests.db.broken-{}", number.min(2));
        assert!(told.ends_with(&name), "{told}");
        push(&shelf, &Plain::default());
        disk.write(&shelf).unwrap();
        if number == 1 {
            let aside = disk.set_aside().unwrap();
            assert!(aside.ends_with("requests.db.broken-2"));
            std::fs::remove_file(aside).unwrap();
        }
    }
}

#[test]
fn ids_are_read_as_people_write_them() {
    for (text, number) in [
        ("req-00000000000000ff", Some(255)),
        ("00000000000000ff", Some(255)),
        ("ffffffffffffffff", Some(u64::MAX)),
        ("ff", None),
        ("req-", None),
        ("", None),
        ("req-00000000000000FF", None),
        ("req-00000000000000fff", None),
    ] {
        assert_eq!(Id::number(text), number, "{text}");
    }
    for (text, range) in [
        ("", Some((0, u64::MAX))),
        ("re", Some((0, u64::MAX))),
        ("req-f", Some((0xf << 60, u64::MAX))),
        ("req-00000000000000f", Some((0xf0, 0xff))),
        ("f", None),
        ("req-x", None),
    ] {
        assert_eq!(Id::range(text), range, "{text}");
    }
}

/// Where a process that is to be killed writes.
const VICTIM: &str = "TRIMTAB_TEST_REQUESTS_VICTIM";

/// Writes until it is killed, and tells after each turn how many rows are written.
fn write_until_killed(path: &std::path::Path) -> ! {
    let shelf = Arc::new(Shelf::new(Stay::OnDisk, 16 << 20, START_US));
    let mut disk = Disk::open(path, &shelf).unwrap();
    let mut rng = StdRng::seed_from_u64(4);
    let mut written = 0;
    loop {
        for _ in 0..rng.random_range(1..400) {
            let plain = Plain {
                at_us: written,
                ..Plain::random(&mut rng, written)
            };
            let texts = said(&written.to_string());
            shelf.push(&plain.row(), plain.legs().into_iter(), Some(texts));
            written += 1;
        }
        disk.write(&shelf).unwrap();
        eprintln!("{written}");
    }
}

#[test]
fn a_process_that_is_killed_loses_what_was_not_written_and_damages_nothing() {
    const NAME: &str = "a_process_that_is_killed_loses_what_was_not_written_and_damages_nothing";
    if let Some(path) = std::env::var_os(VICTIM) {
        write_until_killed(path.as_ref());
    }
    let mut rng = StdRng::seed_from_u64(8);
    for life in 0..6 {
        let folder = Folder::new();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([NAME, "--nocapture"])
            .env(VICTIM, folder.file())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.map_while(|line| line.ok()?.trim().parse::<u64>().ok());
        let told = told.take(rng.random_range(1..60)).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let shelf = Arc::new(Shelf::new(Stay::OnDisk, 16 << 20, START_US));
        let mut disk = Disk::open(&folder.file(), &shelf).unwrap();
        assert_eq!(disk.take_aside(), None, "life {life}");
        let records = Records::new(shelf, Some(folder.file()));
        let wish = Wish {
            before: None,
            limit: usize::MAX,
        };
        let page = records
            .search(&Filter::default(), wish, &mut || true)
            .unwrap();
        let rows = page.hits.len() as u64;
        assert!(rows >= told, "life {life}: {rows} of {told}");
        for (hit, at) in page.hits.iter().zip((0..rows).rev()) {
            assert_eq!(hit.place - BASE, at, "life {life}");
        }
        for hit in page.hits.iter().step_by(97) {
            let at = hit.with(|row, _| row.at_us);
            assert_eq!(hit.place - BASE, at, "life {life}");
            let texts = records.texts(hit.place).unwrap();
            assert_eq!(texts, Some(said(&at.to_string())), "life {life}");
        }
    }
}
