//! How long are prompts and answers?
//!
//! Each service is a table of quantiles between which lengths are drawn evenly: a mixture of as many uniform distributions as it has gaps.
//! Why not log-normal: what matters of these services is what is not smooth in them, the clusters of Azure's chat at 1 020 and 4 100 tokens and the limits of its coding service at 7 437.
//! Input and output are independent: the traces correlate them by −0.11 to 0.07.
//!
//! # Invariants
//! - A length is at least 1 and at most the table's last.
//!
//! # Sources
//! Azure LLM inference trace 2023 (Patel et al., *Splitwise*, ISCA 2024; CC-BY 4.0): all quantiles of the conversation service; of the coding service mean, p50, p95, p99 and maximum, the others chosen to meet the mean.
//! Mooncake conversation trace (Qin et al., *Mooncake*, FAST 2025; Apache-2.0): all quantiles.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use crate::scenario::Lengths;

/// Shares and the lengths up to which they go.
type Table = [(f64, f64)];

const CONV_INPUT: &Table = &[
    (0.0, 2.0),
    (0.01, 29.0),
    (0.05, 181.0),
    (0.1, 207.0),
    (0.15, 372.0),
    (0.25, 396.0),
    (0.35, 414.0),
    (0.4, 703.0),
    (0.45, 984.0),
    (0.5, 1_020.0),
    (0.6, 1_071.0),
    (0.7, 1_130.0),
    (0.75, 1_189.0),
    (0.8, 1_315.0),
    (0.85, 1_877.0),
    (0.9, 2_735.0),
    (0.92, 4_073.0),
    (0.95, 4_083.0),
    (0.98, 4_098.0),
    (0.99, 4_142.0),
    (0.999, 6_212.0),
    (1.0, 14_050.0),
];

const CONV_OUTPUT: &Table = &[
    (0.0, 7.0),
    (0.01, 16.0),
    (0.05, 41.0),
    (0.1, 54.0),
    (0.2, 77.0),
    (0.3, 91.0),
    (0.4, 103.0),
    (0.5, 129.0),
    (0.6, 177.0),
    (0.65, 217.0),
    (0.7, 384.0),
    (0.8, 400.0),
    (0.9, 424.0),
    (0.95, 451.0),
    (0.99, 601.0),
    (0.999, 954.0),
    (1.0, 1_000.0),
];

const CODE_INPUT: &Table = &[
    (0.0, 2.0),
    (0.05, 130.0),
    (0.1, 260.0),
    (0.25, 700.0),
    (0.5, 1_469.0),
    (0.75, 2_500.0),
    (0.9, 4_700.0),
    (0.95, 7_303.0),
    (0.99, 7_436.0),
    (1.0, 7_437.0),
];

const CODE_OUTPUT: &Table = &[
    (0.0, 1.0),
    (0.1, 5.0),
    (0.25, 8.0),
    (0.5, 13.0),
    (0.75, 21.0),
    (0.9, 45.0),
    (0.95, 90.0),
    (0.99, 252.0),
    (0.999, 600.0),
    (1.0, 1_899.0),
];

const MOONCAKE_INPUT: &Table = &[
    (0.0, 891.0),
    (0.05, 901.0),
    (0.1, 964.0),
    (0.15, 1_261.0),
    (0.2, 1_662.0),
    (0.25, 2_306.0),
    (0.3, 3_263.0),
    (0.4, 4_993.0),
    (0.5, 6_909.0),
    (0.6, 9_570.0),
    (0.7, 13_196.0),
    (0.8, 17_869.0),
    (0.85, 21_467.0),
    (0.9, 27_367.0),
    (0.95, 39_552.0),
    (0.99, 85_401.0),
    (0.999, 121_301.0),
    (1.0, 126_195.0),
];

const MOONCAKE_OUTPUT: &Table = &[
    (0.0, 1.0),
    (0.01, 3.0),
    (0.05, 10.0),
    (0.1, 24.0),
    (0.2, 100.0),
    (0.3, 213.0),
    (0.4, 291.0),
    (0.5, 350.0),
    (0.6, 399.0),
    (0.7, 447.0),
    (0.8, 504.0),
    (0.9, 597.0),
    (0.95, 698.0),
    (0.99, 1_120.0),
    (0.999, 2_000.0),
    (1.0, 2_000.0),
];

/// Most tokens of a drawn length: beyond any model's context, so that a σ too large is no overflow.
const MOST_TOKENS: f64 = 10_000_000.0;

/// Input and output tokens of one request.
pub(super) fn draw(lengths: Lengths, rng: &mut impl Rng) -> (u32, u32) {
    let mut from = |table: &Table| at(table, rng.random());
    match lengths {
        Lengths::AzureConv => (from(CONV_INPUT), from(CONV_OUTPUT)),
        Lengths::AzureCode => (from(CODE_INPUT), from(CODE_OUTPUT)),
        Lengths::Mooncake => (from(MOONCAKE_INPUT), from(MOONCAKE_OUTPUT)),
        Lengths::Drawn {
            input,
            input_sigma,
            output,
            output_sigma,
        } => {
            let input = log_normal(input, input_sigma, rng);
            (input, log_normal(output, output_sigma, rng))
        }
    }
}

/// The length that `share` of all are below; 0..1.
fn at(table: &Table, share: f64) -> u32 {
    let above = table.partition_point(|&(upto, _)| upto <= share);
    let above = above.clamp(1, table.len() - 1);
    let ((low, shorter), (high, longer)) = (table[above - 1], table[above]);
    let place = (share - low) / (high - low);
    // Half up, as a length of 20.6 is 21.
    (shorter + (longer - shorter) * place + 0.5) as u32
}

/// A log-normal length with this median and σ of the logarithm.
fn log_normal(median: f64, sigma: f64, rng: &mut impl Rng) -> u32 {
    let normal: f64 = StandardNormal.sample(rng);
    let drawn = median * (sigma * normal).exp() + 0.5;
    // A NaN passes the clamp and becomes 0.
    (drawn.clamp(1.0, MOST_TOKENS) as u32).max(1)
}
