//! False hits and recall of a threshold, with and without guards.
//!
//! A hit is a pair that is accepted; it is false if the texts want different answers.
//! Recall is the share of pairs with the same answer that are accepted.

use std::collections::BTreeMap;

use trimtab::cache::semantic::guards::{Features, Veto, veto};

use super::make::Pair;

/// The cosine from which on a stored answer is served, with guards: the lowest that keeps false hits of the design half clearly below one in a hundred.
pub(crate) const THRESHOLD: f32 = trimtab::config::Caching::THRESHOLD as f32;

/// The share of hits that may be false.
const MOST_FALSE: f64 = 0.01;

/// What people use without guards.
const PLAIN: f32 = 0.94;

/// The thresholds of the sweep.
const SWEEP: std::ops::RangeInclusive<u8> = 80..=99;

/// A pair with its similarity and what the guards say.
#[derive(Debug)]
pub(crate) struct Judged {
    pair: Pair,
    cosine: f32,
    veto: Option<Veto>,
}

/// What came of a set of pairs at one threshold.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    same: usize,
    right: usize,
    wrong: usize,
}

impl Tally {
    /// False hits among hits; 0 where there are none.
    fn false_share(self) -> f64 {
        self.wrong as f64 / (self.right + self.wrong).max(1) as f64
    }

    /// Hits among the pairs with the same answer.
    fn recall(self) -> f64 {
        self.right as f64 / self.same.max(1) as f64
    }
}

/// Looks at each pair once, from both sides.
pub(crate) fn judge(pairs: Vec<Pair>, cosines: &[f32]) -> Vec<Judged> {
    let judged = pairs.into_iter().zip(cosines).map(|(pair, cosine)| {
        let (a, b) = (Features::of(&pair.a), Features::of(&pair.b));
        let verdict = veto(&a, &b);
        assert_eq!(verdict, veto(&b, &a), "not symmetric: {pair:?}");
        assert_eq!(veto(&a, &a), None, "not reflexive: {}", pair.a);
        Judged {
            pair,
            cosine: *cosine,
            veto: verdict,
        }
    });
    judged.collect()
}

/// The tally of those pairs at a threshold.
fn tally<'a>(judged: impl Iterator<Item = &'a Judged>, threshold: f32, guards: Guards) -> Tally {
    let mut tally = Tally::default();
    for one in judged {
        let hit = one.cosine >= threshold && (guards == Guards::Off || one.veto.is_none());
        tally.same += usize::from(one.pair.same);
        tally.right += usize::from(hit && one.pair.same);
        tally.wrong += usize::from(hit && !one.pair.same);
    }
    tally
}

/// Whether the guards are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guards {
    On,
    Off,
}

/// The pairs of one half.
fn of<'a>(judged: &'a [Judged], split: &'a str) -> impl Iterator<Item = &'a Judged> {
    judged.iter().filter(move |one| one.pair.split == split)
}

/// Prints false share and recall of every threshold, by half.
pub(crate) fn sweep(judged: &[Judged]) {
    println!("\n          design                          held-out");
    println!("          guards          plain           guards          plain");
    println!("threshold false% recall%  false% recall%  false% recall%  false% recall%");
    for percent in SWEEP {
        let threshold = f32::from(percent) / 100.0;
        print!("{threshold:.2}     ");
        for split in ["design", "held-out"] {
            for guards in [Guards::On, Guards::Off] {
                let it = tally(of(judged, split), threshold, guards);
                print!(
                    " {:6.2} {:7.2} ",
                    it.false_share() * 100.0,
                    it.recall() * 100.0
                );
            }
        }
        println!();
    }
}

/// Prints what is accepted of each kind at the default and at the plain threshold.
pub(crate) fn by_kind(judged: &[Judged]) {
    for split in ["design", "held-out"] {
        let mut kinds: BTreeMap<(bool, &str), Vec<&Judged>> = BTreeMap::new();
        for one in of(judged, split) {
            let key = (!one.pair.same, one.pair.kind.as_str());
            kinds.entry(key).or_default().push(one);
        }
        println!(
            "\n{split}: kind, pairs, accepted with guards at {THRESHOLD}, plain at {PLAIN}, plain at {THRESHOLD}, median cosine"
        );
        for ((different, kind), members) in kinds {
            let hits = |threshold, guards| {
                let it = tally(members.iter().copied(), threshold, guards);
                (it.right + it.wrong) as f64 * 100.0 / members.len() as f64
            };
            let mut cosines: Vec<f32> = members.iter().map(|one| one.cosine).collect();
            cosines.sort_by(f32::total_cmp);
            println!(
                "{} {kind:14} {:4} {:6.1} % {:6.1} % {:6.1} % {:.3}",
                if different { "DIFF" } else { "SAME" },
                members.len(),
                hits(THRESHOLD, Guards::On),
                hits(PLAIN, Guards::Off),
                hits(THRESHOLD, Guards::Off),
                cosines[cosines.len() / 2],
            );
        }
    }
}

/// Prints each pair of one half that is decided wrongly at the default threshold.
pub(crate) fn slips(judged: &[Judged], half: &str) {
    for one in of(judged, half) {
        let hit = one.cosine >= THRESHOLD && one.veto.is_none();
        if hit != one.pair.same {
            let why = one.veto.map_or("cosine", Veto::name);
            let what = if one.pair.same { "refused" } else { "FALSE" };
            println!(
                "{what} {:.3} {why} [{}] {} <> {}",
                one.cosine, one.pair.kind, one.pair.a, one.pair.b
            );
        }
    }
}

/// Fails if too many hits are false, or fewer are found than without guards at the usual threshold.
pub(crate) fn assert_bars(judged: &[Judged]) {
    for split in ["design", "held-out"] {
        let guarded = tally(of(judged, split), THRESHOLD, Guards::On);
        let plain = tally(of(judged, split), PLAIN, Guards::Off);
        println!(
            "{split}: guards at {THRESHOLD}: {} hits, {} false ({:.2} %), recall {:.1} %; plain {PLAIN}: {} hits, {} false ({:.2} %), recall {:.1} %",
            guarded.right + guarded.wrong,
            guarded.wrong,
            guarded.false_share() * 100.0,
            guarded.recall() * 100.0,
            plain.right + plain.wrong,
            plain.wrong,
            plain.false_share() * 100.0,
            plain.recall() * 100.0,
        );
        assert!(
            guarded.false_share() <= MOST_FALSE,
            "{split}: too many false hits"
        );
        assert!(
            guarded.recall() >= plain.recall(),
            "{split}: recall is below plain {PLAIN}"
        );
    }
}
