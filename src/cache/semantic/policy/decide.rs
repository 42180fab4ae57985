//! Is this stored answer served for this question?
//!
//! # Invariants
//! - The highest bar counts: the namespace's or the entry's own, the entry's floor, the client's.
//! - A client tightens and never loosens.
//! - Nothing is served that could not be labelled.

use serde::{Deserialize, Serialize};

use super::calibration::{Refusal, Standing};
use super::floor::EntryFloor;
use super::settings::Settings;

/// A question and the stored answer that the guards let through.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The cosine of the two questions.
    pub similarity: f32,
    /// What the entry has shown.
    pub floor: &'a EntryFloor,
    /// The similarity that the client asks for at least, if it does.
    pub tightened: Option<f32>,
}

/// What to do with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Serve the stored answer, and ask afresh, in the background, with the probability `audit_share`.
    Serve {
        /// 0 to 1.
        audit_share: f64,
    },
    /// Ask, and compare the fresh answer with the stored one: a label that costs nothing.
    Shadow(Why),
    /// Ask; there is nothing to learn.
    Refuse(Why),
}

/// Why a stored answer is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No threshold is proven yet, and the operator wants it proven.
    Unproven,
    /// Labels speak against every threshold up to the highest.
    Contradicted,
    /// Hits were wrong too often; nothing is proven since.
    Alarmed,
    /// Less similar than the namespace asks.
    Threshold,
    /// Less similar than the entry asks, which was wrong before.
    EntryFloor,
    /// Less similar than the client asks.
    Client,
    /// Less similar than anything that may be served.
    TooFar,
}

/// Whether the stored answer is served.
pub fn decide(question: &Question<'_>, standing: Standing, settings: &Settings) -> Verdict {
    let Question {
        similarity,
        floor,
        tightened,
    } = *question;
    if similarity.is_nan() || similarity < settings.lowest {
        return Verdict::Refuse(Why::TooFar);
    }
    let (namespace, audit_share) = match standing {
        Standing::Proven(threshold) => (threshold, settings.audit_share),
        Standing::Trusted(threshold) => (threshold, settings.trial_share),
        Standing::Refusing(refusal) => return Verdict::Shadow(refusal.into()),
    };
    let own = floor.threshold(namespace, settings);
    if similarity < own {
        let why = if own > namespace {
            Why::EntryFloor
        } else {
            Why::Threshold
        };
        return Verdict::Shadow(why);
    }
    // A wish that is no number is one that nothing fulfils.
    if tightened.is_some_and(|wish| wish.is_nan() || similarity < wish) {
        return Verdict::Shadow(Why::Client);
    }
    Verdict::Serve { audit_share }
}

impl From<Refusal> for Why {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unproven => Self::Unproven,
            Refusal::Contradicted => Self::Contradicted,
            Refusal::Alarmed => Self::Alarmed,
        }
    }
}
