//! `replay`: scenarios, traces and policies in; table, JSON and page out.
//!
//! # Invariants
//! - What is printed depends on scenarios, traces, seeds and constants alone; how long it took is a remark.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use scoring::tuning::Tuning;

use super::progress::Bar;
use super::{CommandError, Said, writable, write};
use crate::counterfactual::{self, Fitted, Production};
use crate::policy::Kind;
use crate::report::{self, Width};
use crate::scenario::{self, Scenario};
use crate::suite::{Fit, Suite, ablate};
use crate::trace::{self, Format, Trace, Warp};

/// What is run when no scenario is named: what a real incident looks like.
const DEFAULT: &str = "s19-incident";
/// Seeds of a suite, and of anything else, unless told otherwise.
const SUITE_SEEDS: u64 = 3;
/// The first seed unless told otherwise: tuning uses those below.
const FIRST_SEED: u64 = 101;
/// Scenarios of the small pack: one of each kind.
const SMALL: [&str; 12] = [
    "s01-healthy",
    "s02b-brown-out-of-three",
    "s03-creep",
    "s04-regional-outage",
    "s05-ceilings-silent",
    "s05b-ceilings-headers",
    "s05c-ceilings-rpm",
    "s06-flapping",
    "s07-quiet",
    "s12-step-forty",
    "s16-replicas",
    "s19-incident",
];

/// Runs recorded or synthetic traffic through the gateway's own decisions and through every alternative.
#[derive(Clone, Debug, Default, Args)]
#[group(skip)]
pub struct Replay {
    /// Runs the whole pack of scenarios and checks every bar.
    #[arg(long)]
    pub suite: bool,
    /// Runs one scenario of each kind and checks its bars: what a change is tried with first.
    #[arg(long, conflicts_with = "suite")]
    pub small: bool,
    /// A scenario: a name of the pack, or a file. May be repeated.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["suite", "small"])]
    pub scenario: Vec<String>,
    /// Recorded traffic that replaces the scenario's own (with --suite, that is run as well). May be repeated.
    ///
    /// One recording of the gateway's own, without a scenario, is replayed in the world that it tells of, and policies are also judged by the recording itself.
    #[arg(long, value_name = "FILE")]
    pub trace: Vec<PathBuf>,
    /// The traces' format; found out by default.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Speeds the traces up by this factor; keeps bursts. Unless --speed or --scale is given, traces are scaled to the scenario's rate.
    #[arg(long, value_name = "X")]
    pub speed: Option<f64>,
    /// Superposes this many copies of the traces, each shifted by chance; smooths bursts.
    #[arg(long, value_name = "X")]
    pub scale: Option<f64>,
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = FIRST_SEED)]
    pub seed: u64,
    /// How many seeds, from the first on; 3 by default with --suite, else 1.
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    /// A policy to run beside the product's own and the clairvoyant ones; all by default. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// Writes everything found as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes a page with plots; one file, nothing else is loaded.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Says whether a scenario file is valid, and everything that is wrong with it; runs nothing.
    #[arg(long, value_name = "FILE")]
    pub check: Vec<PathBuf>,
    /// Lists scenarios, policies and metrics; runs nothing.
    #[arg(long)]
    pub list: bool,
    /// Prints every metric.
    #[arg(long)]
    pub wide: bool,
    /// Prints the regret table as Markdown instead.
    #[arg(long)]
    pub markdown: bool,
    /// Runs the product's own policy once more for each of its parts, with that part put back or taken out, and prints what each buys.
    #[arg(long, conflicts_with_all = ["json", "html", "markdown"])]
    pub ablation: bool,
    /// Worker threads; as many as there are cores by default.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Shows no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Carries a replay out with the constants `tuning`.
