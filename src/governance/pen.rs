//! How is an attempt paid for, on the accounts and on paper?
//!
//! One pen a worker: it reserves on every tier, writes that down before the request leaves, and writes what it did cost when the attempt has ended.
//! Where the disk fails, nothing that a hard budget pays for is sent; what must still be written is kept and written when the disk works again.
//!
//! # Invariants
//! - What a hard budget pays for is on disk before it is sent.
//! - A settlement that could not be written is written later, once; up to [`MOST_OWED`] wait, and what is beyond stays charged as reserved.
//! - While the disk works, reserving and settling neither lock nor allocate.

use std::collections::VecDeque;

use crate::config::Nano;
use crate::store::Entry;

use super::books;
use super::chain::{self, Charge, Hold, Refusal};
use super::journal::{Flags, JournalError, Parties, Reserve, Settle, Slot, Slots, Tokens, Writer};

/// Settlements that wait for the disk at most, 16 MiB of them: far more than can be in flight when it fails.
const MOST_OWED: usize = 1 << 16;

/// Top-ups of one attempt that are held at once, at most; further ones are refused.
const MOST_MORE: usize = 1 << 10;

/// A worker's end of the ledger.
#[derive(Debug)]
pub struct Pen {
    writer: Writer,
    /// Random, so that ids of different workers and starts differ.
    prefix: u64,
    next: u64,
    owed: VecDeque<Settle>,
    lost: u64,
}

/// What an attempt is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Who asks for what.
    pub parties: Parties,
    /// Number of the request.
    pub request: u64,
    /// Version of the prices.
    pub price: u32,
    /// When, µs since 1970.
    pub at: i64,
}

/// What an attempt did cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How much.
    pub amount: Nano,
    /// What was used.
    pub tokens: Tokens,
    /// How it ended.
    pub flags: Flags,
    /// When, µs since 1970.
    pub at: i64,
}

/// What is reserved for one attempt and written down.
///
/// Dropped unsettled, it stays charged as reserved, as it does on disk.
#[derive(Debug)]
#[must_use = "it stays charged as reserved unless it is settled"]
pub struct Bill {
    hold: Hold,
    /// What was reserved besides, while the attempt went on.
    more: Vec<Hold>,
    id: u128,
    asked: Asked,
    slots: Slots,
}

/// Why an attempt is not paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpaid {
    /// A budget cannot pay.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be written down, and a hard budget would have paid.
    #[error(transparent)]
    Unwritten(#[from] JournalError),
}

impl Bill {
    /// What is reserved in all.
    #[must_use]
    pub fn reserved(&self) -> Nano {
        let more = self.more.iter().map(Hold::amount);
        more.fold(self.hold.amount(), Nano::plus)
    }
}

impl Pen {
    /// A pen whose ids begin with `prefix`, which no other pen has ever had.
    #[must_use]
    pub const fn new(writer: Writer, prefix: u64) -> Self {
        Self {
            writer,
            prefix,
            next: 0,
            owed: VecDeque::new(),
            lost: 0,
        }
    }

    /// Reserves what an attempt may cost on every tier, and writes it down.
    ///
    /// # Errors
    /// [`Unpaid`]; nothing is reserved then.
    pub fn reserve(
        &mut self,
        tiers: &[&[Charge]],
        asked: Asked,
        amount: Nano,
    ) -> Result<Bill, Unpaid> {
        self.pay_debts();
        let hold = chain::reserve(tiers, amount)?;
        let mut slots = Slots::default();
        let mut is_hard = false;
        for (_, charge) in chain::each(tiers) {
            // Why: a chain refuses more charges than there are slots.
            let _ = slots.push(Slot {
                account: charge.number,
                start: charge.account.began(),
            });
            is_hard |= charge.hard;
        }
        let id = u128::from(self.prefix) << 64 | u128::from(self.next);
        self.next += 1;
        let bill = Bill {
            hold,
            more: Vec::new(),
            id,
            asked,
            slots,
        };
        match self.writer.reserve(&record(&bill, amount)) {
            Err(error) if is_hard => {
                bill.hold.settle(Nano::ZERO);
                Err(error.into())
            }
            // A settlement says whom it charges, so it counts without its reservation.
            Ok(()) | Err(_) => Ok(bill),
        }
    }

