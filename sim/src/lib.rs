//! Replays traffic through the decision code under a virtual clock, next to every policy that a user would otherwise have.
//!
//! A [`scenario`] says how the providers behave ([`world`]) and what is asked of them ([`trace`]); the [`engine`] carries each request along the gateway's own walk, with one [`policy`] deciding; [`measure`] says how it went.
//!
//! # Invariants
//! - A report is a function of commit, scenario, trace and seed: no clock, no entropy, no order of threads is in it.
//! - The code that decides is `scoring`'s, unchanged; nothing here knows the gateway.

pub mod command;
pub mod counterfactual;
pub mod engine;
pub mod measure;
pub mod policy;
pub mod report;
pub mod scenario;
pub mod suite;
pub mod trace;
pub mod tune;
pub mod world;
