//! What would each threshold have done with the same stream?
//!
//! Every row is a replay of its own: what is served is not kept anew, so no row can be read off another.
//!
//! # Invariants
//! - Rows come in the order of the thresholds asked for, without guards before with them, the adaptive ones last.
//! - All rows draw from the same seed.

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde::Serialize;

use super::super::index::{Index, Unfit};
use super::super::policy::Settings;
use super::{Conditions, Line, Policy, Report, replay};

/// Stretches of a row's report.
const SLICES: usize = 10;

/// One policy's report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The fixed threshold; none is the adaptive policy.
    pub threshold: Option<f32>,
    /// Whether guards could refuse.
    pub guarded: bool,
    /// What happened.
    pub report: Report,
}

/// Replays the lines at every threshold and with the adaptive policy, each without and with guards.
///
/// `seed` is that of the audits' draws.
///
/// # Errors
/// [`Unfit`], if a line's vector is; all lines must be as wide as the first.
pub fn sweep<F>(
    lines: &[Line<F>],
    thresholds: &[f32],
    settings: &Settings,
    veto: impl Fn(&F, &F) -> bool,
    seed: u64,
) -> Result<Vec<Row>, Unfit> {
    let adaptive = std::iter::once(Policy::Adaptive(settings.clone()));
    let policies: Vec<_> = thresholds
        .iter()
        .map(|threshold| Policy::Static(*threshold))
        .chain(adaptive)
        .collect();
    let mut rows = Vec::with_capacity(policies.len() * 2);
    for policy in policies {
        for guarded in [false, true] {
            let conditions = Conditions {
                policy: policy.clone(),
                veto: |line: &F, stored: &F| guarded && veto(line, stored),
                judge_error: 0.0,
                slices: SLICES,
            };
            let width = lines.first().map_or(0, |line| line.vector.len());
            let mut shelf = Index::new(width);
            let mut rng = SmallRng::seed_from_u64(seed);
            rows.push(Row {
                threshold: match policy {
                    Policy::Static(threshold) => Some(threshold),
                    Policy::Adaptive(_) => None,
                },
                guarded,
                report: replay(lines, &mut shelf, &conditions, &mut rng)?,
            });
        }
    }
    Ok(rows)
}
