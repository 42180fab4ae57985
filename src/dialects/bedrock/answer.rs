//! What did a model say through Converse?
//!
//! # Invariants
//! - A tool call's arguments are the text that came, byte for byte.
//! - What Bedrock adds around the answer (citations, traces, metrics) is passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::meeting::Malformed;
use super::super::seen::{Summary, Usage};
use super::wire;
use crate::chat::{Answer, Maker, Part, Signature};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    output: Output<'a>,
    #[serde(borrow)]
    stop_reason: Cow<'a, str>,
    #[serde(borrow, default)]
    usage: Option<wire::Usage<'a>>,
    #[serde(borrow, default)]
    service_tier: Option<Tier<'a>>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// One of its fields is there; blocks of other kinds have none of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Reasoning<'a>>,
    #[serde(borrow, default)]
    citations_content: Option<Cited<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow, default)]
    reasoning_text: Option<Thought<'a>>,
    #[serde(borrow, default)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Thought<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
}

/// Text with its sources; only the text is kept.
#[derive(Deserialize)]
struct Cited<'a> {
    #[serde(borrow, default)]
    content: Vec<CitedText<'a>>,
}

#[derive(Deserialize)]
struct CitedText<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
}

/// Reads a whole answer.
///
/// # Errors
/// [`Malformed`] when it is no answer, or one that the model could not finish.
pub fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let body: Body<'_> = serde_json::from_slice(body)?;
    let stop = wire::stop(&body.stop_reason)?;
    let mut parts = Vec::new();
    for block in body.output.message.content {
        if let Some(text) = block.text {
            parts.push(Part::text(text));
        }
        for cited in block.citations_content.into_iter().flat_map(|c| c.content) {
            parts.push(Part::text(cited.text));
        }
        if let Some(call) = block.tool_use {
            parts.push(Part::ToolCall {
                id: call.tool_use_id.into_owned(),
                name: call.name.into_owned(),
                arguments: call.input.map_or("", RawValue::get).to_owned(),
                signature: None,
            });
        }
        if let Some(reasoning) = block.reasoning_content {
            parts.extend(thoughts(reasoning));
        }
    }
    Ok(Answer {
        parts,
        stop,
        usage: body.usage.map(|usage| usage.read()),
        service_tier: body.service_tier.map(|tier| tier.kind.into_owned()),
        ..Answer::default()
    })
}

fn thoughts(reasoning: Reasoning<'_>) -> impl Iterator<Item = Part> {
    let signed = |text: Cow<'_, str>| Signature::new(Maker::Anthropic, text);
    let thinking = reasoning.reasoning_text.map(|thought| Part::Thinking {
        text: thought.text.into_owned(),
        signature: thought
            .signature
            .filter(|text| !text.is_empty())
            .map(signed),
    });
    let redacted = reasoning
        .redacted_content
        .map(|text| Part::Redacted(signed(text)));
    thinking.into_iter().chain(redacted)
}

/// What was used, whatever the answer says.
///
/// # Errors
/// `serde_json`'s, when the bytes are not an object with a usage of this dialect.
pub fn read_summary(body: &[u8]) -> Result<Summary, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Used<'a> {
        #[serde(borrow)]
        usage: wire::Usage<'a>,
        #[serde(borrow, default)]
        service_tier: Option<Tier<'a>>,
    }
    let used: Used<'_> = serde_json::from_slice(body)?;
    let tier = used.service_tier.as_ref().map(|tier| &*tier.kind);
    Ok(Summary {
        usage: Some(Usage::from(used.usage.read()).at_tier(tier)),
        error: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Stop, Usage};

    #[test]
    fn every_kind_of_block_is_read() {
        let body = br#"{"metrics":{"latencyMs":9},"output":{"message":{"role":"assistant","content":[
            {"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig="}}},
            {"reasoningContent":{"redactedContent":"cmVk"}},
            {"text":"a\n"},
            {"citationsContent":{"content":[{"text":"b"}],"citations":[{}]}},
            {"guardContent":{}},
            {"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"b": 1.0, "a":"\u00e9"}}}
          ]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"serviceTier":{"type":"flex"}}"#;
        let answer = read(body).unwrap();
        let signature = |text: &str| Signature::new(Maker::Anthropic, text);
        assert_eq!(
            answer.parts,
            [
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: Some(signature("sig="))
                },
                Part::Redacted(signature("cmVk")),
                Part::text("a\n"),
                Part::text("b"),
                Part::ToolCall {
                    id: "tooluse_1".to_owned(),
                    name: "f".to_owned(),
                    arguments: r#"{"b": 1.0, "a":"\u00e9"}"#.to_owned(),
                    signature: None
                },
            ]
        );
        assert_eq!(answer.stop, Stop::Tools);
        assert_eq!(
            answer.usage,
            Some(Usage {
                input: 3,
                output: 4,
                ..Usage::default()
            })
        );
        assert_eq!(answer.service_tier.as_deref(), Some("flex"));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in [
            "",
            "{}",
            r#"{"message":"no"}"#,
            r#"{"output":{"message":{"content":[]}}}"#,
            r#"{"output":{"message":{"content":[]}},"stopReason":"malformed_tool_use"}"#,
            r#"{"output":{"message":{"content":[{"toolUse":{"name":"f"}}]}},"stopReason":"tool_use"}"#,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
