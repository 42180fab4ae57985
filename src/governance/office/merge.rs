//! Who is live, of those whom the file declares and those who were made?
//!
//! A pure function of both: the file goes first, and what was made must still stand among what is left.
//!
//! # Invariants
//! - Nobody is lost: whoever is not live is told, with the reason.
//! - A key whose team or customer is missing is there and refused, so that it is neither served without them nor turns asking for keys off.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::config::{Allowance, Config, Credential, Former, Kind, Tenant, Tenants, VirtualKey};

use super::document;
use super::item::{Item, Made};

/// Where somebody comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File,
    /// The admin API.
    Api,
}

/// Whether somebody is served as said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As said.
    Live,
    /// The file declares the same name, which goes before it; these keys of the two differ.
    Hidden(Vec<String>),
    /// It is refused, for this reason.
    Broken(String),
}

/// How somebody stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it is served as said.
    pub state: State,
}

/// Who is live, and how everybody stands.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Who is live, in the order of the file and then by name.
    pub tenants: Tenants,
    /// How everybody stands, by kind.
    pub standings: Vec<Standing>,
}

impl Origin {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
        }
    }
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Hidden(_) => "hidden",
            Self::Broken(_) => "broken",
        }
    }
}

/// Merges what the file declares with what was made.
#[must_use]
pub fn merge(config: &Config, made: &Made) -> Merged {
    let mut tenants = config.tenants.clone();
    let mut standings = Vec::new();
    let mut here = Here::default();
    for kind in Kind::ALL {
        for (name, count) in budgets(&config.tenants, kind) {
            let owner = owner(&config.tenants, kind, &name);
            here.add(kind, &name, count, owner);
            standings.push(Standing {
                kind,
                name,
                origin: Origin::File,
                state: State::Live,
            });
        }
        for (name, item) in made.all(kind) {
            let state = here.stands(config, (kind, name), item);
            match (&state, &item.tenant, kind) {
                (State::Hidden(_), ..) => {}
                (State::Live, Some(tenant), _) => {
                    here.live(tenant);
                    push(&mut tenants, served(tenant, item));
                }
                (_, _, Kind::Key) => push(&mut tenants, refused(name, item)),
                _ => {}
            }
            standings.push(Standing {
                kind,
                name: name.to_owned(),
                origin: Origin::Api,
                state,
            });
        }
    }
    Merged { tenants, standings }
}

/// Who is live so far, for look-ups while others are looked at.
#[derive(Default)]
struct Here {
    /// How many budgets of a customer, or of a team and its customer, pay.
    above: HashMap<(Kind, String), usize>,
    /// Names that the file declares.
    declared: HashSet<(Kind, String)>,
}

impl Here {
    /// Takes note of one that the file declares.
    fn add(&mut self, kind: Kind, name: &str, budgets: usize, customer: Option<&str>) {
        self.declared.insert((kind, name.to_owned()));
        self.note(kind, name, budgets, customer);
    }

    /// Takes note of one that was made.
    fn live(&mut self, tenant: &Tenant) {
        match tenant {
            Tenant::Customer(it) => {
                self.note(Kind::Customer, &it.name, it.allowance.budgets.len(), None);
            }
            Tenant::Team(it) => {
                let (budgets, customer) = (it.allowance.budgets.len(), it.customer.as_deref());
                self.note(Kind::Team, &it.name, budgets, customer);
            }
            Tenant::Key(_) => {}
        }
    }

    fn note(&mut self, kind: Kind, name: &str, budgets: usize, customer: Option<&str>) {
        let customer = customer.map(|name| (Kind::Customer, name.to_owned()));
        let above = customer.and_then(|it| self.above.get(&it).copied());
        let above = budgets + above.unwrap_or(0);
        self.above.insert((kind, name.to_owned()), above);
    }

