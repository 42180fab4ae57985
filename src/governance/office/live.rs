//! What is spent and reserved at this moment?
//!
//! The accounts know; the office asks them through [`Live`], so that it can be built and tested without them.
//!
//! # Invariants
//! - What is told is a reading, and may be a moment old.

use std::fmt::Debug;

use crate::config::{Budget, Nano, Window};
use crate::governance::Rank;
use crate::store::Entry;

/// A budget and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetView {
    /// Whose it is.
    pub payer: Rank,
    /// Its name: of the customer, team, key or provider.
    pub name: String,
    /// Where it holds: the provider of a key's budget there.
    pub provider: Option<String>,
    /// Limit, period and force, as configured.
    pub budget: Budget,
    /// What is spent in the window, what is in doubt included.
    pub spent: Nano,
    /// What is in flight.
    pub reserved: Nano,
    /// The window.
    pub window: Window,
    /// When something is free again, seconds since 1970; none while something is.
    pub opens_at: Option<i64>,
}

/// Why an entry was not corrected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the correction could not be written to the ledger: {0}")]
pub struct NotAdjusted(pub String);

/// The accounts of a running gateway.
pub trait Live: Debug + Send + Sync {
    /// How every budget stands, in the order of tiers and names.
    fn budgets(&self) -> Vec<BudgetView>;

    /// Charges an attempt with what an operator says that it cost, in place of what it is charged now; `at` in µs since 1970.
    ///
    /// # Errors
    /// [`NotAdjusted`]; nothing has changed then.
    fn adjust(&self, entry: &Entry, amount: Nano, at: i64) -> Result<(), NotAdjusted>;
}
