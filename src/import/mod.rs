//! How does a configuration of another gateway become one of ours?
//!
//! A source is read into a tree, one reader takes from it what can be said here, and the rest is told with its place and reason.
//! What is written is checked as `serve` would check it, with every variable that it names taken as set.
//!
//! # Invariants
//! - Nothing of the source is dropped silently: every leaf is carried over or told.
//! - No literal secret of the source is written or shown.
//! - A file is written whole or not at all, and none is overwritten unless that is asked for.

mod bifrost;
mod litellm;
mod litellm_settings;
mod place;
mod plan;
mod portkey;
mod save;
mod secret;
mod tree;
mod vendor;
mod write;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{self, Report, Surroundings};
use tree::Tree;
pub use tree::{Fate, Remark};

/// Largest source, bytes: the same as the largest configuration.
const LARGEST_SOURCE: usize = 4 << 20;

/// What is imported, and to where.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The other gateway's configuration file.
    pub file: PathBuf,
    /// Whose configuration it is; found out by its content otherwise.
    #[arg(long, value_enum)]
    pub from: Option<Origin>,
    /// The file to write.
    #[arg(long, default_value = "config.toml")]
    pub out: PathBuf,
    /// A model that clients ask for, where the source names none; may be given several times.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Overwrites the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// Whose configuration a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Origin {
    /// A `config.yaml` of LiteLLM's proxy.
    Litellm,
    /// A `config.json` of Bifrost.
    Bifrost,
    /// A config of Portkey.
    Portkey,
}

/// A source, as a configuration of ours.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Whose configuration it was.
    pub from: Origin,
    /// The text of a `config.toml`.
    pub text: String,
    /// Everything that is not as it was, in the order in which it was found.
    pub remarks: Vec<Remark>,
}

/// What the command has to say.
#[derive(Clone, Debug)]
pub struct Said {
    /// What was done.
    pub text: String,
    /// What could not be carried over.
    pub remarks: String,
    /// Problems of the configuration that was written; none if `serve` would take it.
    pub problems: Option<Report>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The source.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The source is too large to be a configuration.
    #[error("the source is larger than {LARGEST_SOURCE} bytes")]
    TooLarge,
    /// The source is neither YAML nor JSON.
    #[error("the source is not {format}{place}")]
    Syntax {
        /// What it was read as.
        format: &'static str,
        /// Where the mistake is, in words; empty if that is not known.
        place: String,
    },
    /// Nothing says whose configuration it is.
    #[error("the source is of no gateway that is known; say whose it is with --from")]
    Unknown,
    /// The source names no model that could be served.
    #[error(
        "the source names no model that can be served; give each name that clients ask for with --model\n{0}"
    )]
    NoModel(String),
    /// The file is there already.
    #[error("{} is there already; name another file with --out, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Origin {
    /// The gateway's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Litellm => "LiteLLM",
            Self::Bifrost => "Bifrost",
            Self::Portkey => "Portkey",
        }
    }
}

/// Reads a source and writes a configuration.
///
/// # Errors
/// [`ImportError`]; nothing is written then.
pub fn run(options: &Options) -> Result<Said, ImportError> {
    // Why: whoever would be refused in the end is told before the work.
    save::refuse_existing(&options.out, options.force.into())?;
    let bytes = std::fs::read(&options.file).map_err(|source| ImportError::Read {
        path: options.file.clone(),
        source,
    })?;
    let imported = convert(&bytes, options.from, &options.models)?;
    save::save(&options.out, &imported.text, options.force.into())?;
    let from = imported.from.name();
    let mut text = format!(
        "{}: written from a configuration of {from}\n",
        options.out.display()
    );
    let lost = imported
        .remarks
        .iter()
        .filter(|it| it.fate == Fate::Lost)
        .count();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{lost} settings were not carried over");
    Ok(Said {
        text,
        remarks: told(&imported.remarks),
        problems: check(&options.out, &imported.text).err(),
    })
}

