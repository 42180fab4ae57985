//! Whole files: the reference, the golden reports, and garbage.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cache;
mod golden;
mod meaning;
mod mistakes;
mod survival;
mod tenants;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use super::{Config, Paint, Report, Surroundings, parse};

/// The least that is valid, to put lines after.
const LEAST: &str = "
    [providers.p]
    base_url = \"http://localhost:1/v1\"
    [models.m]
    routes = [{ provider = \"p\" }]
";

/// The repository's file of this path.
fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Parses with these variables set, no files and three cores.
fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Report> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let around = Surroundings {
        env: &|name| variables.get(name).map(|value| (*value).to_owned()),
        read: &|path| match path.file_name().and_then(|name| name.to_str()) {
            Some("certificates.pem") => Ok(b"-----BEGIN CERTIFICATE-----\n".to_vec()),
            Some("empty.pem") => Ok(Vec::new()),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
        cores: NonZeroUsize::new(3).unwrap(),
    };
    parse(Path::new("config.toml"), text, &around)
}

/// Parses a text that must be valid.
pub(super) fn valid(text: &str) -> Config {
    parse_with(text, &[]).unwrap_or_else(|report| panic!("{}", report.render(Paint::Plain)))
}

/// Parses a text that must not be valid.
fn refused(text: &str) -> Report {
    match parse_with(text, &[]) {
        Ok(config) => panic!("accepted: {text}\n{config:#?}"),
        Err(report) => report,
    }
}
