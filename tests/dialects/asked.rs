//! Clients of every dialect: how they ask, and what they make of an answer.

use serde_json::{Value, json};

use crate::support::{Answer, Call, Mode};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Chat,
    Responses,
    Messages,
    Generate,
}

impl Client {
    pub(super) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Generate];

    /// A request with a system prompt and one turn.
    pub(super) fn ask(self, model: &str, mode: Mode) -> Call {
        let stream = mode == Mode::Stream;
        let (path, body) = match self {
            Self::Chat => {
                let mut body = json!({"model": model, "stream": stream, "messages": [
                    {"role": "system", "content": "be kind"},
                    {"role": "user", "content": "hello there"},
                ]});
                if stream {
                    body["stream_options"] = json!({"include_usage": true});
                }
                ("/v1/chat/completions".to_owned(), body)
            }
            Self::Responses => (
                "/v1/responses".to_owned(),
                json!({"model": model, "stream": stream, "instructions": "be kind", "input": "hello there", "store": false}),
            ),
            Self::Messages => (
                "/anthropic/v1/messages".to_owned(),
                json!({"model": model, "stream": stream, "max_tokens": 500, "system": "be kind",
                    "messages": [{"role": "user", "content": "hello there"}]}),
            ),
            Self::Generate => {
                let verb = if stream {
                    "streamGenerateContent?alt=sse"
                } else {
                    "generateContent"
                };
                (
                    format!("/genai/v1beta/models/{model}:{verb}"),
                    json!({"systemInstruction": {"parts": [{"text": "be kind"}]},
                        "contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}),
                )
            }
        };
        let call = Call::post(&path, body.to_string());
        match self {
            Self::Messages => call.header("anthropic-version", "2023-06-01"),
            _ => call,
        }
    }

    /// The words of an answer.
    pub(super) fn words(self, answer: &Answer) -> String {
        let values = payloads(answer);
        let text = |value: &Value| -> String {
            let found = match self {
                Self::Chat if is_stream(answer) => value["choices"][0]["delta"]["content"].as_str(),
                Self::Chat => value["choices"][0]["message"]["content"].as_str(),
                Self::Responses if is_stream(answer) => value["delta"].as_str(),
                Self::Responses => value["output"][0]["content"][0]["text"].as_str(),
                Self::Messages if is_stream(answer) => value["delta"]["text"].as_str(),
                Self::Messages => value["content"][0]["text"].as_str(),
                Self::Generate => value["candidates"][0]["content"]["parts"][0]["text"].as_str(),
            };
            found.unwrap_or_default().to_owned()
        };
        values.iter().map(text).collect()
    }

    /// Input and output tokens that the answer tells.
    pub(super) fn usage(self, answer: &Answer) -> (u64, u64) {
        let number = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_u64);
        let (input, output) = match self {
            Self::Chat => ("/usage/prompt_tokens", "/usage/completion_tokens"),
            Self::Responses if is_stream(answer) => (
                "/response/usage/input_tokens",
                "/response/usage/output_tokens",
            ),
            Self::Responses | Self::Messages => ("/usage/input_tokens", "/usage/output_tokens"),
            Self::Generate => (
                "/usageMetadata/promptTokenCount",
                "/usageMetadata/candidatesTokenCount",
            ),
        };
        let values = payloads(answer);
        let last = values
            .iter()
            .rev()
            .find_map(|value| Some((number(value, input)?, number(value, output)?)));
        last.unwrap_or_else(|| panic!("no usage: {answer:?}"))
    }

    /// Whether the answer ends as its dialect wants.
    pub(super) fn is_complete(self, answer: &Answer) -> bool {
        let values = payloads(answer);
        let Some(last) = values.last() else {
            return false;
        };
        match (self, is_stream(answer)) {
            (Self::Chat, true) => answer.text().trim_end().ends_with("data: [DONE]"),
            (Self::Chat, false) => last["choices"][0]["finish_reason"] == "stop",
            (Self::Responses, true) => last["type"] == "response.completed",
            (Self::Responses, false) => last["status"] == "completed",
            (Self::Messages, true) => last["type"] == "message_stop",
            (Self::Messages, false) => last["stop_reason"] == "end_turn",
            (Self::Generate, _) => last["candidates"][0]["finishReason"] == "STOP",
        }
    }

    /// The kind and the message of an error in this client's words.
    pub(super) fn error(self, answer: &Answer) -> (String, String) {
        let json = answer.json();
        let kind = match self {
            // Azure's own errors have a code and no type.
            Self::Chat | Self::Responses if json["error"]["type"].is_null() => {
                &json["error"]["code"]
            }
            Self::Chat | Self::Responses => &json["error"]["type"],
            Self::Messages => {
                assert_eq!(json["type"], "error", "{answer:?}");
                assert!(json["request_id"].is_string(), "{answer:?}");
                &json["error"]["type"]
            }
            Self::Generate => {
                assert_eq!(json["error"]["code"], answer.status, "{answer:?}");
                &json["error"]["status"]
            }
        };
        let text = |value: &Value| {
            let text = value.as_str();
            text.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
        };
        (text(kind), text(&json["error"]["message"]))
    }
}

fn is_stream(answer: &Answer) -> bool {
    answer.is_stream()
}

/// The JSON of the answer: one value, or one of each event.
pub(super) fn payloads(answer: &Answer) -> Vec<Value> {
    if !is_stream(answer) {
        return vec![answer.json()];
    }
    let text = answer.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
        .collect()
}
