//! One script in the words that both sides know, and what is asked of it.
//!
//! # Invariants
//! - Every key of latency is written, because the two sides have other defaults.

use std::fmt::Write as _;

use scoring::Class;
use scoring::time::Span;
use serde_json::{Value, json};
use sim::scenario::{self, Scenario};
use sim::trace::Request;
use trimtab::dialects::limits::LimitDialect;
use trimtab::mock::Script;

/// The name of the provider, and of the route.
pub(crate) const NAME: &str = "alpha";

/// Tokens of an answer that nothing cuts short.
pub(crate) const ANSWER: u32 = 60;

/// A provider's behaviour.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Keys of latency and limits.
    keys: String,
    /// Keys of each fault.
    faults: Vec<String>,
    /// Keys of the simulator's `[clocks]` and the gateway's `[timeouts]`.
    pub(crate) clocks: String,
    /// Keys of `[retry]`: the simulator's, and the gateway's.
    pub(crate) retry: [String; 2],
    answer: u32,
    dialect: &'static str,
    /// Whether the mock begins on a whole minute of its clock, as the simulator does: for fixed windows.
    pub(crate) on_the_minute: bool,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// When it is sent, in ms since the beginning.
    pub(crate) at_ms: u64,
    pub(crate) class: Class,
    /// Input tokens.
    pub(crate) input: u32,
    pub(crate) max_tokens: Option<u32>,
}

impl Scene {
    /// 300 ms and 50 µs a token to the first token, 15 ms between tokens.
    pub(crate) fn calm() -> Self {
        Self::paced("ttft = '300ms'\nttft_per_token = 50.0\ntpot = '15ms'\nnoise = 0.0\n")
    }

    /// A provider with these keys of latency.
    pub(crate) fn paced(keys: &str) -> Self {
        Self {
            keys: keys.to_owned(),
            faults: Vec::new(),
            clocks: String::new(),
            retry: ["attempts = 1".to_owned(), "max_attempts = 1".to_owned()],
            answer: ANSWER,
            dialect: "silent",
            on_the_minute: false,
        }
    }

    /// With a key more.
    pub(crate) fn with(mut self, key: &str) -> Self {
        let _ = writeln!(self.keys, "{key}");
        self
    }

    /// With limits, told in this dialect.
    pub(crate) fn limits(mut self, dialect: &'static str, keys: &str) -> Self {
        self.dialect = dialect;
        self.on_the_minute = keys.contains("slice");
        self.with(&format!("limits = {{ dialect = '{dialect}', {keys} }}"))
    }

    /// With a fault more.
    pub(crate) fn fault(mut self, keys: &str) -> Self {
        self.faults.push(keys.to_owned());
        self
    }

    /// With these clocks.
    pub(crate) fn clocks(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.clocks);
        self
    }

    /// With so many attempts, so many of them again on the same route.
    pub(crate) fn retry(mut self, attempts: u32, same_route: u32) -> Self {
        self.retry = [
            format!("attempts = {attempts}\nsame_route = {same_route}"),
            format!("max_attempts = {attempts}\nsame_route = {same_route}"),
        ];
        self
    }

    /// With answers of so many tokens.
    pub(crate) fn answer(mut self, tokens: u32) -> Self {
        self.answer = tokens;
        self
    }

    /// The keys of the stand-in, below `[…providers.alpha]`.
    pub(crate) fn stand_in(&self, prefix: &str) -> String {
        let mut text = format!("{}answer = {}\n", self.keys, self.answer);
        for fault in &self.faults {
            let _ = writeln!(text, "[[{prefix}providers.{NAME}.faults]]\n{fault}");
        }
        text
    }

    /// The script of the stand-in.
    pub(crate) fn script(&self) -> Script {
        let text = format!("[providers.{NAME}]\n{}", self.stand_in(""));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The scenario of the simulator.
    pub(crate) fn scenario(&self) -> Scenario {
        let mut text = format!(
            "question = 'Do both agree?'\nduration = '24h'\n[[traffic]]\nrate = 1.0\n[clocks]\n{}\n[retry]\n{}\n\
             [[routes]]\nname = '{NAME}'\nrefusal = '0s'\n{}",
            self.clocks, self.retry[0], self.keys
        );
        for fault in &self.faults {
            let _ = writeln!(text, "[[faults]]\non = ['{NAME}']\n{fault}");
        }
        scenario::read("conformance", &text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
    }

    /// The gateway's name for the limits' dialect, in code and in its configuration.
    pub(crate) fn told(&self) -> (LimitDialect, &'static str) {
        match self.dialect {
            "open-ai" => (LimitDialect::OpenAi, "openai"),
            "anthropic" => (LimitDialect::Anthropic, "anthropic"),
            "azure" | "azure-unknown" => (LimitDialect::Azure, "azure"),
            "gemini" => (LimitDialect::Gemini, "gemini"),
            "groq" => (LimitDialect::Groq, "groq"),
            _ => (LimitDialect::None, "none"),
        }
    }

    /// A request as the simulator has it.
    pub(crate) fn request(&self, asked: &Asked) -> Request {
        let output = match asked.class {
            Class::Embedding => 1,
            _ => self.answer.min(asked.max_tokens.unwrap_or(u32::MAX)),
        };
        Request {
            class: asked.class,
            max_tokens: asked.max_tokens,
            ..Request::chat(Span::from_millis(asked.at_ms), asked.input, output)
        }
    }
}

impl Asked {
    /// A streamed request of so many input tokens.
    pub(crate) fn stream(at_ms: u64, input: u32) -> Self {
        Self {
            at_ms,
            class: Class::ChatStream,
            input,
            max_tokens: None,
        }
    }

    /// The same, not streamed.
    pub(crate) fn whole(at_ms: u64, input: u32) -> Self {
        Self {
            class: Class::Chat,
            ..Self::stream(at_ms, input)
        }
    }

    /// A request for an embedding.
    pub(crate) fn embedding(at_ms: u64, input: u32) -> Self {
        Self {
            class: Class::Embedding,
            ..Self::stream(at_ms, input)
        }
    }

    /// With `max_tokens`.
    pub(crate) fn most(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// The path and body that ask for it; four bytes are a token to the stand-ins.
    pub(crate) fn body(&self, model: &str, number: usize) -> (&'static str, Value) {
        let text = "word".repeat(self.input as usize);
        let mut body = json!({"model": model, "user": number.to_string()});
        if self.class == Class::Embedding {
            body["input"] = text.into();
            return ("embeddings", body);
        }
        body["messages"] = json!([{"role": "user", "content": text}]);
        body["stream"] = (self.class == Class::ChatStream).into();
        if let Some(most) = self.max_tokens {
            body["max_tokens"] = most.into();
        }
        ("chat/completions", body)
    }
}
