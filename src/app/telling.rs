//! Who is told of finished requests?
//!
//! # Invariants
//! - Where nobody keeps or sends requests there is no thread, and the path notes nothing.

use crate::config::{Config, Requests};
use crate::observe::scribe::{self, Running, Scribe, Sink};
use crate::proxy::Lasting;

use super::StartError;

/// Begins to tell those whom the configuration names.
pub(super) fn begin(
    config: &Config,
    lasting: &Lasting,
) -> Result<(Option<Scribe>, Option<Running>), StartError> {
    let sinks: Vec<Box<dyn Sink>> = Vec::new();
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
