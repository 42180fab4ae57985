//! What a request asks of a stand-in provider: just the fields that change the answer.
//!
//! Text is measured while it is parsed and not kept, so that a large prompt costs one pass.
//! A token is four bytes of text, which is close enough for a stand-in and easy to predict in a test.
//!
//! # Invariants
//! - Unknown fields are ignored, as providers do.
//! - Nothing here depends on who asks or when.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::anthropic;
use super::bedrock;
use super::cohere;
use super::door::Door;
use super::endpoint::Endpoint;
use super::gemini;
use super::ledger::Received;
use super::media;
use super::objects;
use super::responses;
use super::tongue::Tongue;

/// Bytes of text in a token.
const TOKEN_BYTES: u64 = 4;

/// A request for an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ask {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) stream: bool,
    /// Whether the events of the stream come as the elements of an array.
    pub(super) array: bool,
    pub(super) include_usage: bool,
    pub(super) max_tokens: Option<u32>,
    pub(super) input_tokens: u32,
    /// The body's `user`.
    pub(super) user: Option<String>,
    /// The last message, where it is the assistant's.
    pub(super) prefill: Option<Prefix>,
    /// The tool to call, if one is to be called.
    pub(super) tool: Option<String>,
    /// Whether the answer is to think first.
    pub(super) thinks: bool,
    pub(super) extra: Extra,
}

/// What else an endpoint has to know of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Extra {
    #[default]
    None,
    Embedding(Embedding),
    /// The body, for an endpoint that looks at more of it.
    Body(Value),
    /// The id of something remembered.
    Id(String),
}

/// A text that an answer goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Number of the word that it ends with; 0 where it ends with none.
    pub(super) last: u32,
    /// Whether the next word needs no space before it.
    pub(super) spaced: bool,
}

/// Whether and which tool a request wants called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Auto,
    None,
    Any,
    Named(String),
}

/// A request for embeddings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Embedding {
    pub(super) inputs: Vec<EmbeddingInput>,
    pub(super) base64: bool,
    pub(super) dimensions: Option<u32>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum EmbeddingInput {
    Text(String),
    Tokens(Vec<u32>),
}

#[derive(Deserialize)]
struct ChatBody {
    #[serde(default)]
    model: String,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    user: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
    prompt: Option<Measured>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    role: Role,
    content: Option<Measured>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Tool {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
}

#[derive(Deserialize)]
struct EmbeddingBody {
    #[serde(default)]
    model: String,
    user: Option<String>,
    input: EmbeddingInputs,
    encoding_format: Option<String>,
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EmbeddingInputs {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

/// Text anywhere in a value, measured and dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    bytes: u64,
    token_ids: u64,
    pub(super) says_tool: bool,
    /// How the last of it ends.
    ends: Option<Prefix>,
}

impl Ask {
    /// Reads a request's body.
    ///
    /// # Errors
    /// Returns the parser's message when the body is not what the endpoint takes.
    pub(super) fn parse(door: &Door<'_>, request: &Received) -> Result<Self, String> {
        match (door.endpoint, &door.named) {
            (Endpoint::Object(..), Some(id)) => return Ok(objects::ask(door.endpoint, id)),
            (Endpoint::Object(..) | Endpoint::Media(_), _) => return media::ask(door, request),
            _ => {}
        }
        match door.tongue {
            Tongue::Gemini => {
                let body = serde_json::from_slice(&request.body);
                body.map(|body| gemini::ask(door, request, body))
                    .map_err(|error| error.to_string())
            }
            Tongue::Bedrock => serde_json::from_slice(&request.body)
                .map(|body| bedrock::ask(door, body))
                .map_err(|error| error.to_string()),
            Tongue::Cohere => serde_json::from_slice(&request.body)
                .map(|body| cohere::ask(door.endpoint, body))
                .map_err(|error| error.to_string()),
            _ => Self::read(door.endpoint, &request.body).map(|ask| match &door.named {
                Some(model) => Self {
                    model: model.clone().into_owned(),
                    ..ask
                },
                None => ask,
            }),
        }
    }

    fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, String> {
        let parsed = match endpoint {
            Endpoint::Chat | Endpoint::Text => {
                serde_json::from_slice(body).map(|body| Self::chat(endpoint, body))
            }
            Endpoint::Embedding => serde_json::from_slice(body).map(Self::embedding),
            Endpoint::Messages | Endpoint::CountTokens => {
                serde_json::from_slice(body).map(|body| anthropic::ask(endpoint, body))
            }
            Endpoint::Responses | Endpoint::InputTokens => {
                serde_json::from_slice(body).map(|body| responses::ask(endpoint, body))
            }
            _ => Ok(Self::default()),
        };
        parsed.map_err(|error| error.to_string())
    }

