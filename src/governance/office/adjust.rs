//! How does an operator say what an attempt did cost?
//!
//! # Invariants
//! - The audit log has it before the ledger: a correction that nobody has signed is never made.
//! - What is in flight is left alone: it settles itself.

use serde_json::json;

use crate::config::Nano;
use crate::store::{Change, Entry, State};

use super::desk::{Asked, Office};
use super::refusal::OfficeError;

impl Office {
    /// Charges an attempt with what it did cost; tells what the entry was before.
    ///
    /// # Errors
    /// [`OfficeError`]
    pub fn adjust(&self, asked: &Asked<'_>, id: u128, amount: Nano) -> Result<Entry, OfficeError> {
        let _turn = self.turn();
        let live = self.live()?;
        let found = self.read()?.load([id].into_iter())?;
        let entry = found.into_iter().next().ok_or(OfficeError::NoEntry(id))?;
        if entry.state == State::Open {
            return Err(OfficeError::InFlight(id));
        }
        let said = |what: String, charged: i64| Change {
            at: asked.at,
            who: asked.who.to_owned(),
            what,
            before: Some(
                json!({"state": entry.state.word(), "charged_nano_dollars": entry.charged})
                    .to_string(),
            ),
            after: Some(json!({"charged_nano_dollars": charged}).to_string()),
        };
        let charged = amount.get().cast_signed();
        self.audit(said(format!("entry {id:032x} adjusted"), charged))?;
        if let Err(error) = live.adjust(&entry, amount, asked.at) {
            self.audit(said(format!("entry {id:032x} not adjusted"), entry.charged))?;
            return Err(error.into());
        }
        Ok(entry)
    }
}
