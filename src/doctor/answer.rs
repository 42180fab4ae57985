//! What did the gateway answer?
//!
//! A stream is read event by event in the dialect of the call: whose model it was, how many tokens, and whether it came to its proper end.
//!
//! # Invariants
//! - Whatever the bytes are, reading them neither fails nor keeps more than [`MOST`] of them.

use bytes::Bytes;
use serde_json::Value;

use crate::stream::sse::{Splitter, events};

use super::client::Kind;

/// Bytes of a body that are kept: a few tokens need a few kilobytes, and a longer list of models says no more.
pub(super) const MOST: usize = 1 << 20;

/// Letters of a message that are shown.
const LONGEST_MESSAGE: usize = 300;

/// What was read from a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) model: Option<String>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    /// Whether any content came.
    pub(super) has_content: bool,
    /// Whether it came to its proper end.
    pub(super) is_complete: bool,
    /// The error in it.
    pub(super) error: Option<String>,
}

/// A stream being read.
pub(super) struct Reading {
    kind: Kind,
    splitter: Splitter,
    answer: Answer,
    read: usize,
}

impl Reading {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            splitter: Splitter::default(),
            answer: Answer::default(),
            read: 0,
        }
    }

    /// Takes the next bytes; beyond [`MOST`] of them no more is looked at.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.read = self.read.saturating_add(bytes.len());
        if self.read > MOST {
            return;
        }
        let Ok(run) = self.splitter.push(bytes) else {
            return;
        };
        for event in events(&run) {
            let Some(data) = event.data else { continue };
            if data.trim_ascii() == b"[DONE]" {
                self.answer.is_complete |= self.kind == Kind::Chat;
            } else if let Ok(value) = serde_json::from_slice(data) {
                self.take(&value);
            }
        }
    }

    pub(super) const fn has_content(&self) -> bool {
        self.answer.has_content
    }

    pub(super) fn end(self) -> Answer {
        self.answer
    }

    fn take(&mut self, value: &Value) {
        if let Some(message) = message(value) {
            self.answer.error = Some(message);
            return;
        }
        match self.kind {
            Kind::Chat => self.chat(value),
            Kind::Messages => self.messages(value),
            Kind::Responses => self.responses(value),
            Kind::Generate => self.generate(value),
        }
    }

    fn chat(&mut self, value: &Value) {
        self.model(&value["model"]);
        self.tokens(&value["usage"], "prompt_tokens", "completion_tokens");
        let delta = &value["choices"][0]["delta"];
        self.content(&delta["content"]);
        self.content(&delta["reasoning_content"]);
    }

    fn messages(&mut self, value: &Value) {
        match value["type"].as_str().unwrap_or_default() {
            "message_start" => {
                self.model(&value["message"]["model"]);
                self.tokens(&value["message"]["usage"], "input_tokens", "output_tokens");
            }
            "content_block_delta" => {
                self.content(&value["delta"]["text"]);
                self.content(&value["delta"]["thinking"]);
            }
            "message_delta" => self.tokens(&value["usage"], "input_tokens", "output_tokens"),
            "message_stop" => self.answer.is_complete = true,
            _ => {}
        }
    }

    fn responses(&mut self, value: &Value) {
        let response = &value["response"];
        self.model(&response["model"]);
        self.tokens(&response["usage"], "input_tokens", "output_tokens");
        match value["type"].as_str().unwrap_or_default() {
            kind if kind.ends_with(".delta") => self.content(&value["delta"]),
            "response.completed" | "response.incomplete" => self.answer.is_complete = true,
            "response.failed" => self.answer.error = Some(shown("the response failed")),
            _ => {}
        }
    }

    fn generate(&mut self, value: &Value) {
        self.model(&value["modelVersion"]);
        self.tokens(
            &value["usageMetadata"],
            "promptTokenCount",
            "candidatesTokenCount",
        );
        let candidate = &value["candidates"][0];
        for part in candidate["content"]["parts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            self.content(&part["text"]);
        }
        self.answer.is_complete |= candidate["finishReason"].is_string();
    }

    fn model(&mut self, value: &Value) {
        if let Some(model) = value.as_str() {
            self.answer.model = Some(shown(model));
        }
    }

    fn tokens(&mut self, usage: &Value, input: &str, output: &str) {
        self.answer.input_tokens = usage[input].as_u64().or(self.answer.input_tokens);
        self.answer.output_tokens = usage[output].as_u64().or(self.answer.output_tokens);
    }

    fn content(&mut self, value: &Value) {
        self.answer.has_content |= value.as_str().is_some_and(|text| !text.is_empty());
    }
}

/// The message of an error object in any dialect.
pub(super) fn message(value: &Value) -> Option<String> {
    let error = [&value["error"], &value["response"]["error"]]
        .into_iter()
        .find(|error| !error.is_null())?;
    let text = error.as_str().or_else(|| error["message"].as_str());
    Some(shown(text.unwrap_or("an error without a message")))
}

/// The code of an error object.
pub(super) fn code(value: &Value) -> Option<&str> {
    let error = &value["error"];
    error["code"].as_str().or_else(|| error["type"].as_str())
}

/// The names in a list of models.
pub(super) fn names(value: &Value) -> Vec<String> {
    let listed = value["data"]
        .as_array()
        .or_else(|| value["models"].as_array());
    let name = |model: &Value| {
        let name = model["id"].as_str().or_else(|| model["name"].as_str());
        name.map(|name| shown(name.strip_prefix("models/").unwrap_or(name)))
    };
    listed.into_iter().flatten().filter_map(name).collect()
}

/// A text from elsewhere, made fit for a terminal.
pub(super) fn shown(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, stream: &'static str) -> Answer {
        let mut reading = Reading::new(kind);
        for byte in stream.bytes() {
            reading.push(Bytes::copy_from_slice(&[byte]));
        }
        reading.end()
    }

    #[test]
    fn a_stream_of_each_dialect_is_understood() {
        let whole = Answer {
            model: Some("m".to_owned()),
            input_tokens: Some(3),
            output_tokens: Some(2),
            has_content: true,
            is_complete: true,
            error: None,
        };
        for (kind, stream) in [
            (
                Kind::Chat,
                "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n\
                 data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
            ),
            (
                Kind::Messages,
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
                 event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n\
                 event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":2}}\n\n\
                 event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
            (
                Kind::Responses,
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n\
                 event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"m\",\"error\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}}\n\n",
            ),
            (
                Kind::Generate,
                "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}],\"modelVersion\":\"m\",\
                 \"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2}}\r\n\r\n",
            ),
        ] {
            assert_eq!(read(kind, stream), whole, "{kind:?}");
        }
    }

    #[test]
    fn a_stream_that_breaks_off_is_not_complete_and_an_error_is_told() {
        let cut = read(
            Kind::Chat,
            "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n",
        );
        assert!(cut.has_content && !cut.is_complete);
        let failed = read(
            Kind::Responses,
            "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"no\\u001b[2J\"}}}\n\n",
        );
        assert_eq!(failed.error.as_deref(), Some("no [2J"));
        let odd = read(Kind::Messages, "data: [1]\n\ndata: \"x\"\n\ndata: {\n\n");
        assert_eq!(odd, Answer::default());
    }

    #[test]
    fn models_are_listed_in_any_dialect() {
        let openai = serde_json::json!({"data": [{"id": "a"}, {"id": 1}]});
        let gemini = serde_json::json!({"models": [{"name": "models/b"}]});
        assert_eq!(
            (names(&openai), names(&gemini)),
            (vec!["a".to_owned()], vec!["b".to_owned()])
        );
    }
}
