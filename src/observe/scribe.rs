//! Who takes what is told of finished requests to everything that keeps or sends it?
//!
//! The path puts a [`Story`] into a bounded ring and goes on; a thread of its own takes the stories to each [`Sink`] in turn.
//!
//! # Invariants
//! - [`Scribe::tell`] never waits; what finds the ring full is counted and dropped.
//! - A sink that stands still holds the thread up and nothing else; whatever may take long, such as a network, has a thread of its own behind its sink.
//! - When the thread is told to stop, everything told before is taken first.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use super::meter::Counter;
use super::story::Story;
use crate::clock;

/// How often the thread looks for stories: what a crash may lose, against idle wake-ups.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Stories taken before the sinks may rest, at most: the rest of a flood must not keep them from writing.
const BATCH: usize = 1_024;

/// Something that keeps or sends stories.
pub trait Sink: Send {
    /// Takes one.
    fn take(&mut self, story: &Story);

    /// Does what is better done for many at once; after each batch, and at least every 100 ms or so. `unix_us` is now.
    fn rest(&mut self, unix_us: u64);
}

/// The queue's end that requests see.
#[derive(Clone, Debug)]
pub struct Scribe {
    ring: Arc<ArrayQueue<Box<Story>>>,
    dropped: Counter,
}

impl Scribe {
    /// Takes a story, or counts it as dropped.
    pub fn tell(&self, story: Box<Story>) {
        if self.ring.push(story).is_err() {
            self.dropped.inc();
        }
    }
}

/// The thread; stops, with everything taken, when dropped.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to take stories to the sinks.
///
/// # Errors
/// The system's, when no thread can be had.
pub fn start(
    capacity: usize,
    dropped: Counter,
    sinks: Vec<Box<dyn Sink>>,
) -> io::Result<(Scribe, Running)> {
    let ring = Arc::new(ArrayQueue::new(capacity.max(1)));
    let stop = Arc::new(AtomicBool::new(false));
    let (source, told) = (Arc::clone(&ring), Arc::clone(&stop));
    let thread = std::thread::Builder::new()
        .name("scribe".to_owned())
        .spawn(move || work(&source, &told, sinks))?;
    let running = Running {
        stop,
        thread: Some(thread),
    };
    Ok((Scribe { ring, dropped }, running))
}

fn work(ring: &ArrayQueue<Box<Story>>, stop: &AtomicBool, mut sinks: Vec<Box<dyn Sink>>) {
    loop {
        // Acquire pairs with the release in `Running::drop`: what was told before the stop is seen.
        let last = stop.load(Ordering::Acquire);
        let mut taken = 0;
        while taken < BATCH
            && let Some(story) = ring.pop()
        {
            taken += 1;
            for sink in &mut sinks {
                sink.take(&story);
            }
        }
        let now_us = u64::try_from(clock::unix().as_micros()).unwrap_or(u64::MAX);
        for sink in &mut sinks {
            sink.rest(now_us);
        }
        if taken == BATCH {
            continue;
        }
        if last {
            return;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Release pairs with the acquire in `work`.
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
