//! What can be told from an answer's bytes as they pass, whatever dialect they are in?
//!
//! # Invariants
//! - Counts that no honest provider sends are absent.

/// More tokens than any model takes or gives in one request.
pub const ABSURD_TOKENS: f64 = 1e9;

/// A number of tokens, if an honest provider may have sent it; fractions are cut off.
#[must_use]
pub fn honest(count: f64) -> Option<u64> {
    (0.0..=ABSURD_TOKENS)
        .contains(&count)
        .then_some(count as u64)
}

/// Token counts as the provider reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub input: Option<u32>,
    /// Input tokens read from the provider's prompt cache.
    pub cached: Option<u32>,
    /// Output tokens, reasoning included.
    pub output: Option<u32>,
}

impl Usage {
    /// These counts, and where one is absent, the earlier one: dialects that tell input and output at different times never take one back.
    #[must_use]
    pub fn after(self, earlier: Self) -> Self {
        Self {
            input: self.input.or(earlier.input),
            cached: self.cached.or(earlier.cached),
            output: self.output.or(earlier.output),
        }
    }
}

impl From<crate::chat::Usage> for Usage {
    fn from(usage: crate::chat::Usage) -> Self {
        let count = |tokens: u64| u32::try_from(tokens).ok();
        Self {
            input: count(usage.total_input()),
            cached: count(usage.cache_read),
            output: count(usage.total_output()),
        }
    }
}

/// What one event of a stream holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Something that the user can see or a tool can use.
    pub content: bool,
    /// A choice has ended.
    pub finished: bool,
    /// How many choices it speaks of.
    pub choices: u32,
    /// What was used so far.
    pub usage: Option<Usage>,
    /// It is an error object, not an answer.
    pub error: bool,
    /// It is the end marker.
    pub done: bool,
}

/// What a whole answer says besides its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What was used.
    pub usage: Option<Usage>,
    /// It is an error object, not an answer.
    pub error: bool,
}
