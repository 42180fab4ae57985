//! OpenAI's sound: a short silence for whatever is to be spoken, and numbered words for whatever was heard.
//!
//! # Invariants
//! - What is streamed adds up to what is given whole.

use bytes::Bytes;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::ask::Extra;
use super::bill::SOUND_MILLIS;
use super::embedding;
use super::endpoint::{Endpoint, Media};
use super::narration::{Narration, Whole};
use super::plan::{Plan, quoted};
use super::refusals::JSON;

/// Pieces in which speech is streamed.
pub(super) const PIECES: u32 = 4;

/// Bytes of a piece of speech.
const PIECE_BYTES: usize = 240;

/// The stream of something spoken or heard.
#[derive(Debug)]
pub(super) struct Telling {
    plan: Plan,
}

/// The whole answer to a request that said `body`.
pub(super) fn whole(plan: &Plan, body: &Value) -> Whole {
    if plan.ask.endpoint == Endpoint::Media(Media::Speech) {
        return spoken(body);
    }
    let text = plan.text();
    let plain = |text: String| Whole {
        kind: HeaderValue::from_static("text/plain; charset=utf-8"),
        body: text.into(),
    };
    let heard = match body["response_format"].as_str() {
        Some("text") => return plain(format!("{text}\n")),
        Some("srt") => return plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")),
        Some("vtt") => {
            return plain(format!(
                "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n"
            ));
        }
        Some("verbose_json") => json!({
            "task": if plan.ask.endpoint == Endpoint::Media(Media::Translation) { "translate" } else { "transcribe" },
            "language": "english",
            "duration": f64::from(SOUND_MILLIS) / 1_000.0,
            "text": text,
            "segments": [{"id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": text}],
        }),
        _ => match usage(plan) {
            Some(usage) => json!({"text": text, "usage": usage}),
            None => json!({"text": text}),
        },
    };
    Whole {
        kind: JSON,
        body: heard.to_string().into(),
    }
}

fn usage(plan: &Plan) -> Option<Value> {
    let (input, output) = plan.counts()?;
    Some(json!({
        "type": "tokens",
        "input_tokens": input,
        "input_token_details": {"text_tokens": input, "audio_tokens": 0},
        "output_tokens": output,
        "total_tokens": input + output,
    }))
}

/// Silence in the format that is asked for: for MP3 by default, headers as each format has them, then zeros.
fn spoken(body: &Value) -> Whole {
    let (kind, head): (&'static str, &[u8]) = match body["response_format"].as_str() {
        Some("wav") => ("audio/wav", b"RIFF"),
        Some("opus") => ("audio/opus", b"OggS"),
        Some("aac") => ("audio/aac", b"\xff\xf1"),
        Some("flac") => ("audio/flac", b"fLaC"),
        Some("pcm") => ("audio/pcm", b""),
        _ => ("audio/mpeg", b"\xff\xfb\x90\x64"),
    };
    let length = PIECE_BYTES * PIECES as usize;
    let mut bytes = head.to_vec();
    if kind == "audio/wav" {
        bytes.extend_from_slice(&((length - 8) as u32).to_le_bytes());
        bytes.extend_from_slice(
            b"WAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0\x02\0\x10\0data",
        );
        bytes.extend_from_slice(&((length - 44) as u32).to_le_bytes());
    }
    bytes.resize(length, 0);
    Whole {
        kind: HeaderValue::from_static(kind),
        body: bytes.into(),
    }
}

impl Telling {
    /// The stream of `plan`.
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan }
    }

    fn is_speech(&self) -> bool {
        self.plan.ask.endpoint == Endpoint::Media(Media::Speech)
    }

    fn piece(&self, number: u32) -> Vec<u8> {
        let body = match &self.plan.ask.extra {
            Extra::Body(body) => body,
            _ => &Value::Null,
        };
        let from = PIECE_BYTES * number.saturating_sub(1) as usize;
        let spoken = spoken(body).body;
        spoken
            .iter()
            .skip(from)
            .take(PIECE_BYTES)
            .copied()
            .collect()
    }
}

fn event(name: &str, fields: &str) -> Bytes {
    format!("data: {{\"type\":\"{name}\",{fields}}}\n\n").into()
}

impl Narration for Telling {
    fn opening(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    fn token(&mut self, number: u32) -> Bytes {
        if self.is_speech() {
            let audio = embedding::base64_of(&self.piece(number));
            return event("speech.audio.delta", &format!("\"audio\":\"{audio}\""));
        }
        let piece = self.plan.escaped_piece(number);
        event("transcript.text.delta", &format!("\"delta\":\"{piece}\""))
    }

    fn closing(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    fn last(&mut self) -> Option<Bytes> {
        let usage = usage(&self.plan).unwrap_or_default();
        Some(if self.is_speech() {
            event("speech.audio.done", &format!("\"usage\":{usage}"))
        } else {
            let text = quoted(&self.plan.text());
            event(
                "transcript.text.done",
                &format!("\"text\":{text},\"usage\":{usage}"),
            )
        })
    }

    fn garbled(&mut self) -> Bytes {
        Bytes::from_static(b"data: {\"type\":\"transcript.text.del\n\n")
    }

    fn error(&mut self) -> Bytes {
        Bytes::from_static(
            b"data: {\"type\":\"error\",\"error\":{\"message\":\"The server had an error.\",\
              \"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
        )
    }
}
