//! Who writes to the database?
//!
//! One thread; whoever has something to write hands it a job and goes on, or waits for the answer where waiting is allowed.
//!
//! # Invariants
//! - Handing over never blocks: where too much is waiting, it is refused and the caller keeps what it has.
//! - A job that panics ends alone.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::database::Database;

/// Jobs that may wait: a few rounds of every caller there is; more would only hide that the disk is too slow.
const WAITING: usize = 64;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// The writing thread; it ends, all jobs done, when this is dropped.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Too much is waiting, or the thread has ended: try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database's writer is busy")]
pub struct Busy;

/// The answer of a job to come.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<T>);

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(mut database: Database) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(WAITING);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                for job in queue {
                    if catch_unwind(AssertUnwindSafe(|| job(&mut database))).is_err() {
                        tracing::error!("a job of the database's writer panicked");
                    }
                }
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Hands over a job.
    ///
    /// # Errors
    /// [`Busy`] if too much is waiting.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Database) -> T + Send + 'static,
    ) -> Result<Pending<T>, Busy> {
        let (answer, pending) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Nobody may wait for the answer any more.
            let _ = answer.send(job(database));
        });
        let jobs = self.jobs.as_ref().ok_or(Busy)?;
        jobs.try_send(job)
            .map_err(|(TrySendError::Full(_) | TrySendError::Disconnected(_))| Busy)?;
        Ok(Pending(pending))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A job's panic was told already.
            let _ = thread.join();
        }
    }
}

impl<T> Pending<T> {
    /// Waits on an async task.
    ///
    /// # Errors
    /// [`Busy`] if the job ended without an answer.
    pub async fn answer(self) -> Result<T, Busy> {
        self.0.await.map_err(|_| Busy)
    }

    /// Waits on a thread that may block.
    ///
    /// # Errors
    /// [`Busy`] if the job ended without an answer.
    pub fn wait(self) -> Result<T, Busy> {
        self.0.blocking_recv().map_err(|_| Busy)
    }

    /// The answer if it is there; none while it is not.
    ///
    /// # Errors
    /// [`Busy`] if the job ended without an answer.
    pub fn look(&mut self) -> Result<Option<T>, Busy> {
        match self.0.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(oneshot::error::TryRecvError::Empty) => Ok(None),
            Err(oneshot::error::TryRecvError::Closed) => Err(Busy),
        }
    }
}