    /// Whether one that was made can be served among those who are here.
    fn stands(&self, config: &Config, (kind, name): (Kind, &str), item: &Item) -> State {
        if self.declared.contains(&(kind, name.to_owned())) {
            let declared = declared(&config.tenants, kind, name).unwrap_or_default();
            return State::Hidden(differing(&declared, &item.document));
        }
        let Some(tenant) = &item.tenant else {
            return State::Broken("what was said of it cannot be read: delete it".to_owned());
        };
        let mut paying_above = 0;
        for (owner, owned) in item.owners().into_iter().flatten() {
            let Some(above) = self.above.get(&(owner, owned.to_owned())) else {
                let (kind, owner) = (kind.word(), owner.word());
                return State::Broken(format!(
                    "its {owner} {owned:?} is neither declared nor made any more: give the {kind} another one"
                ));
            };
            paying_above += above;
        }
        let Tenant::Key(key) = tenant else {
            return State::Live;
        };
        let most = Tenants::MOST_PAYING;
        let each = config.providers.iter();
        let each = each.map(|provider| (key.paying(paying_above, provider), &provider.name));
        match each.max_by_key(|(paying, _)| *paying) {
            Some((paying, provider)) if paying > most => State::Broken(format!(
                "its requests to {provider:?} are paid by {paying} budgets, at most {most} can: remove some"
            )),
            _ => State::Live,
        }
    }
}

/// Adds one of whose name there is none.
fn push(tenants: &mut Tenants, tenant: Tenant) {
    match tenant {
        Tenant::Customer(it) => tenants.customers.push(it),
        Tenant::Team(it) => tenants.teams.push(it),
        Tenant::Key(it) => tenants.keys.push(*it),
    }
}

/// A tenant with what is kept of its credentials.
fn served(tenant: &Tenant, item: &Item) -> Tenant {
    let mut tenant = tenant.clone();
    if let (Tenant::Key(key), Some(kept)) = (&mut tenant, &item.kept) {
        key.credential = Credential::Hash(kept.digest);
        key.former = kept.former.map(|(hash, until)| Former { hash, until });
        key.disabled |= kept.revoked.is_some();
    }
    tenant
}

/// A key that is known and refused.
fn refused(name: &str, item: &Item) -> Tenant {
    // Why: without a hash nothing matches it, since no credential hashes to zeros.
    let digest = item.kept.map_or([0; 32], |kept| kept.digest);
    Tenant::Key(Box::new(VirtualKey {
        name: name.to_owned(),
        team: None,
        customer: None,
        credential: Credential::Hash(digest),
        former: None,
        expires: None,
        disabled: true,
        tags: BTreeMap::new(),
        log_content: false,
        allowance: Allowance::default(),
        providers: BTreeMap::new(),
    }))
}

/// The names of a kind with how many budgets each has, in the order of the file.
fn budgets(tenants: &Tenants, kind: Kind) -> Vec<(String, usize)> {
    let count = |name: &String, allowance: &Allowance| (name.clone(), allowance.budgets.len());
    match kind {
        Kind::Customer => {
            let all = tenants.customers.iter();
            all.map(|it| count(&it.name, &it.allowance)).collect()
        }
        Kind::Team => {
            let all = tenants.teams.iter();
            all.map(|it| count(&it.name, &it.allowance)).collect()
        }
        Kind::Key => {
            let all = tenants.keys.iter();
            all.map(|it| count(&it.name, &it.allowance)).collect()
        }
    }
}

/// The customer that a declared team belongs to.
fn owner<'t>(tenants: &'t Tenants, kind: Kind, name: &str) -> Option<&'t str> {
    if kind != Kind::Team {
        return None;
    }
    let team = tenants.teams.iter().find(|team| team.name == name)?;
    team.customer.as_deref()
}

/// The document of one who is declared.
pub(super) fn declared(tenants: &Tenants, kind: Kind, name: &str) -> Option<Map<String, Value>> {
    match kind {
        Kind::Customer => {
            let mut all = tenants.customers.iter();
            all.find(|it| it.name == name).map(document::customer)
        }
        Kind::Team => {
            let mut all = tenants.teams.iter();
            all.find(|it| it.name == name).map(document::team)
        }
        Kind::Key => {
            let mut all = tenants.keys.iter();
            all.find(|it| it.name == name).map(document::key)
        }
    }
}

/// The keys that differ between two documents, in the order of the alphabet.
fn differing(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut keys: Vec<String> = one.keys().chain(other.keys()).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| one.get(key) != other.get(key));
    keys
}
