//! Who is told of finished requests?
//!
//! # Invariants
//! - Where nobody keeps or sends requests there is no thread, and the path notes nothing.

use crate::clock;
use crate::config::{Config, Requests};
use crate::observe::archive::Archive;
use crate::observe::metrics::Metrics;
use crate::observe::scribe::{self, Running, Scribe, Sink};
use crate::proxy::Lasting;

use super::StartError;

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
