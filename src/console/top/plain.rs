//! What is seen as lines of text, one a second and one for each event.
//!
//! # Invariants
//! - No control characters.

use std::io::{self, Write};

use super::draw::{clock, latency, number, percent};
use super::follow::News;
use super::seen::{Seen, Tick};

/// Writes lines.
#[derive(Debug)]
pub(super) struct Plain<W> {
    out: W,
    seen: Seen,
}

impl<W: Write> Plain<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            seen: Seen::default(),
        }
    }

    /// Writes what is new.
    pub(super) fn show(&mut self, news: News) -> io::Result<()> {
        match &news {
            News::Gone(why) => writeln!(self.out, "the gateway is gone: {why}; asking again")?,
            News::Hello(_) | News::Tick(_) | News::Over(_) => {}
        }
        let is_tick = matches!(news, News::Tick(_));
        self.seen.take(news);
        if is_tick {
            for event in &self.seen.tick.events {
                writeln!(self.out, "{} * {}", clock(event.at_us), event.what)?;
            }
            writeln!(self.out, "{}", line(&self.seen.tick))?;
        } else if self.seen.gone.is_none() {
            writeln!(self.out, "Trimtab {}", self.seen.version)?;
        }
        self.out.flush()
    }
}

fn line(tick: &Tick) -> String {
    let gateway = &tick.gateway;
    let mut line = format!(
        "{} {} req/s, {} in flight, success {}, p50 {}, p95 {}, ttft {}",
        clock(tick.at_us),
        number(gateway.rps),
        gateway.inflight,
        percent(gateway.success),
        latency(gateway.duration_p50_ms),
        latency(gateway.duration_p95_ms),
        latency(gateway.ttft_p50_ms),
    );
    for route in &tick.routes {
        if route.rps > 0.0 || route.state != "healthy" {
            let share = percent(route.share);
            line.push_str(&format!("; {} {} {share}", route.route, route.state));
        }
    }
    line
}
