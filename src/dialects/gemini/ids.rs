//! Which call does a response answer, where neither has an id?
//!
//! A function call often has no id: one is minted, and a response without one answers the first open call of its name.
//!
//! # Invariants
//! - Two calls of one answer never get the same minted id.

use std::fmt::Write as _;

/// Ids for calls that have none.
#[derive(Debug, Default)]
pub(super) struct Ids {
    prefix: String,
    minted: u32,
    /// Calls that no response has answered yet: name and id.
    open: Vec<(String, String)>,
}

/// Longest piece of a provider's id that goes into minted ones: OpenAI takes 40 characters in all.
const PREFIX_CHARS: usize = 24;

impl Ids {
    /// Ids that differ from those of any other answer, if the provider's id of the answer does.
    pub(super) fn of_answer(id: &str) -> Self {
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-';
        let mut prefix: String = id.chars().filter(plain).take(PREFIX_CHARS).collect();
        if !prefix.is_empty() {
            prefix.push('_');
        }
        Self {
            prefix,
            ..Self::default()
        }
    }

    /// The id of the next call.
    pub(super) fn call(&mut self, name: &str, given: Option<String>) -> String {
        let id = given.filter(|id| !id.is_empty()).unwrap_or_else(|| {
            let mut id = String::from("call_");
            // Writing into a string does not fail.
            let _ = write!(id, "{}{}", self.prefix, self.minted);
            id
        });
        self.minted = self.minted.saturating_add(1);
        self.open.push((name.to_owned(), id.clone()));
        id
    }

    /// The id of the call that a response answers.
    pub(super) fn answered(&mut self, name: &str, given: Option<String>) -> String {
        let given = given.filter(|id| !id.is_empty());
        let place = match &given {
            Some(id) => self.open.iter().position(|(_, open)| open == id),
            None => {
                let of_name = self.open.iter().position(|(open, _)| open == name);
                of_name.or_else(|| (!self.open.is_empty()).then_some(0))
            }
        };
        let open = place.map(|at| self.open.remove(at).1);
        given.or(open).unwrap_or_else(|| name.to_owned())
    }

    /// Forgets the calls that were not answered: a response belongs to the turn right before it.
    pub(super) fn forget_open(&mut self) {
        self.open.clear();
    }
}
