//! Does what one side says reach the other side, whichever dialects the two speak?
//!
//! `golden` holds the contract: what each provider is asked and what each client is told, case by case, in `tests/golden/wire`.
//! `laws` holds what no golden file may bless, `replay` carries turns from one provider to another.
//! With `UPDATE=1` the expected files are written anew, and are to be read before they are kept.
//!
//! # Invariants
//! - Nothing here needs a gateway, a socket or a clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "support/accumulate.rs"]
mod accumulate;
#[path = "wire/case.rs"]
mod case;
#[path = "wire/golden.rs"]
mod golden;
#[path = "wire/laws.rs"]
mod laws;
#[path = "wire/replay.rs"]
mod replay;
#[path = "wire/streams.rs"]
mod streams;
