//! How many tokens of which kind did an answer use?
//!
//! Dialects disagree on what their totals include; here every bucket is apart from the others, so that a cost is a sum of products.
//!
//! # Invariants
//! - No token is in two buckets.

/// Token counts in disjoint buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input neither read from nor written to the provider's prompt cache.
    pub input: u64,
    /// Input read from the prompt cache.
    pub cache_read: u64,
    /// Input written to the prompt cache for five minutes, the default.
    pub cache_write: u64,
    /// Input written to the prompt cache for an hour.
    pub cache_write_1h: u64,
    /// Output that is not reasoning.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
}

impl Usage {
    /// All input.
    #[must_use]
    pub const fn total_input(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
    }

    /// All output.
    #[must_use]
    pub const fn total_output(&self) -> u64 {
        self.output.saturating_add(self.reasoning)
    }
}
