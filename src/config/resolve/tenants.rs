//! Who may ask, and who pays?
//!
//! # Invariants
//! - One tenant a table of the file, in its order, also for one with problems.
//! - No request is paid by more budgets than one reservation holds.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::nearest::nearest;
use super::super::raw::{RawAtProvider, RawConfig, RawKeyProviders, RawVirtualKey};
use super::super::report::Problem;
use super::super::routes::{Model, Provider};
use super::super::secret::Secret;
use super::super::shape::{join, suggestion};
use super::super::tenants::{Allowance, Credential, Customer, Team, Tenants, VirtualKey};
use super::super::written::{At, Named};
use super::Resolver;
use super::allowance::{Names, Written};

impl Resolver<'_, '_> {
    pub(super) fn tenants(
        &mut self,
        raw: &RawConfig,
        providers: &[Provider],
        models: &[Model],
    ) -> Tenants {
        let names = Names {
            models: Some(models.iter().map(|model| model.name.clone()).collect()),
            // As written, since one with a problem is still meant.
            providers: Some(named(&raw.providers)),
            teams: Some(named(&raw.teams)),
            customers: Some(named(&raw.customers)),
        };
        let tenants = self.tenants_among(raw, &names);
        self.secrets_differ(raw);
        let place = |key: &VirtualKey| {
            let mut keys = raw.keys.0.iter();
            let found = keys.find(|(at, _)| at.value == key.name);
            found.map_or(0..0, |(at, _)| at.span.clone())
        };
        self.payable(&tenants, providers, &place);
        tenants
    }

    /// The tenants of the tables, which may refer to these names.
    pub(super) fn tenants_among(&mut self, raw: &RawConfig, names: &Names) -> Tenants {
        Tenants {
            customers: self.customers(raw, names),
            teams: self.teams(raw, names),
            keys: self.virtual_keys(raw, names),
        }
    }

    fn customers(&mut self, raw: &RawConfig, names: &Names) -> Vec<Customer> {
        let mut customers = Vec::with_capacity(raw.customers.0.len());
        for (name, raw) in &raw.customers.0 {
            let path = join("customers", &name.value);
            self.name(&path, &name.value, &name.span);
            let written = Written {
                budgets: &raw.budgets,
                limits: &raw.rate_limits,
                models: raw.models.as_deref(),
                providers: raw.providers.as_deref(),
            };
            customers.push(Customer {
                name: name.value.clone(),
                allowance: self.allowance(&written, &path, names),
            });
        }
        customers
    }

    fn teams(&mut self, raw: &RawConfig, names: &Names) -> Vec<Team> {
        let mut teams = Vec::with_capacity(raw.teams.0.len());
        for (name, raw) in &raw.teams.0 {
            let path = join("teams", &name.value);
            self.name(&path, &name.value, &name.span);
            let written = Written {
                budgets: &raw.budgets,
                limits: &raw.rate_limits,
                models: raw.models.as_deref(),
                providers: raw.providers.as_deref(),
            };
            teams.push(Team {
                name: name.value.clone(),
                customer: self.declared_at(
                    raw.customer.as_ref(),
                    &path,
                    ("customer", names.customers.as_deref()),
                ),
                allowance: self.allowance(&written, &path, names),
            });
        }
        teams
    }

