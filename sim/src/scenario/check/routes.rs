//! Routes, their paces and their keys' limits.
//!
//! # Invariants
//! - The limits of a key are written once.

use scoring::Class;
use scoring::time::Span;

use super::Checker;
use crate::scenario::raw::{Dialect, RawLimits, RawPace, RawRoute};
use crate::scenario::{Limits, Pace, Route, Slowdown};

impl Checker {
    pub(super) fn limits(&mut self, name: &str, raw: &RawLimits) -> Limits {
        let place = format!("limits of {name}");
        self.within(
            &format!("{place}.burst (s)"),
            raw.burst.0.as_secs_f64(),
            1e-3,
            60.0,
        );
        if let Some(slice) = raw.slice {
            self.within(
                &format!("{place}.slice (s)"),
                slice.0.as_secs_f64(),
                1e-3,
                60.0,
            );
        }
        let all = [raw.rpm, raw.tpm, raw.itpm, raw.otpm, raw.rpd];
        if all.contains(&Some(0)) {
            self.wrong(&place, "a limit of 0 admits nothing; leave it out for none");
        }
        for (own, share) in [(raw.rpm, raw.rpm_share), (raw.tpm, raw.tpm_share)] {
            if own.is_some() && share.is_some() {
                self.wrong(&place, "has a limit and its share; write one of them");
            }
            self.within(&format!("{place}: share"), share.unwrap_or(1.0), 1e-6, 1e6);
        }
        for change in &raw.changes {
            self.within(&format!("{place}.changes.factor"), change.factor, 1e-3, 1e3);
        }
        Limits {
            name: name.to_owned(),
            dialect: raw.dialect,
            rpm: raw.rpm,
            tpm: raw.tpm,
            itpm: raw.itpm,
            otpm: raw.otpm,
            rpd: raw.rpd,
            rpm_share: raw.rpm_share,
            tpm_share: raw.tpm_share,
            burst: raw.burst.0,
            slice: raw.slice.map(|it| it.0),
            unset_max_tokens: raw.unset_max_tokens,
            settle: raw.settle,
            charge_refused: raw.charge_refused,
            changes: raw.changes.iter().map(|it| (it.at.0, it.factor)).collect(),
        }
    }

    pub(super) fn key(&mut self, place: &str, raw: &RawRoute) -> usize {
        let name = raw.key.clone().unwrap_or_else(|| raw.name.clone());
        let found = self.keys.iter().position(|it| it.name == name);
        if let (Some(_), Some(_)) = (found, &raw.limits) {
            self.wrong(
                &format!("{place}.limits"),
                format!("the key {name:?} has its limits elsewhere; write them once"),
            );
        }
        found.unwrap_or_else(|| {
            let limits = match &raw.limits {
                Some(limits) => self.limits(&name, limits),
                None => Limits {
                    name,
                    dialect: Dialect::Silent,
                    burst: Span::from_secs(60),
                    ..Limits::default()
                },
            };
            self.keys.push(limits);
            self.keys.len() - 1
        })
    }

    pub(super) fn route(&mut self, place: &str, raw: &RawRoute) -> Route {
        if !(raw.weight > 0.0 && raw.weight.is_finite()) {
            self.wrong(&format!("{place}.weight"), "is not above 0");
        }
        let provider = raw.provider.as_deref().unwrap_or(&raw.name);
        let region = raw.region.as_deref().unwrap_or("");
        let own = self.pace(
            place,
            &RawPace {
                ttft: raw.ttft,
                ttft_per_token: raw.ttft_per_token,
                tpot: raw.tpot,
                noise: raw.noise,
            },
        );
        let mut pace = Class::ALL.map(|class| match class.decodes() {
            true => own,
            false => Pace {
                tpot_us: 0.0,
                ..own
            },
        });
        for (name, raw) in &raw.classes {
            match Class::ALL.into_iter().find(|class| class.name() == name) {
                Some(class) => {
                    pace[class.index()] = self.pace(&format!("{place}.classes.{name}"), raw)
                }
                None => self.wrong(
                    &format!("{place}.classes"),
                    format!(
                        "{name:?} is no class; they are {}",
                        Class::ALL.map(Class::name).join(", ")
                    ),
                ),
            }
        }
        let slowdown = raw.slowdown.map(|it| Slowdown {
            from: it.from.unwrap_or(1).max(1),
            share: it.from_share,
            slope: it.slope,
        });
        if let Some(raw) = raw.slowdown {
            if raw.from.is_some() == raw.from_share.is_some() {
                self.wrong(
                    &format!("{place}.slowdown"),
                    "needs `from` or `from_share`, and one of them only",
                );
            }
            let share = raw.from_share.unwrap_or(1.0);
            self.within(&format!("{place}.slowdown.from_share"), share, 0.01, 1e3);
        }
        if let Some(slowdown) = slowdown {
            self.within(&format!("{place}.slowdown.slope"), slowdown.slope, 0.0, 1e3);
        }
        self.within(&format!("{place}.price_input"), raw.price_input, 0.0, 1e6);
        self.within(&format!("{place}.price_output"), raw.price_output, 0.0, 1e6);
        Route {
            name: raw.name.clone(),
            parent: format!("{provider}@{region}"),
            key: self.key(place, raw),
            weight: raw.weight,
            price_input: raw.price_input,
            price_output: raw.price_output,
            pace,
            slowdown,
            refusal: raw.refusal.0,
            cache_ttl: raw.cache_ttl.0,
            joins: raw.joins.0,
            told_rpm: raw.told_rpm,
            told_tpm: raw.told_tpm,
        }
    }

    pub(super) fn pace(&mut self, place: &str, raw: &RawPace) -> Pace {
        self.within(
            &format!("{place}.ttft_per_token"),
            raw.ttft_per_token,
            0.0,
            1e6,
        );
        self.within(&format!("{place}.noise"), raw.noise, 0.0, 4.0);
        Pace {
            ttft_us: raw.ttft.0.as_micros() as f64,
            per_token_us: raw.ttft_per_token,
            tpot_us: raw.tpot.0.as_micros() as f64,
            noise: raw.noise,
        }
    }
}
