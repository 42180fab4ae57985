//! Whose is this credential?
//!
//! An immutable table of all virtual keys by the keyed hash of what their clients present; a change of any key makes another table.
//!
//! # Invariants
//! - A look-up costs the same with ten keys and with a hundred thousand.
//! - Nothing shorter than the whole credential is compared, and nobody can choose the hash that it is looked up by.

use std::collections::HashMap;
use std::sync::Arc;

use super::credential::{self, Digest, Form, Pepper};
use super::payee::{Member, Payee};

/// Everybody who may ask.
#[derive(Debug, Default)]
pub struct Roster {
    pub(super) members: HashMap<Digest, Arc<Member>>,
    /// What everybody together may spend at each provider, by its name.
    pub(super) providers: HashMap<Box<str>, Arc<Payee>>,
    /// Whether every request needs a key.
    pub(super) required: bool,
}

/// Who presents a credential.
#[derive(Clone, Debug)]
pub enum Presented {
    /// A key that may be used.
    Member(Arc<Member>),
    /// A key that is known, and has expired, was switched off or revoked.
    Fallen,
    /// One of ours by its looks that nobody has, or none that can be looked up.
    Unknown,
    /// A text of another system's.
    Foreign,
}

impl Roster {
    /// Whether every request needs a key.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What everybody together may spend at a provider.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Payee>> {
        self.providers.get(name)
    }

    /// Every key.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.values()
    }

    /// Every provider with a tier of its own.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Payee>> {
        self.providers.values()
    }

    /// Lets the keys stand that are in it, and those fall that were in the roster before it and are not.
    pub(super) fn take_over(&self, before: &Self) {
        for (digest, member) in &before.members {
            if !self.members.contains_key(digest) {
                member.standing.fall();
            }
        }
        for member in self.members.values() {
            if member.disabled {
                member.standing.fall();
            } else {
                member.standing.rise(member.expires);
            }
        }
    }

    /// Looks up who presents `credential` at an instant, seconds since 1970.
    #[must_use]
    pub fn look_up(&self, pepper: &Pepper, credential: &[u8], unix_seconds: i64) -> Presented {
        let form = credential::form(credential);
        if form == Form::Broken {
            return Presented::Unknown;
        }
        match self.members.get(&pepper.digest(credential)) {
            Some(member) if member.is_valid(unix_seconds) => Presented::Member(Arc::clone(member)),
            Some(_) => Presented::Fallen,
            None if form == Form::Ours => Presented::Unknown,
            None => Presented::Foreign,
        }
    }
}
