//! Pairs from what is written by hand, the same from the same seed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::noise::{Dice, contracted, mistyped, plain, polite};
use super::source::{Frame, Group, groups};

/// The seed of the checked-in file.
const SEED: u64 = 20;

/// Pairs of a frame in which one slot differs.
const DIFFERENT_PER_FRAME: usize = 18;

/// Pairs of a frame with equal slots in two wordings.
const REWORDED_PER_FRAME: usize = 5;

/// Pairs of each half that a greeting, a slip, a contraction or lost capitals set apart.
const POLITE: usize = 70;
const MISTYPED: usize = 70;
const CONTRACTED: usize = 40;
const UNCAPITALISED: usize = 25;

/// Two texts, and whether one answer serves both.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) a: String,
    pub(crate) b: String,
    pub(crate) same: bool,
    pub(crate) kind: String,
    pub(crate) split: String,
}

/// Collects the pairs of one half, each once.
struct Maker {
    split: &'static str,
    dice: Dice,
    seen: BTreeSet<(String, String)>,
    pairs: Vec<Pair>,
}

/// All pairs of both halves.
pub(crate) fn pairs() -> Vec<Pair> {
    let mut all = half("design", include_str!("design.txt"));
    all.extend(half("held-out", include_str!("held-out.txt")));
    all
}

/// The pairs of one half.
fn half(split: &'static str, text: &str) -> Vec<Pair> {
    let groups = groups(text);
    let mut maker = Maker {
        split,
        dice: Dice(SEED),
        seen: BTreeSet::new(),
        pairs: Vec::new(),
    };
    let wrappers: Vec<String> = lines_of(&groups, "polite");
    for group in &groups {
        if let Some(frame) = group.frame() {
            maker.frame(&frame);
        } else {
            maker.group(group, &wrappers);
        }
    }
    maker.noise(&groups, &wrappers);
    maker.pairs
}

/// All lines of a section.
fn lines_of(groups: &[Group], section: &str) -> Vec<String> {
    let of_section = groups.iter().filter(|group| group.section == section);
    of_section.flat_map(|group| group.lines.clone()).collect()
}

impl Maker {
    /// Adds a pair unless it is there or is no pair; says whether it was added.
    fn add(&mut self, a: &str, b: &str, same: bool, kind: &str) -> bool {
        let (first, second) = if a < b { (a, b) } else { (b, a) };
        if a == b || !self.seen.insert((first.to_owned(), second.to_owned())) {
            return false;
        }
        let (a, b) = if self.dice.below(2) == 0 {
            (a, b)
        } else {
            (b, a)
        };
        self.pairs.push(Pair {
            a: a.to_owned(),
            b: b.to_owned(),
            same,
            kind: kind.to_owned(),
            split: self.split.to_owned(),
        });
        true
    }

    /// All pairs of a group; those that differ once more with a greeting around one of them.
    fn group(&mut self, group: &Group, wrappers: &[String]) {
        let section = group.section.as_str();
        let (same, kind) = match section {
            "paraphrase" => (true, "paraphrase"),
            "order" => (true, "word order"),
            "spelling" => (true, "spelling"),
            "foreign same" => (true, "other language"),
            "foreign differ" => (false, "foreign"),
            _ => match section.strip_prefix("differ ") {
                Some(kind) => (false, kind),
                None => return,
            },
        };
        for (at, a) in group.lines.iter().enumerate() {
            for b in &group.lines[at + 1..] {
                self.add(a, b, same, kind);
                if !same && kind != "foreign" {
                    let wrapper = &wrappers[self.dice.below(wrappers.len())];
                    let wrapped = polite(wrapper, b);
                    self.add(a, &wrapped, false, kind);
                }
            }
        }
    }

    /// Pairs of one frame: a slot differs, or only the wording.
    fn frame(&mut self, frame: &Frame) {
        let mut different = 0;
        for _ in 0..DIFFERENT_PER_FRAME * 8 {
            if different == DIFFERENT_PER_FRAME {
                break;
            }
            let chosen = self.choose(frame);
            let mut other = chosen.clone();
            let slot = self.dice.below(frame.slots.len());
            other[slot] = self.dice.below(frame.slots[slot].1.len());
            if other == chosen {
                continue;
            }
            let wording = self.dice.below(frame.wordings.len());
            let again = if self.dice.below(3) == 0 {
                self.dice.below(frame.wordings.len())
            } else {
                wording
            };
            let (a, b) = (frame.fill(wording, &chosen), frame.fill(again, &other));
            different += usize::from(self.add(&a, &b, false, &frame.kind));
        }
        let mut reworded = 0;
        for _ in 0..REWORDED_PER_FRAME * 8 {
            if reworded == REWORDED_PER_FRAME {
                break;
            }
            let chosen = self.choose(frame);
            let (a, b) = (frame.fill(0, &chosen), frame.fill(1, &chosen));
            reworded += usize::from(self.add(&a, &b, true, "reworded"));
        }
    }

    /// A word for each slot.
    fn choose(&mut self, frame: &Frame) -> Vec<usize> {
        let slots = frame.slots.iter();
        slots
            .map(|(_, words)| self.dice.below(words.len()))
            .collect()
    }

    /// The pairs that differ in manners, slips, contractions and capitals only.
    fn noise(&mut self, groups: &[Group], wrappers: &[String]) {
        let english = |group: &&Group| {
            group.section == "paraphrase"
                || group.section == "order"
                || group.section.starts_with("differ ")
        };
        let lines = groups.iter().filter(english).flat_map(|group| &group.lines);
        let mut base: Vec<&String> = lines.collect();
        self.dice.shuffle(&mut base);
        self.some(&base, POLITE, "politeness", |text, dice| {
            Some(polite(&wrappers[dice.below(wrappers.len())], text))
        });
        self.dice.shuffle(&mut base);
        self.some(&base, MISTYPED, "typo", mistyped);
        self.some(&base, CONTRACTED, "contraction", |text, _| contracted(text));
        self.dice.shuffle(&mut base);
        self.some(&base, UNCAPITALISED, "capitals", |text, _| {
            Some(plain(text))
        });
    }

    /// The first `most` pairs of a line and what a change makes of it.
    fn some(
        &mut self,
        base: &[&String],
        most: usize,
        kind: &str,
        change: impl Fn(&str, &mut Dice) -> Option<String>,
    ) {
        let mut made = 0;
        for text in base {
            if made == most {
                break;
            }
            if let Some(changed) = change(text, &mut self.dice) {
                made += usize::from(self.add(text, &changed, true, kind));
            }
        }
    }
}
