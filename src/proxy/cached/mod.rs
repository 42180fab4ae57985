//! Is a provider asked at all? Between a request's plan and its first attempt stands the response cache.
//!
//! `question` finds what is asked and for whom; `look` answers it from what is kept, or has it wait for the one that is under way;
//! `keeping` listens while the answer goes to the client, and keeps it if it is whole.
//!
//! # Invariants
//! - What is served was asked in the same scope: a key cannot be made without one.
//! - A request that the cache cannot understand goes to a provider as if there were no cache.
//! - A hit reserves nothing and costs nothing.

mod carried;
mod check;
mod controls;
mod keeping;
mod look;
mod question;
mod recall;
mod telling;

pub(super) use carried::Carried;
pub(super) use check::{Checks, run as run_checks};
pub(super) use keeping::Keeping;
pub(super) use look::{Look, look, wait};
pub(super) use telling::{Follow, Paced};

use serde_json::json;

use super::life::Life;
use crate::observe::metrics::Cached;

/// What the cache was to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    /// Nothing: it was not asked.
    #[default]
    Bypass,
    /// It had no answer.
    Miss,
    /// The same request was answered before.
    Hit,
    /// One that means the same was.
    Semantic,
    /// The same request was under way.
    Coalesced,
    /// What it was is not told: the answer is another key's, and telling would tell what that one asked.
    Untold,
}

impl Status {
    /// How it is counted; not at all where the cache was not asked.
    pub(super) const fn counted(self) -> Option<Cached> {
        Some(match self {
            Self::Bypass => return None,
            Self::Miss => Cached::Miss,
            Self::Hit | Self::Untold => Cached::Hit,
            Self::Semantic => Cached::Semantic,
            Self::Coalesced => Cached::Coalesced,
        })
    }

    /// The value of `x-cache-status`, if there is one.
    pub(super) const fn header(self) -> Option<&'static str> {
        Some(match self {
            Self::Bypass => "BYPASS",
            Self::Miss => "MISS",
            Self::Hit => "HIT",
            Self::Semantic => "SEMANTIC",
            Self::Coalesced => "COALESCED",
            Self::Untold => return None,
        })
    }
}

/// What the cache was to a request, for whoever asked to have it explained.
///
/// Of another key's answer nothing is told.
pub(super) fn explained(life: &Life) -> Option<String> {
    let told = life.cache.header()?;
    let (similarity, refused) = life.nearest.unzip();
    let explained = json!({
        "status": told,
        "entry": life.hit.map(|(entry, _)| crate::cache::name(entry)),
        "age_s": life.hit.map(|(_, age_s)| age_s),
        "similarity": similarity,
        "refused_by": refused.filter(|why| !why.is_empty()),
    });
    Some(explained.to_string())
}
