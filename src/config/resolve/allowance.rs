//! What may a tier use and spend?
//!
//! # Invariants
//! - A budget that is returned has a limit and a schedule, and no other of its tier has the same schedule and force.
//! - A name without `*` is that of a model or provider, where they are known.

use jiff::tz::TimeZone;

use super::super::money::Nano;
use super::super::nearest::nearest;
use super::super::period::{Schedule, Style};
use super::super::raw::{RawBudget, RawRateLimits, RawStyle};
use super::super::report::Problem;
use super::super::shape::suggestion;
use super::super::tenants::{Allowance, Budget, Pattern, RateLimits, Tenants};
use super::super::written::At;
use super::Resolver;

/// What a tier's table says about what it may use and spend.
pub(super) struct Written<'r> {
    pub(super) budgets: &'r [RawBudget],
    pub(super) limits: &'r RawRateLimits,
    pub(super) models: Option<&'r [At<String>]>,
    pub(super) providers: Option<&'r [At<String>]>,
}

/// Names that patterns may stand for, and what they are names of.
#[derive(Clone, Copy)]
struct Known<'n> {
    kind: &'static str,
    names: Option<&'n [String]>,
}

/// What may be named: models as clients ask for them, providers, teams and customers; none where any name will do.
#[derive(Default)]
pub(super) struct Names {
    pub(super) models: Option<Vec<String>>,
    pub(super) providers: Option<Vec<String>>,
    pub(super) teams: Option<Vec<String>>,
    pub(super) customers: Option<Vec<String>>,
}

impl Resolver<'_, '_> {
    /// The allowance of the tier at `path`.
    pub(super) fn allowance(&mut self, raw: &Written<'_>, path: &str, names: &Names) -> Allowance {
        let limit = |at: &Option<At<u32>>| at.as_ref().map(|at| at.value);
        let mut patterns = |list: Option<&[At<String>]>, key: &str, known| {
            list.map(|list| self.patterns(list, &format!("{path}.{key}"), known))
        };
        let models = Known {
            kind: "model",
            names: names.models.as_deref(),
        };
        let providers = Known {
            kind: "provider",
            names: names.providers.as_deref(),
        };
        Allowance {
            models: patterns(raw.models, "models", models),
            providers: patterns(raw.providers, "providers", providers),
            budgets: self.budgets(raw.budgets, path),
            limits: RateLimits {
                requests_per_minute: limit(&raw.limits.requests_per_minute),
                input_tokens_per_minute: limit(&raw.limits.input_tokens_per_minute),
                output_tokens_per_minute: limit(&raw.limits.output_tokens_per_minute),
                concurrency: limit(&raw.limits.concurrency),
            },
        }
    }

    fn patterns(&mut self, list: &[At<String>], path: &str, known: Known<'_>) -> Vec<Pattern> {
        let Known { kind, names } = known;
        for (index, at) in list.iter().enumerate() {
            let Some(names) = names else {
                break;
            };
            if at.value.contains('*') || names.contains(&at.value) {
                continue;
            }
            let quoted = self.source.quote(&at.span);
            let meant = nearest(&at.value, names.iter().map(String::as_str));
            let help = match meant {
                Some(_) => String::new(),
                None => format!("the {kind}s are {}", names.join(", ")),
            };
            self.source.report(
                Problem::new(
                    format!("{path}[{index}]"),
                    at.span.clone(),
                    format!("no {kind} is named {quoted}{}", suggestion(meant)),
                )
                .expected(format!(
                    "expected the NAME of a [{kind}s.NAME], or a text with `*`"
                ))
                .help(help),
            );
        }
        list.iter().map(|at| Pattern::new(&at.value)).collect()
    }

    /// The budgets of the tier at `tier`.
    pub(super) fn budgets(&mut self, raw: &[RawBudget], tier: &str) -> Vec<Budget> {
        let mut budgets: Vec<Budget> = Vec::with_capacity(raw.len());
        for (index, raw) in raw.iter().enumerate() {
            let path = format!("{tier}.budgets[{index}]");
            let (Some(limit), Some(period)) = (&raw.limit, &raw.period) else {
                continue;
            };
            if index == Tenants::MOST_BUDGETS {
                let message = format!("{tier} has more than {index} budgets");
                self.source.report(
                    Problem::new(path.clone(), limit.span.clone(), message)
                        .expected(format!("expected at most {index}")),
                );
            }
            let budget = Budget {
                limit: Nano::from_dollars(limit.value).unwrap_or(Nano::MAX),
                schedule: Schedule {
                    length: period.value.0,
                    style: self.style(raw, &path),
                },
                hard: raw.hard.as_ref().is_none_or(|at| at.value),
            };
            let twin =
                |other: &Budget| (&other.schedule, other.hard) == (&budget.schedule, budget.hard);
            if budgets.iter().any(twin) {
                let message = format!("{tier} has two budgets for {}", budget.schedule.length);
                self.source.report(
                    Problem::new(format!("{path}.period"), period.span.clone(), message)
                        .expected("the period of one before")
                        .help("keep the smaller one; the other would never be reached"),
                );
            }
            budgets.push(budget);
        }
        budgets
    }

    fn style(&mut self, raw: &RawBudget, path: &str) -> Style {
        let style = raw.style.as_ref().map(|at| at.value).unwrap_or_default();
        let path = format!("{path}.zone");
        match (style, &raw.zone) {
            (RawStyle::Rolling, None) => Style::Rolling,
            (RawStyle::Rolling, Some(zone)) => {
                self.source.report(
                    Problem::new(path, zone.span.clone(), "a rolling budget has no time zone")
                        .expected("only an aligned budget has one")
                        .help("remove it, or the `style`"),
                );
                Style::Rolling
            }
            (RawStyle::Aligned, None) => Style::Aligned(TimeZone::UTC),
            (RawStyle::Aligned, Some(zone)) => Style::Aligned(self.zone(zone, path)),
        }
    }

    fn zone(&mut self, at: &At<String>, path: String) -> TimeZone {
        if let Ok(zone) = TimeZone::get(&at.value) {
            return zone;
        }
        let known: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        let meant = nearest(&at.value, known.iter().map(String::as_str));
        let quoted = self.source.quote(&at.span);
        self.source.report(
            Problem::new(
                path,
                at.span.clone(),
                format!("no time zone is named {quoted}{}", suggestion(meant)),
            )
            .expected("expected a name of the IANA database, such as \"Europe/Berlin\""),
        );
        TimeZone::UTC
    }
}
