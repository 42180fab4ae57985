//! What was made, and how is one shown?
//!
//! # Invariants
//! - A [`Made`] never changes; a change makes another one.
//! - What is shown of a key has neither its secret nor its hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{Draft, Kind, Tenant, made};
use crate::store::{self, Kept};

use super::document::{self, Document};
use super::merge::Origin;

/// A customer, team or key that was made.
#[derive(Clone, Debug)]
pub struct Item {
    /// What its document means; none if it cannot be read any more.
    pub tenant: Option<Tenant>,
    /// What was said of it, defaults left out.
    pub document: Map<String, Value>,
    /// When it was made, µs since 1970.
    pub created: i64,
    /// When it was changed last, µs since 1970.
    pub changed: i64,
    /// Of a key: what its client presents.
    pub kept: Option<Kept>,
}

/// Everything that was made, by kind and name.
#[derive(Clone, Debug, Default)]
pub struct Made {
    items: BTreeMap<(Kind, String), Arc<Item>>,
}

/// A customer, team or key as it is shown, wherever it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What is said of it, defaults left out.
    pub document: Map<String, Value>,
    /// When it was made and when it was changed last, µs since 1970; none of what the file declares.
    pub times: Option<(i64, i64)>,
    /// Until when the secret before this one is taken, seconds since 1970.
    pub former_until: Option<i64>,
    /// When it was revoked, µs since 1970.
    pub revoked: Option<i64>,
    /// Whether it hides one that was made under its name.
    pub hides: bool,
    /// Why it is refused although nobody has said so.
    pub problem: Option<String>,
}

impl Item {
    /// The item of a row.
    pub(super) fn of(kind: Kind, row: &store::Made) -> Self {
        let document: Document = serde_json::from_str(&row.document).unwrap_or_default();
        let draft = Draft {
            kind,
            name: &row.name,
            document: &document,
        };
        let tenant = made(&draft, None).map_err(|problem| {
            let (kind, name) = (kind.word(), &row.name);
            tracing::error!(%problem, "{kind} {name:?} was made and cannot be read any more");
        });
        // Why: a document that is none at all must not pass for an empty one.
        let whole = serde_json::from_str::<Document>(&row.document).is_ok();
        let lost = kind == Kind::Key && row.kept.is_none();
        Self {
            tenant: tenant.ok().filter(|_| whole && !lost),
            document,
            created: row.created,
            changed: row.changed,
            kept: row.kept,
        }
    }

    /// The row of an item.
    pub(super) fn row(&self, kind: Kind, name: &str) -> store::Made {
        store::Made {
            kind: kind.word().to_owned(),
            name: name.to_owned(),
            document: Value::from(self.document.clone()).to_string(),
            created: self.created,
            changed: self.changed,
            kept: self.kept,
        }
    }

    /// How the audit log has it.
    pub(super) fn audited(&self) -> String {
        let mut shown = self.document.clone();
        if let Some(kept) = &self.kept {
            let until = kept.former.map(|(_, until)| document::instant(until));
            let revoked = kept.revoked.map(|at| document::instant(at / 1_000_000));
            shown.extend(until.map(|until| ("former_until".to_owned(), until.into())));
            shown.extend(revoked.map(|at| ("revoked_at".to_owned(), at.into())));
        }
        Value::from(shown).to_string()
    }

    /// How it is shown.
    pub(super) fn found(&self, kind: Kind, name: &str) -> Found {
        let kept = self.kept.as_ref();
        Found {
            kind,
            name: name.to_owned(),
            origin: Origin::Api,
            document: self.document.clone(),
            times: Some((self.created, self.changed)),
            former_until: kept.and_then(|kept| kept.former).map(|(_, until)| until),
            revoked: kept.and_then(|kept| kept.revoked),
            hides: false,
            problem: None,
        }
    }

    /// The team and the customer that it belongs to, by name.
    pub(super) fn owners(&self) -> [Option<(Kind, &str)>; 2] {
        let (team, customer) = match &self.tenant {
            Some(Tenant::Team(it)) => (None, it.customer.as_deref()),
            Some(Tenant::Key(it)) => (it.team.as_deref(), it.customer.as_deref()),
            _ => (None, None),
        };
        [
            team.map(|name| (Kind::Team, name)),
            customer.map(|name| (Kind::Customer, name)),
        ]
    }
}

impl Made {
    /// What rows hold.
    pub(super) fn of(rows: &[store::Made]) -> Self {
        let known = |row: &store::Made| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == row.kind)?;
            Some(((kind, row.name.clone()), Arc::new(Item::of(kind, row))))
        };
        Self {
            items: rows.iter().filter_map(known).collect(),
        }
    }

    /// The one of this kind and name.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Arc<Item>> {
        self.items.get(&(kind, name.to_owned()))
    }

    /// All of a kind, by name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = (&str, &Arc<Item>)> {
        let of_kind = self.items.iter().filter(move |((it, _), _)| *it == kind);
        of_kind.map(|((_, name), item)| (name.as_str(), item))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Those that belong to one, directly or not: teams before keys.
    pub(super) fn belonging_to(&self, kind: Kind, name: &str) -> Vec<(Kind, String)> {
        let directly = |kind: Kind, name: &str| {
            let of = self.items.iter().filter(move |(_, item)| {
                let mut owners = item.owners().into_iter().flatten();
                owners.any(|owner| owner == (kind, name))
            });
            let names: Vec<(Kind, String)> = of.map(|(key, _)| key.clone()).collect();
            names
        };
        let mut found = directly(kind, name);
        let teams: Vec<String> = found
            .iter()
            .filter(|(kind, _)| *kind == Kind::Team)
            .map(|(_, name)| name.clone())
            .collect();
        for team in teams {
            found.extend(directly(Kind::Team, &team));
        }
        found.sort();
        found.dedup();
        found
    }

    /// With one more, or another in its place, or without it.
    pub(super) fn with(&mut self, kind: Kind, name: &str, item: Option<Arc<Item>>) {
        let key = (kind, name.to_owned());
        match item {
            Some(item) => drop(self.items.insert(key, item)),
            None => drop(self.items.remove(&key)),
        }
    }
}
