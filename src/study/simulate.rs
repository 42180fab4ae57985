//! What would thresholds have done with recorded questions?
//!
//! Every question goes through the index, the guards and the policy that serve, and the lines say which hits were right.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::trace::{self, Asked};
use super::{Said, StudyError};
use crate::cache::embed::{Embed, Local};
use crate::cache::semantic::guards::{self, Features};
use crate::cache::semantic::policy::{Settings, Start};
use crate::cache::semantic::replay::{Line, Row, Slice, sweep};
use crate::config::{self, Caching, Embedder};

/// Thresholds of one sweep, at most.
const MOST_THRESHOLDS: usize = 100;

/// Thresholds tried on recorded questions.
#[derive(Clone, Debug, clap::Args)]
pub struct Simulate {
    /// Recorded questions: lines of JSON with `text` and `answer` or `label`, or CSV with these columns. Lines with the same answer or label have the same answer.
    pub trace: PathBuf,
    /// The folder of a sentence-transformer; that of the configuration otherwise.
    #[arg(long)]
    pub embedder: Option<PathBuf>,
    /// The configuration file of the gateway.
    #[arg(long, default_value = "config.toml", env = "TRIMTAB_CONFIG")]
    pub config: PathBuf,
    /// The lowest threshold.
    #[arg(long, default_value_t = 0.80)]
    pub from: f32,
    /// The highest threshold.
    #[arg(long, default_value_t = 0.98)]
    pub to: f32,
    /// From one threshold to the next.
    #[arg(long, default_value_t = 0.02)]
    pub step: f32,
    /// Where the adaptive policy begins.
    #[arg(long, default_value_t = Caching::THRESHOLD as f32)]
    pub threshold: f32,
    /// The share of wrong hits that the adaptive policy is to hold.
    #[arg(long, default_value_t = Caching::MAX_ERROR)]
    pub max_error: f64,
    /// Has the adaptive policy serve nothing until a threshold is proven.
    #[arg(long)]
    pub prove: bool,
    /// The seed of the audit's draws.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Told {
    /// The fixed threshold; none is the adaptive policy.
    threshold: Option<f32>,
    guarded: bool,
    hit_rate: f64,
    wrong_share: f64,
    #[serde(flatten)]
    total: Slice,
}

impl From<&Row> for Told {
    fn from(row: &Row) -> Self {
        let total = row.report.total();
        Self {
            threshold: row.threshold,
            guarded: row.guarded,
            hit_rate: total.hit_rate(),
            wrong_share: total.wrong_share(),
            total,
        }
    }
}

/// Tries thresholds on recorded questions.
///
/// # Errors
/// [`StudyError`]
pub(super) fn run(options: &Simulate) -> Result<Said, StudyError> {
    let thresholds = thresholds(options)?;
    let settings = Settings {
        threshold: options.threshold,
        lowest: options.threshold.min(Settings::default().lowest),
        highest: options.threshold.max(Settings::default().highest),
        max_error: options.max_error,
        start: if options.prove {
            Start::Prove
        } else {
            Start::Trust
        },
        ..Settings::default()
    };
    if let Some((field, what)) = settings.flaws().first() {
        let why = format!("`{field}` must be {what}");
        return Err(StudyError::Senseless(why));
    }
    let asked = trace::read(&options.trace)?;
    let embedder = Local::load(&folder(options)?)?;
    let lines = lines(&options.trace, asked, &embedder)?;
    let veto = |asked: &Features, stored: &Features| guards::veto(stored, asked).is_some();
    let rows = sweep(&lines, &thresholds, &settings, veto, options.seed)
        .map_err(|unfit| StudyError::Senseless(unfit.to_string()))?;
    let told: Vec<Told> = rows.iter().map(Told::from).collect();
    if options.json {
        let json = json!({ "questions": lines.len(), "embedder": embedder.name(), "rows": told });
        return Ok(Said {
            text: format!("{json:#}\n"),
            remarks: String::new(),
        });
    }
    Ok(Said {
        text: table(&told),
        remarks: format!(
            "{} questions, embedded by {}\n",
            lines.len(),
            embedder.name()
        ),
    })
}

fn folder(options: &Simulate) -> Result<PathBuf, StudyError> {
    if let Some(folder) = &options.embedder {
        return Ok(folder.clone());
    }
    let config = config::load(&options.config).map_err(StudyError::Config)?;
    match config.cache.embedder {
        Some(Embedder::Folder(folder)) => Ok(folder),
        _ => Err(StudyError::NoEmbedder),
    }
}

fn thresholds(options: &Simulate) -> Result<Vec<f32>, StudyError> {
    let Simulate { from, to, step, .. } = *options;
    let fits = (0.0..=1.0).contains(&from) && (from..=1.0).contains(&to) && step > 0.0;
    let count = ((to - from) / step + 1.5).floor();
    if !fits || count > MOST_THRESHOLDS as f32 {
        return Err(StudyError::Senseless(format!(
            "--from, --to and --step say up to {MOST_THRESHOLDS} thresholds from 0 to 1, in order"
        )));
    }
    let steps = 0..count as u16;
    Ok(steps
        .map(|index| f32::from(index).mul_add(step, from).min(1.0))
        .collect())
}

fn lines(
    file: &std::path::Path,
    asked: Vec<Asked>,
    embedder: &Local,
) -> Result<Vec<Line<Features>>, StudyError> {
    asked
        .into_iter()
        .map(|asked| {
            let vector = embedder
                .embed(&asked.text)
                .map_err(|why| StudyError::Question {
                    file: file.to_owned(),
                    line: asked.line,
                    why: why.to_string(),
                })?;
            Ok(Line {
                vector,
                features: Features::of(&asked.text),
                answer: asked.answer,
            })
        })
        .collect()
}

fn table(told: &[Told]) -> String {
    let mut text =
        String::from("threshold  guards   hits %  wrong %  served  wrong  refused  asked again\n");
    for row in told {
        let threshold = match row.threshold {
            Some(threshold) => format!("{threshold:.2}"),
            None => "adaptive".to_owned(),
        };
        let guards = if row.guarded { "yes" } else { "no" };
        let (hits, wrong) = (100.0 * row.hit_rate, 100.0 * row.wrong_share);
        let total = &row.total;
        text.push_str(&format!(
            "{threshold:<9}  {guards:<6}  {hits:>7.2}  {wrong:>7.2}  {:>6}  {:>5}  {:>7}  {:>11}\n",
            total.hits, total.wrong, total.vetoed, total.audited
        ));
    }
    text
}
