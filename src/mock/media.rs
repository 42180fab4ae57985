//! OpenAI's pictures and judgements: one tiny picture for whatever is asked, and a flag for what speaks of violence.
//!
//! # Invariants
//! - A picture is a valid PNG.

use bytes::Bytes;
use serde_json::{Value, json};

use super::ask::{Ask, Extra, Measured, clamp};
use super::audio;
use super::door::Door;
use super::endpoint::{Endpoint, Media, Object};
use super::form;
use super::ledger::Received;
use super::narration::{Narration, Whole};
use super::plan::Plan;
use super::refusals::{JSON, Reply};

/// A picture of one point, in base64.
pub(super) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Tokens that a picture is billed as.
const PICTURE_TOKENS: u64 = 1_056;

/// Pictures that may be asked for at once, and previews of one.
const PICTURES: u64 = 10;

/// The stream of a picture.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
}

/// Reads a request for something besides text, in JSON or as a form.
///
/// # Errors
/// Returns what is wrong with the body.
pub(super) fn ask(door: &Door<'_>, request: &Received) -> Result<Ask, String> {
    let is_form = request
        .header("content-type")
        .is_some_and(|it| it.starts_with("multipart/"));
    let body = if is_form {
        form::read(request)?
    } else if matches!(
        door.endpoint,
        Endpoint::Object(Object::Response | Object::File, _)
    ) || request.body.is_empty()
    {
        Value::Null
    } else {
        serde_json::from_slice(&request.body).map_err(|error| error.to_string())?
    };
    let texts = [&body["prompt"], &body["input"]];
    let model = body["model"].as_str().map(ToOwned::to_owned);
    Ok(Ask {
        endpoint: door.endpoint,
        model: match &door.named {
            Some(named) => named.clone().into_owned(),
            None => model.unwrap_or_default(),
        },
        stream: is_true(&body["stream"]) || body["stream_format"] == "sse",
        input_tokens: Measured::sum(texts.map(Measured::of)).tokens(),
        user: body["user"].as_str().map(ToOwned::to_owned),
        extra: Extra::Body(body),
        ..Ask::default()
    })
}

/// Whether a field of a body or a form says so.
fn is_true(value: &Value) -> bool {
    value == true || value == "true"
}

/// The first rule that a request breaks.
pub(super) fn objection(media: Media, body: &Value) -> Option<Reply> {
    let missing = |fields: &[&'static str]| {
        let missing = fields.iter().find(|field| body[**field].is_null())?;
        Some(Reply {
            param: missing,
            code: "missing_required_parameter",
            ..Reply::invalid(format!("Missing required parameter: '{missing}'."))
        })
    };
    match media {
        Media::Moderation => missing(&["input"]),
        Media::Picture => missing(&["prompt"]),
        // Why: several pictures come as `image[]`, and read as one is enough.
        Media::Edit if body["image[]"].is_null() => missing(&["prompt", "image"]),
        Media::Edit => missing(&["prompt"]),
        Media::Variation => missing(&["image"]),
        Media::Speech => missing(&["model", "input", "voice"]),
        Media::Transcription | Media::Translation => missing(&["file", "model"]),
    }
}

/// The whole answer.
pub(super) fn whole(plan: &Plan, media: Media) -> Whole {
    let Extra::Body(body) = &plan.ask.extra else {
        return audio::whole(plan, &Value::Null);
    };
    let text = match media {
        Media::Moderation => judgement(plan, body),
        Media::Picture | Media::Edit | Media::Variation => pictures(plan, body),
        Media::Speech | Media::Transcription | Media::Translation => {
            return audio::whole(plan, body);
        }
    };
    Whole {
        kind: JSON,
        body: text.to_string().into(),
    }
}

/// The previews that are to come before a picture.
pub(super) fn partial_images(plan: &Plan) -> u32 {
    match &plan.ask.extra {
        Extra::Body(body) => clamp(number(&body["partial_images"]).unwrap_or(0).min(PICTURES)),
        _ => 0,
    }
}

/// The pictures that are made at once; a stream makes one.
pub(super) fn pictures_made(plan: &Plan) -> u32 {
    match &plan.ask.extra {
        Extra::Body(body) if !plan.ask.stream => clamp(count(body)),
        _ => 1,
    }
}

/// Output tokens that a picture is billed as; none where it is billed as one.
pub(super) fn picture_tokens(plan: &Plan) -> u32 {
    if is_older(plan) && !plan.ask.stream {
        0
    } else {
        clamp(PICTURE_TOKENS)
    }
}

/// Characters that are to be spoken.
pub(super) fn characters(plan: &Plan) -> u32 {
    match &plan.ask.extra {
        Extra::Body(body) => {
            clamp(body["input"].as_str().map_or(0, |it| it.chars().count()) as u64)
        }
        _ => 0,
    }
}

/// Whether a transcript tells how long the sound was, and not how many tokens it had.
pub(super) fn tells_length(plan: &Plan) -> bool {
    match &plan.ask.extra {
        Extra::Body(body) => !plan.ask.stream && body["response_format"] == "verbose_json",
        _ => false,
    }
}

/// The pictures that a body asks for.
fn count(body: &Value) -> u64 {
    number(&body["n"]).unwrap_or(1).clamp(1, PICTURES)
}

