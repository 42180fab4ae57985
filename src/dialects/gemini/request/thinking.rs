//! How much is a model to think, in the words that its generation understands?
//!
//! Gemini 2.5 counts tokens (`thinkingBudget`), Gemini 3 and later take a level (`thinkingLevel`), and earlier ones do not think.
//! The bounds of budgets and the levels are those of Google's "Thinking" guide.
//!
//! # Invariants
//! - Nothing is asked of a model that its generation refuses; what is changed for it is noted.

use serde::{Deserialize, Serialize};

use super::super::wire;
use crate::chat::{Effort, Loss, Losses, Reasoning};

/// What is known of a model by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    generation: u32,
    minor: u32,
    flash: bool,
}

/// The generation that `gemini-flash-latest` and its like stand for, at least.
const LATEST: u32 = 3;

impl Model {
    /// What a name such as `models/gemini-2.5-flash-lite` tells; a name that tells nothing is taken for one that counts tokens.
    pub(super) fn named(name: &str) -> Self {
        let rest = name.split_once("gemini-").map_or("", |(_, rest)| rest);
        let version = rest.split(['-', '@', ':']).next().unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse().ok());
        let generation = numbers.next().flatten();
        let minor = numbers.next().flatten();
        let (generation, minor) = match generation {
            Some(generation) => (generation, minor.unwrap_or(0)),
            None if rest.contains("latest") => (LATEST, 0),
            None => (2, 5),
        };
        Self {
            generation,
            minor,
            flash: rest.contains("flash"),
        }
    }

    /// Whether it refuses a function call of its own without its signature.
    pub(super) const fn demands_signatures(self) -> bool {
        self.generation >= 3
    }

    const fn thinks(self) -> bool {
        self.generation > 2 || (self.generation == 2 && self.minor >= 5)
    }

    /// Fewest and most tokens of a budget; only the small models can be kept from thinking.
    const fn budgets(self) -> (u32, u32) {
        if self.flash {
            (0, 24_576)
        } else {
            (128, 32_768)
        }
    }

    /// The level that comes closest.
    const fn level(self, effort: Effort) -> &'static str {
        match effort {
            Effort::None | Effort::Minimal if self.flash => "minimal",
            Effort::None | Effort::Minimal | Effort::Low => "low",
            // Gemini 3 Pro knows no level between; 3.1 and the small models do.
            Effort::Medium if self.flash || self.minor > 0 || self.generation > 3 => "medium",
            Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => "high",
        }
    }
}

/// The field as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawThinking {
    #[serde(alias = "thinking_budget", deserialize_with = "wire::number")]
    thinking_budget: Option<f64>,
    #[serde(alias = "thinking_level")]
    thinking_level: Option<String>,
    #[serde(alias = "include_thoughts")]
    include_thoughts: Option<bool>,
}

impl From<RawThinking> for Reasoning {
    fn from(raw: RawThinking) -> Self {
        let level = raw.thinking_level.map(|level| level.to_ascii_lowercase());
        // A budget of −1 leaves it to the model.
        let budget = raw.thinking_budget.filter(|budget| *budget >= 0.0);
        Self {
            effort: level.as_deref().and_then(Effort::named),
            budget: budget.map(|budget| budget as u32),
            shown: raw.include_thoughts,
        }
    }
}

/// The field as it is written.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
}

