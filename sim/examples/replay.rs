//! The `replay` command without the gateway around it: builds in seconds, for work on scoring and on the simulator.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use scoring::tuning::Tuning;
use sim::command::{Replay, replay};

/// Options of `trimtab replay`.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    replay: Replay,
}

fn main() -> ExitCode {
    let told = match replay(&Options::parse().replay, &Tuning::default()) {
        Ok(said) => {
            let mut err = std::io::stderr().lock();
            let written = err.write_all(said.remarks.as_bytes());
            let mut out = std::io::stdout().lock();
            (
                written.and_then(|()| out.write_all(said.text.as_bytes())),
                said.holds,
            )
        }
        Err(error) => {
            let mut err = std::io::stderr().lock();
            (writeln!(err, "error: {error}"), false)
        }
    };
    match told {
        (Ok(()), true) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
