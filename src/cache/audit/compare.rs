//! Do the stored and the fresh answer say the same?
//!
//! What is exact decides first: equal text, equal values of structured answers, numbers and yes or no of short ones.
//! Only then the similarity of the two answers' vectors, which the caller hands in; what it leaves open is for a judge, where there is one.
//! Vectors are not asked first, since they are close just where a number or a "not" makes all the difference.
//!
//! # Invariants
//! - What is called the same or different names why; all else is [`Verdict::Unsure`], which is never counted as right.
//! - Which of the two answers is the stored one changes no verdict.

use serde::{Deserialize, Serialize};

use super::plain::plain;
use super::short::{self, Finding};
use super::structure::{Difference, Document};

/// From which cosine on two answers are the same by default.
///
/// Lower lets opposite answers in the same words through; higher leaves most for the judge.
const SAME: f64 = 0.90;

/// Up to which cosine two answers are different by default.
///
/// Higher calls free paraphrases wrong; lower leaves most for the judge.
const DIFFERENT: f64 = 0.70;

/// Whether two answers say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The stored answer was right to be served.
    Same,
    /// It was wrong.
    Different,
    /// It cannot be told.
    Unsure,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The texts are the same, byte for byte.
    Identical,
    /// They are the same but for case, white space, punctuation and Markdown.
    Wording,
    /// Structured answers hold the same values.
    Values,
    /// Structured answers hold different values, at the path.
    OtherValues,
    /// A structured answer was asked for and only one is.
    Shape,
    /// Short answers have the same numbers, or the same yes or no.
    Facts,
    /// Short answers have different numbers.
    Numbers,
    /// One answer says yes, the other no.
    Polarity,
    /// The cosine is at or beyond one of its bounds.
    Cosine,
    /// The cosine is between its bounds.
    Between,
    /// The cosine says the same, but the numbers differ.
    NumbersDoubt,
    /// The cosine says the same, but one answer has a "not" more.
    NegationDoubt,
    /// There is no cosine, or it is no number.
    NoVector,
    /// An answer is cut off, refused, empty or a call of a tool.
    NotWhole,
    /// The judge said so.
    Judge,
    /// The judge gave no verdict.
    JudgeSilent,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with text.
    Whole,
    /// In any other way: cut off, filtered, with a call of a tool.
    Otherwise,
}

/// An answer that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its text.
    pub text: &'a str,
    /// How it ended.
    pub ending: Ending,
}

/// What the question asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text, which may be JSON.
    Any,
    /// JSON.
    Json,
}

/// How answers are compared.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The cosine of the two answers' vectors, where there are any.
    pub cosine: Option<f64>,
    /// From which cosine on they are the same. Default 0.90.
    pub same: f64,
    /// Up to which cosine they are different. Default 0.70.
    pub different: f64,
    /// What was asked for.
    pub shape: Shape,
}

impl Default for How {
    fn default() -> Self {
        Self {
            cosine: None,
            same: SAME,
            different: DIFFERENT,
            shape: Shape::Any,
        }
    }
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on.
    pub reason: Reason,
    /// Where structured answers differ, at most some 200 bytes.
    pub path: Option<String>,
}

impl Comparison {
    const fn new(verdict: Verdict, reason: Reason) -> Self {
        Self {
            verdict,
            reason,
            path: None,
        }
    }

    /// Whether a judge would be asked: both answers are whole and nothing exact has decided.
    #[must_use]
    pub const fn is_for_judge(&self) -> bool {
        matches!(self.verdict, Verdict::Unsure) && !matches!(self.reason, Reason::NotWhole)
    }

    /// The comparison after the judge was asked; what was decided without it stays.
    #[must_use]
    pub fn judged(self, verdict: Option<Verdict>) -> Self {
        if !self.is_for_judge() {
            return self;
        }
        let (verdict, reason) = match verdict {
            Some(verdict) => (verdict, Reason::Judge),
            None => (Verdict::Unsure, Reason::JudgeSilent),
        };
        Self {
            verdict,
            reason,
            path: self.path,
        }
    }
}

