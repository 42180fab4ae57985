//! What does the operator say that something costs?
//!
//! Prices that go before the catalogue's: of one model at one vendor or provider.
//!
//! # Invariants
//! - What is absent is as in the catalogue.
//! - Amounts are whole pico-dollars a unit, so that the cheapest token still has a whole number.

/// Prices of one model, pico-dollars a unit; what is absent is not overridden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceOverride {
    /// An input token.
    pub input: Option<u64>,
    /// An output token.
    pub output: Option<u64>,
    /// An input token read from the prompt cache.
    pub cache_read: Option<u64>,
    /// An input token written to it for five minutes.
    pub cache_write: Option<u64>,
    /// An input token written to it for an hour.
    pub cache_write_1h: Option<u64>,
    /// An output token of reasoning.
    pub reasoning: Option<u64>,
    /// An input token of a batch.
    pub batch_input: Option<u64>,
    /// An output token of a batch.
    pub batch_output: Option<u64>,
    /// A picture, whatever its quality and size.
    pub image: Option<u64>,
    /// A second of sound or film.
    pub second: Option<u64>,
    /// A character to be spoken.
    pub character: Option<u64>,
    /// A search.
    pub query: Option<u64>,
    /// A request, whatever it holds.
    pub request: Option<u64>,
}

impl PriceOverride {
    /// Pico-dollars in a dollar: what one unit that is priced by itself costs.
    pub const PICO_PER_DOLLAR: f64 = 1e12;
    /// Pico-dollars a unit in a dollar for a million of them.
    pub const PICO_PER_DOLLAR_PER_MILLION: f64 = 1e6;
    /// Dollars for a million tokens or characters at most; more is a slip of the unit.
    pub const DEAREST_MILLION: f64 = 1e6;
    /// Dollars for a picture, second, search or request at most; a second of the dearest film is below ten.
    pub const DEAREST_UNIT: f64 = 1_000.0;
}
