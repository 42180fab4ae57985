//! Who makes vectors, so that no worker's reactor stands still meanwhile?
//!
//! A few threads of their own and one short queue.
//! A text whose vector is remembered costs a digest and a lookup; a text that finds the queue full is refused at once, since a request can do without a semantic lookup but not without an answer.
//! A vector is remembered by the thread that made it, whether or not anybody still waits for it.
//!
//! # Invariants
//! - Asking never blocks, and nothing is computed where it is asked.
//! - Every text that was taken in gets a vector or an error; an embedder that panics is an error, and its thread goes on.
//! - Threads end when the pool is dropped, each after the text that it is at.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::{fmt, io, thread};

use tokio::sync::oneshot;

use super::memo::{Mark, Memo};
use super::{Embed, EmbedError};

/// Texts that may wait: at ten milliseconds each, the last waits for a third of a second, beyond which asking a provider is the quicker way.
const QUEUE: usize = 32;

/// What a text is told that finds the queue full.
pub const BUSY: &str = "busy";

/// What a text is told whose thread has ended or panicked.
const FAILED: &str = "the embedder failed";

/// A vector, shared with the memo.
type Vector = Result<Arc<[f32]>, EmbedError>;

/// Threads that make vectors.
pub struct Pool {
    desk: Arc<Desk>,
    queue: SyncSender<Job>,
}

/// A vector that is there or on its way; dropping it stops nothing.
#[derive(Debug)]
#[must_use = "a vector has to be awaited; it is made and remembered in any case"]
pub struct Pending(State);

#[derive(Debug)]
enum State {
    There(Option<Vector>),
    Coming(oneshot::Receiver<Vector>),
}

/// What threads share.
struct Desk {
    embedder: Arc<dyn Embed>,
    memo: Arc<Memo>,
    /// Whether the pool is gone; guards nothing, since a thread that reads it late makes one vector more.
    over: AtomicBool,
}

struct Job {
    text: String,
    mark: Mark,
    to: oneshot::Sender<Vector>,
}

impl Pool {
    /// Starts as many threads, named `embed-0` and on.
    ///
    /// # Errors
    /// That the system gives no thread.
    pub fn new(
        embedder: Arc<dyn Embed>,
        memo: Arc<Memo>,
        threads: NonZeroUsize,
    ) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let desk = Arc::new(Desk {
            embedder,
            memo,
            over: AtomicBool::new(false),
        });
        // Made first: if a later thread cannot be started, dropping it ends the earlier ones.
        let pool = Self {
            desk: Arc::clone(&desk),
            queue,
        };
        for index in 0..threads.get() {
            let (desk, jobs) = (Arc::clone(&desk), Arc::clone(&jobs));
            thread::Builder::new()
                .name(format!("embed-{index}"))
                .spawn(move || desk.work(&jobs))?;
        }
        Ok(pool)
    }

    /// What tells its embedder from every other.
    #[must_use]
    pub fn name(&self) -> &str {
        self.desk.embedder.name()
    }

    /// Numbers in a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.desk.embedder.width()
    }

    /// Asks for the text's vector: at once if it is remembered, refused at once as [`BUSY`] if too many texts wait.
    ///
    /// The text is taken in by this call and not by the first poll, and the vector is remembered even if nobody awaits it.
    pub fn embed(&self, text: String) -> Pending {
        let mark = self.desk.memo.mark(self.name(), &text);
        if let Some(vector) = self.desk.memo.get(mark) {
            return Pending(State::There(Some(Ok(vector))));
        }
        let (to, coming) = oneshot::channel();
        let refused = match self.queue.try_send(Job { text, mark, to }) {
            Ok(()) => return Pending(State::Coming(coming)),
            Err(TrySendError::Full(_)) => BUSY,
            Err(TrySendError::Disconnected(_)) => FAILED,
        };
        Pending(State::There(Some(Err(EmbedError(refused.into())))))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The queue's end wakes idle threads; this keeps busy ones from emptying it first.
        self.desk.over.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("embedder", &self.name())
            .finish_non_exhaustive()
    }
}

impl Future for Pending {
    type Output = Vector;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vector> {
        let failed = || Err(EmbedError(FAILED.into()));
        match &mut self.0 {
            State::There(vector) => Poll::Ready(vector.take().unwrap_or_else(failed)),
            State::Coming(vector) => Pin::new(vector)
                .poll(context)
                .map(|vector| vector.unwrap_or_else(|_| failed())),
        }
    }
}

impl Desk {
    /// A thread's life: takes a text, makes its vector, until the pool is gone.
    fn work(&self, jobs: &Mutex<Receiver<Job>>) {
        loop {
            // Whoever holds the lock waits for the next text; the others wait for the lock.
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let vector = self.make(&job);
            // Nobody may be waiting any more; the vector is remembered all the same.
            let _ = job.to.send(vector);
        }
    }

