//! What does a request leave behind for later?
//!
//! A bounded queue that requests push into without waiting, and that the keeper empties.
//!
//! # Invariants
//! - A job that finds the queue full is dropped and counted: the cache then knows less, and nothing else is lost.
//! - That an answer is gone is never dropped: on disk it would outlive its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_queue::{ArrayQueue, SegQueue};

use super::audit::Audited;
use super::entry::Entry;
use super::meanings::Lesson;
use super::scope::{Key, Scope};
use super::semantic::policy::Settings;

/// Jobs that wait at most: a second of a busy gateway.
const MOST: usize = 8_192;

/// What is to be done off the path of requests.
#[derive(Debug)]
pub enum Job {
    /// An answer was kept: its question is to be known, and it goes to the disk.
    Kept(Arc<Entry>),
    /// An answer is there no more.
    Gone(Arc<Entry>),
    /// A question leads to an answer that is there no more.
    Lost(Key, u64),
    /// A question had a neighbour at this similarity.
    Seen(Arc<Lesson>, Box<Settings>, f32),
    /// A hit was checked.
    Checked(Box<Audited>),
    /// A scope has no more room beside the others.
    Crowded(Scope),
}

/// The jobs that wait.
#[derive(Debug)]
pub struct Jobs {
    queue: ArrayQueue<Job>,
    /// Ids of answers that are gone and found the queue full; no more than there were answers.
    gone: SegQueue<u64>,
    dropped: AtomicU64,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            queue: ArrayQueue::new(MOST),
            gone: SegQueue::new(),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Jobs {
    /// Leaves a job.
    pub fn leave(&self, job: Job) {
        match self.queue.push(job) {
            Ok(()) => {}
            Err(Job::Gone(entry)) => self.gone.push(entry.id),
            Err(_) => {
                // Why: it guards nothing, it is a statistic.
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// An answer that is gone, of which the queue had no room to tell.
    pub fn take_gone(&self) -> Option<u64> {
        self.gone.pop()
    }

    /// The job that was left first.
    pub fn take(&self) -> Option<Job> {
        self.queue.pop()
    }

    /// Jobs that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