/// Compares a stored answer with a fresh one.
#[must_use]
pub fn compare(stored: &Answer<'_>, fresh: &Answer<'_>, how: &How) -> Comparison {
    let whole =
        |answer: &Answer<'_>| answer.ending == Ending::Whole && !answer.text.trim().is_empty();
    if !(whole(stored) && whole(fresh)) {
        return Comparison::new(Verdict::Unsure, Reason::NotWhole);
    }
    if stored.text == fresh.text {
        return Comparison::new(Verdict::Same, Reason::Identical);
    }
    match (Document::read(stored.text), Document::read(fresh.text)) {
        (Some(left), Some(right)) => documents(&left, &right, how),
        (None, None) => texts(stored.text, fresh.text, how),
        _ if how.shape == Shape::Json => Comparison::new(Verdict::Different, Reason::Shape),
        _ => texts(stored.text, fresh.text, how),
    }
}

/// Compares two structured answers.
///
/// Their plain texts say nothing, since they lack the brackets.
fn documents(left: &Document, right: &Document, how: &How) -> Comparison {
    match left.difference(right) {
        None => Comparison::new(Verdict::Same, Reason::Values),
        Some(Difference::Value(path)) => Comparison {
            path: Some(path),
            ..Comparison::new(Verdict::Different, Reason::OtherValues)
        },
        Some(Difference::Wording(path)) => Comparison {
            path: Some(path),
            ..by_cosine(Finding::Open, how)
        },
    }
}

/// Compares two texts.
fn texts(stored: &str, fresh: &str, how: &How) -> Comparison {
    let (left, right) = (plain(stored), plain(fresh));
    if left == right && !left.is_empty() {
        return Comparison::new(Verdict::Same, Reason::Wording);
    }
    match short::compare(stored, fresh) {
        Finding::Same => Comparison::new(Verdict::Same, Reason::Facts),
        Finding::Polarity => Comparison::new(Verdict::Different, Reason::Polarity),
        Finding::Numbers => Comparison::new(Verdict::Different, Reason::Numbers),
        open => by_cosine(open, how),
    }
}

