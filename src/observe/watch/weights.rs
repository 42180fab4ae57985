//! Does the traffic follow the operator's weights, and if not, why?
//!
//! Attempts of the last minute are compared with the weights; with too few of them, those of the last five minutes.
//! A route's share is off if chance alone does not explain it and it is off by enough to matter.
//!
//! # Invariants
//! - A model with too little traffic is neither honoured nor not.
//! - What is told is one model's change at a time, and no two within [`QUIET`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use scoring::health::State;
use scoring::route::RouteView;
use scoring::select::Gate;
use scoring::time::{Span, Time};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::changes::{Draft, QUIET, short};
use super::sample::{Member, ModelNow, Reading, Sent};
use super::sentences::{percent, span};
use super::tick::rounded;
use crate::observe::events::Kind;

/// Time between two marks.
const MARK: Span = Span::from_secs(10);

/// Marks that are kept: 15 minutes.
const MARKS: usize = 90;

/// Marks that a share is judged over, first and, with too little traffic, then: a minute, five minutes.
const WINDOWS: [usize; 2] = [6, 30];

/// Attempts below which nothing is said.
const FEW: u64 = 30;

/// Standard deviations that chance is given: beyond it lies one in a thousand, for a model that is looked at each second.
const CHANCE: f64 = 3.3;

/// Difference of a share that matters in any case.
const MATTERS: f64 = 0.05;

/// Part of its share that a route may lack before it matters.
const LACKS: f64 = 0.5;

/// Cost beyond the best at which a route is said to be dear, as a score.
const DEAR: f32 = 0.95;

/// How a model's traffic stands, as it is told.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ModelTold {
    model: Arc<str>,
    workflow: bool,
    routes: Vec<MemberTold>,
    fallbacks: Vec<Arc<str>>,
    pub(super) honoured: Option<bool>,
    pub(super) why: String,
}

/// A route of a model, as it is told.
#[derive(Clone, Debug, Serialize)]
struct MemberTold {
    route: Arc<str>,
    weight: f64,
    weight_share: f64,
    share: Option<f64>,
}

/// What was sent for every model, and what was told of it.
#[derive(Debug, Default)]
pub(super) struct Weights {
    models: BTreeMap<Arc<str>, Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// What was counted at each mark, oldest first; the counts wrap.
    marks: VecDeque<Vec<u32>>,
    marked: Option<Time>,
    /// The routes and their weights while all this was counted.
    routes: Vec<(Arc<str>, f64)>,
    /// What was found last.
    found: Finding,
    /// What was told last, and when.
    told: bool,
    told_at: Option<Time>,
    left_out: u32,
}

/// What is found of a model.
#[derive(Clone, Debug, Default, PartialEq)]
struct Finding {
    honoured: Option<bool>,
    why: String,
    /// Attempts that were compared.
    attempts: u64,
    /// Seconds in which they were begun.
    seconds: u64,
    /// Each route's share.
    shares: Vec<f64>,
}

impl Weights {
    /// Takes a reading, and says what has changed.
    pub(super) fn look(&mut self, reading: &Reading, now: Time) -> Vec<Draft> {
        let live: BTreeSet<&Arc<str>> = reading.models.iter().map(|it| &it.name).collect();
        self.models.retain(|name, _| live.contains(name));
        let views: BTreeMap<&str, &RouteView> = reading
            .routes
            .iter()
            .map(|it| (&*it.name, &it.view))
            .collect();
        let mut drafts = Vec::new();
        for model in &reading.models {
            let Some(sent) = reading.marks.models.get(&model.name) else {
                continue;
            };
            let record = self
                .models
                .entry(Arc::clone(&model.name))
                .or_insert_with(|| Record {
                    told: true,
                    ..Record::default()
                });
            record.mark(model, sent, now);
            record.found = record.find(model, sent, &views);
            drafts.extend(record.tell(model, now));
        }
        drafts
    }

