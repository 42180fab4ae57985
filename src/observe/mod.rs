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
mod histogram;
pub mod journal;
mod kinds;
pub mod metrics;
pub mod otlp;
pub mod recorder;
pub mod reloads;
#[cfg(test)]
mod sample;
pub mod scribe;
mod seldom;
mod spread;
pub mod story;
pub mod watch;

pub use histogram::Histogram;
pub use kinds::{Ending, Fault};
pub use spread::Spread;