/// Writes how much to think.
pub(super) fn write(asked: Reasoning, model: Model, losses: &mut Losses) -> Option<Written> {
    let budget = asked.budget.or(asked.effort.map(Effort::budget));
    if !model.thinks() {
        losses.add_if(budget.unwrap_or(0) > 0, "reasoning", Loss::Hint);
        return None;
    }
    let mut written = Written {
        include_thoughts: asked.shown,
        ..Written::default()
    };
    if model.generation >= 3 {
        let effort = asked.effort.or(asked.budget.map(Effort::of_budget));
        losses.add_if(effort == Some(Effort::None), "reasoning", Loss::Hint);
        written.thinking_level = effort.map(|effort| model.level(effort));
    } else {
        let (fewest, most) = model.budgets();
        let bounded = budget.map(|budget| budget.clamp(fewest, most));
        losses.add_if(bounded != budget, "reasoning", Loss::Hint);
        written.thinking_budget = bounded;
    }
    (written != Written::default()).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_generations() {
        for (name, generation, minor, flash) in [
            ("gemini-2.5-flash-lite", 2, 5, true),
            ("models/gemini-3-pro-preview", 3, 0, false),
            ("publishers/google/models/gemini-3.1-flash@001", 3, 1, true),
            ("gemini-10-pro", 10, 0, false),
            ("gemini-flash-latest", 3, 0, true),
            ("gemini-1.5-pro-002", 1, 5, false),
            ("my-tuned-model", 2, 5, false),
            ("gemini-", 2, 5, false),
            ("gemini-99999999999999", 2, 5, false),
        ] {
            let expected = Model {
                generation,
                minor,
                flash,
            };
            assert_eq!(Model::named(name), expected, "{name}");
        }
    }

    #[test]
    fn effort_is_told_as_the_generation_wants_it() {
        let check = |name: &str, effort: Effort, expected: &str, lossy: bool| {
            let asked = Reasoning {
                effort: Some(effort),
                ..Reasoning::default()
            };
            let mut losses = Losses::default();
            let written = write(asked, Model::named(name), &mut losses);
            let json = serde_json::to_string(&written).unwrap();
            assert_eq!(json, expected, "{name} {effort:?}");
            assert_eq!(!losses.is_empty(), lossy, "{name} {effort:?}");
        };
        check(
            "gemini-2.5-flash",
            Effort::None,
            r#"{"thinkingBudget":0}"#,
            false,
        );
        check(
            "gemini-2.5-pro",
            Effort::None,
            r#"{"thinkingBudget":128}"#,
            true,
        );
        check(
            "gemini-2.5-pro",
            Effort::Medium,
            r#"{"thinkingBudget":2048}"#,
            false,
        );
        check(
            "gemini-3-pro-preview",
            Effort::Medium,
            r#"{"thinkingLevel":"high"}"#,
            false,
        );
        check(
            "gemini-3.1-pro",
            Effort::Medium,
            r#"{"thinkingLevel":"medium"}"#,
            false,
        );
        check(
            "gemini-3-flash",
            Effort::None,
            r#"{"thinkingLevel":"minimal"}"#,
            true,
        );
        check("gemini-2.0-flash", Effort::High, "null", true);
        check("gemini-2.0-flash", Effort::None, "null", false);
    }

    #[test]
    fn budgets_are_bounded_and_thoughts_shown() {
        let asked = Reasoning {
            effort: None,
            budget: Some(64_000),
            shown: Some(true),
        };
        let mut losses = Losses::default();
        let written = write(asked, Model::named("gemini-2.5-flash"), &mut losses).unwrap();
        assert_eq!(written.thinking_budget, Some(24_576));
        assert_eq!(written.include_thoughts, Some(true));
        assert!(!losses.is_empty());
        let level = write(asked, Model::named("gemini-3-pro"), &mut losses).unwrap();
        assert_eq!(
            (level.thinking_budget, level.thinking_level),
            (None, Some("high"))
        );
    }

    #[test]
    fn what_clients_write_is_read() {
        let read = |json: &str| Reasoning::from(serde_json::from_str::<RawThinking>(json).unwrap());
        assert_eq!(
            read(r#"{"thinking_budget":-1,"includeThoughts":true}"#).budget,
            None
        );
        assert_eq!(read(r#"{"thinkingBudget":0}"#).budget, Some(0));
        assert_eq!(
            read(r#"{"thinkingLevel":"HIGH"}"#).effort,
            Some(Effort::High)
        );
        assert_eq!(read("{}"), Reasoning::default());
    }
}
