//! What may be asked and changed below `/api`?
//!
//! One table of routes says what there is, what each takes and gives; requests are matched against it, and the OpenAPI document is printed from it.
//! The listener's checks of token, host and origin come before anything here.
//!
//! # Invariants
//! - A route that is not in the table does not exist, and one that is is documented.
//! - Nothing waits on the control thread: what reads or writes the database runs on threads that may block, a few at a time.
//! - A secret is in the answer of the request that made it and in no other.

mod ask;
mod cache;
mod call;
mod history;
mod ledger;
mod openapi;
mod outgoing;
mod records;
mod refusal;
mod routes;
mod seen;
mod setting;
mod shadow;
mod shown;
mod standing;
mod steer;
mod tenants;

pub(super) use call::{Cut, Gate, answer};
pub(super) use outgoing::Outgoing;
