//! Writes each finished request as one line of the trace format, for replay.
//!
//! The path puts a record into a bounded ring and goes on; a thread of its own writes.
//! No text of a prompt or an answer is ever in a record.
//! Fields: `t_us` (µs since the Unix epoch), `class`, `model`, `tenant`, `in`, `out`, `max_tokens`, `stream`, `deadline_ms`, `prefix`,
//! and as observed `route`, `status`, `ttft_us`, `total_us`, `p_select`, `attempts`, `outcome`,
//! and of the first attempt `first`, `first_us`, `first_outcome`: what `p_select` chose and what came of it.
//!
//! # Invariants
//! - [`Recorder::record`] never waits; what finds the ring full is counted and dropped.
//! - A line is written whole or not at all by this process; the file is only appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use serde::Serialize;

use super::meter::Counter;

/// How often the writer looks for records: what a crash may lose, against idle wake-ups.
const WRITE_EVERY: Duration = Duration::from_millis(100);

/// One finished request.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// When the request arrived, µs since the Unix epoch.
    pub t_us: u64,
    /// The request class: `chat_stream`, `chat`, `embedding`.
    pub class: &'static str,
    /// The model asked for.
    pub model: Arc<str>,
    /// The tenant; null until there are virtual keys.
    pub tenant: Option<Arc<str>>,
    /// Input tokens, as reported or else estimated.
    #[serde(rename = "in")]
    pub input: u32,
    /// Output tokens, as reported or else counted.
    #[serde(rename = "out")]
    pub output: u32,
    /// The most output tokens asked for.
    pub max_tokens: Option<u32>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The request's deadline, ms after its arrival.
    pub deadline_ms: u64,
    /// The hash of the session whose turn it is, so that its prompts begin alike; null where it names none, and another one in another process.
    pub prefix: Option<u64>,
    /// The route that answered or was tried last.
    pub route: Option<Arc<str>>,
    /// The status that the client got; 0 if it left before.
    pub status: u16,
    /// From the last attempt's start to its first content token, µs; streams only.
    pub ttft_us: Option<u64>,
    /// From arrival to the end, µs.
    pub total_us: u64,
    /// The probability with which the first attempt's route was chosen.
    pub p_select: Option<f32>,
    /// Attempts made.
    pub attempts: u32,
    /// How the last attempt ended.
    pub outcome: Option<&'static str>,
    /// The route of the first attempt.
    pub first: Option<Arc<str>>,
    /// From arrival to the first attempt's end, µs.
    pub first_us: Option<u64>,
    /// How the first attempt ended.
    pub first_outcome: Option<&'static str>,
}

/// The queue's end that requests see.
#[derive(Clone, Debug)]
pub struct Recorder {
    ring: Arc<ArrayQueue<Record>>,
    dropped: Counter,
}

impl Recorder {
    /// Takes a record, or counts it as dropped.
    pub fn record(&self, record: Record) {
        if self.ring.push(record).is_err() {
            self.dropped.inc();
        }
    }
}

/// The writing thread; stops, with everything written, when told to or dropped.
#[derive(Debug)]
pub struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the file and begins to write to it.
///
/// # Errors
/// The file system's, when the file cannot be opened for appending.
pub fn start(path: &Path, capacity: usize, dropped: Counter) -> io::Result<(Recorder, Writer)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let ring = Arc::new(ArrayQueue::new(capacity.max(1)));
    let stop = Arc::new(AtomicBool::new(false));
    let (source, told) = (Arc::clone(&ring), Arc::clone(&stop));
    let thread = std::thread::Builder::new()
        .name("trace".to_owned())
        .spawn(move || write(&file, &source, &told))?;
    let writer = Writer {
        stop,
        thread: Some(thread),
    };
    Ok((Recorder { ring, dropped }, writer))
}

fn write(file: &File, ring: &ArrayQueue<Record>, stop: &AtomicBool) {
    let mut out = BufWriter::new(file);
    loop {
        // Acquire pairs with the release in `Writer::drop`: what was recorded before the stop is seen.
        let last = stop.load(Ordering::Acquire);
        let mut written = Ok(());
        while let Some(record) = ring.pop() {
            written = written.and_then(|()| line(&mut out, &record));
        }
        if let Err(error) = written.and_then(|()| out.flush()) {
            tracing::error!(%error, "the trace cannot be written");
        }
        if last {
            return;
        }
        std::thread::park_timeout(WRITE_EVERY);
    }
}

fn line(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let mut text = serde_json::to_vec(record)?;
    text.push(b'\n');
    out.write_all(&text)
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Release pairs with the acquire in `write`.
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
