//! What does it cost to keep requests, and how long does it take to find some among millions?
//!
//! Not a criterion bench: filling is done once, and every question is asked three times.
//! `cargo bench -p bench --bench requests -- 10000000`; a million rows unless told otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that fails ends, and its figures are printed"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use trimtab::store::requests::{
    Disk, Field, Filter, Id, Leg, Records, Row, Shelf, Stay, Tokens, Via, Wish,
};

/// Rows between two turns of the writer.
const TURN: u64 = 4_096;

/// µs between two requests: ten million of them are a day.
const APART_US: u64 = 8_640;

/// When the first one arrives, µs since 1970.
const BEGIN_US: u64 = 1_700_000_000_000_000;

/// What names are drawn from.
struct Names {
    models: Vec<String>,
    keys: Vec<String>,
    teams: Vec<String>,
    routes: Vec<String>,
    providers: Vec<String>,
}

impl Names {
    fn new() -> Self {
        let named = |count: usize, name: &dyn Fn(usize) -> String| (0..count).map(name).collect();
        Self {
            models: named(20, &|at| format!("model-{at}")),
            keys: named(200, &|at| format!("key-{at:03}")),
            teams: named(20, &|at| format!("team-{at}")),
            routes: named(40, &|at| {
                format!("provider-{}/upstream-model-{at}/main", at % 8)
            }),
            providers: named(8, &|at| format!("provider-{at}")),
        }
    }
}

/// Puts one request on the shelf; one in a million has the fault that is searched for.
fn push(shelf: &Shelf, names: &Names, (at, rows): (u64, u64), rng: &mut StdRng) {
    let key = rng.random_range(0..200_usize).min(rng.random_range(0..200));
    let model = rng.random_range(0..20);
    let route = 2 * model + rng.random_range(0..2);
    let took_us = rng.random_range(50_000..2_050_000);
    let failed = rng.random_bool(0.02);
    let stream = rng.random();
    let id = rng
        .random_bool(0.1)
        .then(|| format!("{:016x}-{:016x}", rng.random::<u64>(), at));
    let tokens = Tokens {
        input: rng.random_range(0..4_000),
        output: rng.random_range(0..800),
        ..Tokens::default()
    };
    let cost = 150 * u64::from(tokens.input) + 600 * u64::from(tokens.output);
    let row = Row {
        number: rng.random_range(7..9_u64) << 32 | at,
        id: id.as_deref(),
        at_us: BEGIN_US + at * APART_US,
        took_us,
        overhead_us: rng.random_range(20..80),
        first_us: Some(took_us / 3).filter(|_| stream),
        endpoint: "chat",
        surface: "openai",
        model: Some(&names.models[model]),
        key: Some(&names.keys[key]),
        team: Some(&names.teams[key % 20]),
        ending: if failed { "upstream_error" } else { "ok" },
        fault: match (at == rows / 2, failed) {
            (true, _) => Some("ledger"),
            (false, true) => Some("upstream_error"),
            (false, false) => None,
        },
        stream,
        status: if failed { 502 } else { 200 },
        session: rng.random_bool(0.1).then(|| rng.random_range(0..100_000)),
        tokens,
        cost,
        ..Row::default()
    };
    let leg = Leg {
        via: Via {
            route: &names.routes[route],
            provider: &names.providers[route % 8],
            model: "upstream",
            key: "main",
            region: "",
        },
        mode: "normal",
        outcome: if failed { "server_error" } else { "success" },
        propensity: rng.random_range(0..1_000_000),
        score: rng.random_range(500_000..1_000_000),
        terms_us: [
            took_us.cast_signed() / 2,
            rng.random_range(-10_000..10_000),
            0,
            rng.random_range(0..30_000),
            0,
            0,
        ],
        began_us: rng.random_range(15..55),
        sent_us: Some(rng.random_range(20..80)),
        first_us: row.first_us,
        took_us: took_us - 60,
        status: row.status,
        tokens,
        cost,
    };
    shelf.push(&row, std::iter::once(leg), None);
}

