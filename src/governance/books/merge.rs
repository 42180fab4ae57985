//! What does a record change in what is known of an attempt?
//!
//! Records of an attempt may be read in any order, since a request may cross from one file to the next: each adds what it alone knows, and who may say the amount is settled by rank: an operator, then the settlement, then the reservation.
//!
//! # Invariants
//! - Reading a record again changes nothing; of several reservations of an attempt the largest holds.
//! - The order of a reservation, one settlement and corrections of different instants does not matter.

use crate::config::Nano;
use crate::store::{Entry, State};

use super::super::journal::{Adjust, Parties, Record, Reserve, Settle, Slot, Slots};

/// What a record does to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// It was known.
    Known,
    /// It contradicts what is known, which stays.
    Contradicts,
    /// This is known now.
    Changed(Entry),
}

/// The entry that a record is about; none for one about an account's window.
pub(super) fn about(record: &Record) -> Option<u128> {
    match record {
        Record::Reserve(reserve) => Some(reserve.id),
        Record::Settle(settle) => Some(settle.id),
        Record::Adjust(adjust) => Some(adjust.target.unwrap_or(adjust.id)),
        Record::Roll(_) => None,
    }
}

/// What is known after a record that was read from a journal of this number.
pub(super) fn merge(before: Option<&Entry>, record: &Record, file: i64) -> Merged {
    match record {
        Record::Reserve(reserve) => reserved(before, reserve, file),
        Record::Settle(settle) => settled(before, settle),
        Record::Adjust(adjust) => adjusted(before, adjust),
        Record::Roll(_) => Merged::Known,
    }
}

fn reserved(before: Option<&Entry>, reserve: &Reserve, file: i64) -> Merged {
    let amount = nano(reserve.amount);
    match before.map(|entry| (entry, entry.reserved)) {
        // A stream that went on reserved more, or it did so after this record.
        Some((entry, Some(known))) if known < amount => return raised(entry, amount),
        Some((_, Some(_))) => return Merged::Known,
        Some((_, None)) | None => {}
    }
    let mut entry = before.cloned().unwrap_or_else(|| Entry {
        id: reserve.id,
        charged: amount,
        ..Entry::default()
    });
    entry.at = reserve.at;
    entry.reserved = Some(amount);
    entry.price = reserve.price;
    entry.file = file;
    attribute(
        &mut entry,
        &reserve.parties,
        reserve.request,
        &reserve.slots,
    );
    Merged::Changed(entry)
}

/// The entry, with more reserved than was known.
fn raised(entry: &Entry, amount: i64) -> Merged {
    let mut entry = entry.clone();
    entry.reserved = Some(amount);
    if matches!(entry.state, State::Open | State::InDoubt) {
        entry.charged = amount;
    }
    Merged::Changed(entry)
}

fn settled(before: Option<&Entry>, settle: &Settle) -> Merged {
    let amount = nano(settle.amount);
    if let Some(entry) = before.filter(|entry| entry.ended.is_some()) {
        let same = entry.charged == amount || entry.adjusted.is_some();
        return if same {
            Merged::Known
        } else {
            Merged::Contradicts
        };
    }
    let mut entry = before.cloned().unwrap_or_else(|| Entry {
        id: settle.id,
        ..Entry::default()
    });
    if entry.adjusted.is_none() {
        entry.state = State::Settled;
        entry.charged = amount;
    }
    if entry.reserved.is_none() {
        entry.at = settle.at;
    }
    entry.ended = Some(settle.at);
    entry.flags = settle.flags.bits();
    entry.used = settle.tokens;
    // A rolling budget is charged for when the money was spent, which only the settlement knows.
    entry.slots.clear();
    attribute(&mut entry, &settle.parties, settle.request, &settle.slots);
    Merged::Changed(entry)
}

fn adjusted(before: Option<&Entry>, adjust: &Adjust) -> Merged {
    let known = before.and_then(|entry| entry.adjusted);
    if known.is_some_and(|known| known >= adjust.at) {
        return Merged::Known;
    }
    let mut entry = before.cloned().unwrap_or_else(|| Entry {
        id: adjust.target.unwrap_or(adjust.id),
        at: adjust.at,
        ..Entry::default()
    });
    if entry.reserved.is_none() && entry.ended.is_none() {
        entry.at = adjust.at;
    }
    entry.state = State::Adjusted;
    entry.adjusted = Some(adjust.at);
    entry.charged = adjust.amount;
    attribute(&mut entry, &adjust.parties, adjust.request, &adjust.slots);
    Merged::Changed(entry)
}

/// Says whose an entry is, where that is not known yet: every record of an attempt says the same, but for when a rolling budget is charged.
fn attribute(entry: &mut Entry, parties: &Parties, request: u64, slots: &Slots) {
    if entry.slots.is_empty() {
        let slots = slots.as_slice().iter();
        entry.slots = slots.map(|slot| (slot.account, slot.start)).collect();
    }
    for (known, said) in [
        (&mut entry.key, parties.key),
        (&mut entry.model, parties.model),
        (&mut entry.route, parties.route),
        (&mut entry.labels, parties.labels),
    ] {
        if *known == 0 {
            *known = said;
        }
    }
    if entry.request == 0 {
        entry.request = request;
    }
}

/// An amount as rows hold it.
const fn nano(amount: Nano) -> i64 {
    amount.get().cast_signed()
}

/// The record by which an operator says what an attempt cost; `id` is the correction's own, `at` in µs since 1970.
#[must_use]
pub fn correction(entry: &Entry, id: u128, at: i64, amount: Nano) -> Adjust {
    let mut slots = Slots::default();
    for (account, start) in &entry.slots {
        // An entry comes from a record, so its accounts fit into one.
        let _ = slots.push(Slot {
            account: *account,
            start: *start,
        });
    }
    Adjust {
        id,
        at,
        target: Some(entry.id),
        amount: nano(amount),
        parties: Parties {
            key: entry.key,
            model: entry.model,
            route: entry.route,
            labels: entry.labels,
        },
        request: entry.request,
        slots,
    }
}