    fn chat(endpoint: Endpoint, body: ChatBody) -> Self {
        let contents = body.messages.iter().filter_map(|it| it.content);
        let measured = Measured::sum(contents.chain(body.prompt));
        let max_tokens = body.max_completion_tokens.or(body.max_tokens);
        Self {
            endpoint,
            stream: body.stream.unwrap_or(false),
            include_usage: body
                .stream_options
                .and_then(|it| it.include_usage)
                .unwrap_or(false),
            max_tokens: max_tokens.map(clamp),
            input_tokens: measured.tokens(),
            prefill: body
                .messages
                .last()
                .filter(|it| it.role == Role::Assistant)
                .map(|it| it.content.unwrap_or_default().prefix()),
            tool: tool(body.tools, body.tool_choice, &body.messages),
            model: body.model,
            user: body.user,
            ..Self::default()
        }
    }

    fn embedding(body: EmbeddingBody) -> Self {
        let inputs: Vec<EmbeddingInput> = match body.input {
            EmbeddingInputs::Text(text) => vec![EmbeddingInput::Text(text)],
            EmbeddingInputs::Tokens(tokens) => vec![EmbeddingInput::Tokens(tokens)],
            EmbeddingInputs::Texts(texts) => texts.into_iter().map(EmbeddingInput::Text).collect(),
            EmbeddingInputs::TokenLists(lists) => {
                lists.into_iter().map(EmbeddingInput::Tokens).collect()
            }
        };
        let tokens = inputs.iter().map(|input| match input {
            EmbeddingInput::Text(text) => (text.len() as u64).div_ceil(TOKEN_BYTES),
            EmbeddingInput::Tokens(tokens) => tokens.len() as u64,
        });
        Self {
            endpoint: Endpoint::Embedding,
            model: body.model,
            input_tokens: clamp(tokens.sum()),
            user: body.user,
            extra: Extra::Embedding(Embedding {
                base64: body.encoding_format.as_deref() == Some("base64"),
                dimensions: body.dimensions,
                inputs,
            }),
            ..Self::default()
        }
    }
}

/// The tool to call: forced by `tool_choice`, or where the last user message says "tool".
fn tool(tools: Option<Vec<Tool>>, choice: Option<Value>, messages: &[Message]) -> Option<String> {
    let first = tools?.into_iter().find_map(|tool| tool.function)?.name;
    let choice = match choice {
        Some(Value::String(choice)) if choice == "none" => Choice::None,
        Some(Value::String(choice)) if choice == "required" => Choice::Any,
        Some(Value::Object(forced)) => {
            let name = forced
                .get("function")
                .and_then(|it| it.get("name"))
                .and_then(Value::as_str);
            name.map_or(Choice::Any, |name| Choice::Named(name.to_owned()))
        }
        _ => Choice::Auto,
    };
    let last = messages.iter().rfind(|it| it.role == Role::User);
    let says_tool = last.is_some_and(|it| it.content.is_some_and(|it| it.says_tool));
    choice.tool(first, says_tool)
}

impl Choice {
    /// The tool to call of those whose first is `first`; left alone, one is called where the user spoke of it.
    pub(super) fn tool(self, first: String, says_tool: bool) -> Option<String> {
        match self {
            Self::None => None,
            Self::Any => Some(first),
            Self::Named(name) => Some(name),
            Self::Auto => says_tool.then_some(first),
        }
    }
}

/// A count of tokens, as large as it may get.
pub(super) fn clamp(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

impl Measured {
    /// Measures the text in a value, whatever its shape.
    pub(super) fn of(value: &Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    /// Several texts, one after another.
    pub(super) fn sum(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().fold(Self::default(), |mut sum, part| {
            sum.add(part);
            sum
        })
    }

    /// Estimated tokens.
    pub(super) fn tokens(self) -> u32 {
        clamp(self.bytes.div_ceil(TOKEN_BYTES) + self.token_ids)
    }

    /// What goes on from the end of it.
    pub(super) fn prefix(self) -> Prefix {
        self.ends.unwrap_or(Prefix {
            last: 0,
            spaced: true,
        })
    }

    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.token_ids += other.token_ids;
        self.says_tool |= other.says_tool;
        self.ends = other.ends.or(self.ends);
    }
}

impl Prefix {
    /// How a text ends.
    fn of(text: &str) -> Self {
        let word = text.trim_end().rsplit(char::is_whitespace).next();
        let number = word.and_then(|word| word.strip_prefix('w')?.parse().ok());
        Self {
            last: number.unwrap_or(0),
            spaced: text.is_empty() || text.ends_with(char::is_whitespace),
        }
    }
}

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Measure)
    }
}

