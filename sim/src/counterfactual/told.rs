//! The estimates of a replay as data and as text.
//!
//! # Invariants
//! - What is refused is told with its reason, never as a number.

use std::fmt::Write as _;

use scoring::tuning::Tuning;
use serde::Serialize;

use super::Refusal;
use super::estimate::{Estimate, Range, recorded};
use super::fitted::Fitted;
use super::log::LeftOut;
use crate::policy::Kind;

/// What a recording tells of production, for a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Production {
    /// Requests that were judged.
    pub judged: u64,
    /// Requests that were not, by reason.
    pub left_out: LeftOut,
    /// What the recorded policy cost on the judged requests, in ms.
    pub logged_ms: f64,
    /// What the fitted world does not tell.
    pub notes: Vec<String>,
    /// Each policy.
    pub policies: Vec<Told>,
}

/// What a recording tells of one policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Told {
    /// The policy's name.
    pub policy: String,
    /// The estimate, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// Estimates each of `kinds`, and puts what `simulated` knows of it beside; policies whose chances are not known, and the clairvoyant, are left out.
#[must_use]
pub fn production(
    fitted: &Fitted,
    kinds: &[Kind],
    (tuning, seed): (&Tuning, u64),
    simulated: impl Fn(Kind) -> Option<f64>,
) -> Production {
    let mut policies = Vec::new();
    for kind in kinds.iter().filter(|it| !it.is_oracle()) {
        let policy = kind.name().to_owned();
        match recorded(fitted, *kind, tuning, seed) {
            Ok(estimate) => policies.push(Told {
                policy,
                estimate: Some(Estimate {
                    simulated_ms: simulated(*kind),
                    ..estimate
                }),
                refusal: None,
            }),
            Err(Refusal::Unknown { .. }) => {}
            Err(refusal) => policies.push(Told {
                policy,
                estimate: None,
                refusal: Some(refusal.to_string()),
            }),
        }
    }
    let costs = || fitted.log.rows.iter().filter_map(super::log::Row::judged);
    let judged = costs().count();
    Production {
        judged: judged as u64,
        left_out: fitted.log.left_out,
        logged_ms: costs().map(|it| it.2).sum::<f64>() / judged.max(1) as f64,
        notes: fitted.notes.clone(),
        policies,
    }
}

/// The estimates as text, with a line's end at its end.
#[must_use]
pub fn text(production: &Production) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "from production: mean cost of the {} recorded requests, had the policy chosen their first routes (ms, 95 %)\n",
        production.judged
    );
    let columns = [
        "policy",
        "doubly robust",
        "IPS",
        "IPS, plain",
        "simulated",
        "worth",
    ];
    let _ = writeln!(text, "{}", line(columns.map(str::to_owned)));
    let recorded = [
        "(recorded)".to_owned(),
        format!("{:.1}", production.logged_ms),
    ];
    let dashes = || "-".to_owned();
    let [name, cost] = recorded;
    let _ = writeln!(
        text,
        "{}",
        line([
            name,
            cost,
            dashes(),
            dashes(),
            dashes(),
            production.judged.to_string()
        ])
    );
    for it in production
        .policies
        .iter()
        .filter_map(|it| it.estimate.as_ref())
    {
        let cells = [
            it.policy.clone(),
            range(&it.doubly_robust),
            range(&it.ips),
            range(&it.ips_plain),
            it.simulated_ms.map_or_else(dashes, |it| format!("{it:.1}")),
            format!("{:.0}", it.effective),
        ];
        let _ = writeln!(text, "{}", line(cells));
    }
    for it in &production.policies {
        if let Some(refusal) = &it.refusal {
            let _ = writeln!(text, "{}: no estimate: {refusal}", it.policy);
        }
    }
    text.push('\n');
    remarks(production, &mut text);
    text
}

/// What is to be known before the numbers are believed.
fn remarks(production: &Production, text: &mut String) {
    let left: Vec<String> = production
        .left_out
        .told()
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    let estimates = || {
        production
            .policies
            .iter()
            .filter_map(|it| it.estimate.as_ref())
    };
    if !left.is_empty() {
        let _ = write!(text, "not judged: {}", left.join(", "));
        match estimates().next() {
            Some(it) if it.left_out_ms > 0.0 => {
                let _ = writeln!(
                    text,
                    "; they can move a mean over all requests by up to {:.0} ms",
                    it.left_out_ms
                );
            }
            _ => text.push('\n'),
        }
    }
    for it in estimates().filter(|it| it.cut_share > 0.0) {
        let _ = writeln!(
            text,
            "{}: {:.2} % of the weights were cut to {:.1}; the largest was {:.1}",
            it.policy,
            100.0 * it.cut_share,
            it.cut_at,
            it.largest_weight
        );
    }
    for note in &production.notes {
        let _ = writeln!(text, "{note}");
    }
    text.push_str(
        "worth: so many requests of the policy's own (effective sample size); estimates hold retries, limits and load as recorded\n",
    );
}

fn range(range: &Range) -> String {
    format!("{:.1} ±{:.1}", range.mean_ms, range.half_ms())
}

fn line([first, rest @ ..]: [String; 6]) -> String {
    let mut line = format!("{first:<17}");
    for cell in rest {
        let _ = write!(line, " {cell:>17}");
    }
    line
}
