//! From what is written to what is run: names resolved, numbers in range, defaults applied.
//!
//! # Invariants
//! - Every mistake is collected; a scenario with one is never returned.

mod faults;
mod routes;
mod traffic;

use std::fmt;

use scoring::retry::RetryPolicy;
use scoring::time::Span;

use super::raw::{RawBar, RawClocks, RawRetry, RawRoute, RawScenario, RawTraffic, Time};
use super::{Bar, Clocks, Fault, Limits, Model, Route, Scenario, Traffic};
use crate::measure;

use faults::incident;
use traffic::requests;

/// What a request that nobody answered costs unless the file says otherwise.
pub(crate) use scoring::shadow::LOST_MS;

/// Most routes of one model, as in `scoring`.
const MOST_ROUTES: usize = scoring::select::MAX_CANDIDATES;

/// Most replicas of one scenario.
const MOST_REPLICAS: usize = 256;

/// Most requests of one scenario: a bound of memory.
const MOST_REQUESTS: f64 = 5e7;

/// Everything that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file's name.
    pub name: String,
    /// Place and words of each.
    pub list: Vec<(String, String)>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, words) in &self.list {
            writeln!(f, "{}: {place}: {words}", self.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads a scenario from its text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(name: &str, text: &str) -> Result<Scenario, Mistakes> {
    let raw: RawScenario = toml::from_str(text).map_err(|error| Mistakes {
        name: name.to_owned(),
        list: vec![("syntax".to_owned(), error.to_string().trim_end().to_owned())],
    })?;
    let mut checked = Checker {
        list: Vec::new(),
        keys: Vec::new(),
    };
    let scenario = checked.scenario(name, raw);
    if checked.list.is_empty() {
        Ok(scenario)
    } else {
        Err(Mistakes {
            name: name.to_owned(),
            list: checked.list,
        })
    }
}

struct Checker {
    list: Vec<(String, String)>,
    keys: Vec<Limits>,
}

impl Checker {
    fn wrong(&mut self, place: &str, words: impl Into<String>) {
        self.list.push((place.to_owned(), words.into()));
    }

    fn within(&mut self, place: &str, value: f64, low: f64, high: f64) {
        if !(low..=high).contains(&value) {
            self.wrong(place, format!("is {value}; allowed are {low} to {high}"));
        }
    }

    fn scenario(&mut self, name: &str, raw: RawScenario) -> Scenario {
        let (duration, warmup) = self.times(&raw);
        for (key, limits) in &raw.keys {
            let limits = self.limits(key, limits);
            self.keys.push(limits);
        }
        let (routes, models) = self.routes(&raw.routes);
        let traffic = self.streams(&raw.traffic, duration);
        let faults: Vec<Fault> = (0..)
            .zip(&raw.faults)
            .map(|(index, it): (usize, _)| self.fault(&format!("faults[{index}]"), it, &routes))
            .collect();
        let incident = raw
            .incident
            .map(|[from, until]| (from.0, until.0))
            .or_else(|| incident(&faults, duration));
        if incident.is_some_and(|(from, until)| from >= until) {
            self.wrong("incident", "ends before it begins");
        }
        let bars = (0..).zip(&raw.bars);
        let bars = bars
            .map(|(index, it): (usize, _)| self.bar(&format!("bars[{index}]"), it))
            .collect();
        let lost_ms = raw.lost_ms.unwrap_or(LOST_MS);
        self.within("lost_ms", lost_ms, 0.0, 1e7);
        self.within("ms_per_millidollar", raw.ms_per_millidollar, 0.0, 1e6);
        Scenario {
            name: name.to_owned(),
            question: raw.question.trim().to_owned(),
            duration,
            warmup,
            learned: raw.learned.map_or(warmup, |it| it.0),
            incident,
            replicas: raw.replicas,
            clocks: clocks(&raw.clocks),
            retry: self.retry(&raw.retry),
            lost_ms,
            ms_per_millidollar: raw.ms_per_millidollar,
            traffic,
            routes,
            keys: std::mem::take(&mut self.keys),
            models,
            faults,
            bars,
        }
    }

    /// How long it lasts, and what is not counted of it.
    fn times(&mut self, raw: &RawScenario) -> (Span, Span) {
        let duration = raw.duration.0;
        self.within("duration (s)", duration.as_secs_f64(), 1.0, 31.0 * 86_400.0);
        self.within("replicas", raw.replicas as f64, 1.0, MOST_REPLICAS as f64);
        if raw.question.trim().is_empty() {
            self.wrong("question", "is empty: say what the scenario is to find out");
        }
        let warmup = raw.warmup.map_or(Span::ZERO, |it| it.0);
        if warmup >= duration {
            self.wrong("warmup", "leaves nothing to be counted");
        }
        (duration, warmup)
    }

    /// The routes, and the models that they serve in the order of their first mention.
    fn routes(&mut self, raw: &[RawRoute]) -> (Vec<Route>, Vec<Model>) {
        let mut models: Vec<Model> = Vec::new();
        let mut routes: Vec<Route> = Vec::new();
        for (index, route) in raw.iter().enumerate() {
            let place = format!("routes[{index}]");
            let model = route.model.clone().unwrap_or_else(|| "main".to_owned());
            match models.iter_mut().find(|it| it.name == model) {
                Some(found) => found.routes.push(index),
                None => models.push(Model {
                    name: model,
                    routes: vec![index],
                }),
            }
            let route = self.route(&place, route);
            if routes.iter().any(|it| it.name == route.name) {
                let words = format!("there is another route named {:?}", route.name);
                self.wrong(&place, words);
            }
            routes.push(route);
        }
        if routes.is_empty() {
            self.wrong("routes", "is empty: write at least one [[routes]]");
        }
        if models.iter().any(|it| it.routes.len() > MOST_ROUTES) {
            self.wrong("routes", format!("more than {MOST_ROUTES} serve one model"));
        }
        (routes, models)
    }

    fn streams(&mut self, raw: &[RawTraffic], duration: Span) -> Vec<Traffic> {
        if raw.is_empty() {
            self.wrong("traffic", "is empty: write at least one [[traffic]]");
        }
        let streams: Vec<Traffic> = raw
            .iter()
            .enumerate()
            .map(|(index, it)| self.traffic(&format!("traffic[{index}]"), it))
            .collect();
        let most: f64 = streams.iter().map(|it| requests(it, duration)).sum();
        if most > MOST_REQUESTS {
            let words = format!("{most:.0} requests; allowed are {MOST_REQUESTS}");
            self.wrong("duration", words);
        }
        streams
    }

    fn retry(&mut self, raw: &RawRetry) -> RetryPolicy {
        let usual = RetryPolicy::default();
        let max_attempts = raw.attempts.unwrap_or(usual.max_attempts);
        self.within("retry.attempts", max_attempts.into(), 1.0, 20.0);
        RetryPolicy {
            max_attempts,
            same_route: raw.same_route.unwrap_or(usual.same_route),
            ..usual
        }
    }

    fn bar(&mut self, place: &str, raw: &RawBar) -> Bar {
        if !measure::METRICS.iter().any(|it| it.name == raw.metric) {
            let known: Vec<_> = measure::METRICS.iter().map(|it| it.name).collect();
            self.wrong(
                &format!("{place}.metric"),
                format!(
                    "{:?} is no metric; they are {}",
                    raw.metric,
                    known.join(", ")
                ),
            );
        }
        if raw.at_least.is_none() && raw.at_most.is_none() {
            self.wrong(place, "needs `at_least` or `at_most`");
        }
        Bar {
            goal: raw.goal.clone(),
            metric: raw.metric.clone(),
            at_least: raw.at_least,
            at_most: raw.at_most,
        }
    }
}

fn clocks(raw: &RawClocks) -> Clocks {
    let or = |written: Option<Time>, secs| written.map_or(Span::from_secs(secs), |it| it.0);
    Clocks {
        head: or(raw.head, 60),
        first_token: or(raw.first_token, 10),
        between_tokens: or(raw.between_tokens, 30),
        total: or(raw.total, 600),
    }
}

#[cfg(test)]
mod tests {
    use super::faults::kind;
    use super::*;
    use crate::scenario::FaultKind;

    const LEAST: &str =
        "question = 'Is it well?'\n[[traffic]]\nrate = 10.0\n[[routes]]\nname = 'a'\n";

    #[test]
    fn the_least_scenario_has_every_default() {
        let scenario = read("least", LEAST).unwrap();
        assert_eq!(scenario.routes[0].parent, "a@");
        assert_eq!(scenario.models[0].routes, [0]);
        assert_eq!(scenario.clocks.head, Span::from_secs(60));
        assert_eq!(scenario.incident, None);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = format!(
            "{LEAST}weight = 0\n[[faults]]\non = ['nobody']\nkind = 'plague'\nprobability = 2.0\n\
             [[bars]]\ngoal = 'G0'\nmetric = 'luck'\n"
        );
        let mistakes = read("bad", &text).unwrap_err();
        let places: Vec<_> = mistakes.list.iter().map(|it| it.0.as_str()).collect();
        for place in [
            "routes[0].weight",
            "faults[0].on",
            "faults[0].kind",
            "faults[0].probability",
            "bars[0].metric",
            "bars[0]",
        ] {
            assert!(places.contains(&place), "{place} in {mistakes}");
        }
        let unknown = read("bad", "question = 'x'\nquestoin = 'y'").unwrap_err();
        assert!(unknown.to_string().contains("questoin"), "{unknown}");
    }

    #[test]
    fn faults_are_named_as_the_stand_ins_name_them() {
        assert_eq!(kind("cut-7"), Ok(FaultKind::Cut(7)));
        assert_eq!(kind("cut"), Ok(FaultKind::Cut(40)));
        assert_eq!(
            kind("429-after-5"),
            Ok(FaultKind::Limited(Some(Span::from_secs(5))))
        );
        assert_eq!(kind("429-quota"), Ok(FaultKind::KeyRejected));
        assert_eq!(kind("529"), Ok(FaultKind::Overloaded));
        assert!(kind("plague").is_err());
    }
}
