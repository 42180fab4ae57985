//! Who may ask, for what, and who pays?
//!
//! Customers, teams and virtual keys as declared, in the file or over the admin API; [`governance`](crate) enforces them.
//! References are names, since a key may be made while the file stays as it is.
//!
//! # Invariants
//! - Names are unique within customers, teams and keys.
//! - A key belongs to a team or to a customer or to neither, never to both.

use std::collections::BTreeMap;

use super::money::Nano;
use super::period::Schedule;
use super::routes::Provider;
use super::secret::Secret;

/// Everybody who may ask and everything that holds for them.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    /// Customers.
    pub customers: Vec<Customer>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Virtual keys.
    pub keys: Vec<VirtualKey>,
}

/// What a tenant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Who is billed.
    Customer,
    /// Keys that share an allowance.
    Team,
    /// The credential that a client holds.
    Key,
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Tenant {
    /// Who is billed.
    Customer(Customer),
    /// Keys that share an allowance.
    Team(Team),
    /// The credential that a client holds.
    Key(Box<VirtualKey>),
}

/// Who is billed.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Its name.
    pub name: String,
    /// What it may use and spend.
    pub allowance: Allowance,
}

/// Keys that share an allowance.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// The customer that it belongs to, by name.
    pub customer: Option<String>,
    /// What it may use and spend.
    pub allowance: Allowance,
}

/// The credential that a client holds.
#[derive(Clone, Debug)]
pub struct VirtualKey {
    /// Its name; never the secret.
    pub name: String,
    /// The team that it belongs to, by name.
    pub team: Option<String>,
    /// The customer that it belongs to directly, by name.
    pub customer: Option<String>,
    /// What the client presents.
    pub credential: Credential,
    /// What it presented before, while that is still taken; none in the file.
    pub former: Option<Former>,
    /// From when on it is refused, seconds since 1970.
    pub expires: Option<i64>,
    /// Whether it is switched off.
    pub disabled: bool,
    /// What its costs are attributed to.
    pub tags: BTreeMap<String, String>,
    /// Whether what it sends may be logged, where logging of content is on.
    pub log_content: bool,
    /// What it may use and spend.
    pub allowance: Allowance,
    /// What it may use and spend at single providers, by the provider's name.
    pub providers: BTreeMap<String, Allowance>,
}

/// What a client presents, as it is known here.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The secret itself, as an operator writes it into the file's environment.
    Plain(Secret),
    /// A keyed hash of it, as keys are kept that were made here.
    Hash([u8; 32]),
}

/// A credential that was replaced and is taken for a while longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its keyed hash.
    pub hash: [u8; 32],
    /// From when on it is refused, seconds since 1970.
    pub until: i64,
}

/// What a tier may use and spend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowance {
    /// What it may spend; all of them hold.
    pub budgets: Vec<Budget>,
    /// How fast it may ask.
    pub limits: RateLimits,
    /// Which models it may ask for; none allows what the tier above allows.
    pub models: Option<Vec<Pattern>>,
    /// Which providers may serve it; none allows what the tier above allows.
    pub providers: Option<Vec<Pattern>>,
}

/// What may be spent in a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The most that may be spent.
    pub limit: Nano,
    /// In which stretch of time.
    pub schedule: Schedule,
    /// Whether what exceeds it is refused; otherwise it is only told.
    pub hard: bool,
}

impl Tenants {
    /// Most budgets of one tier: more than a day, a week, a month and a year say nothing new.
    pub const MOST_BUDGETS: usize = 4;

    /// Most budgets that pay for one request, over all tiers: what one reservation holds.
    pub const MOST_PAYING: usize = 12;

    /// Whether there is one of this kind and name.
    #[must_use]
    pub fn has(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Customer => self.customers.iter().any(|it| it.name == name),
            Kind::Team => self.teams.iter().any(|it| it.name == name),
            Kind::Key => self.keys.iter().any(|it| it.name == name),
        }
    }

    /// Adds a tenant, in the place of the one of its kind and name if there is one.
    pub fn put(&mut self, tenant: Tenant) {
        fn place<T>(all: &mut Vec<T>, it: T, is_same: impl Fn(&T, &T) -> bool) {
            match all.iter_mut().find(|known| is_same(known, &it)) {
                Some(known) => *known = it,
                None => all.push(it),
            }
        }
        match tenant {
            Tenant::Customer(it) => place(&mut self.customers, it, |a, b| a.name == b.name),
            Tenant::Team(it) => place(&mut self.teams, it, |a, b| a.name == b.name),
            Tenant::Key(it) => place(&mut self.keys, *it, |a, b| a.name == b.name),
        }
    }

    /// How many budgets pay for a request of this key to this provider: those of the key, of the key there, of its team and customer, and of the provider.
    #[must_use]
    pub fn paying(&self, key: &VirtualKey, provider: &Provider) -> usize {
        let team = key.team.as_deref();
        let team = team.and_then(|name| self.teams.iter().find(|team| team.name == name));
        let customer = key
            .customer
            .as_deref()
            .or_else(|| team?.customer.as_deref());
        let customer = customer.and_then(|name| self.customers.iter().find(|it| it.name == name));
        let allowances = [
            team.map(|team| &team.allowance),
            customer.map(|customer| &customer.allowance),
        ];
        let above = allowances.into_iter().flatten();
        let above = above.map(|allowance| allowance.budgets.len()).sum();
        key.paying(above, provider)
    }
}

impl Kind {
    /// All of them, from who is billed to who asks.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Team, Self::Key];

    /// The word for one.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Team => "team",
            Self::Key => "key",
        }
    }

    /// The table that holds them.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Team => "teams",
            Self::Key => "keys",
        }
    }
}

impl Tenant {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Customer(it) => &it.name,
            Self::Team(it) => &it.name,
            Self::Key(it) => &it.name,
        }
    }
}

impl VirtualKey {
    /// Shortest secret, bytes: anything shorter can be guessed.
    pub const SHORTEST_SECRET: usize = 16;

    /// Longest secret, bytes: tokens of other systems are up to a few hundred.
    pub const LONGEST_SECRET: usize = 1_024;

    /// Most tags: each is a column of a bill.
    pub const MOST_TAGS: usize = 16;

    /// Longest name or value of a tag, characters.
    pub const LONGEST_TAG: usize = 64;

    /// How many budgets pay for its requests to this provider, where so many of its team and customer do.
    #[must_use]
    pub fn paying(&self, above: usize, provider: &Provider) -> usize {
        let there = self.providers.get(&provider.name);
        let there = there.map_or(0, |allowance| allowance.budgets.len());
        self.allowance.budgets.len() + there + above + provider.budgets.len()
    }
}

impl Budget {
    /// Smallest limit, dollars: a token of a cheap model.
    pub const LEAST: f64 = 1e-6;

    /// Largest limit, dollars: below [`Nano::MAX`].
    pub const MOST: f64 = 4_500_000.0;
}

/// How fast a tier may ask; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests in a minute; at least 1.
    pub requests_per_minute: Option<u32>,
    /// Input tokens in a minute; at least 1.
    pub input_tokens_per_minute: Option<u32>,
    /// Output tokens in a minute; at least 1.
    pub output_tokens_per_minute: Option<u32>,
    /// Requests at once; at least 1.
    pub concurrency: Option<u32>,
}

/// A name in which `*` stands for any text, the empty one included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The pattern as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether a name matches, in time linear in both for each `*`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "gpt-", true),
            ("*", "", true),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "mini", false),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
