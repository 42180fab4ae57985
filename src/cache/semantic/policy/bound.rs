//! How large may the share of wrong answers be, given the labels?
//!
//! Labels are drawn more densely below the threshold, where every question is asked, than above it, where a few are asked again; pooling them would not estimate what is served.
//! So steps of similarity that are labelled alike are a stratum: their own labels, weighted by the traffic they see ([`pool`]).
//! What a share is worth against the labels is the likelihood ratio between the best explanation of all and the best that has this share: the strata's Kullback–Leibler divergences, added up, with the strata's shares as favourable to the accused as they can be.
//! With one stratum this is the Chernoff bound, which is wider than Clopper and Pearson's.
//!
//! Labels are looked at again and again, so the ratio must exceed more than one look would ask: [`hurdle`] adds what a mixture over all shares below the bound costs, which holds at all times at once.
//!
//! # Invariants
//! - A stratum that sees traffic and has no labels counts as all wrong in an upper bound, and as all right in a lower one.
//! - The evidence against a share grows with the share's distance from the estimate.

/// Halvings of the range in which the multiplier is sought: a thousandth of a bit of its logarithm.
const HALVINGS: u32 = 48;

/// How much more densely one step may be labelled than those it is pooled with: below 2, chance alone would part them.
const ALIKE: f64 = 2.0;

/// Labels that a step must be expected to have before it can be a stratum of its own.
const ENOUGH: f64 = 10.0;

/// Labels of questions that are labelled alike.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stratum {
    /// Questions seen.
    pub(super) weight: f64,
    /// Labels, at most the weight.
    pub(super) labels: f64,
    /// Labels that say wrong.
    pub(super) wrong: f64,
}

/// Steps of similarity, pooled with their neighbours where they are labelled alike, from the nearest down.
///
/// As few strata as that takes: one for each step would take the steps in which wrong answers happened to fall for the only ones where they fall, and overrate the evidence.
/// How densely a step is labelled does not depend on what the labels say, so pooling by it favours nothing; within a stratum the denser steps are the less similar ones, so what remains overstates the share that is wrong.
pub(super) fn pool(steps: &[Stratum]) -> Vec<Stratum> {
    let mut pooled: Vec<Stratum> = Vec::with_capacity(4);
    for step in steps.iter().rev().filter(|step| step.weight > 0.0) {
        match pooled.last_mut() {
            Some(last) if last.labelled_like(step) => {
                last.weight += step.weight;
                last.labels += step.labels;
                last.wrong += step.wrong;
            }
            _ => pooled.push(*step),
        }
    }
    pooled
}

/// The evidence, in nats, that a share must have against it to be ruled out at all times with probability 1 - `risk`.
pub(super) fn hurdle(labels: f64, max_error: f64, risk: f64) -> f64 {
    -risk.ln() + 0.5 * (labels * max_error).ln_1p()
}

/// The estimated share of wrong answers, each stratum by its weight; unlabelled strata say nothing.
pub(super) fn share(strata: &[Stratum]) -> f64 {
    let labelled = || strata.iter().filter(|stratum| stratum.labels > 0.0);
    let weight: f64 = labelled().map(|stratum| stratum.weight).sum();
    let wrong = labelled().map(|stratum| stratum.weight * stratum.wrong / stratum.labels);
    if weight > 0.0 {
        wrong.sum::<f64>() / weight
    } else {
        0.0
    }
}

/// The evidence, in nats, that the share is below `limit`; 0 if it does not look so.
pub(super) fn evidence_below(strata: &[Stratum], limit: f64) -> f64 {
    let weight: f64 = strata.iter().map(|stratum| stratum.weight).sum();
    if weight <= 0.0 {
        return 0.0;
    }
    let at = |pull: f64| -> f64 {
        let wrong = strata
            .iter()
            .map(|stratum| stratum.weight * stratum.pulled(pull));
        wrong.sum::<f64>() / weight
    };
    if at(0.0) >= limit {
        return 0.0;
    }
    let pull = root(|pull| at(pull) < limit);
    divergence(strata, pull)
}

/// The evidence, in nats, that the share is above `limit`; 0 if it does not look so.
pub(super) fn evidence_above(strata: &[Stratum], limit: f64) -> f64 {
    evidence_below(&turned(strata), 1.0 - limit)
}

/// The largest share that `evidence` nats do not rule out.
pub(super) fn highest(strata: &[Stratum], evidence: f64) -> f64 {
    let weight: f64 = strata.iter().map(|stratum| stratum.weight).sum();
    if weight <= 0.0 {
        return 1.0;
    }
    let pull = root(|pull| divergence(strata, pull) < evidence);
    let wrong = strata
        .iter()
        .map(|stratum| stratum.weight * stratum.pulled(pull));
    (wrong.sum::<f64>() / weight).min(1.0)
}

/// The smallest share that `evidence` nats do not rule out: the largest of right answers, turned around.
pub(super) fn lowest(strata: &[Stratum], evidence: f64) -> f64 {
    1.0 - highest(&turned(strata), evidence)
}

