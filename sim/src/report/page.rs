//! The report as one page that needs nothing else: no server, no network, no second file.
//!
//! The page's script draws everything from the data embedded in it; uPlot draws the curves.
//!
//! # Invariants
//! - Nothing is fetched: the page's own policy forbids it.
//! - No text of a report is read as markup or as code: it enters as JSON with every `<` escaped, and the script only ever sets text.
//! - The same report gives the same bytes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::counterfactual::Production;
use crate::measure::{Better, METRICS};

use super::choice::{self, Kind};
use super::packed::{self, Number, Packed};
use super::regret::{self, Matrix};
use super::verdict::{self, Bar, Count};
use super::{Outcome, Report, Standing, figure};

const STYLE: &str = include_str!("../../assets/page.css");
const ERRORS: &str = include_str!("../../assets/errors.js");
const CHARTS: &str = include_str!("../../assets/charts.js");
const WHY: &str = include_str!("../../assets/why.js");
const SCRIPT: &str = include_str!("../../assets/page.js");
const PLOT: &str = include_str!("../../assets/uPlot.iife.min.js");
const PLOT_STYLE: &str = include_str!("../../assets/uPlot.min.css");
const PLOT_LICENCE: &str = include_str!("../../assets/uPlot.LICENSE");

/// What the page may load: nothing but what it holds.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// Significant digits of a metric: more than the page shows.
const DIGITS: usize = 8;

/// The report cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be written into a page: {0}")]
pub struct Unwritable(#[from] serde_json::Error);

/// What the script reads.
#[derive(Serialize)]
struct Page<'a> {
    version: &'a str,
    seeds: &'a [u64],
    subject: &'a str,
    holds: bool,
    verdict: String,
    count: Count,
    metrics: BTreeMap<&'static str, Described>,
    bars: Vec<Bar<'a>>,
    regret: Matrix<'a>,
    scenarios: Vec<Scenario<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    production: Option<&'a Production>,
}

/// A metric.
#[derive(Serialize)]
struct Described {
    unit: &'static str,
    better: Better,
    what: &'static str,
    decimals: usize,
}

/// A scenario.
#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    question: &'a str,
    incident: Option<(f64, f64)>,
    /// The metrics that matter in it, in the order shown.
    telling: Vec<&'static str>,
    policies: Vec<Policy<'a>>,
}

/// A policy in a scenario.
#[derive(Serialize)]
struct Policy<'a> {
    name: &'a str,
    kind: Kind,
    /// Mean and half the width of its confidence.
    metrics: BTreeMap<&'a str, (Number, Option<Number>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Packed<'a>>,
}

/// The report as a page.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn html(report: &Report) -> Result<String, Unwritable> {
    let data = serde_json::to_string(&page(report))?.replace('<', "\\u003c");
    Ok(format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Trimtab replay</title>
<!-- The curves are drawn by uPlot.
{PLOT_LICENCE}
-->
<style>
{PLOT_STYLE}
{STYLE}</style>
</head>
<body>
<div id="errors" role="alert"></div>
<noscript><p>This page draws everything with its own script; please allow it.</p></noscript>
<main id="page"></main>
<script>
{ERRORS}</script>
<script type="application/json" id="data">{data}</script>
<script>
{PLOT}
</script>
<script>
{CHARTS}</script>
<script>
{WHY}</script>
<script>
{SCRIPT}</script>
</body>
</html>
"#
    ))
}

fn page(report: &Report) -> Page<'_> {
    Page {
        version: &report.version,
        seeds: &report.seeds,
        subject: &report.subject,
        holds: report.holds,
        verdict: verdict::short(report),
        count: verdict::count(report),
        metrics: described(),
        bars: verdict::bars(report),
        regret: regret::matrix(report),
        scenarios: report
            .scenarios
            .iter()
            .map(|outcome| scenario(report, outcome))
            .collect(),
        production: report.production.as_ref(),
    }
}

fn described() -> BTreeMap<&'static str, Described> {
    let metrics = METRICS.iter().map(|metric| {
        let described = Described {
            unit: metric.unit,
            better: metric.better,
            what: metric.what,
            decimals: figure::decimals(metric.name),
        };
        (metric.name, described)
    });
    metrics.collect()
}

fn scenario<'a>(report: &Report, outcome: &'a Outcome) -> Scenario<'a> {
    let told = choice::telling(outcome);
    let standings = choice::standings(report, outcome);
    Scenario {
        name: &outcome.name,
        question: &outcome.question,
        incident: outcome.incident,
        telling: choice::in_order(|name| told.contains(&name)),
        policies: standings
            .into_iter()
            .map(|standing| policy(report, standing))
            .collect(),
    }
}

fn policy<'a>(report: &Report, standing: &'a Standing) -> Policy<'a> {
    let number = |value: f64| Number::new(value, DIGITS);
    let metrics = standing.metrics.iter().map(|(name, it)| {
        let estimate = (number(it.mean), it.half.map(number));
        (name.as_str(), estimate)
    });
    Policy {
        name: &standing.policy,
        kind: choice::kind(report, &standing.policy),
        metrics: metrics.collect(),
        series: standing.series.as_ref().map(packed::packed),
    }
}
