//! Which account, pace and number belongs to whom, across reloads and restarts?
//!
//! Used off the path of requests, whenever somebody or something changes who may spend what: it makes the [`Roster`] that requests read.
//! An account is known by whose budget it is and by its period, so a budget whose limit is changed has spent what it has spent, and one that is written again after it was removed goes on where it was.
//!
//! # Invariants
//! - The same tier with the same period has the same account as long as the process lives, and its balance after a restart.
//! - A key has one standing from roster to roster, so requests in flight see it fall.
//! - Everything that is numbered is on disk before the roster is given out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{
    Allowance, Budget, Config, Credential, Nano, Pattern, Provider, RateLimits, Schedule, Style,
    Tenants, VirtualKey, Who, Window,
};

use super::account::Account;
use super::books::Balance;
use super::chain::Charge;
use super::credential::{Digest, Pepper};
use super::journal::{Kind, Labels, Names, NamesError};
use super::office::BudgetView;
use super::pace::{self, Pace};
use super::payee::{Member, Payee, Rank};
use super::roster::Roster;
use super::turn::Turns;
use crate::store::Entry;

/// Keeps what outlives rosters.
#[derive(Debug)]
pub struct Treasury {
    names: Arc<Mutex<Names>>,
    turns: Arc<Mutex<Turns>>,
    accounts: HashMap<String, (Arc<Account>, u32)>,
    paces: HashMap<String, Arc<Pace>>,
    /// What accounts had spent at the start, by number, until they are asked for.
    balances: HashMap<u32, Balance>,
}

/// A tier as it is declared.
#[derive(Clone, Copy)]
struct Draft<'a> {
    rank: Rank,
    name: &'a str,
    provider: Option<&'a str>,
    budgets: &'a [Budget],
    allowance: Option<&'a Allowance>,
}

impl<'a> Draft<'a> {
    fn of(rank: Rank, name: &'a str, allowance: &'a Allowance) -> Self {
        Self {
            rank,
            name,
            provider: None,
            budgets: &allowance.budgets,
            allowance: Some(allowance),
        }
    }

    fn of_key(key: &'a VirtualKey) -> Self {
        Self::of(Rank::Key, &key.name, &key.allowance)
    }

    fn at_provider(key: &'a VirtualKey, (name, allowance): (&'a String, &'a Allowance)) -> Self {
        Self {
            provider: Some(name),
            ..Self::of(Rank::KeyAtProvider, &key.name, allowance)
        }
    }

    fn of_provider(provider: &'a Provider) -> Self {
        Self {
            rank: Rank::Provider,
            name: &provider.name,
            provider: Some(&provider.name),
            budgets: &provider.budgets,
            allowance: None,
        }
    }

    /// Whose it is, as a name of the journal begins.
    fn owner(&self) -> String {
        let at = match (self.rank, self.provider) {
            (Rank::KeyAtProvider, Some(provider)) => format!("@{provider}"),
            _ => String::new(),
        };
        format!("{}/{}{at}", self.rank.word(), self.name)
    }

    /// By what each of its budgets' accounts is known: whose it is, its period, and its number among those that have both in common.
    fn accounts(&self) -> Vec<String> {
        let mut known: Vec<String> = Vec::with_capacity(self.budgets.len());
        for budget in self.budgets {
            let Schedule { length, style } = &budget.schedule;
            let style = match style {
                Style::Rolling => "rolling",
                Style::Aligned(zone) => zone.iana_name().unwrap_or("UTC"),
            };
            let plain = format!("{}/{length}/{style}", self.owner());
            let mut name = plain.clone();
            while known.contains(&name) {
                name = format!("{plain}#{}", known.len() + 1);
            }
            known.push(name);
        }
        known
    }
}

/// Every tier that is declared.
fn drafts<'a>(config: &'a Config, tenants: &'a Tenants) -> Vec<Draft<'a>> {
    let customers = tenants.customers.iter();
    let customers = customers.map(|it| Draft::of(Rank::Customer, &it.name, &it.allowance));
    let teams = tenants.teams.iter();
    let teams = teams.map(|it| Draft::of(Rank::Team, &it.name, &it.allowance));
    let keys = tenants.keys.iter().flat_map(|key| {
        let there = key.providers.iter();
        let there = there.map(|it| Draft::at_provider(key, it));
        std::iter::once(Draft::of_key(key)).chain(there)
    });
    let providers = config.providers.iter().map(Draft::of_provider);
    customers
        .chain(teams)
        .chain(keys)
        .chain(providers)
        .collect()
}

impl Treasury {
    /// A treasury whose accounts begin with these balances.
    #[must_use]
    pub fn new(names: Arc<Mutex<Names>>, turns: Arc<Mutex<Turns>>, balances: Vec<Balance>) -> Self {
        let balances = balances.into_iter().map(|it| (it.account, it));
        Self {
            names,
            turns,
            accounts: HashMap::new(),
            paces: HashMap::new(),
            balances: balances.collect(),
        }
    }

