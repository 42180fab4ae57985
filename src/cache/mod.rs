//! Can a request be answered without asking a provider?
//!
//! Exact: the same request was answered before. Semantic: one that means the same was. Single-flight: the same request is being answered right now.
//! The audit asks a share of the semantic hits afresh, and says how often they are wrong.
//!
//! # Invariants
//! - A key cannot exist without a scope, and nothing is found across scopes.
//! - Only complete, untruncated, successful answers are kept.
//! - A hit is the stored answer, or the same answer in the words of another dialect.

pub mod audit;
pub mod disk;
pub mod embed;
mod entry;
mod flights;
mod jobs;
mod keeper;
mod library;
mod meanings;
mod scope;
pub mod semantic;
mod shares;
mod shelf;
mod written;

pub use entry::{Entry, Manner, Question, name, named};
pub use flights::{Flights, Follower, Leader, Next, Over, Part};
pub use jobs::{Job, Jobs};
pub use keeper::{OpenError, open, records_in};
pub use library::{Forgotten, Library, OnDisk, Which};
pub use meanings::{Asked, Found, Label, Lesson, Meanings, Recalled, settings};
pub use scope::{Key, Scope, Secret};
pub use shelf::Shelf;
