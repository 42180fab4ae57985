//! The comparison itself: from what is cheapest and surest to what needs both texts word by word.

use super::features::{Features, Size, Word};
use super::lexicon::{Class, LEXICON, key};
use super::marks::Marks;
use super::slip::slipped;
use super::token::Kind;
use super::{MOST_STRANGERS, Veto, order};

/// Words from which on two texts with few differences share a frame.
const LEAST_FRAME: usize = 8;

/// Says why one text's answer does not answer the other, if a word does.
///
/// Symmetric; a text answers itself if it has a word and is no longer than [`super::MOST_BYTES`].
#[must_use]
pub fn veto(stored: &Features, asked: &Features) -> Option<Veto> {
    veto_counting(stored, asked, &mut 0)
}

/// As [`veto`], and counts the steps that depend on both texts.
pub(super) fn veto_counting(one: &Features, other: &Features, steps: &mut usize) -> Option<Veto> {
    for size in [one.size, other.size] {
        match size {
            Size::TooLong => return Some(Veto::TooLong),
            Size::Empty => return Some(Veto::Empty),
            Size::Fits => {}
        }
    }
    if one.plain == other.plain && one.quoted == other.quoted {
        return None;
    }
    if quotes_differ(one, other) {
        return Some(Veto::Quoted);
    }
    if !one.english || !other.english {
        return (one.plain != other.plain).then_some(Veto::Language);
    }
    if questions_differ(one.marks, other.marks) {
        return Some(Veto::Question);
    }
    if one.denied != other.denied {
        return Some(Veto::Negation);
    }
    if modes_differ(one.marks, other.marks) {
        return Some(Veto::Mode);
    }
    words_differ(one, other, steps)
}

/// Whether quoted text differs; what one of them quotes the other must have.
fn quotes_differ(one: &Features, other: &Features) -> bool {
    let found = |quotes: &Features, plain: &Features| {
        let mut spans = quotes.quoted.iter();
        spans.all(|span| plain.plain.contains(&span.to_lowercase()))
    };
    match (one.quoted.is_empty(), other.quoted.is_empty()) {
        (true, true) => false,
        (false, false) => one.quoted != other.quoted,
        (true, false) => !found(other, one),
        (false, true) => !found(one, other),
    }
}

/// Whether they ask for different kinds of answers.
fn questions_differ(one: Marks, other: Marks) -> bool {
    if one.within(Marks::FACTS) != other.within(Marks::FACTS) {
        return true;
    }
    if one.any(Marks::WHETHER) != other.any(Marks::WHETHER) {
        return true;
    }
    let manner = Marks::HOW.and(Marks::WHAT);
    let (a, b) = (one.within(manner), other.within(manner));
    !one.any(Marks::FACTS) && a != b && !a.is_none() && !b.is_none()
}

/// Whether they speak of may, must or should, or of then, now or later, in different ways.
fn modes_differ(one: Marks, other: Marks) -> bool {
    let times = |marks: Marks| marks.within(Marks::PAST.and(Marks::PRESENT).and(Marks::FUTURE));
    let apart = |a: Marks, b: Marks| !a.is_none() && !b.is_none() && !a.any(b);
    if apart(times(one), times(other)) {
        return true;
    }
    let (a, b) = (one.within(Marks::MODES), other.within(Marks::MODES));
    let duty = Marks::SHOULD.and(Marks::MUST);
    if one.any(Marks::WHETHER) {
        return a != b;
    }
    let how = one.any(Marks::HOW) || other.any(Marks::HOW);
    !how && apart(a, b) && !(a.any(duty) && b.any(duty))
}

/// A word of one text and the same word of the other, by their places.
pub(super) type Pair = (usize, usize);

/// Whether a word of one is missing in the other, or the same words say something else.
fn words_differ(one: &Features, other: &Features, steps: &mut usize) -> Option<Veto> {
    let (mut pairs, mut left, mut right) =
        (Vec::with_capacity(one.words.len()), Vec::new(), Vec::new());
    matched(one, other, &mut pairs, (&mut left, &mut right), steps);
    let light = |text: &Features, side: &mut Vec<usize>| {
        let all = side.len();
        side.retain(|at| !text.words[*at].light);
        all > side.len()
    };
    let missing = (light(one, &mut left), light(other, &mut right));
    if missing == (true, true) {
        return Some(Veto::Words);
    }
    if left.len() > MOST_STRANGERS || right.len() > MOST_STRANGERS {
        return Some(reason(one, other, &left, &right));
    }
    left.retain(|a| {
        let word = &one.words[*a];
        let partner = right
            .iter()
            .position(|b| mistyped((one, word), (other, &other.words[*b]), steps));
        let Some(at) = partner else {
            return true;
        };
        pairs.push((*a, right.remove(at)));
        false
    });
    if !left.is_empty() || !right.is_empty() {
        return Some(reason(one, other, &left, &right));
    }
    if persons_differ(one, other, &pairs) {
        return Some(Veto::Person);
    }
    let counts = |pair: &Pair| {
        let (a, b) = (one.words[pair.0].count, other.words[pair.1].count);
        a != 0 && b != 0 && a != b
    };
    if pairs.iter().any(counts) {
        return Some(Veto::Numbers);
    }
    order::differs(one, other, &mut pairs, steps).then_some(Veto::Order)
}

