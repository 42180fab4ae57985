//! What did a model answer, in Gemini's words?
//!
//! # Invariants
//! - An answer without a candidate is refused, unless the prompt was blocked: then it was filtered.
//! - A candidate that failed is an error, never an empty answer.

use serde::{Deserialize, Serialize};

use super::super::meeting::{Frame, Malformed};
use super::finish;
use super::ids::Ids;
use super::media;
use super::part::Content;
use super::usage::{Counts, Written as WrittenUsage};
use super::wire::{self, Glance};
use super::written::WrittenPart;
use crate::chat::{Answer, Losses, Part, Stop};

/// An answer, or an event of a stream, as it comes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawAnswer {
    pub(super) candidates: Option<Vec<RawCandidate>>,
    prompt_feedback: Option<RawFeedback>,
    pub(super) usage_metadata: Option<Counts>,
    pub(super) model_version: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) error: Glance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawCandidate {
    pub(super) content: Option<Content>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawFeedback {
    block_reason: Glance,
}

impl RawAnswer {
    /// Whether the prompt was blocked before a model saw it.
    pub(super) fn is_blocked(&self) -> bool {
        let feedback = self.prompt_feedback.as_ref();
        feedback.is_some_and(|feedback| feedback.block_reason.filled)
    }
}

/// Reads a provider's answer.
///
/// # Errors
/// [`Malformed`] when it is not an answer, or the model failed.
pub fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let raw: RawAnswer = wire::object(body)?;
    let blocked = raw.is_blocked();
    let id = raw.response_id.unwrap_or_default();
    let mut answer = Answer {
        model: raw.model_version.unwrap_or_default(),
        usage: raw.usage_metadata.map(|counts| counts.buckets()),
        ..Answer::default()
    };
    let candidate = raw.candidates.unwrap_or_default().into_iter().next();
    match candidate {
        None if blocked => answer.stop = Stop::Filtered,
        None => return Err(Malformed::new("the answer has no candidate")),
        Some(candidate) => {
            let reason = candidate.finish_reason.unwrap_or_default();
            answer.stop = finish::read(&reason)?.unwrap_or_default();
            let mut ids = Ids::of_answer(&id);
            let content = candidate.content.unwrap_or_default();
            for part in content.parts.0 {
                part.read(&mut ids, &mut answer.parts, &mut Vec::new());
            }
            let calls = |part: &Part| matches!(part, Part::ToolCall { .. });
            if answer.stop == Stop::End && answer.parts.iter().any(calls) {
                answer.stop = Stop::Tools;
            }
        }
    }
    answer.id = id;
    Ok(answer)
}

/// An answer, or an event of a stream, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenAnswer<'a> {
    pub(super) candidates: [WrittenCandidate<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<WrittenUsage>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrittenCandidate<'a> {
    content: WrittenContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    index: u32,
}

#[derive(Serialize)]
struct WrittenContent<'a> {
    parts: Vec<WrittenPart<'a>>,
    role: &'static str,
}

impl<'a> WrittenCandidate<'a> {
    pub(super) fn new(parts: Vec<WrittenPart<'a>>, stop: Option<Stop>) -> Self {
        Self {
            content: WrittenContent {
                parts,
                role: "model",
            },
            finish_reason: stop.map(finish::name),
            index: 0,
        }
    }
}

/// Writes an answer for a client.
#[must_use]
pub fn write(answer: &Answer, frame: &Frame) -> Vec<u8> {
    let mut parts: Vec<_> = answer.parts.iter().filter_map(part).collect();
    // Of calls side by side only the first carries a signature.
    if let Some(call) = parts.iter_mut().find(|part| part.is_call()) {
        call.keep_skipped();
    }
    if parts.is_empty() {
        // Google's clients take a turn without parts for an invalid one and forget it.
        parts.push(WrittenPart::text(""));
    }
    let written = WrittenAnswer {
        candidates: [WrittenCandidate::new(parts, Some(answer.stop))],
        usage_metadata: answer.usage.as_ref().map(WrittenUsage::from),
        model_version: either(&answer.model, &frame.model),
        response_id: either(&answer.id, &frame.id),
    };
    serde_json::to_vec(&written).unwrap_or_default()
}

/// The first text, or the second where the first is empty.
pub(super) fn either<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}

