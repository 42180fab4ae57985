//! The `tune` command without the gateway around it: builds in seconds, for work on scoring and on the simulator.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use scoring::tuning::Tuning;
use sim::command::{Tune, tune};

/// Options of `trimtab tune`.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    tune: Tune,
}

fn main() -> ExitCode {
    let written = match tune(&Options::parse().tune, &Tuning::default()) {
        Ok(said) => {
            let mut err = std::io::stderr().lock();
            let remarks = err.write_all(said.remarks.as_bytes());
            let mut out = std::io::stdout().lock();
            remarks
                .and_then(|()| out.write_all(said.text.as_bytes()))
                .is_ok()
        }
        Err(error) => {
            let mut err = std::io::stderr().lock();
            // The exit status says it as well.
            let _ = writeln!(err, "error: {error}");
            false
        }
    };
    if written {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
