//! What may be written about governance as a whole, and about prices?
//!
//! # Invariants
//! - As of [`raw`](super).

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::governance::Governance;
use super::super::prices::PriceOverride;
use super::super::units::written_size;
use super::super::written::{At, Size, Stretch};

/// How virtual keys are asked for, and how money is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Governance")]
pub(in crate::config) struct RawGovernance {
    /// Folder of the ledger and of history, relative to the directory of this file. It belongs to one process at a time.
    #[schemars(length(min = 1), extend("default" = Governance::DATA))]
    pub(in crate::config) data: Option<At<String>>,
    /// Whether every request needs a virtual key. The default is true as soon as there is one, under `[keys]` or made over the admin API.
    pub(in crate::config) keys_required: Option<At<bool>>,
    /// Output tokens that are reserved for where neither the request nor the model says a most.
    #[schemars(range(min = 1, max = 10_000_000), extend("default" = Governance::ASSUMED_OUTPUT_TOKENS))]
    pub(in crate::config) assumed_output_tokens: Option<At<u32>>,
    /// What becomes of a request to a route whose price nobody knows: it is answered, charged as far as its price is known, and told (`flag`), or the route is not used where a budget holds (`refuse`).
    #[schemars(extend("default" = "flag"))]
    pub(in crate::config) unknown_price: Option<At<RawUnknownPrice>>,
    /// What a loss of power may take of the ledger: the last second (`1s`), or what the operating system has not written yet (`os`). A crash of the process takes nothing either way.
    #[schemars(extend("default" = "1s"))]
    pub(in crate::config) sync: Option<At<RawSync>>,
    /// How long single entries of history are kept, written like a budget's period. Sums by day stay.
    #[schemars(extend("default" = Governance::KEEP.to_string()))]
    pub(in crate::config) keep: Option<At<Stretch>>,
    /// Size of history from which on its oldest entries are removed; at least 1MiB.
    #[schemars(extend("default" = written_size(Governance::KEEP_SIZE)))]
    pub(in crate::config) keep_size: Option<At<Size>>,
}

/// What becomes of an attempt whose price nobody knows.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawUnknownPrice {
    /// It is made and told.
    Flag,
    /// It is not made.
    Refuse,
}

/// What a loss of power may take of the ledger.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::config) enum RawSync {
    /// The last second.
    #[serde(rename = "1s")]
    EverySecond,
    /// What the operating system has not written yet.
    #[serde(rename = "os")]
    Os,
}

/// What one model costs at one vendor or provider; what is not written is as in the catalogue.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Price")]
pub(in crate::config) struct RawPrice {
    /// Input, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) input: Option<At<f64>>,
    /// Output, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) output: Option<At<f64>>,
    /// Input read from the prompt cache, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) cache_read: Option<At<f64>>,
    /// Input written to the prompt cache for five minutes, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) cache_write: Option<At<f64>>,
    /// Input written to the prompt cache for an hour, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) cache_write_1h: Option<At<f64>>,
    /// Output of reasoning, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) reasoning: Option<At<f64>>,
    /// Input of a batch, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) batch_input: Option<At<f64>>,
    /// Output of a batch, dollars per million tokens.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) batch_output: Option<At<f64>>,
    /// Text to be spoken, dollars per million characters.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_MILLION))]
    pub(in crate::config) characters: Option<At<f64>>,
    /// A picture of any quality and size, dollars.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_UNIT))]
    pub(in crate::config) image: Option<At<f64>>,
    /// A second of sound or film, dollars.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_UNIT))]
    pub(in crate::config) second: Option<At<f64>>,
    /// A search, such as of a reranker, dollars.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_UNIT))]
    pub(in crate::config) query: Option<At<f64>>,
    /// A request, whatever it holds, dollars.
    #[schemars(range(min = 0.0, max = PriceOverride::DEAREST_UNIT))]
    pub(in crate::config) request: Option<At<f64>>,
}