///
/// # Errors
/// Whatever keeps it from being run or written.
pub fn replay(options: &Replay, tuning: &Tuning) -> Result<Said, CommandError> {
    if options.list {
        return Ok(Said {
            text: list(),
            holds: true,
            ..Said::default()
        });
    }
    if !options.check.is_empty() {
        return check(&options.check);
    }
    [&options.json, &options.html]
        .into_iter()
        .flatten()
        .try_for_each(|it| writable(it))?;
    let mut remarks = String::new();
    let (suite, fitted) = suite(options, tuning, &mut remarks)?;
    let bar = Bar::new(options.quiet);
    if options.ablation {
        let variants = ablate(suite, &bar);
        bar.end();
        return Ok(Said {
            text: report::variants(&variants),
            remarks,
            holds: true,
        });
    }
    let mut report = suite.run(&bar);
    bar.end();
    remarks.push_str(&bar.summary(suite.threads));
    report.production = fitted.map(|it| production(&it, &suite, &report));
    if let Some(path) = &options.json {
        write(path, &report::json(&report))?;
    }
    if let Some(path) = &options.html {
        write(path, &report::html(&report)?)?;
    }
    let width = if options.wide {
        Width::Wide
    } else {
        Width::Compact
    };
    let mut text = if options.markdown {
        report::markdown(&report)
    } else {
        report::table(&report, width)
    };
    if let Some(production) = report.production.as_ref().filter(|_| !options.markdown) {
        text.push('\n');
        text.push_str(&counterfactual::text(production));
    }
    Ok(Said {
        text,
        remarks,
        holds: report.holds,
    })
}

/// What the recording tells of each policy that was run, beside what the run says.
fn production(fitted: &Fitted, suite: &Suite, report: &report::Report) -> Production {
    let simulated = |kind: Kind| {
        let policies = &report.scenarios.first()?.policies;
        let standing = policies.iter().find(|it| it.policy == kind.name())?;
        Some(standing.metrics.get("cost_raw_ms")?.mean)
    };
    let seed = suite.seeds.first().copied().unwrap_or_default();
    counterfactual::production(fitted, &suite.policies, (&suite.tuning, seed), simulated)
}

/// The world of a recording, if one recording with its chances is given and no other world is named.
fn recorded(options: &Replay, traces: &[(String, Trace)], remarks: &mut String) -> Option<Fitted> {
    let elsewhere = options.suite || options.small || !options.scenario.is_empty();
    let warped = options.speed.is_some() || options.scale.is_some();
    let [(name, trace)] = traces else { return None };
    if elsewhere || warped || trace.seen.iter().all(|it| it.p_select.is_none()) {
        return None;
    }
    match counterfactual::world(trace) {
        Ok(fitted) => Some(fitted),
        Err(thin) => {
            let _ = writeln!(remarks, "{name}: {thin}; replayed in {DEFAULT} instead");
            None
        }
    }
}

/// What is to be run, and the recording's world if it is run there.
fn suite(
    options: &Replay,
    tuning: &Tuning,
    remarks: &mut String,
) -> Result<(Suite, Option<Fitted>), CommandError> {
    let mut scenarios = scenarios(options)?;
    let mut traces = options
        .trace
        .iter()
        .map(|path| read_trace(path, options.format, remarks))
        .collect::<Result<Vec<_>, _>>()?;
    let fitted = recorded(options, &traces, remarks);
    if let Some(fitted) = &fitted {
        scenarios = vec![fitted.scenario.clone()];
        for (_, trace) in &mut traces {
            *trace = fitted.trace.clone();
        }
    }
    let whole = options.suite || options.small;
    let count = options.seeds.unwrap_or(if whole { SUITE_SEEDS } else { 1 });
    if count == 0 {
        return Err(CommandError::Option(
            "--seeds is 0: nothing would be run".to_owned(),
        ));
    }
    let policies = policies(&options.policy)?;
    let plotted = if options.html.is_none() {
        Vec::new()
    } else {
        plotted(&policies, scenarios.len() * (traces.len() + 1))
    };
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let suite = Suite {
        scenarios,
        synthetic: traces.is_empty() || whole,
        traces,
        fit: fit(options)?,
        policies,
        subject: Kind::Adaptive,
        seeds: (0..count).map(|it| options.seed.wrapping_add(it)).collect(),
        tuning: *tuning,
        plotted,
        threads: options.threads.unwrap_or(cores).get(),
        whole,
    };
    Ok((suite, fitted))
}

fn scenarios(options: &Replay) -> Result<Vec<Scenario>, CommandError> {
    let pack = scenario::pack();
    if options.suite {
        return Ok(pack
            .iter()
            .map(scenario::Packed::read)
            .collect::<Result<_, _>>()?);
    }
    if options.small {
        let small = pack.iter().filter(|it| SMALL.contains(&it.name));
        return Ok(small
            .map(scenario::Packed::read)
            .collect::<Result<_, _>>()?);
    }
    if options.scenario.is_empty() {
        return named(DEFAULT).map(|it| vec![it]);
    }
    options.scenario.iter().map(|name| named(name)).collect()
}

