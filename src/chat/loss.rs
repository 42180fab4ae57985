//! What could not be carried from one dialect into another?
//!
//! # Invariants
//! - Nothing is left out silently: whoever leaves something out notes it here, and the client is told in `x-trimtab-dropped`.

/// How much it matters that something could not be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The answer may differ a little: a hint or a preference, such as `seed`.
    Hint,
    /// The request means something else without it, such as audio or several choices: this provider cannot serve it.
    Meaning,
}

/// Fields of requests without which they mean something else, in any dialect; every other field that has no meaning in `chat` is a hint.
const GRAVE: [&str; 28] = [
    "apply_patch",
    "audio",
    "background",
    "best_of",
    "cachedContent",
    "code_interpreter",
    "computer_use",
    "content block",
    "content part",
    "conversation",
    "echo",
    "file_search",
    "hosted tools",
    "input item",
    "item_reference",
    "local_shell",
    "logit_bias",
    "mcp",
    "mcp_servers",
    "modalities",
    "previous_response_id",
    "prompt",
    "responseModalities",
    "shell",
    "suffix",
    "tool_choice",
    "video_url",
    "web_search_options",
];

/// What is lost where system messages all stand before the conversation.
pub const SYSTEM_PLACE: &str = "system message's place";

impl Loss {
    /// How much it matters that a field of this name cannot be carried.
    #[must_use]
    pub fn of(name: &str) -> Self {
        if GRAVE.contains(&name) {
            Self::Meaning
        } else {
            Self::Hint
        }
    }
}

/// What was left out, by its name in the client's dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<(&'static str, Loss)>);

impl Losses {
    /// Notes something that was left out; a second time changes nothing.
    pub fn add(&mut self, what: &'static str, loss: Loss) {
        if !self.0.iter().any(|(known, _)| *known == what) {
            self.0.push((what, loss));
        }
    }

    /// Notes the fields of a request that have no meaning in `chat`, each by how much it matters.
    pub fn add_unknown(&mut self, names: &[&'static str]) {
        for name in names {
            self.add(name, Loss::of(name));
        }
    }

    /// Notes `what` if `present`.
    pub fn add_if(&mut self, present: bool, what: &'static str, loss: Loss) {
        if present {
            self.add(what, loss);
        }
    }

    /// The first thing without which the request means something else.
    #[must_use]
    pub fn of_meaning(&self) -> Option<&'static str> {
        let severe = self.0.iter().find(|(_, loss)| *loss == Loss::Meaning);
        severe.map(|(what, _)| *what)
    }

    /// Everything that was left out.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(what, _)| *what)
    }

    /// Whether nothing was left out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_weighed() {
        let mut losses = Losses::default();
        losses.add_unknown(&["seed", "store"]);
        assert_eq!(losses.of_meaning(), None);
        losses.add_unknown(&["suffix", "seed"]);
        assert_eq!(losses.of_meaning(), Some("suffix"));
        assert_eq!(
            losses.names().collect::<Vec<_>>(),
            ["seed", "store", "suffix"]
        );
    }
}
