//! What does a table mean that was made while the gateway runs?
//!
//! # Invariants
//! - What holds for the tables of the file holds for it among everybody who is there.

use std::collections::HashSet;

use super::super::made::Among;
use super::super::raw::RawConfig;
use super::super::source::Source;
use super::super::tenants::{Customer, Team, Tenant, Tenants, VirtualKey};
use super::allowance::Names;
use super::tenants::named;
use super::{Resolver, Surroundings};

/// The tenants of the tables; problems go into `source`.
pub(in crate::config) fn resolve_made(
    raw: &RawConfig,
    among: Option<Among<'_>>,
    around: &Surroundings<'_>,
    source: &mut Source<'_>,
) -> Tenants {
    let mut resolver = Resolver {
        source,
        around,
        teams: named(&raw.teams),
        keys: named(&raw.keys),
    };
    let names = among.map(names).unwrap_or_default();
    let made = resolver.tenants_among(raw, &names);
    if let Some(among) = among {
        let mut all = among.tenants.clone();
        let Tenants {
            customers,
            teams,
            keys,
        } = made.clone();
        customers
            .into_iter()
            .for_each(|it| all.put(Tenant::Customer(it)));
        teams.into_iter().for_each(|it| all.put(Tenant::Team(it)));
        for key in keys {
            all.put(Tenant::Key(Box::new(key)));
        }
        all.keys = affected(&made, &all);
        resolver.payable(&all, &among.config.providers, &|_| 0..0);
    }
    made
}

/// The keys for whose requests other budgets may pay than before: a team's new budget pays for those of its keys.
fn affected(made: &Tenants, all: &Tenants) -> Vec<VirtualKey> {
    let customer = made.customers.first().map(|it| it.name.as_str());
    let mut teams: HashSet<&str> = made.teams.iter().map(|it| it.name.as_str()).collect();
    let of_customer = all
        .teams
        .iter()
        .filter(|team| customer.is_some() && team.customer.as_deref() == customer);
    teams.extend(of_customer.map(|team| team.name.as_str()));
    let is_affected = |key: &&VirtualKey| {
        let of_team = key.team.as_deref().is_some_and(|team| teams.contains(team));
        let of_customer = customer.is_some() && key.customer.as_deref() == customer;
        of_team || of_customer || made.keys.iter().any(|it| it.name == key.name)
    };
    all.keys.iter().filter(is_affected).cloned().collect()
}

/// What there is to refer to.
fn names(among: Among<'_>) -> Names {
    let Among { config, tenants } = among;
    let models = config.models.iter().map(|it| it.name.clone());
    let providers = config.providers.iter().map(|it| it.name.clone());
    let teams = tenants.teams.iter().map(|it: &Team| it.name.clone());
    let customers = tenants.customers.iter();
    Names {
        models: Some(models.collect()),
        providers: Some(providers.collect()),
        teams: Some(teams.collect()),
        customers: Some(customers.map(|it: &Customer| it.name.clone()).collect()),
    }
}
