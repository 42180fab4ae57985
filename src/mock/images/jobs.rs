//! Which jobs are there, and how far is each?
//!
//! # Invariants
//! - At most [`CAPACITY`] jobs are kept; the oldest go first.
//! - A job that is done cannot be cancelled.

use std::collections::VecDeque;

use scoring::time::Time;

use super::ask::Ask;
use super::doors::Maker;

/// Jobs kept: more than a test makes between submission and last poll.
const CAPACITY: usize = 4_096;

/// A job.
#[derive(Clone, Debug)]
pub(in crate::mock) struct Job {
    pub(super) id: String,
    pub(super) maker: Maker,
    pub(super) provider: usize,
    /// What the vendor's URLs for it begin with.
    pub(super) app: String,
    pub(super) ask: Ask,
    /// When it leaves the queue.
    pub(super) began: Time,
    /// When it is done.
    pub(super) done: Time,
    /// Whether a filter refuses it.
    pub(super) moderated: bool,
    pub(super) canceled: bool,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Queued,
    /// So many percent are done.
    Running(u8),
    Done,
    Moderated,
    Canceled,
}

/// The jobs of one mock.
#[derive(Debug, Default)]
pub(in crate::mock) struct Jobs {
    kept: VecDeque<Job>,
}

impl Job {
    /// How far it is at `now`.
    pub(super) fn stage(&self, now: Time) -> Stage {
        if self.canceled {
            Stage::Canceled
        } else if now >= self.done {
            if self.moderated {
                Stage::Moderated
            } else {
                Stage::Done
            }
        } else if now >= self.began {
            let whole = self.done.since(self.began).as_micros().max(1);
            let part = now.since(self.began).as_micros() * 100 / whole;
            Stage::Running(u8::try_from(part).unwrap_or(100).min(99))
        } else {
            Stage::Queued
        }
    }
}

impl Jobs {
    /// Keeps a job.
    pub(super) fn take_on(&mut self, job: Job) {
        if self.kept.len() == CAPACITY {
            self.kept.pop_front();
        }
        self.kept.push_back(job);
    }

    /// The job of that id.
    pub(super) fn get(&self, id: &str) -> Option<&Job> {
        self.kept.iter().rev().find(|job| job.id == id)
    }

    /// Cancels a job that is not done.
    pub(super) fn cancel(&mut self, id: &str, now: Time) {
        if let Some(job) = self.kept.iter_mut().rev().find(|job| job.id == id)
            && now < job.done
        {
            job.canceled = true;
        }
    }
}