/// Pairs equal words, the first with the first; what is left has no equal in the other text.
fn matched(
    one: &Features,
    other: &Features,
    pairs: &mut Vec<Pair>,
    (left, right): (&mut Vec<usize>, &mut Vec<usize>),
    steps: &mut usize,
) {
    let (mut a, mut b) = (0, 0);
    // A repeated word needs one partner only: the last key that was paired explains the rest.
    let mut paired = None;
    while a < one.sorted.len() || b < other.sorted.len() {
        *steps += 1;
        let x = one
            .sorted
            .get(a)
            .map(|at| (usize::from(*at), &one.words[usize::from(*at)]));
        let y = other
            .sorted
            .get(b)
            .map(|at| (usize::from(*at), &other.words[usize::from(*at)]));
        match (x, y) {
            (Some((i, v)), Some((j, w))) if v.key == w.key => {
                if one.canon[v.canon.clone()] == other.canon[w.canon.clone()] {
                    pairs.push((i, j));
                    paired = Some(v.key);
                } else {
                    left.push(i);
                    right.push(j);
                }
                a += 1;
                b += 1;
            }
            (Some((i, v)), y) if y.is_none_or(|(_, w)| v.key < w.key) => {
                if paired != Some(v.key) || v.kind == Kind::Number {
                    left.push(i);
                }
                a += 1;
            }
            (_, Some((j, w))) => {
                if paired != Some(w.key) || w.kind == Kind::Number {
                    right.push(j);
                }
                b += 1;
            }
            _ => return,
        }
    }
}

/// Whether one word is the other mistyped: neither a name nor both of them known.
fn mistyped(
    (one, v): (&Features, &Word),
    (other, w): (&Features, &Word),
    steps: &mut usize,
) -> bool {
    *steps += 1;
    let plain = |word: &Word| word.kind == Kind::Word && !word.name;
    if !plain(v) || !plain(w) || (v.known && w.known) {
        return false;
    }
    let (a, b) = (&one.plain[v.plain.clone()], &other.plain[w.plain.clone()]);
    let forms = (key(a.as_bytes()), key(b.as_bytes()));
    slipped(a, b) && !LEXICON.confused(forms.0, forms.1) && !LEXICON.confused(v.key, w.key)
}

/// Whether they speak of mine and yours, or of his and hers.
fn persons_differ(one: &Features, other: &Features, pairs: &[Pair]) -> bool {
    let (a, b) = (one.marks, other.marks);
    let both = |text: &Features| {
        let words = || text.speakers.split(' ').filter(|word| !word.is_empty());
        words().any(|word| word.starts_with('y')) && words().any(|word| !word.starts_with('y'))
    };
    if both(one) && both(other) && one.speakers != other.speakers {
        return true;
    }
    // Why: "how do you …" and "how do I …" are the same question, "can you …" and "can I …" are not.
    let only = |marks: Marks, who: Marks, not: Marks| marks.any(who) && !marks.any(not);
    let apart = (only(a, Marks::I, Marks::YOU) && only(b, Marks::YOU, Marks::I))
        || (only(a, Marks::YOU, Marks::I) && only(b, Marks::I, Marks::YOU));
    if apart && !a.any(Marks::HOW) {
        return true;
    }
    let subject = |text: &Features| text.speakers.split(' ').any(|word| word == "i");
    let object = |text: &Features| text.speakers.split(' ').any(|word| word == "me");
    let turned = |x: &Features, y: &Features| subject(x) && !object(x) && object(y) && !subject(y);
    if turned(one, other) || turned(other, one) {
        return true;
    }
    let addressed = !one.speakers.is_empty() && !other.speakers.is_empty();
    if addressed && a.any(Marks::WHO) && a.any(Marks::ACTS) != b.any(Marks::ACTS) {
        return true;
    }
    if !one.others.is_empty() && !other.others.is_empty() && one.others != other.others {
        return true;
    }
    // Why: "how do I reset my …" and "how do you reset your …" are the same question.
    let shifted = (a.any(Marks::I) && b.any(Marks::YOU)) || (a.any(Marks::YOU) && b.any(Marks::I));
    let owners = |pair: &Pair| {
        let (x, y) = (one.words[pair.0].owner, other.words[pair.1].owner);
        !x.is_none() && !y.is_none() && x != y
    };
    !shifted && pairs.iter().any(owners)
}

/// The most telling reason among the words without a partner.
fn reason(one: &Features, other: &Features, left: &[usize], right: &[usize]) -> Veto {
    let strangers = || {
        let ours = left.iter().map(|at| &one.words[*at]);
        ours.chain(right.iter().map(|at| &other.words[*at]))
    };
    let few = |side: &[usize]| side.len() <= MOST_STRANGERS;
    let opposed = few(left)
        && few(right)
        && left.iter().any(|a| {
            let v = one.words[*a].key;
            right
                .iter()
                .any(|b| LEXICON.opposite(v, other.words[*b].key))
        });
    if strangers().any(|word| word.kind == Kind::Number) {
        return Veto::Numbers;
    }
    if strangers().any(|word| matches!(word.kind, Kind::Identifier | Kind::Symbol)) {
        return Veto::Identifiers;
    }
    if opposed {
        return Veto::Antonyms;
    }
    for (class, veto) in [
        (Class::Dates, Veto::Dates),
        (Class::Units, Veto::Units),
        (Class::Language, Veto::Language),
        (Class::Colours, Veto::Colours),
    ] {
        if strangers().any(|word| word.class == class) {
            return veto;
        }
    }
    if strangers().any(|word| word.name) {
        return Veto::Names;
    }
    if strangers().any(|word| word.denied) {
        return Veto::Negation;
    }
    let shorter = one.words.len().min(other.words.len());
    let most = left.len().max(right.len());
    if shorter >= LEAST_FRAME && most * 4 <= shorter && !left.is_empty() && !right.is_empty() {
        return Veto::Template;
    }
    Veto::Words
}
