//! Does a stored answer answer this question, too?
//!
//! # Invariants
//! - Everything here is a pure function of its arguments; time, vectors and draws are handed in.

pub mod guards;
pub mod index;
pub mod policy;
pub mod replay;
