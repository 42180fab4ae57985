//! What may an operator ask of the policy?
//!
//! # Invariants
//! - [`Settings::flaws`] is empty for the defaults, and names everything that is wrong, not the first only.

use serde::{Deserialize, Serialize};

use super::bins::{FIRST, LAST};

/// What the policy is asked to hold, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The similarity from which on the operator trusts a hit while nothing is known; `lowest` to `highest`, default 0.90.
    pub threshold: f32,
    /// No hit is served below it, whatever the evidence; 0.70 to 0.99, default 0.80.
    pub lowest: f32,
    /// The namespace's threshold never rises above it: what cannot be held there is not served; 0.70 to 0.99, default 0.98.
    pub highest: f32,
    /// The bound on the share of wrong answers among semantic hits; above 0, at most 0.5, default 0.01.
    pub max_error: f64,
    /// How sure one must be of the bound before a threshold counts as proven; 0.5 to 0.999, default 0.95.
    pub confidence: f64,
    /// What happens before anything is proven.
    pub start: Start,
    /// The share of hits asked again while the threshold is trusted, and not proven; 0 to 1, default 0.2.
    pub trial_share: f64,
    /// The share of hits asked again once the threshold is proven; 0 to 1, default 0.05.
    pub audit_share: f64,
    /// Labels after which a window closes; evidence is that of the open window and the one before, so this is how fast drift is followed; 100 to 1,000,000, default 10,000.
    pub window: u32,
}

/// What a namespace does before anything is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Serves at the operator's threshold, on the operator's word, until labels speak against it.
    #[default]
    Trust,
    /// Serves nothing: every question is asked and labels the neighbour it would have been served.
    Prove,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.90,
            lowest: 0.80,
            highest: 0.98,
            max_error: 0.01,
            confidence: 0.95,
            start: Start::Trust,
            trial_share: 0.2,
            audit_share: 0.05,
            window: 10_000,
        }
    }
}

impl Settings {
    /// What is wrong with them: the field, and what it may be.
    pub fn flaws(&self) -> Vec<(&'static str, String)> {
        let similarity = format!("a similarity from {FIRST} to {LAST}");
        let between = format!(
            "between lowest ({}) and highest ({})",
            self.lowest, self.highest
        );
        let share = "a share from 0 to 1".to_owned();
        let checks = [
            (
                "lowest",
                (FIRST..=LAST).contains(&self.lowest),
                similarity.clone(),
            ),
            (
                "highest",
                (FIRST..=LAST).contains(&self.highest),
                similarity,
            ),
            (
                "threshold",
                (self.lowest..=self.highest).contains(&self.threshold),
                between,
            ),
            (
                "max_error",
                self.max_error > 0.0 && self.max_error <= 0.5,
                "above 0 and at most 0.5".to_owned(),
            ),
            (
                "confidence",
                (0.5..=0.999).contains(&self.confidence),
                "from 0.5 to 0.999".to_owned(),
            ),
            (
                "trial_share",
                (0.0..=1.0).contains(&self.trial_share),
                share.clone(),
            ),
            (
                "audit_share",
                (0.0..=1.0).contains(&self.audit_share),
                share,
            ),
            (
                "window",
                (100..=1_000_000).contains(&self.window),
                "from 100 to 1000000 labels".to_owned(),
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, holds, _)| !holds);
        wrong.map(|(field, _, rule)| (field, rule)).collect()
    }
}
