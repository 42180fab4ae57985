//! How often is the semantic layer wrong?
//!
//! A share of its hits is asked afresh in the background, the two answers are compared, and what comes out is recorded and estimated.
//! This folder decides and keeps; asking is the proxy's.
//!
//! The order of calls: [`Account::hit`] draws, [`Audit::begin`] holds money, the proxy asks, [`compare()`] and where it is open [`judge_prompt`] tell, the policy says what becomes of the entry, [`Audit::settle`] and [`Account::verdict`] book it, [`Records::append`] keeps it.
//! [`Audit::counts`] goes into the files now and then, and [`report()`] needs nothing but those.
//!
//! # Invariants
//! - A hit's chance of being audited is known and recorded, so that the estimate is of all hits.
//! - What could not be told or could not be audited is shown as such and never counted as right.
//! - An answer's text is recorded only where that was asked for.
//! - Nothing here reads a clock or draws by itself, and nothing but `records` and `reading` touches a file.

mod allowance;
mod sample;

mod compare;
mod judge;
mod plain;
mod short;
mod structure;

mod consequence;
mod ledger;
mod reading;
mod record;
mod records;

mod drift;
mod estimate;
mod interval;

mod advice;
mod columns;
mod page;
mod report;

#[cfg(test)]
mod tests;

pub use advice::{Advice, Urgency};
pub use allowance::{Allowance, Held, Skip, Spending};
pub use compare::{Answer, Comparison, Ending, How, Reason, Shape, Verdict, compare};
pub use consequence::Consequence;
pub use drift::{Drift, Trend, drift};
pub use estimate::{Accuracy, Estimate, Sums, Tally};
pub use judge::{judge_prompt, judge_verdict};
pub use ledger::{Account, Audit, OTHER, Standing, WORKFLOWS};
pub use reading::{Reading, read};
pub use record::{Audited, Count, Record, Skipped, Texts, Unfit};
pub use records::{Limits, Records, RecordsError};
pub use report::{Ask, Band, Gathering, Report, Row, Slice, Worst, report};
pub use sample::{Draw, Hit, Sampler, Sampling, SamplingError};
