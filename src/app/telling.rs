//! Who is told of finished requests?
//!
//! # Invariants
//! - Where nobody keeps or sends requests there is no thread, and the path notes nothing.

use std::io;
use std::path::PathBuf;

use rand::RngExt as _;

use crate::clock;
use crate::config::{Config, Otlp, Requests};
use crate::observe::archive::Archive;
use crate::observe::journal::Journal;
use crate::observe::metrics::Metrics;
use crate::observe::otlp::{SenderError, Traces};
use crate::observe::scribe::{self, Running, Scribe, Sink};
use crate::proxy::Lasting;

use super::StartError;

/// Why nothing can be told of requests.
#[derive(Debug, thiserror::Error)]
pub enum TellingError {
    /// The log of requests cannot be opened.
    #[error("cannot log requests to {path}: {source}")]
    RequestLog {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Traces cannot be sent.
    #[error("cannot send traces to {endpoint}: {source}")]
    Otlp {
        /// The collector.
        endpoint: String,
        /// What is wrong.
        source: SenderError,
    },
}

/// What keeps requests, if any are kept.
pub(super) fn keep(config: &Config, metrics: &Metrics) -> Result<Option<Archive>, StartError> {
    let now_us = clock::unix_micros().unsigned_abs();
    let not_kept = metrics.requests_not_kept.clone();
    Ok(Archive::begin(&config.requests, not_kept, now_us)?)
}

/// Begins to tell those whom the configuration names.
pub(super) fn begin(
    config: &Config,
    lasting: &Lasting,
    kept: Option<Archive>,
) -> Result<(Option<Scribe>, Option<Running>), StartError> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    sinks.extend(kept.map(|it| Box::new(it) as Box<dyn Sink>));
    if let Some(log) = &config.request_log {
        let now_us = u64::try_from(clock::unix().as_micros()).unwrap_or(u64::MAX);
        let counts = lasting.metrics.log_lines.clone();
        let journal = Journal::open(log, counts, now_us);
        let journal = journal.map_err(|source| TellingError::RequestLog {
            path: log.path.clone(),
            source,
        })?;
        sinks.push(Box::new(journal));
    }
    if let Some(otlp) = &config.otlp {
        let counts = lasting.metrics.spans.clone();
        let traces = Traces::start(otlp, &instance(), (&lasting.origins, counts));
        let traces = traces.map_err(|source| TellingError::Otlp {
            endpoint: otlp.endpoint.to_string(),
            source,
        })?;
        sinks.push(Box::new(traces));
    }
    if sinks.is_empty() {
        return Ok((None, None));
    }
    let dropped = lasting.metrics.stories_dropped.clone();
    let (scribe, running) = scribe::start(config.requests.queue, dropped, sinks)?;
    Ok((Some(scribe), Some(running)))
}

/// Whether what is set up once differs; the rest is taken over with the next request.
pub(super) fn differs(was: &Requests, is: &Requests) -> bool {
    let fixed = |it: &Requests| Requests {
        explain: 0.0,
        content: false,
        content_size: 0,
        redact: false,
        ..it.clone()
    };
    fixed(was) != fixed(is)
}

/// Whether what is set up once differs; the sample, and whether providers are told, are taken over with the next request.
pub(super) fn otlp_differs(was: Option<&Otlp>, is: Option<&Otlp>) -> bool {
    let fixed = |it: &Otlp| {
        let headers = it.headers.clone();
        let how = (it.failures, it.timeout, it.queue);
        (it.endpoint.clone(), headers, it.service.clone(), how)
    };
    was.map(fixed) != is.map(fixed)
}

/// What tells this process from others of the same service: a random UUID, as OpenTelemetry wants it.
fn instance() -> String {
    let drawn = clock::rng().random::<u128>();
    let marked = drawn & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{marked:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_a_random_uuid() {
        let (one, other) = (instance(), instance());
        assert_ne!(one, other);
        assert_eq!((one.len(), &one[14..15]), (36, "4"), "{one}");
        assert!(["8", "9", "a", "b"].contains(&&one[19..20]), "{one}");
    }
}
