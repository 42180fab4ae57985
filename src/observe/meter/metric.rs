//! What is a metric, apart from what it has counted?
//!
//! # Invariants
//! - The first label of a metric of a model or a route names it; the values of all others are in `rows`.

use super::scale::Scale;

/// What a metric's samples are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Only grows: things that happened.
    Counter,
    /// Only grows: dollars, counted in billionths.
    Dollars,
    /// Goes up and down.
    Gauge,
    /// How often which value was observed; counted in millionths of the unit.
    Histogram(&'static Scale),
}

impl Kind {
    /// The type's name in the expositions.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Counter | Self::Dollars => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }

    /// Counters that one row takes.
    pub(in crate::observe) fn cells(self) -> usize {
        match self {
            // The sum stands behind the counts.
            Self::Histogram(scale) => scale.len() + 1,
            _ => 1,
        }
    }
}

/// What a metric is counted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The process.
    Process,
    /// A configured model.
    Model,
    /// A route.
    Route,
    /// Nothing: it is read when it is asked for.
    Reading,
}

/// Values of a metric's own labels, at most two.
pub(crate) type Row = [&'static str; 2];

/// A metric without labels of its own has this row only.
pub(crate) const ONE: &[Row] = &[["", ""]];

/// A name with its unit, labels and help.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// The name as Prometheus has it, `_total` included.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) of: Of,
    /// The labels, that of the subject first.
    pub(crate) labels: &'static [&'static str],
    /// The values of the metric's own labels.
    pub(crate) rows: &'static [Row],
    /// What is measured: a sentence.
    pub(crate) help: &'static str,
}

impl Metric {
    /// Something that happens to the process.
    pub(crate) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Counter,
            of: Of::Process,
            labels: &[],
            rows: ONE,
            help,
        }
    }

    /// Something that is read at each scrape.
    pub(crate) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            kind: Kind::Gauge,
            of: Of::Reading,
            ..Self::counter(name, help)
        }
    }

    /// Something observed.
    pub(crate) const fn histogram(
        name: &'static str,
        scale: &'static Scale,
        help: &'static str,
    ) -> Self {
        Self {
            kind: Kind::Histogram(scale),
            ..Self::counter(name, help)
        }
    }

    /// The same in dollars.
    pub(crate) const fn in_dollars(self) -> Self {
        Self {
            kind: Kind::Dollars,
            ..self
        }
    }

    /// The same, of each of these.
    pub(crate) const fn of(self, of: Of, labels: &'static [&'static str]) -> Self {
        Self { of, labels, ..self }
    }

    /// The same, by the closed lists of its own labels' values.
    pub(crate) const fn by(self, rows: &'static [Row]) -> Self {
        Self { rows, ..self }
    }
}

/// Makes rows of one closed list of names.
pub(crate) const fn column<const N: usize>(names: [&'static str; N]) -> [Row; N] {
    let mut rows = [["", ""]; N];
    let mut at = 0;
    while at < N {
        rows[at] = [names[at], ""];
        at += 1;
    }
    rows
}
