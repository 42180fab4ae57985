//! What is read at one scrape: gauges, and counts that others keep.
//!
//! # Invariants
//! - A family has at most [`MOST`] samples; what is left out is counted and told by family.

use std::collections::BTreeMap;

use super::metric::Metric;
use super::{Exposition, Labels};

/// Samples of one family, at most.
///
/// Prometheus' own advice is to stay below ten thousand; a gateway with more routes or budgets is looked at through its API.
const MOST: usize = 8_192;

type Values = Box<[Box<str>]>;

/// The readings of one scrape.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    samples: BTreeMap<&'static str, Vec<(Values, f64)>>,
    left_out: BTreeMap<&'static str, u64>,
}

impl Sheet {
    /// Adds a sample, with the values of the metric's labels in their order.
    pub(crate) fn add(&mut self, metric: &Metric, values: &[&str], value: f64) {
        debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
        let samples = self.samples.entry(metric.name).or_default();
        if samples.len() >= MOST {
            *self.left_out.entry(metric.name).or_default() += 1;
            return;
        }
        let values = values.iter().map(|&it| it.into()).collect();
        samples.push((values, value));
    }

    /// Adds a sample without labels.
    pub(crate) fn set(&mut self, metric: &Metric, value: f64) {
        self.add(metric, &[], value);
    }

    /// How many samples were left out, by family.
    pub(in crate::observe) fn left_out(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.left_out
            .iter()
            .map(|(family, count)| (*family, *count))
    }

    /// Writes a family, if anything was read of it.
    pub(in crate::observe) fn write(&self, metric: &Metric, to: &mut dyn Exposition) {
        let Some(samples) = self.samples.get(metric.name) else {
            return;
        };
        to.family(metric);
        for (values, value) in samples {
            let names = metric.labels.iter().copied();
            let labels: Vec<(&'static str, &str)> =
                names.zip(values.iter().map(|it| &**it)).collect();
            to.value(&labels as &Labels<'_>, *value);
        }
    }
}
