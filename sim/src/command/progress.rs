//! A bar with the time left, for whatever takes longer than two seconds.
//!
//! # Invariants
//! - Written to the standard error, only if that is a terminal; never part of what is printed.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::suite::Progress;

/// How a bar looks.
const LOOK: &str = "{bar:40} {pos}/{len} cells  {msg}  {elapsed} gone, {eta} left";

/// A bar of cells.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    /// Requests simulated so far; a statistic.
    requests: AtomicU64,
}

impl Bar {
    /// A bar that shows itself, or one that does not.
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::new(0);
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(4)
        };
        bar.set_draw_target(target);
        if let Ok(style) = ProgressStyle::with_template(LOOK) {
            bar.set_style(style);
        }
        Self {
            bar,
            requests: AtomicU64::new(0),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// How many requests were simulated, and how many a second on each of `threads`.
    pub(super) fn summary(&self, threads: usize) -> String {
        let requests = self.requests.load(Ordering::Relaxed) as f64;
        let pace = self.pace(requests) / threads.max(1) as f64;
        format!(
            "{:.1} million requests, {:.2} million a second on each of {threads} threads\n",
            requests / 1e6,
            pace / 1e6
        )
    }

    /// Requests per second of wall time so far, all threads together.
    fn pace(&self, requests: f64) -> f64 {
        requests / self.bar.elapsed().as_secs_f64().max(1e-9)
    }
}

impl Progress for Bar {
    fn done(&self, cells: usize, of: usize, requests: u64) {
        self.requests.fetch_max(requests, Ordering::Relaxed);
        let pace = self.pace(requests as f64);
        self.bar.set_length(of as u64);
        self.bar.set_position(cells as u64);
        self.bar
            .set_message(format!("{:.2} M requests/s", pace / 1e6));
    }
}
