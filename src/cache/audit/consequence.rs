//! What becomes of an entry whose answer was found wrong?
//!
//! One wrong answer may lie at the question as well as at the entry, so the first raises only the similarity that this entry asks for; the second evicts it.
//!
//! # Invariants
//! - Only a verdict of [`Verdict::Different`] has a consequence.
//! - A floor that is raised is above the similarity that was wrong.

use serde::{Deserialize, Serialize};

use super::compare::Verdict;

/// By how much more than the wrong hit's similarity the entry asks for, in cosine.
///
/// Less lets the same question in again by rounding; more loses hits of its paraphrases.
const ABOVE: f64 = 0.005;

/// What is known of an entry when one of its hits was compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// The similarity of the hit that was compared.
    pub similarity: f64,
    /// How often the entry was found wrong before.
    pub wrong_before: u32,
}

/// What is to be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// Nothing.
    Keep,
    /// It is served from this similarity on.
    RaiseFloor(f64),
    /// It is removed.
    Evict,
}

/// Tells what becomes of an entry.
#[must_use]
pub fn consequence(verdict: Verdict, history: &History) -> Consequence {
    let floor = history.similarity + ABOVE;
    match verdict {
        Verdict::Same | Verdict::Unsure => Consequence::Keep,
        // Nothing reaches a floor above one, and no similarity at all gives no floor.
        Verdict::Different if history.wrong_before == 0 && floor <= 1.0 => {
            Consequence::RaiseFloor(floor)
        }
        Verdict::Different => Consequence::Evict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_strike_evicts() {
        use Consequence::{Evict, Keep, RaiseFloor};
        for (verdict, similarity, wrong_before, expected) in [
            (Verdict::Same, 0.9, 5, Keep),
            (Verdict::Unsure, 0.9, 5, Keep),
            (Verdict::Different, 0.9, 0, RaiseFloor(0.905)),
            (Verdict::Different, 0.9, 1, Evict),
            (Verdict::Different, 0.9, u32::MAX, Evict),
            (Verdict::Different, 0.996, 0, Evict),
            (Verdict::Different, f64::NAN, 0, Evict),
        ] {
            let history = History {
                similarity,
                wrong_before,
            };
            assert_eq!(consequence(verdict, &history), expected, "{history:?}");
        }
    }
}
