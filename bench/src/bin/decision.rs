//! How long does one decision take, at its slowest too?
//!
//! Criterion gives means; a gateway's promise is about the tail, so each call is timed alone and the clock's own cost is taken off.
//! The same calls are counted for heap allocations, of which there may be none.
//!
//! # Invariants
//! - An allocation fails the run; a missed time is shown, and fails it with `--strict`.

use std::io::Write as _;
use std::time::Instant;

use allocation_counter::measure;
use anyhow::ensure;
use bench::decisions::Desk;
use bench::report::{Bar, Bound, bars, number, table};
use bench::samples::{Samples, median};
use clap::Parser;

/// Candidates that decisions are measured among.
const SIZES: [usize; 4] = [2, 16, 64, 256];

/// What is asked.
#[derive(Clone, Copy)]
struct Kind {
    /// Behind the number of candidates.
    name: &'static str,
    desk: fn(usize) -> Desk,
}

/// Requests of nobody in particular, and turns of sessions where prices count.
const KINDS: [Kind; 2] = [
    Kind {
        name: "",
        desk: Desk::new,
    },
    Kind {
        name: " for a session",
        desk: Desk::of_sessions,
    },
];

/// Turns counted for allocations.
const COUNTED: usize = 100_000;

/// Times single decisions and counts their allocations.
#[derive(Debug, Parser)]
struct Arguments {
    /// Decisions timed in a round.
    #[arg(long, default_value_t = 300_000)]
    decisions: usize,
    /// Rounds; the median of their percentiles is shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Fail if a bar is missed.
    #[arg(long)]
    strict: bool,
}

/// What is timed, in the order that it happens.
const PARTS: [&str; 4] = ["select", "begin", "first byte", "finish"];

/// The parts' durations.
#[derive(Debug)]
struct Timed {
    select: Samples,
    begin: Samples,
    first_byte: Samples,
    finish: Samples,
}

impl Timed {
    fn with_capacity(count: usize) -> Self {
        let room = || Samples::with_capacity(count);
        Self {
            select: room(),
            begin: room(),
            first_byte: room(),
            finish: room(),
        }
    }
}

/// What reading the clock twice shows when nothing is between: the median, in ns.
fn clock_nanos() -> u64 {
    let mut samples = Samples::with_capacity(100_000);
    for _ in 0..100_000 {
        let from = Instant::now();
        samples.push(from.elapsed());
    }
    samples.percentile_nanos(50.0)
}

/// Times `count` turns, less what the clock costs.
fn time(desk: &mut Desk, count: usize, clock: u64) -> Timed {
    let mut timed = Timed::with_capacity(count);
    let spent = |from: Instant| {
        let nanos = u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX);
        nanos.saturating_sub(clock)
    };
    for _ in 0..count {
        let from = Instant::now();
        let pick = std::hint::black_box(desk.select());
        timed.select.push_nanos(spent(from));
        let Some(pick) = pick else { continue };
        let from = Instant::now();
        desk.begin(&pick);
        timed.begin.push_nanos(spent(from));
        let from = Instant::now();
        desk.first_byte();
        timed.first_byte.push_nanos(spent(from));
        let from = Instant::now();
        desk.finish();
        timed.finish.push_nanos(spent(from));
    }
    timed
}

/// p50, p99 and p99.9 of each round.
#[derive(Debug, Default)]
struct Tail([Vec<f64>; 3]);

impl Tail {
    fn add(&mut self, samples: &mut Samples) {
        for (values, percent) in self.0.iter_mut().zip([50.0, 99.0, 99.9]) {
            values.push(samples.percentile_nanos(percent) as f64);
        }
    }

    fn medians(&self) -> [f64; 3] {
        self.0.each_ref().map(|values| median(values))
    }
}

/// The tails of each part over all rounds.
fn tails(desk: &mut Desk, arguments: &Arguments, clock: u64) -> [Tail; 4] {
    let mut tails = PARTS.map(|_| Tail::default());
    for _ in 0..arguments.rounds {
        let mut timed = time(desk, arguments.decisions, clock);
        desk.fit();
        let Timed {
            select,
            begin,
            first_byte,
            finish,
        } = &mut timed;
        for (tail, samples) in tails.iter_mut().zip([select, begin, first_byte, finish]) {
            tail.add(samples);
        }
    }
    tails
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let clock = clock_nanos();
    let mut rows = Vec::new();
    let mut promises = Vec::new();
    for (size, kind) in SIZES
        .into_iter()
        .flat_map(|size| KINDS.map(|kind| (size, kind)))
    {
        let mut desk = (kind.desk)(size);
        let counted = measure(|| (0..COUNTED).for_each(|_| desk.turn()));
        let allocations = counted.count_total;
        ensure!(
            allocations == 0,
            "{allocations} allocations in {COUNTED} turns among {size}{}",
            kind.name
        );
        let tails = tails(&mut desk, &arguments, clock);
        for (name, tail) in PARTS.iter().zip(&tails) {
            let mut row = vec![format!("{name} among {size}{}", kind.name)];
            row.extend(tail.medians().iter().map(|&nanos| number(nanos)));
            rows.push(row);
        }
        let p99 = |tail: &Tail| tail.medians()[1];
        let bar = |name, value, bound| Bar {
            name,
            value,
            bound: Bound::AtMost(bound),
            unit: "ns",
        };
        match (size, kind.name) {
            (16, "") => {
                promises.push(bar("select among 16, p99", p99(&tails[0]), 500.0));
                promises.push(bar("record an outcome, p99", p99(&tails[3]), 500.0));
                let whole = tails.iter().map(|tail| tail.medians()[2]).sum();
                promises.push(bar("all four parts, sum of p99.9", whole, 10_000.0));
            }
            (64, "") => promises.push(bar("select among 64, p99", p99(&tails[0]), 2_000.0)),
            (16, _) => promises.push(bar(
                "select among 16 for a session, p99",
                p99(&tails[0]),
                500.0,
            )),
            (64, _) => promises.push(bar(
                "select among 64 for a session, p99",
                p99(&tails[0]),
                2_000.0,
            )),
            _ => {}
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}",
        table(&["ns, one thread", "p50", "p99", "p99.9"], &rows)
    )?;
    writeln!(out, "{}", bars(&promises))?;
    writeln!(
        out,
        "0 allocations in {COUNTED} turns at each size; {clock} ns of clock taken off"
    )?;
    ensure!(
        !arguments.strict || promises.iter().all(Bar::holds),
        "a bar was missed"
    );
    Ok(())
}
