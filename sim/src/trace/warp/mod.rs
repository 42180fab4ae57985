//! How is a trace made faster, fuller, shorter?
//!
//! # Invariants
//! - What comes out is a trace: sorted, counted from its own beginning, `seen` whole or empty.
//! - The same trace, warp and seed give the same trace.

use clap::Args;
use rand::RngExt;
use scoring::time::Span;

use super::synthetic::stream_rng;
use super::{MOST_BLOCKS, MOST_REQUESTS, Request, Trace};

/// The largest factor of either kind.
const MOST_FACTOR: f64 = 1e4;

/// What a copy's block identities are mixed with, times its number: odd, so that no two copies collide by a pattern.
const COPY: u64 = 0xD6E8_FEB8_6659_FD93;

/// How a trace is changed before it is replayed.
#[derive(Args, Clone, Copy, Debug, PartialEq)]
pub struct Warp {
    /// Replay so many times as fast: every gap is divided by this, so bursts stay bursts and get denser.
    ///
    /// The load grows as with --scale, but it stays as irregular as it was: the hard way to more load.
    /// What was observed of the requests is kept.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    pub speed: f64,
    /// Replay so many copies of the trace at once, each begun at another point of it, which smooths: the bursts of one fall into the lulls of the others.
    ///
    /// The load of a service with so many times as many customers of the same kind.
    /// 2.5 is two copies and a random half of a third; 0.1 is a random tenth of the requests.
    /// Copies share no prompt prefixes, and nothing observed is kept.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    pub scale: f64,
}

impl Default for Warp {
    fn default() -> Self {
        Self {
            speed: 1.0,
            scale: 1.0,
        }
    }
}

impl Warp {
    /// Says why `trace` cannot be changed so, if it cannot.
    ///
    /// # Errors
    /// The reason, as a sentence for the user.
    pub fn check(&self, trace: &Trace) -> Result<(), String> {
        let full = |present: usize, most: usize| present as f64 * self.scale > most as f64;
        if full(trace.requests.len(), MOST_REQUESTS) || full(trace.blocks.len(), MOST_BLOCKS) {
            return Err(format!(
                "--scale {} makes too much of the trace: at most {MOST_REQUESTS} requests and {MOST_BLOCKS} prefix blocks fit",
                self.scale
            ));
        }
        Ok(())
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor <= MOST_FACTOR => Ok(factor),
        Ok(_) => Err(format!("must be above 0 and at most {MOST_FACTOR}")),
        Err(_) => Err("is not a number".to_owned()),
    }
}

/// A half of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// To tune on.
    First,
    /// To judge on.
    Second,
}

/// The trace, warped: first scaled, then sped up.
///
/// A factor out of range is taken as the nearest in it, and copies end at [`MOST_REQUESTS`] and have no blocks beyond [`MOST_BLOCKS`]; [`Warp::check`] tells before.
#[must_use]
pub fn warp(trace: &Trace, warp: &Warp, seed: u64) -> Trace {
    let unchanged = |factor: f64| (factor - 1.0).abs() < 1e-12;
    let mut warped = if unchanged(warp.scale) {
        trace.clone()
    } else {
        scaled(trace, warp.scale.clamp(0.0, MOST_FACTOR), seed)
    };
    if !unchanged(warp.speed) {
        let speed = warp.speed.clamp(1.0 / MOST_FACTOR, MOST_FACTOR);
        for request in &mut warped.requests {
            request.at = request.at.mul_f64(1.0 / speed);
        }
    }
    warped
}

/// `scale` copies on top of each other.
fn scaled(trace: &Trace, scale: f64, seed: u64) -> Trace {
    let length = trace.length().as_micros().max(1);
    let mut out = Trace {
        models: trace.models.clone(),
        tenants: trace.tenants.clone(),
        sessions: trace.sessions,
        ..Trace::default()
    };
    for copy in 0..scale.ceil() as u64 {
        let mut rng = stream_rng(seed, copy);
        // The first copy stays where it is, so that a trace scaled up begins as the trace does.
        let offset = if copy == 0 {
            0
        } else {
            rng.random_range(0..length)
        };
        let share = scale - copy as f64;
        for request in &trace.requests {
            if share < 1.0 && rng.random::<f64>() >= share {
                continue;
            }
            if out.requests.len() >= MOST_REQUESTS {
                break;
            }
            let at = (request.at.as_micros() + offset) % length;
            let mut blocks = trace.blocks_of(request);
            if out.blocks.len() + blocks.len() > MOST_BLOCKS {
                blocks = &[];
            }
            let own = blocks.iter().map(|id| id ^ copy.wrapping_mul(COPY));
            let block = out.blocks.len() as u32;
            out.blocks.extend(own);
            out.requests.push(Request {
                at: Span::from_micros(at),
                block,
                blocks: blocks.len() as u16,
                ..*request
            });
        }
    }
    out.requests.sort_by_key(|request| request.at);
    out
}

/// The requests that arrive before `length`.
#[must_use]
pub fn cut(trace: &Trace, length: Span) -> Trace {
    part(trace, Span::ZERO, length)
}

/// The first or the second half of the trace's time, the latter beginning at zero.
#[must_use]
pub fn half(trace: &Trace, which: Half) -> Trace {
    let middle = Span::from_micros(trace.length().as_micros() / 2);
    match which {
        Half::First => part(trace, Span::ZERO, middle),
        Half::Second => part(trace, middle, Span::from_micros(u64::MAX)),
    }
}

/// The requests that arrive from `from` on and before `until`, counted from `from`.
#[must_use]
pub fn part(trace: &Trace, from: Span, until: Span) -> Trace {
    let before = |span: Span| trace.requests.partition_point(|it| it.at < span);
    let (first, end) = (before(from), before(until));
    let range = first..end.max(first);
    let mut out = Trace {
        seen: trace.seen.get(range.clone()).unwrap_or_default().to_vec(),
        routes: trace.routes.clone(),
        models: trace.models.clone(),
        tenants: trace.tenants.clone(),
        sessions: trace.sessions,
        ..Trace::default()
    };
    for request in &trace.requests[range] {
        let block = out.blocks.len() as u32;
        out.blocks.extend_from_slice(trace.blocks_of(request));
        out.requests.push(Request {
            at: Span::from_micros(request.at.as_micros() - from.as_micros()),
            block,
            ..*request
        });
    }
    out
}

#[cfg(test)]
mod tests;
