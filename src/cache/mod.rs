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
pub mod semantic;
