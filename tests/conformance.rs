//! The simulator's world and the gateway's stand-in providers are the same model: one script through both gives the same outcomes, times and limits.
//!
//! The stand-ins are asked over loopback on a paused clock, and their answers are read with the gateway's own dialects.
//! Their ledger says when each request was read; the world is asked at those very instants.
//! `gateway` puts the whole gateway between the two and holds it against the engine.
//!
//! # Invariants
//! - What has no noise agrees to the millisecond, which is the grain of the runtime's timers; what is drawn agrees in distribution, with the seeds in the test.
//! - Nothing waits in real time, and nothing leaves loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "conformance/admission.rs"]
mod admission;
#[path = "conformance/dialects.rs"]
mod dialects;
#[path = "conformance/draws.rs"]
mod draws;
#[path = "conformance/faults.rs"]
mod faults;
#[path = "conformance/gateway.rs"]
mod gateway;
#[path = "conformance/latency.rs"]
mod latency;
#[path = "conformance/play.rs"]
mod play;
#[path = "conformance/reading.rs"]
mod reading;
#[path = "conformance/scene.rs"]
mod scene;

#[path = "support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the other integration tests use the rest"
)]
mod support;