    fn virtual_keys(&mut self, raw: &RawConfig, names: &Names) -> Vec<VirtualKey> {
        let mut keys = Vec::with_capacity(raw.keys.0.len());
        for (name, raw) in &raw.keys.0 {
            let path = join("keys", &name.value);
            self.name(&path, &name.value, &name.span);
            let known = ("team", names.teams.as_deref());
            let team = self.declared_at(raw.team.as_ref(), &path, known);
            let known = ("customer", names.customers.as_deref());
            let customer = self.declared_at(raw.customer.as_ref(), &path, known);
            self.one_owner(raw, &path);
            let (only, each) = match &raw.providers {
                Some(RawKeyProviders::Only(list)) => (Some(list.as_slice()), None),
                Some(RawKeyProviders::Each(each)) => (None, Some(each)),
                None => (None, None),
            };
            let written = Written {
                budgets: &raw.budgets,
                limits: &raw.rate_limits,
                models: raw.models.as_deref(),
                providers: only,
            };
            keys.push(VirtualKey {
                name: name.value.clone(),
                team,
                customer,
                credential: self.credential(raw, &path),
                former: None,
                expires: raw.expires.as_ref().map(|at| at.value.0),
                disabled: raw.disabled.as_ref().is_some_and(|at| at.value),
                tags: self.tags(&raw.tags, &path),
                log_content: raw.log_content.as_ref().is_none_or(|at| at.value),
                allowance: self.allowance(&written, &path, names),
                providers: each
                    .map(|each| self.at_providers(each, &path, names))
                    .unwrap_or_default(),
            });
        }
        keys
    }

    /// What the key at `key` may use and spend at single providers.
    fn at_providers(
        &mut self,
        raw: &Named<RawAtProvider>,
        key: &str,
        names: &Names,
    ) -> BTreeMap<String, Allowance> {
        let mut allowances = BTreeMap::new();
        for (provider, raw) in &raw.0 {
            let path = join(&format!("{key}.providers"), &provider.value);
            if let Some(providers) = &names.providers {
                self.declared(provider, &path, "provider", providers);
            }
            let written = Written {
                budgets: &raw.budgets,
                limits: &raw.rate_limits,
                models: raw.models.as_deref(),
                providers: None,
            };
            let allowance = self.allowance(&written, &path, names);
            allowances.insert(provider.value.clone(), allowance);
        }
        allowances
    }

    fn one_owner(&mut self, raw: &RawVirtualKey, path: &str) {
        if let (Some(_), Some(customer)) = (&raw.team, &raw.customer) {
            self.source.report(
                Problem::new(
                    format!("{path}.customer"),
                    customer.span.clone(),
                    format!("{path} has a team and a customer"),
                )
                .expected("expected one of them")
                .help("remove it: the team's table says to which customer it belongs"),
            );
        }
    }

