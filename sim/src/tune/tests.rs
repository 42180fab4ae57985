//! The whole search on two small scenarios, and what is written of it.

use std::collections::BTreeMap;

use scoring::tuning::{self, Unit, constants};

use super::judge::{Bought, Change, Gain};
use super::*;
use crate::scenario::read;

/// Two routes of which one fails, for a minute at 5 requests/s.
fn scenario(name: &str, fault: &str) -> Scenario {
    let text = format!(
        "question = 'x?'\nduration = '1m'\nwarmup = '10s'\n\
         [[traffic]]\nrate = 5.0\n\
         [[routes]]\nname = 'a'\n[[routes]]\nname = 'b'\n\
         [[faults]]\non = ['a']\nfrom = '20s'\nuntil = '40s'\n{fault}\n\
         [[bars]]\ngoal = 'G0'\nmetric = 'first_attempt'\nat_least = 0.995\n"
    );
    read(name, &text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn tiny(threads: usize, seed: u64) -> Search {
    Search {
        scenarios: vec![
            scenario("fails", "kind = '500'\nprobability = 0.4"),
            scenario("slow", "latency_factor = 3.0"),
        ],
        traces: Vec::new(),
        base: Tuning::default(),
        effort: Effort { runs: 90, cells: 4 },
        seed,
        threads,
    }
}

#[test]
fn the_same_is_found_whatever_the_number_of_threads() {
    let one = tiny(1, 7).run(&());
    let three = tiny(3, 7).run(&());
    assert_eq!(one, three);
    assert_eq!(section(&one), section(&three));
    assert!(one.candidates > 10, "{}", one.candidates);
    assert!(
        one.training.gain.mean >= 0.0,
        "the origin was in the race: {:?}",
        one.training
    );
    assert!(one.training.before.total() > 0.0);
    assert!(text(&one).contains("\nverdict: "));
    assert_eq!(
        one.seeds,
        Seeds::new([1, 101, 201], 2),
        "no seed is of two parts"
    );
    let other = tiny(1, 8).run(&());
    assert_ne!(
        one.training.after, other.training.after,
        "another seed tries others"
    );
}

#[test]
fn seeds_of_the_three_parts_never_meet() {
    let seeds = Seeds::new([1, HELD_OUT_SEED, UNSEEN_SEED], MOST_SEEDS);
    let mut all = [seeds.training, seeds.held_out, seeds.unseen].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 3 * MOST_SEEDS);
}

/// A finding in which every constant that is searched changed.
fn planted(space: &Space) -> (Found, Tuning) {
    let tuned = space.tuning(&vec![Some(0.37); SEARCHED.len()]);
    let changed = constants()
        .iter()
        .filter(|it| (it.get)(&tuned).to_bits() != (it.get)(&Tuning::default()).to_bits());
    let kept = changed.map(|it| Change {
        name: it.name,
        unit: it.unit,
        before: (it.get)(&Tuning::default()),
        after: (it.get)(&tuned),
        bought: Bought::Gain(Gain {
            mean: 0.001,
            error: 0.0002,
        }),
    });
    let found = Found {
        kept: kept.collect(),
        better: true,
        ..Found::default()
    };
    (found, tuned)
}

#[test]
fn what_is_written_reads_back_as_what_was_measured() {
    type Groups = BTreeMap<String, BTreeMap<String, toml::Value>>;
    let space = Space::new(&Tuning::default());
    let (found, tuned) = planted(&space);
    assert!(found.kept.len() > 30, "{}", found.kept.len());
    let written = section(&found);
    let parsed: BTreeMap<String, Groups> = toml::from_str(&written).unwrap();
    assert_eq!(parsed.len(), 1);
    let mut read = Tuning::default();
    for (group, fields) in &parsed["scoring"] {
        for (field, value) in fields {
            let name = format!("{group}.{field}");
            let constant = tuning::constant(&name).unwrap();
            let value = match (constant.unit, value) {
                (Unit::Seconds, toml::Value::String(it)) => {
                    it.trim_end_matches('s').parse().unwrap()
                }
                (Unit::Number, toml::Value::Float(it)) => *it,
                (Unit::Count, toml::Value::Integer(it)) => *it as f64,
                (unit, other) => panic!("{name}: {other} for {unit:?}"),
            };
            (constant.set)(&mut read, value);
        }
    }
    assert_eq!(read, tuned);
}

#[test]
fn nothing_better_writes_no_constant_and_says_so() {
    let (mut found, _) = planted(&Space::new(&Tuning::default()));
    found.better = false;
    let written = section(&found);
    assert!(
        written.lines().all(|line| line.starts_with('#')),
        "{written}"
    );
    assert!(written.contains("Nothing beats the constants as they are"));
    assert!(text(&found).contains("verdict: nothing beats the constants as they are"));
}

#[test]
fn half_of_a_trace_is_searched_and_the_other_held_out() {
    use crate::trace::{Request, Trace};
    use scoring::time::Span;
    // Short answers first, long ones later: the clairvoyant's cost tells which half was run.
    let request = |at: u64| {
        Request::chat(
            Span::from_millis(at * 100),
            100,
            if at < 600 { 10 } else { 2_000 },
        )
    };
    let trace = Trace {
        requests: (0..1_200).map(request).collect(),
        ..Trace::default()
    };
    let mut search = tiny(1, 7);
    search.traces = vec![("t".to_owned(), trace)];
    let halves = [Half::First, Half::Second].map(|which| search.halves(which));
    let tokens = halves.map(|it| it[0].1.requests.iter().map(|it| it.output).max().unwrap());
    assert_eq!(tokens, [10, 2_000]);
    search.effort.runs = 30;
    let found = search.run(&());
    assert!(found.training.before.total().is_finite());
    assert_eq!(search.groups().len(), 4);
}
