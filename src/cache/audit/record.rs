//! What is kept of an audit?
//!
//! One line of JSON each: what was compared and how it came out, and now and then how many hits a workflow had, so that a report can be made from the files alone.
//!
//! # Invariants
//! - A record is one line, whatever its names and texts hold.
//! - What was written is read back the same; a line that is cut anywhere is no record.
//! - There is no text of a question or an answer unless the caller put it there.
//!
//! Instants are seconds since 1970, ages seconds, money whole nano-dollars.

use serde::{Deserialize, Serialize};

use super::allowance::Skip;
use super::compare::{Reason, Verdict};
use super::consequence::Consequence;
use super::estimate::LEAST;

/// Bytes that a line may have.
///
/// Larger makes a report read texts of no use to it; smaller loses the texts of ordinary answers.
pub(super) const LINE: usize = 256 << 10;

/// A line of the audit's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A hit was audited.
    Audit(Box<Audited>),
    /// What a workflow had since its last such line.
    Count(Count),
}

/// A hit that was audited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// When the answers were compared.
    pub at: i64,
    /// The workflow that the hit belongs to.
    pub workflow: String,
    /// The entry that was served.
    pub entry: String,
    /// The request that was served from it.
    pub request: String,
    /// The request that asked afresh.
    pub audit: String,
    /// How similar the question was to the stored one, a cosine.
    pub similarity: f64,
    /// From which similarity on the entry was served.
    pub threshold: f64,
    /// The chance that the hit had of being audited, 1e-7..=1.
    pub probability: f64,
    /// Whether the answers say the same.
    pub verdict: Verdict,
    /// What that rests on.
    pub reason: Reason,
    /// Where structured answers differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What became of the entry.
    pub consequence: Consequence,
    /// What asking afresh and judging did cost.
    pub cost_nano: u64,
    /// The entry's age when it was served.
    pub entry_age: u64,
    /// The texts, where content is logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<Texts>,
    /// Bytes of texts that were left out since the line would have been too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
}

/// What was asked and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// The question.
    pub question: String,
    /// The answer that was served.
    pub stored: String,
    /// The fresh one.
    pub fresh: String,
}

/// What a workflow had since its last line of this kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// When it was counted.
    pub at: i64,
    /// The workflow.
    pub workflow: String,
    /// Semantic hits.
    pub hits: u64,
    /// What they would have cost.
    pub saved_nano: u64,
    /// Hits that were drawn and not audited.
    #[serde(default)]
    pub skipped: Skipped,
    /// From which similarity on the workflow serves now; none while it serves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// Hits that were drawn and not audited, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skipped {
    /// Too many in a minute.
    pub rate: u64,
    /// The day's money was spent.
    pub budget: u64,
    /// No fresh answer.
    pub failed: u64,
    /// The record could not be written.
    pub unwritten: u64,
}

impl Skipped {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.rate
            .saturating_add(self.budget)
            .saturating_add(self.failed)
            .saturating_add(self.unwritten)
    }

    /// The count of one cause.
    pub const fn of(&mut self, cause: Skip) -> &mut u64 {
        match cause {
            Skip::Rate => &mut self.rate,
            Skip::Budget => &mut self.budget,
            Skip::Failed => &mut self.failed,
            Skip::Unwritten => &mut self.unwritten,
        }
    }

    /// These and others.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            rate: self.rate.saturating_add(other.rate),
            budget: self.budget.saturating_add(other.budget),
            failed: self.failed.saturating_add(other.failed),
            unwritten: self.unwritten.saturating_add(other.unwritten),
        }
    }

    /// These without others.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self {
            rate: self.rate.saturating_sub(other.rate),
            budget: self.budget.saturating_sub(other.budget),
            failed: self.failed.saturating_sub(other.failed),
            unwritten: self.unwritten.saturating_sub(other.unwritten),
        }
    }
}

/// Why a record cannot be a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A number is none, or out of its range.
    #[error("the record's {0} is out of range")]
    Number(&'static str),
    /// It is too long even without its texts.
    #[error("the record's names are longer than a line may be")]
    Long,
}

impl Record {
    /// The instant of a record.
    #[must_use]
    pub const fn at(&self) -> i64 {
        match self {
            Self::Audit(audited) => audited.at,
            Self::Count(count) => count.at,
        }
    }

    /// The workflow of a record.
    #[must_use]
    pub fn workflow(&self) -> &str {
        match self {
            Self::Audit(audited) => &audited.workflow,
            Self::Count(count) => &count.workflow,
        }
    }

    /// The record as a line, its end included; texts that do not fit are left out, and how many bytes is said.
    ///
    /// # Errors
    /// [`Unfit`], if what would be read back is not this.
    pub fn encode(&self) -> Result<Vec<u8>, Unfit> {
        self.check()?;
        let line = written(self)?;
        if line.len() <= LINE {
            return Ok(line);
        }
        let Self::Audit(audited) = self else {
            return Err(Unfit::Long);
        };
        let Some(texts) = &audited.texts else {
            return Err(Unfit::Long);
        };
        let bytes = texts.question.len() + texts.stored.len() + texts.fresh.len();
        let shorter = Audited {
            texts: None,
            left_out: Some(bytes as u64),
            ..(**audited).clone()
        };
        let line = written(&Self::Audit(Box::new(shorter)))?;
        if line.len() <= LINE {
            Ok(line)
        } else {
            Err(Unfit::Long)
        }
    }

    /// Reads a line without its end; none if it is no record of a known kind with numbers in their ranges.
    #[must_use]
    pub fn decode(line: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(line).ok()?;
        record.check().is_ok().then_some(record)
    }

    fn check(&self) -> Result<(), Unfit> {
        let require = |holds: bool, what| {
            if holds {
                Ok(())
            } else {
                Err(Unfit::Number(what))
            }
        };
        match self {
            Self::Audit(audited) => {
                require(is_cosine(audited.similarity), "similarity")?;
                require(is_cosine(audited.threshold), "threshold")?;
                let chance = audited.probability;
                require((LEAST..=1.0).contains(&chance), "probability")?;
                match audited.consequence {
                    Consequence::RaiseFloor(floor) => require(is_cosine(floor), "floor"),
                    Consequence::Keep | Consequence::Evict => Ok(()),
                }
            }
            Self::Count(count) => require(count.threshold.is_none_or(is_cosine), "threshold"),
        }
    }
}

/// Whether a number may be a similarity, rounding and floors that nothing reaches included.
fn is_cosine(value: f64) -> bool {
    (-2.0..=2.0).contains(&value)
}

fn written(record: &Record) -> Result<Vec<u8>, Unfit> {
    // Numbers were checked and all keys are texts, so only the length can be at fault.
    let mut line = serde_json::to_vec(record).map_err(|_| Unfit::Long)?;
    line.push(b'\n');
    Ok(line)
}