    /// The models whose weights are not honoured: whose routes are to be looked at closely.
    pub(super) fn wanted(&self) -> BTreeSet<Arc<str>> {
        let off = self
            .models
            .iter()
            .filter(|(_, it)| it.found.honoured == Some(false));
        off.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// How every model stands.
    pub(super) fn told(&self, reading: &Reading) -> Vec<ModelTold> {
        let models = reading.models.iter();
        models.map(|model| self.told_of(model, reading)).collect()
    }

    fn told_of(&self, model: &ModelNow, reading: &Reading) -> ModelTold {
        let record = self.models.get(&model.name);
        let sent = reading.marks.models.get(&model.name);
        let shares = record.zip(sent).map(|(record, sent)| {
            let fresh = record.fresh(sent, MARKS);
            let all: u64 = fresh.iter().sum();
            let share = move |count: &u64| (all > 0).then(|| rounded(*count as f64 / all as f64));
            fresh.iter().map(share).collect::<Vec<_>>()
        });
        let shares = shares.unwrap_or_default();
        let member = |(at, it): (usize, &Member)| MemberTold {
            route: Arc::clone(&it.route),
            weight: rounded(it.weight),
            weight_share: rounded(it.weight_share),
            share: shares.get(at).copied().flatten(),
        };
        let found = record
            .map(|record| record.found.clone())
            .unwrap_or_default();
        ModelTold {
            model: Arc::clone(&model.name),
            workflow: model.is_workflow,
            routes: model.routes.iter().enumerate().map(member).collect(),
            fallbacks: model.fallbacks.clone(),
            honoured: found.honoured,
            why: found.why,
        }
    }
}

impl Record {
    /// Marks what was counted, where it is time; other routes or weights make it begin anew.
    fn mark(&mut self, model: &ModelNow, sent: &Sent, now: Time) {
        let is_same = self.routes.len() == model.routes.len()
            && self.routes.iter().zip(&model.routes).all(|(known, it)| {
                known.0 == it.route && (known.1 - it.weight).abs() < f64::EPSILON
            });
        if !is_same {
            let routes = model.routes.iter();
            self.routes = routes
                .map(|it| (Arc::clone(&it.route), it.weight))
                .collect();
            self.marks.clear();
            self.marked = None;
        }
        // Why half a second less: the looks are not exactly a second apart.
        let due = Span::from_micros(MARK.as_micros() - 500_000);
        if self.marked.is_some_and(|marked| now.since(marked) < due) {
            return;
        }
        self.marked = Some(now);
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        let counts = sent.iter().map(|(_, count)| *count as u32);
        self.marks.push_back(counts.collect());
    }

    /// What was sent to each route since so many marks ago, or since the first.
    fn fresh(&self, sent: &Sent, marks: usize) -> Vec<u64> {
        let at = self.marks.len().saturating_sub(marks);
        let Some(mark) = self.marks.get(at) else {
            return vec![0; sent.len()];
        };
        let pairs = sent.iter().zip(mark);
        pairs
            .map(|((_, count), then)| u64::from((*count as u32).wrapping_sub(*then)))
            .collect()
    }

    fn find(&self, model: &ModelNow, sent: &Sent, views: &BTreeMap<&str, &RouteView>) -> Finding {
        let mut finding = Finding::default();
        for marks in WINDOWS {
            let fresh = self.fresh(sent, marks);
            let attempts = fresh.iter().sum();
            let since = marks.min(self.marks.len()) as u64;
            let shares = fresh
                .iter()
                .map(|&it| it as f64 / (attempts as f64).max(1.0));
            finding = Finding {
                attempts,
                seconds: since * MARK.as_micros() / 1_000_000,
                shares: shares.collect(),
                ..Finding::default()
            };
            if attempts >= FEW {
                break;
            }
        }
        if finding.attempts < FEW {
            finding.why = format!("fewer than {FEW} attempts in the last 5 minutes");
            return finding;
        }
        let lag = is_off(model, &finding);
        finding.honoured = Some(lag.is_none());
        finding.why = match lag {
            None => "the traffic follows the weights".to_owned(),
            Some(at) => reason(model, (at, &finding), views),
        };
        finding
    }

