//! What has an entry shown of itself?
//!
//! Some stored answers draw questions that they do not answer; some answer whatever comes near.
//! An entry that was wrong is served only to nearer questions from then on, and one that was wrong twice when served goes.
//! An entry that was right often enough by itself, and never wrong, may be served below the namespace's threshold: as often as it takes to rule out, for this entry alone, a share above the bound.
//!
//! # Invariants
//! - One label against an entry ends its privilege.
//! - A floor never falls.

use serde::{Deserialize, Serialize};

use super::calibration::{Source, Truth};
use super::settings::Settings;

/// How much nearer than a wrongly answered question the next one must be: the noise of an eight-bit embedder.
pub const MARGIN: f32 = 0.005;

/// Wrong answers served after which an entry goes.
const STRIKES: u8 = 2;

/// What labels say about one entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryFloor {
    /// Below it the entry is not served.
    floor: Option<f32>,
    /// Wrong answers served.
    strikes: u8,
    /// Labels for it since the last against it, of questions at least `lowest` similar.
    good: u32,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fate {
    /// It stays.
    Keep,
    /// It was wrong too often: remove it.
    Evict,
}

impl EntryFloor {
    /// Takes a label of a question for which this entry was the neighbour.
    ///
    /// Only an answer that was served counts towards eviction: far below the threshold a stranger's question is no fault of the entry.
    pub fn label(&mut self, similarity: f32, truth: Truth, source: Source) -> Fate {
        match truth {
            Truth::Same => self.good = self.good.saturating_add(1),
            Truth::Different => {
                self.good = 0;
                let floor = similarity + MARGIN;
                self.floor = Some(self.floor.map_or(floor, |old| old.max(floor)));
                if source == Source::Audit {
                    self.strikes = self.strikes.saturating_add(1);
                }
            }
        }
        if self.strikes >= STRIKES {
            Fate::Evict
        } else {
            Fate::Keep
        }
    }

    /// From which similarity on the entry is served, in a namespace that serves from `namespace` on.
    pub fn threshold(&self, namespace: f32, settings: &Settings) -> f32 {
        let own = if self.proven(settings) {
            namespace.min(settings.lowest)
        } else {
            namespace
        };
        self.floor.map_or(own, |floor| own.max(floor))
    }

    /// Whether a share of wrong answers above the bound would have shown by now: `(1 - max_error)^good <= 1 - confidence`.
    fn proven(&self, settings: &Settings) -> bool {
        let evidence = -f64::from(self.good) * (-settings.max_error).ln_1p();
        evidence >= -(1.0 - settings.confidence).ln()
    }
}