/// Whether the model is one that is billed by the picture.
fn is_older(plan: &Plan) -> bool {
    plan.ask.model.starts_with("dall-e")
}

/// A number in a body, or as text in a form.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn pictures(plan: &Plan, body: &Value) -> Value {
    let count = count(body);
    let is_older = is_older(plan);
    let by_url =
        body["response_format"] == "url" || (is_older && body["response_format"] != "b64_json");
    let picture = if by_url {
        json!({"url": format!("https://images.invalid/mock/{:016x}.png", plan.id)})
    } else {
        json!({"b64_json": PNG})
    };
    let mut whole = json!({"created": plan.created, "data": vec![picture; count as usize]});
    if !is_older {
        whole["background"] = "opaque".into();
        whole["output_format"] = "png".into();
        whole["quality"] = "medium".into();
        whole["size"] = "1024x1024".into();
        if let Some(usage) = usage(plan, count) {
            whole["usage"] = usage;
        }
    }
    whole
}

fn usage(plan: &Plan, pictures: u64) -> Option<Value> {
    let (input, _) = plan.counts()?;
    let output = (PICTURE_TOKENS * pictures) as i64;
    Some(json!({
        "total_tokens": input.saturating_add(output),
        "input_tokens": input,
        "output_tokens": output,
        "input_tokens_details": {"text_tokens": input, "image_tokens": 0},
    }))
}

fn judgement(plan: &Plan, body: &Value) -> Value {
    let inputs = match &body["input"] {
        Value::Array(inputs) if inputs.iter().all(Value::is_string) => inputs.clone(),
        input => vec![input.clone()],
    };
    let results: Vec<Value> = inputs
        .iter()
        .map(|input| {
            let flagged = input.to_string().contains("violence");
            let score = if flagged { 0.9 } else { 0.000_1 };
            json!({
                "flagged": flagged,
                "categories": {"violence": flagged, "hate": false, "self-harm": false, "sexual": false},
                "category_scores": {"violence": score, "hate": 0.000_1, "self-harm": 0.000_1, "sexual": 0.000_1},
                "category_applied_input_types": {
                    "violence": ["text"], "hate": ["text"], "self-harm": ["text"], "sexual": ["text"],
                },
            })
        })
        .collect();
    let model = match plan.ask.model.as_str() {
        "" => "omni-moderation-latest",
        model => model,
    };
    json!({"id": format!("modr-mock{:016x}", plan.id), "model": model, "results": results})
}

impl Telling {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan }
    }

    fn event(&self, what: &str, more: &Value) -> Bytes {
        let kind = match self.plan.ask.endpoint {
            Endpoint::Media(Media::Edit) => "image_edit",
            _ => "image_generation",
        };
        let name = format!("{kind}.{what}");
        let mut data = json!({
            "type": name,
            "b64_json": PNG,
            "created_at": self.plan.created,
            "size": "1024x1024",
            "quality": "medium",
            "background": "opaque",
            "output_format": "png",
        });
        if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object()) {
            data.extend(more.clone());
        }
        format!("event: {name}\ndata: {data}\n\n").into()
    }
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    fn token(&mut self, number: u32) -> Bytes {
        self.event(
            "partial_image",
            &json!({"partial_image_index": number.saturating_sub(1)}),
        )
    }

    fn closing(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    fn last(&mut self) -> Option<Bytes> {
        let usage = usage(&self.plan, 1).map_or(json!({}), |usage| json!({"usage": usage}));
        Some(self.event("completed", &usage))
    }

    fn garbled(&mut self) -> Bytes {
        Bytes::from_static(
            b"event: image_generation.partial_image\ndata: {\"type\":\"image_gen\n\n",
        )
    }

    fn error(&mut self) -> Bytes {
        Bytes::from_static(
            b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"image_generation_server_error\",\
              \"code\":\"server_error\",\"message\":\"The server had an error.\",\"param\":null}}\n\n",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What base64 stands for.
    fn decoded(text: &str) -> Vec<u8> {
        let digits = text
            .bytes()
            .take_while(|byte| *byte != b'=')
            .map(|byte| match byte {
                b'A'..=b'Z' => u32::from(byte - b'A'),
                b'a'..=b'z' => u32::from(byte - b'a') + 26,
                b'0'..=b'9' => u32::from(byte - b'0') + 52,
                b'+' => 62,
                _ => 63,
            });
        let (mut bits, mut held, mut out) = (0_u32, 0, Vec::new());
        for digit in digits {
            (bits, held) = (bits << 6 | digit, held + 6);
            if held >= 8 {
                held -= 8;
                out.push((bits >> held) as u8);
            }
        }
        out
    }

    #[test]
    fn the_picture_is_a_valid_png() {
        let png = decoded(PNG);
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        let (mut rest, mut kinds) = (&png[8..], Vec::new());
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
        };
        while !rest.is_empty() {
            let length = number(&rest[..4]) as usize;
            let chunk = &rest[4..8 + length];
            assert_eq!(
                number(&rest[8 + length..12 + length]),
                crc32fast::hash(chunk)
            );
            kinds.push(String::from_utf8_lossy(&chunk[..4]).into_owned());
            rest = &rest[12 + length..];
        }
        assert_eq!(kinds, ["IHDR", "IDAT", "IEND"]);
    }
}