    /// Tells that the weights are honoured no longer, or again.
    fn tell(&mut self, model: &ModelNow, now: Time) -> Option<Draft> {
        let honoured = self.found.honoured?;
        if honoured == self.told {
            return None;
        }
        if self.told_at.is_some_and(|at| now.since(at) < QUIET) {
            self.left_out += 1;
            return None;
        }
        self.told = honoured;
        self.told_at = Some(now);
        let name = &model.name;
        let what = match honoured {
            true => format!("{name}: the traffic follows the weights again"),
            false => format!(
                "{name}: the traffic does not follow the weights: {}",
                self.found.why
            ),
        };
        let pairs = model.routes.iter().zip(&self.found.shares);
        let routes: Map<String, Value> = pairs
            .map(|(it, &share)| {
                let told = json!({"share": short(share), "weight_share": short(it.weight_share)});
                (it.route.to_string(), told)
            })
            .collect();
        let evidence = json!({
            "model": name,
            "honoured": honoured,
            "attempts": self.found.attempts,
            "window_s": self.found.seconds,
            "routes": routes,
            "suppressed": std::mem::take(&mut self.left_out),
        });
        let Value::Object(evidence) = evidence else {
            return None;
        };
        Some(Draft {
            kind: Kind::Weights,
            route: None,
            what,
            evidence,
        })
    }
}

/// The route that lacks most of its share, if any share is off.
fn is_off(model: &ModelNow, found: &Finding) -> Option<usize> {
    let count = found.attempts as f64;
    let off = model.routes.iter().zip(&found.shares).any(|(it, share)| {
        let weight = it.weight_share;
        let chance = CHANCE * (weight * (1.0 - weight) / count).sqrt() + 1.0 / count;
        let by = (share - weight).abs();
        let lacks = weight - share > LACKS * weight;
        by > chance && (by > MATTERS || lacks)
    });
    let lack = |it: (usize, (&Member, &f64))| (it.0, it.1.0.weight_share - it.1.1);
    let lacks = model.routes.iter().zip(&found.shares).enumerate().map(lack);
    let most = lacks.max_by(|one, other| one.1.total_cmp(&other.1));
    most.filter(|_| off).map(|(at, _)| at)
}

/// Why a model's weights are not honoured: the route that lacks most, and what is the matter with each that is not as it should be.
fn reason(
    model: &ModelNow,
    (at, found): (usize, &Finding),
    views: &BTreeMap<&str, &RouteView>,
) -> String {
    let lacking = &model.routes[at];
    let matter = |it: &Member| {
        let view = views.get(&*it.route)?;
        trouble(view, it)
    };
    let mut text = format!(
        "{} got {} instead of {} of {} attempts in the last {}",
        lacking.route,
        percent(found.shares[at]),
        percent(lacking.weight_share),
        found.attempts,
        span(Span::from_secs(found.seconds)),
    );
    let own = matter(lacking);
    if let Some(trouble) = &own {
        text.push_str(&format!(": it {trouble}"));
    }
    let others = model
        .routes
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != at);
    let others: Vec<String> = others
        .filter_map(|(_, it)| Some(format!("{} {}", it.route, matter(it)?)))
        .collect();
    for other in &others {
        text.push_str("; ");
        text.push_str(other);
    }
    if own.is_none() && others.is_empty() {
        text.push_str(
            ": no route is set aside now; the window still has what was sent while one was, or sessions stay where they are and some requests can go to some routes only",
        );
    }
    text
}

/// What keeps a route from its share.
fn trouble(view: &RouteView, it: &Member) -> Option<String> {
    let wait = view
        .wait
        .map(|wait| format!(", next try in {}", span(wait)));
    let wait = wait.unwrap_or_default();
    match view.state {
        State::Open => return Some(format!("is open{wait}")),
        State::Probing => return Some("is open, and tried with one request at a time".to_owned()),
        State::Drained => return Some("is drained by an operator".to_owned()),
        State::KeyHeld => return Some(format!("is set aside because its key was rejected{wait}")),
        State::Unsupported => {
            return Some(format!(
                "is set aside because it cannot serve this model{wait}"
            ));
        }
        State::Recovering => {
            let share = percent(f64::from(view.share));
            return Some(format!("is recovering, with {share} of its weight"));
        }
        State::Healthy | State::Degraded => {}
    }
    if let Some((_, reason)) = view.ceilings.hold {
        return Some(format!("is held ({})", reason.name()));
    }
    let explained = it.explained?;
    match explained.gate {
        Gate::Full => return Some("is at its ceiling".to_owned()),
        Gate::Hot => {
            let used = percent(f64::from(explained.utilisation));
            return Some(format!("is nearly full ({used} of a ceiling is in use)"));
        }
        _ => {}
    }
    let slow = if view.state == State::Degraded {
        "is slower than it used to be, and "
    } else {
        ""
    };
    if !explained.in_band && explained.score < DEAR {
        let times = 1.0 / explained.score.max(1e-3);
        return Some(format!("{slow}costs {times:.1} times as much as the best"));
    }
    if explained.taper < DEAR {
        let part = percent(f64::from(explained.taper));
        return Some(format!("gets {part} of its weight, since attempts fail"));
    }
    (view.state == State::Degraded).then(|| "is slower than it used to be".to_owned())
}

#[cfg(test)]
mod tests;