/// Decides by the cosine, as far as the facts do not object.
fn by_cosine(finding: Finding, how: &How) -> Comparison {
    let Some(cosine) = how.cosine.filter(|cosine| cosine.is_finite()) else {
        return Comparison::new(Verdict::Unsure, Reason::NoVector);
    };
    if cosine <= how.different {
        return Comparison::new(Verdict::Different, Reason::Cosine);
    }
    if cosine < how.same {
        return Comparison::new(Verdict::Unsure, Reason::Between);
    }
    match finding {
        Finding::OtherNumbers => Comparison::new(Verdict::Unsure, Reason::NumbersDoubt),
        Finding::OtherNegations => Comparison::new(Verdict::Unsure, Reason::NegationDoubt),
        _ => Comparison::new(Verdict::Same, Reason::Cosine),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn whole(text: &str) -> Answer<'_> {
        Answer {
            text,
            ending: Ending::Whole,
        }
    }

    fn check(left: &str, right: &str, how: &How) -> (Verdict, Reason) {
        let found = compare(&whole(left), &whole(right), how);
        let back = compare(&whole(right), &whole(left), how);
        assert_eq!(found.verdict, back.verdict, "{left} | {right}");
        (found.verdict, found.reason)
    }

    #[test]
    fn answers_and_their_verdicts() {
        use Reason::{
            Between, Cosine, Facts, Identical, NegationDoubt, NoVector, NotWhole, NumbersDoubt,
            OtherValues, Polarity, Values, Wording,
        };
        use Verdict::{Different, Same, Unsure};
        let long = |price: &str| format!("{} for {price} dollars", "a word or two ".repeat(10));
        let (dear, cheap) = (long("250"), long("150"));
        for (left, right, cosine, verdict, reason) in [
            ("Paris", "Paris", None, Same, Identical),
            ("Paris", "**paris**.", Some(0.1), Same, Wording),
            (r#"{"a":1}"#, r#"{ "a" : 1.0 }"#, Some(0.1), Same, Values),
            (
                r#"{"a":1,"b":2}"#,
                r#"{"a":[1],"b":2}"#,
                Some(0.99),
                Different,
                OtherValues,
            ),
            (r#"{"a":1}"#, "a: 1", Some(0.95), Same, Wording),
            ("42", "It is 42.", Some(0.3), Same, Facts),
            (
                "It is 42.",
                "It is 43.",
                Some(0.99),
                Different,
                Reason::Numbers,
            ),
            (
                "Yes, you may.",
                "No, you may not.",
                Some(0.99),
                Different,
                Polarity,
            ),
            ("Paris", "London", Some(0.70), Different, Cosine),
            ("Paris", "London", Some(0.71), Unsure, Between),
            ("The city of Paris", "It is Paris", Some(0.90), Same, Cosine),
            (
                "It is open",
                "It is not open",
                Some(0.97),
                Unsure,
                NegationDoubt,
            ),
            (&dear, &cheap, Some(0.99), Unsure, NumbersDoubt),
            (&dear, &cheap, Some(0.5), Different, Cosine),
            ("Paris", "London", None, Unsure, NoVector),
            ("Paris", "London", Some(f64::NAN), Unsure, NoVector),
            ("...", "!!!", None, Unsure, NoVector),
            ("", "Paris", Some(0.99), Unsure, NotWhole),
        ] {
            let how = How {
                cosine,
                ..How::default()
            };
            assert_eq!(
                check(left, right, &how),
                (verdict, reason),
                "{left} | {right}"
            );
        }
    }

    #[test]
    fn prose_where_json_was_asked_for_is_different() {
        let how = How {
            cosine: Some(0.99),
            shape: Shape::Json,
            ..How::default()
        };
        let found = check(r#"{"a":1}"#, "I cannot do that", &how);
        assert_eq!(found, (Verdict::Different, Reason::Shape));
    }

    #[test]
    fn an_answer_that_is_not_whole_is_not_judged() {
        let cut = Answer {
            text: "Par",
            ending: Ending::Otherwise,
        };
        let found = compare(&whole("Paris"), &cut, &How::default());
        assert_eq!(found.reason, Reason::NotWhole);
        assert!(!found.is_for_judge());
        assert_eq!(found.clone().judged(Some(Verdict::Same)), found);
    }

    #[test]
    fn a_judge_settles_what_is_open_only() {
        let open = compare(&whole("a"), &whole("b"), &How::default());
        let settled = open.clone().judged(Some(Verdict::Different));
        assert_eq!(
            (settled.verdict, settled.reason),
            (Verdict::Different, Reason::Judge)
        );
        assert_eq!(open.judged(None).reason, Reason::JudgeSilent);
        let decided = compare(&whole("a"), &whole("A"), &How::default());
        assert_eq!(decided.clone().judged(Some(Verdict::Different)), decided);
    }

    proptest! {
        #[test]
        fn any_two_answers_have_one_verdict_either_way(
            left in "[ -~éß\n`*#-]{0,40}",
            right in "[ -~0-9]{0,40}",
            cosine in proptest::option::of(-1.0..1.0_f64),
        ) {
            let how = How { cosine, ..How::default() };
            check(&left, &right, &how);
            if !left.trim().is_empty() {
                prop_assert_eq!(check(&left, &left, &how).0, Verdict::Same);
            }
        }

        #[test]
        fn markup_and_white_space_change_no_words(text in "[a-z]{1,9}( [a-z]{1,9}){0,9}") {
            let changed = format!("## **{}**!\n", text.to_uppercase().replace(' ', "\n"));
            let how = How { cosine: Some(0.0), ..How::default() };
            prop_assert_eq!(check(&text, &changed, &how).0, Verdict::Same);
        }
    }
}