/// Turns the bytes of a source into the text of a configuration; `models` are names that clients ask for where the source has none.
///
/// # Errors
/// [`ImportError`] if it cannot be read or names no model.
pub fn convert(
    bytes: &[u8],
    from: Option<Origin>,
    models: &[String],
) -> Result<Imported, ImportError> {
    let value = parse(bytes)?;
    let from = from
        .or_else(|| recognise(&value))
        .ok_or(ImportError::Unknown)?;
    let tree = Tree::new(value);
    let mut plan = match from {
        Origin::Litellm => litellm::read(&tree, models),
        Origin::Bifrost => bifrost::read(&tree, models),
        Origin::Portkey => portkey::read(&tree, models),
    };
    let remarks = tree.remarks();
    plan.models.retain(|model| !model.routes.is_empty());
    if plan.models.is_empty() {
        return Err(ImportError::NoModel(told(&remarks)));
    }
    Ok(Imported {
        from,
        text: write::write(&plan, from.name()),
        remarks,
    })
}

/// Checks a text as `serve` would, with every variable set to something that fits anywhere.
fn check(path: &Path, text: &str) -> Result<(), Report> {
    let around = Surroundings {
        env: &|name| Some(std::env::var(name).unwrap_or_else(|_| stand_in(text, name))),
        read: &|path| std::fs::read(path),
        cores: NonZeroUsize::MIN,
    };
    config::parse(path, text, &around).map(drop)
}

/// A value for a variable that is not set: a URL where the text begins one with it.
fn stand_in(text: &str, name: &str) -> String {
    if text.contains(&format!("base_url = \"${{{name}}}")) {
        "http://unset.invalid".to_owned()
    } else {
        "unset".to_owned()
    }
}

/// Reads JSON if it begins like it, else YAML; the parsers' own words are left out, since they quote the source.
fn parse(bytes: &[u8]) -> Result<Value, ImportError> {
    if bytes.len() > LARGEST_SOURCE {
        return Err(ImportError::TooLarge);
    }
    let at = |line: u64, column: u64| format!(": line {line}, column {column}");
    let text = str::from_utf8(bytes).map_err(|_| ImportError::Syntax {
        format: "UTF-8 text",
        place: String::new(),
    })?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| ImportError::Syntax {
            format: "JSON",
            place: at(error.line() as u64, error.column() as u64),
        });
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| ImportError::Syntax {
        format: "YAML",
        place: error
            .location()
            .map_or_else(String::new, |it| at(it.line(), it.column())),
    })
}

/// Finds out whose configuration it is.
fn recognise(value: &Value) -> Option<Origin> {
    let has = |key: &str| value.get(key).is_some();
    let config = value.pointer("/data/config").unwrap_or(value);
    let portkey = ["targets", "strategy", "virtual_key", "provider"];
    if has("model_list") || has("litellm_settings") || has("router_settings") {
        Some(Origin::Litellm)
    } else if value.get("providers").is_some_and(Value::is_object) {
        Some(Origin::Bifrost)
    } else if portkey.iter().any(|key| config.get(key).is_some()) {
        Some(Origin::Portkey)
    } else {
        None
    }
}

/// The remarks as text: one paragraph a fate, one line a remark.
fn told(remarks: &[Remark]) -> String {
    let mut text = String::new();
    for (fate, heading) in [
        (Fate::Secret, "Secrets to be set in the environment:"),
        (Fate::Changed, "Carried over, but not the same:"),
        (Fate::Lost, "Not carried over:"),
    ] {
        let of_fate: Vec<&Remark> = remarks.iter().filter(|it| it.fate == fate).collect();
        if of_fate.is_empty() {
            continue;
        }
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{heading}");
        for Remark {
            path, why, advice, ..
        } in of_fate
        {
            let path = if path.is_empty() { "(the whole)" } else { path };
            let advice = if advice.is_empty() {
                String::new()
            } else {
                format!("; {advice}")
            };
            let _ = writeln!(text, "  {path}: {why}{advice}");
        }
    }
    text
}
