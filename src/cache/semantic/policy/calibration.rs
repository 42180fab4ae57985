//! From which similarity on does this namespace hold its bound?
//!
//! Every threshold between the operator's lowest and highest, in steps of 0.01, is a claim: of the questions at least this similar, at most `max_error` are answered wrongly.
//! Claims are tested in a fixed order, so that many of them cost little: from each of a few anchors downwards, each only if all between it and the anchor are proven.
//! The chance that any claim proven so is false is at most the number of anchors times the risk of one test.
//!
//! # Invariants
//! - Memory is fixed, and nothing grows with traffic.
//! - After an alarm nothing is served on anybody's word.

use serde::{Deserialize, Serialize};

use super::bins::{BINS, Bins, edge, step};
use super::bound::{self, Stratum};
use super::settings::{Settings, Start};

/// Steps from one anchor to the next, from the highest threshold down: 0.04, so that the first one that traffic can prove is not far.
const STRIDE: usize = 4;

/// How many times the bound a share must be for the alarm to be fastest: drift that hurts is a change of answers, not of tenths.
const ALARM_RATIO: f64 = 3.0;

/// Where the alarm's sum rings, in nats: just at the bound once in more than 1,000 audited hits, well below it never.
const ALARM_AT: f64 = 7.0;

/// Labels that it takes at least to disprove the operator's threshold: one or two may be the judge's errors, and would do if they came first.
const DISPROOF: f64 = 3.0;

/// Whether a stored answer answers the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It does.
    Same,
    /// It does not.
    Different,
}

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The stored answer was served, and the question asked again beside.
    Audit,
    /// The stored answer was not served; the fresh one is the label.
    Shadow,
}

/// What a namespace may do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Serve from this similarity on: the bound holds there with the configured confidence.
    Proven(f32),
    /// Serve from this similarity on, on the operator's word: labels neither prove nor contradict it.
    Trusted(f32),
    /// Serve nothing.
    Refusing(Refusal),
}

/// Why a namespace serves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No threshold is proven yet.
    Unproven,
    /// Labels speak against every threshold up to the highest.
    Contradicted,
    /// Hits were wrong too often, and no threshold is proven since.
    Alarmed,
}

/// The share of wrong answers from a similarity on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Labels at or above the similarity.
    pub labels: u64,
    /// Of them, those that say wrong.
    pub wrong: u64,
    /// The estimated share, each step of similarity by its traffic.
    pub share: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// Set once hits were wrong too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Alarm;

/// The thresholds at which a bound was proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Proof {
    /// A bit for each step of similarity.
    steps: u32,
    max_error: f64,
    confidence: f64,
}

impl Proof {
    /// The steps, if what was proven is at least what the settings ask for.
    fn under(&self, settings: &Settings) -> u32 {
        if self.max_error <= settings.max_error && self.confidence >= settings.confidence {
            self.steps
        } else {
            0
        }
    }
}

/// What a namespace's labels say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The open window.
    open: Bins,
    /// The window before.
    before: Bins,
    /// The alarm's sum, in nats, at least 0.
    sum: f64,
    /// What was proven at earlier looks.
    proof: Proof,
    /// Whether labels have ruled out that the operator's threshold holds the bound.
    disproven: bool,
    /// Whether an alarm has ended the operator's word.
    alarmed: bool,
    /// Alarms so far.
    alarms: u32,
}

impl Calibration {
    /// Counts a question whose neighbour the guards let through, whether served or not.
    ///
    /// It is what labels are weighted by; without it they weigh by their own number, which overstates the share that is wrong.
    pub fn see(&mut self, similarity: f32) {
        self.open.see(similarity);
    }