    /// The team or customer that the table at `table` names, as the key of its kind.
    fn declared_at(
        &mut self,
        at: Option<&At<String>>,
        table: &str,
        (kind, names): (&'static str, Option<&[String]>),
    ) -> Option<String> {
        let at = at?;
        if let Some(names) = names {
            self.declared(at, &format!("{table}.{kind}"), kind, names);
        }
        Some(at.value.clone())
    }

    /// Refuses a name that no table of its kind has.
    pub(super) fn declared(
        &mut self,
        at: &At<String>,
        path: &str,
        kind: &'static str,
        names: &[String],
    ) {
        if names.contains(&at.value) {
            return;
        }
        let quoted = self.source.quote(&at.span);
        let meant = nearest(&at.value, names.iter().map(String::as_str));
        let help = match meant {
            Some(_) => String::new(),
            None if names.is_empty() => format!("add a table [{kind}s.NAME]"),
            None => format!("the {kind}s are {}", names.join(", ")),
        };
        self.source.report(
            Problem::new(
                path,
                at.span.clone(),
                format!("no {kind} is named {quoted}{}", suggestion(meant)),
            )
            .expected(format!("expected the NAME of a [{kind}s.NAME]"))
            .help(help),
        );
    }

    fn credential(&mut self, raw: &RawVirtualKey, key: &str) -> Credential {
        let Some(at) = &raw.secret else {
            return Credential::Plain(Secret::new(""));
        };
        let path = format!("{key}.secret");
        let secret = self.secret(at, &path);
        let (least, most) = (VirtualKey::SHORTEST_SECRET, VirtualKey::LONGEST_SECRET);
        let length = secret.expose().len();
        let wrong = match length {
            _ if self.source.is_reported(&path) => None,
            length if length < least => Some("is so short that it could be guessed"),
            length if length > most => Some("is longer than any credential"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.source.report(
                Problem::new(
                    path,
                    at.span.clone(),
                    format!("the secret of {key} {wrong}"),
                )
                .expected(format!("expected {least} to {most} bytes"))
                .help("32 random hexadecimal digits do: `openssl rand -hex 16`"),
            );
        }
        Credential::Plain(secret)
    }

    fn tags(&mut self, raw: &Named<At<String>>, key: &str) -> BTreeMap<String, String> {
        let (most, longest) = (VirtualKey::MOST_TAGS, VirtualKey::LONGEST_TAG);
        let fits =
            |text: &str| text.chars().count() <= longest && !text.chars().any(char::is_control);
        for (index, (name, value)) in raw.0.iter().enumerate() {
            let path = join(&format!("{key}.tags"), &name.value);
            if index == most {
                let message = format!("{key} has more than {most} tags");
                self.source.report(
                    Problem::new(path.clone(), name.span.clone(), message)
                        .expected(format!("expected at most {most}")),
                );
            }
            let wrong = if name.value.is_empty() || !fits(&name.value) {
                Some((&name.span, "name"))
            } else if fits(&value.value) {
                None
            } else {
                Some((&value.span, "value"))
            };
            if let Some((span, part)) = wrong {
                let quoted = self.source.quote(span);
                let message = format!("{quoted} cannot be the {part} of a tag");
                self.source
                    .report(Problem::new(path, span.clone(), message).expected(format!(
                        "expected at most {longest} characters without line breaks"
                    )));
            }
        }
        let pairs = raw.0.iter();
        pairs
            .map(|(name, value)| (name.value.clone(), value.value.clone()))
            .collect()
    }

    /// Refuses secrets that would not tell who asks.
    fn secrets_differ(&mut self, raw: &RawConfig) {
        let tokens = [
            (&raw.server.token, "the token of [server]"),
            (&raw.admin.token, "the token of [admin]"),
        ];
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        for (token, whose) in tokens {
            let text = token.as_ref().map(|at| at.value.0.expose());
            seen.extend(text.map(|text| (text, whose.to_owned())));
        }
        for (name, key) in &raw.keys.0 {
            let Some(at) = &key.secret else {
                continue;
            };
            let path = join("keys", &name.value);
            let text = at.value.0.expose();
            match seen.get(text) {
                Some(first) if !text.trim().is_empty() => self.source.report(
                    Problem::new(
                        format!("{path}.secret"),
                        at.span.clone(),
                        format!("{path} has the same secret as {first}"),
                    )
                    .expected("expected a secret of its own")
                    .help("a secret tells who asks, so no two may be the same"),
                ),
                _ => drop(seen.insert(text, path)),
            }
        }
    }

    /// Refuses keys whose requests would be paid by more budgets than a reservation holds.
    pub(super) fn payable(
        &mut self,
        tenants: &Tenants,
        providers: &[Provider],
        place: &dyn Fn(&VirtualKey) -> Range<usize>,
    ) {
        let most = Tenants::MOST_PAYING;
        for key in &tenants.keys {
            let path = join("keys", &key.name);
            let paying = |provider: &Provider| tenants.paying(key, provider);
            let worst = providers.iter().max_by_key(|provider| paying(provider));
            let Some(worst) = worst.filter(|worst| paying(worst) > most) else {
                continue;
            };
            let message = format!(
                "requests of {path} to {:?} are paid by {} budgets",
                worst.name,
                paying(worst)
            );
            self.source.report(
                Problem::new(path, place(key), message)
                    .expected(format!("expected at most {most}, over all tiers together"))
                    .help("remove some of the key, its team, its customer or the provider"),
            );
        }
    }
}

pub(super) fn named<T>(tables: &Named<T>) -> Vec<String> {
    let names = tables.0.iter();
    names.map(|(name, _)| name.value.clone()).collect()
}
