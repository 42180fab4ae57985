//! How does a file become a configuration?
//!
//! Text, then document, then shape, then tables, then meaning; each step goes on with what the step before could use, so that one run reports everything.
//! Only a text that is not TOML ends it at once: nothing after the mistake can be trusted.
//!
//! # Invariants
//! - Any bytes give a [`Config`] or a [`Report`], never a panic.
//! - A `Config` comes out only if nothing was reported.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeTable, Deserializer, Error};

use super::effective;
use super::raw::RawConfig;
use super::report::{Problem, Report};
use super::resolve::{Surroundings, resolve};
use super::schema;
use super::settings::Config;
use super::shape::Shape;
use super::source::Source;

/// Largest file, bytes: 4 MiB hold tens of thousands of routes; more is not a configuration.
pub(super) const LARGEST_FILE: usize = 4 << 20;

/// Reads and checks a configuration file, with the environment of the process.
///
/// # Errors
/// Everything that is wrong with the file, or why it cannot be read.
pub fn load(path: &Path) -> Result<Config, Report> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    parse_bytes(path, &bytes)
}

/// Checks the text of a configuration file; `path` is its name in reports and where its relative paths begin.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn parse(path: &Path, text: &str, around: &Surroundings<'_>) -> Result<Config, Report> {
    let mut source = Source::new(path, text);
    let (mut document, errors) = DeTable::parse_recoverable(text);
    // Why: the parser tells what it recovered from before what it read on the way.
    let first = errors
        .iter()
        .min_by_key(|error| error.span().map(|span| span.start));
    if let Some(error) = first {
        return Err(source.into_syntax_report(syntax(error)));
    }
    let root = schema::value();
    let mut shape = Shape {
        root: &root,
        env: around.env,
        source: &mut source,
    };
    shape.document(document.get_mut());
    let raw = RawConfig::deserialize(Deserializer::from(document));
    let config = match raw {
        Ok(raw) => Config {
            settings: effective::settings(text).into(),
            ..resolve(raw, around, &mut source)
        },
        Err(error) => {
            source.report(unforeseen(&error));
            Config::default()
        }
    };
    source.into_report().map_or(Ok(config), Err)
}

/// Checks a file's bytes with the environment of the process.
pub(super) fn parse_bytes(path: &Path, bytes: &[u8]) -> Result<Config, Report> {
    if bytes.len() > LARGEST_FILE {
        let problem = Problem::of_file(format!("is larger than {} bytes", LARGEST_FILE));
        return Err(Report::of_file(path, problem));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let problem = Problem::of_file(format!("is not UTF-8 text: line {line} has other bytes"));
        Report::of_file(path, problem.help("save the file as UTF-8"))
    })?;
    let around = Surroundings {
        env: &|name| std::env::var(name).ok(),
        read: &|path| std::fs::read(path),
        cores: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    parse(path, text, &around)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Report {
    let problem = Problem::of_file(format!("cannot be read: {error}"));
    let problem = match error.kind() {
        io::ErrorKind::NotFound => problem.help("name the file with --config"),
        _ => problem,
    };
    Report::of_file(path, problem)
}

pub(super) fn syntax(error: &Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let (message, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let expected = match expected {
        "" => String::new(),
        words => format!("expected {words}"),
    };
    Problem::new("", span, format!("is not TOML: {message}")).expected(expected)
}

/// A mistake that the walk along the schema let pass; reported in serde's words.
pub(super) fn unforeseen(error: &Error) -> Problem {
    Problem::new("", error.span().unwrap_or(0..0), error.message())
}
