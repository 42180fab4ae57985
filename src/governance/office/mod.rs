//! Who may make, change and end customers, teams and keys while the gateway runs?
//!
//! The control plane of governance: what the admin API made, beside what the file declares, and who is live of both.
//! It runs off the path of requests; whoever serves them is told that something has changed and asks for [`Office::tenants`].
//!
//! # Invariants
//! - What the file declares goes before what was made under the same name, and is never changed here.
//! - A change is checked like the file, written with its row of the audit log, and only then live.
//! - A secret leaves once, to whoever made it; what is kept is its keyed hash.
//! - A key that cannot be served as it was made is refused, never served with less above it.

mod adjust;
mod change;
mod desk;
mod document;
mod item;
mod key;
mod live;
mod merge;
mod refusal;

#[cfg(test)]
pub(super) mod tests;

pub use change::Removal;
pub use desk::{Asked, Deed, Office, Opening};
pub use document::{allowance, instant};
pub use item::{Found, Item, Made};
pub use key::LONGEST_GRACE;
pub use live::{BudgetView, Live, NotAdjusted};
pub use merge::{Merged, Origin, Standing, State, merge};
pub use refusal::OfficeError;
