//! Writes the page of a hand-made report to the path given, to look at it and to try `tests/browser/run`.
//!
//! # Invariants
//! - What is written is what the tests of the report read.

use std::io;

#[path = "../tests/report/sample.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod sample;

fn main() -> io::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: sample_report PAGE"));
    };
    let page = sim::report::html(&sample::report()).map_err(io::Error::other)?;
    std::fs::write(path, page)
}