/// The scenario of the pack, or of the file, of that name.
pub(crate) fn named(name: &str) -> Result<Scenario, CommandError> {
    let path = Path::new(name);
    let pack = scenario::pack();
    if !path.exists()
        && let Some(packed) = pack.iter().find(|it| it.name == name)
    {
        return Ok(packed.read()?);
    }
    let text = std::fs::read_to_string(path).map_err(|error| CommandError::File {
        path: path.to_owned(),
        error,
    })?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(scenario::read(&stem, &text)?)
}

/// Reads a trace and remarks on what was odd about it.
pub(crate) fn read_trace(
    path: &Path,
    format: Option<Format>,
    remarks: &mut String,
) -> Result<(String, Trace), CommandError> {
    let read = trace::read(path, format)?;
    // Writing into a string cannot fail.
    for malformed in &read.malformed {
        let _ = writeln!(remarks, "{malformed}");
    }
    if read.malformed_count > 0 {
        let _ = writeln!(
            remarks,
            "{}: {} of {} lines are malformed and left out",
            path.display(),
            read.malformed_count,
            read.lines
        );
    }
    for note in &read.notes {
        let _ = writeln!(remarks, "{}: {note}", path.display());
    }
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok((stem, read.trace))
}

fn fit(options: &Replay) -> Result<Fit, CommandError> {
    for (name, value) in [("--speed", options.speed), ("--scale", options.scale)] {
        if value.is_some_and(|it| !(it > 0.0 && it.is_finite())) {
            return Err(CommandError::Option(format!("{name} must be above 0")));
        }
    }
    match (options.speed, options.scale) {
        (None, None) => Ok(Fit::Rate),
        (speed, scale) => Ok(Fit::Given(Warp {
            speed: speed.unwrap_or(1.0),
            scale: scale.unwrap_or(1.0),
        })),
    }
}

/// The policies named, the product's own first and the clairvoyant ones last; all if none is named.
fn policies(names: &[String]) -> Result<Vec<Kind>, CommandError> {
    let chosen = names
        .iter()
        .map(|name| {
            Kind::from_name(name).ok_or_else(|| {
                let known: Vec<_> = Kind::ALL.iter().map(|it| it.name()).collect();
                CommandError::Option(format!(
                    "{name:?} is no policy; they are {}",
                    known.join(", ")
                ))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let wanted = |kind: &Kind| {
        names.is_empty() || kind.is_ours() || kind.is_oracle() || chosen.contains(kind)
    };
    Ok(Kind::ALL.into_iter().filter(wanted).collect())
}

/// Policies that are plotted: all in a few scenarios, ours and three rivals in many, so that the page stays small.
fn plotted(policies: &[Kind], scenarios: usize) -> Vec<Kind> {
    const FEW: usize = 4;
    let rivals = [Kind::Static, Kind::P2cPeakEwma, Kind::LitellmLatency];
    let wanted = |kind: &Kind| scenarios <= FEW || kind.is_ours() || rivals.contains(kind);
    policies.iter().copied().filter(wanted).collect()
}

fn check(files: &[PathBuf]) -> Result<Said, CommandError> {
    let mut said = Said {
        holds: true,
        ..Said::default()
    };
    for path in files {
        let name = path.to_string_lossy();
        match named(&name) {
            Ok(it) => {
                let (routes, bars) = (it.routes.len(), it.bars.len());
                let _ = writeln!(
                    said.text,
                    "{name}: valid; {routes} routes, {bars} bars: {}",
                    it.question
                );
            }
            Err(CommandError::Scenario(mistakes)) => {
                said.holds = false;
                let _ = write!(said.text, "{mistakes}");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(said)
}

fn list() -> String {
    let mut text = String::from("scenarios\n");
    for packed in scenario::pack() {
        let question = packed.read().map(|it| it.question).unwrap_or_default();
        let _ = writeln!(text, "  {:24} {question}", packed.name);
    }
    text.push_str("\npolicies\n");
    for kind in Kind::ALL {
        let _ = writeln!(text, "  {:24} {}", kind.name(), kind.what());
    }
    text.push_str("\nmetrics\n");
    for metric in crate::measure::METRICS {
        let _ = writeln!(text, "  {:24} {}", metric.name, metric.what);
    }
    text
}