/// A part of an answer; what a model never says is left out.
fn part(part: &Part) -> Option<WrittenPart<'_>> {
    Some(match part {
        Part::Text { text, .. } | Part::Refusal(text) => WrittenPart::text(text),
        Part::Thinking { text, signature } => WrittenPart::thought(text, signature.as_ref()),
        Part::Redacted(signature) => WrittenPart::redacted(signature),
        Part::ToolCall {
            id,
            name,
            arguments,
            signature,
        } => WrittenPart::call(Some(id), name, arguments).with_signature(signature.as_ref()),
        Part::Image(media) | Part::Document(media) | Part::Audio(media) => {
            WrittenPart::media(media::write(media, "media", &mut Losses::default())?)
        }
        Part::ToolResult { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Maker, Signature, Usage};
    use serde_json::{Value, json};

    fn candidate(parts: Value, reason: &str) -> Value {
        json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason,
            "index": 0, "safetyRatings": []}], "modelVersion": "gemini-x", "responseId": "Ab-9_c"})
    }

    fn read_value(value: &Value) -> Result<Answer, Malformed> {
        read(value.to_string().as_bytes())
    }

    #[test]
    fn ends_are_told_apart() {
        let text = json!([{"text": "w"}]);
        let call = json!([{"functionCall": {"name": "f", "args": {}}}]);
        for (parts, reason, stop) in [
            (&text, "STOP", Stop::End),
            (&call, "STOP", Stop::Tools),
            (&call, "MAX_TOKENS", Stop::Length),
            (&text, "RECITATION", Stop::Filtered),
            (&text, "", Stop::End),
        ] {
            let answer = read_value(&candidate(parts.clone(), reason)).unwrap();
            assert_eq!(answer.stop, stop, "{reason}");
        }
        let blocked = read(br#"{"promptFeedback":{"blockReason":"OTHER"}}"#).unwrap();
        assert_eq!((blocked.stop, blocked.parts.len()), (Stop::Filtered, 0));
        for bad in [
            candidate(json!([]), "MALFORMED_FUNCTION_CALL"),
            json!({"candidates": []}),
            json!({"error": {"code": 500, "message": "m", "status": "INTERNAL"}}),
            json!([]),
        ] {
            assert!(read_value(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn minted_ids_differ_between_answers_and_signatures_are_kept() {
        let answer = read_value(&candidate(
            json!([{"functionCall": {"name": "f", "args": {"z": 1, "a": 2}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "f", "id": "own"}}]),
            "STOP",
        ));
        let ids: Vec<_> = answer
            .unwrap()
            .parts
            .into_iter()
            .map(|part| match part {
                Part::ToolCall { id, signature, .. } => (id, signature),
                other => panic!("{other:?}"),
            })
            .collect();
        let signed = Some(Signature::new(Maker::Google, "c2ln"));
        assert_eq!(
            ids,
            [
                ("call_Ab-9c_0".to_owned(), signed),
                ("own".to_owned(), None)
            ]
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let answer = Answer {
            id: "r1".to_owned(),
            model: "m".to_owned(),
            parts: vec![
                Part::Thinking {
                    text: "hm".to_owned(),
                    signature: Some(Signature::new(Maker::Anthropic, "sig")),
                },
                Part::Redacted(Signature::new(Maker::Anthropic, "secret")),
                Part::text("w"),
                Part::ToolCall {
                    id: "call_1".to_owned(),
                    name: "f".to_owned(),
                    arguments: r#"{"b":1,"a":[2.0]}"#.to_owned(),
                    signature: Some(Signature::new(Maker::Google, "c2ln")),
                },
            ],
            stop: Stop::Tools,
            usage: Some(Usage {
                input: 3,
                cache_read: 2,
                output: 5,
                reasoning: 1,
                ..Usage::default()
            }),
            ..Answer::default()
        };
        assert_eq!(read(&write(&answer, &Frame::default())), Ok(answer));
    }

    #[test]
    fn the_shape_is_googles() {
        let frame = Frame {
            id: "f".to_owned(),
            model: "asked".to_owned(),
            ..Frame::default()
        };
        let written = write(&Answer::default(), &frame);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            concat!(
                r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"#,
                r#""finishReason":"STOP","index":0}],"modelVersion":"asked","responseId":"f"}"#
            )
        );
    }
}