/// Measures strings, lists of them, token ids and the text of content parts, also of those within.
struct Measure;

impl<'de> Visitor<'de> for Measure {
    type Value = Measured;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, content parts or token ids")
    }

    fn visit_str<E>(self, text: &str) -> Result<Measured, E> {
        let says_tool = text.contains("tool");
        Ok(Measured {
            bytes: text.len() as u64,
            token_ids: 0,
            says_tool,
            ends: Some(Prefix::of(text)),
        })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Measured, E> {
        Ok(Measured {
            token_ids: 1,
            ..Measured::default()
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Measured, E> {
        Ok(Measured::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Measured, E> {
        Ok(Measured::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Measured, E> {
        Ok(Measured::default())
    }

    fn visit_unit<E>(self) -> Result<Measured, E> {
        Ok(Measured::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Measured, A::Error> {
        let mut sum = Measured::default();
        while let Some(part) = seq.next_element::<Measured>()? {
            sum.add(part);
        }
        Ok(sum)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measured, A::Error> {
        let mut sum = Measured::default();
        while let Some(key) = map.next_key::<String>()? {
            if matches!(key.as_str(), "text" | "content" | "parts") {
                sum.add(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn chat(body: &Value) -> Ask {
        Ask::read(Endpoint::Chat, body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn text_is_measured_wherever_it_stands() {
        let ask = chat(&json!({"model": "m", "messages": [
            {"role": "system", "content": "12345678"},
            {"role": "user", "content": [
                {"type": "text", "text": "1234"},
                {"type": "image_url", "image_url": {"url": "data:xxxxxxxxxxxxxxx"}},
            ]},
            {"role": "assistant", "content": null},
        ]}));
        assert_eq!(
            (ask.input_tokens, ask.prefill.is_some(), ask.stream),
            (3, true, false)
        );
        let body = json!({"model": "m", "prompt": [1, 2, 3, 4, 5]});
        let ask = Ask::read(Endpoint::Text, body.to_string().as_bytes()).unwrap();
        assert_eq!(ask.input_tokens, 5);
    }

    #[test]
    fn a_tool_is_called_when_forced_or_spoken_of() {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let says = json!([{"role": "user", "content": "use the tool"}]);
        let other = json!([{"role": "user", "content": "hello"}]);
        let named = json!({"type": "function", "function": {"name": "g"}});
        for (messages, choice, expected) in [
            (&says, json!("auto"), Some("f")),
            (&says, json!("none"), None),
            (&other, json!("auto"), None),
            (&other, json!("required"), Some("f")),
            (&other, named, Some("g")),
        ] {
            let ask = chat(&json!({"messages": messages, "tools": tools, "tool_choice": choice}));
            assert_eq!(ask.tool.as_deref(), expected, "{choice}");
        }
        assert_eq!(chat(&json!({"messages": says})).tool, None);
    }

    #[test]
    fn every_form_of_embedding_input_is_taken() {
        for (input, count, tokens) in [
            (json!("12345"), 1, 2),
            (json!(["1234", "1234"]), 2, 2),
            (json!([1, 2, 3]), 1, 3),
            (json!([[1, 2], [3]]), 2, 3),
        ] {
            let body = json!({"model": "e", "input": input, "encoding_format": "base64"});
            let ask = Ask::read(Endpoint::Embedding, body.to_string().as_bytes()).unwrap();
            let Extra::Embedding(embedding) = ask.extra else {
                unreachable!("an embedding is asked for")
            };
            assert_eq!(
                (embedding.inputs.len(), ask.input_tokens, embedding.base64),
                (count, tokens, true)
            );
        }
    }

    #[test]
    fn a_prefill_is_read_at_its_end() {
        for (content, last, spaced) in [
            (json!("w1 w2 w37"), 37, false),
            (json!("w1 w2 "), 2, true),
            (json!("{"), 0, false),
            (json!(null), 0, true),
            (json!([{"type": "text", "text": "w1 w2"}]), 2, false),
        ] {
            let ask = chat(&json!({"messages": [{"role": "assistant", "content": content}]}));
            assert_eq!(ask.prefill, Some(Prefix { last, spaced }), "{content}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        assert!(Ask::read(Endpoint::Chat, b"{").is_err());
        assert!(Ask::read(Endpoint::Embedding, b"{}").is_err());
    }
}
