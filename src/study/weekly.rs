//! How often were semantic hits wrong of late?

use std::path::PathBuf;

use super::{Said, StudyError};
use crate::cache::{self, audit};
use crate::clock;
use crate::config::{self, Caching};

/// The audit's report.
#[derive(Clone, Debug, clap::Args)]
pub struct Weekly {
    /// Days of the report, today included.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub days: u32,
    /// The share of wrong hits that is accepted, 0 to 1; the strictest `max_error` of the configuration otherwise.
    #[arg(long)]
    pub target: Option<f64>,
    /// The configuration file of the gateway.
    #[arg(long, default_value = "config.toml", env = "TRIMTAB_CONFIG")]
    pub config: PathBuf,
    /// The folder of the audit's files; that of the configuration otherwise.
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// Prints JSON instead of a page.
    #[arg(long)]
    pub json: bool,
}

/// Reports from the audit's files.
///
/// # Errors
/// [`StudyError`]
pub(super) fn run(options: &Weekly) -> Result<Said, StudyError> {
    let (folder, target) = match (&options.folder, options.target) {
        (Some(folder), Some(target)) => (folder.clone(), target),
        (folder, target) => {
            let config = config::load(&options.config).map_err(StudyError::Config)?;
            let strictest = config.models.iter().map(|model| model.cache.max_error);
            let strictest = strictest.fold(Caching::MAX_ERROR, f64::min);
            let folder = folder.clone();
            (
                folder.unwrap_or_else(|| cache::records_in(&config.cache.data)),
                target.unwrap_or(strictest),
            )
        }
    };
    if !(0.0..=1.0).contains(&target) {
        let why = format!("--target is a share from 0 to 1, not {target}");
        return Err(StudyError::Senseless(why));
    }
    let ask = audit::Ask {
        now: clock::unix_seconds(),
        days: options.days,
        target,
        accuracy: None,
    };
    let mut gathering = audit::Gathering::new(ask);
    let reading = audit::read(&folder, |record| gathering.add(&record));
    let mut remarks: String = reading
        .messages
        .iter()
        .map(|it| format!("{it}\n"))
        .collect();
    if reading.files == 0 {
        remarks.push_str(&format!(
            "there are no records in {}: nothing was checked yet, or it is another folder\n",
            folder.display()
        ));
    }
    let report = gathering.finish(&reading);
    let text = if options.json {
        // Numbers and texts can always be written.
        let json = serde_json::to_string_pretty(&report).unwrap_or_default();
        format!("{json}\n")
    } else {
        report.to_string()
    };
    Ok(Said { text, remarks })
}
