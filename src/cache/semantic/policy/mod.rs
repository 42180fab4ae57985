//! From which similarity on is a stored answer served?
//!
//! The bound: in a namespace, of the answers served as semantic hits, at most `max_error` are wrong, with the configured confidence.
//!
//! - Wrong is what the label says: the fresh answer to the same question does not mean what the stored one does. A judge that errs makes the share look larger, so it costs hits, not the bound, as long as it does not call wrong answers right more often than right ones wrong.
//! - A threshold that is *proven* holds it: the claim was tested at all times at once, and the claims about all thresholds together err with a probability of at most `1 - confidence` a window of labels.
//! - Before a threshold is proven, [`Start::Prove`] serves nothing, so the bound holds from the first question on. [`Start::Trust`] serves from the operator's threshold on, tightens as soon as labels speak against it, and never loosens without proof: until then the bound is the operator's word, and hits are audited more often.
//! - What is not evidence for a bound as strict as the one asked for is never taken as such: with `max_error = 0.01` the first proof takes some 600 labels without one that is wrong.
//! - Labels are assumed to come in no order that the threshold depends on, as in a shuffled stream. Drift breaks that: an alarm over audited hits drops all evidence and the operator's word, and windows forget what is old.
//!
//! # Invariants
//! - Everything is a pure function of its arguments; the state is serialisable and of fixed size.
//! - A client tightens and never loosens.

mod bins;
mod bound;
mod calibration;
mod decide;
mod floor;
mod settings;

pub use calibration::{Alarm, Calibration, Estimate, Refusal, Source, Standing, Truth};
pub use decide::{Question, Verdict, Why, decide};
pub use floor::{EntryFloor, Fate, MARGIN};
pub use settings::{Settings, Start};

#[cfg(test)]
mod tests;