    /// Takes a label; an alarm, if this is one wrong hit too many.
    ///
    /// On an alarm all evidence is dropped: it is of a time that is over.
    pub fn label(
        &mut self,
        similarity: f32,
        truth: Truth,
        source: Source,
        settings: &Settings,
    ) -> Option<Alarm> {
        let wrong = u32::from(truth == Truth::Different);
        self.open.label(similarity, wrong);
        if self.open.labels() >= settings.window {
            self.before = std::mem::take(&mut self.open);
        }
        if source == Source::Shadow {
            return None;
        }
        self.sum = (self.sum + alarm_step(truth, settings.max_error)).max(0.0);
        if self.sum < ALARM_AT {
            return None;
        }
        *self = Self {
            alarmed: true,
            alarms: self.alarms.saturating_add(1),
            ..Self::default()
        };
        Some(Alarm)
    }

    /// Looks at what the labels say now, and remembers what they prove or disprove; what the namespace may do from now on.
    ///
    /// Some tens of microseconds, so settle after some labels and not for every question.
    pub fn settle(&mut self, settings: &Settings) -> Standing {
        let strata = self.open.strata(&self.before);
        self.proof = Proof {
            steps: proven(&strata, settings) | self.proof.under(settings),
            max_error: settings.max_error,
            confidence: settings.confidence,
        };
        self.disproven |= disproven(&strata, settings);
        self.standing(settings)
    }

    /// What the namespace may do, as far as was settled.
    pub fn standing(&self, settings: &Settings) -> Standing {
        let strata = self.open.strata(&self.before);
        let proven = self.proven(&strata, settings);
        if settings.start == Start::Trust && !self.alarmed {
            let trusted = self.trusted(&strata, settings);
            return match (proven, trusted) {
                (Some(proven), trusted) if trusted.is_none_or(|trusted| proven <= trusted) => {
                    Standing::Proven(proven)
                }
                (_, Some(trusted)) => Standing::Trusted(trusted),
                _ => Standing::Refusing(Refusal::Contradicted),
            };
        }
        match proven {
            Some(threshold) => Standing::Proven(threshold),
            None if self.alarmed => Standing::Refusing(Refusal::Alarmed),
            None => Standing::Refusing(Refusal::Unproven),
        }
    }

    /// The lowest threshold that is proven, now or at an earlier look, and that labels do not contradict since.
    ///
    /// A claim is tested at all times at once, so what was proven stays so, until traffic changes.
    fn proven(&self, strata: &[Stratum; BINS], settings: &Settings) -> Option<f32> {
        let steps = proven(strata, settings) | self.proof.under(settings);
        (0..BINS)
            .filter(|step| steps >> step & 1 == 1)
            .map(edge)
            .filter(|edge| (settings.lowest..=settings.highest).contains(edge))
            .find(|edge| bound::share(&from(strata, *edge)) <= settings.max_error)
    }

    /// The lowest threshold, from the operator's on, that is served on trust.
    ///
    /// At first that is one that labels do not contradict.
    /// Once they have ruled out the operator's, it is one for which they speak as loudly as a single look would ask.
    fn trusted(&self, strata: &[Stratum; BINS], settings: &Settings) -> Option<f32> {
        let above = (0..BINS)
            .map(edge)
            .filter(|edge| *edge > settings.threshold && *edge <= settings.highest);
        std::iter::once(settings.threshold)
            .chain(above)
            .find(|threshold| {
                let strata = from(strata, *threshold);
                if self.disproven {
                    let evidence = bound::evidence_below(&strata, settings.max_error);
                    evidence >= -(1.0 - settings.confidence).ln()
                } else {
                    !contradicted(&strata, settings.max_error)
                }
            })
    }

    /// From which similarity on hits are served; none if nothing is.
    pub fn threshold(&self, settings: &Settings) -> Option<f32> {
        match self.standing(settings) {
            Standing::Proven(threshold) | Standing::Trusted(threshold) => Some(threshold),
            Standing::Refusing(_) => None,
        }
    }

