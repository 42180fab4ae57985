//! How is one made, changed and deleted?
//!
//! # Invariants
//! - What the file declares is refused, with the words where it stands.
//! - Nobody is left belonging to one that is gone.

use std::sync::Arc;

use rand::rngs::StdRng;
use serde_json::{Map, Value};

use crate::config::{Among, Draft, Kind, Secret, Tenant, made};

use super::desk::{Asked, Office, Step, is_declared};
use super::document;
use super::item::{Found, Item};
use super::refusal::OfficeError;

/// Most that can be made: each change looks at all of them, off the path; whoever needs more needs a directory.
const MOST: usize = 100_000;

/// What goes with one that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nobody: it is refused while others belong to it.
    Alone,
    /// Whoever belongs to it.
    Cascade,
    /// The one that the file's hides; nobody belongs to it.
    Hidden,
}

impl Office {
    /// Makes one; tells the secret of a key, this once.
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn create(
        &self,
        asked: &Asked<'_>,
        draft: &Draft<'_>,
    ) -> Result<(Found, Option<Secret>), OfficeError> {
        let mut rng = self.turn();
        let (kind, name) = (draft.kind, draft.name);
        let own = || name.to_owned();
        if is_declared(asked.config, kind, name) {
            return Err(OfficeError::Declared { kind, name: own() });
        }
        let known = self.made();
        if known.get(kind, name).is_some() {
            return Err(OfficeError::Exists { kind, name: own() });
        }
        if known.len() >= MOST {
            return Err(OfficeError::Full(MOST));
        }
        let tenant = self.checked(asked, draft)?;
        let (secret, kept) = match kind {
            Kind::Key => {
                let (secret, kept) = self.credential(&mut rng);
                (Some(secret), Some(kept))
            }
            Kind::Customer | Kind::Team => (None, None),
        };
        let item = Arc::new(Item {
            document: document::tenant(&tenant),
            tenant: Some(tenant),
            created: asked.at,
            changed: asked.at,
            kept,
        });
        let found = item.found(kind, name);
        self.commit_one(asked, (kind, name), "created", (None, Some(item)))?;
        Ok((found, secret))
    }

    /// Says anew all that is said of one; a key keeps its secret.
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn replace(&self, asked: &Asked<'_>, draft: &Draft<'_>) -> Result<Found, OfficeError> {
        let turn = self.turn();
        let before = self.own(asked, draft.kind, draft.name)?;
        self.become_other(asked, draft, (before, turn))
    }

    /// Says some of it anew: keys that are written take the place of the old ones, and null removes one (a JSON merge patch).
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn amend(&self, asked: &Asked<'_>, patch: &Draft<'_>) -> Result<Found, OfficeError> {
        let turn = self.turn();
        let before = self.own(asked, patch.kind, patch.name)?;
        let mut document = Value::from(before.document.clone());
        merge_patch(&mut document, &Value::from(patch.document.clone()));
        let document = match document {
            Value::Object(document) => document,
            _ => Map::new(),
        };
        let draft = Draft {
            document: &document,
            ..*patch
        };
        self.become_other(asked, &draft, (before, turn))
    }

    /// Deletes one.
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn delete(
        &self,
        asked: &Asked<'_>,
        (kind, name): (Kind, &str),
        removal: Removal,
    ) -> Result<(), OfficeError> {
        let _turn = self.turn();
        let made = self.made();
        let hidden = is_declared(asked.config, kind, name);
        let item = match removal {
            Removal::Hidden if hidden => made.get(kind, name).cloned(),
            Removal::Hidden => None,
            Removal::Alone | Removal::Cascade => Some(self.own(asked, kind, name)?),
        };
        let own = || name.to_owned();
        let before = item.ok_or_else(|| OfficeError::Unknown { kind, name: own() })?;
        let others = match removal {
            // Why: they belong to the file's.
            Removal::Hidden => Vec::new(),
            Removal::Alone | Removal::Cascade => made.belonging_to(kind, name),
        };
        if removal == Removal::Alone && !others.is_empty() {
            let name = own();
            return Err(OfficeError::InUse { kind, name, others });
        }
        let step = |kind, name, before| Step {
            kind,
            name,
            verb: "deleted",
            before,
            after: None,
        };
        let mut steps: Vec<Step> = others
            .into_iter()
            .map(|(kind, name)| {
                let before = made.get(kind, &name).cloned();
                step(kind, name, before)
            })
            .collect();
        steps.reverse();
        steps.push(step(kind, own(), Some(before)));
        self.commit(asked, steps)
    }

    /// The one that was made under this name, if it may be changed.
    pub(super) fn own(
        &self,
        asked: &Asked<'_>,
        kind: Kind,
        name: &str,
    ) -> Result<Arc<Item>, OfficeError> {
        let own = || name.to_owned();
        if is_declared(asked.config, kind, name) {
            return Err(OfficeError::Declared { kind, name: own() });
        }
        let made = self.made();
        let item = made.get(kind, name).cloned();
        item.ok_or_else(|| OfficeError::Unknown { kind, name: own() })
    }

    /// Commits one step.
    pub(super) fn commit_one(
        &self,
        asked: &Asked<'_>,
        (kind, name): (Kind, &str),
        verb: &'static str,
        (before, after): (Option<Arc<Item>>, Option<Arc<Item>>),
    ) -> Result<(), OfficeError> {
        let step = Step {
            kind,
            name: name.to_owned(),
            verb,
            before,
            after,
        };
        self.commit(asked, vec![step])
    }

    /// Changes one into what the draft says; the turn is held until that is done.
    fn become_other(
        &self,
        asked: &Asked<'_>,
        draft: &Draft<'_>,
        (before, _turn): (Arc<Item>, std::sync::MutexGuard<'_, StdRng>),
    ) -> Result<Found, OfficeError> {
        let (kind, name) = (draft.kind, draft.name);
        if before.kept.is_some_and(|kept| kept.revoked.is_some()) {
            return Err(OfficeError::Revoked(name.to_owned()));
        }
        let tenant = self.checked(asked, draft)?;
        let item = Arc::new(Item {
            document: document::tenant(&tenant),
            tenant: Some(tenant),
            created: before.created,
            changed: asked.at,
            kept: before.kept,
        });
        let found = item.found(kind, name);
        let both = (Some(before), Some(item));
        self.commit_one(asked, (kind, name), "changed", both)?;
        Ok(found)
    }

    /// Checks a draft among everybody who is live.
    fn checked(&self, asked: &Asked<'_>, draft: &Draft<'_>) -> Result<Tenant, OfficeError> {
        if draft.kind == Kind::Key && draft.document.contains_key("secret") {
            return Err(OfficeError::Secret);
        }
        let tenants = self.tenants(asked.config);
        let among = Among {
            config: asked.config,
            tenants: &tenants,
        };
        Ok(made(draft, Some(among))?)
    }
}

/// Applies a patch as RFC 7396 says.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge_patch(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