/// Right and wrong, exchanged.
fn turned(strata: &[Stratum]) -> Vec<Stratum> {
    let turn = |stratum: &Stratum| Stratum {
        wrong: stratum.labels - stratum.wrong,
        ..*stratum
    };
    strata.iter().map(turn).collect()
}

/// The strata's divergences from what they become under `pull`, in nats.
fn divergence(strata: &[Stratum], pull: f64) -> f64 {
    strata.iter().map(|stratum| stratum.cost(pull)).sum()
}

impl Stratum {
    /// Whether no more than chance need part the two in how densely they are labelled.
    fn labelled_like(&self, step: &Self) -> bool {
        let of_step = step.weight * self.labels / self.weight;
        let of_self = self.weight * step.labels / step.weight;
        let few = of_step.max(step.labels).min(of_self.max(self.labels)) < ENOUGH;
        few || (of_step / ALIKE..=of_step * ALIKE).contains(&step.labels)
    }

    /// The share that makes the labels likeliest when every wrong answer earns `pull` by its weight: the root of `pull w p² + (n - pull w) p - k`.
    fn pulled(&self, pull: f64) -> f64 {
        let force = pull * self.weight;
        if self.labels <= 0.0 {
            return if force >= 0.0 && self.weight > 0.0 {
                1.0
            } else {
                0.0
            };
        }
        if force <= f64::MIN_POSITIVE {
            return self.wrong / self.labels;
        }
        let slack = self.labels - force;
        let root = (slack * slack + 4.0 * force * self.wrong).sqrt();
        // Of the two forms of the root, the one that adds numbers of one sign.
        let share = if slack > 0.0 {
            2.0 * self.wrong / (slack + root)
        } else {
            (root - slack) / (2.0 * force)
        };
        share.clamp(0.0, 1.0)
    }

    fn cost(&self, pull: f64) -> f64 {
        if self.labels <= 0.0 {
            return 0.0;
        }
        let (wrong, right) = (self.wrong, self.labels - self.wrong);
        let share = self.pulled(pull);
        let term = |count: f64, share: f64| {
            if count > 0.0 {
                count * (count / self.labels / share.max(f64::MIN_POSITIVE)).ln()
            } else {
                0.0
            }
        };
        (term(wrong, share) + term(right, 1.0 - share)).max(0.0)
    }
}

/// The multiplier at which `below` turns false: sought by its logarithm, since it is of the order of labels over weight.
fn root(below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (-30.0_f64, 30.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if below(middle.exp()) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(weight: f64, labels: f64, wrong: f64) -> Stratum {
        Stratum {
            weight,
            labels,
            wrong,
        }
    }

    fn near(got: f64, want: f64) {
        assert!(
            (got - want).abs() < 1e-4 * want.abs().max(1.0),
            "{got}, not {want}"
        );
    }

    #[test]
    fn one_stratum_is_the_chernoff_bound() {
        for (labels, wrong, limit) in [(100.0, 0.0, 0.01), (500.0, 5.0, 0.05), (40.0, 1.0, 0.5)] {
            let share: f64 = wrong / labels;
            let first = if wrong > 0.0 {
                share * (share / limit).ln()
            } else {
                0.0
            };
            let want = labels * (first + (1.0 - share) * ((1.0 - share) / (1.0 - limit)).ln());
            let strata = [stratum(1_000.0, labels, wrong)];
            near(evidence_below(&strata, limit), want);
            near(highest(&strata, want), limit);
        }
    }

    #[test]
    fn steps_labelled_alike_are_pooled() {
        let steps = [
            stratum(400.0, 390.0, 40.0),
            stratum(500.0, 500.0, 20.0),
            stratum(0.0, 0.0, 0.0),
            stratum(700.0, 70.0, 1.0),
            stratum(300.0, 40.0, 0.0),
            stratum(20.0, 0.0, 0.0),
        ];
        let pooled = pool(&steps);
        assert_eq!(
            pooled,
            [stratum(1_020.0, 110.0, 1.0), stratum(900.0, 890.0, 60.0)]
        );
    }

    #[test]
    fn dense_labels_of_a_bad_stratum_do_not_count_for_more_than_its_traffic() {
        let strata = [
            stratum(9_000.0, 450.0, 0.0),
            stratum(1_000.0, 1_000.0, 100.0),
        ];
        near(share(&strata), 0.01);
        assert!(evidence_below(&strata, 0.03) > 5.0);
        assert!(highest(&strata, 3.0) < 0.02 && highest(&strata, 3.0) > 0.01);
        assert!(lowest(&strata, 3.0) < 0.01 && lowest(&strata, 3.0) > 0.007);
    }

    #[test]
    fn an_unlabelled_stratum_may_be_all_wrong() {
        let strata = [stratum(900.0, 900.0, 0.0), stratum(100.0, 0.0, 0.0)];
        near(evidence_below(&strata, 0.09), 0.0);
        assert!(highest(&strata, 1.0) > 0.1);
        assert!(lowest(&strata, 1.0) < 1e-9);
        near(highest(&[], 1.0), 1.0);
        near(evidence_below(&[], 0.1), 0.0);
    }
}
