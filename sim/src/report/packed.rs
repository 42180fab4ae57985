//! A series as the page carries it: columns, constants told once, four significant digits.
//!
//! A replay has hundreds of steps with a dozen numbers of every route; as objects they would be most of the page.
//!
//! # Invariants
//! - Whoever unpacks a column gets one value a step, within 5·10⁻⁴ of what was measured.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::measure::{Reason, RouteSeries, Series, Why};

/// One value a step, or one for all.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Column {
    /// The same at every step.
    Constant(Number),
    /// One value a step.
    Steps(Vec<Number>),
}

/// A number as short as its digits allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number(f64);

impl Number {
    /// `value` with `digits` significant ones.
    pub(super) fn new(value: f64, digits: usize) -> Self {
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        Self(text.parse().unwrap_or(value))
    }
}

/// Largest whole number that is written without a point: what a double holds exactly, by far.
const WHOLE: f64 = 1e9;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.abs() < WHOLE && self.0.fract() == 0.0 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// A series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Packed<'a> {
    step: f64,
    steps: usize,
    routes: Vec<Route<'a>>,
    p50: Column,
    p99: Column,
    arrived: Column,
    lost: Column,
    shed: Column,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Reasons>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Route<'a> {
    name: &'a str,
    picks: Column,
    failures: Column,
    refused: Column,
    score: Column,
    state: Column,
    truth: Column,
}

/// Why, step by step; words are indexes into `words`.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Reasons {
    words: Vec<&'static str>,
    mode: Column,
    /// Of each route, each part by its name in [`Reason`].
    routes: Vec<BTreeMap<&'static str, Column>>,
}

/// Significant digits of a plotted number.
const DIGITS: usize = 4;

/// Digits of a count: all.
const ALL: usize = 10;

/// Packs a series.
pub(super) fn packed(series: &Series) -> Packed<'_> {
    Packed {
        step: series.step_s,
        steps: series.arrived.len(),
        routes: series.routes.iter().map(route).collect(),
        p50: measured(&series.p50),
        p99: measured(&series.p99),
        arrived: counted(&series.arrived),
        lost: counted(&series.lost),
        shed: counted(&series.shed),
        why: reasons(&series.why),
    }
}

fn route(route: &RouteSeries) -> Route<'_> {
    Route {
        name: &route.name,
        picks: counted(&route.picks),
        failures: counted(&route.failures),
        refused: counted(&route.refused),
        score: measured(&route.score),
        state: column(route.state.iter().map(|it| f64::from(*it)), ALL),
        truth: measured(&route.truth),
    }
}

fn counted(values: &[u32]) -> Column {
    column(values.iter().map(|it| f64::from(*it)), ALL)
}

fn measured(values: &[f32]) -> Column {
    column(values.iter().map(|it| f64::from(*it)), DIGITS)
}

fn column(values: impl Iterator<Item = f64>, digits: usize) -> Column {
    let values: Vec<Number> = values.map(|it| Number::new(it, digits)).collect();
    match values.first() {
        Some(first) if values.iter().all(|it| it == first) => Column::Constant(*first),
        _ => Column::Steps(values),
    }
}

/// A part of a [`Reason`] that is a number.
type Part = (&'static str, fn(&Reason) -> f32);

/// Each of them.
const PARTS: &[Part] = &[
    ("model", |it| it.model_ms),
    ("drift", |it| it.drift_ms),
    ("utilisation", |it| it.utilisation_ms),
    ("failure", |it| it.failure_ms),
    ("price", |it| it.price_ms),
    ("fails", |it| it.failure),
    ("used", |it| it.utilisation),
    ("score", |it| it.score),
    ("weight", |it| it.weight),
    ("part", |it| it.part),
    ("in_band", |it| f32::from(u8::from(it.in_band))),
    ("propensity", |it| it.propensity),
];

fn reasons(whys: &[Why]) -> Option<Reasons> {
    let routes = whys.first()?.routes.len();
    let mut words = Vec::new();
    let mut told = |list: Vec<&'static str>| {
        let index = |word| {
            let known = words.iter().position(|it| *it == word);
            known.unwrap_or_else(|| {
                words.push(word);
                words.len() - 1
            }) as f64
        };
        let indexes: Vec<f64> = list.into_iter().map(index).collect();
        column(indexes.into_iter(), ALL)
    };
    let mode = told(whys.iter().map(|it| it.mode).collect());
    let routes = (0..routes).map(|at| {
        let reasons: Vec<&Reason> = whys.iter().filter_map(|it| it.routes.get(at)).collect();
        let numbers = PARTS.iter().map(|(name, part)| {
            let values = reasons.iter().map(|it| f64::from(part(it)));
            (*name, column(values, DIGITS))
        });
        let mut parts: BTreeMap<_, _> = numbers.collect();
        parts.insert("gate", told(reasons.iter().map(|it| it.gate).collect()));
        parts.insert("state", told(reasons.iter().map(|it| it.state).collect()));
        parts
    });
    let routes = routes.collect();
    Some(Reasons {
        words,
        mode,
        routes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(column: &Column) -> String {
        serde_json::to_string(column).unwrap()
    }

    #[test]
    fn four_digits_and_constants_once() {
        assert_eq!(written(&measured(&[0.333_333_34, 12.0])), "[0.3333,12]");
        assert_eq!(
            written(&measured(&[1234.56, 0.000_012_345])),
            "[1235,0.00001234]"
        );
        assert_eq!(written(&measured(&[1.0, 1.0, 1.0])), "1");
        assert_eq!(written(&counted(&[123_456, 0])), "[123456,0]");
        assert_eq!(written(&counted(&[])), "[]");
        assert_eq!(written(&measured(&[f32::NAN, 0.5])), "[null,0.5]");
    }

    #[test]
    fn words_are_told_once() {
        let why = |gate| Why {
            mode: "normal",
            routes: vec![Reason {
                gate,
                state: "healthy",
                ..Reason::default()
            }],
        };
        let reasons = reasons(&[why("cold"), why("open"), why("cold")]).unwrap();
        assert_eq!(reasons.words, ["normal", "cold", "open", "healthy"]);
        assert_eq!(written(&reasons.mode), "0");
        assert_eq!(written(&reasons.routes[0]["gate"]), "[1,2,1]");
        assert_eq!(written(&reasons.routes[0]["state"]), "3");
    }
}
