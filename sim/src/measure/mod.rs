//! How did it go? Numbers of one run, and what happened over time.
//!
//! # Invariants
//! - A metric that a run cannot tell (no incident, no limits) is absent and never zero.
//! - Warm-up requests are served and not counted.

mod episodes;
mod histogram;
mod keys;
mod metrics;
mod plots;
mod recorder;
mod series;
mod summary;

pub use metrics::{Better, METRICS, Metric, Values};
pub(crate) use recorder::FAILED_MS;
pub use recorder::{Ending, Measured, Recorder, Watch};
pub use series::{Reason, RouteSeries, Series, Why};
