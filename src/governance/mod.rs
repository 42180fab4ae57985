//! Who may ask for what, and who pays for it?
//!
//! A request is paid by a virtual key; what an attempt may cost at most is reserved on every tier before it is sent, and replaced by what it did cost when it has ended.
//! `docs/GOVERNANCE.md` says what an operator writes and what a client sees.
//!
//! # Invariants
//! - For every hard budget and at every instant, spent + reserved ≤ limit.
//! - A reservation is on disk before its request leaves, and is settled once.
//! - Nothing here locks, waits or allocates on the path of a request.

mod account;
pub mod books;
mod chain;
mod credential;
pub mod journal;
mod ledger;
pub mod office;
pub mod pace;
mod payee;
mod pen;
mod pepper;
pub mod prices;
mod roster;
mod slices;
mod sources;
mod treasury;
mod turn;
mod word;

pub use account::{Account, View};
pub use chain::{Charge, Hold, MOST, Refusal, reserve};
pub use credential::{Digest, Form, PREFIX, Pepper, RANDOM, form, make};
pub use ledger::{Ledger, OpenError, Opened};
pub use pace::{Pace, Passes, Rate, TIERS, Tier, TooFast, pass};
pub use payee::{Member, Payee, Rank, Standing};
pub use pen::{Asked, Bill, Pen, Spent, Unpaid};
pub use pepper::{PepperError, pepper};
pub use roster::{Presented, Roster};
pub use sources::Sources;
pub use treasury::Treasury;
pub use turn::Turns;
pub use word::Tag;
