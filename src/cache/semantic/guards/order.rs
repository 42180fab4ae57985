//! Do the same words play the same roles?
//!
//! English tells roles by order and by prepositions. Two words that have changed places are harmless if one of them took its preposition along, if they are joined by `and`, or if one owns or specifies the other either way: `price of gold`, `gold price`.

use super::MOST_REORDERED;
use super::compare::Pair;
use super::features::{Features, Word};
use super::lexicon::key;

/// Whether a word stands where it says something else.
///
/// `pairs` are all words that carry meaning, each with its equal; their order is lost.
pub(super) fn differs(
    one: &Features,
    other: &Features,
    pairs: &mut [Pair],
    steps: &mut usize,
) -> bool {
    if pairs
        .iter()
        .any(|(a, b)| opposed(&one.words[*a], &other.words[*b]))
    {
        return true;
    }
    if exchanged(one, other, pairs) {
        return true;
    }
    pairs.sort_unstable();
    if turned(one, other, pairs) {
        return true;
    }
    if pairs.windows(2).all(|two| two[0].1 < two[1].1) {
        return false;
    }
    if pairs.len() > MOST_REORDERED {
        return true;
    }
    for (at, first) in pairs.iter().enumerate() {
        for second in &pairs[at + 1..] {
            *steps += 1;
            if second.1 < first.1 && !harmless(one, other, *first, *second) {
                return true;
            }
        }
    }
    false
}

/// Whether one word is governed from there and to there, or acts here and not there.
fn opposed(one: &Word, other: &Word) -> bool {
    let [from, to, by] = [key(b"from"), key(b"to"), key(b"by")];
    let [about, for_, with, using, via] = [
        key(b"about"),
        key(b"for"),
        key(b"with"),
        key(b"using"),
        key(b"via"),
    ];
    let either = |a: u64, b: u64| {
        (one.governor == a && other.governor == b) || (one.governor == b && other.governor == a)
    };
    let means = [by, with, using, via];
    let acts = |a: &Word, b: &Word| a.governor == by && !means.contains(&b.governor);
    either(from, to)
        || either(from, for_)
        || either(about, for_)
        || acts(one, other)
        || acts(other, one)
}

/// Whether two prepositions have changed places: the cup in the box on the table.
fn exchanged(one: &Features, other: &Features, pairs: &[Pair]) -> bool {
    let governors = |pair: &Pair| (one.words[pair.0].governor, other.words[pair.1].governor);
    let moved: Vec<(u64, u64)> = pairs
        .iter()
        .map(governors)
        .filter(|(a, b)| a != b && *a != 0 && *b != 0)
        .take(MOST_REORDERED)
        .collect();
    moved.iter().any(|(a, b)| moved.contains(&(*b, *a)))
}

/// Whether a verb is passive in one text only, and what stands before it there does not follow it in the other.
///
/// `pairs` are in the order of the first text.
fn turned(one: &Features, other: &Features, pairs: &[Pair]) -> bool {
    pairs.iter().enumerate().any(|(at, (a, b))| {
        let (x, y) = (&one.words[*a], &other.words[*b]);
        let written = |text: &Features, word: &Word| text.plain[word.plain.clone()].to_owned();
        if x.passive == y.passive || written(one, x) == written(other, y) {
            return false;
        }
        if x.passive {
            at > 0 && pairs[at - 1].1 < *b
        } else {
            let before = pairs
                .iter()
                .filter(|pair| pair.1 < *b)
                .max_by_key(|pair| pair.1);
            before.is_some_and(|pair| pair.0 < *a)
        }
    })
}

/// Whether two words that have changed places say the same.
fn harmless(one: &Features, other: &Features, first: Pair, second: Pair) -> bool {
    let (x1, y1) = (&one.words[first.0], &one.words[second.0]);
    let (x2, y2) = (&other.words[first.1], &other.words[second.1]);
    let same = |a: u64, b: u64| a != 0 && a == b;
    let governed = x1.governor != y1.governor || x2.governor != y2.governor;
    if governed && (same(x1.governor, x2.governor) || same(y1.governor, y2.governor)) {
        return true;
    }
    let in_clause = x1.clause != y1.clause && x2.clause != y2.clause;
    if in_clause && (same(x1.clause, x2.clause) || same(y1.clause, y2.clause)) {
        return true;
    }
    let joined = first.0 + 1 == second.0 && y1.joined && second.1 + 1 == first.1 && x2.joined;
    let counted = x1.count == x2.count && y1.count == y2.count;
    if joined && counted && x1.denied == x2.denied && y1.denied == y2.denied {
        return true;
    }
    let compares = key(b"difference");
    if x1.key == compares || y1.key == compares {
        return true;
    }
    // What is done to a thing: the thing stands before a passive verb and after an active one.
    if (y1.passive && !y2.passive) || (x2.passive && !x1.passive) {
        return true;
    }
    // `x of y` in one and `y x` or `y's x` in the other.
    specifies(y1, (second.1, first.1), x2)
        || specifies(x2, (first.0, second.0), y1)
        || named_before(one, x1, y1, y2)
        || named_before(other, y2, x2, x1)
}

/// Whether a word that a preposition ties to one before it stands shortly before that one elsewhere.
fn specifies(tied: &Word, (at, head_at): Pair, head: &Word) -> bool {
    let ties = [
        key(b"of"),
        key(b"for"),
        key(b"in"),
        key(b"on"),
        key(b"about"),
        key(b"from"),
    ];
    at < head_at
        && head_at - at <= 2
        && ties.contains(&tied.governor)
        && head.governor != tied.governor
}

/// Whether a text names a thing first, and asks about it afterwards by `it`.
fn named_before(text: &Features, first: &Word, second: &Word, elsewhere: &Word) -> bool {
    let pointed = text.points.is_some_and(|part| part > first.part);
    pointed
        && first.clause == 0
        && first.part < second.part
        && elsewhere.governor == second.governor
}
