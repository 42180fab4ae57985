//! How is an attempt paid for on every tier at once, or on none?
//!
//! Every budget of every tier that pays is a [`Charge`]; all reserve the same amount, tier by tier in the order given.
//! A first pass only reads, so that what cannot be afforded disturbs nobody; the second reserves one by one and gives back what it has when one refuses.
//! In between another attempt may see what is about to be given back, and be refused for it: never the other way round.
//! A stream that costs more than was thought reserves a second [`Hold`] beside its first.
//!
//! # Invariants
//! - Reserving and settling neither lock nor allocate.
//! - A refusal leaves every account as it was.
//! - A [`Hold`] is settled exactly once: told what was spent, or dropped.

use std::sync::Arc;

use crate::config::{Length, Nano};

use super::account::Account;
use super::word::Tag;

/// Budgets that one attempt may be charged to.
///
/// Five tiers (key, team, customer, the key at the provider, the provider) with two budgets each, and two to spare; it is what a hold has room for.
pub const MOST: usize = 12;

/// A budget that pays.
#[derive(Clone, Debug)]
pub struct Charge {
    /// What of it is spent.
    pub account: Arc<Account>,
    /// The most that may be spent of it.
    pub limit: Nano,
    /// Whether what exceeds it is refused; otherwise it is only counted.
    pub hard: bool,
    /// The account's number in the journal.
    pub number: u32,
    /// How long the budget's windows are, for messages.
    pub length: Length,
}

impl Charge {
    /// The limit that is enforced.
    const fn enforced(&self) -> Nano {
        if self.hard { self.limit } else { Nano::MAX }
    }

    fn refusal(&self, (tier, index): (usize, usize), amount: Nano) -> Refusal {
        Refusal::Spent {
            tier,
            index,
            left: self.account.left(self.limit),
            opens_at: self.account.opens_at(amount, self.limit),
        }
    }
}

/// Why an attempt is not paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A budget has too little left.
    #[error("budget {index} of tier {tier} has only {left} left")]
    Spent {
        /// Which of the tiers.
        tier: usize,
        /// Which of its charges.
        index: usize,
        /// What it has left.
        left: Nano,
        /// When the amount can be reserved, seconds since 1970; none if it exceeds the limit itself.
        opens_at: Option<i64>,
    },
    /// More than [`MOST`] budgets would have to pay.
    #[error("{0} budgets would have to pay for one request; at most {MOST} can")]
    TooMany(usize),
}

/// What is reserved for one attempt.
#[derive(Debug)]
#[must_use = "what is reserved is settled when it is dropped"]
pub struct Hold {
    held: [Option<(Arc<Account>, Tag)>; MOST],
    amount: Nano,
    untold: Nano,
}

/// Reserves `amount` on every charge of every tier, or on none.
///
/// # Errors
/// [`Refusal`] with the first charge that cannot pay.
pub fn reserve(tiers: &[&[Charge]], amount: Nano) -> Result<Hold, Refusal> {
    let count = tiers.iter().map(|charges| charges.len()).sum();
    if count > MOST {
        return Err(Refusal::TooMany(count));
    }
    for (place, charge) in each(tiers) {
        if !charge.account.affords(amount, charge.enforced()) {
            return Err(charge.refusal(place, amount));
        }
    }
    // Why: dropped before it is complete, it settles what it holds at nothing.
    let mut hold = Hold {
        held: [const { None }; MOST],
        amount,
        untold: Nano::ZERO,
    };
    for ((place, charge), held) in each(tiers).zip(&mut hold.held) {
        match charge.account.reserve(amount, charge.enforced()) {
            Ok(tag) => *held = Some((Arc::clone(&charge.account), tag)),
            Err(_) => return Err(charge.refusal(place, amount)),
        }
    }
    hold.untold = amount;
    Ok(hold)
}

/// Every charge, with its tier's place and its own in it.
pub(super) fn each<'a>(
    tiers: &'a [&'a [Charge]],
) -> impl Iterator<Item = ((usize, usize), &'a Charge)> {
    tiers.iter().enumerate().flat_map(|(tier, charges)| {
        let charges = charges.iter().enumerate();
        charges.map(move |(index, charge)| ((tier, index), charge))
    })
}

impl Hold {
    /// What is reserved.
    #[must_use]
    pub fn amount(&self) -> Nano {
        self.amount
    }

    /// The accounts that it is reserved on, in the order of their charges.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.held.iter().flatten().map(|(account, _)| &**account)
    }

    /// Sets what it is settled at when it is dropped untold: what is reserved, unless this is called.
    pub fn if_untold(&mut self, amount: Nano) {
        self.untold = amount;
    }

    /// Replaces what is reserved by what was spent.
    pub fn settle(mut self, actual: Nano) {
        self.untold = actual;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for (account, tag) in self.held.iter().flatten() {
            account.settle(*tag, self.amount, self.untold);
        }
    }
}

#[cfg(test)]
mod tests;
