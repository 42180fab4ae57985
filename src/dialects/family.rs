//! Whose model is it, as far as its name tells, and what does it take?
//!
//! OpenAI's own models and the vendors that are compatible with them have drifted apart: its reasoning models refuse `max_tokens`,
//! which is the only bound that many vendors know; vendors refuse fields that OpenAI added since.
//! The name decides, since a request carries nothing else that does; a deployment of another name counts as a vendor's.
//!
//! # Invariants
//! - A name that is not known to be OpenAI's gets only what all vendors know.

use crate::chat::Effort;

/// Whose model a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// OpenAI's reasoning models: o1 and later, GPT-5 and later.
    Reasoning,
    /// OpenAI's models before them.
    Plain,
    /// Anyone's.
    Other,
}

impl Family {
    /// The family of a model's name; what stands before a slash names the vendor.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        if name.starts_with("gpt-5-chat") {
            return Self::Plain;
        }
        if let Some(version) = name.strip_prefix("gpt-") {
            let digits = version.bytes().take_while(u8::is_ascii_digit).count();
            return match version.get(..digits).map(str::parse::<u32>) {
                Some(Ok(35)) => Self::Plain,
                Some(Ok(5..)) => Self::Reasoning,
                Some(Ok(_)) => Self::Plain,
                _ => Self::Other,
            };
        }
        if name.starts_with("chatgpt-") {
            return Self::Plain;
        }
        let mut letters = name.bytes();
        match (letters.next(), letters.next()) {
            (Some(b'o'), Some(b'1'..=b'9')) => Self::Reasoning,
            _ => Self::Other,
        }
    }

    /// Whether it is one of OpenAI's.
    pub(super) fn is_openai(self) -> bool {
        self != Self::Other
    }

    /// Whether a request that asks for this much thinking may say how words are drawn: models that think refuse it.
    ///
    /// GPT-5.1 and later do not think unless they are asked to, but for those named `pro` or `codex`.
    pub(super) fn draws(model: &str, effort: Option<Effort>) -> bool {
        if Self::of(model) != Self::Reasoning {
            return true;
        }
        let name = model.rsplit('/').next().unwrap_or(model);
        let version = name.strip_prefix("gpt-").unwrap_or_default();
        let minor = version.split_once('.').map_or("", |(_, rest)| rest);
        let later = minor
            .bytes()
            .next()
            .is_some_and(|it| it.is_ascii_digit() && it != b'0');
        let thinker = ["pro", "codex"].iter().any(|kind| minor.contains(kind));
        later && !thinker && effort.is_none_or(|effort| effort == Effort::None)
    }

    /// Whether this model wants its thoughts back between tool calls, as `reasoning_content`; other vendors refuse the field.
    pub(super) fn wants_thoughts(model: &str) -> bool {
        let name = model.to_ascii_lowercase();
        let wanting = ["deepseek", "kimi", "glm", "minimax", "mimo"];
        wanting.iter().any(|of| name.contains(of))
    }

    /// Whether Google's thought signatures may go to this model: through its OpenAI-compatible endpoint it demands them.
    pub(super) fn is_google(model: &str) -> bool {
        model.to_ascii_lowercase().contains("gemini")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (name, family) in [
            ("gpt-5.1-mini", Family::Reasoning),
            ("openai/gpt-5", Family::Reasoning),
            ("gpt-10", Family::Reasoning),
            ("o1", Family::Reasoning),
            ("o4-mini", Family::Reasoning),
            ("gpt-4o", Family::Plain),
            ("gpt-5-chat-latest", Family::Plain),
            ("gpt-3.5-turbo", Family::Plain),
            ("gpt-35-turbo", Family::Plain),
            ("chatgpt-4o-latest", Family::Plain),
            ("gpt-oss-120b", Family::Other),
            ("openai/gpt-oss-20b", Family::Other),
            ("deepseek-chat", Family::Other),
            ("olmo-2", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
    }

    #[test]
    fn models_that_think_draw_as_they_like() {
        for (name, effort, draws) in [
            ("gpt-4o", None, true),
            ("llama-4", Some(Effort::High), true),
            ("gpt-5", None, false),
            ("gpt-5-mini", Some(Effort::None), false),
            ("o3", None, false),
            ("gpt-5.2", None, true),
            ("openai/gpt-5.1", Some(Effort::None), true),
            ("gpt-5.1", Some(Effort::Low), false),
            ("gpt-5.2-pro", None, false),
            ("gpt-5.1-codex-mini", None, false),
        ] {
            assert_eq!(Family::draws(name, effort), draws, "{name} {effort:?}");
        }
    }
}
