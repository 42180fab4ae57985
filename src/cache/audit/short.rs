//! What do two short answers say with numbers, with yes and no?
//!
//! A question about a fact is often answered by a number or a yes, with more or fewer words around it, and vectors are at their worst there: "It is 150" and "It is 250" are near neighbours.
//!
//! # Invariants
//! - Two answers are called different only if each holds a number that the other one lacks, or one begins with yes and the other with no.
//! - They are called the same only if one of them is nothing but its numbers or its yes or no.

use std::collections::BTreeSet;

use super::plain::plain;

/// Up to how many words an answer is short.
const SHORT: usize = 12;

/// Words that mean yes as an answer's first word.
const YES: &[&str] = &[
    "yes", "yeah", "yep", "true", "correct", "ja", "oui", "si", "sí", "да", "sim", "是的", "はい",
];

/// Words that mean no as an answer's first word.
const NO: &[&str] = &[
    "no",
    "nope",
    "false",
    "incorrect",
    "nein",
    "non",
    "нет",
    "não",
    "不是",
    "いいえ",
];

/// Words that turn a sentence round, after apostrophes are dropped.
const NOT: &[&str] = &[
    "not", "no", "never", "none", "neither", "nor", "cannot", "without", "cant", "dont", "doesnt",
    "didnt", "isnt", "arent", "wasnt", "werent", "wont", "wouldnt", "shouldnt", "couldnt", "hasnt",
    "havent", "nicht", "kein", "keine", "nie", "pas", "jamais", "nunca", "ningún", "не",
];

/// What is read of an answer.
#[derive(Debug)]
pub(super) struct Facts {
    words: usize,
    numbers: BTreeSet<String>,
    yes: Option<bool>,
    negations: usize,
    /// Whether there is nothing but numbers, or nothing but a yes or no.
    bare: bool,
}

/// What two answers' facts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// They say the same.
    Same,
    /// One says yes, the other no.
    Polarity,
    /// Each has a number that the other lacks.
    Numbers,
    /// They leave it open, and nothing speaks against being the same.
    Open,
    /// They leave it open, but hold different numbers.
    OtherNumbers,
    /// They leave it open, but one has a "not" more.
    OtherNegations,
}

impl Facts {
    /// Reads an answer, given as written and as [`plain`].
    pub(super) fn read(text: &str, plain: &str) -> Self {
        let words: Vec<&str> = plain.split_whitespace().collect();
        let items = counted_items(text);
        let numbers = numbers(plain, items);
        let yes = polarity(text);
        let negations = words.iter().filter(|word| NOT.contains(word)).count();
        let rest = words.len() - usize::from(yes.is_some());
        let numeric = |word: &&str| !word.contains(char::is_alphabetic);
        Self {
            bare: (yes.is_some() && rest == 0)
                || (yes.is_none() && !numbers.is_empty() && words.iter().all(numeric)),
            words: words.len(),
            numbers,
            yes,
            negations,
        }
    }

    /// Compares two answers' facts.
    pub(super) fn compare(&self, other: &Self) -> Finding {
        let short = self.words <= SHORT && other.words <= SHORT;
        let agree = self.numbers == other.numbers;
        if let (Some(left), Some(right)) = (self.yes, other.yes)
            && left != right
        {
            return Finding::Polarity;
        }
        let apart =
            !self.numbers.is_subset(&other.numbers) && !other.numbers.is_subset(&self.numbers);
        if short && apart {
            return Finding::Numbers;
        }
        let turned = self.negations.abs_diff(other.negations) % 2 == 1;
        if short && agree && self.yes == other.yes && (self.bare || other.bare) && !turned {
            return Finding::Same;
        }
        if !agree {
            Finding::OtherNumbers
        } else if short && turned {
            Finding::OtherNegations
        } else {
            Finding::Open
        }
    }
}

