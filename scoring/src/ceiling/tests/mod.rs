//! Whether the ceilings keep their promises: alone, and in a tiny world of true token buckets, seeded arrivals and virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and shows its figures"
)]

mod bars;
mod provider;
mod single;
mod world;

const SECOND: u64 = 1_000_000;
/// The clock starts above zero, as the gateway's does.
const START: u64 = 10 * SECOND;
