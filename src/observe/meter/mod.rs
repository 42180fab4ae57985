//! How are metrics counted and written out? Their names are in [`metrics`](super::metrics).
//!
//! Everything that is counted of one subject (the process, a model, a route) stands in one `Block` of plain counters, which is there once for each shard of threads.
//! A handle is a block and a place in it, resolved when a snapshot is built; a scrape walks the subjects and adds the shards up.
//!
//! # Invariants
//! - Counting is one or two relaxed additions to a line that threads of other shards do not write; nothing is looked up and nothing is locked.
//! - Labels take values from the configuration or from closed lists; a family has at most so many subjects, and the rest is `other`.
//! - Each exposition is written from the same walk, so that no format tells what another does not.

mod block;
mod metric;
mod protobuf;
mod scale;
mod sheet;
mod subjects;
mod text;

pub use block::{Amount, Counter, Counters, Histogram};
pub(crate) use metric::{Kind, Metric, Of, Row, column};
pub(crate) use protobuf::Protobuf;
pub(crate) use scale::Scale;
pub(crate) use sheet::Sheet;
pub(super) use subjects::{All, Layout, Subject, Subjects};
pub(crate) use text::{Dialect, Text};

/// A sample's labels: names and values.
pub(crate) type Labels<'a> = [(&'static str, &'a str)];

/// What a scrape is written into.
///
/// A family is begun once and its samples follow it.
pub(crate) trait Exposition {
    /// Begins a family.
    fn family(&mut self, metric: &Metric);
    /// Writes one sample of it.
    fn value(&mut self, labels: &Labels<'_>, value: f64);
    /// Writes one histogram of it: the count of each of the scale's cells, and the sum in the base unit.
    fn histogram(&mut self, labels: &Labels<'_>, counted: (&'static Scale, &[u64], f64));
    /// Ends it all.
    fn finish(&mut self) -> Vec<u8>;
}