/// Whether the answer begins with a yes or a no that stands for itself.
fn polarity(text: &str) -> Option<bool> {
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let end = text
        .find(|letter: char| !letter.is_alphanumeric())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', '*', '_', '`', '"']);
    let alone = rest
        .chars()
        .next()
        .is_none_or(|letter| ".,;:!?-–—\n\r。，！".contains(letter));
    let word = word.to_lowercase();
    let listed = |words: &[&str]| words.contains(&word.as_str());
    if !alone {
        None
    } else if listed(YES) {
        Some(true)
    } else {
        listed(NO).then_some(false)
    }
}

/// How many items a list has that is counted 1, 2, 3 and so on; its counters are no facts.
fn counted_items(text: &str) -> usize {
    let counter = |line: &str| {
        let (number, _) = line.trim_start().split_once(['.', ')'])?;
        number.parse::<usize>().ok()
    };
    let mut items = 0;
    for found in text.lines().filter_map(counter) {
        if found == items + 1 {
            items += 1;
        }
    }
    if items < 2 { 0 } else { items }
}

/// The numbers of a plain text, without those up to `items` if a list is counted by them.
fn numbers(plain: &str, items: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in plain.split_whitespace() {
        for run in word.split(|letter: char| !letter.is_numeric() && letter != '.') {
            let run = run.trim_matches('.');
            if !run.is_empty() {
                found.insert(value(run));
            }
        }
        // A sign counts where it begins the word, not between two digits.
        if let Some(rest) = word.strip_prefix('-')
            && rest.starts_with(char::is_numeric)
        {
            found.insert("-".to_owned());
        }
    }
    found.retain(|number| {
        number
            .parse::<usize>()
            .map_or(true, |it| it > items || it == 0)
    });
    found
}

/// A decimal number without zeros that do not count.
fn value(run: &str) -> String {
    let kept = match run.split_once('.') {
        Some((whole, fraction)) if !fraction.contains('.') => {
            let fraction = fraction.trim_end_matches('0');
            let whole = whole.trim_start_matches('0');
            if fraction.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{fraction}")
            }
        }
        Some(_) => run.to_owned(),
        None => run.trim_start_matches('0').to_owned(),
    };
    if kept.is_empty() {
        "0".to_owned()
    } else {
        kept
    }
}

/// Compares two answers as they were written.
pub(super) fn compare(stored: &str, fresh: &str) -> Finding {
    let read = |text: &str| Facts::read(text, &plain(text));
    read(stored).compare(&read(fresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_short_answers() {
        use Finding::{Numbers, Open, OtherNegations, OtherNumbers, Polarity, Same};
        for (left, right, expected) in [
            ("42", "The answer is 42.", Same),
            ("42.0", "It is 42", Same),
            ("1,200", "1200 people", Same),
            ("42", "It is not 42", OtherNegations),
            ("42", "43", Numbers),
            ("It costs 150 dollars", "It costs 250 dollars", Numbers),
            ("-5", "5 degrees", OtherNumbers),
            ("5, as 2 + 3 = 5", "5", OtherNumbers),
            ("Five apples", "5 apples", OtherNumbers),
            ("5 km", "5 miles", Open),
            ("5km", "5 km", Open),
            ("2024-01-05", "It was on 2024-01-05.", Same),
            ("10-20", "from 10 to 20", Same),
            ("Yes", "Yes, it is.", Same),
            ("Yes.", "No.", Polarity),
            ("**No**, it isn't.", "Yes, it is", Polarity),
            ("Ja, gern", "nein", Polarity),
            ("No problem at all", "Yes, gladly", OtherNegations),
            ("False hits are rare", "True.", Open),
            ("Yes", "Yes, but not on Sundays", OtherNegations),
            ("The shop is open", "The shop isn't open", OtherNegations),
            ("Paris", "London", Open),
            ("", "", Open),
        ] {
            let found = compare(left, right);
            assert_eq!(found, expected, "{left} | {right}");
            assert_eq!(compare(right, left), found, "{left} | {right}");
        }
    }

    #[test]
    fn counters_of_lists_are_no_numbers() {
        let list = "1. red\n2. green\n3. blue";
        let bullets = "- red\n- green\n- blue";
        assert_eq!(compare(list, bullets), Finding::Open);
        assert_eq!(compare("5. Mai", "6. Mai"), Finding::Numbers);
    }

    #[test]
    fn long_answers_are_left_open() {
        let long = |price: u32| format!("{} and the price is {price} dollars", "word ".repeat(30));
        assert_eq!(compare(&long(150), &long(250)), Finding::OtherNumbers);
        assert_eq!(compare(&long(150), &long(150)), Finding::Open);
    }
}
