//! Which requests are sent, and when?
//!
//! An endless, seeded list of orders: Poisson arrivals, prompt and answer lengths as in the Azure conversation trace.
//! Gateway and twin are sent the same orders at the same instants, whatever becomes of earlier ones.
//!
//! # Invariants
//! - Same seed and rate, same orders.
//! - Due times never decrease; no order waits for an answer.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Exp1, StandardNormal};
use scoring::time::Span;

use super::script::MODEL;

/// Median prompt of the Azure conversation trace, in tokens.
const INPUT_MEDIAN: f64 = 1_020.0;

/// σ of ln(prompt length): puts the 95th percentile at the trace's 4,083 tokens.
const INPUT_SIGMA: f64 = 0.843;

/// The trace's longest prompt, in tokens.
const INPUT_MOST: u32 = 14_050;

/// Median answer of the trace, in tokens.
const OUTPUT_MEDIAN: f64 = 129.0;

/// σ of ln(answer length): puts the 95th percentile at the trace's 451 tokens.
const OUTPUT_SIGMA: f64 = 0.761;

/// The trace's longest answer, in tokens.
const OUTPUT_MOST: u32 = 1_000;

/// Share of requests that ask for a stream.
const STREAMED: f64 = 0.6;

/// Bytes of text in a token, as the stand-ins count.
const TOKEN_BYTES: usize = 4;

/// How the answer is to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Stream,
    Whole,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Order {
    /// When it is due, since the beginning; latency counts from here.
    pub(super) due: Span,
    pub(super) delivery: Delivery,
    /// Tokens of the prompt.
    pub(super) input: u32,
    /// Tokens of the answer: exactly so many numbered words come back.
    pub(super) output: u32,
}

/// The list of orders.
#[derive(Debug)]
pub(super) struct Orders {
    rng: SmallRng,
    rate: f64,
    due_s: f64,
}

impl Orders {
    /// `rate` orders a second on average; above 0.
    pub(super) fn new(rate: f64, seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            rate,
            due_s: 0.0,
        }
    }

    fn tokens(&mut self, median: f64, sigma: f64, most: u32) -> u32 {
        let z: f64 = self.rng.sample(StandardNormal);
        let tokens = (median * (sigma * z).exp()).round();
        tokens.clamp(1.0, f64::from(most)) as u32
    }
}

impl Iterator for Orders {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        let gap: f64 = self.rng.sample(Exp1);
        self.due_s += gap / self.rate;
        let streamed = self.rng.random::<f64>() < STREAMED;
        Some(Order {
            due: Span::from_secs_f64(self.due_s),
            delivery: if streamed {
                Delivery::Stream
            } else {
                Delivery::Whole
            },
            input: self.tokens(INPUT_MEDIAN, INPUT_SIGMA, INPUT_MOST),
            output: self.tokens(OUTPUT_MEDIAN, OUTPUT_SIGMA, OUTPUT_MOST),
        })
    }
}

impl Order {
    /// The request's body: a prompt of as many tokens, and `max_tokens` for the answer's length.
    pub(super) fn body(&self) -> Bytes {
        const PHRASE: &str = "the wind has gone round to the west and ";
        let length = self.input as usize * TOKEN_BYTES;
        let mut prompt = PHRASE.repeat(length / PHRASE.len() + 1);
        prompt.truncate(length);
        let options = match self.delivery {
            Delivery::Stream => ",\"stream\":true,\"stream_options\":{\"include_usage\":true}",
            Delivery::Whole => "",
        };
        let output = self.output;
        Bytes::from(format!(
            "{{\"model\":\"{MODEL}\",\"max_tokens\":{output}{options},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}"
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn percentile(mut values: Vec<u32>, share: f64) -> u32 {
        values.sort_unstable();
        values[(values.len() as f64 * share) as usize]
    }

    #[test]
    fn the_same_seed_gives_the_same_orders() {
        let first: Vec<Order> = Orders::new(40.0, 7).take(50).collect();
        assert_eq!(first, Orders::new(40.0, 7).take(50).collect::<Vec<_>>());
        assert_ne!(first, Orders::new(40.0, 8).take(50).collect::<Vec<_>>());
        assert!(first.is_sorted_by_key(|order| order.due));
    }

    #[test]
    fn arrivals_and_lengths_are_as_stated() {
        let orders: Vec<Order> = Orders::new(40.0, 7).take(20_000).collect();
        let rate = orders.len() as f64 / orders[orders.len() - 1].due.as_secs_f64();
        assert!((39.0..41.0).contains(&rate), "seed 7: {rate}/s");
        let streams = orders
            .iter()
            .filter(|order| order.delivery == Delivery::Stream)
            .count();
        assert!(
            (11_700..12_300).contains(&streams),
            "seed 7: {streams} streams"
        );
        let outputs: Vec<u32> = orders.iter().map(|order| order.output).collect();
        let inputs: Vec<u32> = orders.iter().map(|order| order.input).collect();
        for (values, share, expected) in [
            (&outputs, 0.5, 129),
            (&outputs, 0.95, 451),
            (&inputs, 0.5, 1_020),
            (&inputs, 0.95, 4_083),
        ] {
            let seen = percentile(values.clone(), share);
            let off = f64::from(seen.abs_diff(expected)) / f64::from(expected);
            assert!(off < 0.04, "seed 7: {seen} instead of {expected}");
        }
    }

    #[test]
    fn a_body_is_json_with_a_prompt_of_that_length() {
        let order = Order {
            due: Span::ZERO,
            delivery: Delivery::Stream,
            input: 100,
            output: 9,
        };
        let body: serde_json::Value = serde_json::from_slice(&order.body()).unwrap();
        assert_eq!(
            body["messages"][0]["content"].as_str().map(str::len),
            Some(400)
        );
        assert_eq!(
            (body["max_tokens"].as_u64(), body["stream"].as_bool()),
            (Some(9), Some(true))
        );
    }
}
