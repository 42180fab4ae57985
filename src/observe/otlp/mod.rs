//! Traces, sent to a collector after OpenTelemetry's protocol over HTTP.
//!
//! Stories become spans, spans gather in a batch, and a thread of its own takes batches to the collector.
//!
//! # Invariants
//! - A collector that is slow, gone or talks nonsense costs spans, which are counted, and nothing else.
//! - What waits to be sent is bounded, in spans.

mod batch;
mod counts;
mod names;
mod retry;
mod sender;
mod spans;
#[cfg(test)]
mod tests;
mod wire;

pub use batch::{Batch, Sealed, Teller};
pub use counts::{Lost, Spans};
pub use sender::SenderError;
pub use spans::{wanted, write};
pub use wire::Pen;

use super::scribe::Sink;
use super::story::Story;
use crate::config::Otlp;
use crate::upstream::Origins;
use sender::Sender;

/// How long a batch is gathered, µs: a second, OpenTelemetry's own exporters have five.
const GATHERED_US: u64 = 1_000_000;

/// Tells a collector of requests.
#[derive(Debug)]
pub struct Traces {
    teller: Teller,
    batch: Batch,
    /// When the batch's first spans were seen here, µs since 1970.
    began_us: Option<u64>,
    /// Spans of a batch, at most.
    most: u32,
    failures: bool,
    sender: Sender,
}

impl Traces {
    /// Begins to tell the collector that the settings name; `instance` tells this process from others of the service.
    ///
    /// # Errors
    /// [`SenderError`]; nothing runs then.
    pub fn start(
        settings: &Otlp,
        instance: &str,
        (origins, counts): (&Origins, Spans),
    ) -> Result<Self, SenderError> {
        let queue = u32::try_from(settings.queue).unwrap_or(u32::MAX);
        Ok(Self {
            teller: Teller::new(&settings.service, instance),
            batch: Batch::default(),
            began_us: None,
            most: queue.min(batch::MOST),
            failures: settings.failures,
            sender: Sender::start(settings, origins, counts)?,
        })
    }

    /// Hands over what was gathered.
    fn hand_over(&mut self) {
        self.began_us = None;
        if self.batch.spans() > 0 {
            self.sender.send(self.teller.seal(&mut self.batch));
        }
    }
}

impl Sink for Traces {
    fn take(&mut self, story: &Story) {
        if !wanted(story, self.failures) {
            return;
        }
        if self.batch.spans() + spans::count(story) > self.most {
            self.hand_over();
        }
        self.batch.add(|pen| write(pen, story));
    }

    fn rest(&mut self, unix_us: u64) {
        if self.batch.spans() == 0 {
            return;
        }
        let began = *self.began_us.get_or_insert(unix_us);
        // A clock that was set back must not keep a batch.
        if self.batch.spans() >= self.most || unix_us.abs_diff(began) >= GATHERED_US {
            self.hand_over();
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.hand_over();
    }
}
