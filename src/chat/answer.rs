//! What did a model answer?
//!
//! # Invariants
//! - An answer has one choice; requests for several never come here.

use super::part::Part;
use super::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The provider's id of it; empty if it gave none.
    pub id: String,
    /// The model that answered, in the provider's words.
    pub model: String,
    /// Unix time, seconds; 0 where the dialect does not tell it.
    pub created: u64,
    /// What the model said, thought and called, in order.
    pub parts: Vec<Part>,
    /// Why it stopped.
    pub stop: Stop,
    /// The text that ended it, where the dialect tells it.
    pub stop_text: Option<String>,
    /// What was used, if the provider says.
    pub usage: Option<Usage>,
    /// The service tier that was served, if the provider says.
    pub service_tier: Option<String>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// It had said everything.
    #[default]
    End,
    /// It came upon a text that ends the answer.
    Text,
    /// It had used up its tokens.
    Length,
    /// It wants tools called.
    Tools,
    /// It, or a filter, refused.
    Filtered,
    /// It paused a long turn and wants to be asked to go on.
    Paused,
}
