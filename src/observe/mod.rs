//! What happened? Metrics, the recording of traces, and the log.
//!
//! # Invariants
//! - No decision depends on anything here; deleting the room changes no behaviour.
//! - A request updates handles that were resolved when its snapshot was built; it never looks a label up.
//! - Nothing here can make a request wait.

pub mod archive;
pub mod context;
pub mod events;
pub mod explain;
mod handles;
pub mod journal;
mod kinds;
mod meter;
pub mod metrics;
pub mod otlp;
pub(crate) mod process;
mod read;
pub mod recorder;
#[cfg(test)]
mod reference;
pub mod reloads;
#[cfg(test)]
mod sample;
pub mod scribe;
mod seldom;
mod spread;
pub mod story;
pub mod watch;

pub use kinds::{Ending, Fault};
pub(crate) use meter::Sheet;
pub use meter::{Amount, Counter, Counters, Histogram};
pub use spread::Spread;
