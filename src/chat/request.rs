//! What is asked of a model?
//!
//! # Invariants
//! - Messages stand in the client's order, system messages included; a dialect that keeps them apart takes them out itself.
//! - An absent field is `None` or empty: no default of one dialect is carried into another.

use super::part::Part;

/// A conversation and how it is to be continued.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool must be called.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once.
    pub parallel_tools: Option<bool>,
    /// Most output tokens.
    pub max_tokens: Option<u32>,
    /// How words are drawn.
    pub sampling: Sampling,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How the answer is to be written.
    pub format: Option<OutputFormat>,
    /// Whether and how much to think first.
    pub reasoning: Option<Reasoning>,
    /// The end user, as the client names them.
    pub user: Option<String>,
    /// What the provider's prompt cache is to be keyed by.
    pub cache_key: Option<String>,
    /// The service tier asked for.
    pub service_tier: Option<String>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Fields that were read but have no meaning here, by their names in the client's dialect: a writer reports them as lost.
    pub unknown: Vec<&'static str>,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose turn.
    pub role: Role,
    /// What it consists of.
    pub parts: Vec<Part>,
}

/// Whose turn a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The application's instructions, where a dialect tells them from the operator's.
    Developer,
    /// The user's, tool results included.
    User,
    /// The model's.
    Assistant,
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its arguments; null if it has none.
    pub schema: serde_json::Value,
    /// Whether arguments must follow the schema exactly.
    pub strict: Option<bool>,
    /// Whether the provider is asked to cache the prompt up to here.
    pub cache: bool,
}

/// Whether and which tool must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None.
    None,
    /// Any, but one must be.
    Required,
    /// This one.
    Named(String),
    /// One of these, if `required`; else none or one of these.
    Among {
        /// The names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
}

/// How words are drawn; the ranges are the dialects' own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 1 or 2.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// At least 1.
    pub top_k: Option<u32>,
    /// −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// −2 to 2.
    pub presence_penalty: Option<f64>,
    /// Any.
    pub seed: Option<i64>,
    /// How many answers; 1 by default.
    pub choices: Option<u32>,
    /// How many likeliest tokens to tell at each place; `Some(0)` tells only the chosen one's.
    pub logprobs: Option<u32>,
}

/// How the answer is to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputFormat {
    /// Any JSON object.
    Json,
    /// JSON that follows a schema.
    Schema {
        /// The schema's name; `answer` where the dialect has none.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The JSON Schema.
        schema: serde_json::Value,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
}

/// Whether and how much to think first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How much, in words.
    pub effort: Option<Effort>,
    /// How much, in tokens; 0 means none.
    pub budget: Option<u32>,
    /// Whether the thoughts, or their summary, are to be shown.
    pub shown: Option<bool>,
}

/// How much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as can be.
    Minimal,
    /// Little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// More than high.
    XHigh,
    /// As much as can be.
    Max,
}

impl Effort {
    const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// The word that OpenAI and Anthropic use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }

    /// The token budget that stands for it where a dialect counts tokens; the steps are LiteLLM's, its users' expectation, continued upward.
    #[must_use]
    pub const fn budget(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 2_048,
            Self::High => 4_096,
            Self::XHigh => 8_192,
            Self::Max => 16_384,
        }
    }

    /// The effort that a token budget comes to.
    #[must_use]
    pub fn of_budget(budget: u32) -> Self {
        match budget {
            0 => Self::None,
            1..=1_024 => Self::Low,
            1_025..=2_048 => Self::Medium,
            2_049..=4_096 => Self::High,
            4_097..=8_192 => Self::XHigh,
            _ => Self::Max,
        }
    }
}