    /// Reserves more for an attempt that goes on.
    ///
    /// # Errors
    /// [`Unpaid`]; what was reserved before stays so.
    pub fn reserve_more(
        &mut self,
        bill: &mut Bill,
        tiers: &[&[Charge]],
        amount: Nano,
    ) -> Result<(), Unpaid> {
        if bill.more.len() >= MOST_MORE {
            return Err(Refusal::TooMany(MOST_MORE).into());
        }
        let hold = chain::reserve(tiers, amount)?;
        let whole = bill.reserved().plus(amount);
        let is_hard = chain::each(tiers).any(|(_, charge)| charge.hard);
        match self.writer.reserve(&record(bill, whole)) {
            Err(error) if is_hard => {
                hold.settle(Nano::ZERO);
                Err(error.into())
            }
            Ok(()) | Err(_) => {
                bill.more.push(hold);
                Ok(())
            }
        }
    }

    /// Replaces what was reserved by what was spent, and writes it down.
    pub fn settle(&mut self, bill: Bill, spent: Spent) {
        let reserved = bill.reserved();
        // Where nobody pays nothing is reserved.
        let pays = !bill.slots.as_slice().is_empty();
        let overrun = if pays && spent.amount > reserved {
            Flags::OVERRUN
        } else {
            Flags::default()
        };
        let settle = Settle {
            id: bill.id,
            at: spent.at,
            amount: spent.amount,
            parties: bill.asked.parties,
            request: bill.asked.request,
            tokens: spent.tokens,
            flags: spent.flags.and(overrun),
            slots: settled_in(&bill),
        };
        // Written first: a crash in between leaves what is on disk, which is the truth.
        self.write(settle);
        // Each hold takes its part, so that nothing is over its limit in between.
        let mut left = spent.amount;
        for hold in bill.more {
            let part = left.min(hold.amount());
            hold.settle(part);
            left = left.less(part);
        }
        bill.hold.settle(left);
    }

    /// Writes an operator's correction of an attempt.
    ///
    /// # Errors
    /// [`JournalError`]
    pub fn adjust(&mut self, entry: &Entry, amount: Nano, at: i64) -> Result<(), JournalError> {
        let id = u128::from(self.prefix) << 64 | u128::from(self.next);
        self.next += 1;
        self.writer
            .adjust(&books::correction(entry, id, at, amount))
    }

    /// Writes what is still owed, as far as the disk takes it.
    pub fn pay_debts(&mut self) {
        while let Some(settle) = self.owed.front() {
            if self.writer.settle(settle).is_err() {
                return;
            }
            self.owed.pop_front();
        }
    }

    /// Settlements that wait for the disk, and those that were given up.
    #[must_use]
    pub fn owed(&self) -> (usize, u64) {
        (self.owed.len(), self.lost)
    }

    fn write(&mut self, settle: Settle) {
        self.pay_debts();
        // In their order, so that the disk's failure is seen once.
        let written = self.owed.is_empty() && self.writer.settle(&settle).is_ok();
        if written {
            return;
        }
        if self.owed.len() < MOST_OWED {
            self.owed.push_back(settle);
        } else {
            self.lost += 1;
        }
    }
}

/// Whom a settlement charges: a restart must not let it expire sooner than the accounts do.
fn settled_in(bill: &Bill) -> Slots {
    let mut slots = Slots::default();
    for (slot, account) in bill.slots.as_slice().iter().zip(bill.hold.accounts()) {
        // There is room: they were slots before.
        let _ = slots.push(Slot {
            account: slot.account,
            start: account.settles_in(slot.start),
        });
    }
    slots
}

fn record(bill: &Bill, amount: Nano) -> Reserve {
    Reserve {
        id: bill.id,
        at: bill.asked.at,
        amount,
        parties: bill.asked.parties,
        request: bill.asked.request,
        price: bill.asked.price,
        slots: bill.slots,
    }
}