/// Fills a file and says what it did cost; drawing the rows is counted as well.
fn fill(path: &Path, rows: u64) -> Records {
    let shelf = Arc::new(Shelf::new(Stay::OnDisk, 64 << 20, BEGIN_US));
    let mut disk = Disk::open(path, &shelf).unwrap();
    let names = Names::new();
    let mut rng = StdRng::seed_from_u64(1);
    let (mut pushed, mut written) = (Duration::ZERO, Duration::ZERO);
    let mut at = 0;
    while at < rows {
        let begin = Instant::now();
        let end = rows.min(at + TURN);
        while at < end {
            push(&shelf, &names, (at, rows), &mut rng);
            at += 1;
        }
        pushed += begin.elapsed();
        let begin = Instant::now();
        disk.write(&shelf).unwrap();
        written += begin.elapsed();
    }
    let each = |spent: Duration| spent.as_nanos() as f64 / rows as f64;
    println!("drawn and packed    {:8.0} ns a row", each(pushed));
    println!("written             {:8.0} ns a row", each(written));
    println!(
        "on disk             {:8.1} bytes a row",
        disk.bytes().unwrap() as f64 / rows as f64
    );
    Records::new(shelf, Some(path.to_owned()))
}

/// Asks for a page three times and tells the quickest.
fn ask(records: &Records, what: &str, filter: &Filter) {
    let wish = Wish {
        before: None,
        limit: 100,
    };
    let mut best = Duration::MAX;
    let mut told = String::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let page = records.search(filter, wish, &mut || true).unwrap();
        let read = page.hits.iter().map(|hit| hit.with(|row, _| row.cost));
        std::hint::black_box(read.sum::<u64>());
        best = best.min(begin.elapsed());
        told = format!("{} rows of {} read", page.hits.len(), page.scanned);
    }
    println!("{what:20}{:8.2} ms  {told}", best.as_secs_f64() * 1e3);
}

fn text(field: Field, text: &str) -> Filter {
    Filter {
        texts: vec![(field, text.to_owned())],
        ..Filter::default()
    }
}

fn main() {
    let rows = std::env::args().find_map(|it| it.parse().ok());
    let rows: u64 = rows.unwrap_or(1_000_000);
    let folder = std::env::temp_dir().join(format!("trimtab-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let records = fill(&folder.join("requests.db"), rows);
    let middle = Filter {
        to_us: Some(BEGIN_US + rows / 2 * APART_US),
        ..Filter::default()
    };
    let wish = Wish {
        before: None,
        limit: 100,
    };
    let page = records.search(&middle, wish, &mut || true).unwrap();
    let number = page.hits[7].with(|row, _| format!("req-{:016x}", row.number));
    let mut named = page.hits.iter();
    let named = named.find_map(|hit| hit.with(|row, _| row.id.map(str::to_owned)));
    let id = |id: Id| Filter {
        id: Some(id),
        ..Filter::default()
    };
    ask(&records, "newest page", &Filter::default());
    ask(&records, "by number", &id(Id::Exact(number)));
    ask(
        &records,
        "by client's id",
        &id(Id::Exact(named.unwrap_or_default())),
    );
    ask(
        &records,
        "no such id",
        &id(Id::Exact("no-such-id".to_owned())),
    );
    ask(
        &records,
        "id begins, nowhere",
        &id(Id::Prefix("zz".to_owned())),
    );
    ask(&records, "one in a million", &text(Field::Fault, "ledger"));
    ask(&records, "no such key", &text(Field::Key, "nobody"));
    let slow = |min_us| Filter {
        min_us: Some(min_us),
        ..Filter::default()
    };
    ask(&records, "the slowest", &slow(2_049_990));
    ask(&records, "slower than any", &slow(3_000_000));
    let day = (BEGIN_US + rows * APART_US).saturating_sub(86_400_000_000);
    for key in ["key-000", "key-199"] {
        let of_a_day = Filter {
            from_us: Some(day),
            ..text(Field::Key, key)
        };
        ask(&records, &format!("{key}, a day"), &of_a_day);
    }
    let _ = std::fs::remove_dir_all(&folder);
}
