//! What did a model of Cohere say?
//!
//! # Invariants
//! - The plan before tool calls counts as thought, not as part of the answer.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::meeting::Malformed;
use super::super::seen::Summary;
use super::wire;
use crate::chat::{Answer, Part};

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    finish_reason: Cow<'a, str>,
    #[serde(borrow)]
    message: Message<'a>,
    #[serde(default)]
    usage: Option<wire::Usage>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<Cow<'a, str>>,
}

/// Reads a whole answer.
///
/// # Errors
/// [`Malformed`] when it is no answer, or one that the model could not finish.
pub fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let body: Body<'_> = serde_json::from_slice(body)?;
    let stop = wire::stop(&body.finish_reason)?;
    let thought = |text: Cow<'_, str>| Part::Thinking {
        text: text.into_owned(),
        signature: None,
    };
    let mut parts = Vec::new();
    let plan = body.message.tool_plan.filter(|plan| !plan.is_empty());
    parts.extend(plan.map(thought));
    for block in body.message.content.into_iter().flatten() {
        parts.extend(block.thinking.map(thought));
        parts.extend(block.text.map(Part::text));
    }
    for call in body.message.tool_calls.into_iter().flatten() {
        parts.push(Part::ToolCall {
            id: call.id.into_owned(),
            name: call.function.name.into_owned(),
            arguments: call.function.arguments.unwrap_or_default().into_owned(),
            signature: None,
        });
    }
    Ok(Answer {
        id: body.id.into_owned(),
        parts,
        stop,
        usage: body.usage.map(|usage| usage.read()),
        ..Answer::default()
    })
}

/// What was used, whatever the answer says.
///
/// # Errors
/// `serde_json`'s, when the bytes are not an object with a usage of this dialect.
pub fn read_summary(body: &[u8]) -> Result<Summary, serde_json::Error> {
    #[derive(Deserialize)]
    struct Used {
        usage: wire::Usage,
    }
    let used: Used = serde_json::from_slice(body)?;
    Ok(Summary {
        usage: Some(used.usage.read().into()),
        error: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Stop, Usage};

    #[test]
    fn thoughts_words_and_calls_are_read() {
        let body = br#"{"id":"5a50","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will",
            "content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}],
            "tool_calls":[{"id":"f_1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}],
            "citations":[{}]},"usage":{"billed_units":{"input_tokens":3,"output_tokens":4}},"logprobs":null}"#;
        let answer = read(body).unwrap();
        let thought = |text: &str| Part::Thinking {
            text: text.to_owned(),
            signature: None,
        };
        assert_eq!(
            answer.parts,
            [
                thought("I will"),
                thought("hm"),
                Part::text("a"),
                Part::ToolCall {
                    id: "f_1".to_owned(),
                    name: "f".to_owned(),
                    arguments: "{\"a\": 1}".to_owned(),
                    signature: None
                },
            ]
        );
        assert_eq!((answer.id.as_str(), answer.stop), ("5a50", Stop::Tools));
        let usage = Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        };
        assert_eq!(answer.usage, Some(usage));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in [
            "",
            r#"{"message":"too many tokens"}"#,
            r#"{"id":"x","finish_reason":"ERROR","message":{"role":"assistant"}}"#,
            r#"{"id":"x","finish_reason":"COMPLETE"}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