    /// Numbers for names of one kind, in their order.
    ///
    /// # Errors
    /// [`NamesError`]; it can be asked again.
    fn numbers(&self, kind: Kind, wanted: &[&str]) -> Result<Vec<u32>, NamesError> {
        self.names().numbers(kind, wanted)
    }

    fn names(&self) -> std::sync::MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The roster of everybody in `tenants`, and of the providers in `config`, to follow the roster `before`; `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`NamesError`]; the old roster stays whole then.
    pub fn roster(
        &mut self,
        (config, tenants): (&Config, &Tenants),
        (before, pepper): (&Roster, &Pepper),
        now: i64,
    ) -> Result<Roster, NamesError> {
        self.open(&drafts(config, tenants), now)?;
        let mut roster = Roster {
            required: (config.governance.keys_required).unwrap_or(!tenants.keys.is_empty()),
            ..Roster::default()
        };
        for provider in &config.providers {
            let payee = Arc::new(self.payee(&Draft::of_provider(provider)));
            roster.providers.insert(payee.name.clone(), payee);
        }
        let mut shared = |draft: Draft<'_>| Arc::new(self.payee(&draft));
        let customers = tenants.customers.iter();
        let customers: HashMap<&str, Arc<Payee>> = customers
            .map(|it| {
                (
                    &*it.name,
                    shared(Draft::of(Rank::Customer, &it.name, &it.allowance)),
                )
            })
            .collect();
        let teams: Teams<'_> = tenants
            .teams
            .iter()
            .map(|it| {
                let payee = shared(Draft::of(Rank::Team, &it.name, &it.allowance));
                (&*it.name, (payee, it.customer.as_deref()))
            })
            .collect();
        let labels = self.label(tenants, &teams)?;
        let names: Vec<&str> = tenants.keys.iter().map(|key| &*key.name).collect();
        let numbers = self.numbers(Kind::Key, &names)?;
        for ((key, number), labels) in tenants.keys.iter().zip(numbers).zip(labels) {
            let team = key.team.as_deref().and_then(|name| teams.get(name));
            let customer = key.customer.as_deref().or(team.and_then(|it| it.1));
            let belongs = Belongs {
                team: team.map(|(payee, _)| Arc::clone(payee)),
                customer: customer.and_then(|name| customers.get(name)).cloned(),
                number,
                labels,
            };
            let digest = match &key.credential {
                Credential::Plain(secret) => pepper.digest(secret.expose().as_bytes()),
                Credential::Hash(bytes) => Digest::new(*bytes),
            };
            if let Some(former) = &key.former {
                let until = key.expires.map_or(former.until, |it| it.min(former.until));
                let old = Digest::new(former.hash);
                let member = self.member((key, Some(until)), &belongs, before.members.get(&old));
                roster.members.insert(old, Arc::new(member));
            }
            let known = before.members.get(&digest);
            let member = self.member((key, key.expires), &belongs, known);
            roster.members.insert(digest, Arc::new(member));
        }
        Ok(roster)
    }

    /// A key, as it is until it expires; `known` is the same credential in the roster before.
    fn member(
        &mut self,
        (key, expires): (&VirtualKey, Option<i64>),
        belongs: &Belongs,
        known: Option<&Arc<Member>>,
    ) -> Member {
        let there = key.providers.iter();
        let mut member = Member {
            own: self.payee(&Draft::of_key(key)),
            team: belongs.team.clone(),
            customer: belongs.customer.clone(),
            at: there
                .map(|it| self.payee(&Draft::at_provider(key, it)))
                .collect(),
            paces: Box::default(),
            paced: Box::default(),
            number: belongs.number,
            labels: belongs.labels,
            expires,
            disabled: key.disabled,
            standing: known.map(|it| Arc::clone(&it.standing)).unwrap_or_default(),
            log_content: key.log_content,
            who: Arc::new(Who {
                key: key.name.as_str().into(),
                team: belongs.team.as_ref().map(|it| (&*it.name).into()),
                customer: belongs.customer.as_ref().map(|it| (&*it.name).into()),
            }),
        };
        member.set_paces();
        member
    }

    /// How every declared budget stands, tier by tier.
    pub(super) fn budgets(&self, config: &Config, tenants: &Tenants) -> Vec<BudgetView> {
        let view = |draft: &Draft<'_>, (budget, name): (&Budget, String)| {
            let (account, _) = self.accounts.get(&name)?;
            let view = account.view(budget.limit);
            Some(BudgetView {
                payer: draft.rank,
                name: draft.name.to_owned(),
                provider: draft.provider.map(ToOwned::to_owned),
                budget: budget.clone(),
                spent: view.spent,
                reserved: view.reserved,
                window: view.window,
                opens_at: view.opens_at,
            })
        };
        let all = drafts(config, tenants);
        let of_draft = |draft: &Draft<'_>| {
            let budgets = draft.budgets.iter().zip(draft.accounts());
            budgets.filter_map(|it| view(draft, it)).collect::<Vec<_>>()
        };
        let mut views: Vec<BudgetView> = all.iter().flat_map(of_draft).collect();
        views.sort_by(|one, other| {
            let order = |it: &BudgetView| Rank::ALL.iter().position(|rank| *rank == it.payer);
            let key = |it: &BudgetView| (order(it), it.name.clone(), it.provider.clone());
            key(one).cmp(&key(other))
        });
        views
    }

    /// Charges the accounts that still count an attempt with another amount than it is charged now.
    pub(super) fn adjust(&self, entry: &Entry, amount: Nano) {
        let charged = Nano::new(u64::try_from(entry.charged).unwrap_or(0));
        for (number, start) in &entry.slots {
            let mut accounts = self.accounts.values();
            if let Some((account, _)) = accounts.find(|(_, it)| it == number) {
                account.adjust(*start, charged, amount);
            }
        }
    }

    /// Opens the accounts that are not open yet, with what they had spent.
    fn open(&mut self, drafts: &[Draft<'_>], now: i64) -> Result<(), NamesError> {
        let all = drafts.iter().flat_map(|draft| {
            let schedules = draft.budgets.iter().map(|budget| &budget.schedule);
            draft.accounts().into_iter().zip(schedules)
        });
        let new: Vec<(String, &Schedule)> = all
            .filter(|(name, _)| !self.accounts.contains_key(name))
            .collect();
        let names: Vec<&str> = new.iter().map(|(name, _)| &**name).collect();
        let numbers = self.numbers(Kind::Account, &names)?;
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, schedule), number) in new.into_iter().zip(numbers) {
            let account = Arc::new(Account::new(schedule, now));
            if let Some(balance) = self.balances.remove(&number) {
                for spent in &balance.windows {
                    account.restore(window(schedule, spent.start), spent.amount);
                }
            }
            turns.add(&account, schedule.clone());
            self.accounts.insert(name, (account, number));
        }
        Ok(())
    }

    /// A tier whose accounts are open.
    fn payee(&mut self, draft: &Draft<'_>) -> Payee {
        let accounts = draft.accounts();
        let charges = draft
            .budgets
            .iter()
            .zip(&accounts)
            .filter_map(|(budget, name)| {
                let (account, number) = self.accounts.get(name)?;
                Some(Charge {
                    account: Arc::clone(account),
                    limit: budget.limit,
                    hard: budget.hard,
                    number: *number,
                    length: budget.schedule.length,
                })
            });
        let charges = charges.collect();
        let limits = draft.allowance.map(|it| it.limits).unwrap_or_default();
        let pace = (limits != RateLimits::default()).then(|| {
            let pace = self.paces.entry(draft.owner()).or_default();
            pace::Tier {
                pace: Arc::clone(pace),
                limits,
            }
        });
        let list = |list: &Option<Vec<Pattern>>| list.as_ref().map(|it| it.clone().into());
        Payee {
            rank: draft.rank,
            name: draft.name.into(),
            provider: draft.provider.map(Into::into),
            charges,
            pace,
            models: draft.allowance.and_then(|it| list(&it.models)),
            providers: draft.allowance.and_then(|it| list(&it.providers)),
        }
    }

    /// Numbers of what each key belongs to.
    fn label(&self, tenants: &Tenants, teams: &Teams<'_>) -> Result<Vec<u32>, NamesError> {
        let text = |key: &VirtualKey| {
            let team = key.team.as_deref();
            let of_team = team.and_then(|name| teams.get(name)?.1);
            let tags = key.tags.iter().map(|(tag, value)| (&**tag, &**value));
            let tags: Vec<(&str, &str)> = tags.collect();
            let customer = key.customer.as_deref().or(of_team);
            Labels {
                customer,
                team,
                tags: &tags,
            }
            .text()
        };
        let texts: Vec<String> = tenants.keys.iter().map(text).collect();
        let wanted: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.numbers(Kind::Labels, &wanted)
    }
}

/// What a key belongs to, and under which numbers.
struct Belongs {
    team: Option<Arc<Payee>>,
    customer: Option<Arc<Payee>>,
    number: u32,
    labels: u32,
}

/// Teams by name, with the customer that each belongs to.
type Teams<'a> = HashMap<&'a str, (Arc<Payee>, Option<&'a str>)>;

/// The window of a schedule that began at an instant; of a rolling one, whose slices are told by their start alone, that instant.
fn window(schedule: &Schedule, start: i64) -> Window {
    match schedule.style {
        Style::Aligned(_) => schedule.window_at(start),
        Style::Rolling => Window {
            start,
            end: start + 1,
        },
    }
}

#[cfg(test)]
mod tests;