    fn make(&self, job: &Job) -> Vector {
        // The same text may have stood in the queue before.
        if let Some(vector) = self.memo.get(job.mark) {
            return Ok(vector);
        }
        let made = catch_unwind(AssertUnwindSafe(|| self.embedder.embed(&job.text)));
        let vector: Arc<[f32]> = made
            .unwrap_or_else(|_| Err(EmbedError(FAILED.into())))?
            .into();
        self.memo.put(job.mark, Arc::clone(&vector));
        Ok(vector)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Waits at a gate before each vector, and tells when it is at it and when it is gone.
    struct Gated {
        at: Sender<&'static str>,
        gate: Mutex<Receiver<()>>,
        made: AtomicUsize,
    }

    impl Embed for Gated {
        fn name(&self) -> &str {
            "gated@0"
        }

        fn width(&self) -> usize {
            1
        }

        fn embed(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
            self.at.send("at").unwrap();
            let _ = self.gate.lock().unwrap().recv();
            self.made.fetch_add(1, Ordering::Relaxed);
            match text {
                "refused" => Err(EmbedError("no".into())),
                "panic" => panic!("as asked"),
                _ => Ok(vec![1.0]),
            }
        }
    }

    impl Drop for Gated {
        fn drop(&mut self) {
            let _ = self.at.send("gone");
        }
    }

    struct Scene {
        pool: Pool,
        embedder: Arc<Gated>,
        at: Receiver<&'static str>,
        open: Sender<()>,
    }

    fn scene(threads: usize) -> Scene {
        let (told, at) = channel();
        let (open, gate) = channel();
        let embedder = Arc::new(Gated {
            at: told,
            gate: Mutex::new(gate),
            made: AtomicUsize::new(0),
        });
        let memo = Arc::new(Memo::new(&[1; 32], 1 << 20));
        let threads = NonZeroUsize::new(threads).unwrap();
        Scene {
            pool: Pool::new(Arc::clone(&embedder) as _, memo, threads).unwrap(),
            embedder,
            at,
            open,
        }
    }

    fn vector() -> Vector {
        Ok(Arc::from([1.0]))
    }

    #[tokio::test]
    async fn a_text_is_embedded_once() {
        let scene = scene(2);
        scene.open.send(()).unwrap();
        assert_eq!(scene.pool.embed("a".into()).await, vector());
        assert_eq!(scene.pool.embed("a".into()).await, vector());
        assert_eq!(scene.embedder.made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_text_that_waits_twice_is_embedded_once() {
        let scene = scene(1);
        let both = [scene.pool.embed("a".into()), scene.pool.embed("a".into())];
        scene.open.send(()).unwrap();
        for pending in both {
            assert_eq!(pending.await, vector());
        }
        assert_eq!(scene.embedder.made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_vector_that_nobody_awaits_is_remembered() {
        let scene = scene(1);
        drop(scene.pool.embed("a".into()));
        let next = scene.pool.embed("b".into());
        scene.open.send(()).unwrap();
        scene.open.send(()).unwrap();
        assert_eq!(next.await, vector());
        // The gate is shut again: only the memo can answer.
        assert_eq!(scene.pool.embed("a".into()).await, vector());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_keeps_what_it_has() {
        let scene = scene(1);
        let first = scene.pool.embed("first".into());
        assert_eq!(scene.at.recv(), Ok("at"));
        let waiting: Vec<_> = (0..QUEUE)
            .map(|text| scene.pool.embed(text.to_string()))
            .collect();
        let refused = scene.pool.embed("one more".into()).await;
        assert_eq!(refused, Err(EmbedError(BUSY.into())));
        for _ in 0..=QUEUE {
            scene.open.send(()).unwrap();
        }
        for pending in waiting.into_iter().chain([first]) {
            assert_eq!(pending.await, vector());
        }
    }

    #[tokio::test]
    async fn an_error_reaches_who_asked_and_is_not_remembered() {
        let scene = scene(1);
        for _ in 0..2 {
            scene.open.send(()).unwrap();
            let refused = scene.pool.embed("refused".into()).await;
            assert_eq!(refused, Err(EmbedError("no".into())));
        }
        assert_eq!(scene.embedder.made.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_goes_on() {
        let scene = scene(1);
        scene.open.send(()).unwrap();
        let failed = scene.pool.embed("panic".into()).await;
        assert_eq!(failed, Err(EmbedError(FAILED.into())));
        scene.open.send(()).unwrap();
        assert_eq!(scene.pool.embed("a".into()).await, vector());
    }

    #[tokio::test]
    async fn threads_end_with_the_pool_and_those_who_wait_are_told() {
        let Scene {
            pool,
            embedder,
            at,
            open,
        } = scene(2);
        let begun = [pool.embed("a".into()), pool.embed("b".into())];
        assert_eq!([at.recv(), at.recv()], [Ok("at"), Ok("at")]);
        let waiting = pool.embed("c".into());
        drop((pool, embedder));
        drop(open);
        for pending in begun {
            assert_eq!(pending.await, vector());
        }
        assert_eq!(waiting.await, Err(EmbedError(FAILED.into())));
        // The last thread drops the embedder.
        assert_eq!(at.recv(), Ok("gone"));
    }
}
