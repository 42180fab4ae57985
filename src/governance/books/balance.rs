//! With what does an account begin after a restart?
//!
//! # Invariants
//! - What is open or in doubt counts as spent.
//! - An amount below zero, which only corrections make, is zero.

use crate::config::Nano;
use crate::store::{Database, StoreError};

/// Slices that a rolling budget's length is cut into.
pub const SLICES: usize = 32;

/// What an account has spent in its latest windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The account's number.
    pub account: u32,
    /// Its windows, or the slices of a rolling one, by their start.
    pub windows: Vec<Spent>,
}

/// What was spent in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The window's first second since 1970.
    pub start: i64,
    /// The first second after it, if the account said so.
    pub end: Option<i64>,
    /// What was spent, what is in doubt included.
    pub amount: Nano,
}

impl Balance {
    /// What was spent in the window that begins at a second since 1970.
    #[must_use]
    pub fn spent_from(&self, start: i64) -> Nano {
        let window = self.windows.iter().find(|window| window.start == start);
        window.map_or(Nano::ZERO, |window| window.amount)
    }

    /// What was spent in each of the slices of a stretch, seconds since 1970 and seconds; what began outside of it is left out.
    #[must_use]
    pub fn slices(&self, from: i64, length: i64) -> [Nano; SLICES] {
        let mut slices = [Nano::ZERO; SLICES];
        let length = length.max(1);
        for window in &self.windows {
            let into = window.start.saturating_sub(from);
            if (0..length).contains(&into) {
                let slice = i128::from(into) * SLICES as i128 / i128::from(length);
                let slice = usize::try_from(slice).unwrap_or(0).min(SLICES - 1);
                slices[slice] = slices[slice].plus(window.amount);
            }
        }
        slices
    }
}

/// Every account's balance, by number.
///
/// # Errors
/// If the database cannot be read.
pub fn balances(database: &Database) -> Result<Vec<Balance>, StoreError> {
    let mut balances: Vec<Balance> = Vec::new();
    for total in database.totals()? {
        let spent = Spent {
            start: total.start,
            end: total.end,
            amount: Nano::new(u64::try_from(total.charged).unwrap_or(0)),
        };
        match balances.last_mut() {
            Some(last) if last.account == total.account => last.windows.push(spent),
            _ => balances.push(Balance {
                account: total.account,
                windows: vec![spent],
            }),
        }
    }
    Ok(balances)
}
