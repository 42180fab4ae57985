//! Integration tests: gateway, stand-in providers and clients in one thread, whose clock is paused.
//!
//! Time passes only while everybody waits, so an outage of a minute takes milliseconds and every figure is exact to the stand-ins' script.
//! One module a feature; `support` holds what a test stands on.
//!
//! # Invariants
//! - Nothing waits in real time, and nothing leaves loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod admin;
mod cache;
mod conduct;
mod dialects;
mod governance;
mod hostile;
mod images;
mod life;
mod metrics;
mod openai;
mod pictures;
mod requests;
mod sessions;
mod support;
mod traces;
mod workflows;
