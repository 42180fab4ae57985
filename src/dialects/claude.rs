//! What does this Claude model take? Told by the version in its name, since providers say so nowhere else.
//!
//! Sources: Anthropic's pages on extended and adaptive thinking, and on what each model rejects.
//!
//! # Invariants
//! - A name without a version counts as the oldest: it gets what every Claude understands.

use crate::chat::Effort;

/// A Claude model, by its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claude(u32, u32);

impl Claude {
    /// The model of this id, if it is a Claude. An inference profile whose ARN does not name the model is not recognised.
    pub(super) fn of(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let Some((_, name)) = model.split_once("claude") else {
            return model.contains("anthropic").then_some(Self(0, 0));
        };
        // A version's numbers have one or two digits; what is longer is a date.
        let number = |word: &str| (word.len() <= 2).then(|| word.parse().ok()).flatten();
        let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
        let Some(major) = words.by_ref().find_map(number) else {
            return Some(Self(0, 0));
        };
        Some(Self(major, words.next().and_then(number).unwrap_or(0)))
    }

    /// Whether it can think before it answers.
    pub(super) fn thinks(self) -> bool {
        self == Self(0, 0) || self >= Self(3, 7)
    }

    /// Whether it decides by itself how much to think, and is told an effort instead of a budget.
    pub(super) fn adapts(self) -> bool {
        self >= Self(4, 6)
    }

    /// Whether it cannot be kept from thinking, and refuses a tool that must be called.
    pub(super) fn always_thinks(self) -> bool {
        self >= Self(5, 5)
    }

    /// How much to think, in a word that it knows.
    pub(super) fn effort(self, effort: Effort) -> &'static str {
        match effort {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            // The effort between high and max came later.
            Effort::XHigh if self >= Self(4, 7) => "xhigh",
            Effort::High | Effort::XHigh => "high",
            Effort::Max => "max",
        }
    }

    /// Whether it rejects `temperature`, `top_p` and `top_k`.
    pub(super) fn rejects_sampling(self) -> bool {
        self >= Self(4, 7)
    }

    /// Whether it can be held to a schema.
    pub(super) fn follows_schemas(self) -> bool {
        self >= Self(4, 5)
    }

    /// Whether it goes on from a last message of its own; later ones refuse it.
    pub(super) fn takes_prefill(self) -> bool {
        self < Self(4, 6)
    }

    /// Whether it takes either `temperature` or `top_p`, but not both.
    pub(super) fn takes_one_of_two(self) -> bool {
        self >= Self(4, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        let cases = [
            (
                "anthropic.claude-3-7-sonnet-20250219-v1:0",
                Some(Claude(3, 7)),
            ),
            (
                "us.anthropic.claude-opus-4-20250514-v1:0",
                Some(Claude(4, 0)),
            ),
            (
                "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
                Some(Claude(4, 5)),
            ),
            ("global.anthropic.claude-opus-4-6-v1", Some(Claude(4, 6))),
            ("anthropic.claude-opus-5", Some(Claude(5, 0))),
            ("anthropic.claude-instant", Some(Claude(0, 0))),
            ("anthropic.something", Some(Claude(0, 0))),
            ("amazon.nova-pro-v1:0", None),
        ];
        for (model, claude) in cases {
            assert_eq!(Claude::of(model), claude, "{model}");
        }
        assert!(!Claude(3, 5).thinks() && Claude(3, 7).thinks() && Claude(0, 0).thinks());
    }
}