    /// The share of wrong answers from `threshold` on, with the interval that holds at all times at the configured confidence.
    ///
    /// The interval is of stratified likelihood ratios: that of Chernoff where all labels are drawn alike, wider than Clopper and Pearson's.
    pub fn estimate(&self, threshold: f32, settings: &Settings) -> Estimate {
        let strata = self.open.strata(&self.before);
        let strata = from(&strata, threshold);
        let (labels, wrong) = counts(&strata);
        let evidence = bound::hurdle(labels, settings.max_error, 1.0 - settings.confidence);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole counts"
        )]
        let (labels, wrong) = (labels as u64, wrong as u64);
        Estimate {
            labels,
            wrong,
            share: bound::share(&strata),
            low: bound::lowest(&strata, evidence),
            high: bound::highest(&strata, evidence),
        }
    }

    /// Alarms so far.
    pub fn alarms(&self) -> u32 {
        self.alarms
    }
}

/// The log-likelihood ratio of one audited hit between [`ALARM_RATIO`] times the bound and the bound.
fn alarm_step(truth: Truth, max_error: f64) -> f64 {
    let drifted = (max_error * ALARM_RATIO).min(f64::midpoint(max_error, 1.0));
    match truth {
        Truth::Different => (drifted / max_error).ln(),
        Truth::Same => ((1.0 - drifted) / (1.0 - max_error)).ln(),
    }
}

fn counts(strata: &[Stratum]) -> (f64, f64) {
    strata.iter().fold((0.0, 0.0), |(labels, wrong), stratum| {
        (labels + stratum.labels, wrong + stratum.wrong)
    })
}

/// The thresholds that labels prove now, anchor by anchor, a bit for each step.
fn proven(strata: &[Stratum; BINS], settings: &Settings) -> u32 {
    let inside = |step: &usize| (settings.lowest..=settings.highest).contains(&edge(*step));
    let steps: Vec<usize> = (0..BINS).rev().filter(inside).collect();
    let anchors = steps.len().div_ceil(STRIDE).max(1);
    #[expect(clippy::cast_precision_loss, reason = "at most eight")]
    let risk = (1.0 - settings.confidence) / anchors as f64;
    let mut proven = 0;
    let mut above = false;
    for (place, step) in steps.into_iter().enumerate() {
        above = (above || place % STRIDE == 0) && holds(&from(strata, edge(step)), settings, risk);
        proven |= u32::from(above) << step;
    }
    proven
}

/// Whether labels rule out, but for `risk`, that the share is above the bound.
fn holds(strata: &[Stratum], settings: &Settings, risk: f64) -> bool {
    let (labels, _) = counts(strata);
    let hurdle = bound::hurdle(labels, settings.max_error, risk);
    // No evidence exceeds that of as many labels without a wrong one.
    let most = -labels * (-settings.max_error).ln_1p();
    most >= hurdle && bound::evidence_below(strata, settings.max_error) >= hurdle
}

/// Whether labels rule out that the operator's threshold holds the bound.
fn disproven(strata: &[Stratum; BINS], settings: &Settings) -> bool {
    let strata = from(strata, settings.threshold);
    let (labels, wrong) = counts(&strata);
    let hurdle = bound::hurdle(labels, settings.max_error, 1.0 - settings.confidence);
    wrong >= DISPROOF && bound::evidence_above(&strata, settings.max_error) >= hurdle
}

/// The strata of similarities from the step of `threshold` on.
fn from(strata: &[Stratum; BINS], threshold: f32) -> Vec<Stratum> {
    bound::pool(&strata[step(threshold).unwrap_or(0)..])
}

/// Whether the share that labels show, and one deviation more, exceeds the bound; never before one was wrong.
fn contradicted(strata: &[Stratum], max_error: f64) -> bool {
    let (labels, wrong) = counts(strata);
    if wrong < 0.5 {
        return false;
    }
    let share = bound::share(strata);
    share + (share / labels).sqrt() > max_error
}
