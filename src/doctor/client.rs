//! Which clients are there, and what does each call?
//!
//! What each sends was observed with the real clients; the call that tries a client is of the same kind, kept small.
//!
//! # Invariants
//! - A name is what the command line takes and what stands in `docs/CLIENTS.md`.

use clap::ValueEnum;

/// A program or library that talks to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// Claude Code.
    ClaudeCode,
    /// Codex CLI.
    Codex,
    /// opencode.
    Opencode,
    /// aider.
    Aider,
    /// OpenAI's library for Python.
    OpenaiPython,
    /// OpenAI's library for JavaScript.
    OpenaiNode,
    /// Anthropic's library for Python.
    AnthropicPython,
    /// Anthropic's library for JavaScript.
    AnthropicNode,
    /// Google's Gen AI library for Python.
    GoogleGenaiPython,
    /// Google's Gen AI library for JavaScript.
    GoogleGenaiNode,
    /// LangChain for Python.
    Langchain,
    /// The Vercel AI SDK.
    VercelAiSdk,
    /// LlamaIndex for Python.
    LlamaIndex,
    /// curl.
    Curl,
}

/// What a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/models/MODEL:streamGenerateContent`.
    Generate,
}

impl Client {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 14] = [
        Self::ClaudeCode,
        Self::Codex,
        Self::Opencode,
        Self::Aider,
        Self::OpenaiPython,
        Self::OpenaiNode,
        Self::AnthropicPython,
        Self::AnthropicNode,
        Self::GoogleGenaiPython,
        Self::GoogleGenaiNode,
        Self::Langchain,
        Self::VercelAiSdk,
        Self::LlamaIndex,
        Self::Curl,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Opencode => "opencode",
            Self::Aider => "aider",
            Self::OpenaiPython => "openai-python",
            Self::OpenaiNode => "openai-node",
            Self::AnthropicPython => "anthropic-python",
            Self::AnthropicNode => "anthropic-node",
            Self::GoogleGenaiPython => "google-genai-python",
            Self::GoogleGenaiNode => "google-genai-node",
            Self::Langchain => "langchain",
            Self::VercelAiSdk => "vercel-ai-sdk",
            Self::LlamaIndex => "llama-index",
            Self::Curl => "curl",
        }
    }

    /// The name that its makers give it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex CLI",
            Self::Opencode => "opencode",
            Self::Aider => "aider",
            Self::OpenaiPython => "openai for Python",
            Self::OpenaiNode => "openai for JavaScript",
            Self::AnthropicPython => "anthropic for Python",
            Self::AnthropicNode => "@anthropic-ai/sdk for JavaScript",
            Self::GoogleGenaiPython => "google-genai for Python",
            Self::GoogleGenaiNode => "@google/genai for JavaScript",
            Self::Langchain => "LangChain for Python",
            Self::VercelAiSdk => "Vercel AI SDK",
            Self::LlamaIndex => "LlamaIndex for Python",
            Self::Curl => "curl",
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::ClaudeCode | Self::AnthropicPython | Self::AnthropicNode => Kind::Messages,
            Self::Codex | Self::VercelAiSdk => Kind::Responses,
            Self::GoogleGenaiPython | Self::GoogleGenaiNode => Kind::Generate,
            Self::Opencode
            | Self::Aider
            | Self::OpenaiPython
            | Self::OpenaiNode
            | Self::Langchain
            | Self::LlamaIndex
            | Self::Curl => Kind::Chat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line_and_none_is_missing() {
        assert_eq!(Client::value_variants(), Client::ALL);
        for client in Client::ALL {
            let value = client.to_possible_value();
            assert_eq!(value.as_ref().map(|it| it.get_name()), Some(client.name()));
        }
    }
}
