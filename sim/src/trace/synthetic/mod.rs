//! The built-in traffic: what is asked when no file is given.
//!
//! Each stream draws arrivals, lengths and conversations with generators of its own, so that changing one of them leaves the others as they were.
//! A surge multiplies the rate by stretching time: the same gaps pass faster, so that arrivals are as irregular inside as outside.
//!
//! # Invariants
//! - The trace is a function of traffic, duration and seed.
//! - Closed loops are not in it: they ask when the engine has answered, and [`draw`] says what.
//! - An answer is never longer than its `max_tokens`; only classes that decode have answers of more than one token.

pub(in crate::trace) mod gaps;
mod lengths;
mod pace;
mod talks;

#[cfg(test)]
mod tests;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use scoring::time::Span;

use super::{MOST_REQUESTS, Request, Trace};
use crate::scenario::Traffic;
use talks::Talks;

/// Name of the one model, and of the one tenant, of generated traffic.
const ONLY: &str = "main";

/// Odd and far from any small multiple: the fraction of the golden ratio, as 64 bits.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Generators that each stream has: arrivals, lengths, conversations.
const GENERATORS: u64 = 3;

/// The generator numbered `index` of those that `seed` gives.
pub(in crate::trace) fn stream_rng(seed: u64, index: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed.wrapping_add(GOLDEN.wrapping_mul(index.wrapping_add(1))))
}

/// The requests of `duration` that every stream of `traffic` asks for by itself, in order.
///
/// Streams with [`clients`](Traffic::clients) are left out; see [`draw`].
/// Beyond [`MOST_REQUESTS`] nothing is added.
#[must_use]
pub fn synthetic(traffic: &[Traffic], duration: Span, seed: u64) -> Trace {
    let mut trace = Trace {
        models: vec![ONLY.to_owned()],
        tenants: vec![ONLY.to_owned()],
        sessions: true,
        ..Trace::default()
    };
    let streams = traffic.iter().zip(0_u64..);
    for (stream, index) in streams.filter(|(stream, _)| stream.clients == 0) {
        let rng = |which| stream_rng(seed, index * GENERATORS + which);
        let (mut arrivals, mut lengths) = (rng(0), rng(1));
        let mut talks = Talks::new(stream.conversations, index, rng(2));
        pace::each(stream, duration, &mut arrivals, |at| {
            let mut request = draw(stream, &mut lengths);
            request.at = at;
            talks.join(&mut request, &mut trace.blocks);
            trace.requests.push(request);
            trace.requests.len() < MOST_REQUESTS
        });
    }
    // Stable: the first stream goes first at the same µs.
    trace.requests.sort_by_key(|request| request.at);
    trace
}

/// One request of a stream, at zero and without prefix: its lengths, limit, deadline and class.
pub fn draw(traffic: &Traffic, rng: &mut impl Rng) -> Request {
    let (input, answer) = lengths::draw(traffic.lengths, rng);
    let most = traffic.max_tokens.unwrap_or(u32::MAX).max(1);
    let output = match traffic.class.decodes() {
        true => answer.min(most),
        false => 1,
    };
    Request {
        class: traffic.class,
        max_tokens: traffic.max_tokens,
        deadline: traffic.deadline,
        ..Request::chat(Span::ZERO, input, output)
    }
}
