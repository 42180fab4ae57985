//! Who is live, of those whom the file declares and those who were made?
//!
//! A pure function of both: the file goes first, and what was made must still stand among what is left.
//!
//! # Invariants
//! - Nobody is lost: whoever is not live is told, with the reason.
//! - A key whose team or customer is missing is there and refused, so that it is neither served without them nor turns asking for keys off.

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
    for kind in Kind::ALL {
        for name in names(&config.tenants, kind) {
            standings.push(Standing {
                kind,
                name,
                origin: Origin::File,
                state: State::Live,
            });
        }
        for (name, item) in made.all(kind) {
            let state = stands(config, &tenants, (kind, name), item);
            match (&state, &item.tenant, kind) {
                (State::Hidden(_), ..) => {}
                (State::Live, Some(tenant), _) => tenants.put(served(tenant, item)),
                (_, _, Kind::Key) => tenants.put(refused(name, item)),
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

/// Whether one that was made can be served among those who are there.
fn stands(config: &Config, tenants: &Tenants, (kind, name): (Kind, &str), item: &Item) -> State {
    if let Some(declared) = declared(&config.tenants, kind, name) {
        return State::Hidden(differing(&declared, &item.document));
    }
    let Some(tenant) = &item.tenant else {
        return State::Broken("what was said of it cannot be read: delete it".to_owned());
    };
    for (owner, owned) in item.owners().into_iter().flatten() {
        if !tenants.has(owner, owned) {
            let (kind, owner) = (kind.word(), owner.word());
            return State::Broken(format!(
                "its {owner} {owned:?} is neither declared nor made any more: give the {kind} another one"
            ));
        }
    }
    if let Tenant::Key(key) = tenant {
        let most = Tenants::MOST_PAYING;
        let worst = config
            .providers
            .iter()
            .map(|provider| (tenants.paying(key, provider), &provider.name))
            .max_by_key(|(paying, _)| *paying)
            .filter(|(paying, _)| *paying > most);
        if let Some((paying, provider)) = worst {
            return State::Broken(format!(
                "its requests to {provider:?} are paid by {paying} budgets, at most {most} can: remove some"
            ));
        }
    }
    State::Live
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
        tags: std::collections::BTreeMap::new(),
        log_content: false,
        allowance: Allowance::default(),
        providers: std::collections::BTreeMap::new(),
    }))
}

/// The names of a kind, in the order of the file.
pub(super) fn names(tenants: &Tenants, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Customer => tenants.customers.iter().map(|it| it.name.clone()).collect(),
        Kind::Team => tenants.teams.iter().map(|it| it.name.clone()).collect(),
        Kind::Key => tenants.keys.iter().map(|it| it.name.clone()).collect(),
    }
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
