//! What is a condition in words?
//!
//! An expression of the Common Expression Language is compiled and tried out when a configuration is read.
//!
//! # Invariants
//! - An expression names known variables and functions only, and has given true or false once, on made-up facts, unless a header was missing.
//! - Reading one takes bounded stack, whoever wrote it.

mod compiled;
mod mistake;
mod names;

#[cfg(test)]
mod tests;

pub use compiled::Expression;
