//! `tune`: scenarios and traces in; a section of better constants out.
//!
//! # Invariants
//! - What is printed and written depends on scenarios, traces, constants, budget and seed alone.
//! - The file is written whole or not at all, and also if nothing was found: its text then says so.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use scoring::tuning::Tuning;

use super::progress::Bar;
use super::replay::{named, read_trace};
use super::{CommandError, Said, writable, write};
use crate::scenario::{self, Scenario};
use crate::tune::{self, Effort, Search};

/// Finds better constants on one half of seeds and traces, and judges them on the other.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct Tune {
    /// Where the constants found are written, as a [scoring] section.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How much is tried: about 3 minutes, 10 minutes or an hour on two cores.
    #[arg(long, value_enum, value_name = "SIZE", default_value_t = Budget::Medium)]
    pub budget: Budget,
    /// Recorded traffic that every scenario is also tried on, its first half searched and its second half held out. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub trace: Vec<PathBuf>,
    /// A scenario, from the pack or a file; the whole pack by default. May be repeated.
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Vec<String>,
    /// Seed of what is tried; seeds of the runs are 1 and on for the search, 101 and on for the judgement, 201 and on for the verdict.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Worker threads; as many as there are cores by default.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Shows no progress.
    #[arg(long, short)]
    pub quiet: bool,
    /// Writes everything found as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How much is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Budget {
    /// A first look.
    Small,
    /// What a change of the model is tuned with.
    #[default]
    Medium,
    /// What defaults are made with.
    Large,
}

impl Budget {
    const fn effort(self) -> Effort {
        match self {
            Self::Small => Effort::SMALL,
            Self::Medium => Effort::MEDIUM,
            Self::Large => Effort::LARGE,
        }
    }
}

/// Searches for constants better than `tuning`.
///
/// # Errors
/// Whatever keeps it from being run or written.
pub fn tune(options: &Tune, tuning: &Tuning) -> Result<Said, CommandError> {
    [Some(&options.out), options.json.as_ref()]
        .into_iter()
        .flatten()
        .try_for_each(|it| writable(it))?;
    let mut remarks = String::new();
    let search = search(options, tuning, &mut remarks)?;
    let bar = Bar::new(options.quiet);
    let found = search.run(&bar);
    bar.end();
    write(&options.out, &tune::section(&found))?;
    if let Some(path) = &options.json {
        write(path, &tune::json(&found))?;
    }
    Ok(Said {
        text: tune::text(&found),
        remarks,
        holds: true,
    })
}

/// What is to be searched; everything that can be wrong is found before anything is run.
fn search(options: &Tune, tuning: &Tuning, remarks: &mut String) -> Result<Search, CommandError> {
    tuning
        .check()
        .map_err(|it| CommandError::Option(it.to_string()))?;
    let scenarios = if options.scenario.is_empty() {
        let pack = scenario::pack().iter().map(scenario::Packed::read);
        pack.collect::<Result<Vec<Scenario>, _>>()?
    } else {
        let chosen = options.scenario.iter().map(|name| named(name));
        chosen.collect::<Result<_, _>>()?
    };
    let traces = options
        .trace
        .iter()
        .map(|path| read_trace(path, None, remarks));
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(Search {
        scenarios,
        traces: traces.collect::<Result<_, _>>()?,
        base: *tuning,
        effort: options.budget.effort(),
        seed: options.seed,
        threads: options.threads.unwrap_or(cores).get(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        tune: Tune,
    }

    fn told(arguments: &[&str]) -> String {
        let arguments = ["tune"].iter().chain(arguments);
        let options = Options::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}"));
        match tune(&options.tune, &Tuning::default()) {
            Ok(said) => panic!("it ran: {}", said.text),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_cannot_be_written_or_read_is_told_before_anything_runs() {
        let missing = told(&["--out", "no-such-folder/a.toml"]);
        assert!(missing.starts_with("no-such-folder/a.toml: "), "{missing}");
        let folder = told(&["--out", "src"]);
        assert!(folder.starts_with("src: "), "{folder}");
        let scenario = told(&["--out", "a.toml", "--scenario", "s99-nothing"]);
        assert!(scenario.starts_with("s99-nothing: "), "{scenario}");
        let trace = told(&["--out", "a.toml", "--trace", "nothing.csv"]);
        assert!(trace.contains("nothing.csv"), "{trace}");
    }

    #[test]
    fn a_file_is_required_and_the_rest_has_defaults() {
        assert!(Options::try_parse_from(["tune"]).is_err());
        let options = Options::try_parse_from(["tune", "--out", "a.toml"])
            .unwrap()
            .tune;
        assert_eq!((options.budget, options.seed), (Budget::Medium, 1));
    }
}
